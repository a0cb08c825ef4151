//! Crashes: the server is killed again and again under writers who remember what they were
//! answered. What was answered is there after the restart, what was not may be.
//!
//! A killed process loses nothing that the kernel has, so this shows that recovery is right, not
//! that answers wait for the disk; that is shown in `durability`.

mod writer;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use self::writer::Writer;
use crate::server::{Home, ScimClient, Server, replay, run_on};

const KILLS: usize = 30;
const WRITERS: usize = 16;
/// How long the writers write before each kill: no two alike.
const WRITE_MS_MIN: u64 = 120;
const WRITE_MS_MORE: u64 = 37;
const TENANT: &str = "acme";

/// All users and groups that the server has: the attributes that writers set, by id.
async fn read_all(scim: &ScimClient, endpoint: &str) -> BTreeMap<String, Value> {
    let (mut all, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("{endpoint}?count=200&cursor={cursor}");
        let page = scim.get(&path).await.expect(200).json();
        for resource in page["Resources"].as_array().unwrap() {
            all.insert(resource["id"].as_str().unwrap().to_owned(), resource.clone());
        }
        let Some(next) = page["nextCursor"].as_str() else { return all };
        next.clone_into(&mut cursor);
    }
}

/// Checks what the server has against what every writer was answered.
async fn check(scim: &ScimClient, writers: &mut [Writer]) {
    let users = read_all(scim, "/Users").await;
    let groups = read_all(scim, "/Groups").await;
    for writer in writers {
        writer.compare(&users, &groups);
    }
}

async fn start(home: &Home, token: &str) -> (Server, ScimClient) {
    let server = Server::start_in(home).await;
    let scim = ScimClient::new(&format!("{}/scim/v2/{TENANT}", server.url), token);
    (server, scim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_write_is_lost_in_thirty_kills_under_sixteen_writers() {
    let began = Instant::now();
    let home = Home::new();
    let mut server = Server::start_in(&home).await;
    let mut scim = server.tenant(TENANT, "150ms").await;
    let token = scim.token.clone();
    let mappings: Vec<(String, String)> =
        (0..WRITERS).map(|number| (writer::group_name(number), format!("role-{number}"))).collect();
    let mappings: Vec<(&str, &str)> =
        mappings.iter().map(|(group, role)| (group.as_str(), role.as_str())).collect();
    server.admin().map_roles(TENANT, &mappings).await;

    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::new(number, &scim).await);
    }
    let mut last_seq = 0;
    for round in 0..KILLS as u64 {
        let mut writing = JoinSet::new();
        for mut writer in writers.drain(..) {
            let scim = scim.clone();
            writing.spawn(async move {
                writer.write_until_the_server_is_gone(&scim).await;
                writer
            });
        }
        let until_kill = Duration::from_millis(WRITE_MS_MIN + round % 7 * WRITE_MS_MORE);
        tokio::time::sleep(until_kill).await;
        server.kill().await;
        writers = writing.join_all().await;

        (server, scim) = start(&home, &token).await;
        check(&scim, &mut writers).await;
        let grown = server.admin().feed_after(TENANT, last_seq).await;
        last_seq += grown.len() as u64;
    }

    let admin = server.admin();
    if !admin.waves(TENANT).await.is_empty() {
        admin.wait_until_settled(TENANT).await;
    }
    check(&scim, &mut writers).await;
    let (roles, feed) = (admin.roles(TENANT).await, admin.feed(TENANT).await);
    assert!(feed.len() as u64 >= last_seq, "an entry that was read is still there");
    assert_eq!(replay(&feed), roles);
    for writer in &writers {
        writer.assert_roles(&roles);
    }
    server.stop().await;
    let (code, out, err) = run_on(&home.data(), &["check"]).await;
    assert_eq!(code, 0, "{out}{err}");

    let sum = |of: fn(&Writer) -> usize| writers.iter().map(of).sum::<usize>();
    let (answered, unknown) = (sum(|writer| writer.answered), sum(|writer| writer.unanswered));
    assert!(answered > KILLS * WRITERS, "the writers came to write");
    eprintln!(
        "{KILLS} kills, {answered} writes answered, {unknown} without an answer, lost 0; \
         {} accounts, {} feed entries, {:.1?}",
        roles.len(),
        feed.len(),
        began.elapsed()
    );
}
