//! The group actor: one per group in use, and the only writer of that group.
//!
//! A change of members is a delta that the store resolves inside its transaction, so the actor
//! hands it in and takes the next message while the disk works: five hundred additions to one
//! group share a few commits instead of waiting for five hundred. Order is kept, since the store
//! applies changes in the order they are handed in. A change of attributes, or one that depends
//! on who is a member, is decided against the committed group and waits for its commit.

use std::sync::Arc;

use access::{Event, EventType, GroupId, UserId};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use scim::patch::{MembershipOperation, Patch};
use scim::resource::{Member as ScimMember, Replacement, Resource};
use scim::schema::ResourceType;
use serde_json::{Map, Value, json};
use store::snapshot::Member;
use store::{Expected, MemberChange, Operation, Record, Refusal, Snapshot};
use tracing::{Instrument, Span};

use crate::error::ChangeError;
use crate::observe::{Kind, Observed};
use crate::shared::{Shared, WriteGuard, attempt};
use crate::trace;
use crate::user::decide::new_record;
use crate::version::{self, Precondition};

/// Times that a change is decided again; changes of members may overtake it.
const ATTEMPTS_MAX: usize = 16;

/// What a group actor can be told. All reply with the group's revision.
#[derive(Debug)]
pub(crate) enum GroupMessage {
    /// Apply a PATCH request.
    Patch {
        /// The compiled request.
        patch: Patch,
        /// What it demands of the version.
        precondition: Precondition,
        /// The request; tells the wave and the author.
        write: WriteGuard,
        /// Gets the revision.
        reply_to: RpcReplyPort<Result<u64, ChangeError>>,
    },
    /// Apply a PUT request.
    Replace {
        /// The request's body.
        body: Value,
        /// What it demands of the version.
        precondition: Precondition,
        /// The request; tells the wave and the author.
        write: WriteGuard,
        /// Gets the revision.
        reply_to: RpcReplyPort<Result<u64, ChangeError>>,
    },
    /// Delete the group.
    Delete {
        /// What the request demands of the version.
        precondition: Precondition,
        /// The request; tells the wave and the author.
        write: WriteGuard,
        /// Gets the last revision.
        reply_to: RpcReplyPort<Result<u64, ChangeError>>,
    },
}

impl GroupMessage {
    /// The span in which it is worked on.
    fn span(&self) -> Span {
        let (write, operation) = match self {
            Self::Patch { write, .. } => (write, "patch"),
            Self::Replace { write, .. } => (write, "replace"),
            Self::Delete { write, .. } => (write, "delete"),
        };
        trace::handling(write.span(), Kind::Group, operation)
    }

    /// Whether its requester went away before its turn came; as for a user.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Patch { reply_to, .. }
            | Self::Replace { reply_to, .. }
            | Self::Delete { reply_to, .. } => reply_to.is_closed(),
        }
    }
}

/// What a group actor is started with.
pub(crate) struct GroupArguments {
    pub(crate) id: GroupId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) observed: Arc<Observed>,
}

/// The actor; see the module.
pub(crate) struct GroupActor;

/// What a request makes of a group.
struct Next {
    resource: Resource,
    members: Vec<MemberChange>,
    /// Whether `members` was derived from who is a member now.
    depends_on_members: bool,
}

impl Actor for GroupActor {
    type Msg = GroupMessage;
    type State = GroupArguments;
    type Arguments = GroupArguments;

    async fn pre_start(
        &self,
        _: ActorRef<GroupMessage>,
        arguments: GroupArguments,
    ) -> Result<GroupArguments, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn handle(
        &self,
        _: ActorRef<GroupMessage>,
        message: GroupMessage,
        group: &mut GroupArguments,
    ) -> Result<(), ActorProcessingErr> {
        group.observed.begin(group.shared.clock.now());
        if message.is_abandoned() {
            group.observed.end();
            return Ok(());
        }
        let span = message.span();
        group.handle(message).instrument(span).await;
        group.observed.end();
        Ok(())
    }
}

impl GroupArguments {
    async fn handle(&self, message: GroupMessage) {
        // A requester that timed out does not take its change back, hence the ignored sends.
        match message {
            GroupMessage::Patch { patch, precondition, write, reply_to } => {
                match self.hand_in_members(&patch, &precondition, &write) {
                    Ok(Some(reply)) => {
                        let shared = Arc::clone(&self.shared);
                        // Ends with the commit's answer, which has a time limit; as many at once
                        // as there are permits.
                        let committing = async move {
                            let committed = shared.wait_for(reply).await;
                            drop(write);
                            let _ = reply_to
                                .send(committed.map(|done| done.revision.unwrap_or_default()));
                        };
                        tokio::spawn(committing.in_current_span());
                    }
                    Ok(None) => {
                        let decide = |current: &Resource, snapshot: &Snapshot| {
                            self.patched(&patch, current, snapshot)
                        };
                        let _ = reply_to.send(self.change(&precondition, &write, decide).await);
                    }
                    Err(error) => {
                        let _ = reply_to.send(Err(error));
                    }
                }
            }
            GroupMessage::Replace { body, precondition, write, reply_to } => {
                // Read once, however often it is decided; and who is not there is told that first.
                let read = Replacement::read(ResourceType::Group, &self.id.to_string(), body);
                let decide = |current: &Resource, _: &Snapshot| {
                    let replacement = read.as_ref().map_err(Clone::clone)?;
                    let (resource, members) = replacement.apply(current)?;
                    let members = members.map(|members| MemberChange::Replace(values(members)));
                    let members = members.into_iter().collect();
                    Ok(Next { resource, members, depends_on_members: false })
                };
                let _ = reply_to.send(self.change(&precondition, &write, decide).await);
            }
            GroupMessage::Delete { precondition, write, reply_to } => {
                let _ = reply_to.send(self.delete(&precondition, &write).await);
            }
        }
    }

    /// Hands in a PATCH that only adds, removes or replaces members by value. Answers none if it
    /// does more than that.
    fn hand_in_members(
        &self,
        patch: &Patch,
        precondition: &Precondition,
        write: &WriteGuard,
    ) -> Result<Option<store::Reply>, ChangeError> {
        if precondition.is_some() {
            return Ok(None);
        }
        let snapshot = self.shared.snapshot()?;
        let (_, current) = self.load(&snapshot)?;
        let next = self.patched(patch, &current, &snapshot)?;
        drop(snapshot);
        if next.resource != current || next.depends_on_members || next.members.is_empty() {
            return Ok(None);
        }
        let now = self.shared.clock.now();
        let mut change = write.changeset(now).with(Operation::ChangeMembers {
            group: self.id,
            expected: Expected::Present,
            changes: next.members,
        });
        change.operations.extend(self.shared.wave_row(now));
        Ok(Some(self.shared.store.commit(change)))
    }

    /// Decides and commits a change by the directory.
    async fn change(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
        decide: impl Fn(&Resource, &Snapshot) -> Result<Next, ChangeError>,
    ) -> Result<u64, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_change(precondition, write, &decide))
    }

    async fn try_change(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
        decide: &impl Fn(&Resource, &Snapshot) -> Result<Next, ChangeError>,
    ) -> Result<Result<u64, Refusal>, ChangeError> {
        let snapshot = self.shared.snapshot()?;
        let (record, current) = self.load(&snapshot)?;
        check_version(&record, precondition)?;
        let Next { resource, members, .. } = decide(&current, &snapshot)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let mut change = write.changeset(now);
        let mut expected = Expected::Revision(record.revision);
        if resource != current {
            let new = new_record(&resource);
            let event = Event::group(EventType::GroupUpdated, self.id)
                .with("display_name", new.name.as_str());
            change = change
                .with(Operation::PutGroup { id: self.id, expected, record: new })
                .telling([event]);
            // The members follow in the same transaction, at the next revision.
            expected = Expected::Present;
        }
        if !members.is_empty() {
            let changes = members;
            change = change.with(Operation::ChangeMembers { group: self.id, expected, changes });
        }
        if change.operations.is_empty() {
            return Ok(Ok(record.revision));
        }
        change.operations.extend(self.shared.wave_row(now));
        let outcome = self.shared.wait_or_moved(self.shared.store.commit(change)).await?;
        Ok(outcome.map(|committed| committed.revision.unwrap_or(record.revision)))
    }

    async fn delete(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
    ) -> Result<u64, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_delete(precondition, write))
    }

    async fn try_delete(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
    ) -> Result<Result<u64, Refusal>, ChangeError> {
        let snapshot = self.shared.snapshot()?;
        let (record, _) = self.load(&snapshot)?;
        check_version(&record, precondition)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let event = Event::group(EventType::GroupDeleted, self.id)
            .with("display_name", record.name.as_str());
        let expected = match precondition {
            Precondition::OneOf(_) => Expected::Revision(record.revision),
            Precondition::None | Precondition::Exists => Expected::Present,
        };
        let mut change = write
            .changeset(now)
            .with(Operation::DeleteGroup { id: self.id, expected })
            .telling([event]);
        change.operations.extend(self.shared.wave_row(now));
        let outcome = self.shared.wait_or_moved(self.shared.store.commit(change)).await?;
        Ok(outcome.map(|_| record.revision))
    }

    fn patched(
        &self,
        patch: &Patch,
        current: &Resource,
        snapshot: &Snapshot,
    ) -> Result<Next, ChangeError> {
        let patched = patch.apply(current)?;
        let mut depends_on_members = false;
        let mut members = Vec::with_capacity(patched.members.len());
        for operation in patched.members {
            members.push(match operation {
                MembershipOperation::Add(values) => MemberChange::Add(values),
                MembershipOperation::Remove(values) => MemberChange::Remove(values),
                MembershipOperation::Replace(values) => MemberChange::Replace(values),
                MembershipOperation::RemoveAll => MemberChange::RemoveAll,
                MembershipOperation::RemoveWhere(filter) => {
                    depends_on_members = true;
                    let all = snapshot.members(self.shared.key, self.id, None, usize::MAX)?;
                    let elements = all.into_iter().map(element);
                    let matching = elements.filter(|element| filter.matches_element(element));
                    MemberChange::Remove(matching.filter_map(value).collect())
                }
            });
        }
        Ok(Next { resource: patched.resource, members, depends_on_members })
    }

    fn load(&self, snapshot: &Snapshot) -> Result<(Record, Resource), ChangeError> {
        let record = snapshot.group(self.shared.key, self.id)?.ok_or(ChangeError::NotFound)?;
        let attributes: Map<String, Value> =
            serde_json::from_slice(&record.body).map_err(|_| ChangeError::unreadable())?;
        Ok((record, Resource::from_stored(ResourceType::Group, attributes)))
    }
}

fn check_version(record: &Record, precondition: &Precondition) -> Result<(), ChangeError> {
    if precondition.accepts(&version::of_group(record.revision)) {
        Ok(())
    } else {
        Err(ChangeError::VersionMismatch)
    }
}

pub(crate) fn values(members: Vec<ScimMember>) -> Vec<String> {
    members.into_iter().map(|member| member.value).collect()
}

/// A member as a filter sees it.
fn element(member: Member) -> Map<String, Value> {
    let (value, kind) = match member {
        Member::User(user) => (user.to_string(), "User"),
        Member::Group(group) => (group.to_string(), "Group"),
    };
    Map::from_iter([("value".to_owned(), json!(value)), ("type".to_owned(), json!(kind))])
}

fn value(mut element: Map<String, Value>) -> Option<String> {
    match element.remove("value") {
        Some(Value::String(value)) => Some(value),
        _ => None,
    }
}

/// The id that a new group was made with.
pub(crate) fn id_of(resource: &Resource) -> Option<GroupId> {
    resource.id().parse().ok()
}

/// The id that a new user was made with.
pub(crate) fn user_id_of(resource: &Resource) -> Option<UserId> {
    resource.id().parse().ok()
}
