//! Documents, and what retention takes away.

use access::{Account, Event, EventType, GroupId, Status, UserId};

use super::{Change, Planned};
use crate::changeset::{Log, Refusal};
use crate::document::{self, Collection, DocumentKey};
use crate::key;
use crate::record;
use crate::table::Table;

impl Change<'_, '_> {
    pub(super) fn check_role(&self, user: UserId, role: &str) -> Planned<()> {
        let payload = self.overlay.get(Table::Accounts, &key::user(self.tenant, user))?;
        let account: Option<Account> =
            payload.as_deref().map(record::decode_account).transpose()?;
        let has_it = account.is_some_and(|account| {
            account.status == Status::Active && account.role.as_deref() == Some(role)
        });
        if has_it { Ok(()) } else { Err(Refusal::RoleMoved.into()) }
    }

    pub(super) fn check_document(
        &self,
        collection: Collection,
        key: &DocumentKey,
        revision: Option<u64>,
    ) -> Planned<()> {
        let row = document::row_key(self.tenant, collection, key);
        let kept = self.overlay.get(Table::Documents, &row)?;
        if kept.as_deref().map(document::revision_of) == revision {
            Ok(())
        } else {
            Err(Refusal::DocumentMoved.into())
        }
    }

    pub(super) fn put_document(
        &mut self,
        collection: Collection,
        key: &DocumentKey,
        json: Vec<u8>,
    ) -> Planned<()> {
        let row = document::row_key(self.tenant, collection, key);
        if collection.is_audited() {
            let before = self.overlay.get(Table::Documents, &row)?;
            self.audit_document(collection, key, before.as_deref(), Some(&json))?;
        }
        self.overlay.put(Table::Documents, row, json);
        Ok(())
    }

    pub(super) fn delete_document(
        &mut self,
        collection: Collection,
        key: &DocumentKey,
    ) -> Planned<()> {
        let row = document::row_key(self.tenant, collection, key);
        if collection.is_audited()
            && let Some(before) = self.overlay.get(Table::Documents, &row)?
        {
            self.audit_document(collection, key, Some(&before), None)?;
        }
        self.overlay.delete(Table::Documents, row);
        Ok(())
    }

    /// Takes back what nobody has appeared for. One that was bound or taken back meanwhile is gone
    /// already.
    pub(super) fn expire_parked(&mut self, group: GroupId, value: &str) -> Planned<()> {
        let parked = key::parked_member(self.tenant, group, value);
        if self.overlay.get(Table::Members, &parked)?.is_none() {
            return Ok(());
        }
        self.delete_parked(group, value);
        let Some(mut record) = self.group_record(group)? else { return Ok(()) };
        record.revision += 1;
        record.modified = self.now;
        let event = Event::group(EventType::GroupMembersChanged, group)
            .with("display_name", record.name.as_str())
            .with("added", Vec::<String>::new())
            .with("removed", Vec::<String>::new())
            .with("added_count", 0)
            .with("removed_count", 0)
            .with("expired", vec![value.to_owned()]);
        self.overlay.put(Table::Groups, key::group(self.tenant, group), record.encode());
        self.audit_members(group, &[], &[], &[], &[value.to_owned()]);
        self.tell(&event)
    }

    /// Forgets the account of a user that is gone. Any other stays.
    pub(super) fn forget_account(&mut self, user: UserId) -> Planned<()> {
        let row = key::user(self.tenant, user);
        let Some(payload) = self.overlay.get(Table::Accounts, &row)? else { return Ok(()) };
        if record::decode_account(&payload)?.status == Status::Deleted {
            self.audit_forgotten_account(user, &payload)?;
            self.overlay.delete(Table::Accounts, row);
        }
        Ok(())
    }

    pub(super) fn trim(&mut self, log: Log, last: u64, rows_max: usize) -> Planned<()> {
        let (table, trimmed, newest) = match log {
            Log::Feed => (Table::Feed, self.counters.feed_trimmed, self.counters.feed),
            Log::Audit => (Table::Audit, self.counters.audit_trimmed, self.counters.audit),
        };
        let last = last.min(newest);
        let upto = last.min(trimmed.saturating_add(u64::try_from(rows_max).unwrap_or(u64::MAX)));
        if log == Log::Audit && upto > trimmed {
            // The oldest entry that stays continues it.
            let row = self.overlay.get(Table::Audit, &key::audit(self.tenant, upto))?;
            let hash = row.as_deref().and_then(<[u8]>::first_chunk).copied();
            self.counters.audit_trimmed_hash = hash.unwrap_or_default();
        }
        for number in trimmed + 1..=upto {
            let row = match log {
                Log::Feed => key::feed(self.tenant, number),
                Log::Audit => key::audit(self.tenant, number),
            };
            self.overlay.delete(table, row);
        }
        if upto > trimmed {
            match log {
                Log::Feed => self.counters.feed_trimmed = upto,
                Log::Audit => self.counters.audit_trimmed = upto,
            }
        }
        self.committed.more_to_purge = upto < last;
        Ok(())
    }
}
