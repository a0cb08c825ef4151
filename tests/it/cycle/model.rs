//! The directory as it is meant to be: people, groups, who is in which, and the role that the
//! rules give for it. Made of arithmetic, so that every run is the same.

use std::collections::BTreeSet;

/// People in the directory.
pub(super) const USERS: usize = 500;
/// Groups in the directory.
pub(super) const GROUPS: usize = 20;
/// Which groups give a role; the first that holds a user wins.
pub(super) const ROLES: [(usize, &str); 8] = [
    (3, "admin"),
    (0, "loanee"),
    (7, "manager"),
    (1, "loanee"),
    (9, "auditor"),
    (12, "manager"),
    (15, "clerk"),
    (18, "guest"),
];
/// Every how many-th user is moved to another group.
const MOVED_EVERY: usize = 10;

/// One person's move from group to group.
pub(super) struct Move {
    pub(super) user: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether the burst takes the user out of the old group before it comes into the new one.
    pub(super) leaves_first: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Active,
    Disabled,
    Deleted,
}

/// What the directory knows.
pub(super) struct Directory {
    /// By user: the SCIM id, once pushed.
    pub(super) user_ids: Vec<String>,
    /// By group: the SCIM id, once pushed.
    pub(super) group_ids: Vec<String>,
    groups: Vec<BTreeSet<usize>>,
    statuses: Vec<Status>,
}

pub(super) fn user_name(user: usize) -> String {
    format!("user{user}@acme.test")
}

pub(super) fn new_user_name(user: usize) -> String {
    format!("renamed{user}@acme.test")
}

pub(super) fn group_name(group: usize) -> String {
    format!("Group {group}")
}

/// The group that a user is in from the start, and that moves take it out of.
fn home_group(user: usize) -> usize {
    user % GROUPS
}

/// Moves out of the home group into one that the user is not in from the start.
pub(super) fn planned_moves() -> Vec<Move> {
    let plan = |user: usize| {
        let from = home_group(user);
        let start = (user * 7 + 5) % GROUPS;
        let to = (user * 3 / MOVED_EVERY + 1 + from) % GROUPS;
        let to = if to == from || to == start { (to + 2) % GROUPS } else { to };
        Move { user, from, to, leaves_first: (user / MOVED_EVERY).is_multiple_of(2) }
    };
    (0..USERS).step_by(MOVED_EVERY).map(plan).collect()
}

/// Users who get another name.
pub(super) fn planned_renames() -> Vec<usize> {
    (1..USERS).step_by(20).collect()
}

impl Directory {
    /// Every user in one group, every third in a second one too.
    pub(super) fn new() -> Self {
        let groups = |user: usize| {
            let second = (user.is_multiple_of(3)).then_some((user * 7 + 5) % GROUPS);
            [home_group(user)].into_iter().chain(second).collect()
        };
        Self {
            user_ids: Vec::new(),
            group_ids: Vec::new(),
            groups: (0..USERS).map(groups).collect(),
            statuses: vec![Status::Active; USERS],
        }
    }

    /// Who is in a group.
    pub(super) fn members_of(&self, group: usize) -> Vec<usize> {
        (0..USERS).filter(|user| self.groups[*user].contains(&group)).collect()
    }

    /// The role that the rules give.
    pub(super) fn role_of(&self, user: usize) -> Option<String> {
        let role = match self.statuses[user] {
            Status::Deleted => return None,
            Status::Disabled => "disabled",
            Status::Active => ROLES
                .iter()
                .find(|(group, _)| self.groups[user].contains(group))
                .map_or("default", |(_, role)| role),
        };
        Some(role.to_owned())
    }

    /// Disables users, and knows it.
    pub(super) fn plan_disables(&mut self) -> Vec<usize> {
        self.turn((2..USERS).step_by(20).collect(), Status::Disabled)
    }

    /// Deletes users, and knows it.
    pub(super) fn plan_deletes(&mut self) -> Vec<usize> {
        let users = self.turn((3..USERS).step_by(50).collect(), Status::Deleted);
        for user in &users {
            self.groups[*user].clear();
        }
        users
    }

    /// Enables some of the disabled, and knows it.
    pub(super) fn plan_enables(&mut self) -> Vec<usize> {
        self.turn((2..USERS).step_by(40).collect(), Status::Active)
    }

    fn turn(&mut self, users: Vec<usize>, status: Status) -> Vec<usize> {
        for user in &users {
            self.statuses[*user] = status;
        }
        users
    }

    /// The moves are made.
    pub(super) fn make(&mut self, moves: &[Move]) {
        for one in moves {
            self.groups[one.user].remove(&one.from);
            self.groups[one.user].insert(one.to);
        }
    }
}
