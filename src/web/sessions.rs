//! Who is logged in, in memory: a restart ends every session.
//!
//! A session's id is 256 random bits; only its SHA-256 is kept here. A session ends when it was not
//! used for [`IDLE_MAX`], at [`LIFE_MAX`] in any case, and at once at a log-out. That of a setup
//! link ends with its link too, which is looked up at every request ([`super::admit`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use access::wave::later;
use access::{TenantId, TokenId};
use jiff::Timestamp;
use store::token::{NoRandomness, random_hex, sha256};

/// Sessions at once. Beyond, the one that was not used for longest ends.
const SESSIONS_MAX: usize = 4_096;
/// Sessions of one setup link at once: a link that is passed around ends nobody else's.
const SESSIONS_PER_LINK_MAX: usize = 16;
/// How long a session may rest.
pub const IDLE_MAX: Duration = Duration::from_hours(2);
/// How long a session lasts at most.
pub const LIFE_MAX: Duration = Duration::from_hours(12);

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Somebody who knows the operator token.
    Operator,
    /// Somebody who opened a setup link: the administrator of this tenant, and of no other.
    Setup {
        /// Whose pages are open.
        tenant: TenantId,
        /// Which link it was.
        link: TokenId,
        /// What operators call it.
        label: String,
    },
}

/// Something that is said once, on the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is bad news.
    pub is_error: bool,
    /// The words.
    pub text: String,
}

/// One session.
pub struct Session {
    /// Who it is.
    pub who: Who,
    /// What forms must send with them.
    pub csrf: String,
    started_at: Timestamp,
    state: Mutex<State>,
}

struct State {
    used_at: Timestamp,
    ended: bool,
    notice: Option<Notice>,
}

/// Sessions by the SHA-256 of their ids.
type Kept = HashMap<[u8; 32], Arc<Session>>;

/// Everybody who is logged in.
#[derive(Default)]
pub struct Sessions(Mutex<Kept>);

impl Session {
    /// Says something on the next page.
    pub fn notify(&self, notice: Notice) {
        self.state().notice = Some(notice);
    }

    /// Takes what is to be said.
    pub fn take_notice(&self) -> Option<Notice> {
        self.state().notice.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has neither ended nor rested too long.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let state = self.state();
        let used_until = later(state.used_at, IDLE_MAX);
        !state.ended && now < used_until && now < later(self.started_at, LIFE_MAX)
    }
}

impl Sessions {
    /// Starts a session. Answers what its cookie holds.
    pub fn start(&self, who: Who, now: Timestamp) -> Result<String, NoRandomness> {
        let (id, csrf) = (random_hex()?, random_hex()?);
        let state = Mutex::new(State { used_at: now, ended: false, notice: None });
        let session = Arc::new(Session { who, csrf, started_at: now, state });
        let mut sessions = self.all();
        if let Who::Setup { .. } = session.who {
            make_room(&mut sessions, SESSIONS_PER_LINK_MAX, |other| other.who == session.who);
        }
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.is_live(now));
        }
        make_room(&mut sessions, SESSIONS_MAX, |_| true);
        sessions.insert(sha256(&id), session);
        Ok(id)
    }

    /// The session of a cookie. `is_used`: whether somebody does something with it, so that it does
    /// not rest.
    pub fn find(&self, id: &str, now: Timestamp, is_used: bool) -> Option<Arc<Session>> {
        let key = sha256(id);
        let session = self.all().get(&key).map(Arc::clone)?;
        if !session.is_live(now) {
            self.all().remove(&key);
            return None;
        }
        if is_used {
            session.state().used_at = now;
        }
        Some(session)
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        end(&mut self.all(), &sha256(id));
    }

    fn all(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the one of these that was not used for longest, if there are as many as there may be.
fn make_room(sessions: &mut Kept, max: usize, is_one: impl Fn(&Session) -> bool) {
    let own = || sessions.iter().filter(|(_, session)| is_one(session));
    if own().count() >= max
        && let Some(id) =
            own().min_by_key(|(_, session)| session.state().used_at).map(|(id, _)| *id)
    {
        end(sessions, &id);
    }
}

fn end(sessions: &mut Kept, id: &[u8; 32]) {
    if let Some(session) = sessions.remove(id) {
        // Streams that it opened hold it still.
        session.state().ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_rests_too_long_or_lasts_too_long() {
        let sessions = Sessions::default();
        let id = sessions.start(Who::Operator, at(0)).unwrap();
        for hour in 1..12 {
            assert!(sessions.find(&id, at(hour * 3_600), true).is_some(), "{hour}");
        }
        assert!(sessions.find(&id, at(12 * 3_600), true).is_none());

        let id = sessions.start(Who::Operator, at(0)).unwrap();
        assert!(sessions.find(&id, at(2 * 3_600), true).is_none());
    }

    #[test]
    fn a_session_that_has_ended_is_not_found_and_others_are() {
        let sessions = Sessions::default();
        let one = sessions.start(Who::Operator, at(0)).unwrap();
        let other = sessions.start(Who::Operator, at(0)).unwrap();

        sessions.end(&one);

        assert!(sessions.find(&one, at(1), true).is_none());
        assert!(sessions.find(&other, at(1), true).is_some());
        assert!(sessions.find("", at(1), true).is_none());
    }

    #[test]
    fn there_are_never_more_sessions_than_the_limit() {
        let sessions = Sessions::default();
        let first = sessions.start(Who::Operator, at(0)).unwrap();
        for second in 1..=i64::try_from(SESSIONS_MAX).unwrap() {
            sessions.start(Who::Operator, at(second)).unwrap();
        }

        assert_eq!(sessions.all().len(), SESSIONS_MAX);
        assert!(sessions.find(&first, at(1), true).is_none());
    }

    #[test]
    fn a_page_that_asks_for_itself_keeps_no_session_awake() {
        let sessions = Sessions::default();
        let id = sessions.start(Who::Operator, at(0)).unwrap();

        assert!(sessions.find(&id, at(3_600), false).is_some());

        assert!(sessions.find(&id, at(2 * 3_600), false).is_none());
    }

    #[test]
    fn a_setup_link_that_is_opened_often_ends_its_own_sessions() {
        let sessions = Sessions::default();
        let operator = sessions.start(Who::Operator, at(0)).unwrap();
        let link = TokenId::new(at(0));
        let who = || Who::Setup { tenant: "acme".parse().unwrap(), link, label: String::new() };
        let first = sessions.start(who(), at(1)).unwrap();
        let opened = sessions.find(&first, at(1), true).unwrap();
        for second in 2..=20 {
            sessions.start(who(), at(second)).unwrap();
        }

        assert_eq!(sessions.all().len(), 1 + SESSIONS_PER_LINK_MAX);
        assert!(!opened.is_live(at(20)) && sessions.find(&first, at(20), true).is_none());
        assert!(sessions.find(&operator, at(20), true).is_some());
    }

    #[test]
    fn what_is_to_be_said_is_said_once() {
        let sessions = Sessions::default();
        let id = sessions.start(Who::Operator, at(0)).unwrap();
        let session = sessions.find(&id, at(1), true).unwrap();

        session.notify(Notice { is_error: false, text: "locked".into() });

        assert_eq!(session.take_notice().unwrap().text, "locked");
        assert_eq!(session.take_notice(), None);
    }
}
