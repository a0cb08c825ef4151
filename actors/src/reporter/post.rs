//! The e-mails: what waits to be sent is in the reporter's position; what a mail says is read when
//! it is sent, so that nobody is reminded of what was returned meanwhile.
//!
//! Each recipient gets a mail of their own: an address that a server refuses takes the report from
//! nobody else.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use access::UserId;
use access::equipment::report::{Item, status_name, to_csv};
use access::wave::later;
use jiff::Timestamp;
use ractor::ActorRef;
use serde::{Deserialize, Serialize};
use store::ReadError;

use super::{Desk, Position, ReporterMessage, ReporterState, read};
use crate::equipment::report::{self, Reader, Wanted};
use crate::error::ChangeError;
use crate::mail::{Attachment, Mail, MailError};
use crate::shared::Shared;

/// Mails that wait; beyond it the oldest is given up.
const MAILS_MAX: usize = 16;
/// How long a mail is tried for.
const TRIED_FOR: Duration = Duration::from_hours(24);
/// How long to wait after the first failure; twice as long after each, up to a limit.
const WAIT_MIN: Duration = Duration::from_mins(1);
const WAIT_MAX: Duration = Duration::from_hours(1);
/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_mins(2);
/// Items that the attached file holds, and that the text shows.
const ITEMS_MAX: usize = 20_000;
const ITEMS_SHOWN_MAX: usize = 100;
/// Characters of a text that a line of the mail shows.
const CELL_CHARS_MAX: usize = 60;

/// A mail that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingMail {
    id: u64,
    about: About,
    queued_at: Timestamp,
    attempts: u32,
    next_attempt_at: Timestamp,
    /// Addresses that have it, or were refused for good.
    #[serde(default)]
    done: Vec<String>,
}

/// The mail that is being sent, and to whom.
pub(super) struct Sending {
    id: u64,
    to: Vec<Recipient>,
}

struct Recipient {
    /// The place of the address in the setting, from 1. It stands in the log, the address does not.
    number: usize,
    address: String,
}

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum About {
    /// Accounts that a wave has disabled or deleted.
    Wave(Vec<UserId>),
    /// Everybody.
    Reminder,
}

impl PendingMail {
    pub(super) fn of_wave(until: u64, accounts: Vec<UserId>, now: Timestamp) -> Self {
        Self::new(until, About::Wave(accounts), now)
    }

    pub(super) fn of_reminder(due: Timestamp, now: Timestamp) -> Self {
        let id = u64::try_from(due.as_millisecond()).unwrap_or_default();
        Self::new(id, About::Reminder, now)
    }

    const fn new(id: u64, about: About, now: Timestamp) -> Self {
        let done = Vec::new();
        Self { id, about, queued_at: now, attempts: 0, next_attempt_at: now, done }
    }

    /// The same after a failure; nothing if it was tried for long enough.
    fn again(mut self, now: Timestamp) -> Option<Self> {
        let wait = WAIT_MIN.saturating_mul(1 << self.attempts.min(16)).min(WAIT_MAX);
        self.attempts = self.attempts.saturating_add(1);
        self.next_attempt_at = later(now, wait);
        (self.next_attempt_at <= later(self.queued_at, TRIED_FOR)).then_some(self)
    }
}

impl Position {
    /// Puts a mail into the queue.
    pub(super) fn queue(&mut self, mail: PendingMail) {
        if self.mails.len() >= MAILS_MAX {
            self.mails.remove(0);
        }
        self.mails.push(mail);
    }
}

impl ReporterState {
    /// Whether there is somebody to mail to, and somebody to do it.
    pub(super) fn mails_reports(&self) -> bool {
        self.shared.mailer.is_some() && !self.shared.config().settings.equipment.email.is_empty()
    }

    /// Notes what came of a mail. Answers whether there was one.
    pub(super) async fn note_mailed(&mut self, desk: &Desk) -> Result<bool, ChangeError> {
        let Some((id, outcomes)) = self.mailed.clone() else { return Ok(false) };
        let mut position = desk.position.clone();
        let place = position.mails.iter().position(|mail| mail.id == id);
        let sent = self.sending.as_ref().filter(|sending| sending.id == id);
        if let (Some(place), Some(sent)) = (place, sent) {
            let mut mail = position.mails.remove(place);
            let mut put_off = sent.to.len() > outcomes.len();
            for (recipient, outcome) in sent.to.iter().zip(outcomes) {
                let (tenant, number) = (&self.shared.id, recipient.number);
                match outcome {
                    Ok(()) => {
                        tracing::info!(tenant.id = %tenant, address = number, "a report was mailed");
                        mail.done.push(recipient.address.clone());
                    }
                    Err(error @ MailError::Permanent(_)) => {
                        tracing::error!(
                            tenant.id = %tenant, address = number, %error, "a report is not mailed"
                        );
                        mail.done.push(recipient.address.clone());
                    }
                    Err(error @ MailError::Temporary(_)) => {
                        put_off = true;
                        tracing::warn!(
                            tenant.id = %tenant, address = number, %error, "mailing is put off"
                        );
                    }
                }
            }
            if put_off {
                match mail.again(desk.now) {
                    Some(again) => position.mails.insert(place, again),
                    None => {
                        tracing::error!(tenant.id = %self.shared.id, "mailing is given up");
                    }
                }
            }
            let change = desk.move_to(&self.shared, &position)?;
            self.shared.commit(change).await?;
        }
        self.mailed = None;
        self.sending = None;
        Ok(true)
    }

    /// Sends the next mail beside the actor, which goes on. Answers whether there is more to do at
    /// once.
    pub(super) async fn send_mail(
        &mut self,
        desk: &Desk,
        myself: &ActorRef<ReporterMessage>,
    ) -> Result<bool, ChangeError> {
        if self.sending.is_some() {
            return Ok(false);
        }
        let earliest = desk.position.mails.iter().min_by_key(|mail| mail.next_attempt_at);
        let Some(pending) = earliest.cloned() else { return Ok(false) };
        if pending.next_attempt_at > desk.now {
            self.wake(pending.next_attempt_at);
            return Ok(false);
        }
        let id = pending.id;
        let addresses = self.shared.config().settings.equipment.email.clone();
        let to: Vec<Recipient> = (1..)
            .zip(addresses)
            .map(|(number, address)| Recipient { number, address })
            .filter(|recipient| !pending.done.contains(&recipient.address))
            .collect();
        let mailer = self.shared.mailer.clone().filter(|_| !to.is_empty());
        let written = match &mailer {
            Some(_) => read(&self.shared, move |shared| write(shared, &pending)).await?,
            None => None,
        };
        let (Some(mailer), Some(mail)) = (mailer, written) else {
            // Nobody to mail to any more, or nothing to tell of.
            let mut position = desk.position.clone();
            position.mails.retain(|mail| mail.id != id);
            let change = desk.move_to(&self.shared, &position)?;
            self.shared.commit(change).await?;
            return Ok(true);
        };
        let addresses: Vec<String> = to.iter().map(|recipient| recipient.address.clone()).collect();
        self.sending = Some(Sending { id, to });
        let myself = myself.clone();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut outcomes = Vec::with_capacity(addresses.len());
            for address in addresses {
                let mail = Mail { to: vec![address], ..mail.clone() };
                let sent = tokio::time::timeout(ATTEMPT_MAX, mailer.send(mail)).await;
                let late = |_| Err(MailError::Temporary("there was no answer in time".into()));
                outcomes.push(sent.unwrap_or_else(late));
            }
            shared.reporter_observed.sent();
            // A reporter that was started again meanwhile sends it once more.
            if myself.cast(ReporterMessage::Mailed { id, outcomes }).is_err() {
                shared.reporter_observed.taken();
            }
        });
        Ok(false)
    }
}

/// What a mail says now, to nobody yet; nothing if there is nothing to say any more.
fn write(shared: &Shared, pending: &PendingMail) -> Result<Option<Mail>, ReadError> {
    let wanted = Wanted::default();
    let (items, more) = match &pending.about {
        About::Reminder => {
            let (items, next) = report::read(shared, &wanted, None, ITEMS_MAX)?;
            (items, next.is_some())
        }
        About::Wave(accounts) => {
            let Some(reader) = Reader::open(shared)? else { return Ok(None) };
            let mut items = Vec::new();
            for account in accounts {
                items.extend(reader.items(&wanted, *account)?);
            }
            let more = items.len() > ITEMS_MAX;
            items.truncate(ITEMS_MAX);
            (items, more)
        }
    };
    if items.is_empty() {
        return Ok(None);
    }
    let at_least = if more { "at least " } else { "" };
    let what = match pending.about {
        About::Wave(_) => "just disabled or deleted",
        About::Reminder => "disabled or deleted",
    };
    let subject = format!("{}: {at_least}{} not returned", shared.id, counted(items.len(), "item"));
    let mut people: Vec<UserId> = items.iter().map(|item| item.account).collect();
    people.dedup();
    let text = format!(
        "Tenant {}: {} {what} still {at_least}hold{} {}.\n\n{}",
        shared.id,
        counted(people.len(), "account"),
        if people.len() == 1 { "s" } else { "" },
        counted(items.len(), "item"),
        table(&items),
    );
    let csv = to_csv(&items).map_err(|error| {
        ReadError::Unavailable(format!("the report cannot be written: {error}"))
    })?;
    let csv = Some(Attachment { name: "disabled-with-equipment.csv".into(), bytes: csv });
    let id = format!("{}-equipment-{}", shared.id, pending.id);
    Ok(Some(Mail { id, to: Vec::new(), subject, text, csv, at: pending.queued_at }))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The first items, a line each, under their accounts.
fn table(items: &[Item]) -> String {
    let mut text = String::new();
    let mut account = None;
    for item in items.iter().take(ITEMS_SHOWN_MAX) {
        if account != Some(item.account) {
            account = Some(item.account);
            let days = item.age_days.unwrap_or_default();
            let manager = item.manager.as_deref().unwrap_or("unknown");
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{} ({} for {}, manager: {})",
                line(&item.user_name),
                status_name(item.status),
                counted(usize::try_from(days).unwrap_or_default(), "day"),
                line(manager),
            );
        }
        let _ = writeln!(text, "  {}  {}", line(&item.asset_id), line(&item.name));
    }
    if items.len() > ITEMS_SHOWN_MAX {
        let rest = items.len() - ITEMS_SHOWN_MAX;
        let _ = writeln!(text, "... and {rest} more; all of them are in the attached file.");
    }
    text
}

/// A text from outside on one line.
fn line(text: &str) -> String {
    let shown = text.chars().take(CELL_CHARS_MAX);
    shown.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
