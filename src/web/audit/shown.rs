//! Entries of the audit log for people: who, and what of what became what.
//!
//! An entry can tell of a thousand things with long values: what is shown of it is bounded, and the
//! export has all of it.

use std::collections::HashMap;

use access::{GroupId, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value};
use store::{ReadError, Snapshot, TenantKey};

use crate::web::filters::shortened;

/// Things that are shown of an entry, and keys of each.
const CHANGES_MAX: usize = 10;
const KEYS_MAX: usize = 12;
/// Characters of a value that are looked at.
const VALUE_CHARS_MAX: usize = 200;
/// Characters of each name in a list of names.
const NAME_CHARS_MAX: usize = 40;

/// An entry.
pub(super) struct Entry {
    pub(super) at: Option<Timestamp>,
    pub(super) who: &'static str,
    pub(super) label: Option<String>,
    pub(super) request: Option<String>,
    pub(super) changes: Vec<Change>,
    /// Things that it tells of besides.
    pub(super) more: usize,
}

/// What became of one thing.
pub(super) struct Change {
    /// `created`, `changed` or `removed`.
    pub(super) verb: &'static str,
    /// What kind of thing.
    pub(super) object: String,
    /// What it is called, or its id.
    pub(super) called: String,
    /// Its page, within the tenant's.
    pub(super) page: Option<String>,
    /// What became of it in short, where there is something to put first.
    pub(super) summary: Option<String>,
    pub(super) keys: Vec<KeyChange>,
    /// Keys besides.
    pub(super) more: usize,
}

/// What became of one of its keys.
pub(super) struct KeyChange {
    pub(super) key: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// What accounts and groups are called.
pub(super) struct Names<'a> {
    snapshot: &'a Snapshot,
    tenant: Option<TenantKey>,
    known: HashMap<UserId, Option<String>>,
}

/// Members that are named.
const MEMBERS_MAX: usize = 5;

/// Who an actor of this kind is, in words.
pub(super) fn actor_words(kind: &str) -> &'static str {
    match kind {
        "token" => "the directory",
        "operator" => "an operator",
        "setup_link" => "the customer, by a setup link",
        "reconciler" => "the rules",
        "service" => "the service itself",
        _ => "somebody",
    }
}

impl<'a> Names<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, tenant: Option<TenantKey>) -> Self {
        Self { snapshot, tenant, known: HashMap::new() }
    }

    fn of(&mut self, id: &str) -> Result<Option<String>, ReadError> {
        let (Some(tenant), Ok(user)) = (self.tenant, id.parse::<UserId>()) else {
            return Ok(None);
        };
        if let Some(known) = self.known.get(&user) {
            return Ok(known.clone());
        }
        let name = self.snapshot.account(tenant, user)?.map(|account| account.user_name);
        self.known.insert(user, name.clone());
        Ok(name)
    }
}

impl Names<'_> {
    fn of_group(&self, id: &str) -> Result<Option<String>, ReadError> {
        let (Some(tenant), Ok(group)) = (self.tenant, id.parse::<GroupId>()) else {
            return Ok(None);
        };
        Ok(self.snapshot.group(tenant, group)?.map(|record| record.name))
    }

    /// The members that one side of a change names, and how many there are.
    fn of_members(&mut self, side: Option<&Value>) -> Result<Option<(u64, String)>, ReadError> {
        let Some(side) = side else { return Ok(None) };
        let list = |key: &str| side.get(key).and_then(Value::as_array).into_iter().flatten();
        let waiting = list("parked").count();
        let count = side.get("members_count").and_then(Value::as_u64).unwrap_or_default();
        let count = count.saturating_add(u64::try_from(waiting).unwrap_or(u64::MAX));
        let mut named = Vec::new();
        for id in list("members").chain(list("parked")).filter_map(Value::as_str).take(MEMBERS_MAX)
        {
            let name = self.of(id)?.unwrap_or_else(|| id.to_owned());
            named.push(shortened(&name, NAME_CHARS_MAX));
        }
        let rest = count.saturating_sub(u64::try_from(named.len()).unwrap_or(u64::MAX));
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        Ok(Some((count, named.join(", ") + &more)))
    }
}

impl Entry {
    pub(super) fn read(entry: &Value, names: &mut Names<'_>) -> Result<Self, ReadError> {
        let actor = entry.get("actor");
        let of_actor = |key: &str| actor.and_then(|actor| actor.get(key)).and_then(Value::as_str);
        let changes = entry.get("changes").and_then(Value::as_array);
        let all = changes.map_or(&[][..], Vec::as_slice);
        let shown: Result<_, _> =
            all.iter().take(CHANGES_MAX).map(|change| Change::read(change, names)).collect();
        Ok(Self {
            at: text(entry, "at").parse().ok(),
            who: actor_words(of_actor("kind").unwrap_or_default()),
            label: of_actor("label").map(str::to_owned),
            request: entry.get("request").and_then(Value::as_str).map(str::to_owned),
            changes: shown?,
            more: all.len().saturating_sub(CHANGES_MAX),
        })
    }
}

impl Change {
    fn read(change: &Value, names: &mut Names<'_>) -> Result<Self, ReadError> {
        let (object, id) = (text(change, "object"), text(change, "id"));
        let (before, after) = (change.get("before"), change.get("after"));
        let is_whole = |side: &Value| match object {
            "user" | "group" => side.get("id").is_some(),
            "account" => side.get("status").is_some(),
            "settings" | "bindings" => false,
            _ => true,
        };
        let verb = match (before, after) {
            (None, Some(after)) if is_whole(after) => "created",
            (Some(before), None) if is_whole(before) => "removed",
            _ => "changed",
        };
        let called = match object {
            "user" | "account" => names.of(id)?,
            "group" => names.of_group(id)?,
            // Their ids say nothing to anybody, and the link leads to them.
            "hold" | "equipment_list" => Some(String::new()),
            "tenant" => None,
            _ => after.or(before).and_then(own_name),
        };
        let page = match object {
            "user" | "account" if called.is_some() => Some(format!("/accounts/{id}")),
            "group" if called.is_some() => Some(format!("/accounts?group={id}")),
            "hold" => Some(format!("/holds/{id}")),
            _ => None,
        };
        let is_of_members = [before, after]
            .iter()
            .flatten()
            .all(|side| object == "group" && side.get("members_count").is_some());
        let (summary, all) = if is_of_members && (before.is_some() || after.is_some()) {
            let (left, joined) = (names.of_members(before)?, names.of_members(after)?);
            let words = |side: &Option<(u64, String)>, verb: &str| {
                side.as_ref().map(|(count, _)| format!("{count} {verb}"))
            };
            let parts = [words(&joined, "joined"), words(&left, "left")];
            let summary = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            (Some(summary), KeyChange::of_members(joined, left))
        } else {
            (None, KeyChange::all(before, after))
        };
        let more = all.len().saturating_sub(KEYS_MAX);
        Ok(Self {
            verb,
            object: object.replace('_', " "),
            called: called.unwrap_or_else(|| id.to_owned()),
            page,
            summary,
            keys: all.into_iter().take(KEYS_MAX).collect(),
            more,
        })
    }
}

impl KeyChange {
    fn of_members(joined: Option<(u64, String)>, left: Option<(u64, String)>) -> Vec<Self> {
        let joined = joined.map(|(_, names)| Self {
            key: "joined".to_owned(),
            before: None,
            after: Some(names),
        });
        let left = left.map(|(_, names)| Self {
            key: "left".to_owned(),
            before: Some(names),
            after: None,
        });
        joined.into_iter().chain(left).collect()
    }

    fn all(before: Option<&Value>, after: Option<&Value>) -> Vec<Self> {
        let nothing = Map::new();
        let keys = |value: Option<&Value>| match value {
            Some(Value::Object(keys)) => Some(keys.clone()),
            Some(_) => None,
            None => Some(nothing.clone()),
        };
        let (Some(old), Some(new)) = (keys(before), keys(after)) else {
            let (before, after) = (before.map(written), after.map(written));
            return vec![Self { key: String::new(), before, after }];
        };
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        // What people look for first.
        let rank = |name: &str| ["role", "status", "lock"].iter().position(|key| *key == name);
        names.sort_by_key(|name| (rank(name).unwrap_or(usize::MAX), name.as_str()));
        names.dedup();
        let change = |name: &String| Self {
            key: name.clone(),
            before: old.get(name).map(written),
            after: new.get(name).map(written),
        };
        names.into_iter().map(change).collect()
    }
}

/// What a token, a link, a client or a webhook says that it is called.
fn own_name(side: &Value) -> Option<String> {
    let keys = ["label", "url", "name"].map(|key| text(side, key));
    keys.into_iter().find(|name| !name.is_empty()).map(str::to_owned)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A value in one line.
fn written(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    shortened(&text, VALUE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_shown_key_by_key_and_the_role_first() {
        let before = json!({"active": true, "role": "a"});
        let after = json!({"active": false, "role": "b", "why": {"rule": "default"}});
        let keys = KeyChange::all(Some(&before), Some(&after));

        let shown: Vec<(&str, Option<&str>, Option<&str>)> = keys
            .iter()
            .map(|key| (key.key.as_str(), key.before.as_deref(), key.after.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("role", Some("a"), Some("b")),
                ("active", Some("true"), Some("false")),
                ("why", None, Some("{\"rule\":\"default\"}")),
            ]
        );
    }
}
