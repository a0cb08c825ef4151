//! The change feed as Server-Sent Events, and what a reader does whose place is gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Admin, Server, eventually, replay};

/// What "at once" may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How long any one event may take.
const EVENT_WAIT_MAX: Duration = Duration::from_secs(20);

/// One event, or a line that is none.
#[derive(Debug, Default, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

/// A reader of a stream.
struct Events {
    answer: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(admin: &Admin, path: &str, last_event_id: Option<u64>) -> Self {
        let mut request = admin.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = read_event(event);
                self.text = String::from(rest);
                if event.data.is_object() {
                    return Some(event);
                }
                continue;
            }
            let chunk = tokio::time::timeout(EVENT_WAIT_MAX, self.answer.chunk()).await;
            let chunk = chunk.expect("an event comes, or the end").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let event = self.next().await.expect("the stream goes on");
            assert_eq!(event.id, event.data["seq"].to_string());
            assert_eq!(event.kind, event.data["type"]);
            taken.push(event.data);
        }
        taken
    }
}

fn read_event(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => event.id = String::from(id),
            Some(("event", kind)) => event.kind = String::from(kind),
            Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
            _ => {}
        }
    }
    event
}

#[tokio::test]
async fn a_stream_tells_what_was_and_what_comes_and_resumes_after_the_last_event_seen() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    for name in ["ada", "bob", "eve"] {
        scim.create_user(name).await;
    }
    let whole = admin.feed("acme").await;

    let mut events = Events::open(admin, "/tenants/acme/changes", None).await;
    assert_eq!(events.take(whole.len()).await, whole);
    let began = Instant::now();
    let joe = scim.create_user("joe").await;
    let new = events.take(1).await;
    assert_eq!(new[0]["account"], joe);
    assert!(began.elapsed() < AT_ONCE);
    drop(events);

    scim.disable(&joe).await;
    // The address is the one of the first connection; the header says how far the reader came.
    let last = new[0]["seq"].as_u64();
    let mut events = Events::open(admin, "/tenants/acme/changes?after=0", last).await;
    assert_eq!(events.take(1).await[0]["type"], "account.disabled");

    let path = "/tenants/acme/changes?type=account.deleted&after=1";
    let mut deleted = Events::open(admin, path, None).await;
    scim.delete_user(&joe).await;
    assert_eq!(deleted.take(1).await[0]["account"], joe);
    let refused = admin.request(Method::GET, "/tenants/acme/changes");
    let refused = refused.header("accept", "text/event-stream").header("last-event-id", "x");
    assert_eq!(refused.send().await.unwrap().status().as_u16(), 400);
}

#[tokio::test]
async fn a_stream_ends_when_its_tenant_is_deleted() {
    let server = Server::start().await;
    let (admin, _scim) = (server.admin(), server.tenant("acme", "60s").await);
    let mut events = Events::open(admin, "/tenants/acme/changes", None).await;

    admin.delete("/tenants/acme").await.expect(204);

    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let mut server = Server::start().await;
    let (admin, scim) = (server.admin().clone(), server.tenant("acme", "60s").await);
    scim.create_user("ada").await;
    let mut events = Events::open(&admin, "/tenants/acme/changes", None).await;
    events.take(1).await;

    let began = Instant::now();
    server.ask_to_stop().await;

    assert_eq!(events.next().await, None);
    assert_eq!(server.ended().await.0.code(), Some(0));
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_tenant_has_so_many_streams_and_one_that_ends_makes_room() {
    let server = Server::start().await;
    let (admin, _scim) = (server.admin(), server.tenant("acme", "60s").await);
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(Events::open(admin, "/tenants/acme/changes", None).await);
    }
    let open = || async {
        let request = admin.request(Method::GET, "/tenants/acme/changes");
        request.header("accept", "text/event-stream").send().await.unwrap()
    };

    let refused = open().await;
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    streams.clear();

    // The server hears of it when it next writes: it makes something to tell.
    eventually("a seat", || async {
        server.admin().set_settings("acme", &json!({"default_role": "x"})).await;
        let status = open().await.status().as_u16();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_reader_whose_place_is_gone_starts_over_and_ends_up_with_the_same_roles() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "200ms").await);
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let staff = scim.create_group("Staff").await;
    for number in 0..20 {
        let user = scim.create_user(&format!("user {number}")).await;
        match number % 4 {
            0 => scim.add_member(&staff, &user).await,
            1 => drop(scim.disable(&user).await),
            2 => scim.delete_user(&user).await,
            _ => {}
        }
    }
    admin.wait_until_settled("acme").await;
    let whole = admin.feed("acme").await;
    let latest = whole.len() as u64;

    admin.set_settings("acme", &json!({"retention": {"feed_entries": 5}})).await;
    let gone = eventually("trimmed feed", || async {
        let answer = admin.get("/tenants/acme/changes?after=1").await;
        let oldest = answer.json()["oldest"].as_u64();
        if oldest == Some(latest - 4) { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect_problem(410, "read all accounts");
    let gone = gone.json();
    assert_eq!(gone["latest"], latest);
    for path in ["/tenants/acme/changes", "/tenants/acme/changes?after=0&wait=30s"] {
        admin.get(path).await.expect_problem(410, "taken away");
    }
    let request = admin.request(Method::GET, "/tenants/acme/changes?after=2");
    let streamed = request.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(streamed.status().as_u16(), 410);
    let still = format!("/tenants/acme/changes?after={}", latest - 5);
    assert_eq!(
        admin.get(&still).await.expect(200).json()["items"],
        json!(whole[whole.len() - 5..])
    );

    // Starting over: the accounts, then what follows.
    let read = gone["start_over"]["read"].as_str().unwrap().strip_prefix("/admin/v1").unwrap();
    let mut page = admin.get(&format!("{read}?limit=7")).await.expect(200).json();
    let first_feed = page["feed"].as_u64().unwrap();
    assert!(first_feed >= gone["start_over"]["after"].as_u64().unwrap());
    let mut roles: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut number = 0;
    loop {
        for account in page["items"].as_array().unwrap() {
            let id = account["id"].as_str().unwrap().to_owned();
            roles.insert(id, account["role"].as_str().map(str::to_owned));
        }
        // The world goes on between two pages.
        number += 1;
        scim.create_user(&format!("late {number}")).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        page = admin.get(&format!("{read}?limit=7&cursor={cursor}")).await.expect(200).json();
        assert!(page.get("feed").is_none(), "it stands on the first page");
    }
    let late = admin.feed_after("acme", first_feed).await;
    for entry in late.iter().filter(|entry| entry.get("to").is_some()) {
        let account = entry["account"].as_str().unwrap().to_owned();
        roles.insert(account, entry["to"].as_str().map(str::to_owned));
    }

    assert_eq!(roles, admin.roles("acme").await);
    let feed: Vec<Value> = whole.into_iter().chain(late).collect();
    assert_eq!(roles, replay(&feed));
}
