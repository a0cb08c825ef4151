//! Damaged files: what is damaged is noticed, never served.

use std::fmt;
use std::path::Path;

use access::{Account, UserId};
use store::check::check;
use store::conformance::fixture::{Fixture, add, group, new_group, user, value};
use store::snapshot::Member;
use store::{ReadError, Record, RedbStore, RedbStoreOptions, Snapshot, Store, TenantKey};

const USERS: u16 = 120;
const FILE: &str = "slackwater.redb";
const PAGE_BYTES: usize = 4_096;

/// What the file held.
struct Whole {
    tenant: TenantKey,
    bytes: Vec<u8>,
    records: Vec<(UserId, Record, Account)>,
    members: Vec<Member>,
}

impl Whole {
    fn new(directory: &Path) -> Self {
        let store = RedbStore::open(directory, &RedbStoreOptions::default()).unwrap();
        let acme = Fixture::new(&store, "acme");
        acme.apply([new_group(1, "Everybody")]);
        for number in 1..=USERS {
            let name = format!("user-{number}-{}", "x".repeat(usize::from(number) * 3));
            let create = acme.new_user(number, &name, None);
            acme.commit(create.with(add(1, &[&value(number)]))).unwrap();
        }
        let (tenant, snapshot) = (acme.tenant, acme.snapshot());
        let records = (1..=USERS).map(|number| {
            let id = user(number);
            let record = snapshot.user(tenant, id).unwrap().unwrap();
            (id, record, snapshot.account(tenant, id).unwrap().unwrap())
        });
        let records = records.collect();
        let members = snapshot.members(tenant, group(1), None, 1_000).unwrap();
        drop(snapshot);
        drop(store);
        Self { tenant, bytes: std::fs::read(directory.join(FILE)).unwrap(), records, members }
    }

    /// Reads everything: each value is right, missing, or an error. Answers how many are missing.
    fn read(&self, snapshot: &Snapshot, what: &Mutation) -> usize {
        let mut missing = 0;
        for (id, record, account) in &self.records {
            missing += compare(snapshot.user(self.tenant, *id), record, what);
            missing += compare(snapshot.account(self.tenant, *id), account, what);
            if let Ok(found) = snapshot.user_by_name(self.tenant, &record.name) {
                assert!(found.is_none_or(|found| found == *id), "{what}");
                missing += usize::from(found.is_none());
            }
        }
        if let Ok(found) = snapshot.members(self.tenant, group(1), None, 1_000) {
            assert!(found.iter().all(|member| self.members.contains(member)), "{what}");
            missing += self.members.len() - found.len();
        }
        missing
    }
}

fn compare<T: PartialEq>(
    found: Result<Option<T>, ReadError>,
    expected: &T,
    what: &Mutation,
) -> usize {
    match found {
        Ok(Some(found)) => {
            assert!(found == *expected, "{what}: a wrong value was served");
            0
        }
        Ok(None) => 1,
        Err(_) => 0,
    }
}

enum Mutation {
    FlippedBit(usize),
    ZeroedPage(usize),
    Truncated(usize),
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlippedBit(bit) => write!(f, "bit {} of byte {} flipped", bit % 8, bit / 8),
            Self::ZeroedPage(page) => write!(f, "page {page} zeroed"),
            Self::Truncated(length) => write!(f, "truncated to {length} bytes"),
        }
    }
}

impl Mutation {
    fn of(&self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        match self {
            Self::FlippedBit(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
            Self::ZeroedPage(page) => bytes[page * PAGE_BYTES..][..PAGE_BYTES].fill(0),
            Self::Truncated(length) => bytes.truncate(*length),
        }
        bytes
    }
}

/// A small generator with a fixed seed: the same mutations in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Pages of the file that are in use; flipping bits of the others proves little.
fn used_pages(bytes: &[u8]) -> Vec<usize> {
    let pages = bytes.chunks(PAGE_BYTES).enumerate();
    pages.filter(|(_, page)| page.iter().any(|byte| *byte != 0)).map(|(place, _)| place).collect()
}

#[test]
fn damage_is_noticed_and_never_served() {
    let directory = tempfile::tempdir().unwrap();
    let whole = Whole::new(directory.path());
    let used = used_pages(&whole.bytes);
    let mut dice = Dice(0x5eed_cafe_f00d_0001);
    let mut mutations = Vec::new();
    for _ in 0..130 {
        let page = used[dice.below(used.len())];
        mutations.push(Mutation::FlippedBit(
            (page * PAGE_BYTES + dice.below(PAGE_BYTES)) * 8 + dice.below(8),
        ));
    }
    mutations.extend(used.iter().take(70).map(|page| Mutation::ZeroedPage(*page)));
    mutations.extend((0..40).map(|_| Mutation::Truncated(dice.below(whole.bytes.len()))));
    // A bit of the first page, by which everything is found.
    mutations.extend((0..30).map(|_| Mutation::FlippedBit(dice.below(320 * 8))));

    let (mut refused, mut noticed) = (0, 0);
    for mutation in mutations {
        std::fs::write(directory.path().join(FILE), mutation.of(&whole.bytes)).unwrap();
        let Ok(store) = RedbStore::open(directory.path(), &RedbStoreOptions::default()) else {
            refused += 1;
            continue;
        };
        let snapshot = store.snapshot().unwrap();
        let missing = whole.read(&snapshot, &mutation);
        let report = check(&snapshot);
        noticed += usize::from(!report.is_clean());
        // A page that leads astray hides rows: no record is left to be wrong. The check sees it.
        assert!(missing == 0 || !report.is_clean(), "{mutation}: {missing} rows are missing");
    }
    assert!(refused > 10 && noticed > 10, "{refused} refused, {noticed} noticed");
}

#[test]
fn an_empty_file_is_damage_and_not_a_new_database() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(FILE), "").unwrap();
    let refused = RedbStore::open(directory.path(), &RedbStoreOptions::default()).err().unwrap();
    assert!(matches!(refused, store::OpenError::Damaged { .. }), "{refused}");
}
