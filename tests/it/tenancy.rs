//! Who may do what: a table of all routes. Without a good token nothing is answered but 401, and
//! one tenant cannot tell what another has.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, OPERATOR_TOKEN, ScimClient, Server, add_member, eventually, user};

const USERS: &str = "/Users";
const RANDOM_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Every SCIM route; `{id}` stands for a resource's id.
const SCIM_ROUTES: [(&str, &str); 23] = [
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/ResourceTypes"),
    ("GET", "/ResourceTypes/User"),
    ("GET", "/Schemas"),
    ("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"),
    ("GET", "/Me"),
    ("POST", "/Bulk"),
    ("POST", "/.search"),
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", "/Users/{id}"),
    ("PUT", "/Users/{id}"),
    ("PATCH", "/Users/{id}"),
    ("DELETE", "/Users/{id}"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("POST", "/Groups/.search"),
    ("GET", "/Groups/{id}"),
    ("PUT", "/Groups/{id}"),
    ("PATCH", "/Groups/{id}"),
    ("DELETE", "/Groups/{id}"),
    ("GET", "/NoSuchEndpoint"),
];

/// Every route of the admin API, and one that there is not.
const ADMIN_ROUTES: [(&str, &str); 30] = [
    ("GET", "/tenants"),
    ("POST", "/tenants"),
    ("GET", "/tenants/acme"),
    ("DELETE", "/tenants/acme"),
    ("GET", "/tenants/acme/tokens"),
    ("POST", "/tenants/acme/tokens"),
    ("DELETE", "/tenants/acme/tokens/{id}"),
    ("GET", "/tenants/acme/settings"),
    ("PATCH", "/tenants/acme/settings"),
    ("GET", "/tenants/acme/groups"),
    ("GET", "/tenants/acme/accounts"),
    ("GET", "/tenants/acme/accounts/{id}"),
    ("PUT", "/tenants/acme/accounts/{id}/lock"),
    ("DELETE", "/tenants/acme/accounts/{id}/lock"),
    ("PUT", "/tenants/acme/accounts/{id}/role"),
    ("POST", "/tenants/acme/reconcile"),
    ("GET", "/tenants/acme/waves"),
    ("GET", "/tenants/acme/waves/{id}"),
    ("GET", "/tenants/acme/waves/{id}/requests"),
    ("GET", "/tenants/acme/requests"),
    ("GET", "/tenants/acme/requests/{id}"),
    ("GET", "/tenants/acme/changes"),
    ("PUT", "/tenants/acme/equipment"),
    ("GET", "/tenants/acme/reports/disabled-with-equipment"),
    ("GET", "/tenants/acme/actors"),
    ("GET", "/tenants/acme/actors/users/{id}"),
    ("GET", "/actors"),
    ("GET", "/backup"),
    ("GET", "/no-such-path"),
    ("GET", "/tenants/no-such-tenant"),
];

/// Two tenants, each with the same user and group.
struct Two {
    server: Server,
    acme: ScimClient,
    other: ScimClient,
    /// A user and a group of acme.
    user: String,
    group: String,
}

async fn two_tenants() -> Two {
    let server = Server::start().await;
    let (acme, other) = (server.tenant("acme", "60s").await, server.tenant("other", "60s").await);
    let (user, group) = (acme.create_user("bob").await, acme.create_group("Staff").await);
    acme.add_member(&group, &user).await;
    Two { server, acme, other, user, group }
}

/// The `Authorization` headers that must not let anybody in, and what follows the path.
fn bad_credentials(others_token: &str, good_token: &str) -> Vec<(Vec<String>, String)> {
    let (half, rest) = good_token.split_at(good_token.len() / 2);
    let header = |text: String| (vec![text], String::new());
    vec![
        (vec![], String::new()),
        header("Bearer wrong-token".into()),
        header("Bearer".into()),
        header("Bearer ".into()),
        header(String::new()),
        header(good_token.to_owned()),
        header(format!("Basic {good_token}")),
        header("Basic YWRtaW46YWRtaW4=".into()),
        header(format!("Bearer {others_token}")),
        header(format!("Bearer {good_token}x")),
        header(format!("Bearer {half}")),
        header(format!("Bearer {half} {rest}")),
        header(format!("Bearer {}", good_token.to_uppercase())),
        (vec![format!("Bearer {good_token}"), format!("Bearer {good_token}")], String::new()),
        (vec!["Bearer wrong".into(), format!("Bearer {good_token}")], String::new()),
        (vec![], format!("?access_token={good_token}")),
        (vec![], format!("?token={good_token}")),
    ]
}

async fn send(
    http: &reqwest::Client,
    (method, url): (&str, &str),
    authorization: &[String],
) -> Answer {
    let mut request = http.request(method.parse().unwrap(), url);
    for value in authorization {
        request = request.header("authorization", value);
    }
    if method != "GET" && method != "DELETE" {
        request = request.header("content-type", "application/json").body("{}");
    }
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn no_scim_route_answers_without_a_good_token() {
    let two = two_tenants().await;
    let http = http();
    let mut tried = 0;
    let mut cookie_and_operator = bad_credentials(&two.other.token, &two.acme.token);
    cookie_and_operator.push((vec![format!("Bearer {OPERATOR_TOKEN}")], String::new()));

    for (method, path) in SCIM_ROUTES {
        let id = if path.starts_with("/Groups") { &two.group } else { &two.user };
        let path = path.replace("{id}", id);
        let mut expected: Option<String> = None;
        for (authorization, query) in &cookie_and_operator {
            let url = format!("{}{path}{query}", two.acme.endpoint);
            let answer = send(&http, (method, &url), authorization).await;
            let context = format!("{method} {path}{query} {authorization:?}");
            assert_eq!(answer.status, 401, "{context}: {answer:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{context}");
            let answer = answer.expect_scim_error(401, None);
            // One wrong token is like any other.
            let first = expected.get_or_insert_with(|| answer.fingerprint());
            assert_eq!(*first, answer.fingerprint(), "{context}");
            tried += 1;
        }
    }

    assert_eq!(two.acme.members_of(&two.group).await, std::slice::from_ref(&two.user));
    eprintln!("{tried} requests refused");
}

#[tokio::test]
async fn no_admin_route_answers_without_the_operator_token() {
    let two = two_tenants().await;
    let http = http();

    for (method, path) in ADMIN_ROUTES {
        let path = path.replace("{id}", &two.user);
        for (authorization, query) in bad_credentials(&two.acme.token, OPERATOR_TOKEN) {
            let url = format!("{}/admin/v1{path}{query}", two.server.url);
            let answer = send(&http, (method, &url), &authorization).await;
            let context = format!("{method} {path}{query} {authorization:?}");
            assert_eq!(answer.status, 401, "{context}: {answer:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{context}");
            answer.expect_problem(401, "token");
        }
    }

    let tenants = two.server.admin().all("/tenants").await;
    assert_eq!(tenants.len(), 2);
}

#[tokio::test]
async fn a_token_in_a_cookie_opens_nothing() {
    let two = two_tenants().await;
    for (url, token) in [
        (format!("{}/Users", two.acme.endpoint), two.acme.token.as_str()),
        (format!("{}/admin/v1/tenants", two.server.url), OPERATOR_TOKEN),
    ] {
        let cookie = format!("token={token}; access_token={token}");
        let request = http().get(&url).header("cookie", cookie);
        assert_eq!(request.send().await.unwrap().status(), 401, "{url}");
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_like_a_wrong_token() {
    let two = two_tenants().await;
    let token = &two.acme.token;
    let of = |tenant: &str, token: &str| {
        let endpoint = format!("{}/scim/v2/{tenant}", two.server.url);
        ScimClient::new(&endpoint, token)
    };

    for (method, path) in SCIM_ROUTES {
        let path = path.replace("{id}", RANDOM_ID);
        let method: Method = method.parse().unwrap();
        let ask = async |client: ScimClient| {
            let body = json!({});
            client.try_send(method.clone(), &path, Some(&body)).await.unwrap().fingerprint()
        };
        let wrong = ask(of("acme", "wrong")).await;
        for unknown in ["nobody", "a", "NOT-AN-ID", "%00", "acme%2F..%2Fother", "acme2"] {
            assert_eq!(ask(of(unknown, token)).await, wrong, "{method} {path} of {unknown}");
        }
    }
}

#[tokio::test]
async fn an_id_of_another_tenant_is_like_one_that_nobody_has() {
    let two = two_tenants().await;
    let before = two.acme.get(&format!("/Users/{}", two.user)).await.fingerprint();

    for (method, path) in SCIM_ROUTES.into_iter().filter(|(_, path)| path.contains("{id}")) {
        let id = if path.starts_with("/Groups") { &two.group } else { &two.user };
        let method: Method = method.parse().unwrap();
        let ask = async |id: &str, version: &str| {
            let body = match method.as_str() {
                "PATCH" if path.starts_with("/Groups") => {
                    Some(crate::server::patch_op(&add_member(&two.user)))
                }
                "PATCH" => Some(crate::server::patch_op(&json!([
                    {"op": "replace", "path": "displayName", "value": "taken over"}
                ]))),
                "PUT" => Some(json!({"userName": "bob", "displayName": "taken over"})),
                _ => None,
            };
            let mut request = two.other.request(method.clone(), &path.replace("{id}", id));
            if !version.is_empty() {
                request = request.header("if-match", version).header("if-none-match", version);
            }
            request = request.body(body.map(|body| body.to_string()).unwrap_or_default());
            Answer::read(request.send().await.unwrap()).await.unwrap()
        };
        for version in ["", "*", "W/\"1\""] {
            let theirs = ask(id, version).await.expect_scim_error(404, None);
            let nobodys = ask(RANDOM_ID, version).await;
            assert_eq!(theirs.fingerprint(), nobodys.fingerprint(), "{method} {path} {version}");
        }
    }

    let after = two.acme.get(&format!("/Users/{}", two.user)).await.fingerprint();
    assert_eq!(after, before);
    assert_eq!(two.acme.members_of(&two.group).await, std::slice::from_ref(&two.user));
}

#[tokio::test]
async fn an_account_of_another_tenant_is_like_one_that_nobody_has() {
    let two = two_tenants().await;
    let admin = two.server.admin();
    for (method, path) in [
        (Method::GET, ""),
        (Method::PUT, "/lock"),
        (Method::DELETE, "/lock"),
        (Method::PUT, "/role"),
    ] {
        let ask = async |id: &str| {
            let path = format!("/tenants/other/accounts/{id}{path}");
            let mut request = admin.request(method.clone(), &path);
            if method == Method::PUT {
                request = request.json(&json!({"role": "admin"}));
            }
            Answer::read(request.send().await.unwrap()).await.unwrap()
        };
        let theirs = ask(&two.user).await.expect(404);
        assert_eq!(theirs.fingerprint(), ask(RANDOM_ID).await.fingerprint(), "{method} {path}");
    }
    let account = admin.account("acme", &two.user).await;
    assert_eq!((&account["locked"], &account["role"]), (&json!(false), &json!("default")));
}

#[tokio::test]
async fn the_same_names_in_two_tenants_are_different_people() {
    let two = two_tenants().await;
    let body = |external_id: &str| json!({"userName": "eve", "externalId": external_id});

    let in_acme = two.acme.post(USERS, &body("e1")).await.expect(201).id();
    let in_other = two.other.post(USERS, &body("e1")).await.expect(201).id();
    two.acme.disable(&in_acme).await;

    assert_ne!(in_acme, in_other);
    let found = two.other.find(USERS, "externalId eq \"e1\"").await;
    assert_eq!(found["totalResults"], 1);
    assert_eq!(found["Resources"][0]["id"], in_other);
    let admin = two.server.admin();
    assert_eq!(admin.role_of("other", &in_other).await.as_deref(), Some("default"));
    assert_eq!(two.other.find(USERS, "userName pr").await["totalResults"], 1);
}

#[tokio::test]
async fn a_member_or_manager_of_another_tenant_is_not_found() {
    let two = two_tenants().await;
    let group = two.other.create_group("Staff").await;

    // Parked: nobody here has that id.
    two.other.add_member(&group, &two.user).await;
    let shown = two.acme.get(&format!("/Users/{}", two.user)).await.expect(200).json();
    let groups = shown["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["value"], two.group);
    let eve = two.other.create_user("eve").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    two.other.set(&eve, &format!("{enterprise}:manager"), &two.user).await;

    let everything = two.other.get(&format!("/Users/{eve}")).await;
    let everything = String::from_utf8(everything.body).unwrap();
    assert!(!everything.contains("bob"), "{everything}");
    let account = two.server.admin().account("acme", &two.user).await;
    assert_eq!(account["groups"], json!([{"id": two.group, "display_name": "Staff"}]));
}

#[tokio::test]
async fn several_tokens_live_at_once_and_a_revoked_one_opens_nothing_from_then_on() {
    let two = two_tenants().await;
    let admin = two.server.admin();
    let body = json!({"label": "rotation"});
    let made = admin.post("/tenants/acme/tokens", &body).await.expect(201).json();
    let second = two.acme.with_token(made["token"].as_str().unwrap());
    assert_eq!((&made["label"], &made["expires_at"]), (&json!("rotation"), &Value::Null));
    two.acme.get(USERS).await.expect(200);
    second.get(USERS).await.expect(200);

    let shown = admin.get("/tenants/acme/tokens").await.expect(200);
    assert!(!String::from_utf8_lossy(&shown.body).contains(made["token"].as_str().unwrap()));
    let tokens = shown.json()["items"].as_array().unwrap().clone();
    assert_eq!(tokens.len(), 2);
    let first = tokens.iter().find(|token| token["id"] != made["id"]).unwrap();
    let path = format!("/tenants/acme/tokens/{}", first["id"].as_str().unwrap());
    admin.delete(&path).await.expect(204);

    two.acme.get(USERS).await.expect_scim_error(401, None);
    two.acme.post(USERS, &user("eve")).await.expect_scim_error(401, None);
    second.post(USERS, &user("eve")).await.expect(201);
    admin.delete(&path).await.expect_problem(404, "token");
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let two = two_tenants().await;
    let admin = two.server.admin();
    let body = json!({"label": "short", "expires_in": "1s"});
    let made = admin.post("/tenants/acme/tokens", &body).await.expect(201).json();
    assert!(made["expires_at"].is_string());
    let short = two.acme.with_token(made["token"].as_str().unwrap());
    short.get(USERS).await.expect(200);

    let refusal = eventually("refusal of the token", || async {
        let answer = short.get(USERS).await;
        if answer.status == 401 { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;

    refusal.expect_scim_error(401, None);
    two.acme.get(USERS).await.expect(200);
}

#[tokio::test]
async fn the_tokens_of_a_deleted_tenant_do_not_open_the_one_that_takes_its_id() {
    let two = two_tenants().await;
    let admin = two.server.admin();
    admin.delete("/tenants/acme").await.expect(204);
    two.acme.get(USERS).await.expect_scim_error(401, None);

    let again = admin.create_tenant("acme").await;

    two.acme.get(USERS).await.expect_scim_error(401, None);
    assert_eq!(again.get(USERS).await.expect(200).json()["totalResults"], 0);
    again.get(&format!("/Users/{}", two.user)).await.expect_scim_error(404, None);
    assert!(admin.all("/tenants/acme/accounts").await.is_empty());
    assert_eq!(two.other.get(USERS).await.expect(200).json()["totalResults"], 0);
}
