//! Slackwater.
