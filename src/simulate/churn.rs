//! What happens in the directory between two cycles: people join, move, leave, come back, marry.
//!
//! Pure. It changes the directory, counts what happened, and keeps what was before of everybody it
//! touched: a cycle sends the difference. At most one thing happens to a person between two cycles,
//! but for a new manager where the old one left.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_pcg::Pcg64Mcg;

use super::attribute::Attribute;
use super::directory::{Directory, Person, Standing, department_of};
use super::people;

/// What became different, and what it was before.
#[derive(Debug, Default)]
pub struct Changes {
    /// Everybody who was touched, as they were; none for those who are new.
    pub people: BTreeMap<usize, Option<Person>>,
    /// Groups that got another name.
    pub renamed_groups: BTreeSet<usize>,
    /// What happened, and how often.
    pub events: Vec<(&'static str, u64)>,
}

/// Something that happens to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Move,
    Leave,
    Rename,
    Promotion,
    NewManager,
}

/// Of a hundred events, how many are of each sort. The rest are joiners, and what comes of those
/// who left.
const SHARES: [(Event, u32); 5] = [
    (Event::Move, 36),
    (Event::Leave, 12),
    (Event::Rename, 10),
    (Event::Promotion, 20),
    (Event::NewManager, 8),
];
const JOINERS_SHARE: u32 = 14;
/// Of those who had left before this cycle, how many come back, and how many of those in the bin
/// are deleted for good.
const RESTORED_SHARE: f64 = 0.2;
const DELETED_SHARE: f64 = 0.4;
/// Of those who leave, how many are deleted in the directory: the others lose the app alone.
const SOFT_DELETED_SHARE: f64 = 0.5;
/// Groups are renamed less often than things happen to people.
const GROUPS_RENAMED_PER_EVENT: f64 = 0.25;

/// Draws what happens, and makes it happen. Of a hundred people, `percent` are touched.
pub fn draw(directory: &mut Directory, random: &mut Pcg64Mcg, percent: f64) -> Changes {
    let mut changes = Changes::default();
    let active: Vec<usize> = directory
        .present()
        .filter_map(|(position, person)| person.standing.is_active().then_some(position))
        .collect();
    let expected = f64::from(u32::try_from(active.len()).unwrap_or(u32::MAX)) * percent / 100.0;
    former_people(directory, random, &mut changes);
    let mut untouched = active;
    untouched.shuffle(random);
    for (event, share) in SHARES {
        let times = about(random, expected * f64::from(share) / 100.0);
        let touched = untouched.split_off(untouched.len().saturating_sub(times));
        for person in touched {
            happen(directory, random, &mut changes, event, person);
        }
    }
    for _ in 0..about(random, expected * f64::from(JOINERS_SHARE) / 100.0) {
        let joiner = directory.hire(random);
        changes.people.insert(joiner, None);
        changes.count("joiners");
    }
    let groups = f64::from(u32::try_from(directory.groups.len()).unwrap_or(u32::MAX));
    for _ in 0..about(random, groups * percent / 100.0 * GROUPS_RENAMED_PER_EVENT) {
        rename_group(directory, random, &mut changes);
    }
    changes
}

impl Changes {
    fn count(&mut self, event: &'static str) {
        match self.events.iter_mut().find(|(name, _)| *name == event) {
            Some((_, times)) => *times += 1,
            None => self.events.push((event, 1)),
        }
    }

    /// The person, to be changed: what they were is kept.
    fn touch<'a>(&mut self, directory: &'a mut Directory, person: usize) -> Option<&'a mut Person> {
        let found = directory.people.get_mut(person)?;
        self.people.entry(person).or_insert_with(|| Some(found.clone()));
        Some(found)
    }
}

/// A whole number of times that is this much on average.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is too large saturates, and none is negative"
)]
fn about(random: &mut Pcg64Mcg, expected: f64) -> usize {
    let (whole, rest) = (expected.trunc(), expected.fract());
    whole as usize + usize::from(random.random_bool(rest.clamp(0.0, 1.0)))
}

/// Of those who left, some come back and some are deleted for good.
fn former_people(directory: &mut Directory, random: &mut Pcg64Mcg, changes: &mut Changes) {
    let managers: BTreeSet<usize> =
        directory.present().filter_map(|(_, person)| person.manager).collect();
    let former: Vec<(usize, Standing)> = directory
        .present()
        .filter(|(_, person)| !person.standing.is_active())
        .map(|(position, person)| (position, person.standing))
        .collect();
    for (position, standing) in former {
        if random.random_bool(RESTORED_SHARE) {
            if let Some(person) = changes.touch(directory, position) {
                restore(person);
                changes.count("restored");
            }
        } else if standing == Standing::SoftDeleted
            // Whoever still names a deleted manager names nobody.
            && !managers.contains(&position)
            && random.random_bool(DELETED_SHARE)
            && let Some(person) = changes.touch(directory, position)
        {
            person.standing = Standing::Deleted;
            person.groups.clear();
            changes.count("deleted");
        }
    }
}

fn happen(
    directory: &mut Directory,
    random: &mut Pcg64Mcg,
    changes: &mut Changes,
    event: Event,
    position: usize,
) {
    match event {
        Event::Move => relocate(directory, random, changes, position),
        Event::Leave => leave(directory, random, changes, position),
        Event::Rename => {
            let given =
                directory.people.get(position).and_then(|one| one.get(Attribute::GivenName));
            let given = given.unwrap_or_default().to_owned();
            let name = directory.namer.renamed(random, &given);
            if let Some(person) = changes.touch(directory, position) {
                person.take_name(&name);
                changes.count("renamed");
            }
        }
        Event::Promotion => {
            if let Some(person) = changes.touch(directory, position) {
                promote(person, random);
                changes.count("attributes changed");
            }
        }
        Event::NewManager => {
            let manager = random.random_range(0..directory.people.len().max(1));
            let may_manage = |one: &Person| one.standing.is_active() && manager != position;
            if directory.people.get(manager).is_some_and(may_manage)
                && let Some(person) = changes.touch(directory, position)
                && person.manager != Some(manager)
            {
                person.manager = Some(manager);
                changes.count("managers changed");
            }
        }
    }
}

/// Out of one group and into another; often into another department with it.
fn relocate(
    directory: &mut Directory,
    random: &mut Pcg64Mcg,
    changes: &mut Changes,
    position: usize,
) {
    let groups = directory.groups.len();
    let Some(person) = changes.touch(directory, position) else { return };
    let held: Vec<usize> = person.groups.iter().copied().collect();
    let open: Vec<usize> = (0..groups).filter(|group| !person.groups.contains(group)).collect();
    let Some(to) = open.choose(random) else { return };
    if let Some(from) = held.choose(random) {
        person.groups.remove(from);
    }
    person.groups.insert(*to);
    if let Some(department) = department_of(*to) {
        person.set(Attribute::Department, department);
    }
    changes.count("movers");
}

/// Loses the app, or leaves altogether. Who reported to them reports to their manager.
fn leave(directory: &mut Directory, random: &mut Pcg64Mcg, changes: &mut Changes, position: usize) {
    let Some(person) = changes.touch(directory, position) else { return };
    let heir = person.manager;
    if random.random_bool(SOFT_DELETED_SHARE) {
        person.standing = Standing::SoftDeleted;
        let tombstone = tombstone(person);
        person.set(Attribute::UserName, tombstone);
    } else {
        person.standing = Standing::Unassigned;
    }
    changes.count("leavers");
    let reports: Vec<usize> = directory
        .present()
        .filter_map(|(report, one)| (one.manager == Some(position)).then_some(report))
        .collect();
    for report in reports {
        if let Some(heir) = heir.filter(|heir| *heir != report)
            && let Some(person) = changes.touch(directory, report)
        {
            person.manager = Some(heir);
            changes.count("managers changed");
        }
    }
}

/// The name of somebody in the bin: the object id without its hyphens, then the old name.
fn tombstone(person: &Person) -> String {
    let id = person.get(Attribute::ExternalId).unwrap_or_default().replace('-', "");
    format!("{id}{}", person.user_name())
}

fn restore(person: &mut Person) {
    if person.standing == Standing::SoftDeleted {
        let id = person.get(Attribute::ExternalId).unwrap_or_default().replace('-', "");
        let name = person.user_name();
        let name = name.strip_prefix(&id).unwrap_or(name).to_owned();
        person.set(Attribute::UserName, name);
    }
    person.standing = Standing::Active;
}

/// Another title, and a few attributes more: some had a value before, and some had none.
fn promote(person: &mut Person, random: &mut Pcg64Mcg) {
    person.set(Attribute::Title, people::title(random));
    if random.random_bool(0.5) {
        person.set(Attribute::WorkPhone, people::phone(random));
    }
    if random.random_bool(0.3) {
        person.set(Attribute::MobilePhone, people::phone(random));
    }
    if random.random_bool(0.2) {
        let (language, town, country) = people::place(random);
        person.set(Attribute::PreferredLanguage, language);
        person.set(Attribute::Locality, town);
        person.set(Attribute::Country, country);
    }
}

fn rename_group(directory: &mut Directory, random: &mut Pcg64Mcg, changes: &mut Changes) {
    let position = random.random_range(0..directory.groups.len().max(1));
    let Some(group) = directory.groups.get_mut(position) else { return };
    if changes.renamed_groups.insert(position) {
        let name = directory.namer.group_renamed(random, group.display_name());
        group.rename(name);
        changes.count("groups renamed");
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn years(seed: u64) -> (Directory, Vec<Changes>) {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut directory = Directory::draw(&mut random, 400, 20);
        let changes = (0..20).map(|_| draw(&mut directory, &mut random, 10.0)).collect();
        (directory, changes)
    }

    #[test]
    fn everything_that_can_happen_happens_in_time() {
        let (_, changes) = years(3);

        let happened: BTreeSet<&str> =
            changes.iter().flat_map(|one| &one.events).map(|(name, _)| *name).collect();

        let all = [
            "attributes changed",
            "deleted",
            "groups renamed",
            "joiners",
            "leavers",
            "managers changed",
            "movers",
            "renamed",
            "restored",
        ];
        assert_eq!(happened.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn the_same_seed_makes_the_same_things_happen() {
        let text = |seed| {
            let (directory, changes) = years(seed);
            format!("{:?} {changes:?}", directory.people)
        };

        assert_eq!(text(3), text(3));
        assert_ne!(text(3), text(4));
    }

    #[test]
    fn nobody_has_a_name_that_somebody_else_has() {
        let (directory, _) = years(5);

        let names: BTreeSet<&str> = directory.people.iter().map(Person::user_name).collect();

        assert_eq!(names.len(), directory.people.len());
    }

    #[test]
    fn nobody_reports_to_somebody_who_is_deleted() {
        let (directory, _) = years(6);

        for (_, person) in directory.present() {
            let manager = person.manager.and_then(|manager| directory.people.get(manager));
            assert!(manager.is_none_or(|manager| manager.standing != Standing::Deleted));
        }
    }

    #[test]
    fn whoever_comes_back_has_the_old_name_and_the_old_groups() {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut directory = Directory::draw(&mut random, 1, 9);
        let before = directory.people[0].clone();
        let mut changes = Changes::default();
        while directory.people[0].standing != Standing::SoftDeleted {
            directory.people[0] = before.clone();
            leave(&mut directory, &mut random, &mut changes, 0);
        }
        assert!(directory.people[0].user_name().ends_with(before.user_name()));
        assert_ne!(directory.people[0].user_name(), before.user_name());

        restore(&mut directory.people[0]);

        assert_eq!(directory.people[0].user_name(), before.user_name());
        assert_eq!(directory.people[0].groups, before.groups);
    }
}
