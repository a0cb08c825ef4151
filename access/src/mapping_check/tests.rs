//! Rows as directories name them, in both dialects, and what is made of a missing one.

use serde_json::{Value, json};

use super::*;

const DAY: i64 = 20_000;

fn take(sent: &mut Sent, resource_type: ResourceType, body: &Value) {
    let mut names = Vec::new();
    let is_whole = sent::names(resource_type, body, &mut |name| names.push(name.to_owned()));
    for name in names {
        sent.note(SeenIn::body(resource_type), &name, DAY);
    }
    sent.note_whole(resource_type, u32::from(is_whole));
}

fn users(count: usize, body: &Value) -> Sent {
    let mut sent = Sent::default();
    for _ in 0..count {
        take(&mut sent, ResourceType::User, body);
    }
    sent
}

fn row<'a>(check: &'a MappingCheck, scim: &str) -> &'a CheckedRow {
    check.rows.iter().find(|row| row.scim.ends_with(scim)).unwrap()
}

#[test]
fn before_anything_came_every_row_waits() {
    let check = check(&Sent::default(), &Settings::default());

    assert!(check.rows.iter().all(|row| row.state == RowState::Waiting));
    assert_eq!(check.worst, None);
    assert!(check.words.contains("not sent"));
}

#[test]
fn a_create_without_active_says_that_nobody_will_be_disabled() {
    let check = check(&users(1, &json!({"userName": "ada"})), &Settings::default());

    let active = row(&check, "active");
    assert_eq!((active.state, active.severity), (RowState::Missing, Severity::Must));
    assert!(active.breaks.as_ref().unwrap().contains("disabled"));
    assert_eq!(check.worst, Some(Severity::Must));
    assert!(check.words.contains("active"), "{}", check.words);
    // What a single user may lack is not missing yet.
    assert_eq!(row(&check, "title").state, RowState::Waiting);
}

#[test]
fn a_change_alone_makes_no_row_missing() {
    let body = json!({"Operations": [{"op": "Replace", "path": "title", "value": "T"}]});
    let check = check(&users(100, &body), &Settings::default());

    assert_eq!(row(&check, "title").state, RowState::Seen);
    assert_eq!(row(&check, "active").state, RowState::Waiting);
}

#[test]
fn a_field_mapping_makes_its_row_matter() {
    let body = json!({"userName": "ada", "active": true});
    let mut settings = Settings::default();
    settings.field_mappings.insert("site".into(), "addresses[type eq \"work\"].locality".into());
    let cost = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter";
    settings.field_mappings.insert("cost".into(), cost.into());

    let check = check(&users(5, &body), &settings);

    let department = row(&check, ":department");
    assert_eq!((department.state, department.severity), (RowState::Missing, Severity::Should));
    assert_eq!(department.used_by, ["department"]);
    assert_eq!(row(&check, ".locality").used_by, ["site"]);
    let cost = row(&check, ":costCenter");
    assert_eq!((cost.entra, cost.state), (None, RowState::Missing));
    assert!(cost.breaks.as_ref().unwrap().contains("add a row"));
    assert_eq!(check.worst, Some(Severity::Should));
}

#[test]
fn what_was_seen_has_its_days_and_breaks_nothing() {
    let mut sent = users(5, &json!({"userName": "ada", "active": true, "nickName": "A"}));
    sent.note(SeenIn::User, "active", DAY + 3);
    sent.note(SeenIn::UserFilter, "username", DAY);
    sent.note(SeenIn::UserFilter, "emails[work].value", DAY);

    let check = check(&sent, &Settings::default());

    let active = row(&check, "active");
    assert_eq!(active.first_seen.unwrap().to_string(), "2024-10-04");
    assert_eq!(active.last_seen.unwrap().to_string(), "2024-10-07");
    assert_eq!(active.breaks, None);
    assert_eq!(check.users_matched_by, ["emails[type eq \"work\"].value", "userName"]);
    assert_eq!(check.others, ["nickname"]);
}

/// Entra makes a group without members and adds them afterwards.
#[test]
fn groups_without_members_are_told_of_only_after_some() {
    let mut sent = Sent::default();
    let group = json!({"displayName": "IT", "members": []});
    take(&mut sent, ResourceType::Group, &group);

    let first = check(&sent, &Settings::default());
    assert_eq!(row(&first, "members").state, RowState::Waiting);
    assert_eq!(first.worst, None);
    for _ in 1..WHOLE_FOR_ALL {
        take(&mut sent, ResourceType::Group, &group);
    }
    let later = check(&sent, &Settings::default());

    let members = row(&later, "members");
    assert_eq!(members.state, RowState::Missing);
    for words in [&later.words, members.breaks.as_ref().unwrap()] {
        assert!(words.contains("r nobody is in these groups"), "{words}");
    }
    assert_eq!(row(&later, "userName").state, RowState::Waiting);

    let add = json!({"op": "Add", "path": "members", "value": [{"value": "1"}]});
    take(&mut sent, ResourceType::Group, &json!({"Operations": [add]}));
    assert_eq!(row(&check(&sent, &Settings::default()), "members").state, RowState::Seen);
}

#[test]
fn a_first_group_without_a_name_is_told_of_at_once() {
    let mut sent = Sent::default();
    take(&mut sent, ResourceType::Group, &json!({"externalId": "1"}));

    let check = check(&sent, &Settings::default());

    let names = |row: &&CheckedRow| row.state == RowState::Missing;
    let missing: Vec<&str> = check.rows.iter().filter(names).map(|row| row.scim.as_str()).collect();
    assert_eq!(missing, ["displayName"]);
}

#[test]
fn no_more_names_are_noted_than_may_be() {
    let mut sent = Sent::default();
    for name in 0..1_000 {
        sent.note(SeenIn::User, &name.to_string(), DAY);
    }
    sent.note(SeenIn::User, "0", DAY + 1);

    assert_eq!(sent.user.len(), NAMES_MAX);
    assert_eq!(sent.user["0"].last, DAY + 1);
}
