//! Many at once: names stay unique, and no change is lost.

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::server::{Answer, Server, user};

/// Requests under way at the same time, where there are more than that.
const REQUESTS_AT_ONCE: usize = 64;

#[tokio::test]
async fn of_64_concurrent_creates_of_one_name_one_wins_and_the_others_hear_of_it() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;

    // Uniqueness is without regard to case.
    let names: Vec<String> = (0..64)
        .map(|n| if n % 2 == 0 { "bob@acme.test".into() } else { "Bob@ACME.test".into() })
        .collect();
    let bodies: Vec<Value> = names.iter().map(|name| user(name)).collect();
    let answers = join_all(bodies.iter().map(|body| scim.post("/Users", body))).await;

    let (won, lost): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        answer.expect_scim_error(409, Some("uniqueness"));
    }
    let found = scim.find("/Users", "userName eq \"bob@acme.test\"").await;
    assert_eq!(found["totalResults"], 1);
    assert_eq!(found["Resources"][0]["id"], won[0].id());
    let accounts = server.admin().all("/tenants/acme/accounts").await;
    assert_eq!(accounts.len(), 1);
}

#[tokio::test]
async fn of_64_concurrent_creates_of_one_external_id_none_takes_over_another() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;

    let body = |n| json!({"userName": format!("u{n}"), "externalId": "the-same"});
    let bodies: Vec<Value> = (0..64).map(body).collect();
    let answers = join_all(bodies.iter().map(|body| scim.post("/Users", body))).await;

    for (answer, body) in answers.into_iter().zip(&bodies) {
        match answer.status {
            201 => {
                let shown = scim.get(&format!("/Users/{}", answer.id())).await.expect(200);
                assert_eq!(shown.json()["userName"], body["userName"]);
            }
            _ => drop(answer.expect_scim_error(409, Some("uniqueness"))),
        }
    }
}

#[tokio::test]
async fn of_500_concurrent_member_adds_to_one_group_none_is_lost() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let group = scim.create_group("Everyone").await;
    let names: Vec<String> = (0..500).map(|n| format!("u{n}")).collect();
    let mut users: Vec<String> = stream::iter(&names)
        .map(|name| scim.create_user(name))
        .buffer_unordered(REQUESTS_AT_ONCE)
        .collect()
        .await;

    join_all(users.iter().map(|user| scim.add_member(&group, user))).await;

    users.sort();
    assert_eq!(scim.members_of(&group).await, users);
    let groups = server.admin().all("/tenants/acme/groups").await;
    assert_eq!(groups[0]["members"], 500);
}

#[tokio::test]
async fn of_concurrent_adds_and_removes_on_one_group_each_takes_effect() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let group = scim.create_group("Everyone").await;
    let names: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
    let users: Vec<String> = stream::iter(&names)
        .map(|name| scim.create_user(name))
        .buffered(REQUESTS_AT_ONCE)
        .collect()
        .await;
    let (leaving, joining) = users.split_at(100);
    join_all(leaving.iter().map(|user| scim.add_member(&group, user))).await;

    let adds = join_all(joining.iter().map(|user| scim.add_member(&group, user)));
    let removes = join_all(leaving.iter().map(|user| scim.remove_member(&group, user)));
    tokio::join!(adds, removes);

    let mut expected = joining.to_vec();
    expected.sort();
    assert_eq!(scim.members_of(&group).await, expected);
}

#[tokio::test]
async fn of_200_concurrent_patches_of_one_user_none_is_lost_and_each_makes_a_version() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let id = scim.create_user("bob").await;
    let path = format!("/Users/{id}");

    let operations = |n: usize| {
        let email = json!({"type": format!("t{n}"), "value": format!("bob{n}@acme.test")});
        json!([{"op": "Add", "path": "emails", "value": [email]}])
    };
    let operations: Vec<Value> = (0..200).map(operations).collect();
    let answers = join_all(operations.iter().map(|patch| scim.patch(&path, patch))).await;

    let mut versions: Vec<String> =
        answers.into_iter().map(|answer| answer.expect(200).header("etag").to_owned()).collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 200, "each change is a version of its own");
    let shown = scim.get(&path).await.expect(200).json();
    let mut emails: Vec<&str> =
        shown["emails"].as_array().unwrap().iter().map(|e| e["value"].as_str().unwrap()).collect();
    emails.sort_unstable();
    let mut expected: Vec<String> = (0..200).map(|n| format!("bob{n}@acme.test")).collect();
    expected.sort();
    assert_eq!(emails, expected);
}

#[tokio::test]
async fn of_concurrent_writes_that_ask_for_one_version_only_one_is_done() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let made = scim.post("/Users", &user("bob")).await.expect(201);
    let (path, version) = (format!("/Users/{}", made.id()), made.header("etag").to_owned());

    let put = |n: usize| {
        let body = json!({"userName": "bob", "displayName": format!("Bob {n}")}).to_string();
        let request = scim.request(reqwest::Method::PUT, &path).header("if-match", &version);
        async { Answer::read(request.body(body).send().await.unwrap()).await.unwrap() }
    };
    let answers = join_all((0..32).map(put)).await;

    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_scim_error(412, None);
    }
}

#[tokio::test]
async fn of_concurrent_creates_of_mapped_groups_and_of_users_none_is_refused() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let names: Vec<String> = (0..64).map(|n| format!("Group {n}")).collect();
    let mappings: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "loanee")).collect();
    server.admin().map_roles("acme", &mappings).await;

    // Each of the groups binds the mapping that waits for its name.
    let groups: Vec<Value> = names.iter().map(|name| json!({"displayName": name})).collect();
    let users: Vec<Value> = (0..64).map(|n| user(&format!("u{n}"))).collect();
    let groups = join_all(groups.iter().map(|body| scim.post("/Groups", body)));
    let users = join_all(users.iter().map(|body| scim.post("/Users", body)));
    let (groups, users) = tokio::join!(groups, users);

    for answer in groups.into_iter().chain(users) {
        answer.expect(201);
    }
    let groups = server.admin().all("/tenants/acme/groups").await;
    assert!(groups.iter().all(|group| group["role"] == "loanee"), "{groups:?}");
}
