//! The release build as a server of its own, for benchmark programs that talk to it over HTTP.

#[path = "running.rs"]
mod running;

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use self::running::{OPERATOR, Running};

/// A server that ends with this.
pub(crate) struct Server {
    pub(crate) running: Running,
    client: Client,
}

/// A tenant without a limit to its rate.
pub(crate) struct Tenant {
    client: Client,
    /// What its SCIM addresses begin with.
    pub(crate) endpoint: String,
    pub(crate) token: String,
}

impl Server {
    /// Starts one on this data, and waits until it listens.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let running = Running::start(data, arguments);
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        Self { running, client }
    }

    /// Asks the admin API.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/admin/v1{path}", self.running.base);
        let mut request = self.client.request(method, url).bearer_auth(OPERATOR);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Makes a tenant.
    pub(crate) async fn tenant(&self, id: &str) -> Tenant {
        let body = json!({"id": id, "name": id});
        let made = self.admin(Method::POST, "/tenants", Some(&body)).await;
        let rate = json!({"rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000}});
        self.admin(Method::PATCH, &format!("/tenants/{id}/settings"), Some(&rate)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (endpoint, token) = (text(&made["scim"]["endpoint"]), text(&made["scim"]["token"]));
        Tenant { client: self.client.clone(), endpoint, token }
    }
}

impl Tenant {
    /// Sends a SCIM request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.endpoint);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            let text = body.to_string();
            request = request.header("content-type", "application/scim+json").body(text);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}
