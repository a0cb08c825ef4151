//! Compares groups: their names, their ids in the directory, and who is in them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use super::{Comparison, ReadBackError, Reader, is_not, shown};
use crate::simulate::address::resource;
use crate::simulate::directory::{Group, Standing};
use crate::simulate::list::text;

/// A group as it was listed.
struct Listed {
    display_name: String,
    external_id: Option<String>,
}

impl Reader<'_> {
    /// Compares all groups, and who is in them.
    pub(super) async fn groups(
        &self,
        found: &mut Comparison,
        present: &HashSet<String>,
    ) -> Result<(), ReadBackError> {
        let mut listed: HashMap<String, Listed> = HashMap::new();
        let mut times: HashMap<String, u32> = HashMap::new();
        self.list("/Groups", "&excludedAttributes=members", |group| {
            let display_name = text(group, "displayName").unwrap_or_default().to_owned();
            let external_id = text(group, "externalId").map(str::to_owned);
            *times.entry(display_name.clone()).or_default() += 1;
            let id = text(group, "id").unwrap_or_default().to_owned();
            listed.insert(id, Listed { display_name, external_id });
        })
        .await?;
        let mut there: Vec<(Arc<str>, usize)> = Vec::new();
        for (position, group) in self.directory.groups.iter().enumerate() {
            found.groups += 1;
            let name = group.display_name();
            let link = self.links.group(position);
            let Some((id, is)) = link.and_then(|id| Some((id, listed.get(&**id)?))) else {
                found.differs(|| format!("group {} is missing", shown(name)));
                continue;
            };
            compare_group(found, group, is);
            if times.get(name).is_some_and(|times| *times > 1) {
                found.differs(|| format!("group {} is there more than once", shown(name)));
            }
            there.push((Arc::clone(id), position));
        }
        self.memberships(found, present, there).await
    }

    async fn memberships(
        &self,
        found: &mut Comparison,
        present: &HashSet<String>,
        there: Vec<(Arc<str>, usize)>,
    ) -> Result<(), ReadBackError> {
        let expected = self.directory.members();
        let mut reads = stream::iter(there)
            .map(async |(id, position)| (self.members(&id).await, position))
            .buffered(self.concurrency.max(1));
        while let Some((members, position)) = reads.next().await {
            let name = self.directory.groups.get(position).map_or("", Group::display_name);
            let people = expected.get(position).map_or(&[][..], Vec::as_slice);
            self.compare_members(found, present, &shown(name), people, members?);
        }
        Ok(())
    }

    fn compare_members(
        &self,
        found: &mut Comparison,
        present: &HashSet<String>,
        group: &str,
        people: &[usize],
        members: Vec<String>,
    ) {
        let mut held: BTreeSet<String> = BTreeSet::new();
        for id in members {
            if let Some(id) = held.replace(id) {
                let who = self.who(&id, present);
                found.differs(|| format!("group {group} holds {who} more than once"));
            }
        }
        for position in people {
            let Some(person) = self.directory.people.get(*position) else { continue };
            if !self.is_expected(*position, person) {
                continue;
            }
            found.memberships += 1;
            let is_held = self.links.person(*position).is_some_and(|id| held.remove(id.as_ref()));
            if !is_held {
                let name = shown(person.user_name());
                found.differs(|| format!("group {group} lacks {name}"));
            }
        }
        for id in &held {
            let who = self.who(id, present);
            found.differs(|| format!("group {group} holds {who} and must not"));
        }
    }

    /// Somebody who is in a group.
    fn who(&self, id: &str, present: &HashSet<String>) -> String {
        match self.person(id) {
            Some(person) if person.standing == Standing::Deleted => {
                format!("{}, who is deleted,", shown(person.user_name()))
            }
            Some(person) => shown(person.user_name()),
            None if present.contains(id) => format!("the unknown user {}", shown(id)),
            None => format!("{}, who does not exist,", shown(id)),
        }
    }

    async fn members(&self, id: &str) -> Result<Vec<String>, ReadBackError> {
        let group: Value = self.read(&resource("/Groups", id)).await?;
        let members = group.get("members").and_then(Value::as_array);
        let members = members.into_iter().flatten();
        Ok(members.filter_map(|member| text(member, "value")).map(str::to_owned).collect())
    }
}

fn compare_group(found: &mut Comparison, group: &Group, is: &Listed) {
    let (name, expected) = (shown(group.display_name()), group.external_id.as_str());
    if is.display_name != group.display_name() {
        found.differs(|| format!("group {name} is called {}", shown(&is.display_name)));
    }
    if is.external_id.as_deref() != Some(expected) {
        let is = is_not(is.external_id.as_deref(), expected);
        found.differs(|| format!("group {name}: externalId {is}"));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::simulate::client::Client;
    use crate::simulate::directory::Directory;
    use crate::simulate::links::{Learned, Links};

    #[test]
    fn a_member_is_there_once_and_nobody_is_missing_who_was_never_to_be_created() {
        let mut directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 3, 1);
        directory.people[2].standing = Standing::Unassigned;
        let mut links = Links::default();
        for (position, id) in ["a", "b"].into_iter().enumerate() {
            links.learn(Learned::Person { position, id: id.into(), created: true });
        }
        let client = Client::idle();
        let reader = Reader::new(&client, &directory, &links, 1);
        let present = HashSet::new();
        let mut found = Comparison::default();

        let members = ["a", "b", "a", "z"].map(str::to_owned).to_vec();
        reader.compare_members(&mut found, &present, "\"Staff\"", &[0, 1, 2], members);

        assert_eq!((found.memberships, found.differences), (2, 2), "{:?}", found.told);
        assert!(found.told[0].ends_with("more than once"), "{:?}", found.told);
        assert!(found.told[1].contains("\"z\", who does not exist"), "{:?}", found.told);
    }

    #[test]
    fn a_group_has_the_id_that_the_directory_gave_it() {
        let directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 0, 1);
        let group = &directory.groups[0];
        let mut found = Comparison::default();
        let display_name = group.display_name().to_owned();

        let without = Listed { display_name, external_id: None };
        compare_group(&mut found, group, &without);

        assert!(found.told[0].contains("externalId is missing, not "), "{:?}", found.told);
    }
}
