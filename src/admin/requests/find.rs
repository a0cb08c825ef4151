//! Finding requests in the record: blocks that cannot hold what is wanted are passed over.

use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Duration;

use access::exchange::{Exchange, Recorded, name_hash};
use access::wave::later;
use access::{GroupId, RequestId, UserId, WaveId};
use jiff::Timestamp;
use scim::schema::ResourceType;
use store::requests::{BlockId, PackedFacts};
use store::{ReadError, Snapshot, TenantKey};

use super::RecordPlace;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;

/// Requests, and blocks, that are looked at before an answer is given.
const REQUESTS_LOOKED_AT_MAX: usize = 20_000;
const BLOCKS_LOOKED_AT_MAX: usize = 5_000;
/// How much later than its request a block can have been made, at most, unless the disk failed: the
/// longest that an answer may take, and the time that it is held.
const WRITTEN_WITHIN: Duration = Duration::from_mins(3);
/// How far the clocks that ids and blocks are made by may differ.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(5);
/// Resources of one externalId that are looked for.
const SAME_EXTERNAL_ID_MAX: usize = 8;

/// Which requests are wanted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wanted {
    name: Option<String>,
    wave: Option<WaveId>,
    method: Option<String>,
    status: Option<Statuses>,
    errors: bool,
}

/// Some statuses: all from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statuses(u16, u16);

impl FromStr for Statuses {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        let (first, last) = if let Some(class) = class {
            let class: u16 = class.parse().map_err(drop)?;
            (class.saturating_mul(100), class.saturating_mul(100).saturating_add(99))
        } else {
            let status = text.parse().map_err(drop)?;
            (status, status)
        };
        if (100..600).contains(&first) { Ok(Self(first, last)) } else { Err(()) }
    }
}

impl Wanted {
    /// What a query asks for; an empty value asks for nothing, but for a wave.
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let given =
            |name: &str| parameters.get(name).map(str::trim).filter(|text| !text.is_empty());
        let status = parsed("status", given("status"), "a status such as 409 or 4xx")?;
        // No form leaves it blank: a wave is asked for by a link.
        let wave = parsed("wave", parameters.get("wave"), "the id of a wave")?;
        let errors = parsed("errors", given("errors"), "true or false")?.unwrap_or(false);
        let method = given("method").map(str::to_ascii_uppercase);
        Ok(Self { name: given("q").map(str::to_owned), wave, method, status, errors })
    }

    /// Those of a wave.
    pub(super) fn of_wave(wave: WaveId) -> Self {
        Self { wave: Some(wave), ..Self::default() }
    }

    pub(super) fn wants(&self, facts: &Exchange<'_>, names: &[u64]) -> bool {
        self.wave.is_none_or(|wave| facts.wave == Some(wave))
            && self.method.as_ref().is_none_or(|method| *method == facts.method)
            && self.status.is_none_or(|Statuses(first, last)| {
                facts.status.is_some_and(|status| (first..=last).contains(&status))
            })
            && (!self.errors || facts.is_error())
            && (self.name.is_none() || facts.has_one_of(names))
    }

    /// Hashes of which a block must have one; none if any block may do.
    pub(super) fn needs(&self, names: &[u64]) -> Vec<u64> {
        match (&self.name, self.wave) {
            (Some(_), _) => names.to_vec(),
            (None, Some(wave)) => vec![name_hash(&wave.to_string())],
            (None, None) => Vec::new(),
        }
    }
}

fn parsed<T: FromStr>(
    name: &str,
    text: Option<&str>,
    expected: &str,
) -> Result<Option<T>, Problem> {
    let refused = || Problem::bad_request(format!("{name}: expected {expected}"));
    text.map(|text| text.parse().map_err(|_| refused())).transpose()
}

/// All that a name may stand for: itself, and what a user or group that it names is called.
fn names(snapshot: &Snapshot, tenant: TenantKey, name: &str) -> Result<Vec<u64>, ReadError> {
    let mut hashes = vec![name_hash(name)];
    let mut users: Vec<UserId> = name.parse().ok().into_iter().collect();
    users.extend(snapshot.user_by_name(tenant, name)?);
    let mut groups: Vec<GroupId> = name.parse().ok().into_iter().collect();
    groups.extend(snapshot.group_by_name(tenant, name)?);
    let called =
        |resource_type| snapshot.by_external_id(tenant, resource_type, name, SAME_EXTERNAL_ID_MAX);
    users.extend(called(ResourceType::User)?.into_iter().map(UserId::from_bytes));
    groups.extend(called(ResourceType::Group)?.into_iter().map(GroupId::from_bytes));
    let users = users.into_iter().map(|id| (id.to_string(), snapshot.user(tenant, id)));
    let groups = groups.into_iter().map(|id| (id.to_string(), snapshot.group(tenant, id)));
    for (id, record) in users.chain(groups) {
        let record = record?;
        let other = record.iter().flat_map(|record| {
            std::iter::once(record.name.as_str()).chain(record.external_id.as_deref())
        });
        hashes.extend(std::iter::once(id.as_str()).chain(other).map(name_hash));
    }
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes)
}

/// What is wanted, newest first, and where to go on.
pub(super) fn newest(
    snapshot: &Snapshot,
    tenant: TenantKey,
    wanted: &Wanted,
    before: Option<RecordPlace>,
    limit: usize,
) -> Result<(Vec<Exchange<'static>>, Option<RecordPlace>), ReadError> {
    let names = wanted.name.as_deref().map(|name| names(snapshot, tenant, name)).transpose()?;
    let names = names.unwrap_or_default();
    let needs = wanted.needs(&names);
    let (mut found, mut next) = (Vec::new(), None);
    let (mut requests, mut blocks) = (0, 0);
    snapshot.requests_reversed(tenant, before.map(|place| place.block), |block, facts| {
        blocks += 1;
        if blocks > BLOCKS_LOOKED_AT_MAX {
            next = Some(RecordPlace { block, index: usize::MAX });
            return Ok(ControlFlow::Break(()));
        }
        if !may_have_one(&facts, &needs) {
            return Ok(ControlFlow::Continue(()));
        }
        let end =
            before.filter(|place| place.block == block).map_or(usize::MAX, |place| place.index);
        for (index, exchange) in facts.unpack()?.exchanges.into_iter().enumerate().rev() {
            if index >= end {
                continue;
            }
            if found.len() >= limit || requests >= REQUESTS_LOOKED_AT_MAX {
                next = Some(RecordPlace { block, index: index + 1 });
                return Ok(ControlFlow::Break(()));
            }
            requests += 1;
            if wanted.wants(&exchange, &names) {
                found.push(exchange);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, next))
}

fn may_have_one(facts: &PackedFacts<'_>, needs: &[u64]) -> bool {
    needs.is_empty() || needs.iter().any(|name| facts.may_have(*name))
}

/// One request. It is looked for where its id says that it came, and then everywhere.
pub(super) fn one(
    snapshot: &Snapshot,
    tenant: TenantKey,
    id: RequestId,
) -> Result<Option<Recorded<'static>>, ReadError> {
    let name = name_hash(&id.to_string());
    let came_at = BlockId::from_bytes(*id.as_bytes()).made_at();
    let (from, until) = (earlier(came_at), later(came_at, WRITTEN_WITHIN));
    let mut block = None;
    snapshot.requests(tenant, Some(BlockId::first_at(from)), |at, facts| {
        if facts.may_have(name) {
            block = Some(at);
        }
        let go_on = block.is_none() && at.made_at() <= until;
        Ok(if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    if block.is_none() {
        snapshot.requests_reversed(tenant, None, |at, facts| {
            if facts.may_have(name) {
                block = Some(at);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let Some(block) = block else { return Ok(None) };
    let records = whole_block(snapshot, tenant, block)?;
    Ok(records.into_iter().find(|record| record.facts.id == id))
}

/// The exchanges of a block, with their bodies.
pub(super) fn whole_block(
    snapshot: &Snapshot,
    tenant: TenantKey,
    block: BlockId,
) -> Result<Vec<Recorded<'static>>, ReadError> {
    let mut facts = None;
    snapshot.requests(tenant, Some(block), |at, packed| {
        if at == block {
            facts = Some(packed.unpack()?);
        }
        Ok(ControlFlow::Break(()))
    })?;
    let bodies = snapshot.request_bodies(tenant, block)?;
    facts.zip(bodies).map_or_else(|| Ok(Vec::new()), |(facts, bodies)| facts.with_bodies(&bodies))
}

/// The first block behind `after` that may hold requests of a wave which came from `from` to
/// `until`; none if there is none.
pub(super) fn next_of_wave(
    snapshot: &Snapshot,
    tenant: TenantKey,
    wave: WaveId,
    (from, until): (Timestamp, Timestamp),
    after: Option<BlockId>,
) -> Result<Option<BlockId>, ReadError> {
    let name = name_hash(&wave.to_string());
    let start = after.unwrap_or_else(|| BlockId::first_at(earlier(from)));
    let (mut found, until) = (None, later(until, WRITTEN_WITHIN));
    snapshot.requests(tenant, Some(start), |block, facts| {
        if Some(block) == after {
            return Ok(ControlFlow::Continue(()));
        }
        if facts.may_have(name) {
            found = Some(block);
        }
        let go_on = found.is_none() && block.made_at() <= until;
        Ok(if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

fn earlier(at: Timestamp) -> Timestamp {
    at.checked_sub(CLOCKS_DIFFER_BY).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_or_a_hundred() {
        assert_eq!("409".parse(), Ok(Statuses(409, 409)));
        assert_eq!("4xx".parse(), Ok(Statuses(400, 499)));
        for bad in ["", "xx", "x", "6xx", "0", "4x", "-1", "99999"] {
            assert!(bad.parse::<Statuses>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_what_is_empty_asks_for_nothing() {
        let read = |query: &str| Wanted::read(&Parameters::read(Some(query)));
        for bad in ["status=x", "wave=x", "wave=", "errors=maybe"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let all = read("q=&status=&errors=&method=").unwrap();
        assert!(all.name.is_none() && all.status.is_none() && all.method.is_none());
    }
}
