//! The end of a pass: changes that had to wait until all of them were known.
//!
//! First it is decided whether those that take mapped roles away are so many that they wait for an
//! operator. Then the others are made; those that leave a protected role one after the other, each
//! with somebody else as its witness, whose having the role is checked again in the transaction.

use std::collections::BTreeMap;

use access::{Event, EventType, Hold, HoldId, HoldState, Status, UserId};
use ractor::ActorRef;
use store::{Changeset, DocumentKey, Marked, Operation, Requirement, Snapshot};

use super::holds::newest_holds;
use super::report::{CHANGES_NAMED_MAX, Held};
use super::{Pass, Trigger};
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;
use crate::user::{Brake, Cause, Deferral, Reconciled, RoleChange};

/// Changes that are made in one piece.
const PIECE: usize = 512;
/// Times that a witness is looked for anew because the last one lost the role.
const WITNESSES_MAX: usize = 3;

/// A change that waits for the end of its pass.
#[derive(Debug, Clone)]
pub(super) struct Deferred {
    pub(super) cause: Cause,
    pub(super) deferral: Deferral,
    /// In a dry run: what it would be.
    pub(super) change: Option<RoleChange>,
}

/// What is known at the end of a pass.
#[derive(Debug, Default)]
pub(super) struct Braking {
    /// By account: a piece that is done again defers the same ones again.
    pub(super) deferred: BTreeMap<UserId, Deferred>,
    /// Marked groups whose members were seen to, but for those deferred.
    pub(super) groups: Vec<(access::GroupId, u64)>,
    /// Somebody who had each protected role when it was last looked for.
    witnesses: BTreeMap<String, UserId>,
    /// In a dry run: how many have each protected role, those included who would leave it.
    pub(super) holders: BTreeMap<String, u64>,
    /// Mapped roles that passes of the same wave took away before.
    pub(super) lost_before: u64,
    /// Mapped roles that this pass took away.
    pub(super) lost: u64,
    /// What was decided about taking mapped roles away.
    decided: Option<Decided>,
}

/// What was decided about changes that take mapped roles away.
#[derive(Debug, Clone, Copy)]
enum Decided {
    /// They are made.
    Go,
    /// They wait for an operator.
    Wait(HoldId),
}

impl Pass {
    /// Whether a mass change in this pass waits for an operator.
    pub(super) const fn can_be_held(&self) -> bool {
        match self.trigger {
            Trigger::Wave(_) | Trigger::MaxDelay { .. } | Trigger::Leftover | Trigger::Sweep => {
                !self.report.dry_run
            }
            Trigger::Settings
            | Trigger::LockExpiry
            | Trigger::Operator
            | Trigger::Resolve { .. } => false,
        }
    }

    /// How accounts are asked at first.
    pub(super) const fn brake(&self) -> Brake {
        match self.trigger {
            Trigger::Resolve { hold, approve: true } => {
                Brake::Make { approved: Some(hold), witness: None }
            }
            Trigger::Resolve { hold, approve: false } => Brake::Reject(hold),
            _ => Brake::Defer { mass: self.can_be_held() },
        }
    }

    const fn make(&self, witness: Option<UserId>) -> Brake {
        match self.trigger {
            Trigger::Resolve { hold, .. } => Brake::Make { approved: Some(hold), witness },
            _ => Brake::Make { approved: None, witness },
        }
    }

    /// Decides about some of the deferred. Answers whether there are no more.
    pub(super) async fn step_deferred(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
    ) -> Result<bool, ChangeError> {
        if self.report.dry_run {
            self.simulate_deferred();
            return Ok(true);
        }
        let decided = match self.braking.decided {
            Some(decided) => decided,
            None => self.decide(shared).await?,
        };
        let hold = match decided {
            Decided::Go => None,
            Decided::Wait(hold) => still_waits(shared, hold)?.then_some(hold),
        };
        // Youngest first, so that of those who leave a protected role the oldest stays.
        let piece: Vec<(UserId, Deferred)> = self
            .braking
            .deferred
            .iter()
            .rev()
            .take(PIECE)
            .map(|(user, deferred)| (*user, deferred.clone()))
            .collect();
        for (user, _) in &piece {
            self.braking.deferred.remove(user);
        }
        let stepped = self.step_piece(shared, tenant, &piece, hold).await;
        if stepped.is_err() {
            // It is met again; what was done of it stays done.
            for (user, deferred) in piece {
                self.braking.deferred.entry(user).or_insert(deferred);
            }
        }
        stepped?;
        // Some may have been handed back once more.
        if !self.braking.deferred.is_empty() {
            return Ok(false);
        }
        self.clear_groups(shared).await?;
        Ok(true)
    }

    async fn step_piece(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        piece: &[(UserId, Deferred)],
        hold: Option<HoldId>,
    ) -> Result<(), ChangeError> {
        let mut ask = Vec::new();
        for (user, Deferred { cause, deferral, .. }) in piece {
            let brake = match hold.filter(|_| deferral.mass) {
                Some(hold) => Brake::Hold(hold),
                // The last account that is asked is the one to stay: not all at once, then.
                None if deferral.protected.is_some() => continue,
                None => self.make(None),
            };
            ask.push((*user, *cause, brake));
        }
        let changed = self.ask_actors(shared, tenant, ask).await?;
        if hold.is_none() {
            self.braking.lost += changed;
        }
        for (user, Deferred { cause, deferral, .. }) in piece {
            let waits = hold.is_some() && deferral.mass;
            if let Some(role) = deferral.protected.as_ref().filter(|_| !waits) {
                let before = self.report.changed;
                self.leave_protected(shared, tenant, *user, *cause, role).await?;
                if deferral.mass {
                    self.braking.lost += self.report.changed - before;
                }
            }
        }
        Ok(())
    }

    /// Decides whether the mapped roles that would go are so many that they wait.
    async fn decide(&mut self, shared: &Shared) -> Result<Decided, ChangeError> {
        let mass = self.braking.deferred.values().filter(|deferred| deferred.deferral.mass).count();
        let mass = u64::try_from(mass).unwrap_or(u64::MAX);
        let accounts = shared.snapshot()?.counts(shared.key)?.users;
        let lost = mass.saturating_add(self.braking.lost_before);
        let decided = if mass == 0 || !self.can_be_held() {
            Decided::Go
        } else if let Some(hold) = self.join_hold(shared, mass).await? {
            Decided::Wait(hold)
        } else if shared.config().settings.hold.applies_to(lost, accounts) {
            Decided::Wait(self.open_hold(shared, mass, accounts).await?)
        } else {
            Decided::Go
        };
        self.braking.decided = Some(decided);
        Ok(decided)
    }

    /// Joins the hold that is open for this wave, or for sweeps: an earlier pass opened it, perhaps
    /// before a crash, and what it counted is one change with what this pass would do.
    async fn join_hold(
        &mut self,
        shared: &Shared,
        accounts: u64,
    ) -> Result<Option<HoldId>, ChangeError> {
        let wave = self.wave();
        let is_ours = |hold: &Hold| match wave {
            Some(_) => hold.wave == wave,
            None => hold.wave.is_none() && hold.trigger == self.trigger.name(),
        };
        let open = |hold: &Hold| hold.state == HoldState::Open && is_ours(hold);
        let Some(hold) = newest_holds(shared)?.into_iter().find(open) else { return Ok(None) };
        let counted = move |hold: &mut Hold, _| hold.accounts += accounts;
        self.change_hold(shared, hold.id, counted).await?;
        self.report.held = Some(Held { hold: hold.id, accounts });
        Ok(Some(hold.id))
    }

    async fn open_hold(
        &mut self,
        shared: &Shared,
        accounts: u64,
        of: u64,
    ) -> Result<HoldId, ChangeError> {
        let now = shared.clock.now();
        let wave = self.wave();
        let hold = Hold {
            id: HoldId::new(now),
            state: HoldState::Open,
            opened_at: now,
            trigger: self.trigger.name().to_owned(),
            wave,
            accounts,
            of,
            closed_at: None,
            closed_by: None,
            done_at: None,
        };
        let event = Event { kind: EventType::HoldOpened, data: serde_json::Map::new() }
            .with("hold", hold.id.to_string())
            .with("trigger", hold.trigger.as_str())
            .with("wave", wave.map(|wave| wave.to_string()))
            .with("accounts", accounts)
            .with("of", of);
        let change = Changeset::new(shared.key, now, wave)
            .by(self.author.clone())
            .with(Operation::put(&hold)?)
            .telling([event]);
        shared.commit(change).await?;
        tracing::warn!(
            tenant.id = %shared.id, hold.id = %hold.id, accounts, of,
            "a mass change of roles waits for an operator",
        );
        self.report.held = Some(Held { hold: hold.id, accounts });
        Ok(hold.id)
    }

    /// Takes an account out of a protected role, if somebody else has it.
    async fn leave_protected(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        user: UserId,
        cause: Cause,
        role: &str,
    ) -> Result<(), ChangeError> {
        for _ in 0..WITNESSES_MAX {
            let known = self.braking.witnesses.get(role).copied().filter(|known| *known != user);
            let witness = match known {
                Some(known) => Some(known),
                None => find_witness(&shared.snapshot()?, shared, role, user)?,
            };
            let Some(witness) = witness else { break };
            self.braking.witnesses.insert(role.to_owned(), witness);
            let brake = self.make(Some(witness));
            match self.ask_one(shared, tenant, (user, cause, brake)).await? {
                Some(Reconciled::NoWitness) => {
                    self.braking.witnesses.remove(role);
                }
                _ => return Ok(()),
            }
        }
        let kept = self.ask_one(shared, tenant, (user, cause, Brake::Keep)).await?;
        if let Some(Reconciled::Withheld(change)) = kept {
            tracing::warn!(
                tenant.id = %shared.id, user.id = %user, role,
                "the last active account in a protected role keeps it",
            );
            self.keep(change);
        }
        Ok(())
    }

    fn keep(&mut self, change: RoleChange) {
        if self.report.kept.len() < CHANGES_NAMED_MAX {
            self.report.kept.push(change);
        }
    }

    /// Marked groups are done when the last of their members is.
    async fn clear_groups(&mut self, shared: &Shared) -> Result<(), ChangeError> {
        if self.braking.groups.is_empty() {
            return Ok(());
        }
        let mut change = Changeset::new(shared.key, shared.clock.now(), None)
            .requiring(Requirement::Config(shared.config().revision));
        change.operations = self
            .braking
            .groups
            .iter()
            .map(|(group, generation)| Operation::ClearMark {
                marked: Marked::Group(*group),
                generation: *generation,
            })
            .collect();
        shared.commit(change).await?;
        self.braking.groups.clear();
        Ok(())
    }

    /// What the real run would do about changes that leave a protected role: the youngest goes
    /// first, as long as somebody else has it.
    fn simulate_deferred(&mut self) {
        for Deferred { deferral, change, .. } in
            std::mem::take(&mut self.braking.deferred).into_values().rev()
        {
            let Some((role, change)) = deferral.protected.zip(change) else { continue };
            let holders = self.braking.holders.entry(role).or_default();
            if *holders <= 1 {
                self.keep(change);
                continue;
            }
            *holders -= 1;
            if let Some(next) = change.to.as_ref().and_then(|to| self.braking.holders.get_mut(to)) {
                *next += 1;
            }
            self.count(change);
        }
    }

    /// Goes on with the deferred, if there are any.
    pub(super) fn has_deferred(&self) -> bool {
        !self.braking.deferred.is_empty() || !self.braking.groups.is_empty()
    }
}

/// Whether the rest of a hold is to wait too. Once an operator has approved it, it is made like any
/// change: those that leave a protected role one after the other.
fn still_waits(shared: &Shared, hold: HoldId) -> Result<bool, ChangeError> {
    let key = DocumentKey::id(hold.as_bytes());
    let kept = shared.snapshot()?.document::<Hold>(shared.key, &key)?;
    Ok(kept.is_none_or(|kept| kept.value.state != HoldState::Approved))
}

/// The oldest other active account with this role.
fn find_witness(
    snapshot: &Snapshot,
    shared: &Shared,
    role: &str,
    except: UserId,
) -> Result<Option<UserId>, ChangeError> {
    let mut after = None;
    loop {
        let accounts = snapshot.readable_accounts(shared.key, after, PIECE)?;
        let Some((last, _)) = accounts.last() else { return Ok(None) };
        after = Some(*last);
        let found = accounts.into_iter().find(|(user, account)| {
            *user != except
                && account.as_ref().is_ok_and(|account| {
                    account.status == Status::Active && account.role.as_deref() == Some(role)
                })
        });
        if let Some((user, _)) = found {
            return Ok(Some(user));
        }
    }
}
