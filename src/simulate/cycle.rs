//! What a cycle sends: which objects, in which stages, and who goes into which group by which
//! request.
//!
//! Pure: a plan of [`Job`]s made of the directory and of what changed in it. Objects come first and
//! references after them, as Entra has it; between two stages everything is answered. Within a
//! stage jobs may run at the same time in any order and lead to the same end: no two of them change
//! the same attribute, or the same membership.

mod differences;
mod owed;

use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;

use self::differences::Differences;
pub use self::owed::Owed;
use super::attribute::Attribute;
use super::churn::Changes;
use super::directory::Directory;
use super::links::Links;
use super::operation::Operation;

/// Requests that one group is sent at the same time, at most.
pub const GROUP_REQUESTS_AT_ONCE_MAX: usize = 5;
/// Members that one request of an initial cycle adds, at most.
const MEMBERS_PER_REQUEST_MAX: usize = 20;
/// Of the rest between the halves of a move, how much is taken at least.
const REST_SHARE_MIN: f64 = 0.5;

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

    /// What it is for.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::ProvisionUser { .. } => Operation::CreateUser,
            Self::UpdateUser { .. } => Operation::UpdateUser,
            Self::DeleteUser { .. } => Operation::DeleteUser,
            Self::ProvisionGroup { .. } => Operation::CreateGroup,
            Self::ReadGroup { .. } => Operation::ReadGroup,
            Self::RenameGroup { .. } => Operation::UpdateGroup,
            Self::SetManager { .. } => Operation::SetManager,
            Self::ChangeMembers { direction: Direction::Join, .. } => Operation::AddMembers,
            Self::ChangeMembers { direction: Direction::Leave, .. } => Operation::RemoveMembers,
        }
    }
}

/// Jobs that may be under way at the same time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The rest before it.
    pub rest: Duration,
    /// In the order in which they are begun.
    pub jobs: Vec<Job>,
}

impl Stage {
    /// One that comes at once.
    fn of(jobs: Vec<Job>) -> Self {
        Self { rest: Duration::ZERO, jobs }
    }
}

/// What a cycle sends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One after the other.
    pub stages: Vec<Stage>,
}

impl Plan {
    /// Requests that it takes where nothing goes wrong.
    pub fn requests(&self) -> u64 {
        self.stages.iter().flat_map(|stage| &stage.jobs).map(Job::requests).sum()
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
    Plan { stages: [users, groups, references.collect()].map(Stage::of).into() }
}

/// What an incremental cycle is made of.
#[derive(Clone, Copy)]
pub struct Since<'a> {
    /// The directory by now.
    pub directory: &'a Directory,
    /// What the target has of it.
    pub links: &'a Links,
    /// What changed since the last cycle.
    pub changes: &'a Changes,
    /// What that one could not write.
    pub owed: &'a Owed,
}

/// An incremental cycle: what changed since the last one, and what that one could not write. Where
/// somebody moves, there is a rest between the two halves: at most `apart`, and at least half of it.
pub fn incremental(since: &Since<'_>, random: &mut Pcg64Mcg, apart: Duration) -> Plan {
    let differences = Differences::of(since);
    let [first, second] = differences.references(random);
    let share = random.random_range(REST_SHARE_MIN..=1.0);
    let rest = if differences.has_moves() { apart.mul_f64(share) } else { Duration::ZERO };
    let (renamed, owed) = (&since.changes.renamed_groups, &since.owed.groups);
    let touched = differences.groups();
    let mut objects = differences.users;
    objects.extend(renamed.difference(owed).map(|group| Job::RenameGroup { group: *group }));
    objects.extend(owed.iter().map(|group| Job::ProvisionGroup { group: *group }));
    let others = touched.iter().filter(|group| !renamed.contains(*group) && !owed.contains(*group));
    objects.extend(others.map(|group| Job::ReadGroup { group: *group }));
    objects.shuffle(random);
    Plan { stages: vec![Stage::of(objects), Stage::of(first), Stage { rest, jobs: second }] }
}

#[cfg(test)]
mod tests;
