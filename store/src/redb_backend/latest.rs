//! The view that readers share from one write to the next.
//!
//! To begin a read transaction for each would be a good part of what a small read costs. Whoever comes
//! after a write was answered is never given a view from before it; and who reads while one is being
//! written sees what the others see, so that nobody sees it sooner than somebody who comes later.
//! A view is let go of with the next write, since redb keeps the pages that it may need.

use std::sync::{Mutex, PoisonError};

/// A place for the latest view; `V` is a handle to one.
pub(super) struct Latest<V>(Mutex<State<V>>);

struct State<V> {
    view: Option<V>,
    /// Counts the writes.
    writes: u64,
}

/// When a view of one's own was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun(u64);

impl<V> Default for Latest<V> {
    fn default() -> Self {
        Self(Mutex::new(State { view: None, writes: 0 }))
    }
}

impl<V: Clone> Latest<V> {
    /// The view that is shared. Where there is none, one begins one of one's own, and offers it.
    pub(super) fn shared(&self) -> Result<V, Begun> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.view.clone().ok_or(Begun(state.writes))
    }

    /// Offers a view to others; answers the one that is to be used.
    pub(super) fn offer(&self, begun: Begun, view: V) -> V {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Begun before a write, it would show to those who come later what was there before it.
        if state.writes != begun.0 {
            return view;
        }
        // Somebody else may have been faster.
        state.view.get_or_insert_with(|| view.clone()).clone()
    }

    /// Something was written, and nobody has heard of it yet: nobody is given the view before it any
    /// more. To be let go of outside, since that takes locks of its own.
    #[must_use]
    pub(super) fn written(&self) -> Option<V> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.writes = state.writes.wrapping_add(1);
        state.view.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_shared_until_something_was_written() {
        let latest = Latest::default();
        let begun = latest.shared().unwrap_err();

        assert_eq!(latest.offer(begun, "first"), "first");
        assert_eq!(latest.shared(), Ok("first"));
        assert_eq!(latest.offer(begun, "slower"), "first");
        assert_eq!(latest.written(), Some("first"));
        assert!(latest.shared().is_err());
    }

    #[test]
    fn a_view_that_was_begun_before_a_write_is_given_to_nobody_else() {
        let latest = Latest::default();
        let before = latest.shared().unwrap_err();
        assert_eq!(latest.written(), None);

        assert_eq!(latest.offer(before, "old"), "old");
        assert!(latest.shared().is_err());

        let after = latest.shared().unwrap_err();
        assert_eq!(latest.offer(after, "new"), "new");
        assert_eq!(latest.offer(before, "old"), "old");
        assert_eq!(latest.shared(), Ok("new"));
    }
}
