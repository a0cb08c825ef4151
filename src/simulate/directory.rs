//! The directory that is simulated: people, groups, and who is in which.
//!
//! It is what the target must hold once everything was sent. Pure: drawn from a seed, it knows
//! nothing of SCIM ids and requests. People and groups are named by their position, which never
//! changes; who leaves stays, with another [`Standing`].

use std::collections::BTreeSet;

use rand::{Rng as _, RngExt as _};
use rand_pcg::Pcg64Mcg;
use uuid::Builder;

use super::attribute::Attribute;
use super::people::{self, GROUP_NAMES, Name, Namer};

/// Departments are the groups of the same name, from here on.
const DEPARTMENTS: [usize; 9] = [2, 3, 4, 5, 7, 8, 9, 10, 11];
const EMPLOYEES: usize = 0;
const ADMINISTRATORS: usize = 1;
const CONTRACTORS: usize = 6;
/// From this position on, groups are offices and projects, that anybody may be in.
const OPEN_TO_ALL: usize = 12;
/// Groups of that sort that somebody is in, at most.
const OPEN_GROUPS_MAX: usize = 3;
/// How many people report to one manager, about.
const SPAN: usize = 8;

/// Whether somebody may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Active,
    /// The app was taken from them; they are disabled there.
    Unassigned,
    /// They left, and wait in the directory's bin. Disabled in the app, under another userName.
    SoftDeleted,
    /// They are gone for good.
    Deleted,
}

impl Standing {
    /// What `active` says.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }
}

/// Somebody in the directory.
#[derive(Debug, Clone)]
pub struct Person {
    values: [Option<String>; Attribute::COUNT],
    /// Who they report to.
    pub manager: Option<usize>,
    /// The groups that they are in.
    pub groups: BTreeSet<usize>,
    /// Whether they may work.
    pub standing: Standing,
}

impl Person {
    /// The value of an attribute, if it has one.
    pub fn get(&self, attribute: Attribute) -> Option<&str> {
        self.values.get(attribute as usize).and_then(Option::as_deref)
    }

    /// Gives an attribute a value.
    pub fn set(&mut self, attribute: Attribute, value: impl Into<String>) {
        if let Some(slot) = self.values.get_mut(attribute as usize) {
            *slot = Some(value.into());
        }
    }

    /// The userName.
    pub fn user_name(&self) -> &str {
        self.get(Attribute::UserName).unwrap_or_default()
    }

    /// Attributes that have values, in the order in which they are sent.
    pub fn attributes(&self) -> impl Iterator<Item = (Attribute, &str)> {
        Attribute::ALL.into_iter().filter_map(|one| Some((one, self.get(one)?)))
    }

    /// Gives somebody this name, and the addresses that come with it.
    pub fn take_name(&mut self, name: &Name) {
        let display_name = format!("{} {}", name.given, name.family);
        self.set(Attribute::UserName, &name.principal);
        self.set(Attribute::WorkEmail, &name.principal);
        self.set(Attribute::GivenName, name.given);
        self.set(Attribute::FamilyName, name.family);
        self.set(Attribute::FormattedName, &display_name);
        self.set(Attribute::DisplayName, display_name);
    }
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// All the names it has had, the present one last.
    names: Vec<String>,
    /// Its object id in the directory.
    pub external_id: String,
}

impl Group {
    /// What it is called now.
    pub fn display_name(&self) -> &str {
        self.names.last().map(String::as_str).unwrap_or_default()
    }

    /// Whether it is, or was, called this in the opinion of `same`.
    pub fn was_ever(&self, same: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| same(name))
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: String) {
        self.names.push(name);
    }
}

/// All of it.
#[derive(Debug)]
pub struct Directory {
    /// Everybody who ever was in it.
    pub people: Vec<Person>,
    /// All groups.
    pub groups: Vec<Group>,
    /// Gives out names.
    pub namer: Namer,
}

impl Directory {
    /// A directory of so many people and groups.
    pub fn draw(random: &mut Pcg64Mcg, users: usize, groups: usize) -> Self {
        let mut namer = Namer::draw(random);
        let groups = (0..groups).map(|position| Group {
            names: vec![namer.group(position)],
            external_id: guid(random),
        });
        let groups = groups.collect();
        let mut directory = Self { people: Vec::with_capacity(users), groups, namer };
        for _ in 0..users {
            directory.hire(random);
        }
        directory
    }

    /// Somebody new. Answers who.
    pub fn hire(&mut self, random: &mut Pcg64Mcg) -> usize {
        let position = self.people.len();
        let mut person = Person {
            values: [const { None }; Attribute::COUNT],
            manager: self.manager_of(random, position),
            groups: BTreeSet::new(),
            standing: Standing::Active,
        };
        person.take_name(&self.namer.person(random));
        person.set(Attribute::ExternalId, guid(random));
        person.set(Attribute::EmployeeNumber, format!("{:06}", 100_000 + position));
        if random.random_bool(0.8) {
            person.set(Attribute::Title, people::title(random));
        }
        if random.random_bool(0.6) {
            person.set(Attribute::WorkPhone, people::phone(random));
        }
        if random.random_bool(0.3) {
            person.set(Attribute::MobilePhone, people::phone(random));
        }
        let (language, town, country) = people::place(random);
        if random.random_bool(0.7) {
            person.set(Attribute::PreferredLanguage, language);
            person.set(Attribute::Locality, town);
            person.set(Attribute::Country, country);
        }
        self.place(random, &mut person);
        self.people.push(person);
        position
    }

    /// Everybody but the first reports to somebody who was there before.
    fn manager_of(&self, random: &mut Pcg64Mcg, position: usize) -> Option<usize> {
        let managers = position.div_ceil(SPAN);
        if managers == 0 {
            return None;
        }
        let manager = random.random_range(0..managers);
        self.people.get(manager).filter(|one| one.standing.is_active()).map(|_| manager)
    }

    /// Puts somebody into a department and its group, and into a few others.
    fn place(&self, random: &mut Pcg64Mcg, person: &mut Person) {
        let department = DEPARTMENTS.get(random.random_range(0..DEPARTMENTS.len()));
        let department = department.copied().unwrap_or_default();
        person.set(Attribute::Department, department_name(department));
        person.groups.insert(department);
        let employed = random.random_bool(0.92);
        person.groups.insert(if employed { EMPLOYEES } else { CONTRACTORS });
        if random.random_bool(0.04) {
            person.groups.insert(ADMINISTRATORS);
        }
        if self.groups.len() > OPEN_TO_ALL {
            for _ in 0..random.random_range(0..=OPEN_GROUPS_MAX) {
                person.groups.insert(random.random_range(OPEN_TO_ALL..self.groups.len()));
            }
        }
        // A small directory lacks some of these groups.
        person.groups.retain(|group| *group < self.groups.len());
    }

    /// Who is in each group, by position.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.groups.len()];
        for (position, person) in self.people.iter().enumerate() {
            for group in &person.groups {
                if let Some(members) = members.get_mut(*group) {
                    members.push(position);
                }
            }
        }
        members
    }

    /// Those who are not gone for good.
    pub fn present(&self) -> impl Iterator<Item = (usize, &Person)> {
        self.people.iter().enumerate().filter(|(_, one)| one.standing != Standing::Deleted)
    }
}

/// The department that the group at this position is of; none if it is no department.
pub(super) fn department_of(group: usize) -> Option<&'static str> {
    DEPARTMENTS.contains(&group).then(|| department_name(group))
}

fn department_name(group: usize) -> &'static str {
    GROUP_NAMES.get(group).copied().unwrap_or_default()
}

/// A random GUID, as the directory names its objects by.
pub fn guid(random: &mut Pcg64Mcg) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn drawn(seed: u64, users: usize, groups: usize) -> Directory {
        Directory::draw(&mut Pcg64Mcg::seed_from_u64(seed), users, groups)
    }

    #[test]
    fn the_same_seed_draws_the_same_directory() {
        let text = |seed| format!("{:?}", drawn(seed, 50, 8).people);

        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn nobody_is_in_a_group_that_does_not_exist() {
        for groups in [0, 1, 5, 13, 40] {
            let directory = drawn(1, 100, groups);

            let members: usize = directory.members().iter().map(Vec::len).sum();

            let memberships: usize = directory.people.iter().map(|one| one.groups.len()).sum();
            assert_eq!(members, memberships, "{groups} groups");
            assert_eq!(memberships == 0, groups == 0);
        }
    }

    #[test]
    fn everybody_reports_to_somebody_who_was_there_before() {
        let directory = drawn(1, 200, 4);

        for (position, person) in directory.people.iter().enumerate().skip(1) {
            assert!(person.manager.is_some_and(|manager| manager < position));
        }
    }
}
