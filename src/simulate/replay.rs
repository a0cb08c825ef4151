//! Replay: a recorded wave is sent again, to a tenant that has nothing to lose.
//!
//! Requests about one user or group keep the order in which they were recorded; others go side by
//! side. Ids that the first service gave are put in place of those that this one gives: a create
//! tells both. As load, a recording is sent in several copies at once, each with names and ids of
//! its own. What came back is compared with what was recorded, by status alone.
//!
//! What is read of a recording is in [`recording`], what is changed in a request in [`rewrite`], and
//! who waits for whom in [`plan`]. Not here: what a wave means; it is sent as it stands.

mod plan;
mod recording;
mod rewrite;
mod told;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::plan::{Plan, Planned};
pub use self::recording::{LeftOut, RecordingError};
use self::rewrite::Copy;
use super::address::{encoded, look_up, segment};
use super::client::{Client, Request, SendError};
use super::list::{List, text};
use super::measure::{Measure, milliseconds};
use super::operation::Operation;
use super::report::{ErrorReport, OperationReport, Second};
use super::watch::{Cycle, Watch};

/// Copies of a recording, at most.
pub const COPIES_MAX: usize = 1_000;
/// Differing answers that are told in words.
const EXAMPLES_MAX: usize = 10;

/// How fast a recording is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as it goes.
    Max,
}

/// A text that is no speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"max\", or how many times as fast as recorded, such as 1 or 0.5")]
pub struct InvalidSpeed;

impl FromStr for Speed {
    type Err = InvalidSpeed;

    fn from_str(text: &str) -> Result<Self, InvalidSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times: f64 = text.parse().map_err(|_| InvalidSpeed)?;
        if (0.001..=1_000_000.0).contains(&times) {
            Ok(Self::Times(times))
        } else {
            Err(InvalidSpeed)
        }
    }
}

impl Speed {
    /// When something is due that was recorded so long after the beginning.
    fn due(self, offset: Duration) -> Duration {
        match self {
            Self::Times(times) => offset.div_f64(times),
            Self::Max => Duration::ZERO,
        }
    }
}

/// What is sent again, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Recordings, in the order in which they were made.
    pub recordings: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// Copies that are sent side by side, from 1 to [`COPIES_MAX`].
    pub copies: usize,
    /// Requests of each copy that are under way at the same time, at most.
    pub concurrency: usize,
}

/// What a replay found. Times are milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// Requests of the recordings that were sent again, in each copy.
    pub recorded: usize,
    /// Copies.
    pub copies: usize,
    /// What was not sent.
    pub left_out: LeftOut,
    /// Requests that were sent, tries again included.
    pub requests: u64,
    /// Requests that were tried again.
    pub retries: u64,
    /// Answers that were compared with what was recorded.
    pub compared: u64,
    /// Answers with another status than recorded.
    pub differing: u64,
    /// These by status: recorded, received, how many.
    pub by_status: Vec<(u16, u16, u64)>,
    /// The first ten, in words.
    pub first_differing: Vec<String>,
    /// Requests that were not sent, because what they are about was not made this time.
    pub skipped: u64,
    /// Requests without an answer that counts.
    pub unanswered: u64,
    /// How long all of it took.
    pub duration_ms: f64,
    /// Latencies by operation.
    pub operations: Vec<OperationReport>,
    /// Answers that were no success, by kind; not those that were recorded so.
    pub errors: Vec<ErrorReport>,
    /// What went on, second by second.
    pub timeline: Vec<Second>,
}

impl Replayed {
    /// Whether everything was answered as recorded.
    pub const fn is_same(&self) -> bool {
        self.differing == 0 && self.skipped == 0 && self.unanswered == 0
    }
}

/// Sends recordings again. The client notes its answers in `measure` and tells `watch` of them.
pub async fn run(
    options: &Options,
    client: Arc<Client>,
    measure: &Measure,
    watch: &Arc<dyn Watch>,
) -> Result<Replayed, RecordingError> {
    let (steps, mut left_out) = recording::read(&options.recordings)?;
    let plan = Arc::new(plan::of(steps, options.concurrency.max(1), &mut left_out));
    let copies = options.copies.clamp(1, COPIES_MAX);
    let planned = (plan.requests() as u64).saturating_mul(copies as u64);
    watch.wave_began(0, 1, Cycle::Replayed, planned);
    let began = Instant::now();
    let compared = Arc::new(Mutex::new(Compared::default()));
    let mut lanes = JoinSet::new();
    for number in 1..=copies {
        let sender = Arc::new(Sender {
            plan: Arc::clone(&plan),
            client: Arc::clone(&client),
            ids: plan.made().map(|id| (id.to_owned(), watch::Sender::new(New::Awaited))).collect(),
            copy: Copy::new(number),
            speed: options.speed,
            began,
            compared: Arc::clone(&compared),
        });
        for lane in 0..plan.lanes.len() {
            let sender = Arc::clone(&sender);
            lanes.spawn(async move { sender.send_lane(lane).await });
        }
    }
    while let Some(ended) = lanes.join_next().await {
        if let Err(error) = ended {
            watch.line(&format!("a part of the replay broke off: {error}"));
        }
    }
    watch.wave_ended(0, 1);
    let compared = std::mem::take(&mut *compared.lock().unwrap_or_else(PoisonError::into_inner));
    let (requests, retries, _) = measure.totals();
    Ok(Replayed {
        recorded: plan.requests(),
        copies,
        left_out,
        requests,
        retries,
        compared: compared.answers,
        differing: compared.by_status.values().sum(),
        by_status: compared.by_status.into_iter().map(|((a, b), count)| (a, b, count)).collect(),
        first_differing: compared.examples,
        skipped: compared.skipped,
        unanswered: compared.unanswered,
        duration_ms: milliseconds(began.elapsed()),
        operations: measure.operations(),
        errors: measure.errors(),
        timeline: measure.timeline(),
    })
}

/// What became of an id of the recording.
#[derive(Debug, Clone)]
enum New {
    /// The create that makes it was not answered yet.
    Awaited,
    /// It is this one here.
    Known(String),
    /// The create did not make it.
    Lost,
}

/// What differed.
#[derive(Debug, Default)]
struct Compared {
    answers: u64,
    by_status: BTreeMap<(u16, u16), u64>,
    examples: Vec<String>,
    skipped: u64,
    unanswered: u64,
}

impl Compared {
    fn note(&mut self, planned: &Planned, received: u16) {
        self.answers += 1;
        let (recorded, step) = (planned.step.status, &planned.step);
        if recorded == received {
            return;
        }
        *self.by_status.entry((recorded, received)).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            let (method, path) = (step.method, &step.path);
            let query = step.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
            self.examples.push(format!("{method} {path}{query}: {received} instead of {recorded}"));
        }
    }
}

/// Sends one copy.
struct Sender {
    plan: Arc<Plan>,
    client: Arc<Client>,
    /// By the ids of the recording.
    ids: HashMap<String, watch::Sender<New>>,
    copy: Copy,
    speed: Speed,
    began: Instant,
    compared: Arc<Mutex<Compared>>,
}

/// What is read of the answer to a create.
#[derive(Deserialize)]
struct Made {
    id: String,
}

impl Sender {
    /// Sends what stands in one lane, one after the other.
    async fn send_lane(&self, lane: usize) {
        for planned in self.plan.lanes.get(lane).into_iter().flatten() {
            let due = self.speed.due(planned.step.offset);
            tokio::time::sleep(due.saturating_sub(self.began.elapsed())).await;
            let made = self.send(planned).await;
            if let Some(sender) = planned.step.made().and_then(|id| self.ids.get(id)) {
                sender.send_replace(made.map_or(New::Lost, New::Known));
            }
        }
    }

    /// Sends one request. Answers the id that it made.
    async fn send(&self, planned: &Planned) -> Option<String> {
        if !self.are_made(&planned.needs).await {
            self.compared().skipped += 1;
            return None;
        }
        let request = self.request(planned);
        let body = request.body.clone();
        let answer = match self.client.send(request).await {
            Ok(answer) => answer,
            Err(SendError::GivenUp { .. } | SendError::Quarantined) => {
                self.compared().unanswered += 1;
                return None;
            }
        };
        if answer.is_echo && planned.step.made().is_some() {
            // An earlier try was carried out, and its answer lost.
            let made = self.look_up(&planned.step.path, &body.unwrap_or_default()).await;
            let status = if made.is_some() { planned.step.status } else { answer.status };
            self.compared().note(planned, status);
            return made;
        }
        self.compared().note(planned, answer.status);
        planned.step.made()?;
        serde_json::from_slice::<Made>(&answer.body).ok().map(|made| made.id)
    }

    /// The id of what a create with this body made.
    async fn look_up(&self, path: &str, body: &[u8]) -> Option<String> {
        let (operation, endpoint, attribute) = if path.starts_with("/Groups") {
            (Operation::MatchGroup, "/Groups", "displayName")
        } else {
            (Operation::MatchUser, "/Users", "userName")
        };
        let body: Value = serde_json::from_slice(body).ok()?;
        let name = text(&body, attribute)?;
        let request = Request::get(operation, look_up(endpoint, attribute, name));
        let answer = self.client.send(request).await.ok()?;
        let list: List = serde_json::from_slice(&answer.body).ok()?;
        list.id_of(attribute, name).ok().flatten().map(str::to_owned)
    }

    /// Waits until it is known what became of all of these ids. Answers whether each was made.
    async fn are_made(&self, needs: &[String]) -> bool {
        for id in needs {
            let Some(sender) = self.ids.get(id) else { continue };
            let mut known = sender.subscribe();
            // The sender lives as long as we do.
            let settled = known.wait_for(|new| !matches!(new, New::Awaited)).await;
            if !settled.is_ok_and(|new| matches!(*new, New::Known(_))) {
                return false;
            }
        }
        true
    }

    fn request(&self, planned: &Planned) -> Request {
        let step = &planned.step;
        let here = |id: &str| match &*self.ids.get(id)?.borrow() {
            New::Known(new) => Some(new.clone()),
            New::Awaited | New::Lost => None,
        };
        let mut path = rewrite::with_ids(&step.path, &|id: &str| here(id).map(|id| segment(&id)));
        if let Some(query) = &step.query {
            let query = self.copy.query(&step.path, query);
            let query = rewrite::with_ids(&query, &|id: &str| here(id).map(|id| encoded(&id)));
            path = format!("{path}?{query}");
        }
        let body = step.body.clone().map(|mut body| {
            self.copy.body(&step.path, &mut body);
            rewrite::body_with_ids(&mut body, &here);
            body.to_string().into()
        });
        let operation = operation(step.method, &step.path);
        let method = Method::from_bytes(step.method.as_bytes()).unwrap_or(Method::GET);
        Request { body, also_fine: Some(step.status), ..Request::new(operation, method, path) }
    }

    fn compared(&self) -> std::sync::MutexGuard<'_, Compared> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is for, as far as its method and path tell.
fn operation(method: &str, path: &str) -> Operation {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match (method, segments.next(), segments.next().is_some()) {
        ("GET", Some("Users"), false) => Operation::MatchUser,
        ("GET", Some("Users"), true) => Operation::ReadUser,
        ("POST", Some("Users"), false) => Operation::CreateUser,
        ("PATCH" | "PUT", Some("Users"), true) => Operation::UpdateUser,
        ("DELETE", Some("Users"), true) => Operation::DeleteUser,
        ("GET", Some("Groups"), false) => Operation::MatchGroup,
        ("GET", Some("Groups"), true) => Operation::ReadGroup,
        ("POST", Some("Groups"), false) => Operation::CreateGroup,
        ("PATCH" | "PUT", Some("Groups"), true) => Operation::UpdateGroup,
        _ => Operation::Replay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_max_or_a_factor() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for bad in ["", "0", "-1", "fast", "inf", "NaN", "1e300"] {
            assert_eq!(bad.parse::<Speed>(), Err(InvalidSpeed), "{bad}");
        }
        let offset = Duration::from_secs(10);
        assert_eq!(Speed::Times(4.0).due(offset), Duration::from_millis(2_500));
        assert_eq!(Speed::Max.due(offset), Duration::ZERO);
    }
}
