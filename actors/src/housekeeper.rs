//! The housekeeper: takes away what has been kept long enough, and warns of what will end.
//!
//! It goes its round soon after its start, when settings changed, and every hour after that. The
//! work goes in pieces, one message each, with a fresh snapshot for each and one small transaction,
//! so that nothing waits for it: it takes old entries out of the feed and the audit log, forgets
//! old waves and the accounts of users who were deleted long ago, takes memberships back that
//! nobody has appeared for, warns of tokens that are about to expire, and deletes access tokens
//! that have. It also writes down, every minute, when tokens were last used, and, ten seconds
//! after it came, what came.
//!
//! A chore that fails is left to the next round, and does not keep the others from being done.

mod chores;
mod tokens;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;

use self::chores::Chore;
use crate::shared::Shared;
use crate::{token_uses, traffic};

/// From start to the first round: at least, and so much more at random, so that tenants that are
/// opened together do not all start at once.
const FIRST_ROUND_AFTER: Duration = Duration::from_secs(5);
const FIRST_ROUND_JITTER: Duration = Duration::from_secs(50);
/// From round to round, likewise.
const ROUND_EVERY: Duration = Duration::from_mins(55);
const ROUND_JITTER: Duration = Duration::from_mins(10);
/// How often uses of tokens are written.
const USES_WRITTEN_EVERY: Duration = Duration::from_mins(1);
/// How long after something came it is written, with what comes meanwhile.
const TRAFFIC_WRITTEN_AFTER: Duration = Duration::from_secs(10);
/// How long a membership waits for its user.
pub const PARKED_FOR: Duration = Duration::from_hours(30 * 24);

/// What a housekeeper can be told.
#[derive(Debug)]
pub(crate) enum HousekeeperMessage {
    /// Go a round. Sent by its own timer, and when settings changed.
    GoRound,
    /// Do the next piece of the round.
    Step,
    /// Write down when tokens were last used. Sent by its own timer.
    WriteUses,
    /// Something came, and nothing before it waits to be written.
    TrafficCame,
    /// Write down what came. Sent by its own timer.
    WriteTraffic,
}

/// Memberships that were taken back since the service started because nobody appeared for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredParked {
    /// How many.
    pub count: u64,
    /// When the last one was.
    pub last_at: Timestamp,
}

/// The actor; see the module.
pub(crate) struct HousekeeperActor;

/// What it knows between messages. Nothing is lost with it.
pub(crate) struct HousekeeperState {
    shared: Arc<Shared>,
    /// What is left of the round.
    chores: VecDeque<Chore>,
    /// Whether a `Step` is on its way.
    stepping: bool,
    /// Whether a `WriteTraffic` is on its way. More than one never are, however long the disk
    /// refuses.
    writing_soon: bool,
    /// The timer of the next round.
    next_round: Option<AbortHandle>,
}

impl Actor for HousekeeperActor {
    type Msg = HousekeeperMessage;
    type State = HousekeeperState;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<HousekeeperMessage>,
        shared: Arc<Shared>,
    ) -> Result<HousekeeperState, ActorProcessingErr> {
        let mut state = HousekeeperState {
            shared,
            chores: VecDeque::new(),
            stepping: false,
            writing_soon: false,
            next_round: None,
        };
        state.go_round_in(&myself, FIRST_ROUND_AFTER, FIRST_ROUND_JITTER);
        myself.send_interval(USES_WRITTEN_EVERY, || HousekeeperMessage::WriteUses);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<HousekeeperMessage>,
        message: HousekeeperMessage,
        state: &mut HousekeeperState,
    ) -> Result<(), ActorProcessingErr> {
        state.shared.housekeeper_observed.begin(state.shared.clock.now());
        match message {
            HousekeeperMessage::GoRound => {
                // One that is under way begins anew: settings may be others.
                state.chores = Chore::all();
                state.go_round_in(&myself, ROUND_EVERY, ROUND_JITTER);
            }
            HousekeeperMessage::Step => {
                state.stepping = false;
                state.step().await;
            }
            HousekeeperMessage::WriteUses => {
                if let Err(error) = token_uses::write(&state.shared, false).await {
                    let tenant = &state.shared.id;
                    tracing::warn!(tenant.id = %tenant, %error, "uses of tokens were not written");
                }
            }
            HousekeeperMessage::TrafficCame => state.write_soon(&myself),
            HousekeeperMessage::WriteTraffic => {
                state.writing_soon = false;
                if let Err(error) = traffic::write(&state.shared, false).await {
                    // Or else what comes next would wait for the next round.
                    state.write_soon(&myself);
                    let tenant = &state.shared.id;
                    tracing::warn!(tenant.id = %tenant, %error, "counts of traffic were not written");
                }
            }
        }
        if !state.chores.is_empty() && !state.stepping {
            state.stepping = myself.cast(HousekeeperMessage::Step).is_ok();
        }
        state.shared.housekeeper_observed.end();
        Ok(())
    }
}

impl HousekeeperState {
    /// Does the next piece.
    async fn step(&mut self) {
        let Some(mut chore) = self.chores.pop_front() else { return };
        match chore.step(&self.shared).await {
            Ok(true) => self.chores.push_front(chore),
            Ok(false) => {}
            Err(error) => {
                let (tenant, chore) = (&self.shared.id, chore.name());
                tracing::warn!(tenant.id = %tenant, chore, %error, "a chore is left to the next round");
            }
        }
    }

    fn write_soon(&mut self, myself: &ActorRef<HousekeeperMessage>) {
        if !std::mem::replace(&mut self.writing_soon, true) {
            myself.send_after(TRAFFIC_WRITTEN_AFTER, || HousekeeperMessage::WriteTraffic);
        }
    }

    fn go_round_in(
        &mut self,
        myself: &ActorRef<HousekeeperMessage>,
        least: Duration,
        jitter: Duration,
    ) {
        let mut bytes = [0; 4];
        // Without randomness all go at the earliest moment, which is still right.
        let share = getrandom::fill(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes));
        let wait = least + jitter.mul_f64(f64::from(share) / f64::from(u32::MAX));
        let timer = myself.send_after(wait, || HousekeeperMessage::GoRound).abort_handle();
        if let Some(before) = self.next_round.replace(timer) {
            before.abort();
        }
    }
}
