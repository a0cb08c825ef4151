//! One job on the wire: the requests that it takes, in their order.
//!
//! A job that could not be done says why; what is owed then is the tenant's business.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::address::{look_up, resource};
use super::client::{Answer, Client, Request, SendError};
use super::cycle::{AttributeChange, Direction, GROUP_REQUESTS_AT_ONCE_MAX, Job};
use super::dialect::{self, Dialect, NewValue};
use super::directory::{Directory, Group, Person};
use super::links::{Learned, Links};
use super::list::List;
use super::operation::Operation;

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

impl JobError {
    /// Its kind, where no status of an answer tells of it.
    pub const fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Send(_) | Self::Refused(_) => None,
            Self::NotUnderstood(_) => Some("not understood"),
            Self::NoLink => Some("not sent"),
        }
    }
}

/// A created resource, as far as it matters.
#[derive(Debug, Deserialize)]
struct Created {
    id: String,
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
        if let Some(id) = self.match_user(person).await? {
            self.write_user(&id, person).await?;
            return Ok(Learned::Person { position, id, created: false });
        }
        let id = self.create_user(person).await?;
        Ok(Learned::Person { position, id, created: true })
    }

    async fn match_user(&self, person: &Person) -> Result<Option<Arc<str>>, JobError> {
        self.find(Operation::MatchUser, "/Users", "userName", person.user_name()).await
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
        // The user is there, whatever comes of reading it: a failure is counted, and nothing owed.
        let _ = self.client.send(Request::get(Operation::ReadUser, resource("/Users", &id))).await;
        Ok(id)
    }

    /// Writes all that is known of a user.
    async fn write_user(&self, id: &str, person: &Person) -> Result<(), JobError> {
        let values: Vec<NewValue<'_>> = person
            .attributes()
            .map(|(attribute, value)| NewValue { attribute, had_value: true, value })
            .collect();
        let body = self.dialect.update(&values, Some(person.standing.is_active()));
        let path = resource("/Users", id);
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
        let path = resource("/Users", self.links.person(position).ok_or(JobError::NoLink)?);
        self.success(Request::get(Operation::ReadUser, path.as_str())).await?;
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
        self.success(Request::with_body(operation, Method::PATCH, path, &body)).await?;
        Ok(Learned::Nothing)
    }

    async fn delete_user(&self, position: usize) -> Result<Learned, JobError> {
        let Some(id) = self.links.person(position) else { return Ok(Learned::Nothing) };
        let path = resource("/Users", id);
        let mut request = Request::new(Operation::DeleteUser, Method::DELETE, path);
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
        if let Some(id) = self.match_group(group).await? {
            self.patch_group(&id, &self.dialect.adopt_group(group)).await?;
            return Ok(Learned::Group { position, id });
        }
        let body = dialect::group(group);
        let request = Request::with_body(Operation::CreateGroup, Method::POST, "/Groups", &body);
        let answer = self.client.send(request).await?;
        let id = if answer.is_echo {
            let found = self.match_group(group).await?;
            found.ok_or(JobError::NotUnderstood("409, and yet no group has the displayName"))?
        } else {
            id_of(&answer)?
        };
        Ok(Learned::Group { position, id })
    }

    async fn match_group(&self, group: &Group) -> Result<Option<Arc<str>>, JobError> {
        self.find(Operation::MatchGroup, "/Groups", "displayName", group.display_name()).await
    }

    async fn patch_group(&self, id: &str, body: &serde_json::Value) -> Result<(), JobError> {
        let path = resource("/Groups", id);
        let request = Request::with_body(Operation::UpdateGroup, Method::PATCH, path, body);
        self.success(request).await.map(drop)
    }

    async fn read_group(&self, position: usize) -> Result<Learned, JobError> {
        // A group that could not be written is owed already.
        let Some(id) = self.links.group(position) else { return Ok(Learned::Nothing) };
        let path = format!("{}?excludedAttributes=members", resource("/Groups", id));
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
        let path = resource("/Users", id);
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
        let path = resource("/Groups", id);
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

    /// Looks for the one resource of this name. Answers its id.
    async fn find(
        &self,
        operation: Operation,
        endpoint: &str,
        attribute: &str,
        name: &str,
    ) -> Result<Option<Arc<str>>, JobError> {
        let request = Request::get(operation, look_up(endpoint, attribute, name));
        let answer = self.success(request).await?;
        let list: List = serde_json::from_slice(&answer.body)
            .map_err(|_| JobError::NotUnderstood("expected a ListResponse"))?;
        let id = list.id_of(attribute, name).map_err(JobError::NotUnderstood)?;
        Ok(id.map(Arc::from))
    }
}

fn id_of(answer: &Answer) -> Result<Arc<str>, JobError> {
    if !answer.is_success() {
        return Err(JobError::Refused(answer.status));
    }
    let created: Option<Created> = serde_json::from_slice(&answer.body).ok();
    let id = created.map(|one| one.id).filter(|id| !id.is_empty());
    id.map(Arc::from).ok_or(JobError::NotUnderstood("a created resource without an id"))
}
