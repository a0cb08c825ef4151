//! Mass changes that wait for an operator: approved or rejected, then seen to by a pass.

use access::{Author, Hold, HoldId, HoldState};
use store::{Changeset, DocumentKey, Operation, Requirement};

use super::Tenant;
use crate::error::ChangeError;
use crate::reconciler::ReconcilerMessage;
use crate::reconciler::pass::Report;
use crate::shared::attempt;

/// Times that a decision is made again because the hold was changed meanwhile.
const ATTEMPTS_MAX: usize = 4;

impl Tenant {
    /// Approves a hold, whose changes are then made at once, or rejects it, after which they are
    /// not made until groups or rules change again. Answers the hold, and what was done.
    pub async fn resolve_hold(
        &self,
        id: HoldId,
        approve: bool,
        author: Author,
    ) -> Result<(Hold, Report), ChangeError> {
        // On disk first: should the service stop now, the next start goes on from there.
        attempt!(ATTEMPTS_MAX, self.try_resolve_hold(id, approve, &author))?;
        let message = |reply_to| ReconcilerMessage::Resolve { hold: id, approve, author, reply_to };
        let report = self.ask_reconciler(message).await?;
        let key = DocumentKey::id(id.as_bytes());
        let kept = self.shared().snapshot()?.document::<Hold>(self.key(), &key)?;
        Ok((kept.ok_or(ChangeError::NotFound)?.value, report))
    }

    async fn try_resolve_hold(
        &self,
        id: HoldId,
        approve: bool,
        author: &Author,
    ) -> Result<Result<(), store::Refusal>, ChangeError> {
        let shared = self.shared();
        let key = DocumentKey::id(id.as_bytes());
        let kept = shared.snapshot()?.document::<Hold>(shared.key, &key)?;
        let kept = kept.ok_or(ChangeError::NotFound)?;
        let state = if approve { HoldState::Approved } else { HoldState::Rejected };
        if kept.value.state == state && kept.value.done_at.is_none() {
            // Decided already, and perhaps not carried out: ask for that again.
            return Ok(Ok(()));
        }
        if kept.value.state != HoldState::Open {
            return Err(ChangeError::HoldClosed);
        }
        let now = shared.clock.now();
        let hold = Hold {
            state,
            closed_at: Some(now),
            closed_by: Some("operator".to_owned()),
            ..kept.value.clone()
        };
        let change = Changeset::new(shared.key, now, None)
            .by(author.clone())
            .requiring(Requirement::of(&kept))
            .with(Operation::put(&hold)?);
        let outcome = shared.wait_or_moved(shared.store.commit(change)).await?;
        Ok(outcome.map(drop))
    }
}
