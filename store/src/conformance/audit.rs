//! The audit log, documents, and what retention takes away.

use access::{Author, HoldId, RequestId, TokenId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fixture::{Fixture, add, at, group, put_user, remove, user, value};
use crate::{
    Collection, CommitError, Document, DocumentKey, Log, Operation, Refusal, Requirement, Store,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: HoldId,
    text: String,
}

impl Document for Note {
    const COLLECTION: Collection = Collection::Holds;

    fn key(&self) -> DocumentKey {
        DocumentKey::id(self.id.as_bytes())
    }
}

fn note(number: u8, text: &str) -> Note {
    Note { id: HoldId::from_bytes([number; 16]), text: text.into() }
}

fn put(note: &Note) -> Operation {
    Operation::put(note).unwrap()
}

fn changes(entry: &Value) -> &[Value] {
    entry["changes"].as_array().unwrap()
}

/// With who made it, by which request, and what differs.
pub fn a_change_is_audited_with_its_author(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let token = TokenId::from_bytes([3; 16]);
    let request = RequestId::from_bytes([4; 16]);
    let author = Author::token(token, "entra", Some(request));
    acme.commit(acme.change([put_user(1, "robert", None)]).by(author)).unwrap();

    let entry = acme.audit().pop().unwrap();
    assert_eq!(entry["actor"]["kind"], "token");
    assert_eq!(entry["actor"]["label"], "entra");
    assert_eq!(entry["request"], json!(request));
    assert_eq!(
        changes(&entry),
        [json!({
            "object": "user",
            "id": user(1).to_string(),
            "before": {"name": "bob"},
            "after": {"name": "robert"},
        })]
    );
}

/// And what was refused has none, and leaves no gap.
pub fn audit_entries_have_no_gaps(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let changes = (1..=30).map(|number| match number % 3 {
        0 => acme.change([put_user(99, "nobody", None)]),
        _ => acme.change([put_user(1, &format!("name {number}"), None)]),
    });
    for answer in acme.commit_all(changes.collect()) {
        drop(answer);
    }
    let numbers: Vec<u64> = acme.audit().iter().filter_map(|e| e["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=21).collect::<Vec<u64>>());
}

/// By name for those that nobody has pushed yet.
pub fn changes_of_members_are_audited(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["Staff"]);
    acme.apply([add(1, &[&value(1), "later"])]);
    let entry = acme.audit().pop().unwrap();
    let told: Vec<&Value> = changes(&entry).iter().map(|change| &change["after"]).collect();
    assert_eq!(told[0]["parked"], json!(["later"]));
    assert_eq!(told[1]["members"], json!([value(1)]));

    acme.apply([remove(1, &[&value(1)])]);
    let entry = acme.audit().pop().unwrap();
    assert_eq!(changes(&entry)[0]["before"]["members_count"], 1);
}

/// Marks and feed entries are no changes of their own.
pub fn what_changes_nothing_is_not_audited(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let before = acme.audit().len();
    acme.apply([Operation::Mark(crate::Marked::User(user(1)))]);
    assert_eq!(acme.audit().len(), before);
}

/// In the order of their keys, and only if nobody changed them meanwhile, where that is asked.
pub fn documents_are_kept_in_order(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let other = Fixture::new(store, "other");
    for number in [3, 1, 2] {
        acme.apply([put(&note(number, "x"))]);
    }
    other.apply([put(&note(9, "x"))]);
    let snapshot = acme.snapshot();
    let after = DocumentKey::id(&[1; 16]);
    let found: Vec<Note> = snapshot.documents(acme.tenant, Some(&after), 9).unwrap();
    assert_eq!(found, [note(2, "x"), note(3, "x")]);
    let all = DocumentKey::default();
    let found: Vec<Note> = snapshot.documents_reversed(acme.tenant, &all, None, 2).unwrap();
    assert_eq!(found, [note(3, "x"), note(2, "x")]);

    let key = note(1, "").key();
    let kept = snapshot.document::<Note>(acme.tenant, &key).unwrap().unwrap();
    let requirement = |revision| Requirement::Document {
        collection: Collection::Holds,
        key: key.clone(),
        revision,
    };
    let change = acme.change([put(&note(1, "y"))]).requiring(requirement(Some(kept.revision)));
    acme.commit(change.clone()).unwrap();
    let moved = Err(CommitError::Refused(Refusal::DocumentMoved));
    assert_eq!(acme.commit(change), moved);
    assert_eq!(acme.commit(acme.change([]).requiring(requirement(None))), moved);

    acme.apply([Operation::delete::<Note>(key.clone())]);
    acme.commit(acme.change([]).requiring(requirement(None))).unwrap();
    let entry = acme.audit().pop().unwrap();
    assert_eq!(changes(&entry)[0]["before"]["text"], "y");
}

/// Oldest first, in pieces; numbers go on.
pub fn retention_takes_the_oldest(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    for number in 0..10 {
        acme.apply([put_user(1, &format!("name {number}"), None)]);
    }
    let (newest, trim) = (acme.audit().len() as u64, |last, rows_max| {
        acme.apply([Operation::Trim { log: Log::Audit, last, rows_max }]).more_to_purge
    });
    assert!(trim(5, 3));
    assert!(!trim(5, 3));
    assert!(!trim(5, 3));
    assert_eq!(acme.audit()[0]["seq"], 6);
    assert!(!trim(1_000, 1_000));
    assert_eq!(acme.audit().len(), 0);
    acme.apply([put_user(1, "last", None)]);
    assert_eq!(acme.audit()[0]["seq"], newest + 1);
    let counts = acme.snapshot().counts(acme.tenant).unwrap();
    assert_eq!((counts.audit_trimmed, counts.audit), (newest, newest + 1));
}

/// The feed tells of it, and the user who appears later is no member.
pub fn a_parked_member_expires(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["Staff"]);
    let long = "x".repeat(300);
    acme.apply([add(1, &["later", &long])]);
    let parked = acme.snapshot().all_parked(acme.tenant, None, 9).unwrap();
    assert_eq!(parked.iter().map(|p| p.since).collect::<Vec<_>>(), [at(1); 2]);
    assert!(parked.iter().any(|p| p.value == long && p.group == group(1)));
    let rest = acme.snapshot().all_parked(acme.tenant, Some(&parked[0].place), 9).unwrap();
    assert_eq!(rest, parked[1..]);

    acme.apply([Operation::ExpireParked { group: group(1), value: "later".into() }]);
    assert_eq!(acme.feed().pop().unwrap()["expired"], json!(["later"]));
    acme.commit(acme.new_user(1, "bob", Some("later"))).unwrap();
    assert_eq!(acme.users_of(1), []);
    assert_eq!(acme.snapshot().all_parked(acme.tenant, None, 9).unwrap().len(), 1);
}

/// And no other is.
pub fn a_deleted_users_account_is_forgotten(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob", "eve"]);
    acme.delete_user(1);
    acme.apply([Operation::ForgetAccount(user(1)), Operation::ForgetAccount(user(2))]);
    let account = |number| acme.snapshot().account(acme.tenant, user(number)).unwrap();
    assert!(account(1).is_none());
    assert!(account(2).is_some());
}
