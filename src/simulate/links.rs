//! Which resource of the target is whom: Entra keeps these links, and asks by id from then on.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The ids that the target gave, by position in the directory.
#[derive(Debug, Default)]
pub struct Links {
    people: Vec<Option<Arc<str>>>,
    groups: Vec<Option<Arc<str>>>,
    /// People who were created, not found: what they hold was all sent.
    created: BTreeSet<usize>,
}

/// An id that was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// The id of a person, and whether the user was created.
    Person {
        /// Who.
        position: usize,
        /// The user's id.
        id: Arc<str>,
        /// Whether it was created, not found.
        created: bool,
    },
    /// The id of a group.
    Group {
        /// Which.
        position: usize,
        /// Its id.
        id: Arc<str>,
    },
    /// Nothing new.
    Nothing,
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

    /// Whether the person's user was created by this simulation.
    pub fn is_created(&self, position: usize) -> bool {
        self.created.contains(&position)
    }

    /// All people whose ids are known.
    pub fn people(&self) -> impl Iterator<Item = (usize, &Arc<str>)> {
        self.people.iter().enumerate().filter_map(|(position, id)| Some((position, id.as_ref()?)))
    }

    /// The group that has this id.
    pub fn group_with(&self, id: &str) -> Option<usize> {
        self.groups.iter().position(|link| link.as_deref() == Some(id))
    }

    /// Keeps what was learned.
    pub fn learn(&mut self, learned: Learned) {
        match learned {
            Learned::Person { position, id, created } => {
                keep(&mut self.people, position, id);
                if created {
                    self.created.insert(position);
                } else {
                    self.created.remove(&position);
                }
            }
            Learned::Group { position, id } => keep(&mut self.groups, position, id),
            Learned::Nothing => {}
        }
    }
}

fn keep(links: &mut Vec<Option<Arc<str>>>, position: usize, id: Arc<str>) {
    if links.len() <= position {
        links.resize(position.saturating_add(1), None);
    }
    if let Some(link) = links.get_mut(position) {
        *link = Some(id);
    }
}
