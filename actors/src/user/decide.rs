//! What a request makes of a user: pure, no store, no clock.

use access::lifecycle::{self, Changed, Moment};
use access::projection::Profile;
use access::{Account, Status};
use scim::error::Error;
use scim::patch::Patch;
use scim::resource::{Replacement, Resource};
use scim::schema::ResourceType;
use serde_json::{Map, Value};
use store::{NewRecord, Record};

use crate::config::ActiveConfig;

/// A user as committed.
pub(crate) struct UserState {
    pub(crate) record: Record,
    pub(crate) resource: Resource,
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

impl UserState {
    /// None if the record's body cannot be read.
    pub(crate) fn new(record: Record, account: Account) -> Option<Self> {
        let attributes: Map<String, Value> = serde_json::from_slice(&record.body).ok()?;
        let resource = Resource::from_stored(ResourceType::User, attributes);
        Some(Self { record, resource, account })
    }
}

pub(crate) fn patch(
    state: &UserState,
    patch: &Patch,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, Error> {
    let patched = patch.apply(&state.resource)?;
    Ok(next(state, &patched.resource, config, moment))
}

pub(crate) fn replace(
    state: &UserState,
    replacement: &Replacement,
    config: &ActiveConfig,
    moment: Moment,
) -> Result<Option<Next>, Error> {
    let (resource, _) = replacement.apply(&state.resource)?;
    Ok(next(state, &resource, config, moment))
}

fn next(
    state: &UserState,
    resource: &Resource,
    config: &ActiveConfig,
    moment: Moment,
) -> Option<Next> {
    if *resource == state.resource {
        return None;
    }
    // Taking `active` away says nothing about it: a disabled user stays disabled.
    let stays = state.account.status == Status::Active;
    let active = resource.active().unwrap_or(stays);
    let profile = Profile::of(resource, &config.fields);
    let changed = lifecycle::update(&state.account, profile, active, &config.rules, moment);
    Some(Next { record: new_record(resource), changed })
}

/// What is kept of a user.
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
