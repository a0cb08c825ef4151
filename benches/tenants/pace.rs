//! Waits until a moment, to within a tenth of a millisecond. The runtime's own timer counts in whole
//! milliseconds, which is as long as many answers take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::sync::oneshot;

/// Who is to be woken: when, and a number that tells those of one moment apart.
type Waiting = BTreeMap<(Instant, u64), oneshot::Sender<()>>;

/// A thread that wakes whoever waits for a moment. It ends with the program.
pub(crate) struct Pacer {
    waiting: Arc<Mutex<(Waiting, u64)>>,
    thread: Thread,
}

impl Pacer {
    pub(crate) fn start() -> Self {
        let waiting = Arc::default();
        let shared = Arc::clone(&waiting);
        let thread = thread::spawn(move || keep(&shared)).thread().clone();
        Self { waiting, thread }
    }

    /// Waits until then. Answers whether there was anything to wait for.
    pub(crate) async fn until(&self, due: Instant) -> bool {
        if due <= Instant::now() {
            return false;
        }
        let (wake, woken) = oneshot::channel();
        let is_next = {
            let (waiting, number) = &mut *self.waiting.lock().unwrap();
            *number += 1;
            waiting.insert((due, *number), wake);
            waiting.first_key_value().is_some_and(|(first, _)| *first == (due, *number))
        };
        if is_next {
            self.thread.unpark();
        }
        woken.await.unwrap();
        true
    }
}

fn keep(waiting: &Mutex<(Waiting, u64)>) -> ! {
    loop {
        let now = Instant::now();
        let next = {
            let (waiting, _) = &mut *waiting.lock().unwrap();
            loop {
                match waiting.first_entry() {
                    // Who no longer waits needs no waking.
                    Some(first) if first.key().0 <= now => drop(first.remove().send(())),
                    first => break first.map(|first| first.key().0),
                }
            }
        };
        match next {
            Some(next) => thread::park_timeout(next - now),
            None => thread::park(),
        }
    }
}
