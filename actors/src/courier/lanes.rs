//! Lanes: which event may be sent next.
//!
//! Within a lane strictly one after the other; lanes side by side. An event is *fresh* while it is
//! held in memory only, and *waiting* once it has a delivery on disk: because it failed, or because
//! one before it in its lane did. What waits comes before what is fresh.
//!
//! Nothing here sends, reads or writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

/// An entry of the feed that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) seq: u64,
    pub(crate) lane: String,
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) account: Option<String>,
    /// As the receiver gets it.
    pub(crate) webhook_id: String,
    pub(crate) body: Vec<u8>,
}

/// An event that waits, at the head of its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingHead {
    pub(crate) seq: u64,
    pub(crate) lane: String,
}

/// What is to be delivered, and in which order.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_name: HashMap<String, Lane>,
    /// Fresh heads that may be sent.
    ready: BTreeMap<u64, String>,
    /// Waiting heads, by the time of their next attempt.
    due: BTreeMap<(Timestamp, u64), String>,
    /// Fresh events that are not done with.
    pending: BTreeSet<u64>,
    waiting: usize,
    fresh_bytes: usize,
    /// The last entry of the feed that was looked at.
    read_to: u64,
}

#[derive(Debug)]
struct Lane {
    waiting: BTreeSet<u64>,
    /// When the first of them is tried next.
    next_at: Timestamp,
    fresh: VecDeque<Fresh>,
    in_flight: bool,
}

impl Lane {
    const fn new() -> Self {
        Self {
            waiting: BTreeSet::new(),
            next_at: Timestamp::MIN,
            fresh: VecDeque::new(),
            in_flight: false,
        }
    }
}

impl Lanes {
    /// Nothing to deliver yet; the feed is looked at after `cursor`.
    pub(crate) fn after(cursor: u64) -> Self {
        Self { read_to: cursor, ..Self::default() }
    }

    pub(crate) const fn read_to(&self) -> u64 {
        self.read_to
    }

    /// The entries up to this one were looked at.
    pub(crate) fn looked_to(&mut self, seq: u64) {
        self.read_to = self.read_to.max(seq);
    }

    /// All entries up to this one are done with, or wait.
    pub(crate) fn cursor(&self) -> u64 {
        self.pending.first().map_or(self.read_to, |first| first.saturating_sub(1))
    }

    /// Fresh events that are held, those in flight included.
    pub(crate) fn fresh(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of the bodies that are held.
    pub(crate) const fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    /// Events that wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether an event waits; entries that do are not taken from the feed again.
    pub(crate) fn is_waiting(&self, lane: &str, seq: u64) -> bool {
        self.by_name.get(lane).is_some_and(|lane| lane.waiting.contains(&seq))
    }

    /// Whether the next event of this lane is to wait: others do, and none that is fresh comes
    /// before it.
    pub(crate) fn is_blocked(&self, lane: &str) -> bool {
        let is_blocked = |lane: &Lane| !lane.waiting.is_empty() && lane.fresh.is_empty();
        self.by_name.get(lane).is_some_and(is_blocked)
    }

    /// When the next waiting event is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Adds an event from the feed, behind all others of its lane.
    pub(crate) fn push(&mut self, event: Fresh) {
        self.pending.insert(event.seq);
        self.fresh_bytes += event.body.len();
        self.change(&event.lane.clone(), |lane| lane.fresh.push_back(event));
    }

    /// Adds an event that waits, at its place. One at the head is tried at `next_at`.
    pub(crate) fn wait(&mut self, lane: &str, seq: u64, next_at: Option<Timestamp>) {
        self.pending.remove(&seq);
        let mut is_new = false;
        self.change(lane, |lane| {
            is_new = lane.waiting.insert(seq);
            if lane.waiting.first() == Some(&seq) {
                lane.next_at = next_at.unwrap_or(Timestamp::MIN);
            }
        });
        self.waiting += usize::from(is_new);
    }

    /// The fresh events of a lane, which from now on wait: at most so many.
    pub(crate) fn drain_fresh(&mut self, lane: &str, most: usize) -> Vec<Fresh> {
        let mut drained = Vec::new();
        self.change(lane, |lane| {
            // The first ones: what stays fresh must come after what waits.
            let count = most.min(lane.fresh.len());
            drained.extend(lane.fresh.drain(..count));
        });
        self.fresh_bytes -= drained.iter().map(|event| event.body.len()).sum::<usize>();
        drained
    }

    /// Takes the oldest fresh event that may be sent after `after`; its lane is in flight.
    pub(crate) fn take_ready(&mut self, after: u64) -> Option<Fresh> {
        let lane = self.ready.range(after.saturating_add(1)..).next()?.1.clone();
        self.take_fresh(&lane)
    }

    /// Takes the oldest fresh event whose lane is none of these.
    pub(crate) fn take_ready_besides(&mut self, besides: &BTreeSet<String>) -> Option<Fresh> {
        let lane = self.ready.values().find(|lane| !besides.contains(*lane))?.clone();
        self.take_fresh(&lane)
    }

    /// Whether there is a fresh event that may be sent and whose lane is none of these.
    pub(crate) fn is_ready_besides(&self, besides: &BTreeSet<String>) -> bool {
        self.ready.values().any(|lane| !besides.contains(lane))
    }

    fn take_fresh(&mut self, lane: &str) -> Option<Fresh> {
        let mut taken = None;
        self.change(lane, |lane| {
            taken = lane.fresh.pop_front();
            lane.in_flight = true;
        });
        self.fresh_bytes -= taken.as_ref().map_or(0, |event| event.body.len());
        taken
    }

    /// Takes the waiting event that is due first, if it is due by `now`; its lane is in flight.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<WaitingHead> {
        let (&(_, seq), lane) = self.due.first_key_value().filter(|((at, _), _)| *at <= now)?;
        let lane = lane.clone();
        Some(self.take_waiting(seq, lane))
    }

    /// Takes the first waiting head after the entry `after`, or else the first, due or not.
    pub(crate) fn take_waiting_after(&mut self, after: u64) -> Option<WaitingHead> {
        let in_turn = |((_, seq), _): &(&(Timestamp, u64), &String)| (*seq <= after, *seq);
        let (&(_, seq), lane) = self.due.iter().min_by_key(in_turn)?;
        let lane = lane.clone();
        Some(self.take_waiting(seq, lane))
    }

    fn take_waiting(&mut self, seq: u64, lane: String) -> WaitingHead {
        self.change(&lane, |lane| lane.in_flight = true);
        WaitingHead { seq, lane }
    }

    /// Whether there is anything that may be sent, sooner or later.
    pub(crate) fn has_any(&self) -> bool {
        !self.ready.is_empty() || !self.due.is_empty()
    }

    /// Whether there is something to send now; where `early`, also what is not due yet.
    pub(crate) fn has_next(&self, now: Timestamp, early: bool) -> bool {
        !self.ready.is_empty()
            || self.due.first_key_value().is_some_and(|((at, _), _)| early || *at <= now)
    }

    /// An event in flight is done with.
    pub(crate) fn done(&mut self, lane: &str, seq: u64) {
        self.pending.remove(&seq);
        let mut waited = false;
        self.change(lane, |lane| {
            waited = lane.waiting.remove(&seq);
            lane.next_at = Timestamp::MIN;
            lane.in_flight = false;
        });
        self.waiting -= usize::from(waited);
    }

    /// An event in flight is fresh again.
    pub(crate) fn put_back(&mut self, event: Fresh) {
        self.fresh_bytes += event.body.len();
        self.change(&event.lane.clone(), |lane| {
            lane.fresh.push_front(event);
            lane.in_flight = false;
        });
    }

    /// An event in flight waits, until `next_at`.
    pub(crate) fn rest(&mut self, lane: &str, seq: u64, next_at: Timestamp) {
        self.change(lane, |lane| lane.in_flight = false);
        self.wait(lane, seq, Some(next_at));
    }

    /// All that waits may be sent now. That its time has not come stays with its delivery.
    pub(crate) fn all_due(&mut self) {
        let waiting: Vec<String> = std::mem::take(&mut self.due).into_values().collect();
        for lane in waiting {
            self.change(&lane, |lane| lane.next_at = Timestamp::MIN);
        }
    }

    /// Changes a lane, and finds out anew which of its events may be sent.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Lane)) {
        let mut lane = self.by_name.remove(name).unwrap_or_else(Lane::new);
        if let Some(seq) = lane.waiting.first() {
            self.due.remove(&(lane.next_at, *seq));
        }
        if let Some(event) = lane.fresh.front() {
            self.ready.remove(&event.seq);
        }
        change(&mut lane);
        if !lane.in_flight {
            if let Some(seq) = lane.waiting.first() {
                self.due.insert((lane.next_at, *seq), name.to_owned());
            } else if let Some(event) = lane.fresh.front() {
                self.ready.insert(event.seq, name.to_owned());
            }
        }
        if lane.in_flight || !lane.waiting.is_empty() || !lane.fresh.is_empty() {
            self.by_name.insert(name.to_owned(), lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, lane: &str) -> Fresh {
        Fresh {
            seq,
            lane: lane.to_owned(),
            event_id: String::new(),
            kind: String::new(),
            account: None,
            webhook_id: String::new(),
            body: vec![0; 10],
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lanes(events: &[(u64, &str)]) -> Lanes {
        let mut lanes = Lanes::after(0);
        for (seq, lane) in events {
            lanes.push(event(*seq, lane));
            lanes.looked_to(*seq);
        }
        lanes
    }

    #[test]
    fn a_lane_has_one_in_flight_and_lanes_go_side_by_side() {
        let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);

        let taken: Vec<u64> = std::iter::from_fn(|| lanes.take_ready(0)).map(|e| e.seq).collect();

        assert_eq!(taken, [1, 3]);
        lanes.done("a", 1);
        assert_eq!(lanes.take_ready(0).unwrap().seq, 2);
    }

    #[test]
    fn the_cursor_stands_before_the_first_that_is_not_done() {
        let mut lanes = lanes(&[(1, "a"), (2, "b"), (3, "c")]);
        for _ in 0..3 {
            lanes.take_ready(0);
        }

        lanes.done("b", 2);
        assert_eq!(lanes.cursor(), 0);
        lanes.rest("a", 1, at(5));
        assert_eq!(lanes.cursor(), 2);
        lanes.done("c", 3);
        assert_eq!((lanes.cursor(), lanes.waiting(), lanes.fresh_bytes()), (3, 1, 0));
    }

    #[test]
    fn what_waits_comes_before_what_is_fresh() {
        let mut lanes = lanes(&[(1, "a"), (2, "a")]);
        lanes.take_ready(0);
        lanes.rest("a", 1, at(5));

        assert_eq!(lanes.take_ready(0), None);
        assert_eq!(lanes.take_due(at(4)), None);
        assert_eq!(lanes.take_due(at(5)).unwrap().seq, 1);
        lanes.done("a", 1);
        assert_eq!(lanes.take_ready(0).unwrap().seq, 2);
    }

    #[test]
    fn nothing_waits_that_comes_after_something_fresh() {
        let mut lanes = lanes(&[(1, "a"), (2, "a")]);
        assert!(!lanes.is_blocked("a"));
        lanes.take_ready(0);
        lanes.rest("a", 1, at(5));

        assert!(!lanes.is_blocked("a"), "2 is fresh, so 3 must not overtake it");
        assert_eq!(lanes.drain_fresh("a", 10).len(), 1);
        assert!(lanes.is_blocked("a"));
    }

    #[test]
    fn an_older_event_that_waits_again_goes_first() {
        let mut lanes = lanes(&[(7, "a")]);
        lanes.wait("a", 3, None);

        assert_eq!(lanes.take_ready(0), None);
        assert_eq!(lanes.take_due(at(0)).unwrap().seq, 3);
        lanes.done("a", 3);
        assert_eq!(lanes.take_ready(0).unwrap().seq, 7);
    }

    #[test]
    fn a_fresh_event_can_be_put_back() {
        let mut lanes = lanes(&[(1, "a"), (2, "a")]);
        let taken = lanes.take_ready(0).unwrap();

        lanes.put_back(taken);

        assert_eq!((lanes.cursor(), lanes.fresh_bytes()), (0, 20));
        assert_eq!(lanes.take_ready(0).unwrap().seq, 1);
    }
}
