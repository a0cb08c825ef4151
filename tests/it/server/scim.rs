//! The directory: a client of one tenant's SCIM API.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, http_client};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A directory that knows one tenant's address and token.
#[derive(Clone)]
pub(crate) struct ScimClient {
    http: reqwest::Client,
    /// The tenant's base address.
    pub(crate) endpoint: String,
    pub(crate) token: String,
}

impl ScimClient {
    pub(crate) fn new(endpoint: &str, token: &str) -> Self {
        Self { http: http_client(), endpoint: endpoint.to_owned(), token: token.to_owned() }
    }

    /// The same tenant with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same tenant on a server at another address.
    pub(crate) fn at(&self, server: &str) -> Self {
        let (_, path) = self.endpoint.split_at(self.endpoint.find("/scim/").expect("an endpoint"));
        Self { endpoint: format!("{server}{path}"), ..self.clone() }
    }

    /// A request, ready to be made strange.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.endpoint);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// Sends a request; none came back if the server went away.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/scim+json")
                .body(serde_json::to_vec(body).expect("a value can be written"));
        }
        Answer::read(request.send().await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let sent = self.try_send(method.clone(), path, body).await;
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
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

    /// PATCH with these operations.
    pub(crate) async fn patch(&self, path: &str, operations: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(&patch_op(operations))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// GET with a header.
    pub(crate) async fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        let sent = self.request(Method::GET, path).header(header.0, header.1).send().await;
        Answer::read(sent.unwrap()).await.unwrap()
    }

    /// A list filtered as the directory does.
    pub(crate) async fn find(&self, endpoint: &str, filter: &str) -> Value {
        self.get(&format!("{endpoint}?filter={}", encode(filter))).await.expect(200).json()
    }

    /// Creates a user with this name alone. Answers its id.
    pub(crate) async fn create_user(&self, user_name: &str) -> String {
        self.post("/Users", &user(user_name)).await.expect(201).id()
    }

    /// Disables a user the way Entra does.
    pub(crate) async fn disable(&self, user: &str) -> Answer {
        self.set_active(user, "False").await
    }

    /// Enables a user the way Entra does.
    pub(crate) async fn enable(&self, user: &str) -> Answer {
        self.set_active(user, "True").await
    }

    async fn set_active(&self, user: &str, value: &str) -> Answer {
        let operations = json!([{"op": "Replace", "path": "active", "value": value}]);
        self.patch(&format!("/Users/{user}"), &operations).await.expect(200)
    }

    /// Changes one attribute of a user.
    pub(crate) async fn set(&self, user: &str, path: &str, value: &str) -> Answer {
        let operations = json!([{"op": "Replace", "path": path, "value": value}]);
        self.patch(&format!("/Users/{user}"), &operations).await.expect(200)
    }

    pub(crate) async fn delete_user(&self, user: &str) {
        self.delete(&format!("/Users/{user}")).await.expect(204);
    }

    /// Creates a group without members. Answers its id.
    pub(crate) async fn create_group(&self, name: &str) -> String {
        let body = json!({"schemas": [GROUP], "displayName": name});
        self.post("/Groups", &body).await.expect(201).id()
    }

    pub(crate) async fn add_member(&self, group: &str, member: &str) {
        self.patch(&format!("/Groups/{group}"), &add_member(member)).await.expect(204);
    }

    pub(crate) async fn remove_member(&self, group: &str, member: &str) {
        self.patch(&format!("/Groups/{group}"), &remove_member(member)).await.expect(204);
    }

    /// The ids of a group's members, sorted.
    pub(crate) async fn members_of(&self, group: &str) -> Vec<String> {
        let shown = self.get(&format!("/Groups/{group}")).await.expect(200).json();
        let members = shown["members"].as_array().cloned().unwrap_or_default();
        let id = |member: &Value| member["value"].as_str().unwrap().to_owned();
        let mut ids: Vec<String> = members.iter().map(id).collect();
        ids.sort();
        ids
    }
}

/// A user with this name alone.
pub(crate) fn user(user_name: &str) -> Value {
    json!({"schemas": [USER], "userName": user_name, "active": true})
}

/// A PATCH body.
pub(crate) fn patch_op(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

/// The operation by which Entra adds a member.
pub(crate) fn add_member(member: &str) -> Value {
    json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": member}]}])
}

/// The operation by which Entra removes a member.
pub(crate) fn remove_member(member: &str) -> Value {
    json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": member}]}])
}

/// Percent-encodes a value of a query.
pub(crate) fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
