//! What a cycle sends: which objects, in which stages, and who goes into which group by which
//! request.
//!
//! Pure: a plan of [`Job`]s made of the directory and of what changed in it. Objects come first and
//! references after them, as Entra has it; between two stages everything is answered. Within a
//! stage jobs may run at the same time in any order and lead to the same end: no two of them change
//! the same attribute, or the same membership.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;

use super::attribute::Attribute;
use super::churn::Changes;
use super::directory::{Directory, Person, Standing};

/// Requests that one group is sent at the same time, at most.
pub const GROUP_REQUESTS_AT_ONCE_MAX: usize = 5;
/// Members that one request of an initial cycle adds, at most.
const MEMBERS_PER_REQUEST_MAX: usize = 20;

/// Something to do to one object of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Find the user, or create it.
    ProvisionUser {
        /// Who.
        person: usize,
    },
    /// Change attributes of the user.
    UpdateUser {
        /// Who.
        person: usize,
        /// What changed.
        changes: Vec<AttributeChange>,
        /// What `active` becomes, if it changes.
        active: Option<bool>,
    },
    /// Delete the user.
    DeleteUser {
        /// Who.
        person: usize,
    },
    /// Find the group, or create it.
    ProvisionGroup {
        /// Which.
        group: usize,
    },
    /// Read the group, without its members, before they are changed.
    ReadGroup {
        /// Which.
        group: usize,
    },
    /// Give the group its new name.
    RenameGroup {
        /// Which.
        group: usize,
    },
    /// Write the user's manager.
    SetManager {
        /// Whose.
        person: usize,
        /// Whether there was one before.
        had_value: bool,
    },
    /// Put people into the group, or take them out.
    ChangeMembers {
        /// Which.
        group: usize,
        /// Into it or out of it.
        direction: Direction,
        /// Who.
        people: Vec<usize>,
        /// An operation for each of them, instead of one for all.
        apart: bool,
    },
}

/// A changed attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeChange {
    /// Which.
    pub attribute: Attribute,
    /// Whether it had a value before: Entra replaces it then, and adds it otherwise.
    pub had_value: bool,
}

/// Into a group or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Into it.
    Join,
    /// Out of it.
    Leave,
}

impl Job {
    /// Requests that it takes where nothing goes wrong and nothing was there before.
    pub fn requests(&self) -> u64 {
        match self {
            Self::ProvisionUser { .. } => 3,
            Self::UpdateUser { .. } | Self::ProvisionGroup { .. } | Self::RenameGroup { .. } => 2,
            Self::DeleteUser { .. }
            | Self::ReadGroup { .. }
            | Self::SetManager { .. }
            | Self::ChangeMembers { .. } => 1,
        }
    }
}

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

/// What a cycle sends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One after the other; the jobs of each in the order in which they are begun.
    pub stages: Vec<Vec<Job>>,
}

impl Plan {
    /// Requests that it takes where nothing goes wrong.
    pub fn requests(&self) -> u64 {
        self.stages.iter().flatten().map(Job::requests).sum()
    }
}

/// The initial cycle: everybody, then all groups, then who is in them and who reports to whom.
/// At most `at_once` requests are under way at the same time.
pub fn initial(directory: &Directory, random: &mut Pcg64Mcg, at_once: usize) -> Plan {
    let mut users: Vec<Job> =
        directory.present().map(|(person, _)| Job::ProvisionUser { person }).collect();
    users.shuffle(random);
    let groups = (0..directory.groups.len()).map(|group| Job::ProvisionGroup { group }).collect();
    let mut managers: Vec<Job> = directory
        .present()
        .filter(|(_, one)| one.manager.is_some())
        .map(|(person, _)| Job::SetManager { person, had_value: false })
        .collect();
    managers.shuffle(random);
    // Group after group; as many at a time as keep all requests busy.
    let window = at_once.div_ceil(GROUP_REQUESTS_AT_ONCE_MAX);
    let mut members: Vec<(usize, u32, Job)> = Vec::new();
    for (group, people) in directory.members().into_iter().enumerate() {
        let mut rest = people.as_slice();
        while !rest.is_empty() {
            let size = random.random_range(1..=MEMBERS_PER_REQUEST_MAX).min(rest.len());
            let (batch, later) = rest.split_at(size);
            let job = Job::ChangeMembers {
                group,
                direction: Direction::Join,
                people: batch.to_vec(),
                apart: random.random_bool(0.25),
            };
            members.push((group.checked_div(window).unwrap_or(group), random.random(), job));
            rest = later;
        }
    }
    members.sort_by_key(|(window, draw, _)| (*window, *draw));
    let references = managers.into_iter().chain(members.into_iter().map(|(_, _, job)| job));
    Plan { stages: vec![users, groups, references.collect()] }
}

/// An incremental cycle: what changed since the last one, and what that one could not write.
pub fn incremental(
    directory: &Directory,
    changes: &Changes,
    owed: &Owed,
    random: &mut Pcg64Mcg,
) -> Plan {
    let mut differences = Differences::default();
    for (person, before) in &changes.people {
        if let Some(now) = directory.people.get(*person) {
            differences.of(*person, before.as_ref(), now, owed.people.contains(person));
        }
    }
    for person in &owed.people {
        if let Some(now) = directory.people.get(*person)
            && !changes.people.contains_key(person)
        {
            differences.of(*person, None, now, true);
        }
    }
    differences.owed(directory, owed);
    let references = differences.references(random);
    let mut objects = differences.objects;
    let touched: BTreeSet<usize> =
        differences.memberships.keys().map(|(group, _)| *group).collect();
    for group in changes.renamed_groups.difference(&owed.groups) {
        objects.push(Job::RenameGroup { group: *group });
    }
    objects.extend(owed.groups.iter().map(|group| Job::ProvisionGroup { group: *group }));
    for group in touched {
        if !changes.renamed_groups.contains(&group) && !owed.groups.contains(&group) {
            objects.push(Job::ReadGroup { group });
        }
    }
    objects.shuffle(random);
    Plan { stages: vec![objects, references] }
}

/// Everything that an incremental cycle has to write.
#[derive(Default)]
struct Differences {
    objects: Vec<Job>,
    /// Each with whether there was one before.
    managers: BTreeMap<usize, bool>,
    /// Each with whether its person is moved: leaves one group and joins another.
    memberships: BTreeMap<(usize, usize), (Direction, bool)>,
}

impl Differences {
    /// What became of one person. Whom the target may not know is found or created, and all that
    /// refers to them is written.
    fn of(&mut self, person: usize, before: Option<&Person>, now: &Person, provision: bool) {
        if now.standing == Standing::Deleted {
            self.objects.push(Job::DeleteUser { person });
            return;
        }
        let known = before.filter(|_| !provision);
        let Some(known) = known else {
            self.objects.push(Job::ProvisionUser { person });
            if now.manager.is_some() {
                self.managers.insert(person, false);
            }
            let left = before.into_iter().flat_map(|before| before.groups.difference(&now.groups));
            for group in left {
                self.memberships.insert((*group, person), (Direction::Leave, false));
            }
            for group in &now.groups {
                self.memberships.insert((*group, person), (Direction::Join, false));
            }
            return;
        };
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
            self.objects.push(Job::UpdateUser { person, changes, active });
        }
        if known.manager != now.manager && now.manager.is_some() {
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
    fn owed(&mut self, directory: &Directory, owed: &Owed) {
        let present = |person: &usize| {
            let found = directory.people.get(*person);
            found.filter(|one| one.standing != Standing::Deleted)
        };
        for person in &owed.managers {
            if present(person).is_some_and(|one| one.manager.is_some()) {
                self.managers.entry(*person).or_insert(false);
            }
        }
        for (group, person) in &owed.memberships {
            let Some(one) = present(person) else { continue };
            let is_member = one.groups.contains(group);
            let direction = if is_member { Direction::Join } else { Direction::Leave };
            self.memberships.entry((*group, *person)).or_insert((direction, false));
        }
        if owed.groups.is_empty() {
            return;
        }
        for (person, one) in directory.present() {
            for group in one.groups.intersection(&owed.groups) {
                self.memberships.entry((*group, person)).or_insert((Direction::Join, false));
            }
        }
    }

    /// In random order; of a move, one half comes in the first half of them and the other in the
    /// second, whichever it is.
    fn references(&self, random: &mut Pcg64Mcg) -> Vec<Job> {
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
        drawn.into_iter().map(|(_, job)| job).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::super::churn;
    use super::*;

    fn random() -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(11)
    }

    #[test]
    fn the_initial_cycle_writes_objects_before_what_refers_to_them() {
        let mut random = random();
        let directory = Directory::draw(&mut random, 100, 10);

        let plan = initial(&directory, &mut random, 5);

        let [users, groups, references] = plan.stages.as_slice() else { panic!("three stages") };
        assert_eq!((users.len(), groups.len()), (100, 10));
        let mut memberships = BTreeSet::new();
        for job in references {
            if let Job::ChangeMembers { group, people, .. } = job {
                memberships.extend(people.iter().map(|person| (*group, *person)));
            }
        }
        let expected = directory.people.iter().map(|one| one.groups.len()).sum::<usize>();
        assert_eq!(memberships.len(), expected);
        assert_eq!(plan.requests(), 300 + 20 + references.len() as u64);
    }

    #[test]
    fn an_incremental_cycle_turns_the_old_memberships_into_the_new_ones() {
        let mut random = random();
        let mut directory = Directory::draw(&mut random, 300, 20);
        for _ in 0..10 {
            let before = directory.people.clone();
            let changes = churn::draw(&mut directory, &mut random, 20.0);

            let plan = incremental(&directory, &changes, &Owed::default(), &mut random);

            let mut members: Vec<BTreeSet<usize>> =
                before.into_iter().map(|one| one.groups).collect();
            members.resize(directory.people.len(), BTreeSet::new());
            for job in plan.stages.iter().flatten() {
                match job {
                    Job::ChangeMembers { group, direction, people, .. } => {
                        for person in people {
                            let changed = match direction {
                                Direction::Join => members[*person].insert(*group),
                                Direction::Leave => members[*person].remove(group),
                            };
                            assert!(changed, "nothing is sent for nothing");
                        }
                    }
                    Job::DeleteUser { person } => members[*person].clear(),
                    _ => {}
                }
            }
            let now: Vec<_> = directory.people.iter().map(|one| one.groups.clone()).collect();
            assert_eq!(members, now);
        }
    }

    #[test]
    fn the_halves_of_a_move_are_apart_and_either_may_come_first() {
        let mut random = random();
        let mut directory = Directory::draw(&mut random, 2_000, 20);
        let changes = churn::draw(&mut directory, &mut random, 50.0);

        let plan = incremental(&directory, &changes, &Owed::default(), &mut random);

        let mut seen: BTreeMap<usize, Vec<(usize, Direction)>> = BTreeMap::new();
        for (position, job) in plan.stages[1].iter().enumerate() {
            if let Job::ChangeMembers { direction, people, .. } = job {
                seen.entry(people[0]).or_default().push((position, *direction));
            }
        }
        let moves: Vec<_> = seen
            .values()
            .filter(|halves| halves.len() == 2 && halves[0].1 != halves[1].1)
            .collect();
        let leaves_first = moves.iter().filter(|halves| halves[0].1 == Direction::Leave).count();
        assert!(moves.len() > 100, "{}", moves.len());
        assert!(leaves_first > moves.len() / 4 && leaves_first < moves.len() * 3 / 4);
        let adjacent = moves.iter().filter(|halves| halves[1].0 - halves[0].0 < 3).count();
        assert!(adjacent * 50 < moves.len(), "{adjacent} of {}", moves.len());
    }

    #[test]
    fn whoever_could_not_be_written_is_found_or_created_in_the_next_cycle_with_all_references() {
        let mut random = random();
        let directory = Directory::draw(&mut random, 20, 8);
        let mut owed = Owed::default();
        owed.note(&Job::ProvisionUser { person: 9 });

        let plan = incremental(&directory, &Changes::default(), &owed, &mut random);

        assert!(plan.stages[0].contains(&Job::ProvisionUser { person: 9 }));
        let joins = plan.stages[1].iter().filter(|job| matches!(job, Job::ChangeMembers { .. }));
        assert_eq!(joins.count(), directory.people[9].groups.len());
        assert!(plan.stages[1].contains(&Job::SetManager { person: 9, had_value: false }));
    }
}
