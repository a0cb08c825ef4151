//! The entries of the change feed: one schema for each event type.
//!
//! What an entry carries is decided where the event is made: `access::lifecycle` for accounts,
//! the group actor and the store for groups, the reconciler for waves.

use access::EventType;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::schemas::ID;

/// An entry of the change feed. What the document says of it is [`schemas`].
#[derive(ToSchema)]
pub struct FeedEntry;

/// The name of a kind of events. What the document says of it is [`schemas`].
#[derive(ToSchema)]
pub struct EventName;

/// A key of an entry: its name, its schema, an example, and whether it is always there.
type Key = (&'static str, Value, Value, bool);

/// What the entries of a kind are about, and what they carry besides `seq`, `id`, `type`, `at`.
fn described(kind: EventType) -> (&'static str, Vec<Key>) {
    let account = || always("account", id(), ID);
    let from = || always("from", role(), "loanee");
    let to = |example: Value| ("to", role(), example, true);
    let why = || ("why", json!({"$ref": "#/components/schemas/Why"}), why_example(), true);
    let by = || always("by", text(), "operator");
    let user_name = || always("user_name", text(), "ada@example.com");
    let group = || always("group", id(), ID);
    let ends_sessions =
        || always("revoke_sessions", json!({"type": "boolean", "const": true}), true);
    let display_name = || always("display_name", text(), "IT Admins");
    match kind {
        EventType::AccountCreated => {
            let status = json!({"type": "string", "enum": ["active", "disabled"]});
            let keys = vec![
                account(),
                user_name(),
                always("status", status, "active"),
                to("default".into()),
                why(),
            ];
            ("A user was created; `to` is the first role", keys)
        }
        EventType::AccountUpdated => {
            let changed = json!({"type": "array", "items": text()});
            let keys = vec![account(), always("changed", changed, json!(["display_name"]))];
            ("A name, an address or a mapped field changed; `changed` names them", keys)
        }
        EventType::AccountRoleChanged => {
            ("The role changed", vec![account(), from(), to("admin".into()), why()])
        }
        EventType::AccountDisabled => {
            let keys = vec![account(), from(), to("disabled".into()), ends_sessions(), why()];
            ("The user was disabled", keys)
        }
        EventType::AccountEnabled => (
            "The user is enabled again; the role follows when the wave has settled",
            vec![account()],
        ),
        EventType::AccountDeleted => {
            let keys =
                vec![account(), user_name(), from(), to(Value::Null), ends_sessions(), why()];
            ("The user was deleted: there is no role", keys)
        }
        EventType::AccountLocked => {
            let reason = ("reason", text(), json!("on leave"), false);
            ("The role was pinned", vec![account(), always("role", text(), "admin"), by(), reason])
        }
        EventType::AccountUnlocked => {
            ("The account was given back to the rules", vec![account(), by()])
        }
        EventType::GroupCreated => ("A group was pushed", vec![group(), display_name()]),
        EventType::GroupUpdated => ("A group's attributes changed", vec![group(), display_name()]),
        EventType::GroupDeleted => ("A group was deleted", vec![group(), display_name()]),
        EventType::GroupMembersChanged => {
            let users = || json!({"type": "array", "items": id()});
            let values = json!({"type": "array", "items": text()});
            let keys = vec![
                group(),
                display_name(),
                always("added", users(), json!([ID])),
                always("removed", users(), json!([])),
                always("added_count", count(), 1),
                always("removed_count", count(), 0),
                ("expired", values, json!([]), false),
            ];
            let about = "Users joined or left a group: the first 1,000 of each, and how many; \
                         `expired` are values of members that never appeared";
            (about, keys)
        }
        EventType::WaveSettled => {
            let keys = vec![
                always("wave", id(), ID),
                always("requests", count(), 42),
                always("role_changes", count(), 3),
            ];
            ("A wave has settled and its accounts are reconciled", keys)
        }
        EventType::EquipmentUnreturned => {
            let status = json!({"type": "string", "enum": ["disabled", "deleted"]});
            let time = json!({"type": "string", "format": "date-time"});
            let assets = json!({"type": "array", "items": {
                "type": "object", "required": ["asset_id", "name"],
                "properties": {"asset_id": text(), "name": text()},
            }});
            let keys = vec![
                account(),
                user_name(),
                always("status", status, "disabled"),
                always("since", time, "2026-03-01T12:00:00Z"),
                always("manager", json!({"type": ["string", "null"]}), "grace@example.com"),
                always("assets", assets, json!([{"asset_id": "LT-17", "name": "Laptop"}])),
                always("assets_count", count(), 1),
                always("reminder", json!({"type": "boolean"}), false),
            ];
            ("A disabled or deleted account still holds something; the first 100 assets", keys)
        }
        EventType::TokenExpiring => {
            let kind = json!({"type": "string", "enum": ["token", "oauth_client"]});
            let time = json!({"type": "string", "format": "date-time"});
            let keys = vec![
                always("token", id(), ID),
                always("kind", kind, "token"),
                always("label", text(), "entra"),
                always("expires_at", time, "2026-04-01T12:00:00Z"),
                always("days", count(), 30),
            ];
            ("A token or an OAuth client is about to expire: `days` says how soon", keys)
        }
        EventType::HoldOpened => {
            let wave = json!({"type": ["string", "null"], "format": "uuid"});
            let keys = vec![
                always("hold", id(), ID),
                always("trigger", text(), "wave"),
                always("wave", wave, ID),
                always("accounts", count(), 120),
                always("of", count(), 200),
            ];
            ("A mass change of roles waits for an operator", keys)
        }
    }
}

/// One schema for each event type, and `FeedEntry`, which is one of them.
pub fn schemas() -> Map<String, Value> {
    let reference = |kind: &EventType| format!("#/components/schemas/{}", kind.as_str());
    let all = EventType::ALL.iter();
    let one_of: Vec<Value> = all.clone().map(|kind| json!({"$ref": reference(kind)})).collect();
    let mapping: Map<String, Value> =
        all.clone().map(|kind| (kind.as_str().to_owned(), reference(kind).into())).collect();
    let mut schemas: Map<String, Value> =
        all.map(|kind| (kind.as_str().to_owned(), schema(*kind))).collect();
    let entry = json!({
        "description": "An entry of the change feed. The entries that have `to`, replayed in \
                        order, give every account's role",
        "oneOf": one_of,
        "discriminator": {"propertyName": "type", "mapping": mapping},
    });
    schemas.insert("FeedEntry".to_owned(), entry);
    let names: Vec<&str> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
    let name = json!({"description": "A kind of events", "type": "string", "enum": names});
    schemas.insert("EventName".to_owned(), name);
    schemas
}

fn schema(kind: EventType) -> Value {
    let (description, keys) = described(kind);
    let shared = [
        always("seq", json!({"type": "integer", "minimum": 1}), 7),
        always("id", text(), "evt_0018f2a6c3d4e00000007"),
        always("type", json!({"type": "string", "const": kind.as_str()}), kind.as_str()),
        always("at", json!({"type": "string", "format": "date-time"}), "2026-03-01T12:00:00.000Z"),
    ];
    let (mut properties, mut example) = (Map::new(), Map::new());
    let mut required: Vec<&str> = Vec::new();
    for (name, schema, value, is_always_there) in shared.into_iter().chain(keys) {
        properties.insert(name.to_owned(), schema);
        example.insert(name.to_owned(), value);
        required.extend(is_always_there.then_some(name));
    }
    json!({
        "type": "object", "description": description, "properties": properties,
        "required": required, "examples": [example],
    })
}

fn always(name: &'static str, schema: Value, example: impl Into<Value>) -> Key {
    (name, schema, example.into(), true)
}

fn text() -> Value {
    json!({"type": "string"})
}

fn id() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// A role; null where there was none, or is none any more.
fn role() -> Value {
    json!({"type": ["string", "null"]})
}

fn why_example() -> Value {
    json!({
        "rule": "mapping", "mapping": 0, "group": "IT Admins", "since": "2026-03-01T12:00:00Z",
        "wave": ID, "request": null,
    })
}
