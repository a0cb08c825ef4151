//! Holds that a pass closes: those that were decided, and those that nobody waits in any more.

use access::{Hold, HoldId, HoldState, Withheld, WithheldReason};
use store::{Changeset, DocumentKey, Operation, Requirement};

use super::{Pass, Trigger};
use crate::error::ChangeError;
use crate::shared::Shared;

/// Holds that are looked at; older ones have long been closed.
const HOLDS_MAX: usize = 1_000;

impl Pass {
    /// Takes note of an account that was met. Answers whether this pass is about it.
    pub(super) fn meet(&mut self, withheld: Option<&Withheld>) -> bool {
        let waits = withheld.filter(|withheld| withheld.reason == WithheldReason::Held);
        let hold = waits.and_then(|withheld| withheld.hold);
        if let Some(hold) = hold {
            *self.waiting.entry(hold).or_default() += 1;
        }
        match self.trigger {
            Trigger::Resolve { hold: resolved, .. } => hold == Some(resolved),
            _ => true,
        }
    }

    /// Closes what this pass has done with.
    pub(super) async fn close_holds(&self, shared: &Shared) -> Result<(), ChangeError> {
        match self.trigger {
            Trigger::Resolve { hold, .. } => {
                self.change_hold(shared, hold, |hold, now| {
                    hold.done_at.get_or_insert(now);
                })
                .await
            }
            // It has met every account since it began; one that was held later may have been met
            // before.
            Trigger::Sweep => {
                let began = self.started_at;
                let old = |hold: &Hold| hold.state == HoldState::Open && hold.opened_at < began;
                for hold in newest_holds(shared)?.into_iter().filter(old) {
                    if !self.waiting.contains_key(&hold.id) {
                        self.change_hold(shared, hold.id, |hold, now| {
                            if hold.state == HoldState::Open {
                                hold.state = HoldState::Lapsed;
                                hold.closed_at = Some(now);
                                hold.done_at = Some(now);
                            }
                        })
                        .await?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn change_hold(
        &self,
        shared: &Shared,
        id: HoldId,
        change: impl Fn(&mut Hold, jiff::Timestamp),
    ) -> Result<(), ChangeError> {
        let key = DocumentKey::id(id.as_bytes());
        let Some(kept) = shared.snapshot()?.document::<Hold>(shared.key, &key)? else {
            return Ok(());
        };
        let now = shared.clock.now();
        let mut hold = kept.value.clone();
        change(&mut hold, now);
        if hold == kept.value {
            return Ok(());
        }
        let changeset = Changeset::new(shared.key, now, None)
            .by(self.author.clone())
            .requiring(Requirement::of(&kept))
            .with(Operation::put(&hold)?);
        shared.commit(changeset).await.map(drop)
    }
}

/// The newest holds of a tenant, newest first.
pub(crate) fn newest_holds(shared: &Shared) -> Result<Vec<Hold>, ChangeError> {
    let all = DocumentKey::default();
    Ok(shared.snapshot()?.documents_reversed(shared.key, &all, None, HOLDS_MAX)?)
}
