//! Spans: a request's span goes with its messages, so that what actors and the store do for it is
//! found under it, and what they log names its id.
//!
//! Spans below a request are of level `debug`: where nobody wants them they cost a branch. They hold
//! ids and figures, never an attribute of a user.

use tracing::Span;

use crate::observe::Kind;

/// The span in which an actor works on a message that was sent in the span `parent`.
pub(crate) fn handling(parent: &Span, kind: Kind, operation: &'static str) -> Span {
    let span = tracing::debug_span!(parent: parent, "handle", actor = kind.name(), operation);
    // Where nobody wants it, what is logged is still the request's.
    if span.is_disabled() { parent.clone() } else { span }
}
