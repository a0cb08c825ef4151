//! What could not be written, and is owed.

use std::collections::BTreeSet;

use super::Job;

/// Objects that could not be written in an earlier cycle, and are owed one.
#[derive(Debug, Default)]
pub struct Owed {
    /// Users to be found or created, and everything that refers to them.
    pub people: BTreeSet<usize>,
    /// Groups to be found or created, with all their members.
    pub groups: BTreeSet<usize>,
    /// Single memberships: group, person.
    pub memberships: BTreeSet<(usize, usize)>,
    /// People whose manager is to be written.
    pub managers: BTreeSet<usize>,
}

impl Owed {
    /// How many things are owed.
    pub fn len(&self) -> usize {
        self.people.len() + self.groups.len() + self.memberships.len() + self.managers.len()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that a job was not done.
    pub fn note(&mut self, job: &Job) {
        match job {
            Job::ProvisionUser { person }
            | Job::UpdateUser { person, .. }
            | Job::DeleteUser { person } => {
                self.people.insert(*person);
            }
            Job::ProvisionGroup { group } | Job::RenameGroup { group } => {
                self.groups.insert(*group);
            }
            Job::ReadGroup { .. } => {}
            Job::SetManager { person, .. } => {
                self.managers.insert(*person);
            }
            Job::ChangeMembers { group, people, .. } => {
                self.memberships.extend(people.iter().map(|person| (*group, *person)));
            }
        }
    }
}
