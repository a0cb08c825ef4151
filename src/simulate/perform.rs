//! One job on the wire: the requests that it takes, in their order.
//!
//! A job that could not be done says why; what is owed then is the tenant's business.

use std::sync::Arc;

use form_urlencoded::byte_serialize;
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::client::{Answer, Client, Request, SendError};
use super::cycle::{AttributeChange, Direction, GROUP_REQUESTS_AT_ONCE_MAX, Job};
use super::dialect::{self, Dialect, NewValue};
use super::directory::{Directory, Person};
use super::operation::Operation;

/// The ids that the target gave, by position in the directory.
#[derive(Debug, Default)]
pub struct Links {
    /// Of people.
    pub people: Vec<Option<Arc<str>>>,
    /// Of groups.
    pub groups: Vec<Option<Arc<str>>>,
}

impl Links {
    /// The id of a person, if the target has one.
    pub fn person(&self, position: usize) -> Option<&Arc<str>> {
        self.people.get(position)?.as_ref()
    }

    /// The id of a group, if the target has one.
    pub fn group(&self, position: usize) -> Option<&Arc<str>> {
        self.groups.get(position)?.as_ref()
    }
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// There is no answer that counts.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The target refused a request.
    #[error("the answer was {0}")]
    Refused(u16),
    /// The target answered a success that makes no sense.
    #[error("the answer was not understood: {0}")]
    NotUnderstood(&'static str),
    /// It refers to an object that the target does not have, since that could not be written.
    #[error("the target lacks what it refers to")]
    NoLink,
}

/// An id that was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// The id of a person.
    Person(usize, Arc<str>),
    /// The id of a group.
    Group(usize, Arc<str>),
    /// Nothing new.
    Nothing,
}

/// A resource, as far as it matters.
#[derive(Debug, Deserialize)]
struct Resource {
    id: Option<String>,
}

/// A list, as far as it matters.
#[derive(Debug, Deserialize)]
struct List {
    #[serde(rename = "Resources", default)]
    resources: Vec<Resource>,
}

/// Performs jobs of one tenant.
pub struct Performer<'a> {
    /// Where requests go.
    pub client: &'a Client,
    /// How their bodies are written.
    pub dialect: Dialect,
    /// What they are about.
    pub directory: &'a Directory,
    /// Under which ids.
    pub links: &'a Links,
    /// Turns by group.
    pub gates: &'a Gates,
}

/// Lets only so many requests to one group be under way at the same time.
pub struct Gates(Vec<Semaphore>);

impl Gates {
    /// For so many groups.
    pub fn new(groups: usize) -> Self {
        Self((0..groups).map(|_| Semaphore::new(GROUP_REQUESTS_AT_ONCE_MAX)).collect())
    }
}

impl Performer<'_> {
    /// Does it. Answers what was learned by it.
    pub async fn perform(&self, job: &Job) -> Result<Learned, JobError> {
        match job {
            Job::ProvisionUser { person } => self.provision_user(*person).await,
            Job::UpdateUser { person, changes, active } => {
                self.update_user(*person, changes, *active).await
            }
            Job::DeleteUser { person } => self.delete_user(*person).await,
            Job::ProvisionGroup { group } => self.provision_group(*group).await,
            Job::ReadGroup { group } => self.read_group(*group).await,
            Job::RenameGroup { group } => self.rename_group(*group).await,
            Job::SetManager { person, had_value } => self.set_manager(*person, *had_value).await,
            Job::ChangeMembers { group, direction, people, apart } => {
                self.change_members(*group, *direction, people, *apart).await
            }
        }
    }

    fn person(&self, position: usize) -> Result<&Person, JobError> {
        self.directory.people.get(position).ok_or(JobError::NoLink)
    }

    async fn provision_user(&self, position: usize) -> Result<Learned, JobError> {
        let person = self.person(position)?;
        if let Some(id) = self.links.person(position) {
            // It was there once. If it is no longer, it is sought and created as if it never was.
            match self.write_user(id, person).await {
                Err(JobError::Refused(404)) => {}
                written => return written.map(|()| Learned::Nothing),
            }
        }
        let id = match self.match_user(person).await? {
            Some(id) => {
                self.write_user(&id, person).await?;
                id
            }
            None => self.create_user(person).await?,
        };
        Ok(Learned::Person(position, id))
    }

    async fn match_user(&self, person: &Person) -> Result<Option<Arc<str>>, JobError> {
        let filter = format!("userName eq {}", quoted(person.user_name()));
        let path = format!("/Users?filter={}", encoded(&filter));
        self.find(Request::get(Operation::MatchUser, path)).await
    }

    async fn create_user(&self, person: &Person) -> Result<Arc<str>, JobError> {
        let body = dialect::user(person);
        let request = Request::with_body(Operation::CreateUser, Method::POST, "/Users", &body);
        let answer = self.client.send(request).await?;
        if answer.is_echo {
            // The first try was carried out, and its answer lost: the user is there.
            let found = self.match_user(person).await?;
            return found.ok_or(JobError::NotUnderstood("409, and yet nobody has the userName"));
        }
        let id = id_of(&answer)?;
        self.success(Request::get(Operation::ReadUser, format!("/Users/{id}"))).await?;
        Ok(id)
    }

    /// Writes all that is known of a user.
    async fn write_user(&self, id: &str, person: &Person) -> Result<(), JobError> {
        let values: Vec<NewValue<'_>> = person
            .attributes()
            .map(|(attribute, value)| NewValue { attribute, had_value: true, value })
            .collect();
        let body = self.dialect.update(&values, Some(person.standing.is_active()));
        let path = format!("/Users/{id}");
        let request = Request::with_body(Operation::UpdateUser, Method::PATCH, path, &body);
        self.success(request).await.map(drop)
    }

    async fn update_user(
        &self,
        position: usize,
        changes: &[AttributeChange],
        active: Option<bool>,
    ) -> Result<Learned, JobError> {
        let person = self.person(position)?;
        let id = self.links.person(position).ok_or(JobError::NoLink)?;
        self.success(Request::get(Operation::ReadUser, format!("/Users/{id}"))).await?;
        let values: Vec<NewValue<'_>> = changes
            .iter()
            .filter_map(|change| {
                let AttributeChange { attribute, had_value } = *change;
                Some(NewValue { attribute, had_value, value: person.get(attribute)? })
            })
            .collect();
        let operation = match active {
            Some(true) => Operation::EnableUser,
            Some(false) => Operation::DisableUser,
            None => Operation::UpdateUser,
        };
        let body = self.dialect.update(&values, active);
        let path = format!("/Users/{id}");
        self.success(Request::with_body(operation, Method::PATCH, path, &body)).await?;
        Ok(Learned::Nothing)
    }

    async fn delete_user(&self, position: usize) -> Result<Learned, JobError> {
        let Some(id) = self.links.person(position) else { return Ok(Learned::Nothing) };
        let path = format!("/Users/{id}");
        let mut request = Request::get(Operation::DeleteUser, path);
        request.method = Method::DELETE;
        // Somebody else was faster, or an earlier try was.
        request.also_fine = Some(404);
        match self.client.send(request).await?.status {
            200..300 | 404 => Ok(Learned::Nothing),
            status => Err(JobError::Refused(status)),
        }
    }

    async fn provision_group(&self, position: usize) -> Result<Learned, JobError> {
        let group = self.directory.groups.get(position).ok_or(JobError::NoLink)?;
        if let Some(id) = self.links.group(position) {
            let body = self.dialect.rename_group(group.display_name());
            match self.patch_group(id, &body).await {
                Err(JobError::Refused(404)) => {}
                patched => return patched.map(|()| Learned::Nothing),
            }
        }
        let filter = format!("displayName eq {}", quoted(group.display_name()));
        let path = format!("/Groups?excludedAttributes=members&filter={}", encoded(&filter));
        let matching = Request::get(Operation::MatchGroup, path);
        if let Some(id) = self.find(matching.clone()).await? {
            self.patch_group(&id, &self.dialect.adopt_group(group)).await?;
            return Ok(Learned::Group(position, id));
        }
        let body = dialect::group(group);
        let request = Request::with_body(Operation::CreateGroup, Method::POST, "/Groups", &body);
        let answer = self.client.send(request).await?;
        let id = if answer.is_echo {
            let found = self.find(matching).await?;
            found.ok_or(JobError::NotUnderstood("409, and yet no group has the displayName"))?
        } else {
            id_of(&answer)?
        };
        Ok(Learned::Group(position, id))
    }

    async fn patch_group(&self, id: &str, body: &serde_json::Value) -> Result<(), JobError> {
        let path = format!("/Groups/{id}");
        let request = Request::with_body(Operation::UpdateGroup, Method::PATCH, path, body);
        self.success(request).await.map(drop)
    }

    async fn read_group(&self, position: usize) -> Result<Learned, JobError> {
        // A group that could not be written is owed already.
        let Some(id) = self.links.group(position) else { return Ok(Learned::Nothing) };
        let path = format!("/Groups/{id}?excludedAttributes=members");
        self.success(Request::get(Operation::ReadGroup, path)).await?;
        Ok(Learned::Nothing)
    }

    async fn rename_group(&self, position: usize) -> Result<Learned, JobError> {
        let group = self.directory.groups.get(position).ok_or(JobError::NoLink)?;
        let id = self.links.group(position).ok_or(JobError::NoLink)?;
        self.read_group(position).await?;
        self.patch_group(id, &self.dialect.rename_group(group.display_name())).await?;
        Ok(Learned::Nothing)
    }

    async fn set_manager(&self, position: usize, had_value: bool) -> Result<Learned, JobError> {
        let person = self.person(position)?;
        let Some(manager) = person.manager else { return Ok(Learned::Nothing) };
        let id = self.links.person(position).ok_or(JobError::NoLink)?;
        let manager = self.links.person(manager).ok_or(JobError::NoLink)?;
        let body = self.dialect.manager(manager, had_value);
        let path = format!("/Users/{id}");
        let request = Request::with_body(Operation::SetManager, Method::PATCH, path, &body);
        self.success(request).await?;
        Ok(Learned::Nothing)
    }

    async fn change_members(
        &self,
        position: usize,
        direction: Direction,
        people: &[usize],
        apart: bool,
    ) -> Result<Learned, JobError> {
        let id = self.links.group(position).ok_or(JobError::NoLink)?;
        let members: Vec<&str> =
            people.iter().filter_map(|one| self.links.person(*one)).map(AsRef::as_ref).collect();
        if members.is_empty() {
            return Err(JobError::NoLink);
        }
        let operation = match direction {
            Direction::Join => Operation::AddMembers,
            Direction::Leave => Operation::RemoveMembers,
        };
        let body = self.dialect.members(direction, &members, apart);
        let path = format!("/Groups/{id}");
        let request = Request::with_body(operation, Method::PATCH, path, &body);
        let _turn = match self.gates.0.get(position) {
            Some(gate) => gate.acquire().await.ok(),
            None => None,
        };
        self.success(request).await?;
        // The others are not in the target; who could not be written is owed everything.
        Ok(Learned::Nothing)
    }

    /// Sends it, and takes nothing but a success.
    async fn success(&self, request: Request) -> Result<Answer, JobError> {
        let answer = self.client.send(request).await?;
        if answer.is_success() { Ok(answer) } else { Err(JobError::Refused(answer.status)) }
    }

    /// Sends a filter that fits at most one resource. Answers its id.
    async fn find(&self, request: Request) -> Result<Option<Arc<str>>, JobError> {
        let answer = self.success(request).await?;
        let list: List = serde_json::from_slice(&answer.body)
            .map_err(|_| JobError::NotUnderstood("expected a ListResponse"))?;
        match list.resources.as_slice() {
            [] => Ok(None),
            [Resource { id: Some(id) }] if !id.is_empty() => Ok(Some(id.as_str().into())),
            [_] => Err(JobError::NotUnderstood("a resource without an id")),
            _ => Err(JobError::NotUnderstood("more than one resource matches")),
        }
    }
}

fn id_of(answer: &Answer) -> Result<Arc<str>, JobError> {
    if !answer.is_success() {
        return Err(JobError::Refused(answer.status));
    }
    let resource: Option<Resource> = serde_json::from_slice(&answer.body).ok();
    let id = resource.and_then(|one| one.id).filter(|id| !id.is_empty());
    id.map(Arc::from).ok_or(JobError::NotUnderstood("a created resource without an id"))
}

/// A string of a filter (RFC 7644 section 3.4.2.2: as JSON writes it).
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value of a query.
pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotation_marks_stays_one_string_in_a_filter() {
        assert_eq!(quoted("R&D \"x\" \\ y"), r#""R&D \"x\" \\ y""#);
        assert_eq!(encoded("a eq \"b\"&c"), "a+eq+%22b%22%26c");
    }
}
