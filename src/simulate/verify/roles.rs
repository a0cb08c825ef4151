//! Compares the role of every account with the one that the tenant's rules give it.
//!
//! The rule is simple enough to be written down a second time, independently of the service: the
//! first mapping whose group holds the user, else the default role. Accounts that are locked, were
//! given a role by hand, or wait for an operator are left out: their role is not the rules' to say.

use std::collections::HashMap;

use scim::casefold::fold;

use super::Comparison;
use crate::simulate::admin::{Admin, AdminError, Mapping, Settings};
use crate::simulate::directory::{Directory, Person};
use crate::simulate::links::Links;

/// Reads the rules and all accounts, and compares.
pub async fn compare(
    admin: &Admin,
    directory: &Directory,
    links: &Links,
) -> Result<Comparison, AdminError> {
    let settings = admin.settings().await?;
    let rules = Rules::new(&settings, directory, links);
    let expected: HashMap<&str, &Person> = directory
        .present()
        .filter_map(|(position, person)| Some((links.person(position)?.as_ref(), person)))
        .collect();
    let mut found = Comparison::default();
    let (mut compared, mut seen) = (0, 0);
    admin
        .accounts(|account| {
            let Some(person) = expected.get(account.id.as_str()) else { return };
            seen += 1;
            let by_hand = account.locked || account.why.rule == "manual";
            if by_hand || account.why.withheld.is_some() {
                return;
            }
            compared += 1;
            let (is, must) = (account.role.as_deref(), rules.role_of(person));
            let name = person.user_name();
            if account.pending {
                found.differs(|| format!("account {name:?}: its role is still pending"));
            } else if is != Some(must) {
                let is = is.unwrap_or("none");
                found.differs(|| format!("account {name:?}: its role is {is:?}, not {must:?}"));
            }
        })
        .await?;
    if seen < expected.len() {
        let missing = expected.len() - seen;
        found.differs(|| format!("{missing} accounts are missing"));
    }
    found.roles = Some(compared);
    Ok(found)
}

/// Mappings with the groups that they mean.
struct Rules<'a> {
    settings: &'a Settings,
    /// By mapping: the group's position in the directory.
    groups: Vec<Option<usize>>,
}

impl<'a> Rules<'a> {
    fn new(settings: &'a Settings, directory: &Directory, links: &Links) -> Self {
        let groups = settings.role_mappings.iter().map(|mapping| meant(mapping, directory, links));
        Self { settings, groups: groups.collect() }
    }

    fn role_of(&self, person: &Person) -> &'a str {
        if !person.standing.is_active() {
            return &self.settings.disabled_role;
        }
        let mut mappings = self.settings.role_mappings.iter().zip(&self.groups);
        let holds = |group: &Option<usize>| group.is_some_and(|one| person.groups.contains(&one));
        let first = mappings.find(|(_, group)| holds(group));
        first.map_or(&self.settings.default_role, |(mapping, _)| &mapping.role)
    }
}

/// A mapping by name stays with the group that had the name first, and no two groups ever have the
/// same: it means the group that has it, or had it.
fn meant(mapping: &Mapping, directory: &Directory, links: &Links) -> Option<usize> {
    if let Some(id) = &mapping.group_id {
        return links.group_with(id);
    }
    let name = fold(mapping.group.as_deref()?);
    directory.groups.iter().position(|group| group.was_ever(|one| fold(one) == name))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;
    use serde_json::json;

    use super::*;
    use crate::simulate::directory::Standing;

    #[test]
    fn the_first_mapping_whose_group_holds_the_user_gives_the_role_also_after_a_rename() {
        let mut directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 4, 5);
        let settings: Settings = serde_json::from_value(json!({
            "default_role": "viewer", "disabled_role": "none",
            "role_mappings": [
                {"group": "nobody has this name", "role": "ghost"},
                {"group": "it admins", "role": "admin"},
                {"group": "Employees", "role": "loanee"},
            ],
        }))
        .unwrap();
        for (person, groups) in
            directory.people.iter_mut().zip([vec![0, 1], vec![0], vec![], vec![1]])
        {
            person.groups = groups.into_iter().collect();
        }
        directory.people[3].standing = Standing::Unassigned;
        directory.groups[1].rename("Something else".to_owned());
        let links = Links::default();

        let rules = Rules::new(&settings, &directory, &links);

        let roles: Vec<&str> = directory.people.iter().map(|one| rules.role_of(one)).collect();
        assert_eq!(roles, ["admin", "loanee", "viewer", "none"]);
    }
}
