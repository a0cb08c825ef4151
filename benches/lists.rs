//! How long every list takes to answer, in the admin API and as a page, at 100,000 accounts,
//! measured on the release build over HTTP: its first page, a filtered one, and one deep inside.
//!
//! `cargo bench --bench lists` prints median and 99th percentile of each and exits 1 if a median is
//! over 100 ms. `-- --accounts 5000` makes a smaller tenant. One request at a time, from one client;
//! the tenant is at rest.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "support/results.rs"]
mod results;
#[path = "support/running.rs"]
mod running;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use serde_json::{Value, json};

use self::results::Results;
use self::running::{OPERATOR, Running};

const ACCOUNTS: usize = 100_000;
const ACCOUNTS_QUICK: usize = 5_000;
const GROUPS: usize = 500;
const WAVES: usize = 60;
const IN_FLIGHT: usize = 64;
/// How often each is asked for; fewer times where that takes longer than `ASKING_MAX`.
const ROUNDS: usize = 200;
const ROUNDS_MIN: usize = 15;
const ASKING_MAX: Duration = Duration::from_secs(10);
/// Pages turned on the way to one deep inside.
const PAGES_TURNED: usize = 40;
/// What a median is held against.
const LIMIT: Duration = Duration::from_millis(100);
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(10);

/// Lists of the admin API, with filters of each. `{…}` are ids of things that are there.
const LISTS: [(&str, &[&str]); 20] = [
    ("/tenants", &[]),
    ("/actors", &[]),
    ("/audit", &["actor=operator"]),
    (
        "/tenants/acme/accounts",
        &[
            "role=editor",
            "role=nobody-has-it",
            "status=disabled",
            "locked=true",
            "pending=true",
            "q=user-099999",
            "q=nobody",
            "q=user",
        ],
    ),
    ("/tenants/acme/groups", &[]),
    ("/tenants/acme/parked", &["group={group}"]),
    ("/tenants/acme/waves", &[]),
    ("/tenants/acme/changes", &["type=account.disabled", "after=150000"]),
    ("/tenants/acme/audit", &["actor=operator", "object=settings", "id={account}"]),
    ("/tenants/acme/holds", &["state=open", "state=approved"]),
    ("/tenants/acme/holds/{hold}", &[]),
    ("/tenants/acme/tokens", &[]),
    ("/tenants/acme/oauth-clients", &[]),
    ("/tenants/acme/setup-links", &[]),
    ("/tenants/acme/webhooks", &[]),
    ("/tenants/acme/webhooks/{webhook}/deliveries", &["state=delivered"]),
    ("/tenants/acme/reports/disabled-with-equipment", &["state=all", "manager=nobody"]),
    ("/tenants/acme/requests", &["q=user-099999", "q=nobody", "status=409", "wave={wave}"]),
    ("/tenants/acme/actors", &[]),
    ("/tenants/acme/health", &[]),
];

/// Pages, with filters of each.
const PAGES: [(&str, &[&str]); 22] = [
    ("/", &[]),
    ("/actors", &[]),
    ("/tenants/acme", &[]),
    ("/tenants/acme/health", &[]),
    (
        "/tenants/acme/accounts",
        &[
            "role=editor",
            "status=disabled",
            "locked=true",
            "pending=true",
            "q=user-099999",
            "q=nobody",
        ],
    ),
    ("/tenants/acme/accounts/{account}", &[]),
    ("/tenants/acme/groups", &[]),
    ("/tenants/acme/configure", &[]),
    ("/tenants/acme/mapping-check", &[]),
    ("/tenants/acme/requests", &["q=user-099999", "q=nobody", "wave={wave}"]),
    ("/tenants/acme/requests/{request}", &[]),
    ("/tenants/acme/waves/{wave}", &[]),
    ("/tenants/acme/holds", &[]),
    ("/tenants/acme/holds/{hold}", &[]),
    ("/tenants/acme/parked", &[]),
    ("/tenants/acme/equipment", &[]),
    ("/tenants/acme/webhooks", &[]),
    ("/tenants/acme/webhooks/{webhook}", &[]),
    ("/tenants/acme/tokens", &[]),
    ("/tenants/acme/setup-links", &[]),
    ("/tenants/acme/audit", &["actor=operator", "object=settings"]),
    ("/tenants/acme/actors", &[]),
];

struct Server {
    running: Running,
    client: Client,
    scim: String,
    token: String,
    cookie: String,
    _data: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let arguments = ["--allow-private-webhooks", "--log", "error"];
        let running = Running::start(data.path(), &arguments);
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
        let client = client.timeout(Duration::from_mins(2)).build().unwrap();
        let (scim, token, cookie) = Default::default();
        let mut server = Self { running, client, scim, token, cookie, _data: data };
        let made = server.admin(Method::POST, "/tenants", &json!({"id": "acme"})).await;
        server.scim = text(&made["scim"]["endpoint"]);
        server.token = text(&made["scim"]["token"]);
        server.cookie = server.log_in().await;
        server
    }

    async fn log_in(&self) -> String {
        let form = self.client.post(format!("{}/login", self.running.base));
        let form = form.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = form.body(format!("token={OPERATOR}&next=%2F")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "the log-in");
        assert_eq!(answer.headers()[LOCATION], "/");
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/admin/v1{path}", self.running.base);
        let sent = self.client.request(method, url).bearer_auth(OPERATOR).json(body).send().await;
        succeeded(path, sent.unwrap()).await.json().await.unwrap()
    }

    async fn read(&self, path: &str) -> Value {
        self.admin(Method::GET, path, &json!({})).await
    }

    async fn directory(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.scim));
        let request = request.bearer_auth(&self.token).header(CONTENT_TYPE, scim::MEDIA_TYPE);
        let answer = request.body(body.to_string()).send().await.unwrap();
        let bytes = succeeded(path, answer).await.bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// PATCH of a resource with one operation.
    async fn patch(&self, path: &str, op: &str, at: &str, value: &Value) {
        let body = json!({"Operations": [{"op": op, "path": at, "value": value}]});
        self.directory(Method::PATCH, path, &body).await;
    }

    /// Waits until no wave is open, and every account has the role that the rules give.
    async fn settled(&self) {
        let began = Instant::now();
        loop {
            let waves = self.read("/tenants/acme/waves?limit=1").await;
            let pending = self.read("/tenants/acme/accounts?pending=true&limit=1").await;
            let is_done = !waves["items"][0]["reconciled_at"].is_null();
            if is_done && pending["items"] == json!([]) {
                return;
            }
            assert!(began.elapsed() < SETTLE_WAIT_MAX, "the wave does not settle: {waves}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for an address once, and reads all of the answer.
    async fn ask(&self, address: &Address) -> (Duration, String) {
        let url = format!("{}{}{}", self.running.base, address.base(), address.path);
        let request = self.client.get(&url);
        let request = if address.is_page {
            request.header(COOKIE, &self.cookie).header(ACCEPT, "text/html")
        } else {
            request.bearer_auth(OPERATOR)
        };
        let began = Instant::now();
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        let took = began.elapsed();
        assert_eq!(status, StatusCode::OK, "{url}: {}", &body[..body.len().min(500)]);
        (took, body)
    }

    /// Where a list goes on after many pages, if it is that long.
    async fn deep(&self, address: &Address) -> Option<Address> {
        let mut at = address.clone();
        for turned in 0..PAGES_TURNED {
            let (_, body) = self.ask(&at).await;
            match at.next(&body) {
                Some(next) => at = next,
                None => return (turned > 0).then_some(at),
            }
        }
        Some(at)
    }
}

async fn succeeded(path: &str, answer: Response) -> Response {
    let status = answer.status();
    assert!(status.is_success(), "{path}: {status} {}", answer.text().await.unwrap());
    answer
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What is asked for.
#[derive(Clone)]
struct Address {
    path: String,
    is_page: bool,
}

impl Address {
    fn base(&self) -> &'static str {
        if self.is_page { "" } else { "/admin/v1" }
    }

    fn with(&self, query: &str) -> Self {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        Self { path: format!("{}{sign}{query}", self.path), is_page: self.is_page }
    }

    /// The page after this one: what the answer names as `next_cursor`, or links to as `next`.
    fn next(&self, body: &str) -> Option<Self> {
        let Self { is_page, .. } = *self;
        if is_page {
            let tags: Vec<&str> =
                body.split("<a ").skip(1).filter_map(|tag| tag.split('>').next()).collect();
            let leads_on = |sign: &str| tags.iter().find(|tag| tag.contains(sign));
            let tag = leads_on("rel=\"next\"").or_else(|| leads_on("cursor="))?;
            let link = tag.split_once("href=\"").and_then(|(_, rest)| rest.split('"').next())?;
            let link = link.replace("&amp;", "&").replace("&#38;", "&");
            let path = self.path.split('?').next().unwrap_or_default();
            let path = if link.starts_with('?') { format!("{path}{link}") } else { link };
            return Some(Self { path, is_page });
        }
        let body: Value = serde_json::from_str(body).unwrap();
        let cursor = body["next_cursor"].as_str()?;
        let path = self.path.split(['?', '&']).next().unwrap_or_default().to_owned();
        Some(Self { path, is_page }.with(&format!("cursor={cursor}")))
    }
}

/// Ids of things that are there.
struct Known(Vec<(&'static str, String)>);

impl Known {
    fn filled(&self, path: &str) -> String {
        self.0.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}

/// Fills the tenant: accounts, groups with all of them in one, many waves, and some of all else.
async fn fill(server: &Server, accounts: usize) -> Known {
    let settings = json!({
        "rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000},
        "reconcile": {"settle": "100ms"},
        "hold": {"share": 0.005, "min_accounts": 100},
        "role_mappings": [{"group": "group 0001", "role": "editor"}, {"group": "all", "role": "loanee"}],
    });
    server.admin(Method::PATCH, "/tenants/acme/settings", &settings).await;
    for n in 0..200 {
        let id = format!("tenant-{n:03}");
        server.admin(Method::POST, "/tenants", &json!({"id": id})).await;
    }
    let hook = json!({"url": "http://127.0.0.1:9/", "types": ["account.disabled"]});
    let webhook = server.admin(Method::POST, "/tenants/acme/webhooks", &hook).await;
    for n in 0..90 {
        let label = json!({"label": format!("label {n}"), "expires_in": "30d"});
        server.admin(Method::POST, "/tenants/acme/tokens", &label).await;
        server.admin(Method::POST, "/tenants/acme/setup-links", &label).await;
        server.admin(Method::POST, "/tenants/acme/oauth-clients", &json!({})).await;
    }

    let began = Instant::now();
    let create = |n: usize| async move {
        let name = format!("user-{n:06}@example.com");
        let body = json!({
            "userName": name, "displayName": format!("User {n}"), "externalId": format!("external-{n}"),
            "emails": [{"type": "work", "primary": true, "value": name}],
        });
        text(&server.directory(Method::POST, "/Users", &body).await["id"])
    };
    let users: Vec<String> =
        stream::iter(0..accounts).map(create).buffered(IN_FLIGHT).collect().await;
    let members = |ids: &[String]| ids.iter().map(|id| json!({"value": id})).collect::<Value>();
    let group = |n: usize| {
        let name = if n == 0 { "all".to_owned() } else { format!("group {n:04}") };
        async move {
            text(
                &server.directory(Method::POST, "/Groups", &json!({"displayName": name})).await["id"],
            )
        }
    };
    let groups: Vec<String> = stream::iter(0..GROUPS).map(group).buffered(8).collect().await;
    let all = &format!("/Groups/{}", groups[0]);
    for users in users.chunks(1_000) {
        server.patch(all, "add", "members", &members(users)).await;
    }
    for (n, group) in groups.iter().enumerate().skip(1) {
        let some: Vec<String> = users.iter().skip(n).step_by(GROUPS).take(100).cloned().collect();
        server.patch(&format!("/Groups/{group}"), "add", "members", &members(&some)).await;
    }
    let parked: Vec<String> = (0..5_000).map(|n| format!("not-here-{n:05}")).collect();
    for parked in parked.chunks(1_000) {
        server.patch(all, "add", "members", &members(parked)).await;
    }
    server.settled().await;

    // One in fifty leaves the group of all: more than the brake lets through.
    let left: Vec<String> = users.iter().skip(3).step_by(50).cloned().collect();
    server.patch(all, "remove", "members", &members(&left)).await;
    server.settled().await;
    for user in users.iter().skip(7).step_by(97).take(500) {
        server.patch(&format!("/Users/{user}"), "replace", "active", &json!(false)).await;
    }
    for user in users.iter().skip(11).step_by(89).take(300) {
        let lock = json!({"role": "editor", "reason": "kept for the benchmark"});
        let path = format!("/tenants/acme/accounts/{user}/lock");
        server.admin(Method::PUT, &path, &lock).await;
    }
    let held: Vec<Value> = (0..accounts / 5)
        .map(|n| json!({"asset_id": format!("A-{n}"), "name": "Laptop", "holder": users[n]}))
        .collect();
    server.admin(Method::PUT, "/tenants/acme/equipment", &Value::from(held)).await;
    for wave in 0..WAVES {
        for user in users.iter().skip(wave).step_by(accounts / 20) {
            let title = json!(format!("Title {wave}"));
            server.patch(&format!("/Users/{user}"), "add", "title", &title).await;
        }
        server.settled().await;
    }
    eprintln!("({accounts} accounts and all else made in {:.0} s)", began.elapsed().as_secs_f64());

    let first = async |list: &str| {
        let list = server.read(&format!("/tenants/acme/{list}?limit=1")).await;
        text(&list["items"][0]["id"])
    };
    Known(vec![
        ("{account}", users[accounts / 2].clone()),
        ("{group}", groups[0].clone()),
        ("{webhook}", text(&webhook["id"])),
        ("{hold}", first("holds").await),
        ("{wave}", first("waves").await),
        ("{request}", first("requests").await),
    ])
}

/// Asks again and again; answers the median and the 99th percentile.
async fn measure(server: &Server, address: &Address) -> (Duration, Duration) {
    server.ask(address).await;
    let (began, mut times) = (Instant::now(), Vec::with_capacity(ROUNDS));
    while times.len() < ROUNDS && (times.len() < ROUNDS_MIN || began.elapsed() < ASKING_MAX) {
        times.push(server.ask(address).await.0);
    }
    times.sort_unstable();
    (times[times.len() / 2], times[(times.len() * 99).div_ceil(100) - 1])
}

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test" || argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let given = arguments.iter().position(|argument| argument == "--accounts");
    let given = given.and_then(|place| arguments.get(place + 1)?.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let usual = if is_quick { ACCOUNTS_QUICK } else { ACCOUNTS };
    let accounts: usize = given.unwrap_or(usual).max(1_000);

    let server = Server::start().await;
    let known = fill(&server, accounts).await;
    println!("{accounts} accounts; the limit of a median is {} ms", LIMIT.as_millis());
    println!("{:<74} {:>9} {:>9}", "", "median ms", "p99 ms");
    let lists = LISTS.iter().map(|list| (list, false));
    let (mut over, mut results) = (0, Results::default());
    for ((path, filters), is_page) in lists.chain(PAGES.iter().map(|page| (page, true))) {
        let first = Address { path: known.filled(path), is_page };
        let base = first.base();
        let filtered = filters
            .iter()
            .map(|filter| (first.with(&known.filled(filter)), format!("{base}{path}?{filter}")));
        let mut addresses = vec![(first.clone(), format!("{base}{path}"))];
        addresses.extend(filtered);
        let deep = server.deep(&first).await;
        addresses.extend(deep.map(|address| (address, format!("{base}{path}, deep"))));
        for (address, name) in addresses {
            let (median, p99) = measure(&server, &address).await;
            let is_over = median > LIMIT;
            over += usize::from(is_over);
            let named = format!("{base}{}", address.path);
            let (median, p99) = (median.as_secs_f64() * 1e3, p99.as_secs_f64() * 1e3);
            results.add(&name, Some(accounts), median, "ms");
            println!("{named:<74} {median:>9.1} {p99:>9.1}{}", if is_over { "  OVER" } else { "" });
        }
    }
    println!("{over} of the medians are over the limit");
    results.write();
    if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
