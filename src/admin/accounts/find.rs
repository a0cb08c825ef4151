//! Finding accounts. There is no index of what an account looks like: rows are looked through,
//! unparsed where their text shows that they are not meant, up to a cost that an answer may have.
//! Members of a group, and accounts that wait for a wave, are found without looking at the others.

use access::{Account, GroupId, Status, UserId};
use actors::shared::Shared;
use jiff::Timestamp;
use store::snapshot::Member;
use store::{Marked, ReadError, Snapshot, Texts};

use super::shown::ShownAccount;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;

/// Accounts read at once.
const PIECE: usize = 512;
/// What one answer may cost; below 100 ms on one core. The unit is a row that is passed over.
const COST_MAX: usize = 60_000;
/// An account that is parsed and not wanted.
const PARSED_COST: usize = 5;
/// One whose groups and marks are looked at besides.
const PENDING_COST: usize = 25;
/// Groups that changed at once, up to which their members are merged.
const CHANGED_GROUPS_MAX: usize = 64;

/// Which accounts are asked for.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) role: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) locked: Option<bool>,
    pub(crate) pending: Option<bool>,
    pub(crate) group: Option<GroupId>,
    /// Folded.
    pub(crate) text: Option<String>,
}

/// What was found.
pub(super) struct Found {
    pub(super) items: Vec<ShownAccount>,
    /// Where to go on, if there may be more.
    pub(super) more_after: Option<UserId>,
    /// How many accounts were looked at.
    pub(super) looked_at: usize,
    /// The feed's last entry that the accounts are at least as new as.
    pub(super) feed: u64,
}

/// Where accounts are looked for.
enum Source {
    /// Among all.
    All(Texts),
    /// Among members of these groups and, if it says so, accounts that were touched themselves.
    Of { groups: Vec<GroupId>, touched: bool },
}

/// Some accounts to look at.
struct Piece {
    accounts: Vec<Account>,
    /// Rows that were looked at for them.
    rows: usize,
    more_after: Option<UserId>,
}

impl Wanted {
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let status = match parameters.get("status") {
            None => None,
            Some("active") => Some(Status::Active),
            Some("disabled") => Some(Status::Disabled),
            Some("deleted") => Some(Status::Deleted),
            Some(_) => {
                return Err(Problem::bad_request("status: expected active, disabled or deleted"));
            }
        };
        Ok(Self {
            role: parameters.get("role").map(str::to_owned),
            status,
            locked: parameters.parse("locked", "true or false")?,
            pending: parameters.parse("pending", "true or false")?,
            group: parameters.parse("group", "the id of a group")?,
            text: parameters.get("q").map(scim::casefold::fold),
        })
    }

    /// Whether an account is wanted, as far as that shows without its groups.
    fn wants(&self, account: &Account, now: Timestamp) -> bool {
        let contains = |text: &str, part: &str| scim::casefold::fold(text).contains(part);
        let names = [
            Some(account.user_name.as_str()),
            Some(account.display_name.as_str()),
            account.email.as_deref(),
            account.external_id.as_deref(),
        ];
        self.role.as_ref().is_none_or(|role| account.role.as_ref() == Some(role))
            && self.status.is_none_or(|status| account.status == status)
            && self.locked.is_none_or(|locked| account.is_locked_at(now) == locked)
            && self
                .text
                .as_ref()
                .is_none_or(|part| names.iter().flatten().any(|name| contains(name, part)))
    }

    /// What the row of a wanted account holds.
    fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        if let Some(role) = &self.role {
            texts = texts.with("role", role);
        }
        if let Some(status) = self.status {
            texts = texts.with("status", status_name(status));
        }
        if self.locked == Some(true) {
            texts = texts.with_object("lock");
        }
        if let Some(text) = &self.text {
            texts = texts.with_folded(text);
        }
        texts
    }

    fn source(&self, shared: &Shared, snapshot: &Snapshot) -> Result<Source, ReadError> {
        if let Some(group) = self.group {
            return Ok(Source::Of { groups: vec![group], touched: false });
        }
        if self.pending == Some(true) {
            let marks = snapshot.marks(shared.key, None, CHANGED_GROUPS_MAX + 2)?;
            let mut groups = Vec::new();
            for (marked, _) in &marks {
                match marked {
                    // Everybody waits.
                    Marked::Tenant => return Ok(Source::All(self.texts())),
                    Marked::Group(group) => groups.push(*group),
                    Marked::User(_) => break,
                }
            }
            if groups.len() <= CHANGED_GROUPS_MAX {
                return Ok(Source::Of { groups, touched: true });
            }
        }
        Ok(Source::All(self.texts()))
    }
}

impl Source {
    fn piece(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        after: Option<UserId>,
        rows_max: usize,
    ) -> Result<Piece, ReadError> {
        let (groups, touched) = match self {
            Self::All(texts) => {
                let limits = (PIECE, rows_max);
                let looked = snapshot.accounts_with(shared.key, after, texts, limits)?;
                let (accounts, rows) = (looked.found, looked.rows);
                return Ok(Piece { accounts, rows, more_after: looked.more_after });
            }
            Self::Of { groups, touched } => (groups, *touched),
        };
        let mut ids: Vec<UserId> = Vec::new();
        for group in groups {
            let after = after.as_ref().map(UserId::as_bytes);
            let members = snapshot.members(shared.key, *group, after, PIECE)?;
            let user = |member: &Member| match member {
                Member::User(user) => *user,
                // No account has this id. It is kept, so that the look goes on after it.
                Member::Group(group) => UserId::from_bytes(*group.as_bytes()),
            };
            ids.extend(members.iter().map(user));
        }
        if touched {
            // Marks of users come after all others.
            let after = Marked::User(after.unwrap_or(UserId::from_bytes([0; 16])));
            let marks = snapshot.marks(shared.key, Some(after), PIECE)?;
            ids.extend(marks.iter().filter_map(|(marked, _)| match marked {
                Marked::User(user) => Some(*user),
                Marked::Group(_) | Marked::Tenant => None,
            }));
        }
        ids.sort_unstable();
        ids.dedup();
        // Beyond a piece, some of the lists may go on in between.
        let more = ids.len() >= PIECE;
        ids.truncate(PIECE);
        let more_after = ids.last().copied().filter(|_| more);
        let mut accounts = Vec::with_capacity(ids.len());
        for id in &ids {
            accounts.extend(snapshot.account(shared.key, *id)?);
        }
        Ok(Piece { accounts, rows: ids.len(), more_after })
    }
}

/// At most `limit` wanted accounts after `after`.
pub(super) fn find(
    shared: &Shared,
    wanted: &Wanted,
    mut after: Option<UserId>,
    limit: usize,
) -> Result<Found, Problem> {
    let snapshot = shared.snapshot()?;
    let feed = snapshot.counts(shared.key)?.feed;
    let now = shared.clock.now();
    let source = wanted.source(shared, &snapshot)?;
    let mut found = Found { items: Vec::new(), more_after: None, looked_at: 0, feed };
    let mut cost: usize = 0;
    loop {
        let rows_max = COST_MAX.saturating_sub(cost).max(PIECE);
        let piece = source.piece(shared, &snapshot, after, rows_max)?;
        cost += piece.rows;
        found.looked_at += piece.rows;
        for account in &piece.accounts {
            cost += PARSED_COST;
            if !wanted.wants(account, now) {
                continue;
            }
            let shown = ShownAccount::read(shared, &snapshot, account)?;
            if wanted.pending.is_some_and(|pending| shown.pending != pending) {
                cost += PENDING_COST;
                if cost >= COST_MAX {
                    found.more_after = Some(account.id);
                    return Ok(found);
                }
                continue;
            }
            if found.items.len() >= limit {
                found.more_after = found.items.last().map(|last| last.id);
                return Ok(found);
            }
            found.items.push(shown);
        }
        let Some(next) = piece.more_after else { return Ok(found) };
        if cost >= COST_MAX {
            found.more_after = Some(next);
            return Ok(found);
        }
        after = Some(next);
    }
}

/// A status as the API and the store call it.
const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Disabled => "disabled",
        Status::Deleted => "deleted",
    }
}
