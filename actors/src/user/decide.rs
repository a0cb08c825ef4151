//! What a request makes of a user: pure, no store, no clock.

use access::lifecycle::{self, Changed, Moment};
use access::projection::Profile;
use access::{Account, Status};
use scim::patch::Patch;
use scim::resource::{Replacement, Resource};
use scim::schema::ResourceType;
use scim::stored::{AttributeNames, Stored};
use serde_json::{Map, Value};
use store::{NewRecord, Record};

use crate::config::ActiveConfig;
use crate::error::ChangeError;

/// A user as committed.
pub(crate) struct UserState {
    pub(crate) record: Record,
    pub(crate) account: Account,
}

/// What becomes of the user; nothing where it is so already: then nothing is written, and its
/// version stays (RFC 7644 section 3.5.2).
pub(crate) struct Next {
    /// What to keep of the resource.
    pub(crate) record: NewRecord,
    /// What becomes of the account.
    pub(crate) changed: Changed,
}

pub(crate) fn patch(
    state: &UserState,
    patch: &Patch,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, ChangeError> {
    let wanted = AttributeNames::of([ACTIVE]).and(config.fields.reads());
    let stored = Stored::read(ResourceType::User, &state.record.body)
        .map_err(|_| ChangeError::unreadable())?;
    let revised = stored.revise(patch, &wanted)?;
    Ok(revised.map(|revised| next(state, &revised.excerpt, revised.body, config, moment)))
}

pub(crate) fn replace(
    state: &UserState,
    replacement: &Replacement,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, ChangeError> {
    let attributes =
        serde_json::from_slice(&state.record.body).map_err(|_| ChangeError::unreadable())?;
    let before = Resource::from_stored(ResourceType::User, attributes);
    let (resource, _) = replacement.apply(&before)?;
    let is_changed = resource != before;
    let next = || next(state, resource.attributes(), resource.to_bytes(), config, moment);
    Ok(is_changed.then(next))
}

const ACTIVE: &str = "active";

/// What becomes of a user with these attributes: `active`, and those that a profile is made of.
fn next(
    state: &UserState,
    attributes: &Map<String, Value>,
    body: Vec<u8>,
    config: &ActiveConfig,
    moment: Moment,
) -> Next {
    // Taking `active` away says nothing about it: a disabled user stays disabled.
    let stays = state.account.status == Status::Active;
    let active = attributes.get(ACTIVE).and_then(Value::as_bool).unwrap_or(stays);
    let profile = Profile::of(attributes, &config.fields);
    let record = NewRecord {
        name: profile.user_name.clone(),
        external_id: profile.external_id.clone(),
        body,
    };
    let changed = lifecycle::update(&state.account, profile, active, &config.rules, moment);
    Next { record, changed }
}

/// What is kept of a new user or group.
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
