//! Reads back what the target holds, and compares it with what it must hold.
//!
//! Everything is read by the means of RFC 7644 alone, so that any service provider can be verified:
//! lists in pages, then group by group with its members. Attributes that the directory has no value
//! for must be absent where the simulation created the user; where it was found, they are not
//! compared, since Entra never clears one. People of other domains are not ours to judge.
//! Users are compared in [`users`], groups in [`groups`], roles in [`roles`].

mod groups;
pub mod roles;
mod users;

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Client, Request, SendError};
use super::directory::{Directory, Person};
use super::links::Links;
use super::list::{List, text};
use super::operation::Operation;
use crate::wording::shortened;

/// Resources that are asked for at once.
const PAGE: usize = 200;
/// Differences that are told in words.
const TOLD_MAX: usize = 10;
/// Characters of such a difference, and of each text in it.
const TOLD_CHARS_MAX: usize = 500;
const TEXT_CHARS_MAX: usize = 120;

/// What was compared, and what differs.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Users that were compared.
    pub users: u64,
    /// Groups that were compared.
    pub groups: u64,
    /// Memberships that were compared.
    pub memberships: u64,
    /// Roles that were compared; none if there is no way to read them.
    pub roles: Option<u64>,
    /// How many differences there are.
    pub differences: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
}

impl Comparison {
    /// One difference more.
    pub fn differs(&mut self, say: impl FnOnce() -> String) {
        self.differences += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(shortened(&say(), TOLD_CHARS_MAX));
        }
    }

    /// Takes in what was found elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.users += other.users;
        self.groups += other.groups;
        self.memberships += other.memberships;
        self.roles = match (self.roles, other.roles) {
            (Some(mine), Some(others)) => Some(mine + others),
            (mine, others) => mine.or(others),
        };
        self.differences += other.differences;
        let room = TOLD_MAX.saturating_sub(self.told.len());
        self.told.extend(other.told.into_iter().take(room));
    }
}

/// The target could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadBackError {
    /// There was no answer.
    #[error("{path} got no answer")]
    Send {
        /// What was asked for.
        path: String,
        /// Why.
        #[source]
        source: SendError,
    },
    /// The answer was not a success.
    #[error("{path} was answered {status}")]
    Refused {
        /// What was asked for.
        path: String,
        /// What was answered.
        status: u16,
    },
    /// The answer was not understood.
    #[error("the answer to {path} is not what RFC 7644 says")]
    NotUnderstood {
        /// What was asked for.
        path: String,
    },
}

/// Reads everything back, and compares it.
pub async fn compare(
    client: &Client,
    directory: &Directory,
    links: &Links,
    concurrency: usize,
) -> Result<Comparison, ReadBackError> {
    let reader = Reader::new(client, directory, links, concurrency);
    let mut found = Comparison::default();
    let present = reader.users(&mut found).await?;
    reader.groups(&mut found, &present).await?;
    Ok(found)
}

struct Reader<'a> {
    client: &'a Client,
    directory: &'a Directory,
    links: &'a Links,
    /// By the ids that the target gave.
    people: HashMap<&'a str, usize>,
    concurrency: usize,
}

impl<'a> Reader<'a> {
    fn new(
        client: &'a Client,
        directory: &'a Directory,
        links: &'a Links,
        concurrency: usize,
    ) -> Self {
        let people = links.people().map(|(position, id)| (id.as_ref(), position)).collect();
        Self { client, directory, links, people, concurrency }
    }

    /// The person whose user has this id.
    fn person(&self, id: &str) -> Option<&Person> {
        self.directory.people.get(*self.people.get(id)?)
    }

    /// Whether the target must have a user of the person: whoever left before it knew them was
    /// never created.
    fn is_expected(&self, position: usize, person: &Person) -> bool {
        person.standing.is_active() || self.links.person(position).is_some()
    }

    /// Calls `each` with every resource of a list, read in pages.
    async fn list(
        &self,
        endpoint: &str,
        also: &str,
        mut each: impl FnMut(&Value),
    ) -> Result<(), ReadBackError> {
        let mut seen: HashSet<String> = HashSet::new();
        let mut start = 1;
        loop {
            let page: List =
                self.read(&format!("{endpoint}?startIndex={start}&count={PAGE}{also}")).await?;
            let mut news = 0;
            for resource in &page.resources {
                // A page that overlaps with the one before it, or repeats it, is nothing new.
                if seen.insert(text(resource, "id").unwrap_or_default().to_owned()) {
                    news += 1;
                    each(resource);
                }
            }
            start += page.resources.len();
            if news == 0 || start > page.total_results {
                return Ok(());
            }
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ReadBackError> {
        let sent = self.client.send(Request::get(Operation::Verify, path)).await;
        let path = || path.to_owned();
        let answer = sent.map_err(|source| ReadBackError::Send { path: path(), source })?;
        if !answer.is_success() {
            return Err(ReadBackError::Refused { path: path(), status: answer.status });
        }
        let read = serde_json::from_slice(&answer.body);
        read.map_err(|_| ReadBackError::NotUnderstood { path: path() })
    }
}

/// What something is, and what it must be.
fn is_not(is: Option<&str>, expected: &str) -> String {
    match is {
        Some(is) => format!("is {}, not {}", shown(is), shown(expected)),
        None => format!("is missing, not {}", shown(expected)),
    }
}

/// A text between quotation marks, not too long.
fn shown(text: &str) -> String {
    format!("{:?}", shortened(text, TEXT_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_what_a_service_says_a_difference_stays_readable() {
        let endless = "x".repeat(100_000);
        let mut found = Comparison::default();

        found.differs(|| format!("group {:?}: externalId {}", endless, is_not(None, &endless)));

        assert_eq!(found.told[0].chars().count(), TOLD_CHARS_MAX + 1);
        assert!(is_not(Some(&endless), "short").ends_with("not \"short\""));
    }
}
