//! A tenant and its directory: users and groups that are there before anything is measured, and the
//! requests of its waves.
//!
//! A wave goes from user to user, as Entra's cycles do, with four requests for each: a look-up by
//! userName, a change of one attribute, a GET, and a group that takes the user as a member. The next
//! time around, the group loses its members again, so that every change is one. No request needs the
//! answer to another, so that each can be sent when it is due.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::bodies::{new_title, user, user_name};
use super::connection;
use super::server::{Server, Tenant};

/// Requests for one user.
const STEPS: usize = 4;
/// Of how many users one is new, where there are new ones.
const NEW_EVERY: usize = 4;
/// Requests in flight while a tenant is filled.
const IN_FLIGHT: usize = 32;
/// Members that one request adds while a tenant is filled.
const MEMBERS_PER_REQUEST: usize = 1_000;
/// How long the roles of a new tenant may take to be as the rules say.
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(10);
/// The mapped group that half of the users are in from the start. No wave changes it.
const CREW: &str = "Crew";
/// The group whose members waves change.
pub(crate) const WATCH: &str = "Watch";

/// What a directory sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Look-ups and changes of users and of a group's members.
    Changes,
    /// That, and every fourth user is new.
    NewUsers,
    /// That, and as many new users are deleted as are made.
    Churn,
}

/// What became due, where the answer matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    NewUser,
    Other,
}

/// A tenant of a server, and what its directory knows of it.
pub(crate) struct Directory {
    pub(crate) address: SocketAddr,
    /// What paths of SCIM begin with.
    prefix: String,
    token: String,
    mix: Mix,
    /// The ids of the users that are there from the start, by number.
    users: Vec<String>,
    /// The id of the group whose members change.
    group: String,
    /// The number of the next request.
    next: Cell<usize>,
    /// The ids of users that were made since, and were not deleted.
    joined: RefCell<VecDeque<String>>,
}

impl Directory {
    /// Makes a tenant with so many users, waits until all have their roles, and then gives it these
    /// settings (a merge patch: null is what is shipped).
    pub(crate) async fn make(
        server: &Server,
        id: &str,
        users: usize,
        mix: Mix,
        settings: &Value,
    ) -> Self {
        let tenant = server.tenant(id).await;
        // Nothing waits for long while the tenant is filled.
        let soon = json!({
            "reconcile": {"settle": "100ms"},
            "role_mappings": [{"group": CREW, "role": "loanee"}],
        });
        change_settings(server, id, &soon).await;
        let create = |number| create(&tenant, number);
        let users: Vec<String> =
            stream::iter(0..users).map(create).buffered(IN_FLIGHT).collect().await;
        let crew: Vec<Value> = users.iter().step_by(2).map(|id| json!({"value": id})).collect();
        create_group(&tenant, CREW, &crew).await;
        let group = create_group(&tenant, WATCH, &[]).await;
        settled(server, id).await;
        change_settings(server, id, settings).await;

        let (base, endpoint) = (&server.running.base, &tenant.endpoint);
        Self {
            address: base.strip_prefix("http://").unwrap().parse().unwrap(),
            prefix: endpoint.strip_prefix(base.as_str()).unwrap().to_owned(),
            token: tenant.token,
            mix,
            users,
            group,
            next: Cell::new(0),
            joined: RefCell::default(),
        }
    }

    /// Appends the next request.
    pub(crate) fn write_next(&self, to: &mut Vec<u8>) -> Sent {
        let number = self.next.replace(self.next.get() + 1);
        let (visit, step) = (number / STEPS, number % STEPS);
        let is_new = self.mix != Mix::Changes && visit % NEW_EVERY == NEW_EVERY - 1;
        let (turn, place) = (visit / self.users.len(), visit % self.users.len());
        let id = &self.users[place];
        // New users have the numbers behind those that were there.
        let named = if is_new { self.users.len() + visit } else { place };
        match step {
            0 => self.look_up(named, to),
            1 if is_new => {
                self.write("POST", "/Users", &user(named), to);
                return Sent::NewUser;
            }
            1 => {
                let title = new_title(&format!("Mate {visit}"));
                self.write("PATCH", &format!("/Users/{id}"), &title, to);
            }
            2 if is_new && self.mix == Mix::Churn => match self.joined.borrow_mut().pop_front() {
                Some(joined) => self.write("DELETE", &format!("/Users/{joined}"), &[], to),
                // Its answer is late.
                None => self.look_up(named, to),
            },
            2 => self.write("GET", &format!("/Users/{id}"), &[], to),
            _ => {
                let operation = if turn.is_multiple_of(2) { "Add" } else { "Remove" };
                let path = format!("/Groups/{}", self.group);
                self.write("PATCH", &path, &member(operation, id), to);
            }
        }
        Sent::Other
    }

    /// Takes note of an answer.
    pub(crate) fn read(&self, sent: Sent, status: u16, body: &[u8]) {
        if self.mix == Mix::Churn && sent == Sent::NewUser && status == 201 {
            let made: Value = serde_json::from_slice(body).unwrap();
            self.joined.borrow_mut().push_back(made["id"].as_str().unwrap().to_owned());
        }
    }

    /// Users that were made by requests, and are still there.
    pub(crate) fn joined(&self) -> usize {
        self.joined.borrow().len()
    }

    fn look_up(&self, number: usize, to: &mut Vec<u8>) {
        let name = user_name(number).replace('@', "%40");
        self.write("GET", &format!("/Users?filter=userName+eq+%22{name}%22"), &[], to);
    }

    fn write(&self, method: &str, path: &str, body: &[u8], to: &mut Vec<u8>) {
        let Self { address, prefix, token, .. } = self;
        connection::write((*address, token), method, format_args!("{prefix}{path}"), body, to);
    }
}

/// A change of one member, in Entra's dialect.
fn member(operation: &str, id: &str) -> Vec<u8> {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"{operation}","path":"members","value":[{{"$ref":null,"value":"{id}"}}]}}]}}"#
    )
    .into_bytes()
}

async fn create(tenant: &Tenant, number: usize) -> String {
    let body = serde_json::from_slice(&user(number)).unwrap();
    let (status, made) = tenant.send(Method::POST, "/Users", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn create_group(tenant: &Tenant, name: &str, members: &[Value]) -> String {
    let body = json!({"displayName": name, "members": []});
    let (status, made) = tenant.send(Method::POST, "/Groups", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_str().unwrap();
    for some in members.chunks(MEMBERS_PER_REQUEST) {
        let body = json!({"Operations": [{"op": "Add", "path": "members", "value": some}]});
        let (status, answer) =
            tenant.send(Method::PATCH, &format!("/Groups/{id}"), Some(&body)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }
    id.to_owned()
}

/// Changes a tenant's settings by a merge patch.
async fn change_settings(server: &Server, id: &str, patch: &Value) {
    let path = format!("/tenants/{id}/settings");
    let changed = server.admin(Method::PATCH, &path, Some(patch)).await;
    assert!(changed["reconcile"].is_object(), "{changed}");
}

/// Waits until no wave is open, and every account has the role that the rules give.
async fn settled(server: &Server, id: &str) {
    let began = Instant::now();
    let read = async |list: &str| {
        server.admin(Method::GET, &format!("/tenants/{id}/{list}limit=1"), None).await
    };
    loop {
        let waves = read("waves?").await;
        let pending = read("accounts?pending=true&").await;
        let is_done = !waves["items"][0]["reconciled_at"].is_null();
        if is_done && pending["items"] == json!([]) {
            return;
        }
        assert!(began.elapsed() < SETTLE_WAIT_MAX, "the wave does not settle: {waves}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
