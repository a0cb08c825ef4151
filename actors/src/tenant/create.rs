//! Creates: decided against the tenant's configuration, committed in tasks of their own.
//!
//! There is no reservation of names on top of the store's unique index: the index is asked inside
//! the one write transaction, so of many creates of one name exactly one commits.

use std::sync::Arc;

use access::lifecycle::{self, Changed};
use access::projection::Profile;
use access::{Event, EventType, GroupId, UserId};
use ractor::RpcReplyPort;
use scim::resource::{Created, Resource};
use store::{Expected, Marked, MemberChange, NewRecord, Operation, Record, Refusal, Requirement};
use tracing::Instrument;

use crate::error::ChangeError;
use crate::group::values;
use crate::observe::Kind;
use crate::shared::{Shared, WriteGuard, attempt};
use crate::trace;
use crate::user::decide::new_record;

/// Times that a create is decided again because the settings moved.
const ATTEMPTS_MAX: usize = 8;

type Answer = RpcReplyPort<Result<Record, ChangeError>>;

/// A new resource's record, as the store keeps it.
fn first_record(record: &NewRecord, now: jiff::Timestamp) -> Record {
    Record {
        revision: 1,
        created: now,
        modified: now,
        members: 0,
        name: record.name.clone(),
        external_id: record.external_id.clone(),
        body: record.body.clone(),
    }
}

/// Creates a user and its account, beside the actor, which goes on. The task ends with its commit,
/// which has a time limit; there are as many at once as there are permits.
pub(super) fn user(
    shared: &Arc<Shared>,
    id: UserId,
    created: Created,
    write: WriteGuard,
    reply_to: Answer,
) {
    let shared = Arc::clone(shared);
    let span = trace::handling(write.span(), Kind::Tenant, "create_user");
    let creating = async move {
        let outcome = create_user(&shared, id, &created, &write).await;
        drop(write);
        // A requester that timed out does not take its create back.
        let _ = reply_to.send(outcome);
    };
    tokio::spawn(creating.instrument(span));
}

/// Creates a group with its members, and binds the mapping that waits for its name. As [`user`].
pub(super) fn group(
    shared: &Arc<Shared>,
    id: GroupId,
    created: Created,
    write: WriteGuard,
    reply_to: Answer,
) {
    let shared = Arc::clone(shared);
    let span = trace::handling(write.span(), Kind::Tenant, "create_group");
    let creating = async move {
        let outcome = create_group(&shared, id, created, &write).await;
        drop(write);
        let _ = reply_to.send(outcome);
    };
    tokio::spawn(creating.instrument(span));
}

async fn create_user(
    shared: &Shared,
    id: UserId,
    created: &Created,
    write: &WriteGuard,
) -> Result<Record, ChangeError> {
    attempt!(ATTEMPTS_MAX, try_create_user(shared, id, created, write))
}

async fn try_create_user(
    shared: &Shared,
    id: UserId,
    created: &Created,
    write: &WriteGuard,
) -> Result<Result<Record, Refusal>, ChangeError> {
    let active = created.resource.active();
    let config = shared.config();
    let now = shared.clock.now();
    let profile = Profile::of(created.resource.attributes(), &config.fields);
    let moment = write.moment(now);
    let Changed { account, events } =
        lifecycle::create(id, profile, active.unwrap_or(true), &config.rules, moment);
    let record = new_record(&created.resource);
    let kept = first_record(&record, now);
    let mut change = write
        .changeset(now)
        .requiring(Requirement::Settings(config.settings_revision))
        .with(Operation::PutUser { id, expected: Expected::Absent, record })
        .with(Operation::PutAccount(Box::new(account)))
        .with(Operation::Mark(Marked::User(id)))
        .telling(events);
    change.operations.extend(shared.wave_row(now));
    let outcome = shared.wait_or_moved(shared.store.commit(change)).await?;
    Ok(outcome.map(|_| kept))
}

async fn create_group(
    shared: &Shared,
    id: GroupId,
    created: Created,
    write: &WriteGuard,
) -> Result<Record, ChangeError> {
    let Created { resource, members } = created;
    let members = values(members);
    attempt!(ATTEMPTS_MAX, try_create_group(shared, id, &resource, &members, write))
}

async fn try_create_group(
    shared: &Shared,
    id: GroupId,
    resource: &Resource,
    members: &[String],
    write: &WriteGuard,
) -> Result<Result<Record, Refusal>, ChangeError> {
    let now = shared.clock.now();
    let record = new_record(resource);
    let kept = first_record(&record, now);
    let event =
        Event::group(EventType::GroupCreated, id).with("display_name", record.name.as_str());
    let mut change = write
        .changeset(now)
        .with(Operation::PutGroup { id, expected: Expected::Absent, record })
        .telling([event]);
    if !members.is_empty() {
        change = change.with(Operation::ChangeMembers {
            group: id,
            expected: Expected::Present,
            changes: vec![MemberChange::Add(members.to_vec())],
        });
    }
    change.operations.extend(shared.wave_row(now));
    let outcome = shared.wait_or_moved(shared.store.commit(change)).await?;
    Ok(outcome.map(|committed| Record { revision: committed.revision.unwrap_or(1), ..kept }))
}
