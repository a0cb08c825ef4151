//! A tenant in a redb file, and users that are made in it as the service makes them: the user of a
//! kilobyte with its index rows, its account, its mark, and what the feed tells of it.

use access::lifecycle::{self, Moment};
use access::projection::{FieldPaths, Profile};
use access::{Bindings, RoleRules, Settings, TokenId, UserId};
use jiff::{SignedDuration, Timestamp};
use scim::resource;
use scim::schema::ResourceType;
use serde_json::json;
use std::sync::Arc;
use store::tenant::Token;
use store::{
    Changeset, Expected, Marked, NewRecord, Operation, RedbStore, RedbStoreOptions, Store,
    TenantKey,
};

/// Changes of one transaction while a tenant is filled.
const FILLED_AT_ONCE: usize = 1_024;
const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// A tenant, in a store that goes with it.
pub(crate) struct Tenant {
    pub(crate) store: Arc<RedbStore>,
    pub(crate) key: TenantKey,
    rules: RoleRules,
    fields: FieldPaths,
    _directory: tempfile::TempDir,
}

impl Tenant {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
        let token = Token {
            id: TokenId::new(NOW),
            label: "benchmark".into(),
            secret_sha256: [0; 32],
            created_at: NOW,
            expires_at: None,
        };
        let id = "acme".parse().unwrap();
        let create = Operation::CreateTenant { id, name: "Acme".into(), token: Box::new(token) };
        let change = Changeset::new(TenantKey::SERVICE, NOW, None).with(create);
        let key = store.commit(change).wait_blocking().unwrap().tenant.unwrap();
        let settings = Settings::default();
        let rules = RoleRules::new(&settings, &Bindings::default());
        let fields = FieldPaths::new(&settings);
        Self { store: Arc::new(store), key, rules, fields, _directory: directory }
    }

    /// Makes users with the numbers from 0 on; nobody owes them a decision.
    pub(crate) fn fill(&self, users: usize) {
        for first in (0..users).step_by(FILLED_AT_ONCE) {
            let numbers = first..users.min(first + FILLED_AT_ONCE);
            let changes = numbers.map(|number| {
                let mut change = self.create(number);
                change.operations.retain(|operation| !matches!(operation, Operation::Mark(_)));
                change
            });
            for reply in changes.map(|change| self.store.commit(change)).collect::<Vec<_>>() {
                reply.wait_blocking().unwrap();
            }
        }
    }

    /// The change that makes the user with this number. Ids grow with the numbers.
    pub(crate) fn create(&self, number: usize) -> Changeset {
        let millis = i64::try_from(number).unwrap();
        let now = NOW + SignedDuration::from_millis(millis);
        let id = UserId::new(now);
        let name = user_name(number);
        let body = json!({
            "externalId": format!("entra-{number:08}"),
            "userName": name,
            "active": true,
            "displayName": format!("User Number {number}"),
            "title": "Able Seaman",
            "emails": [{"primary": true, "type": "work", "value": name}],
            "name": {"formatted": format!("User Number {number}"), "familyName": "Number", "givenName": "User"},
            "addresses": [{
                "primary": true, "type": "work", "formatted": "1 Quay Street, Bristol",
                "streetAddress": "1 Quay Street", "locality": "Bristol", "region": "Avon",
                "postalCode": "BS1 4RW", "country": "GB",
            }],
            "phoneNumbers": [
                {"primary": true, "type": "work", "value": "+44 117 496 0000"},
                {"type": "mobile", "value": "+44 7700 900000"},
            ],
            scim::urn::ENTERPRISE_USER: {"employeeNumber": format!("{number}"), "department": "Deck"},
        });
        let made = resource::create(ResourceType::User, &id.to_string(), body).unwrap().resource;
        let profile = Profile::of(made.attributes(), &self.fields);
        let moment = Moment { now, wave: None, request: None };
        let changed = lifecycle::create(id, profile, true, &self.rules, moment);
        let record = NewRecord {
            name,
            external_id: made.external_id().map(str::to_owned),
            body: made.to_bytes(),
        };
        Changeset::new(self.key, now, None)
            .with(Operation::PutUser { id, expected: Expected::Absent, record })
            .with(Operation::PutAccount(Box::new(changed.account)))
            .with(Operation::Mark(Marked::User(id)))
            .telling(changed.events)
    }
}

/// The name of the user with this number.
pub(crate) fn user_name(number: usize) -> String {
    format!("user-{number:08}@example.com")
}
