//! Reads back what the target holds, and compares it with what it must hold.
//!
//! Everything is read by the means of RFC 7644 alone, so that any service provider can be verified:
//! lists in pages, then group by group with its members. Attributes that the directory has no value
//! for are not compared: Entra never clears one. People of other domains are not ours to judge.
//! Roles are compared in [`roles`].

pub mod roles;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;

use super::attribute::ENTERPRISE;
use super::client::{Client, Request, SendError};
use super::directory::{Directory, Group, Person, Standing};
use super::operation::Operation;
use super::perform::Links;

/// Resources that are asked for at once.
const PAGE: usize = 200;
/// Differences that are told in words.
const TOLD_MAX: usize = 10;

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
            self.told.push(say());
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

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "totalResults")]
    total_results: usize,
    #[serde(rename = "Resources", default)]
    resources: Vec<Value>,
}

/// Reads everything back, and compares it.
pub async fn compare(
    client: &Client,
    directory: &Directory,
    links: &Links,
    concurrency: usize,
) -> Result<Comparison, ReadBackError> {
    let reader = Reader { client, directory, links, concurrency };
    let mut found = Comparison::default();
    let present = reader.users(&mut found).await?;
    reader.groups(&mut found, &present).await?;
    Ok(found)
}

struct Reader<'a> {
    client: &'a Client,
    directory: &'a Directory,
    links: &'a Links,
    concurrency: usize,
}

impl Reader<'_> {
    /// Compares all users. Answers the ids of those that are there.
    async fn users(&self, found: &mut Comparison) -> Result<HashSet<String>, ReadBackError> {
        let known: HashMap<&str, usize> = self
            .directory
            .present()
            .filter_map(|(position, _)| Some((self.links.person(position)?.as_ref(), position)))
            .collect();
        let mut seen = HashSet::new();
        let domain = format!("@{}", self.directory.namer.domain());
        self.list("/Users", "", |user| {
            let id = text(user, "id").unwrap_or_default();
            let person = known.get(id).and_then(|one| self.directory.people.get(*one));
            if let Some(person) = person {
                found.users += 1;
                self.compare_user(found, person, user);
            } else if text(user, "userName").is_some_and(|name| name.ends_with(&domain)) {
                let name = text(user, "userName").unwrap_or_default();
                found.differs(|| format!("user {name:?} is there and must not be"));
            }
            seen.insert(id.to_owned());
        })
        .await?;
        for (position, person) in self.directory.present() {
            let there = self.links.person(position).is_some_and(|id| seen.contains(id.as_ref()));
            if !there {
                found.users += 1;
                found.differs(|| format!("user {:?} is missing", person.user_name()));
            }
        }
        Ok(seen)
    }

    fn compare_user(&self, found: &mut Comparison, person: &Person, user: &Value) {
        let name = person.user_name();
        for (attribute, expected) in person.attributes() {
            let is = attribute.read(user);
            if is != Some(expected) {
                let path = attribute.path();
                found.differs(|| format!("user {name:?}: {path} {}", is_not(is, expected)));
            }
        }
        let active = user.get("active").and_then(Value::as_bool);
        let expected = person.standing.is_active();
        if active.unwrap_or(true) != expected {
            found.differs(|| format!("user {name:?}: active is {}", !expected));
        }
        let manager = person.manager.and_then(|manager| self.links.person(manager));
        if let Some(expected) = manager {
            let is = user.get(ENTERPRISE).and_then(|extension| extension.get("manager"));
            let is = is.and_then(|manager| manager.get("value")).and_then(Value::as_str);
            if is != Some(expected.as_ref()) {
                found.differs(|| format!("user {name:?}: manager {}", is_not(is, expected)));
            }
        }
    }

    /// Compares all groups, and who is in them.
    async fn groups(
        &self,
        found: &mut Comparison,
        present: &HashSet<String>,
    ) -> Result<(), ReadBackError> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut ids_by_name: HashMap<String, u32> = HashMap::new();
        self.list("/Groups", "&excludedAttributes=members", |group| {
            let name = text(group, "displayName").unwrap_or_default();
            *ids_by_name.entry(name.to_owned()).or_default() += 1;
            names.insert(text(group, "id").unwrap_or_default().to_owned(), name.to_owned());
        })
        .await?;
        let expected = self.directory.members();
        let mut there: Vec<(Arc<str>, usize)> = Vec::new();
        for (position, group) in self.directory.groups.iter().enumerate() {
            found.groups += 1;
            let name = group.display_name();
            let listed = self.links.group(position).and_then(|id| Some((id, names.get(&**id)?)));
            let Some((id, listed)) = listed else {
                found.differs(|| format!("group {name:?} is missing"));
                continue;
            };
            if listed != name {
                found.differs(|| format!("group {name:?} is called {listed:?}"));
            }
            if ids_by_name.get(name).is_some_and(|times| *times > 1) {
                found.differs(|| format!("group {name:?} is there more than once"));
            }
            there.push((Arc::clone(id), position));
        }
        let mut reads = stream::iter(there)
            .map(async |(id, position)| (self.members(&id).await, position))
            .buffered(self.concurrency.max(1));
        while let Some((members, position)) = reads.next().await {
            let name = self.directory.groups.get(position).map_or("", Group::display_name);
            let people = expected.get(position).map_or(&[][..], Vec::as_slice);
            self.compare_members(found, present, name, people, &members?);
        }
        Ok(())
    }

    fn compare_members(
        &self,
        found: &mut Comparison,
        present: &HashSet<String>,
        group: &str,
        people: &[usize],
        members: &BTreeSet<String>,
    ) {
        let who = |id: &str| {
            let linked = |one: &Option<Arc<str>>| one.as_deref() == Some(id);
            let position = self.links.people.iter().position(linked);
            position.and_then(|position| self.directory.people.get(position))
        };
        let mut expected: BTreeSet<&str> = BTreeSet::new();
        for position in people {
            found.memberships += 1;
            let Some(person) = self.directory.people.get(*position) else { continue };
            match self.links.person(*position) {
                Some(id) if members.contains(id.as_ref()) => {
                    expected.insert(id);
                }
                _ => found.differs(|| format!("group {group:?} lacks {:?}", person.user_name())),
            }
        }
        for id in members {
            if expected.contains(id.as_str()) {
                continue;
            }
            match who(id) {
                Some(person) if person.standing == Standing::Deleted => {
                    let name = person.user_name();
                    found.differs(|| format!("group {group:?} holds {name:?}, who is deleted"));
                }
                Some(person) => {
                    let name = person.user_name();
                    found.differs(|| format!("group {group:?} holds {name:?} and must not"));
                }
                None if present.contains(id) => {
                    found.differs(|| format!("group {group:?} holds the unknown user {id}"));
                }
                None => found.differs(|| format!("group {group:?} holds {id}, who does not exist")),
            }
        }
    }

    async fn members(&self, id: &str) -> Result<BTreeSet<String>, ReadBackError> {
        let group: Value = self.read(&format!("/Groups/{id}")).await?;
        let members = group.get("members").and_then(Value::as_array);
        let members = members.into_iter().flatten();
        Ok(members.filter_map(|member| text(member, "value")).map(str::to_owned).collect())
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
            let page: Page =
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

    async fn read<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<T, ReadBackError> {
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

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn is_not(is: Option<&str>, expected: &str) -> String {
    match is {
        Some(is) => format!("is {is:?}, not {expected:?}"),
        None => format!("is missing, not {expected:?}"),
    }
}
