//! A tenant at a glance: what the list of all of them shows. It must stay cheap: there may be a
//! thousand.

use access::cadence::{Cadence, Rhythm};
use access::mapping_check::Severity;
use access::wave::Wave;
use actors::Tenant;
use store::ReadError;

use super::{Health, Looking, Status, checks};

/// Marks that are counted: more than that is "many".
const PENDING_COUNTED_MAX: usize = 200;

/// A tenant at a glance.
#[derive(Debug, Clone)]
pub(crate) struct Glance {
    /// The last wave, or the one that goes on.
    pub(crate) last_wave: Option<Wave>,
    /// How it keeps its rhythm.
    pub(crate) cadence: Cadence,
    /// Users and groups that are waiting for a reconciliation, of those that were counted.
    pub(crate) pending: usize,
    /// Whether there are more than were counted.
    pub(crate) more_pending: bool,
    /// Users that the directory pushed.
    pub(crate) users: u64,
    /// Groups that the directory pushed.
    pub(crate) groups: u64,
    /// Mass changes that wait.
    pub(crate) holds: usize,
    /// Tokens and clients that are about to expire, or have: the fewest days.
    pub(crate) token_days: Option<u16>,
    /// What somebody should look at, the worst first, in a few words each.
    pub(crate) concerns: Vec<&'static str>,
    /// How bad it is: the more, the worse.
    pub(crate) rank: u32,
}

/// Looks at a tenant.
pub(crate) fn glance(tenant: &Tenant) -> Result<Glance, ReadError> {
    let shared = tenant.shared();
    let snapshot = shared.snapshot()?;
    let looking = Looking { shared, snapshot: &snapshot, now: shared.clock.now() };
    let mut health = Health::unknown(shared, &snapshot)?;
    let expiring = checks::expiring_tokens(&looking, &mut health)?;
    checks::open_holds(&looking, &mut health)?;
    let webhooks = checks::failing_webhooks(&looking, &mut health)?;
    let refused = shared.known(&snapshot)?.refused;
    let sent = shared.sent_names(&snapshot)?;
    let mapping = access::mapping_check::check(&sent, &shared.config().settings);
    let marks = snapshot.marks(shared.key, None, PENDING_COUNTED_MAX + 1)?;
    let counts = snapshot.counts(shared.key)?;
    let kept = snapshot.waves(shared.key, None, 1)?.pop();
    let last_wave = shared.live_waves().into_iter().chain(kept).max_by_key(|wave| wave.id);
    let errors = last_wave.as_ref().is_some_and(|wave| wave.errors > 0);
    let is_new = health.cadence.last_heard_at.is_none();
    let is_overdue = health.cadence.state == Rhythm::Overdue;
    let all = [
        (refused.expired > 0, 64, "its token has expired"),
        (is_overdue, 32, "silent for too long"),
        (!health.holds.is_empty(), 16, "a mass change waits"),
        (mapping.worst == Some(Severity::Must), 12, "an attribute is missing"),
        (refused.unauthorized > 0 && refused.expired == 0, 10, "a wrong token was used"),
        (expiring == Status::Attention, 8, "a token is about to expire"),
        (webhooks == Status::Attention, 6, "a webhook fails"),
        (errors, 4, "errors in the last wave"),
        (is_new, 1, "not connected yet"),
    ];
    let concerns = all.iter().filter(|(is_so, ..)| *is_so);
    Ok(Glance {
        rank: concerns.clone().map(|(_, weight, _)| weight).sum(),
        concerns: concerns.map(|(.., words)| *words).collect(),
        last_wave,
        cadence: health.cadence,
        pending: marks.len().min(PENDING_COUNTED_MAX),
        more_pending: marks.len() > PENDING_COUNTED_MAX,
        users: counts.users,
        groups: counts.groups,
        holds: health.holds.len(),
        token_days: health.tokens_expiring.iter().map(|token| token.days).min(),
    })
}
