//! Mails: what is sent, to whom, and what becomes of one that cannot be.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::mail::{Mail, MailError};
use actors::{Limits, Mailer, Service, TokioClock};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use store::MemoryStore;

use super::DAY;
use crate::test_tenant::{START, TestTenant, mins};

/// Takes mails, or refuses them, as it is told to.
#[derive(Default)]
struct Postman {
    taken: Mutex<Vec<Mail>>,
    answers: Mutex<Vec<MailError>>,
    attempts: Mutex<usize>,
    /// Nobody takes mails for these.
    refused: Mutex<Vec<String>>,
}

impl Postman {
    fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail_next(&self, error: &MailError, times: usize) {
        self.answers.lock().unwrap().extend(std::iter::repeat_n(error.clone(), times));
    }

    fn attempts(&self) -> usize {
        *self.attempts.lock().unwrap()
    }
}

struct Post(Arc<Postman>);

impl Mailer for Post {
    fn send(&self, mail: Mail) -> BoxFuture<'static, Result<(), MailError>> {
        *self.0.attempts.lock().unwrap() += 1;
        let refused =
            self.0.refused.lock().unwrap().iter().any(|address| mail.to.contains(address));
        let refused = refused.then(|| MailError::Permanent("no such mailbox".into()));
        let answer = refused.or_else(|| self.0.answers.lock().unwrap().pop());
        if answer.is_none() {
            self.0.taken.lock().unwrap().push(mail);
        }
        async move { answer.map_or(Ok(()), Err) }.boxed()
    }
}

impl TestTenant {
    /// A new tenant whose reports are mailed to `it@example.com`.
    async fn mailing(postman: &Arc<Postman>) -> Self {
        let clock = Arc::new(TokioClock::start(START));
        let mailer: Arc<dyn Mailer> = Arc::new(Post(Arc::clone(postman)));
        let store = Arc::new(MemoryStore::default());
        let service = Service::start_mailing(store, clock, Limits::default(), Some(mailer));
        let acme = Self::create(service.await.unwrap(), "acme").await;
        acme.change_settings(json!({"equipment": {"email": ["it@example.com"]}})).await;
        acme
    }
}

#[tokio::test(start_paused = true)]
async fn a_wave_and_a_reminder_are_mailed() {
    let postman = Arc::new(Postman::default());
    let acme = TestTenant::mailing(&postman).await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.upload(&[("L-1", "ada"), ("=L-2", "bob")]).await;
    acme.disable(ada).await;
    acme.settle().await;

    let [mail] = postman.taken().try_into().unwrap();
    assert_eq!(mail.to, ["it@example.com"]);
    assert_eq!(mail.subject, "acme: 1 item not returned");
    assert!(mail.text.contains("ada (disabled for 0 days, manager: unknown)\n  L-1"), "{mail:?}");
    let csv = String::from_utf8(mail.csv.unwrap().bytes).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");

    acme.disable(bob).await;
    acme.settle().await;
    let mail = postman.taken().pop().unwrap();
    // Only who is new.
    assert!(!mail.text.contains("ada"), "{mail:?}");
    acme.change_settings(json!({"equipment": {"schedule": "0 8 * * *"}})).await;
    acme.advance(DAY).await;
    let mails = postman.taken();
    assert_eq!(mails.len(), 3);
    assert_eq!(mails[2].subject, "acme: 2 items not returned");
    let csv = String::from_utf8(mails[2].csv.clone().unwrap().bytes).unwrap();
    assert!(csv.contains("'=L-2"), "{csv}");
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_cannot_be_sent_now_is_tried_again_for_a_day() {
    let postman = Arc::new(Postman::default());
    let acme = TestTenant::mailing(&postman).await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.upload(&[("L-1", "ada"), ("L-2", "bob")]).await;
    postman.fail_next(&MailError::Temporary("the server is away".into()), 5);
    acme.disable(ada).await;
    acme.settle().await;
    assert_eq!(postman.taken(), []);

    acme.advance(mins(40)).await;
    assert_eq!((postman.taken().len(), postman.attempts()), (1, 6));

    postman.fail_next(&MailError::Temporary("the server is away".into()), 1_000);
    acme.disable(bob).await;
    acme.advance(Duration::from_hours(27)).await;
    let attempts = postman.attempts() - 6;
    assert!((24..=32).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_refused_is_given_up() {
    let postman = Arc::new(Postman::default());
    let acme = TestTenant::mailing(&postman).await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    postman.fail_next(&MailError::Permanent("no such mailbox".into()), 1);
    acme.disable(ada).await;

    acme.advance(Duration::from_hours(3)).await;

    assert_eq!((postman.taken().len(), postman.attempts()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_refused_takes_the_report_from_nobody_else() {
    let postman = Arc::new(Postman::default());
    let acme = TestTenant::mailing(&postman).await;
    let to = ["gone@example.com", "it@example.com", "desk@example.com"];
    acme.change_settings(json!({"equipment": {"email": to}})).await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    postman.refused.lock().unwrap().push("gone@example.com".into());
    postman.fail_next(&MailError::Temporary("the server is busy".into()), 1);
    acme.disable(ada).await;

    acme.advance(Duration::from_hours(3)).await;

    let taken: Vec<_> = postman.taken().into_iter().flat_map(|mail| mail.to).collect();
    // The one who was put off comes last, and nobody gets it twice.
    assert_eq!(taken, ["desk@example.com", "it@example.com"]);
    assert_eq!(postman.attempts(), 4);
}
