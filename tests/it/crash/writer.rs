//! A writer: makes, changes and deletes users of its own, and remembers what it was answered.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{ScimClient, add_member, patch_op, remove_member, user};

/// What is known of one user.
struct Person {
    name: String,
    /// None while the answer to its creation is outstanding.
    id: Option<String>,
    /// What the display name may be: the answered one, and one that was sent without an answer.
    display_names: Vec<Option<String>>,
    /// Whether it may be in the writer's group.
    member: Vec<bool>,
    /// Whether it may exist.
    exists: Vec<bool>,
}

/// A writer with one group and many users, none of them another's.
pub(super) struct Writer {
    number: usize,
    steps: usize,
    group: String,
    people: Vec<Person>,
    /// Writes that were answered with success.
    pub(super) answered: usize,
    /// Writes whose answer never came.
    pub(super) unanswered: usize,
}

/// The name of a writer's group.
pub(super) fn group_name(number: usize) -> String {
    format!("Group of writer {number}")
}

impl Writer {
    /// The writer with this number; makes its group.
    pub(super) async fn new(number: usize, scim: &ScimClient) -> Self {
        let group = scim.create_group(&group_name(number)).await;
        Self { number, steps: 0, group, people: Vec::new(), answered: 1, unanswered: 0 }
    }

    /// Writes, one request after the other, until there is no answer.
    pub(super) async fn write_until_the_server_is_gone(&mut self, scim: &ScimClient) {
        while self.write(scim).await.is_some() {}
    }

    /// One write; none if it was not answered.
    async fn write(&mut self, scim: &ScimClient) -> Option<()> {
        self.steps += 1;
        let group_path = format!("/Groups/{}", self.group);
        let kind = self.steps % 5;
        // A person that is known to be there, not always the same.
        let known = |person: &Person| person.id.is_some() && person.exists == [true];
        let candidates: Vec<usize> =
            (0..self.people.len()).filter(|index| known(&self.people[*index])).collect();
        let chosen = match candidates.len() {
            0 => None,
            count => Some(candidates[self.steps * 7 % count]),
        };
        match (kind, chosen) {
            (0 | 1, _) | (_, None) => {
                let name = format!("writer{}-user{}", self.number, self.people.len());
                let body = user(&name);
                self.people.push(Person {
                    name,
                    id: None,
                    display_names: vec![None],
                    member: vec![false],
                    exists: vec![false, true],
                });
                let id = self.send(scim, Method::POST, "/Users", Some(&body)).await?;
                let person = self.people.last_mut()?;
                (person.id, person.exists) = (Some(id), vec![true]);
            }
            (2, Some(index)) => {
                let (name, path) = (format!("Name {}", self.steps), self.path_of(index));
                let operations = json!([{"op": "Replace", "path": "displayName", "value": name}]);
                self.people[index].display_names.push(Some(name.clone()));
                self.send(scim, Method::PATCH, &path, Some(&patch_op(&operations))).await?;
                self.people[index].display_names = vec![Some(name)];
            }
            (3, Some(index)) => {
                let joins = !self.people[index].member.contains(&true);
                let id = self.people[index].id.clone()?;
                let operations = if joins { add_member(&id) } else { remove_member(&id) };
                self.people[index].member.push(joins);
                self.send(scim, Method::PATCH, &group_path, Some(&patch_op(&operations))).await?;
                self.people[index].member = vec![joins];
            }
            (_, Some(index)) if self.steps.is_multiple_of(3) => {
                let path = self.path_of(index);
                self.people[index].exists.push(false);
                self.send(scim, Method::DELETE, &path, None).await?;
                self.people[index].exists = vec![false];
            }
            (_, Some(index)) => {
                let id = self.people[index].id.clone()?;
                self.people[index].member.push(true);
                let body = patch_op(&add_member(&id));
                self.send(scim, Method::PATCH, &group_path, Some(&body)).await?;
                self.people[index].member = vec![true];
            }
        }
        Some(())
    }

    fn path_of(&self, index: usize) -> String {
        format!("/Users/{}", self.people[index].id.as_deref().unwrap_or_default())
    }

    /// Sends a write. Answers the id of what came back, or nothing if nothing did.
    async fn send(
        &mut self,
        scim: &ScimClient,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<String> {
        let Ok(answer) = scim.try_send(method, path, body).await else {
            self.unanswered += 1;
            return None;
        };
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        self.answered += 1;
        if answer.body.is_empty() { Some(String::new()) } else { Some(answer.id()) }
    }

    /// Compares what is there with what was answered; what was open is known from then on.
    pub(super) fn compare(
        &mut self,
        users: &BTreeMap<String, Value>,
        groups: &BTreeMap<String, Value>,
    ) {
        let group = groups.get(&self.group).expect("an answered group is not lost");
        let no_members = Vec::new();
        let members = group["members"].as_array().unwrap_or(&no_members);
        let by_name: BTreeMap<&str, &Value> =
            users.values().map(|user| (user["userName"].as_str().unwrap(), user)).collect();
        for person in &mut self.people {
            let name = &person.name;
            let found = by_name.get(name.as_str());
            assert!(person.exists.contains(&found.is_some()), "{name}: {found:?}");
            person.exists = vec![found.is_some()];
            let Some(found) = found else { continue };
            let id = found["id"].as_str().unwrap().to_owned();
            assert!(person.id.as_ref().is_none_or(|known| *known == id), "{name} is another");
            let display_name = found["displayName"].as_str().map(str::to_owned);
            assert!(person.display_names.contains(&display_name), "{name}: {display_name:?}");
            let is_member = members.iter().any(|member| member["value"] == id);
            assert!(person.member.contains(&is_member), "{name}: a member? {is_member}");
            person.id = Some(id);
            person.display_names = vec![display_name];
            person.member = vec![is_member];
        }
    }

    /// Checks every role; nothing may be open any more.
    pub(super) fn assert_roles(&self, roles: &BTreeMap<String, Option<String>>) {
        for person in &self.people {
            let Some(id) = &person.id else { continue };
            let role = match (person.exists[0], person.member[0]) {
                (false, _) => None,
                (true, false) => Some("default".to_owned()),
                (true, true) => Some(format!("role-{}", self.number)),
            };
            assert_eq!(roles[id], role, "{}", person.name);
        }
    }
}
