//! What other SCIM clients rely on beyond the corpus: versions, paging, Bulk, members that come
//! before their users, groups in groups, renames.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, ScimClient, Server, encode, patch_op, user};

async fn started() -> (Server, ScimClient) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    (server, scim)
}

/// Sends a write with `If-Match`.
async fn write_if_match(
    scim: &ScimClient,
    method: Method,
    path: &str,
    version: &str,
    body: &Value,
) -> Answer {
    let request = scim.request(method, path).header("if-match", version).body(body.to_string());
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_created_resource_says_where_it_is_and_at_which_version() {
    let (_server, scim) = started().await;

    for (endpoint, body) in [("/Users", user("bob")), ("/Groups", json!({"displayName": "G"}))] {
        let made = scim.post(endpoint, &body).await.expect(201);
        let location = format!("{}{endpoint}/{}", scim.endpoint, made.id());
        assert_eq!(made.header("location"), location);
        let meta = &made.json()["meta"];
        assert_eq!(meta["location"], location);
        assert_eq!(meta["version"], made.header("etag"));

        let read = scim.get(&format!("{endpoint}/{}", made.id())).await.expect(200);
        assert_eq!(read.header("etag"), made.header("etag"));
        assert_eq!(read.json()["meta"], *meta);
    }
}

#[tokio::test]
async fn a_write_that_asks_for_another_version_is_refused_and_changes_nothing() {
    let (_server, scim) = started().await;

    for (endpoint, body) in [("/Users", user("bob")), ("/Groups", json!({"displayName": "G"}))] {
        let made = scim.post(endpoint, &body).await.expect(201);
        let path = format!("{endpoint}/{}", made.id());
        let (old, name) = (
            made.header("etag"),
            json!([{"op": "replace", "path": "displayName", "value": "New"}]),
        );
        scim.patch(&path, &name).await;
        let now = scim.get(&path).await.expect(200);
        assert_ne!(now.header("etag"), old);

        let other = json!([{"op": "replace", "path": "displayName", "value": "Lost"}]);
        let patch = write_if_match(&scim, Method::PATCH, &path, old, &patch_op(&other)).await;
        patch.expect_scim_error(412, None);
        write_if_match(&scim, Method::PUT, &path, old, &body).await.expect_scim_error(412, None);
        let delete = write_if_match(&scim, Method::DELETE, &path, old, &Value::Null).await;
        delete.expect_scim_error(412, None);
        assert_eq!(scim.get(&path).await.body, now.body);

        let version = now.header("etag");
        write_if_match(&scim, Method::DELETE, &path, version, &Value::Null).await.expect(204);
        scim.get(&path).await.expect_scim_error(404, None);
    }
}

#[tokio::test]
async fn a_version_that_the_client_has_is_not_sent_again() {
    let (_server, scim) = started().await;

    for (endpoint, body) in [("/Users", user("bob")), ("/Groups", json!({"displayName": "G"}))] {
        let made = scim.post(endpoint, &body).await.expect(201);
        let path = format!("{endpoint}/{}", made.id());
        let unchanged = scim.get_with(&path, ("if-none-match", made.header("etag"))).await;
        assert!(unchanged.clone().expect(304).body.is_empty());
        assert_eq!(unchanged.header("etag"), made.header("etag"));
        scim.get_with(&path, ("if-none-match", "W/\"other\"")).await.expect(200);
    }
}

#[tokio::test]
async fn a_users_version_changes_when_its_groups_do() {
    let (_server, scim) = started().await;
    let (bob, group) = (scim.create_user("bob").await, scim.create_group("G").await);
    let path = format!("/Users/{bob}");
    let mut versions = Vec::new();
    let mut see = async || {
        let shown = scim.get(&path).await.expect(200);
        versions.push(shown.header("etag").to_owned());
        shown.json()["groups"].clone()
    };

    see().await;
    scim.add_member(&group, &bob).await;
    let joined = see().await;
    assert_eq!(joined[0]["value"], group);
    assert_eq!(joined[0]["display"], "G");
    let renamed = json!([{"op": "Replace", "path": "displayName", "value": "H"}]);
    scim.patch(&format!("/Groups/{group}"), &renamed).await.expect(204);
    assert_eq!(see().await[0]["display"], "H");
    scim.remove_member(&group, &bob).await;
    assert!(see().await.as_array().is_none_or(Vec::is_empty));

    // Without groups again the user may be what it first was, and so may its version.
    for pair in versions.windows(2) {
        assert_ne!(pair[0], pair[1], "{versions:?}");
    }
}

#[tokio::test]
async fn a_patch_of_a_group_answers_204_and_200_where_attributes_are_asked_for() {
    let (_server, scim) = started().await;
    let group = scim.create_group("G").await;
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "H"}]);

    let path = format!("/Groups/{group}");
    let silent = scim.patch(&path, &rename).await.expect(204);
    assert!(silent.body.is_empty());
    assert_eq!(silent.header("etag"), scim.get(&path).await.header("etag"));

    let told = scim.patch(&format!("{path}?attributes=displayName"), &rename).await.expect(200);
    assert_eq!(told.json()["displayName"], "H");
    assert!(told.json().get("members").is_none());
}

#[tokio::test]
async fn a_cursor_walks_all_users_exactly_once() {
    let (_server, scim) = started().await;
    let mut made = Vec::new();
    for n in 0..57 {
        made.push(scim.create_user(&format!("u{n}")).await);
    }

    for query in ["", "&filter=userName%20pr", "&sortBy=userName&sortOrder=descending"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/Users?count=10&cursor={}{query}", encode(&cursor));
            let page = scim.get(&path).await.expect(200).json();
            assert_eq!(page["totalResults"], 57);
            assert!(page.get("startIndex").is_none(), "RFC 9865 section 2: only with an index");
            let ids = page["Resources"].as_array().unwrap().iter();
            seen.extend(ids.map(|user| user["id"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        seen.sort();
        let mut expected = made.clone();
        expected.sort();
        assert_eq!(seen, expected, "{query}");
    }

    for cursor in ["nonsense", "5.00000000", "ffffffffffffffffff.1"] {
        let path = format!("/Users?cursor={cursor}");
        scim.get(&path).await.expect_scim_error(400, Some("invalidCursor"));
    }
}

#[tokio::test]
async fn an_index_walks_all_users_in_the_order_asked_for() {
    let (_server, scim) = started().await;
    let mut names: Vec<String> = (0..25).map(|n| format!("user{:02}", (n * 7) % 25)).collect();
    for name in &names {
        scim.create_user(name).await;
    }

    let mut seen: Vec<String> = Vec::new();
    for start in [1, 11, 21, 31] {
        let path = format!("/Users?sortBy=userName&startIndex={start}&count=10");
        let page = scim.get(&path).await.expect(200).json();
        assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(25), &json!(start)));
        let users = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], users.len());
        seen.extend(users.iter().map(|user| user["userName"].as_str().unwrap().to_owned()));
    }

    names.sort();
    assert_eq!(seen, names);
    let last = scim.get("/Users?sortBy=userName&sortOrder=descending&count=1").await.expect(200);
    assert_eq!(last.json()["Resources"][0]["userName"], "user24");
}

#[tokio::test]
async fn a_search_at_the_root_finds_users_and_groups() {
    let (_server, scim) = started().await;
    scim.post("/Users", &json!({"userName": "b", "displayName": "Blue"})).await.expect(201);
    scim.create_group("Blue").await;
    scim.create_group("Red").await;

    let search = |filter: &str| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
    let both = scim.post("/.search", &search("displayName eq \"blue\"")).await.expect(200).json();
    let kinds: Vec<&str> = both["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["meta"]["resourceType"].as_str().unwrap())
        .collect();
    assert_eq!(both["totalResults"], 2);
    assert!(kinds.contains(&"User") && kinds.contains(&"Group"), "{kinds:?}");

    let users = scim.post("/.search", &search("userName eq \"B\"")).await.expect(200).json();
    assert_eq!(users["totalResults"], 1);
    let groups = scim.post("/Groups/.search", &search("displayName co \"e\"")).await.expect(200);
    assert_eq!(groups.json()["totalResults"], 2);
    let unknown = scim.post("/.search", &search("nonsense eq \"B\"")).await;
    unknown.expect_scim_error(400, Some("invalidFilter"));
}

#[tokio::test]
async fn a_bulk_refers_to_what_it_defines_later() {
    let (server, scim) = started().await;
    let member = json!({"value": "bulkId:bob"});
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "staff",
             "data": {"displayName": "Staff", "members": [member]}},
            {"method": "POST", "path": "/Users", "bulkId": "bob", "data": user("bob")},
            {"method": "PATCH", "path": "/Users/bulkId:bob",
             "data": patch_op(&json!([{"op": "replace", "path": "displayName", "value": "Bob"}]))},
        ],
    });

    let answer = scim.post("/Bulk", &bulk).await.expect(200).json();

    let statuses: Vec<&Value> =
        answer["Operations"].as_array().unwrap().iter().map(|done| &done["status"]).collect();
    assert_eq!(statuses, ["201", "201", "200"]);
    let id_of = |index: usize| {
        let location = answer["Operations"][index]["location"].as_str().unwrap();
        location.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(scim.members_of(&id_of(0)).await, [id_of(1)]);
    assert_eq!(server.admin().account("acme", &id_of(1)).await["display_name"], "Bob");
}

#[tokio::test]
async fn a_member_who_is_not_known_yet_is_bound_when_it_arrives() {
    let (server, scim) = started().await;
    server.admin().map_roles("acme", &[("Staff", "loanee")]).await;
    let group = scim.create_group("Staff").await;
    let external_id = "0f5c8d1e-2b1a-4a55-9c53-1d3fd4d2a001";

    scim.add_member(&group, external_id).await;
    let body = json!({"userName": "bob", "externalId": external_id});
    let bob = scim.post("/Users", &body).await.expect(201).id();

    assert_eq!(scim.members_of(&group).await, std::slice::from_ref(&bob));
    assert_eq!(scim.get(&format!("/Users/{bob}")).await.json()["groups"][0]["value"], group);
    server.admin().wait_until_settled("acme").await;
    assert_eq!(server.admin().role_of("acme", &bob).await.as_deref(), Some("loanee"));
}

#[tokio::test]
async fn a_member_taken_back_before_it_arrived_is_no_member() {
    let (_server, scim) = started().await;
    let group = scim.create_group("Staff").await;
    let external_id = "0f5c8d1e-2b1a-4a55-9c53-1d3fd4d2a002";

    scim.add_member(&group, external_id).await;
    scim.remove_member(&group, external_id).await;
    let body = json!({"userName": "bob", "externalId": external_id});
    scim.post("/Users", &body).await.expect(201);

    assert!(scim.members_of(&group).await.is_empty());
}

#[tokio::test]
async fn a_group_in_a_group_is_a_member_and_gives_its_own_members_no_role() {
    let (server, scim) = started().await;
    server.admin().map_roles("acme", &[("Outer", "loanee")]).await;
    let (outer, inner) = (scim.create_group("Outer").await, scim.create_group("Inner").await);
    let bob = scim.create_user("bob").await;

    scim.add_member(&inner, &bob).await;
    scim.add_member(&outer, &inner).await;

    let shown = scim.get(&format!("/Groups/{outer}")).await.expect(200).json();
    assert_eq!(shown["members"][0]["value"], inner);
    assert_eq!(shown["members"][0]["type"], "Group");
    server.admin().wait_until_settled("acme").await;
    // Entra sends direct members only and does not expand groups in groups.
    assert_eq!(server.admin().role_of("acme", &bob).await.as_deref(), Some("default"));
}

#[tokio::test]
async fn a_renamed_group_keeps_its_mapping_and_another_of_the_old_name_does_not_get_it() {
    let (server, scim) = started().await;
    server.admin().map_roles("acme", &[("Staff", "loanee")]).await;
    let staff = scim.create_group("Staff").await;
    let (bob, eve) = (scim.create_user("bob").await, scim.create_user("eve").await);
    scim.add_member(&staff, &bob).await;
    server.admin().wait_until_settled("acme").await;

    let rename = json!([{"op": "Replace", "path": "displayName", "value": "People"}]);
    scim.patch(&format!("/Groups/{staff}"), &rename).await.expect(204);
    let other = scim.create_group("Staff").await;
    scim.add_member(&other, &eve).await;
    server.admin().wait_until_settled("acme").await;

    assert_eq!(server.admin().role_of("acme", &bob).await.as_deref(), Some("loanee"));
    assert_eq!(server.admin().role_of("acme", &eve).await.as_deref(), Some("default"));

    // With the bound group gone, the next one of that name matches.
    scim.delete(&format!("/Groups/{staff}")).await.expect(204);
    server.admin().wait_until_settled("acme").await;
    assert_eq!(server.admin().role_of("acme", &bob).await.as_deref(), Some("default"));
    assert_eq!(server.admin().role_of("acme", &eve).await.as_deref(), Some("loanee"));
}

#[tokio::test]
async fn a_deleted_user_is_gone_for_the_directory_and_readable_for_the_app() {
    let (server, scim) = started().await;
    let (bob, group) = (scim.create_user("bob").await, scim.create_group("G").await);
    scim.add_member(&group, &bob).await;

    scim.delete_user(&bob).await;

    scim.get(&format!("/Users/{bob}")).await.expect_scim_error(404, None);
    assert_eq!(scim.find("/Users", "userName eq \"bob\"").await["totalResults"], 0);
    assert!(scim.members_of(&group).await.is_empty());
    let account = server.admin().account("acme", &bob).await;
    assert_eq!(account["status"], "deleted");
    assert_eq!(account["role"], Value::Null);
    assert_eq!(account["user_name"], "bob");
    assert_eq!(account["why"]["rule"], "deleted");
    let again = scim.create_user("bob").await;
    assert_ne!(again, bob, "a user of the same name is another one");
}
