//! What a request makes of a user. No clock, and of the store no more than the account, which is
//! read where the request can change it.

use access::lifecycle::{self, Changed, Moment};
use access::projection::Profile;
use access::{Account, Event, Status};
use scim::patch::Patch;
use scim::resource::{Replacement, Resource};
use scim::schema::ResourceType;
use scim::stored::{AttributeNames, Revised, Stored};
use serde_json::{Map, Value};
use store::{NewRecord, Record};

use crate::config::ActiveConfig;
use crate::error::ChangeError;

/// A user as committed.
pub(crate) struct UserState<'a> {
    pub(crate) record: &'a Record,
    /// Reads the account, where the change may be one of it.
    pub(crate) account: &'a dyn Fn() -> Result<Account, ChangeError>,
}

/// What becomes of the user; nothing where it is so already: then nothing is written, and its
/// version stays (RFC 7644 section 3.5.2).
pub(crate) struct Next {
    /// What to keep of the resource.
    pub(crate) record: NewRecord,
    /// What becomes of the account, if it changes.
    pub(crate) account: Option<Account>,
    /// What is told of that.
    pub(crate) events: Vec<Event>,
}

pub(crate) fn patch(
    state: &UserState<'_>,
    patch: &Patch,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, ChangeError> {
    let shown = AttributeNames::of([ACTIVE]).and(config.fields.reads());
    let stored = Stored::read(ResourceType::User, &state.record.body)
        .map_err(|_| ChangeError::unreadable())?;
    if patch.touched().meets(&shown) {
        let Some(revised) = stored.revise(patch, &shown)? else { return Ok(None) };
        return next(state, &revised.excerpt, revised.body, config, moment).map(Some);
    }
    // Name and external id are shown, too: they stay what they are.
    let (name, external_id) = (state.record.name.clone(), state.record.external_id.clone());
    let revised = stored.revise(patch, &AttributeNames::of([]))?;
    Ok(revised.map(|Revised { body, .. }| Next {
        record: NewRecord { name, external_id, body },
        account: None,
        events: Vec::new(),
    }))
}

pub(crate) fn replace(
    state: &UserState<'_>,
    replacement: &Replacement,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, ChangeError> {
    let attributes =
        serde_json::from_slice(&state.record.body).map_err(|_| ChangeError::unreadable())?;
    let before = Resource::from_stored(ResourceType::User, attributes);
    let (resource, _) = replacement.apply(&before)?;
    if resource == before {
        return Ok(None);
    }
    next(state, resource.attributes(), resource.to_bytes(), config, moment).map(Some)
}

const ACTIVE: &str = "active";

/// What becomes of a user with these attributes: `active`, and those that a profile is made of.
fn next(
    state: &UserState<'_>,
    attributes: &Map<String, Value>,
    body: Vec<u8>,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Next, ChangeError> {
    let account = (state.account)()?;
    // Taking `active` away says nothing about it: a disabled user stays disabled.
    let stays = account.status == Status::Active;
    let active = attributes.get(ACTIVE).and_then(Value::as_bool).unwrap_or(stays);
    let profile = Profile::of(attributes, &config.fields);
    let record = NewRecord {
        name: profile.user_name.clone(),
        external_id: profile.external_id.clone(),
        body,
    };
    let Changed { account: next, events } =
        lifecycle::update(&account, profile, active, &config.rules, moment);
    Ok(Next { record, account: (next != account).then_some(next), events })
}

/// What is kept of a new user, or of a group.
pub(crate) fn new_record(resource: &Resource) -> NewRecord {
    let name = match resource.resource_type() {
        ResourceType::User => resource.user_name(),
        ResourceType::Group => resource.display_name(),
    };
    NewRecord {
        name: name.unwrap_or_default().to_owned(),
        external_id: resource.external_id().map(str::to_owned),
        body: resource.to_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use access::settings::Settings;
    use access::{Bindings, UserId};
    use jiff::Timestamp;
    use scim::urn::ENTERPRISE_USER;
    use serde_json::json;
    use store::tenant::Config;

    use super::*;

    const MOMENT: Moment = Moment { now: Timestamp::UNIX_EPOCH, wave: None, request: None };

    /// Department and telephone are mapped.
    fn config() -> ActiveConfig {
        let mut settings = Settings::default();
        settings.field_mappings.insert("phone".into(), "phoneNumbers.value".into());
        let (revision, bindings) = (1, Bindings::default());
        let (settings_revision, group_names) = (revision, revision);
        Config { revision, settings_revision, group_names, settings, bindings }.into()
    }

    /// A user, and her account.
    fn ada(config: &ActiveConfig, active: bool) -> (Record, Account) {
        let id = UserId::from_bytes([1; 16]);
        let body = json!({
            "userName": "ada", "externalId": "7", "displayName": "Ada", "title": "Mate",
            "active": active, "name": {"givenName": "Ada"}, "emails": [{"value": "ada@x"}],
            "phoneNumbers": [{"type": "work", "value": "1"}],
            (ENTERPRISE_USER): {"department": "Deck"},
        });
        let user = scim::resource::create(ResourceType::User, &id.to_string(), body).unwrap();
        let NewRecord { name, external_id, body } = new_record(&user.resource);
        let profile = Profile::of(user.resource.attributes(), &config.fields);
        let account = lifecycle::create(id, profile, active, &config.rules, MOMENT).account;
        let (created, modified) = (MOMENT.now, MOMENT.now);
        (Record { revision: 1, created, modified, members: 0, name, external_id, body }, account)
    }

    /// An account is read only for a change of what it shows; and it never shows anything else than
    /// the whole user would give.
    #[test]
    fn an_account_follows_its_user_and_is_left_alone_by_all_else() {
        let department = format!("{ENTERPRISE_USER}:department");
        for (change, is_shown) in [
            (json!({"path": "title", "value": "Captain"}), false),
            (json!({"path": "addresses[type eq \"work\"].locality", "value": "Bristol"}), false),
            (json!({"value": {"title": "Captain", "nickName": "A"}}), false),
            (json!({"path": "active", "value": "True"}), true),
            (json!({"path": "userName", "value": "ada.lovelace"}), true),
            (json!({"path": "externalId", "value": "8"}), true),
            (json!({"path": "displayName", "value": ""}), true),
            (json!({"path": "name.givenName", "value": "Augusta"}), true),
            (json!({"path": "emails[type eq \"work\"].value", "value": "work@x"}), true),
            (json!({"path": "phoneNumbers", "value": [{"value": "2"}]}), true),
            (json!({"path": department, "value": "Engine"}), true),
            (json!({"value": {"title": "Captain", "active": true}}), true),
            (json!({"path": "urn:example:badge:number", "value": "9"}), true),
        ] {
            let mut operation = change.clone();
            operation["op"] = "replace".into();
            let body = json!({"Operations": [operation]});
            let compiled = Patch::compile(ResourceType::User, body).unwrap();
            let config = config();
            let (record, account) = ada(&config, false);
            let was_read = Cell::new(false);
            let read = || {
                was_read.set(true);
                Ok(account.clone())
            };
            let state = UserState { record: &record, account: &read };

            let next = patch(&state, &compiled, &config, MOMENT).unwrap().unwrap();

            assert_eq!(was_read.get(), is_shown, "{change}");
            let after = next.account.unwrap_or(account);
            let attributes: Map<String, Value> = serde_json::from_slice(&next.record.body).unwrap();
            let shown = Profile {
                user_name: after.user_name,
                external_id: after.external_id,
                display_name: after.display_name,
                email: after.email,
                fields: after.fields,
            };
            assert_eq!(shown, Profile::of(&attributes, &config.fields), "{change}");
            let is_active = after.status == Status::Active;
            assert_eq!(attributes.get(ACTIVE), Some(&json!(is_active)), "{change}");
            assert_eq!(next.record.name, shown.user_name, "{change}");
            assert_eq!(next.record.external_id, shown.external_id, "{change}");
        }
    }

    #[test]
    fn a_user_is_disabled_in_whatever_form_the_directory_says_it() {
        let core = format!("{}:active", scim::urn::USER);
        for change in [
            json!({"op": "Replace", "path": "active", "value": "False"}),
            json!({"op": "replace", "path": "ACTIVE", "value": false}),
            json!({"op": "add", "path": core, "value": [false]}),
            json!({"op": "replace", "value": {"title": "Captain", "active": "false"}}),
            json!({"op": "replace", "value": {(scim::urn::USER): {"active": false}}}),
        ] {
            let body = json!({"Operations": [change]});
            let compiled = Patch::compile(ResourceType::User, body).unwrap();
            let config = config();
            let (record, account) = ada(&config, true);
            let read = || Ok(account.clone());
            let state = UserState { record: &record, account: &read };

            let next = patch(&state, &compiled, &config, MOMENT).unwrap().unwrap();

            assert_eq!(next.account.unwrap().status, Status::Disabled, "{change}");
            assert_eq!(next.events.len(), 1, "{change}");
            assert_eq!(next.events[0].kind, access::EventType::AccountDisabled, "{change}");
        }
    }
}
