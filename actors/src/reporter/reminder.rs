//! Reminders: at scheduled times, of everybody who is disabled or deleted and holds something.

use access::UserId;
use access::equipment::schedule::Schedule;
use store::ReadError;

use super::post::PendingMail;
use super::tell::{LOOKED_AT_MAX, TOLD_PER_COMMIT, Told};
use super::{Desk, InReminder, Position, ReporterState, read};
use crate::equipment::{NOBODY, next_holder};
use crate::error::ChangeError;
use crate::shared::Shared;

impl ReporterState {
    /// Tells of the next accounts, if a reminder is due. Answers whether something was done.
    pub(super) async fn remind(&mut self, desk: &Desk) -> Result<bool, ChangeError> {
        let settings = self.shared.config().settings.equipment.clone();
        let named = settings.schedule.as_ref();
        let named = named.map(|expression| format!("{expression} {}", settings.time_zone));
        if desk.position.schedule != named {
            // Times of another schedule are not caught up with.
            let position = Position {
                schedule: named,
                schedule_from: desk.now,
                reminder: None,
                ..desk.position.clone()
            };
            let change = desk.move_to(&self.shared, &position)?;
            self.shared.commit(change).await?;
            return Ok(true);
        }
        let Some(expression) = &settings.schedule else { return Ok(false) };
        let schedule = match Schedule::new(expression, &settings.time_zone) {
            Ok(schedule) => schedule,
            Err(error) => {
                // It was read when it was set: a time zone has gone since.
                tracing::error!(tenant.id = %self.shared.id, %error, "there are no reminders");
                return Ok(false);
            }
        };
        let begun = desk.position.reminder.clone();
        let mut reminder = match begun {
            Some(reminder) => reminder,
            None => match schedule.next_after(desk.position.schedule_from) {
                None => return Ok(false),
                Some(next) if next > desk.now => {
                    self.wake(next);
                    return Ok(false);
                }
                Some(due) => InReminder { due, after: NOBODY, told_count: 0 },
            },
        };
        let (after, generation) = (reminder.after, desk.list.value.generation);
        let piece = read(&self.shared, move |shared| piece(shared, after, generation, true));
        let Piece { told, looked_to, done } = piece.await?;
        reminder.after = looked_to;
        reminder.told_count += u64::try_from(told.len()).unwrap_or_default();
        let mut position = Position { reminder: None, ..desk.position.clone() };
        if done {
            // Of all times that were missed this one is made up for.
            position.schedule_from = desk.now;
            if reminder.told_count > 0 && self.mails_reports() {
                position.queue(PendingMail::of_reminder(reminder.due, desk.now));
            }
        } else {
            position.reminder = Some(reminder);
        }
        let mut change = desk.move_to(&self.shared, &position)?;
        for told in told {
            change = told.add_to(change)?;
        }
        self.shared.commit(change).await?;
        Ok(true)
    }
}

/// Some holders.
pub(super) struct Piece {
    pub(super) told: Vec<Told>,
    pub(super) looked_to: UserId,
    /// Whether there are no more of them.
    pub(super) done: bool,
}

/// The next holders of whom there is something to tell.
pub(super) fn piece(
    shared: &Shared,
    mut after: UserId,
    generation: u64,
    reminder: bool,
) -> Result<Piece, ReadError> {
    let (snapshot, now) = (shared.snapshot()?, shared.clock.now());
    let mut told = Vec::new();
    for _ in 0..LOOKED_AT_MAX {
        if told.len() >= TOLD_PER_COMMIT {
            break;
        }
        let Some(holder) = next_holder(&snapshot, shared.key, generation, after)? else {
            return Ok(Piece { told, looked_to: after, done: true });
        };
        after = holder;
        told.extend(Told::of(&snapshot, shared.key, generation, holder, now, reminder)?);
    }
    Ok(Piece { told, looked_to: after, done: false })
}
