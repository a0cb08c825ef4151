//! Reconciling one account: the rules as they are now, on what is committed now.

use access::brake::{decided_on, leaves_protected_role, takes_mapped_role};
use access::decide::Decision;
use access::lifecycle::{self, Changed, Moment};
use access::{Account, Author, GroupId, Hold, HoldState, Status, WithheldReason};
use store::{Changeset, DocumentKey, Mark, Marked, Operation, Refusal, Requirement, Snapshot};

use super::message::{Brake, Cause, Deferral, Reconciled, RoleChange};
use super::{ATTEMPTS_MAX, Attempt, UserArguments, reprojected};
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::shared::attempt;

/// What a reconciliation comes to before it is committed.
enum Braked {
    /// It may be made, if nobody moved meanwhile.
    Go { changed: Box<Changed>, requires: Option<Requirement>, withholds: bool },
    /// The pass decides.
    Deferred(Deferral),
    /// It is no longer held, and is to be decided anew by a pass with its brakes on.
    Unheld(Box<Changed>),
}

impl UserArguments {
    pub(super) async fn reconcile(
        &self,
        cause: Cause,
        brake: Brake,
        author: &Author,
    ) -> Result<Reconciled, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_reconcile(cause, brake, author))
    }

    async fn try_reconcile(
        &self,
        cause: Cause,
        brake: Brake,
        author: &Author,
    ) -> Result<Attempt<Reconciled>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let account = self.account(&snapshot)?;
        let groups = snapshot.groups_of(self.shared.key, self.id)?;
        let mark = snapshot.mark(self.shared.key, Marked::User(self.id))?;
        let generation = mark.map(|mark| mark.generation);
        if self.is_left_to_others(&snapshot, cause, mark, &groups)? {
            return Ok(Ok(Reconciled::Left));
        }
        let (now, wave) = (self.shared.clock.now(), cause.wave());
        let request = match cause {
            Cause::Settings | Cause::Operator => author.request,
            Cause::Mark { .. } | Cause::Overdue { .. } | Cause::Sweep => {
                self.shared.touched_by(&snapshot, mark, &groups)?
            }
        };
        let moment = Moment { now, wave, request };
        let (brake, hold) = self.brake_now(&snapshot, brake)?;
        let (mut changed, requires, withholds) =
            match braked(&account, &groups, &config, moment, brake) {
                Braked::Go { changed, requires, withholds } => (*changed, requires, withholds),
                Braked::Deferred(deferral) => return Ok(Ok(Reconciled::Deferred(deferral))),
                Braked::Unheld(changed) => {
                    let change = Changeset::new(self.shared.key, now, wave)
                        .by(author.clone())
                        .with(Operation::PutAccount(Box::new(changed.account)))
                        .with(Operation::Mark(Marked::User(self.id)));
                    return self.commit(change, Reconciled::Unchanged).await;
                }
            };
        // Whoever clears a mark owes what it was for.
        let reads_profile =
            !matches!(cause, Cause::Sweep | Cause::Operator) || generation.is_some();
        if reads_profile && account.status != Status::Deleted {
            let projected = reprojected(&self.shared, &snapshot, &changed.account, &config)?;
            if let Some(projected) = projected {
                changed.account = projected.account;
                changed.events.extend(projected.events);
            }
        }
        drop(snapshot);
        let done = match RoleChange::between(&account, &changed.account) {
            Some(change) => Reconciled::Changed(change),
            None if withholds => Reconciled::Withheld(RoleChange::withheld(&changed.account)),
            None => Reconciled::Unchanged,
        };
        if changed.account == account && generation.is_none() {
            return Ok(Ok(done));
        }
        let mut change = Changeset::new(self.shared.key, now, wave)
            .by(author.clone())
            .requiring(Requirement::Config(config.revision))
            .requiring(Requirement::UserMark { user: self.id, generation });
        change.require.extend(requires);
        change.require.extend(hold.filter(|_| withholds));
        if let Some(generation) = generation {
            let marked = Marked::User(self.id);
            change = change.with(Operation::ClearMark { marked, generation });
        }
        if changed.account != account {
            change = change.with(Operation::PutAccount(Box::new(changed.account)));
        }
        match self.commit(change.telling(changed.events), done).await? {
            Err(Refusal::RoleMoved) => Ok(Ok(Reconciled::NoWitness)),
            outcome => Ok(outcome),
        }
    }

    /// The brake as it is now. A hold may have been decided on while its accounts were still being
    /// marked: those that come later follow the decision; and no account is held in a hold that is
    /// closed by the time of the commit.
    fn brake_now(
        &self,
        snapshot: &Snapshot,
        brake: Brake,
    ) -> Result<(Brake, Option<Requirement>), ChangeError> {
        let Brake::Hold(id) = brake else { return Ok((brake, None)) };
        let key = DocumentKey::id(id.as_bytes());
        let Some(kept) = snapshot.document::<Hold>(self.shared.key, &key)? else {
            return Ok((brake, None));
        };
        Ok(match kept.value.state {
            HoldState::Open | HoldState::Lapsed => (brake, Some(Requirement::of(&kept))),
            HoldState::Approved => (Brake::Make { approved: Some(id), witness: None }, None),
            HoldState::Rejected => (Brake::RejectNow(id), None),
        })
    }

    /// Whether somebody else will see to the account: a newer wave, or the one that goes on.
    fn is_left_to_others(
        &self,
        snapshot: &Snapshot,
        cause: Cause,
        mark: Option<Mark>,
        groups: &[GroupId],
    ) -> Result<bool, ChangeError> {
        Ok(match cause {
            Cause::Mark { generation, .. } => {
                mark.map(|mark| mark.generation) != generation
                    || self.shared.awaits_open_wave(snapshot, groups)?
            }
            Cause::Overdue { touched_until, .. } => {
                mark.is_some_and(|mark| mark.first_touched > touched_until)
            }
            Cause::Sweep | Cause::Settings => {
                self.shared.open_wave().is_some()
                    && self.shared.is_touched(snapshot, self.id, groups)?
            }
            Cause::Operator => false,
        })
    }
}

/// What becomes of an account, with the brake on.
fn braked(
    account: &Account,
    groups: &[GroupId],
    config: &ActiveConfig,
    moment: Moment,
    brake: Brake,
) -> Braked {
    let rules = &config.rules;
    let withhold = |reason, hold| Braked::Go {
        changed: Box::new(lifecycle::withhold(account, reason, hold, groups, rules, moment)),
        requires: None,
        withholds: true,
    };
    let is_of = |hold| account.withheld.as_ref().is_some_and(|kept| kept.hold == Some(hold));
    let decision = lifecycle::decision_on(account, groups, rules, moment);
    let leaves = leaves_protected_role(account, &decision, &config.settings.protected_roles);
    match brake {
        Brake::Hold(hold) if takes_mapped_role(account, &decision, rules) => {
            return withhold(WithheldReason::Held, Some(hold));
        }
        // What was rejected is what the operator was shown.
        Brake::Reject(hold) if is_of(hold) => {
            let shown = account.withheld.as_ref().map(|kept| kept.decided_on);
            let is_it = shown == Some(decided_on(groups, rules))
                && takes_mapped_role(account, &decision, rules);
            if is_it {
                return withhold(WithheldReason::Rejected, Some(hold));
            }
            return Braked::Unheld(Box::new(lifecycle::unheld(account)));
        }
        Brake::RejectNow(hold) if takes_mapped_role(account, &decision, rules) => {
            return withhold(WithheldReason::Rejected, Some(hold));
        }
        Brake::Keep if leaves.is_some() => return withhold(WithheldReason::LastProtected, None),
        _ => {}
    }
    let changed = match brake {
        Brake::Make { approved: Some(hold), .. } if is_of(hold) => {
            lifecycle::release(account, groups, rules, moment)
        }
        _ => lifecycle::reconcile(account, groups, rules, moment),
    };
    let changed = Box::new(changed);
    let go = |changed, requires| Braked::Go { changed, requires, withholds: false };
    if changed.account.role == account.role {
        return go(changed, None);
    }
    let deferral = deferral(account, &decision, config);
    match brake {
        Brake::Defer { mass } if (mass && deferral.mass) || deferral.protected.is_some() => {
            Braked::Deferred(deferral)
        }
        Brake::Make { witness: Some(user), .. } => {
            let requires = deferral.protected.map(|role| Requirement::HasRole { user, role });
            go(changed, requires)
        }
        // However it was asked for: nobody leaves a protected role without a witness.
        _ if deferral.protected.is_some() => Braked::Deferred(deferral),
        _ => go(changed, None),
    }
}

/// What may have to wait about a change.
pub(crate) fn deferral(account: &Account, decision: &Decision, config: &ActiveConfig) -> Deferral {
    let protected = leaves_protected_role(account, decision, &config.settings.protected_roles);
    Deferral {
        mass: takes_mapped_role(account, decision, &config.rules),
        protected: protected.map(str::to_owned),
    }
}
