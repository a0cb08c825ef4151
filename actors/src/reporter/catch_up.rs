//! Catching up: where retention has taken entries that the reporter had not read, it goes through
//! all who are disabled or deleted and hold something, once.
//!
//! Who was told of before may be told of again. Holders who appeared in what is gone are found by
//! the next upload.

use super::post::PendingMail;
use super::reminder::{Piece, piece};
use super::wave::MAIL_ACCOUNTS_MAX;
use super::{Desk, InWave, Position, ReporterState, read};
use crate::equipment::NOBODY;
use crate::error::ChangeError;

impl ReporterState {
    /// Tells of the next accounts, if entries were missed. Answers whether something was done.
    pub(super) async fn catch_up(&mut self, desk: &Desk) -> Result<bool, ChangeError> {
        let trimmed = self.shared.snapshot()?.counts(self.shared.key)?.feed_trimmed;
        let mut pass = match desk.position.catching_up.clone() {
            Some(begun) => begun,
            None if trimmed <= desk.position.feed => return Ok(false),
            None => {
                tracing::warn!(
                    tenant.id = %self.shared.id,
                    read_to = desk.position.feed,
                    trimmed_to = trimmed,
                    "the report goes through all holders: retention has overtaken it",
                );
                InWave { until: trimmed, after: NOBODY, told: Vec::new(), told_count: 0 }
            }
        };
        let (after, generation) = (pass.after, desk.list.value.generation);
        let piece = read(&self.shared, move |shared| piece(shared, after, generation, false));
        let Piece { told, looked_to, done } = piece.await?;
        pass.after = looked_to;
        for told in &told {
            if pass.told.len() < MAIL_ACCOUNTS_MAX {
                pass.told.push(told.account);
            }
            pass.told_count += 1;
        }
        let mut position = Position { catching_up: None, ..desk.position.clone() };
        if done {
            tracing::info!(
                tenant.id = %self.shared.id,
                accounts = pass.told_count,
                "the report has gone through all holders",
            );
            position.feed = position.feed.max(pass.until);
            if pass.told_count > 0 && self.mails_reports() {
                position.queue(PendingMail::of_wave(pass.until, pass.told, desk.now));
            }
        } else {
            position.catching_up = Some(pass);
        }
        let mut change = desk.move_to(&self.shared, &position)?;
        for told in told {
            change = told.add_to(change)?;
        }
        self.shared.commit(change).await?;
        self.feed_grown = true;
        Ok(true)
    }
}
