//! Hostile and clumsy input: each gets its answer, in SCIM's words to the directory and as a
//! problem to the operator, and the server lives on.

mod secrets;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Answer, ScimClient, Server, encode, patch_op, user};

/// How long the answer to a hostile request may take, in a build without optimisation and on a
/// machine that others use too.
const HOSTILE_WAIT_MAX: Duration = Duration::from_secs(2);
const MEGABYTE: usize = 1 << 20;

async fn started() -> (Server, ScimClient) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    (server, scim)
}

/// POST of raw bytes.
async fn post_raw(scim: &ScimClient, path: &str, media_type: &str, body: &[u8]) -> Answer {
    send_raw(scim, Method::POST, path, media_type, body).await
}

async fn send_raw(
    scim: &ScimClient,
    method: Method,
    path: &str,
    media_type: &str,
    body: &[u8],
) -> Answer {
    let request = scim.request(method, path).header("content-type", media_type);
    let sent = request.body(body.to_vec()).send().await;
    Answer::read(sent.unwrap_or_else(|error| panic!("{path}: {error:?}"))).await.unwrap()
}

/// A user whose body has this many bytes.
fn large_user(bytes: usize) -> Vec<u8> {
    let mut body = json!({"userName": "large", "displayName": ""}).to_string();
    let filling = "x".repeat(bytes - body.len());
    body.insert_str(body.len() - 2, &filling);
    body.into_bytes()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (_server, scim) = started().await;
    let json = "application/scim+json";
    let id = scim.create_user("bob").await;

    let large = large_user(2 * MEGABYTE);
    post_raw(&scim, "/Users", json, &large).await.expect_scim_error(413, None);
    for method in [Method::PUT, Method::PATCH] {
        let path = format!("/Users/{id}");
        send_raw(&scim, method, &path, json, &large).await.expect_scim_error(413, None);
    }
    post_raw(&scim, "/Users/.search", json, &large).await.expect_scim_error(413, None);
    let larger = large_user(9 * MEGABYTE);
    post_raw(&scim, "/Groups", json, &larger).await.expect_scim_error(413, None);
    post_raw(&scim, "/Bulk", json, &larger).await.expect_scim_error(413, None);

    // Without a length that could be looked at first.
    let pieces =
        futures_util::stream::iter(large.chunks(8192).map(|p| Ok::<_, String>(p.to_vec())));
    let pieces: Vec<_> = futures_util::StreamExt::collect(pieces).await;
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let sent = scim.request(Method::POST, "/Users").header("content-type", json).body(body);
    Answer::read(sent.send().await.unwrap()).await.unwrap().expect_scim_error(413, None);
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 1);
}

#[tokio::test]
async fn a_group_with_ten_thousand_members_is_no_hostile_one() {
    let (server, scim) = started().await;
    let member = |n: u32| json!({"value": format!("01890a5d-ac96-774b-bcce-{n:012x}")});
    let members: Vec<Value> = (0..10_000).map(member).collect();
    let group = json!({"displayName": "Everyone", "members": members});

    let began = Instant::now();
    let id = scim.post("/Groups", &group).await.expect(201).id();
    eprintln!("a group with 10,000 unknown members: {:.1?}", began.elapsed());

    let rename = json!([{"op": "replace", "path": "displayName", "value": "All"}]);
    scim.patch(&format!("/Groups/{id}"), &rename).await.expect(204);
    assert_eq!(server.admin().all("/tenants/acme/groups").await[0]["display_name"], "All");
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let (_server, scim) = started().await;
    let body = user("bob").to_string();
    for media_type in ["text/plain", "application/xml", "text/json", "multipart/form-data", ""] {
        let refused = post_raw(&scim, "/Users", media_type, body.as_bytes()).await;
        refused.expect_scim_error(415, None);
    }
    let encoded = scim.request(Method::POST, "/Users").header("content-encoding", "gzip");
    let encoded = encoded.header("content-type", "application/scim+json").body(body.clone());
    let answer = Answer::read(encoded.send().await.unwrap()).await.unwrap();
    answer.expect_scim_error(415, None);

    let deep = |depth: usize| {
        format!("{{\"userName\":\"b\",\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    for bad in [
        deep(100),
        deep(10_000),
        "[".repeat(500_000),
        r#"{"userName":"b","active":true,"active":false}"#.to_owned(),
        r#"{"userName":"b","name":{"givenName":"x","givenName":"y"}}"#.to_owned(),
        r#"{"userName":"b","#.to_owned(),
        r#"{"userName":"b"} x"#.to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        let began = Instant::now();
        let answer = post_raw(&scim, "/Users", "application/scim+json", bad.as_bytes()).await;
        assert!(began.elapsed() < HOSTILE_WAIT_MAX, "{:?}", began.elapsed());
        answer.expect_scim_error(400, None);
    }
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 0);
    let types = ["application/scim+json; charset=utf-8", "application/json", "Application/JSON"];
    for (n, media_type) in types.into_iter().enumerate() {
        let body = user(&format!("bob{n}")).to_string();
        post_raw(&scim, "/Users", media_type, body.as_bytes()).await.expect(201);
    }
}

#[tokio::test]
async fn more_operations_than_a_thousand_are_refused_and_none_is_done() {
    let (_server, scim) = started().await;
    let id = scim.create_user("bob").await;
    let operation = json!({"op": "replace", "path": "displayName", "value": "Bob"});

    let patch = json!(vec![operation; 1_001]);
    scim.patch(&format!("/Users/{id}"), &patch).await.expect_scim_error(413, None);
    let one = json!({"method": "POST", "path": "/Users", "bulkId": "x", "data": user("eve")});
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": vec![one; 1_001],
    });
    scim.post("/Bulk", &bulk).await.expect_scim_error(413, None);

    let shown = scim.get("/Users").await.json();
    assert_eq!(shown["totalResults"], 1);
    assert!(shown["Resources"][0].get("displayName").is_none());
}

#[tokio::test]
async fn a_filter_bomb_is_refused_quickly_wherever_it_stands() {
    let (_server, scim) = started().await;
    let id = scim.create_user("bob").await;
    let eq = r#"userName eq "x""#;
    let bombs = [
        format!("{}{eq}{}", "(".repeat(10_000), ")".repeat(10_000)),
        "(".repeat(10_000),
        format!("{}bad token", "not (".repeat(10_000)),
        vec![eq; 10_000].join(" and "),
        vec![eq; 10_000].join(" or "),
        "emails[".repeat(10_000),
        format!("userName eq \"{}", "x".repeat(10_000)),
        format!("userName eq \"{}\"", "x".repeat(17_000)),
        "\\".repeat(1_000),
        "userName eq".to_owned(),
    ];
    for bomb in &bombs {
        let began = Instant::now();
        // In a query only what fits into the head of a request.
        if bomb.len() < 20_000 {
            let answer = scim.get(&format!("/Users?filter={}", encode(bomb))).await;
            answer.expect_scim_error(400, Some("invalidFilter"));
        }
        let search = json!({"filter": bomb});
        for path in ["/Users/.search", "/.search"] {
            let answer = scim.post(path, &search).await;
            answer.expect_scim_error(400, Some("invalidFilter"));
        }
        let operation =
            json!([{"op": "replace", "path": format!("emails[{bomb}].value"), "value": "x"}]);
        let answer = scim.patch(&format!("/Users/{id}"), &operation).await.expect(400);
        let kind = answer.json()["scimType"].clone();
        assert!(kind == "invalidPath" || kind == "invalidFilter", "{answer:?}");
        assert!(began.elapsed() < HOSTILE_WAIT_MAX, "{:?}", began.elapsed());
    }
    scim.get(&format!("/Users/{id}")).await.expect(200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_a_long_address_is_not_fatal() {
    let (_server, scim) = started().await;

    let long = scim.get_with("/Users", ("x-filling", &"x".repeat(100_000))).await;
    assert_eq!(long.status, 431);
    let mut many = scim.request(Method::GET, "/Users");
    for n in 0..200 {
        many = many.header(format!("x-{n}"), "x");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
    let url = format!("/Users?x={}", "x".repeat(100_000));
    let answered = scim.try_send(Method::GET, &url, None).await;
    assert!(answered.is_ok_and(|answer| matches!(answer.status, 414 | 431)));

    scim.get("/Users").await.expect(200);
    let fits = format!("/Users?x={}", "x".repeat(30_000));
    scim.get(&fits).await.expect(200);
}

#[tokio::test]
async fn what_is_no_http_ends_its_own_connection_alone() {
    let (server, scim) = started().await;
    let address = server.url.strip_prefix("http://").unwrap();
    for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    scim.get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_page_never_holds_more_than_200_and_a_count_may_be_anything() {
    let (_server, scim) = started().await;
    let create = |n: usize| json!({"method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(&format!("u{n}"))});
    let operations: Vec<Value> = (0..250).map(create).collect();
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": operations,
    });
    scim.post("/Bulk", &bulk).await.expect(200);

    for (query, expected) in [
        ("count=1000", 200),
        ("count=99999999999999999999", 200),
        ("count=0", 0),
        ("count=-5", 0),
        ("startIndex=201&count=200", 50),
        ("startIndex=99999999999999999999", 0),
        ("cursor=&count=1000", 200),
    ] {
        let page = scim.get(&format!("/Users?{query}")).await.expect(200).json();
        assert_eq!(page["totalResults"], 250, "{query}");
        let given = page["Resources"].as_array().map_or(0, Vec::len);
        assert_eq!(given, expected, "{query}");
    }
    scim.get("/Users?count=ten").await.expect_scim_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn paths_are_taken_as_administrators_write_them() {
    let (_server, scim) = started().await;
    let id = scim.create_user("bob").await;
    for path in [
        "/Users/",
        "//Users",
        "//Users//",
        "/Users?aadOptscim062020",
        "/Users?unknown=1&unknown=2",
        "/ServiceProviderConfig/",
        &format!("//Users//{id}/"),
    ] {
        scim.get(path).await.expect(200);
    }
    scim.get("/Me").await.expect_scim_error(501, None);
    scim.post("/Me", &json!({})).await.expect_scim_error(501, None);
    for path in ["", "/", "/users/x/y", "/Nothing", "/Users/%zz", "/Users/%ff", "/Users/..%2fx"] {
        scim.get(path).await.expect_scim_error(404, None);
    }
    for (method, path) in [
        (Method::DELETE, "/Users"),
        (Method::PUT, "/Groups"),
        (Method::POST, "/Users/x"),
        (Method::GET, "/Bulk"),
        (Method::GET, "/.search"),
        (Method::POST, "/Schemas"),
        (Method::from_bytes(b"BREW").unwrap(), "/Users"),
    ] {
        let answer = scim.try_send(method.clone(), path, Some(&json!({}))).await.unwrap();
        let answer = answer.expect_scim_error(405, None);
        assert!(!answer.header("allow").is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_comes_too_fast_is_told_when_to_come_again_and_others_are_not() {
    let (server, scim) = started().await;
    let other = server.tenant("other", "60s").await;
    let slow = json!({"rate_limit": {"requests_per_second": 1, "burst": 5}});
    server.admin().set_settings("acme", &slow).await;

    let mut refused = 0;
    for _ in 0..20 {
        let answer = scim.get("/Users").await;
        other.get("/Users").await.expect(200);
        if answer.status == 429 {
            let answer = answer.expect_scim_error(429, None);
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=2).contains(&wait), "{answer:?}");
            refused += 1;
        } else {
            answer.expect(200);
        }
    }
    assert!(refused >= 10, "{refused} of 20 requests were refused");

    // A wrong token does not use up the tenant's rate, and is not told of it.
    scim.with_token("wrong").get("/Users").await.expect_scim_error(401, None);
    let fast = json!({"rate_limit": {"requests_per_second": 1_000, "burst": 1_000}});
    server.admin().set_settings("acme", &fast).await;
    scim.get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_patch_that_cannot_be_read_changes_nothing() {
    let (_server, scim) = started().await;
    let id = scim.create_user("bob").await;
    let path = format!("/Users/{id}");
    let before = scim.get(&path).await.fingerprint();
    for operations in [
        json!([{"op": "replace", "path": "active", "value": "perhaps"}]),
        json!([{"op": "explode", "path": "active", "value": true}]),
        json!([{"op": "remove"}]),
        json!([{"op": "replace", "path": "displayName", "value": "x"}, {"op": "replace", "path": "active", "value": []}]),
        json!("x"),
        json!({}),
    ] {
        scim.patch(&path, &operations).await.expect_scim_error(400, None);
    }
    let no_schema = json!({"Operations": patch_op(&json!([]))});
    scim.try_send(Method::PATCH, &path, Some(&no_schema))
        .await
        .unwrap()
        .expect_scim_error(400, None);
    assert_eq!(scim.get(&path).await.fingerprint(), before);
}
