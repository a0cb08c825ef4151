//! Reading the report, piece by piece, account by account.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::time::Duration;

use access::equipment::report::{Item, Manager, State, age_days};
use access::{Account, Status, UserId};
use jiff::{SignedDuration, Timestamp};
use scim::casefold::fold;
use scim::schema::ResourceType;
use store::{DocumentKey, Kept, ReadError, Snapshot, TenantKey};

use super::documents::{AssetRow, EquipmentList, Notice};
use super::{NOBODY, held, manager_of, next_holder};
use crate::reporter::Position;
use crate::reporter::rematch::find_all;
use crate::reporter::wave::Range;
use crate::shared::Shared;

/// How long what was returned is shown.
pub const RETURNED_SHOWN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Which items are asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// In this state; none means any.
    pub state: Option<State>,
    /// Of people whose manager has this name, address or id.
    pub manager: Option<String>,
    /// Of accounts whose status is at least so old.
    pub min_age: Option<Duration>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { state: Some(State::Held), manager: None, min_age: None }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    account: UserId,
    /// Items of the account that were given already.
    given: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.account, self.given)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (account, given) = text.split_once('.').ok_or(())?;
        let (account, given) = (account.parse().map_err(drop)?, given.parse().map_err(drop)?);
        Ok(Self { account, given })
    }
}

/// Items of the report, accounts in the order of their ids, after `after`, at most `limit`; and
/// where the next page begins, if there is one.
pub fn read(
    shared: &Shared,
    wanted: &Wanted,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Item>, Option<Place>), ReadError> {
    let Some(reader) = Reader::open(shared)? else { return Ok((Vec::new(), None)) };
    let mut items: Vec<Item> = Vec::new();
    let mut next = match after {
        Some(place) => Some((place.account, place.given)),
        None => reader.next(wanted, NOBODY)?.map(|account| (account, 0)),
    };
    while let Some((account, given)) = next {
        let of_account = reader.items(wanted, account)?;
        let room = limit - items.len();
        let left = of_account.len().saturating_sub(given);
        items.extend(of_account.into_iter().skip(given).take(room));
        if left > room {
            return Ok((items, Some(Place { account, given: given + room })));
        }
        next = reader.next(wanted, account)?.map(|account| (account, 0));
    }
    Ok((items, None))
}

/// Reads the report at one moment.
pub(crate) struct Reader {
    snapshot: Snapshot,
    tenant: TenantKey,
    list: EquipmentList,
    /// What is held by accounts that came or were renamed in the wave that has not settled yet.
    found: BTreeMap<UserId, Vec<AssetRow>>,
    now: Timestamp,
}

impl Reader {
    /// None if there never was a list.
    pub(crate) fn open(shared: &Shared) -> Result<Option<Self>, ReadError> {
        let (snapshot, tenant) = (shared.snapshot()?, shared.key);
        let list: Option<Kept<EquipmentList>> =
            snapshot.document(tenant, &EquipmentList::place())?;
        let Some(Kept { value: list, .. }) = list else { return Ok(None) };
        let position = snapshot.document::<Position>(tenant, &Position::place())?;
        let from = position.map_or(list.feed, |position| position.value.holders_known(&list));
        let mut found: BTreeMap<UserId, Vec<AssetRow>> = BTreeMap::new();
        if list.unmatched > 0 {
            let range = Range::between(&snapshot, tenant, from, u64::MAX)?;
            let rows = find_all(&snapshot, tenant, list.generation, range.touched())?;
            for row in rows {
                found.entry(row.account.unwrap_or(NOBODY)).or_default().push(row);
            }
        }
        Ok(Some(Self { snapshot, tenant, list, found, now: shared.clock.now() }))
    }

    /// The next account after `after` that holds something.
    fn next_holder(&self, after: UserId) -> Result<Option<UserId>, ReadError> {
        let holder = next_holder(&self.snapshot, self.tenant, self.list.generation, after)?;
        let found = self.found.range((Bound::Excluded(after), Bound::Unbounded)).next();
        Ok(holder.into_iter().chain(found.map(|(account, _)| *account)).min())
    }

    /// The next account of which there may be something to show.
    fn next(&self, wanted: &Wanted, after: UserId) -> Result<Option<UserId>, ReadError> {
        if wanted.state == Some(State::Held) {
            return self.next_inactive_holder(after, None);
        }
        let place = DocumentKey::user(after);
        let notices: Vec<Notice> = self.snapshot.documents(self.tenant, Some(&place), 1)?;
        let noticed = notices.first().map(|notice| notice.account);
        if matches!(wanted.state, Some(State::Returned | State::ReEnabled)) {
            // Only who was told of can have returned something.
            return Ok(noticed);
        }
        let holder = self.next_inactive_holder(after, noticed)?;
        Ok(noticed.into_iter().chain(holder).min())
    }

    /// The next account after `after` that holds something and is not active; none if it does not
    /// come before `before`. Most holders are active, and of those who were told of nothing there is
    /// nothing to show: no need to look at what they hold.
    fn next_inactive_holder(
        &self,
        mut after: UserId,
        before: Option<UserId>,
    ) -> Result<Option<UserId>, ReadError> {
        while let Some(holder) = self.next_holder(after)? {
            if before.is_some_and(|before| before <= holder) {
                return Ok(None);
            }
            let status = self.snapshot.account_status(self.tenant, holder)?;
            if status != Some(Status::Active) {
                return Ok(Some(holder));
            }
            after = holder;
        }
        Ok(None)
    }

    /// What there is to show of an account.
    pub(crate) fn items(&self, wanted: &Wanted, id: UserId) -> Result<Vec<Item>, ReadError> {
        let account = self.snapshot.account(self.tenant, id)?;
        let notice = self.snapshot.document::<Notice>(self.tenant, &DocumentKey::user(id))?;
        let notice = notice.map(|notice| notice.value);
        let mut rows = held(&self.snapshot, self.tenant, self.list.generation, id)?;
        rows.extend(self.found.get(&id).into_iter().flatten().cloned());
        let person = Person::new(account.as_ref(), notice.as_ref(), &rows);
        if !self.is_old_enough(wanted, person.since) {
            return Ok(Vec::new());
        }
        let raw = match manager_of(&self.snapshot, self.tenant, id)? {
            Some(manager) => Some(manager),
            None => person.manager.clone(),
        };
        let manager_account = self.manager(raw.as_deref())?;
        if !is_managed_by(wanted, raw.as_deref(), manager_account.as_ref()) {
            return Ok(Vec::new());
        }
        let item = |asset_id: &str, name: &str, state, returned_at| Item {
            asset_id: asset_id.to_owned(),
            name: name.to_owned(),
            account: id,
            user_name: person.user_name.clone(),
            status: person.status,
            since: person.since,
            age_days: person.since.map(|since| age_days(since, self.now)),
            manager: manager_account.as_ref().map(|m| m.user_name.clone()).or_else(|| raw.clone()),
            manager_account: manager_account.clone(),
            state,
            returned_at,
        };
        let told = notice.as_ref().map(|notice| notice.assets.as_slice()).unwrap_or_default();
        let mut items = Vec::new();
        for row in &rows {
            let was_told = || told.iter().any(|asset| asset.asset_id == row.asset_id);
            let state = match person.status {
                Status::Disabled | Status::Deleted => State::Held,
                Status::Active if was_told() => State::ReEnabled,
                Status::Active => continue,
            };
            items.push(item(&row.asset_id, &row.name, state, None));
        }
        let still: HashSet<&str> = rows.iter().map(|row| row.asset_id.as_str()).collect();
        for asset in told.iter().filter(|asset| !still.contains(asset.asset_id.as_str())) {
            let returned_at = asset.returned_at.unwrap_or(self.list.uploaded_at);
            if self.now.duration_since(returned_at) <= RETURNED_SHOWN {
                let returned_at = Some(returned_at);
                items.push(item(&asset.asset_id, &asset.name, State::Returned, returned_at));
            }
        }
        items.retain(|item| wanted.state.is_none_or(|state| item.state == state));
        Ok(items)
    }

    fn is_old_enough(&self, wanted: &Wanted, since: Option<Timestamp>) -> bool {
        let Some(min_age) = wanted.min_age else { return true };
        let min_age = SignedDuration::try_from(min_age).unwrap_or(SignedDuration::MAX);
        since.is_some_and(|since| self.now.duration_since(since) >= min_age)
    }

    fn manager(&self, raw: Option<&str>) -> Result<Option<Manager>, ReadError> {
        let Some(raw) = raw else { return Ok(None) };
        manager_account(&self.snapshot, self.tenant, raw)
    }
}

/// The user of the tenant that a manager's value names, by id or by externalId.
pub(crate) fn manager_account(
    snapshot: &Snapshot,
    tenant: TenantKey,
    raw: &str,
) -> Result<Option<Manager>, ReadError> {
    let mut found: Option<Account> = None;
    if let Ok(id) = raw.parse() {
        found = snapshot.account(tenant, id)?;
    }
    if found.is_none() {
        let named = snapshot.by_external_id(tenant, ResourceType::User, raw, 1)?;
        if let Some(id) = named.first() {
            found = snapshot.account(tenant, UserId::from_bytes(*id))?;
        }
    }
    Ok(found.map(|account| Manager {
        id: account.id,
        user_name: account.user_name,
        display_name: account.display_name,
        email: account.email,
    }))
}

fn is_managed_by(wanted: &Wanted, raw: Option<&str>, manager: Option<&Manager>) -> bool {
    let Some(name) = &wanted.manager else { return true };
    let name = fold(name);
    let id = manager.map(|manager| manager.id.to_string());
    let known = [
        raw,
        id.as_deref(),
        manager.map(|manager| manager.user_name.as_str()),
        manager.and_then(|manager| manager.email.as_deref()),
    ];
    known.into_iter().flatten().any(|known| fold(known) == name)
}

/// Whom an item is about, as far as anybody knows.
struct Person {
    user_name: String,
    status: Status,
    since: Option<Timestamp>,
    manager: Option<String>,
}

impl Person {
    fn new(account: Option<&Account>, notice: Option<&Notice>, rows: &[AssetRow]) -> Self {
        let told = notice.map(|notice| (notice.user_name.clone(), Some(notice.since)));
        let (user_name, status, since) = match (account, told) {
            (Some(account), _) => {
                (account.user_name.clone(), account.status, Some(account.status_since))
            }
            // Forgotten when its time was up; the list still has it.
            (None, Some((user_name, since))) => (user_name, Status::Deleted, since),
            (None, None) => {
                let holder = rows.first().map(|row| row.holder.clone());
                (holder.unwrap_or_default(), Status::Deleted, None)
            }
        };
        let noted = notice.and_then(|notice| notice.manager.clone());
        let manager = noted.or_else(|| rows.iter().find_map(|row| row.manager.clone()));
        Self { user_name, status, since, manager }
    }
}
