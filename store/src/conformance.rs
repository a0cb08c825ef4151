//! The promises that every backend keeps, as a suite that runs against any [`Store`].
//!
//! A backend's tests call [`run`] with a closure that makes an empty store; each promise is also a
//! function of its own in a submodule. The functions panic when a promise is broken: they are for
//! tests, and nothing else calls them.
//!
//! Not here: what only one backend can break (damaged files, power loss), see the crate's tests.

#![expect(clippy::unwrap_used, reason = "a suite of tests, which fail by panicking")]

pub mod audit;
pub mod feed;
pub mod fixture;
pub mod marks;
pub mod members;
pub mod requests;
pub mod resources;
pub mod search;
pub mod tenants;

use std::sync::Arc;

use crate::Store;

/// A promise: what it is called, and what checks it.
pub type Promise = (&'static str, fn(&dyn Store));

macro_rules! promises {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// All of them.
        pub const PROMISES: &[Promise] = &[$((stringify!($name), $module::$name)),*];
    };
}

promises![
    resources::a_user_name_is_unique_without_regard_to_case,
    resources::a_name_is_kept_as_sent,
    resources::a_group_name_is_unique,
    resources::a_rename_frees_the_old_name,
    resources::a_rename_that_changes_only_case_is_taken,
    resources::the_second_of_two_creates_leaves_no_trace,
    resources::a_revision_that_moved_is_refused,
    resources::absent_and_present_are_checked,
    resources::a_delete_frees_name_and_external_id,
    resources::the_oldest_of_an_external_id_comes_first,
    resources::an_account_is_changed_only_from_the_revision_that_was_read,
    members::a_deleted_user_leaves_its_groups,
    members::members_join_leave_and_are_replaced,
    members::adding_twice_is_once,
    members::removing_a_stranger_changes_nothing,
    members::a_parked_member_is_bound_when_its_user_appears,
    members::a_parked_member_is_bound_by_a_changed_external_id,
    members::a_parked_member_can_be_taken_back,
    members::binding_does_not_change_what_a_create_answers,
    members::a_group_can_be_a_member,
    members::a_deleted_group_marks_its_users,
    marks::a_generation_never_comes_back,
    marks::the_first_touch_stays,
    marks::a_mark_is_cleared_only_if_nobody_touched_it,
    marks::requirements_refuse_what_moved,
    marks::a_group_is_bound_to_the_mapping_that_waits_for_its_name,
    feed::the_feed_has_no_gaps,
    feed::waves_come_newest_first,
    feed::a_snapshot_holds_what_was_answered_and_nothing_later,
    audit::a_change_is_audited_with_its_author,
    audit::audit_entries_have_no_gaps,
    audit::changes_of_members_are_audited,
    audit::what_changes_nothing_is_not_audited,
    audit::documents_are_kept_in_order,
    audit::retention_takes_the_oldest,
    audit::a_parked_member_expires,
    audit::a_deleted_users_account_is_forgotten,
    requests::exchanges_come_back_as_they_were_put,
    requests::a_block_tells_what_it_cannot_hold,
    requests::large_bodies_are_read_back_and_taken_away,
    requests::retention_takes_the_oldest_blocks,
    search::accounts_are_looked_through_in_pieces,
    search::entries_about_one_thing_are_found_looking_back,
    tenants::tokens_are_kept_and_deleted,
    tenants::a_token_expires_never_later_than_it_would_anyway,
    tenants::a_tenants_id_is_unique_and_its_number_is_never_used_again,
    tenants::a_deleted_tenant_takes_no_changes,
    tenants::a_purge_goes_in_pieces_and_ends,
    tenants::a_tenant_made_anew_sees_nothing_of_the_old_one,
    tenants::tenants_do_not_see_each_other,
    tenants::a_change_that_deletes_its_own_tenant_leaves_no_counters,
];

/// Checks every promise, each against a store of its own, and that all that was kept fits
/// together at the end.
pub fn run(make: impl Fn() -> Arc<dyn Store>) {
    for (name, promise) in PROMISES {
        tracing::info!(name, "checking a promise");
        let store = make();
        promise(&*store);
        let report = crate::check::check(&store.snapshot().unwrap());
        assert!(report.is_clean(), "{name}: {:#?}", report.problems);
    }
}
