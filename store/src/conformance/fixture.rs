//! What the promises are checked with: a tenant, and changes of it in a few words.

use access::{Account, GroupId, Rule, Status, TenantId, TokenId, UserId, WaveId, Why};
use jiff::Timestamp;
use serde_json::Value;

use crate::tenant::Token;
use crate::{
    Changeset, CommitError, Committed, Expected, Mark, Marked, MemberChange, NewRecord, Operation,
    Refusal, Snapshot, Store, TenantKey,
};

/// A second of the time that the suite lives in.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

/// The user with this number.
pub fn user(number: u16) -> UserId {
    UserId::from_bytes(id(b'u', number))
}

/// The group with this number.
pub fn group(number: u16) -> GroupId {
    GroupId::from_bytes(id(b'g', number))
}

/// The wave with this number.
pub fn wave(number: u16) -> WaveId {
    WaveId::from_bytes(id(b'w', number))
}

fn id(kind: u8, number: u16) -> [u8; 16] {
    let mut id = [kind; 16];
    id[14..].copy_from_slice(&number.to_be_bytes());
    id
}

/// A token with this number.
pub fn token(number: u16) -> Token {
    Token {
        id: TokenId::from_bytes(id(b't', number)),
        label: format!("token {number}"),
        secret_sha256: [7; 32],
        created_at: at(0),
        expires_at: None,
    }
}

/// A tenant's id.
pub fn tenant_id(id: &str) -> TenantId {
    id.parse().unwrap()
}

/// An account of a user.
pub fn account(id: UserId, status: Status, revision: u64) -> Account {
    let why = Why {
        rule: Rule::Default,
        mapping: None,
        group: None,
        since: at(0),
        wave: None,
        request: None,
    };
    Account {
        id,
        user_name: "somebody".into(),
        external_id: None,
        display_name: String::new(),
        email: None,
        status,
        status_since: at(0),
        role: None,
        lock: None,
        shadow: None,
        why,
        withheld: None,
        fields: std::collections::BTreeMap::new(),
        created_at: at(0),
        revision,
    }
}

/// A resource to keep.
pub fn record(name: &str, external_id: Option<&str>) -> NewRecord {
    let body = format!("{{\"name\":{}}}", Value::from(name)).into_bytes();
    NewRecord { name: name.into(), external_id: external_id.map(Into::into), body }
}

/// Puts a user that is there.
pub fn put_user(number: u16, name: &str, external_id: Option<&str>) -> Operation {
    let expected = Expected::Present;
    Operation::PutUser { id: user(number), expected, record: record(name, external_id) }
}

/// Puts a group that is there.
pub fn put_group(number: u16, name: &str) -> Operation {
    let expected = Expected::Present;
    Operation::PutGroup { id: group(number), expected, record: record(name, None) }
}

/// Makes a group.
pub fn new_group(number: u16, name: &str) -> Operation {
    let expected = Expected::Absent;
    Operation::PutGroup { id: group(number), expected, record: record(name, None) }
}

/// Changes a group's members.
pub fn members(number: u16, changes: Vec<MemberChange>) -> Operation {
    Operation::ChangeMembers { group: group(number), expected: Expected::Present, changes }
}

/// Adds these values to a group.
pub fn add(number: u16, values: &[&str]) -> Operation {
    members(number, vec![MemberChange::Add(texts(values))])
}

/// Removes these values from a group.
pub fn remove(number: u16, values: &[&str]) -> Operation {
    members(number, vec![MemberChange::Remove(texts(values))])
}

/// Values as a request carries them.
pub fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// A user's id as the value of a member.
pub fn value(number: u16) -> String {
    user(number).to_string()
}

/// One tenant of a store.
pub struct Fixture<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The tenant.
    pub tenant: TenantKey,
}

impl<'a> Fixture<'a> {
    /// Makes the tenant `id`.
    pub fn new(store: &'a dyn Store, id: &str) -> Self {
        let create = Operation::CreateTenant {
            id: tenant_id(id),
            name: id.to_uppercase(),
            token: Box::new(token(0)),
        };
        let change = Changeset::new(TenantKey::SERVICE, at(0), None).with(create);
        let committed = store.commit(change).wait_blocking().unwrap();
        Self { store, tenant: committed.tenant.unwrap() }
    }

    /// A change of the tenant that does these things.
    pub fn change(&self, operations: impl IntoIterator<Item = Operation>) -> Changeset {
        self.change_at(1, operations)
    }

    /// The same, at a second of its own.
    pub fn change_at(
        &self,
        second: i64,
        operations: impl IntoIterator<Item = Operation>,
    ) -> Changeset {
        let mut change = Changeset::new(self.tenant, at(second), Some(wave(1)));
        change.operations.extend(operations);
        change
    }

    /// Commits a change and waits.
    pub fn commit(&self, change: Changeset) -> Result<Committed, CommitError> {
        self.store.commit(change).wait_blocking()
    }

    /// Commits changes that are handed in before any is waited for.
    pub fn commit_all(&self, changes: Vec<Changeset>) -> Vec<Result<Committed, CommitError>> {
        let replies: Vec<_> = changes.into_iter().map(|change| self.store.commit(change)).collect();
        replies.into_iter().map(crate::Reply::wait_blocking).collect()
    }

    /// Does these things, which must be taken.
    pub fn apply(&self, operations: impl IntoIterator<Item = Operation>) -> Committed {
        self.commit(self.change(operations)).unwrap()
    }

    /// Tries to do one thing, which must be refused.
    pub fn refused(&self, operation: Operation) -> Refusal {
        match self.commit(self.change([operation])) {
            Err(CommitError::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// A user that is made, with its account.
    pub fn new_user(&self, number: u16, name: &str, external_id: Option<&str>) -> Changeset {
        let id = user(number);
        let record = record(name, external_id);
        self.change([
            Operation::PutUser { id, expected: Expected::Absent, record },
            Operation::PutAccount(Box::new(account(id, Status::Active, 0))),
        ])
    }

    /// Makes users with these names, numbered from 1.
    #[must_use]
    pub fn with_users(self, names: &[&str]) -> Self {
        for (number, name) in (1..).zip(names) {
            self.commit(self.new_user(number, name, None)).unwrap();
        }
        self
    }

    /// Makes groups with these names, numbered from 1.
    #[must_use]
    pub fn with_groups(self, names: &[&str]) -> Self {
        for (number, name) in (1..).zip(names) {
            self.apply([new_group(number, name)]);
        }
        self
    }

    /// Deletes a user; its account stays.
    pub fn delete_user(&self, number: u16) -> Committed {
        let id = user(number);
        let kept = self.snapshot().account(self.tenant, id).unwrap().unwrap();
        self.apply([
            Operation::DeleteUser { id, expected: Expected::Present },
            Operation::PutAccount(Box::new(account(id, Status::Deleted, kept.revision))),
        ])
    }

    /// Deletes a group.
    pub fn delete_group(&self, number: u16) -> Committed {
        self.apply([Operation::DeleteGroup { id: group(number), expected: Expected::Present }])
    }

    /// What is kept now.
    pub fn snapshot(&self) -> Snapshot {
        self.store.snapshot().unwrap()
    }

    /// Who has this userName.
    pub fn user_named(&self, name: &str) -> Option<UserId> {
        self.snapshot().user_by_name(self.tenant, name).unwrap()
    }

    /// A group's revision and member count.
    pub fn group(&self, number: u16) -> (u64, u32) {
        let record = self.snapshot().group(self.tenant, group(number)).unwrap().unwrap();
        (record.revision, record.members)
    }

    /// The users in a group.
    pub fn users_of(&self, number: u16) -> Vec<UserId> {
        let members = self.snapshot().members(self.tenant, group(number), None, 1_000).unwrap();
        let users = members.into_iter().filter_map(|member| match member {
            crate::snapshot::Member::User(user) => Some(user),
            crate::snapshot::Member::Group(_) => None,
        });
        users.collect()
    }

    /// The values that wait in a group.
    pub fn parked(&self, number: u16) -> Vec<String> {
        self.snapshot().parked(self.tenant, group(number), 1_000).unwrap()
    }

    /// A mark.
    pub fn mark(&self, marked: Marked) -> Option<Mark> {
        self.snapshot().mark(self.tenant, marked).unwrap()
    }

    /// Clears a mark, whoever touched it last.
    pub fn clear(&self, marked: Marked) {
        if let Some(mark) = self.mark(marked) {
            self.apply([Operation::ClearMark { marked, generation: mark.generation }]);
        }
    }

    /// The feed, from the start.
    pub fn feed(&self) -> Vec<Value> {
        let mut entries = Vec::new();
        let visit = |entry| {
            entries.push(entry);
            std::ops::ControlFlow::Continue(())
        };
        self.snapshot().feed(self.tenant, 0, visit).unwrap();
        entries
    }

    /// The audit log, from the start.
    pub fn audit(&self) -> Vec<Value> {
        let mut entries = Vec::new();
        let visit = |entry| {
            entries.push(entry);
            std::ops::ControlFlow::Continue(())
        };
        self.snapshot().audit(self.tenant, 0, visit).unwrap();
        entries
    }
}
