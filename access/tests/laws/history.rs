//! Random histories: what a directory sends, what operators do, and the silence between waves.

use proptest::prelude::*;

use crate::tenant::{GROUPS, NAMES, USERS};

/// One SCIM write, by slots.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Create(u8, bool),
    SetActive(u8, bool),
    Delete(u8),
    Join(u8, u8),
    Leave(u8, u8),
    Push(u8, u8),
    Rename(u8, u8),
    DeleteGroup(u8),
}

/// One act of an operator, or of time.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Lock(u8),
    Unlock(u8),
    SetRole(u8),
    Map(Vec<u8>),
    Sweep,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Request(Request),
    Act(Act),
    Settle,
}

/// A write that changes who is in which group, or who is active.
pub(crate) fn moves() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => (0..GROUPS, 0..USERS).prop_map(|(group, user)| Request::Join(group, user)),
        2 => (0..GROUPS, 0..USERS).prop_map(|(group, user)| Request::Leave(group, user)),
        2 => (0..USERS, any::<bool>()).prop_map(|(user, active)| Request::SetActive(user, active)),
    ]
}

pub(crate) fn requests() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => moves(),
        3 => (0..USERS, any::<bool>()).prop_map(|(user, active)| Request::Create(user, active)),
        1 => (0..USERS).prop_map(Request::Delete),
        2 => (0..GROUPS, 0..NAMES).prop_map(|(group, name)| Request::Push(group, name)),
        1 => (0..GROUPS, 0..NAMES).prop_map(|(group, name)| Request::Rename(group, name)),
        1 => (0..GROUPS).prop_map(Request::DeleteGroup),
    ]
}

pub(crate) fn maps() -> impl Strategy<Value = Act> {
    let order = Just((0..NAMES).collect::<Vec<u8>>()).prop_shuffle();
    (order, 0..=usize::from(NAMES)).prop_map(|(mut order, length)| {
        order.truncate(length);
        Act::Map(order)
    })
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0..USERS).prop_map(Act::Lock),
        1 => (0..USERS).prop_map(Act::Unlock),
        1 => (0..USERS).prop_map(Act::SetRole),
        2 => maps(),
        1 => Just(Act::Sweep),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        7 => requests().prop_map(Step::Request),
        3 => acts().prop_map(Step::Act),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 0..80)
}
