//! The operator: a client of the admin API.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, ScimClient, eventually, http_client};

/// Entries of the feed that are asked for at once.
const FEED_PAGE: usize = 1_000;

/// An operator.
#[derive(Clone)]
pub(crate) struct Admin {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Admin {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let url = format!("{url}/admin/v1");
        Self { http: http_client(), url, token: token.to_owned() }
    }

    /// A request, ready to be made strange.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = request.send().await;
        let answer = sent.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        Answer::read(answer).await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Makes a tenant. Answers its directory.
    pub(crate) async fn create_tenant(&self, id: &str) -> ScimClient {
        let body = json!({"id": id, "name": format!("Tenant {id}")});
        let made = self.post("/tenants", &body).await.expect(201).json();
        let text = |key: &str| made["scim"][key].as_str().expect("it is shown").to_owned();
        ScimClient::new(&text("endpoint"), &text("token"))
    }

    /// Changes settings, and sees to it that they were taken.
    pub(crate) async fn set_settings(&self, tenant: &str, patch: &Value) -> Value {
        self.patch(&format!("/tenants/{tenant}/settings"), patch).await.expect(200).json()
    }

    /// Maps groups, by name, to roles; the first wins.
    pub(crate) async fn map_roles(&self, tenant: &str, mappings: &[(&str, &str)]) {
        let mapping = |(group, role): &(&str, &str)| json!({"group": group, "role": role});
        let mappings: Vec<Value> = mappings.iter().map(mapping).collect();
        self.set_settings(tenant, &json!({"role_mappings": mappings})).await;
    }

    /// One account.
    pub(crate) async fn account(&self, tenant: &str, id: &str) -> Value {
        self.get(&format!("/tenants/{tenant}/accounts/{id}")).await.expect(200).json()
    }

    /// An account's role.
    pub(crate) async fn role_of(&self, tenant: &str, id: &str) -> Option<String> {
        self.account(tenant, id).await["role"].as_str().map(str::to_owned)
    }

    /// All items of a list, page by page. `path` may hold a query.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut next = format!("{path}{joint}limit=1000");
        loop {
            let page = self.get(&next).await.expect(200).json();
            items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return items };
            next = format!("{path}{joint}limit=1000&cursor={cursor}");
        }
    }

    /// All accounts' roles by id.
    pub(crate) async fn roles(&self, tenant: &str) -> BTreeMap<String, Option<String>> {
        let accounts = self.all(&format!("/tenants/{tenant}/accounts")).await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        accounts.iter().map(|a| (text(&a["id"]).unwrap(), text(&a["role"]))).collect()
    }

    /// The waves, newest first.
    pub(crate) async fn waves(&self, tenant: &str) -> Vec<Value> {
        self.all(&format!("/tenants/{tenant}/waves")).await
    }

    /// Waits until no wave is open and the newest is reconciled. Answers it.
    pub(crate) async fn wait_until_settled(&self, tenant: &str) -> Value {
        eventually("settled and reconciled wave", || async {
            let waves = self.waves(tenant).await;
            let open =
                waves.iter().find(|w| w["state"] != "settled" || w["reconciled_at"].is_null());
            match (open, waves.first()) {
                (None, Some(newest)) => Ok(newest.clone()),
                (Some(open), _) => Err(open.to_string()),
                (None, None) => Err("there are no waves".to_owned()),
            }
        })
        .await
    }

    /// The whole change feed, which must be gapless.
    pub(crate) async fn feed(&self, tenant: &str) -> Vec<Value> {
        self.feed_after(tenant, 0).await
    }

    /// The change feed after an entry, which must be gapless.
    pub(crate) async fn feed_after(&self, tenant: &str, after: u64) -> Vec<Value> {
        let mut items: Vec<Value> = Vec::new();
        let mut last = after;
        loop {
            let path = format!("/tenants/{tenant}/changes?after={last}&limit={FEED_PAGE}");
            let page = self.get(&path).await.expect(200).json();
            let page = page["items"].as_array().expect("a page has items").clone();
            if page.is_empty() {
                return items;
            }
            for entry in page {
                assert_eq!(entry["seq"], last + 1, "the feed has a gap: {entry}");
                last += 1;
                items.push(entry);
            }
        }
    }
}

/// What the entries of a feed that have `to` give, replayed in order; each must start from the
/// role that the one before gave.
pub(crate) fn replay(feed: &[Value]) -> BTreeMap<String, Option<String>> {
    let mut roles: BTreeMap<String, Option<String>> = BTreeMap::new();
    for entry in feed {
        let Some(to) = entry.get("to") else { continue };
        let account = entry["account"].as_str().expect("it is about an account").to_owned();
        let before = roles.insert(account, to.as_str().map(str::to_owned)).flatten();
        let from = entry.get("from").and_then(Value::as_str);
        assert_eq!(from, before.as_deref(), "an entry starts from another role: {entry}");
    }
    roles
}
