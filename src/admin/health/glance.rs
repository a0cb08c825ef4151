//! A tenant at a glance: what the list of all of them shows. It must stay cheap: there may be a
//! thousand.

use access::cadence::{Cadence, Rhythm};
use access::mapping_check::Severity;
use access::wave::Wave;
use actors::Tenant;
use actors::shared::Shared;
use store::{ReadError, Snapshot};

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
    /// What somebody should look at, the worst first.
    pub(crate) concerns: Vec<Concern>,
    /// How bad it is: the more, the worse.
    pub(crate) rank: u32,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The directory comes with a token that has expired.
    TokenExpired,
    /// The directory is silent for too long.
    Overdue,
    /// A mass change waits for an operator.
    MassChange,
    /// An attribute that access depends on is not sent.
    AttributeMissing,
    /// Somebody came with a token that is none.
    WrongToken,
    /// A token or a client is about to expire.
    TokenExpires,
    /// A webhook takes nothing, or is disabled.
    WebhookFails,
    /// Requests of the last wave were refused.
    Errors,
    /// The directory was never heard.
    NotConnected,
}

impl Concern {
    /// How bad it is: the more, the worse.
    pub(crate) const fn weight(self) -> u32 {
        match self {
            Self::TokenExpired => 64,
            Self::Overdue => 32,
            Self::MassChange => 16,
            Self::AttributeMissing => 12,
            Self::WrongToken => 10,
            Self::TokenExpires => 8,
            Self::WebhookFails => 6,
            Self::Errors => 4,
            Self::NotConnected => 1,
        }
    }

    /// It in a few words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::TokenExpired => "its token has expired",
            Self::Overdue => "silent for too long",
            Self::MassChange => "a mass change waits",
            Self::AttributeMissing => "an attribute is missing",
            Self::WrongToken => "a wrong token was used",
            Self::TokenExpires => "a token is about to expire",
            Self::WebhookFails => "a webhook fails",
            Self::Errors => "errors in the last wave",
            Self::NotConnected => "not connected yet",
        }
    }
}

/// The last wave, or the one that goes on.
pub(crate) fn last_wave(shared: &Shared, snapshot: &Snapshot) -> Result<Option<Wave>, ReadError> {
    let kept = snapshot.waves(shared.key, None, 1)?.pop();
    Ok(shared.live_waves().into_iter().chain(kept).max_by_key(|wave| wave.id))
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
    let last_wave = last_wave(shared, &snapshot)?;
    let errors = last_wave.as_ref().is_some_and(|wave| wave.errors > 0);
    let is_new = health.cadence.last_heard_at.is_none();
    let is_overdue = health.cadence.state == Rhythm::Overdue;
    let all = [
        (refused.expired > 0, Concern::TokenExpired),
        (is_overdue, Concern::Overdue),
        (!health.holds.is_empty(), Concern::MassChange),
        (mapping.worst == Some(Severity::Must), Concern::AttributeMissing),
        (refused.unauthorized > 0 && refused.expired == 0, Concern::WrongToken),
        (expiring == Status::Attention, Concern::TokenExpires),
        (webhooks == Status::Attention, Concern::WebhookFails),
        (errors, Concern::Errors),
        (is_new, Concern::NotConnected),
    ];
    let concerns: Vec<Concern> =
        all.into_iter().filter_map(|(is_so, concern)| is_so.then_some(concern)).collect();
    Ok(Glance {
        rank: concerns.iter().map(|concern| concern.weight()).sum(),
        concerns,
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
