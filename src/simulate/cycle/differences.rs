//! Everything that an incremental cycle has to write: person by person, then what is owed.
//!
//! Entra creates nobody who is disabled: whoever left before the target knew them is not written
//! until they come back. Then whoever reports to them is written too, since that could not be done
//! before.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::{AttributeChange, Direction, Job, Since};
use crate::simulate::attribute::Attribute;
use crate::simulate::directory::{Person, Standing};

/// What has to be written.
pub(super) struct Differences<'a> {
    since: &'a Since<'a>,
    /// Jobs of users.
    pub(super) users: Vec<Job>,
    /// Each with whether there was one before.
    managers: BTreeMap<usize, bool>,
    /// Each with whether its person is moved: leaves one group and joins another.
    memberships: BTreeMap<(usize, usize), (Direction, bool)>,
    /// People who are written for the first time, though they are not new.
    late: BTreeSet<usize>,
}

impl<'a> Differences<'a> {
    /// All of them.
    pub(super) fn of(since: &'a Since<'a>) -> Self {
        let mut differences = Self {
            since,
            users: Vec::new(),
            managers: BTreeMap::new(),
            memberships: BTreeMap::new(),
            late: BTreeSet::new(),
        };
        for (person, before) in &since.changes.people {
            differences.add(*person, before.as_ref());
        }
        for person in &since.owed.people {
            if !since.changes.people.contains_key(person) {
                differences.add(*person, None);
            }
        }
        differences.add_owed();
        differences.add_reports_of_the_late();
        let written: Vec<usize> = differences.managers.keys().copied().collect();
        for person in written {
            if !differences.has_a_manager(person) {
                differences.managers.remove(&person);
            }
        }
        differences
    }

    /// The groups whose members change.
    pub(super) fn groups(&self) -> BTreeSet<usize> {
        self.memberships.keys().map(|(group, _)| *group).collect()
    }

    /// Whether anybody leaves one group and joins another.
    pub(super) fn has_moves(&self) -> bool {
        self.memberships.values().any(|(_, moved)| *moved)
    }

    fn is_linked(&self, person: usize) -> bool {
        self.since.links.person(person).is_some()
    }

    /// The person, if the target has or gets a user of them.
    fn written(&self, person: usize) -> Option<&'a Person> {
        let found = self.since.directory.people.get(person)?;
        let is_written = match found.standing {
            Standing::Active => true,
            Standing::Unassigned | Standing::SoftDeleted => self.is_linked(person),
            Standing::Deleted => false,
        };
        is_written.then_some(found)
    }

    fn has_a_manager(&self, person: usize) -> bool {
        let manager = self.written(person).and_then(|one| one.manager);
        manager.is_some_and(|manager| self.written(manager).is_some())
    }

    /// What became of one person. Whom the target may not know is found or created, and all that
    /// refers to them is written.
    fn add(&mut self, person: usize, before: Option<&Person>) {
        let is_linked = self.is_linked(person);
        let Some(now) = self.written(person) else {
            // Gone for good, or never written.
            if is_linked {
                self.users.push(Job::DeleteUser { person });
            }
            return;
        };
        let is_owed = self.since.owed.people.contains(&person);
        if let Some(known) = before.filter(|_| is_linked && !is_owed) {
            return self.update(person, known, now);
        }
        if !is_linked && (is_owed || before.is_some()) {
            self.late.insert(person);
        }
        self.provision(person, before, now);
    }

    fn provision(&mut self, person: usize, before: Option<&Person>, now: &Person) {
        self.users.push(Job::ProvisionUser { person });
        self.managers.insert(person, false);
        for group in before.into_iter().flat_map(|before| before.groups.difference(&now.groups)) {
            self.memberships.insert((*group, person), (Direction::Leave, false));
        }
        for group in &now.groups {
            self.memberships.insert((*group, person), (Direction::Join, false));
        }
    }

    fn update(&mut self, person: usize, known: &Person, now: &Person) {
        let changed = |attribute: &Attribute| known.get(*attribute) != now.get(*attribute);
        let change = |attribute: Attribute| AttributeChange {
            attribute,
            had_value: known.get(attribute).is_some(),
        };
        let changes: Vec<AttributeChange> =
            Attribute::ALL.into_iter().filter(changed).map(change).collect();
        let active = now.standing.is_active();
        let active = (active != known.standing.is_active()).then_some(active);
        if !changes.is_empty() || active.is_some() {
            self.users.push(Job::UpdateUser { person, changes, active });
        }
        if known.manager != now.manager {
            self.managers.insert(person, known.manager.is_some());
        }
        let left: Vec<usize> = known.groups.difference(&now.groups).copied().collect();
        let joined: Vec<usize> = now.groups.difference(&known.groups).copied().collect();
        let moved = !left.is_empty() && !joined.is_empty();
        for group in left {
            self.memberships.insert((group, person), (Direction::Leave, moved));
        }
        for group in joined {
            self.memberships.insert((group, person), (Direction::Join, moved));
        }
    }

    /// References that are owed, as they have to be by now.
    fn add_owed(&mut self) {
        let owed = self.since.owed;
        for person in &owed.managers {
            self.managers.entry(*person).or_insert(false);
        }
        for (group, person) in &owed.memberships {
            let Some(one) = self.written(*person) else { continue };
            let is_member = one.groups.contains(group);
            let direction = if is_member { Direction::Join } else { Direction::Leave };
            self.memberships.entry((*group, *person)).or_insert((direction, false));
        }
        if owed.groups.is_empty() {
            return;
        }
        for (person, one) in self.since.directory.present() {
            if self.written(person).is_none() {
                continue;
            }
            for group in one.groups.intersection(&owed.groups) {
                self.memberships.entry((*group, person)).or_insert((Direction::Join, false));
            }
        }
    }

    fn add_reports_of_the_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        for (person, one) in self.since.directory.present() {
            if one.manager.is_some_and(|manager| self.late.contains(&manager)) {
                self.managers.entry(person).or_insert(false);
            }
        }
    }

    /// In random order and in two parts: of a move, one half is in the first and the other in the
    /// second, whichever it is.
    pub(super) fn references(&self, random: &mut Pcg64Mcg) -> [Vec<Job>; 2] {
        let mut drawn: Vec<(f64, Job)> = Vec::new();
        for (person, had_value) in &self.managers {
            let job = Job::SetManager { person: *person, had_value: *had_value };
            drawn.push((random.random(), job));
        }
        let mut first_half: BTreeMap<usize, Direction> = BTreeMap::new();
        for ((group, person), (direction, moved)) in &self.memberships {
            let mut position: f64 = random.random();
            if *moved {
                let coin = if random.random() { Direction::Join } else { Direction::Leave };
                let first = *first_half.entry(*person).or_insert(coin);
                position = if *direction == first { position / 2.0 } else { 0.5 + position / 2.0 };
            }
            let people = vec![*person];
            let job =
                Job::ChangeMembers { group: *group, direction: *direction, people, apart: false };
            drawn.push((position, job));
        }
        drawn.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let half = drawn.partition_point(|(position, _)| *position < 0.5);
        let second = drawn.split_off(half);
        [drawn, second].map(|part| part.into_iter().map(|(_, job)| job).collect())
    }
}
