//! Plans say what changed, all of it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng as _;

use super::super::churn;
use super::*;
use crate::simulate::directory::Standing;
use crate::simulate::links::Learned;

const APART: Duration = Duration::from_mins(1);

fn random() -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(11)
}

/// Everybody is known to the target.
fn all_linked(directory: &Directory) -> Links {
    let mut links = Links::default();
    for position in 0..directory.people.len() {
        links.learn(Learned::Person { position, id: "id".into(), created: true });
    }
    links
}

/// A target that knows everybody but this person.
fn all_linked_but(directory: &Directory, person: usize) -> Links {
    let mut links = Links::default();
    for position in (0..directory.people.len()).filter(|position| *position != person) {
        links.learn(Learned::Person { position, id: "id".into(), created: true });
    }
    links
}

fn planned(directory: &Directory, links: &Links, changes: &Changes, owed: &Owed) -> Plan {
    incremental(&Since { directory, links, changes, owed }, &mut random(), APART)
}

/// All references, the first part and the second.
fn references(plan: &Plan) -> Vec<&Job> {
    plan.stages[1..].iter().flat_map(|stage| &stage.jobs).collect()
}

#[test]
fn the_initial_cycle_writes_objects_before_what_refers_to_them() {
    let mut random = random();
    let directory = Directory::draw(&mut random, 100, 10);

    let plan = initial(&directory, &mut random, 5);

    let [users, groups, references] = plan.stages.as_slice() else { panic!("three stages") };
    assert_eq!((users.jobs.len(), groups.jobs.len()), (100, 10));
    let mut memberships = BTreeSet::new();
    for job in &references.jobs {
        if let Job::ChangeMembers { group, people, .. } = job {
            memberships.extend(people.iter().map(|person| (*group, *person)));
        }
    }
    let expected = directory.people.iter().map(|one| one.groups.len()).sum::<usize>();
    assert_eq!(memberships.len(), expected);
    assert_eq!(plan.requests(), 300 + 20 + references.jobs.len() as u64);
}

#[test]
fn an_incremental_cycle_turns_the_old_memberships_into_the_new_ones() {
    let mut random = random();
    let mut directory = Directory::draw(&mut random, 300, 20);
    for _ in 0..10 {
        let (before, links) = (directory.people.clone(), all_linked(&directory));
        let changes = churn::draw(&mut directory, &mut random, 20.0);

        let plan = planned(&directory, &links, &changes, &Owed::default());

        let mut members: Vec<BTreeSet<usize>> = before.into_iter().map(|one| one.groups).collect();
        members.resize(directory.people.len(), BTreeSet::new());
        for job in plan.stages.iter().flat_map(|stage| &stage.jobs) {
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
fn the_halves_of_a_move_are_a_rest_apart_and_either_may_come_first() {
    let mut random = random();
    let mut directory = Directory::draw(&mut random, 2_000, 20);
    let links = all_linked(&directory);
    let changes = churn::draw(&mut directory, &mut random, 50.0);

    let plan = planned(&directory, &links, &changes, &Owed::default());

    let mut seen: BTreeMap<usize, Vec<(usize, Direction)>> = BTreeMap::new();
    for (part, stage) in plan.stages[1..].iter().enumerate() {
        for job in &stage.jobs {
            if let Job::ChangeMembers { direction, people, .. } = job {
                seen.entry(people[0]).or_default().push((part, *direction));
            }
        }
    }
    let moves: Vec<_> =
        seen.values().filter(|halves| halves.len() == 2 && halves[0].1 != halves[1].1).collect();
    let leaves_first = moves.iter().filter(|halves| halves[0].1 == Direction::Leave).count();
    assert!(moves.len() > 100, "{}", moves.len());
    assert!(leaves_first > moves.len() / 4 && leaves_first < moves.len() * 3 / 4);
    assert!(moves.iter().all(|halves| (halves[0].0, halves[1].0) == (0, 1)));
    let rests: Vec<Duration> = plan.stages.iter().map(|stage| stage.rest).collect();
    assert_eq!(rests[..2], [Duration::ZERO; 2]);
    assert!((APART / 2..=APART).contains(&rests[2]), "{rests:?}");
}

#[test]
fn whoever_could_not_be_written_is_found_or_created_in_the_next_cycle_with_all_references() {
    let directory = Directory::draw(&mut random(), 20, 8);
    let mut owed = Owed::default();
    owed.note(&Job::ProvisionUser { person: 9 });

    let plan = planned(&directory, &all_linked_but(&directory, 9), &Changes::default(), &owed);

    assert!(plan.stages[0].jobs.contains(&Job::ProvisionUser { person: 9 }));
    let references = references(&plan);
    let joins = references.iter().filter(|job| matches!(job, Job::ChangeMembers { .. }));
    assert_eq!(joins.count(), directory.people[9].groups.len());
    assert!(references.contains(&&Job::SetManager { person: 9, had_value: false }));
    assert_eq!(plan.stages[2].rest, Duration::ZERO, "nobody moves");
}

/// What is sent when person 0, to whom person 1 reports and whom the target does not know, becomes
/// what `standing` says.
fn sent_of_an_unknown_manager(standing: Standing) -> Plan {
    let mut directory = Directory::draw(&mut random(), 2, 8);
    let mut changes = Changes::default();
    let mut owed = Owed::default();
    owed.note(&Job::SetManager { person: 1, had_value: false });
    let links = all_linked_but(&directory, 0);
    let mut before = directory.people[0].clone();
    before.standing = Standing::Unassigned;
    changes.people.insert(0, Some(before));
    directory.people[0].standing = standing;
    planned(&directory, &links, &changes, &owed)
}

#[test]
fn whoever_left_before_the_target_knew_them_is_not_created_nor_referred_to() {
    for standing in [Standing::Unassigned, Standing::SoftDeleted, Standing::Deleted] {
        let plan = sent_of_an_unknown_manager(standing);

        assert_eq!(plan.requests(), 0, "{standing:?}: {plan:?}");
    }
}

#[test]
fn whoever_comes_back_before_the_target_knew_them_is_created_and_referred_to() {
    let plan = sent_of_an_unknown_manager(Standing::Active);

    assert!(plan.stages[0].jobs.contains(&Job::ProvisionUser { person: 0 }));
    assert!(references(&plan).contains(&&Job::SetManager { person: 1, had_value: false }));
}
