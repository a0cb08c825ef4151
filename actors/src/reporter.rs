//! The reporter: tells of equipment that disabled and deleted accounts still hold.
//!
//! Woken when a wave has settled, when a list or the settings were replaced, and by its own timer,
//! it looks at its position in the store and does what is due, a piece at a time:
//!
//! - it follows the feed from one settled wave to the next and tells `equipment.unreturned` of
//!   each account that was disabled or deleted meanwhile and holds something ([`wave`]);
//! - at the scheduled times it does so for all such accounts ([`reminder`]), and once where
//!   retention has taken what it had not read ([`catch_up`], [`unread`]);
//! - it sends the e-mails that these have left in its position ([`post`]);
//! - it removes rows of former lists, finds holders who have appeared since, and notes what was
//!   returned ([`tidy`], [`rematch`]).
//!
//! Each piece is one transaction of events, notices and the new position, which demands that
//! position and list are still those that were read: nothing is told twice, and nothing is lost
//! by a crash. An e-mail may come twice, after a crash between sending and noting it.

mod catch_up;
mod post;
pub(crate) mod rematch;
mod reminder;
mod tell;
mod tidy;
pub(crate) mod unread;
pub(crate) mod wave;

use std::sync::Arc;
use std::time::Duration;

use access::UserId;
use access::wave::later;
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};
use store::{
    Changeset, Collection, Document, DocumentKey, Kept, Operation, ReadError, Requirement,
};
use tokio::task::AbortHandle;

use self::post::PendingMail;
use self::wave::Range;
use crate::equipment::documents::EquipmentList;
use crate::error::ChangeError;
use crate::mail::MailError;
use crate::shared::Shared;

/// How long the reporter rests after a failure, at first and at most.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_mins(1);
/// The longest timer: scheduled times beyond it are looked for again then.
const TIMER_MAX: Duration = Duration::from_hours(24);

/// What a reporter can be told.
#[derive(Debug)]
pub enum ReporterMessage {
    /// Take up what an earlier life left.
    Start,
    /// A wave has settled and is reconciled.
    WaveSettled,
    /// A list was uploaded, or could not be.
    ListReplaced,
    /// The settings were changed.
    SettingsChanged,
    /// A mail was sent, or not.
    Mailed {
        /// Which one.
        id: u64,
        /// What came of it, for each who was to get it.
        outcomes: Vec<Result<(), MailError>>,
    },
    /// Look at the clock. Sent by its own timer, of this arming.
    Tick(u64),
    /// Do the next piece.
    Step,
}

/// How far the reporter has come; what a crash must not lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Everything up to this entry of the feed was looked at.
    feed: u64,
    /// The list whose holders were looked for in all of the feed up to there.
    generation: u64,
    /// Where it is in the wave after that, if not at its beginning.
    wave: Option<InWave>,
    /// Where it is in a reminder.
    reminder: Option<InReminder>,
    /// The schedule that the next time is computed for.
    schedule: Option<String>,
    /// The next scheduled time is the first one after this.
    schedule_from: Timestamp,
    /// What is to be mailed.
    mails: Vec<PendingMail>,
    /// Where it is among all holders, after it has missed a part of the feed up to that end.
    #[serde(default)]
    catching_up: Option<InWave>,
}

/// A wave of which some accounts were told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InWave {
    /// The wave's end in the feed.
    until: u64,
    /// The last account that was looked at.
    after: UserId,
    /// Those that were told of, for the mail.
    told: Vec<UserId>,
    told_count: u64,
}

/// A reminder of which some accounts were told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InReminder {
    /// When it was due.
    due: Timestamp,
    /// The last account that was looked at.
    after: UserId,
    told_count: u64,
}

impl Position {
    pub(crate) fn place() -> DocumentKey {
        DocumentKey::text("reporter")
    }

    /// Holders of this list were looked for in all of the feed up to this entry.
    pub(crate) fn holders_known(&self, list: &EquipmentList) -> u64 {
        if self.generation == list.generation { self.feed } else { self.feed.min(list.feed) }
    }

    fn new(list: &EquipmentList, now: Timestamp) -> Self {
        Self {
            feed: list.feed,
            generation: list.generation,
            wave: None,
            reminder: None,
            schedule: None,
            schedule_from: now,
            mails: Vec::new(),
            catching_up: None,
        }
    }
}

impl Document for Position {
    const COLLECTION: Collection = Collection::ReporterPositions;

    fn key(&self) -> DocumentKey {
        Self::place()
    }
}

/// The position and the list as they were read together.
struct Desk {
    position: Position,
    /// None: there was no position yet.
    revision: Option<u64>,
    list: Kept<EquipmentList>,
    now: Timestamp,
}

impl Desk {
    /// None if there never was a list: then there is nothing to do.
    fn open(shared: &Shared) -> Result<Option<Self>, ReadError> {
        let (snapshot, now) = (shared.snapshot()?, shared.clock.now());
        let list = snapshot.document::<EquipmentList>(shared.key, &EquipmentList::place())?;
        let Some(list) = list else { return Ok(None) };
        let kept = snapshot.document::<Position>(shared.key, &Position::place())?;
        let revision = kept.as_ref().map(|kept| kept.revision);
        let position = kept.map_or_else(|| Position::new(&list.value, now), |kept| kept.value);
        Ok(Some(Self { position, revision, list, now }))
    }

    /// A change that is refused if the list is another by now.
    fn change_of_list(&self, shared: &Shared) -> Changeset {
        Changeset::new(shared.key, self.now, None).requiring(Requirement::Document {
            collection: EquipmentList::COLLECTION,
            key: EquipmentList::place(),
            revision: Some(self.list.revision),
        })
    }

    /// A change that makes this the position, and is refused if somebody else has moved it or the
    /// list.
    fn move_to(&self, shared: &Shared, position: &Position) -> Result<Changeset, ReadError> {
        let change = self.change_of_list(shared).requiring(Requirement::Document {
            collection: Position::COLLECTION,
            key: Position::place(),
            revision: self.revision,
        });
        Ok(change.with(Operation::put(position)?))
    }
}

/// The actor; see the module.
pub(crate) struct ReporterActor;

/// What it knows between messages. All of it can be made anew from the store.
pub(crate) struct ReporterState {
    shared: Arc<Shared>,
    /// Whether rows and notices are to be looked through.
    tidy: tidy::Progress,
    /// Whether the feed may have another settled wave.
    feed_grown: bool,
    /// The wave that is being told of, as read from the feed.
    range: Option<Arc<Range>>,
    /// The mail that is being sent.
    sending: Option<post::Sending>,
    /// What came of the last one, until it is noted.
    mailed: Option<(u64, Vec<Result<(), MailError>>)>,
    /// Whether a `Step` is on its way.
    stepping: bool,
    /// How long to rest after the next failure.
    rest: Duration,
    /// When there is something to do again.
    wake_at: Option<Timestamp>,
    timer: Option<(u64, Timestamp, AbortHandle)>,
    armings: u64,
}

impl Actor for ReporterActor {
    type Msg = ReporterMessage;
    type State = ReporterState;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        _: ActorRef<ReporterMessage>,
        shared: Arc<Shared>,
    ) -> Result<ReporterState, ActorProcessingErr> {
        Ok(ReporterState {
            shared,
            tidy: tidy::Progress::Done,
            feed_grown: false,
            range: None,
            sending: None,
            mailed: None,
            stepping: false,
            rest: REST_MIN,
            wake_at: None,
            timer: None,
            armings: 0,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ReporterMessage>,
        message: ReporterMessage,
        state: &mut ReporterState,
    ) -> Result<(), ActorProcessingErr> {
        state.shared.reporter_observed.begin(state.shared.clock.now());
        let mut look = true;
        match message {
            ReporterMessage::Start => {
                state.tidy = tidy::Progress::begun();
                state.feed_grown = true;
            }
            ReporterMessage::WaveSettled => state.feed_grown = true,
            ReporterMessage::ListReplaced => state.tidy = tidy::Progress::begun(),
            ReporterMessage::SettingsChanged => {}
            ReporterMessage::Mailed { id, outcomes } => state.mailed = Some((id, outcomes)),
            ReporterMessage::Tick(arming) => {
                // A late tick of a timer that was replaced has nothing to say.
                look = state.timer.take_if(|(armed, ..)| *armed == arming).is_some();
            }
            ReporterMessage::Step => state.stepping = false,
        }
        if look && !state.stepping {
            state.work(&myself).await;
        }
        state.arm(&myself);
        state.shared.reporter_observed.end();
        Ok(())
    }
}

impl ReporterState {
    /// Does a piece, and sees to the next one.
    async fn work(&mut self, myself: &ActorRef<ReporterMessage>) {
        match self.step(myself).await {
            Ok(more) => {
                self.rest = REST_MIN;
                if more {
                    self.stepping = myself.cast(ReporterMessage::Step).is_ok();
                }
            }
            // The tenant was deleted: there is nothing to do any more.
            Err(ChangeError::NotFound) => self.wake_at = None,
            Err(error) => {
                tracing::warn!(tenant.id = %self.shared.id, %error, "a report is put off");
                self.range = None;
                self.wake_at = Some(later(self.shared.clock.now(), self.rest));
                self.rest = (self.rest * 2).min(REST_MAX);
            }
        }
    }

    /// Does what is most urgent. Answers whether there is more to do at once.
    async fn step(&mut self, myself: &ActorRef<ReporterMessage>) -> Result<bool, ChangeError> {
        self.wake_at = None;
        let Some(desk) = Desk::open(&self.shared)? else {
            // An upload that did not get to its end may have left rows all the same.
            self.feed_grown = false;
            return self.tidy.step(&self.shared, 0).await;
        };
        if desk.revision.is_none() {
            // Once for each tenant. The wave that is open now is told of when it has settled.
            let until = desk.list.value.feed;
            let settled = read(&self.shared, move |shared| {
                Range::last_settled(&shared.snapshot()?, shared.key, until)
            });
            let position = Position { feed: settled.await?, ..desk.position.clone() };
            let change = desk.move_to(&self.shared, &position)?;
            self.shared.commit(change).await?;
            return Ok(true);
        }
        if self.note_mailed(&desk).await? {
            return Ok(true);
        }
        if self.catch_up(&desk).await? {
            return Ok(true);
        }
        if desk.position.generation != desk.list.value.generation {
            self.look_for_holders(&desk).await?;
            return Ok(true);
        }
        if self.feed_grown {
            self.feed_grown = self.follow_feed(&desk).await?;
            return Ok(true);
        }
        if self.remind(&desk).await? {
            return Ok(true);
        }
        if !self.tidy.is_done() {
            return self.tidy.step(&self.shared, desk.list.value.generation).await;
        }
        self.send_mail(&desk, myself).await
    }

    /// There is something to do at this time, if not before.
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
    }

    /// Sets the timer to the next moment that matters.
    fn arm(&mut self, myself: &ActorRef<ReporterMessage>) {
        let Some(at) = self.wake_at.filter(|_| !self.stepping) else { return };
        if self.timer.as_ref().is_some_and(|(_, armed, _)| *armed <= at) {
            return;
        }
        self.armings += 1;
        let arming = self.armings;
        let wait = at.duration_since(self.shared.clock.now());
        let wait = Duration::try_from(wait).unwrap_or_default();
        let wait = wait.clamp(Duration::from_millis(1), TIMER_MAX);
        let task = myself.send_after(wait, move || ReporterMessage::Tick(arming));
        if let Some((_, _, late)) = self.timer.replace((arming, at, task.abort_handle())) {
            late.abort();
        }
    }
}

/// Reads from the store where it holds nobody up.
async fn read<T: Send + 'static>(
    shared: &Arc<Shared>,
    reading: impl FnOnce(&Shared) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ChangeError> {
    let shared = Arc::clone(shared);
    let read = tokio::task::spawn_blocking(move || reading(&shared)).await;
    Ok(read.map_err(|_| ChangeError::unavailable("a report could not be read"))??)
}
