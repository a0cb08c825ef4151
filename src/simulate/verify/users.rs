//! Compares users: their attributes, whether they are active, and their managers.

use std::collections::HashSet;

use serde_json::Value;

use super::{Comparison, ReadBackError, Reader, is_not, shown};
use crate::simulate::attribute::{Attribute, ENTERPRISE};
use crate::simulate::directory::{Person, Standing};
use crate::simulate::list::text;

impl Reader<'_> {
    /// Compares all users. Answers the ids of those that are there.
    pub(super) async fn users(
        &self,
        found: &mut Comparison,
    ) -> Result<HashSet<String>, ReadBackError> {
        let mut seen = HashSet::new();
        let domain = format!("@{}", self.directory.namer.domain());
        self.list("/Users", "", |user| {
            let id = text(user, "id").unwrap_or_default();
            let name = text(user, "userName").unwrap_or_default();
            let known = self.people.get(id).copied();
            let person = known.and_then(|position| self.directory.people.get(position));
            match known.zip(person) {
                Some((position, person)) if person.standing != Standing::Deleted => {
                    found.users += 1;
                    self.compare_user(found, position, person, user);
                }
                _ if name.ends_with(&domain) => {
                    found.differs(|| format!("user {} is there and must not be", shown(name)));
                }
                _ => {}
            }
            seen.insert(id.to_owned());
        })
        .await?;
        for (position, person) in self.directory.present() {
            let there = self.links.person(position).is_some_and(|id| seen.contains(id.as_ref()));
            if !there && self.is_expected(position, person) {
                found.users += 1;
                found.differs(|| format!("user {} is missing", shown(person.user_name())));
            }
        }
        Ok(seen)
    }

    fn compare_user(&self, found: &mut Comparison, position: usize, person: &Person, user: &Value) {
        let name = shown(person.user_name());
        for attribute in Attribute::ALL {
            let (is, path) = (attribute.read(user), attribute.path());
            match (is, person.get(attribute)) {
                (Some(is), None) if self.links.is_created(position) => {
                    let is = shown(is);
                    found.differs(|| format!("user {name}: {path} is {is}, and was never sent"));
                }
                (is, Some(expected)) if is != Some(expected) => {
                    found.differs(|| format!("user {name}: {path} {}", is_not(is, expected)));
                }
                _ => {}
            }
        }
        compare_active(found, &name, person, user);
        self.compare_manager(found, &name, position, person, user);
    }

    fn compare_manager(
        &self,
        found: &mut Comparison,
        name: &str,
        position: usize,
        person: &Person,
        user: &Value,
    ) {
        let is = user.get(ENTERPRISE).and_then(|extension| extension.get("manager"));
        let is = is.and_then(|manager| text(manager, "value"));
        match person.manager {
            // A manager whom the target never knew could not be written.
            Some(manager) => {
                if let Some(expected) = self.links.person(manager)
                    && is != Some(expected.as_ref())
                {
                    found.differs(|| format!("user {name}: manager {}", is_not(is, expected)));
                }
            }
            None => {
                if let Some(is) = is.filter(|_| self.links.is_created(position)) {
                    let is = shown(is);
                    found.differs(|| format!("user {name}: manager is {is}, and was never sent"));
                }
            }
        }
    }
}

/// Whoever has no `active` is active.
fn compare_active(found: &mut Comparison, name: &str, person: &Person, user: &Value) {
    let expected = person.standing.is_active();
    match user.get("active") {
        None | Some(Value::Null) if expected => {}
        Some(Value::Bool(is)) if *is == expected => {}
        Some(
            other @ (Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
        ) => {
            let other = shown(&other.to_string());
            found.differs(|| format!("user {name}: active is {other}, which is no boolean"));
        }
        _ => found.differs(|| format!("user {name}: active is {}", !expected)),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;
    use serde_json::json;

    use super::*;
    use crate::simulate::client::Client;
    use crate::simulate::dialect;
    use crate::simulate::directory::Directory;
    use crate::simulate::links::{Learned, Links};

    /// What is told of a user who is active and has this `active`.
    fn told(active: &Value) -> Vec<String> {
        let directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 1, 0);
        let mut found = Comparison::default();
        compare_active(&mut found, "\"ada\"", &directory.people[0], &json!({"active": active}));
        found.told
    }

    #[test]
    fn what_was_never_sent_must_be_absent_of_a_user_who_was_created() {
        let directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 30, 0);
        let has_none = |person: &Person| person.get(Attribute::MobilePhone).is_none();
        let (position, person) = directory.present().find(|(_, one)| has_none(one)).unwrap();
        let mut user = dialect::user(person);
        let work = person.get(Attribute::WorkPhone).map(|value| ("work", value));
        let numbers = work.into_iter().chain([("mobile", "+41")]);
        let numbers = numbers.map(|(kind, value)| json!({"type": kind, "value": value}));
        user["phoneNumbers"] = numbers.collect();

        for created in [true, false] {
            let mut links = Links::default();
            links.learn(Learned::Person { position, id: "1".into(), created });
            let client = Client::idle();
            let reader = Reader::new(&client, &directory, &links, 1);
            let mut found = Comparison::default();
            reader.compare_user(&mut found, position, person, &user);

            assert_eq!(found.differences, u64::from(created), "{:?}", found.told);
        }
    }

    #[test]
    fn an_active_that_is_no_boolean_is_a_difference_of_its_own() {
        assert_eq!(told(&json!(true)), Vec::<String>::new());
        assert_eq!(told(&json!(null)), Vec::<String>::new());
        assert_eq!(told(&json!(false)), ["user \"ada\": active is false"]);
        let said = told(&json!("True"));
        assert!(said[0].ends_with("which is no boolean"), "{said:?}");
    }
}
