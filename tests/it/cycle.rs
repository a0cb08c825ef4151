//! Entra's cycles, as it makes them: an initial cycle for a whole directory, then an incremental
//! one with everything that a working day brings. At the end of each, every role is what the
//! rules say of the directory, as a model of it in this file has it; and nobody who was moved was
//! seen in between.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use self::model::{Directory, GROUPS, ROLES, USERS};
use crate::server::{Admin, ScimClient, Server, replay};

/// How many requests Entra has under way at the same time.
const REQUESTS_AT_ONCE: usize = 5;
const TENANT: &str = "acme";

/// One person of the directory, pushed: look up, make, read back. Answers the SCIM id.
async fn push_user(scim: &ScimClient, n: usize) -> String {
    let name = model::user_name(n);
    let found = scim.find("/Users", &format!("userName eq \"{name}\"")).await;
    assert_eq!(found["totalResults"], 0);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": format!("object-{n}"),
        "userName": name,
        "active": true,
        "displayName": format!("User {n}"),
        "emails": [{"type": "work", "primary": true, "value": name}],
        "name": {"givenName": "User", "familyName": n.to_string()},
    });
    let id = scim.post("/Users", &body).await.expect(201).id();
    assert_eq!(scim.get(&format!("/Users/{id}")).await.expect(200).json()["userName"], name);
    id
}

/// One group, pushed: look up without members, make, then a PATCH a member.
async fn push_group(scim: &ScimClient, n: usize, members: &[&str]) -> String {
    let name = model::group_name(n);
    let filter = crate::server::encode(&format!("displayName eq \"{name}\""));
    let path = format!("/Groups?excludedAttributes=members&filter={filter}");
    assert_eq!(scim.get(&path).await.expect(200).json()["totalResults"], 0);
    let id = scim.create_group(&name).await;
    stream::iter(members)
        .for_each_concurrent(REQUESTS_AT_ONCE, |member| scim.add_member(&id, member))
        .await;
    id
}

/// Pushes the whole directory, and teaches it the SCIM ids. Answers the number of writes.
async fn initial_cycle(scim: &ScimClient, directory: &mut Directory) -> usize {
    directory.user_ids = stream::iter(0..USERS)
        .map(|n| push_user(scim, n))
        .buffered(REQUESTS_AT_ONCE)
        .collect()
        .await;
    let mut writes = USERS;
    for n in 0..GROUPS {
        let members = directory.members_of(n);
        let members: Vec<&str> =
            members.iter().map(|user| directory.user_ids[*user].as_str()).collect();
        let id = push_group(scim, n, &members).await;
        writes += 1 + members.len();
        directory.group_ids.push(id);
    }
    writes
}

/// What the directory pushes of a day's changes, in an order of its own making.
async fn incremental_cycle(scim: &ScimClient, admin: &Admin, directory: &mut Directory) -> usize {
    let mut writes = 0;
    // Moves: half of them leave first and join at the end of the burst, half the other way round.
    let moves = model::planned_moves();
    for one in &moves {
        let user = &directory.user_ids[one.user];
        if one.leaves_first {
            scim.remove_member(&directory.group_ids[one.from], user).await;
        } else {
            scim.add_member(&directory.group_ids[one.to], user).await;
        }
        writes += 1;
    }
    for user in model::planned_renames() {
        scim.set(&directory.user_ids[user], "userName", &model::new_user_name(user)).await;
        writes += 1;
    }
    for user in directory.plan_disables() {
        let id = &directory.user_ids[user];
        scim.disable(id).await;
        let role = admin.role_of(TENANT, id).await;
        assert_eq!(role.as_deref(), Some("disabled"), "a disabled user is so at once");
        writes += 1;
    }
    for user in directory.plan_deletes() {
        let id = &directory.user_ids[user];
        scim.delete_user(id).await;
        assert_eq!(admin.role_of(TENANT, id).await, None, "a deleted user has no access at once");
        writes += 1;
    }
    for one in &moves {
        let user = &directory.user_ids[one.user];
        if one.leaves_first {
            scim.add_member(&directory.group_ids[one.to], user).await;
        } else {
            scim.remove_member(&directory.group_ids[one.from], user).await;
        }
        writes += 1;
    }
    directory.make(&moves);
    writes
}

/// Enables some of the disabled again, in a burst of its own: they come back with the role that
/// their groups give, which the directory does not send again.
async fn enabling_cycle(scim: &ScimClient, admin: &Admin, directory: &mut Directory) -> usize {
    let enabled = directory.plan_enables();
    for user in &enabled {
        let id = &directory.user_ids[*user];
        scim.enable(id).await;
        let account = admin.account(TENANT, id).await;
        assert_eq!(account["role"], "disabled", "an enabled user waits for the wave: {account}");
        assert_eq!((&account["status"], &account["pending"]), (&json!("active"), &json!(true)));
    }
    enabled.len()
}

async fn assert_roles(admin: &Admin, directory: &Directory) {
    let roles = admin.roles(TENANT).await;
    assert_eq!(roles.len(), USERS);
    for (user, id) in directory.user_ids.iter().enumerate() {
        assert_eq!(roles[id], directory.role_of(user), "user {user}, {id}");
    }
    let pending = admin.all(&format!("/tenants/{TENANT}/accounts?pending=true")).await;
    assert!(pending.is_empty(), "{pending:?}");
}

/// Between two settled waves no account changes its role twice.
fn assert_one_change_a_wave(feed: &[Value]) -> usize {
    let (mut changed, mut count) = (BTreeSet::new(), 0);
    for entry in feed {
        match entry["type"].as_str().unwrap() {
            "wave.settled" => changed.clear(),
            "account.role_changed" => {
                let account = entry["account"].as_str().unwrap();
                assert!(changed.insert(account), "a second change within a wave: {entry}");
                count += 1;
            }
            _ => {}
        }
    }
    count
}

/// Reads the roles of these accounts over and over, until told to stop. Answers the sequence of
/// roles each was seen with.
async fn watch(
    admin: &Admin,
    ids: &[String],
    stop: &AtomicBool,
    looks: &AtomicUsize,
) -> BTreeMap<String, Vec<Option<String>>> {
    let mut seen: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        for id in ids {
            let role = admin.role_of(TENANT, id).await;
            let roles = seen.entry(id.clone()).or_default();
            if roles.last() != Some(&role) {
                roles.push(role);
            }
            looks.fetch_add(1, Ordering::Relaxed);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cycles_end_with_the_roles_that_the_rules_give_and_no_move_is_seen_in_between() {
    let server = Server::start().await;
    let admin = server.admin();
    let scim = server.tenant(TENANT, "1s").await;
    let mappings: Vec<(String, &str)> =
        ROLES.iter().map(|(group, role)| (model::group_name(*group), *role)).collect();
    let mappings: Vec<(&str, &str)> = mappings.iter().map(|(g, r)| (g.as_str(), *r)).collect();
    admin.map_roles(TENANT, &mappings).await;
    let mut directory = Directory::new();

    let started = Instant::now();
    let writes = initial_cycle(&scim, &mut directory).await;
    let took = started.elapsed();
    let wave = admin.wait_until_settled(TENANT).await;
    eprintln!("initial cycle: {writes} writes in {took:.1?}, then {wave}");
    assert_roles(admin, &directory).await;
    assert_eq!(admin.waves(TENANT).await.len(), 1, "one burst is one wave");
    assert_eq!(wave["creates"], USERS + GROUPS);
    assert_eq!(wave["updates"].as_u64().unwrap(), (writes - USERS - GROUPS) as u64);
    assert_eq!(wave["errors"], 0);

    let moved: Vec<String> =
        model::planned_moves().iter().map(|one| directory.user_ids[one.user].clone()).collect();
    let before: Vec<Option<String>> =
        model::planned_moves().iter().map(|one| directory.role_of(one.user)).collect();
    let (stop, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let started = Instant::now();
    let burst = async {
        let writes = incremental_cycle(&scim, admin, &mut directory).await;
        let (took, looks) = (started.elapsed(), looks.load(Ordering::Relaxed));
        let wave = admin.wait_until_settled(TENANT).await;
        stop.store(true, Ordering::Relaxed);
        eprintln!("incremental cycle: {writes} writes in {took:.1?}, {looks} looks, then {wave}");
        wave
    };
    let (seen, wave) = tokio::join!(watch(admin, &moved, &stop, &looks), burst);
    assert_roles(admin, &directory).await;
    assert_eq!(admin.waves(TENANT).await.len(), 2, "one burst is one wave");
    assert_eq!(wave["errors"], 0);
    assert!(looks.load(Ordering::Relaxed) > 5 * moved.len(), "everybody was looked at again");
    for ((id, before), one) in moved.iter().zip(before).zip(model::planned_moves()) {
        let mut allowed = vec![before, directory.role_of(one.user)];
        allowed.dedup();
        let roles = &seen[id];
        assert!(*roles == allowed || *roles == allowed[..1], "{id}: {roles:?} not {allowed:?}");
    }

    let enabled = enabling_cycle(&scim, admin, &mut directory).await;
    admin.wait_until_settled(TENANT).await;
    assert_roles(admin, &directory).await;
    assert_eq!(admin.waves(TENANT).await.len(), 3, "one burst is one wave");

    let feed = admin.feed(TENANT).await;
    let changes = assert_one_change_a_wave(&feed);
    assert_eq!(replay(&feed), admin.roles(TENANT).await);
    eprintln!("{enabled} enabled; the feed has {} entries, {changes} role changes", feed.len());
    server.stop().await;
}
