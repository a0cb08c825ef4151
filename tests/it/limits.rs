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
    let request = scim.request(Method::POST, path).header("content-type", media_type);
    Answer::read(request.body(body.to_vec()).send().await.unwrap()).await.unwrap()
}

/// Sends bytes, and reads what comes back until the connection ends, also where the server no
/// longer takes what is sent.
async fn exchange(server: &Server, sent: &[u8]) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let mut answer = Vec::new();
    let write = async {
        // Refused bytes are the point of some of these tests.
        let _ = writer.write_all(sent).await;
        let _ = writer.shutdown().await;
    };
    let read = async {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece).await {
            answer.extend_from_slice(&piece[..count]);
        }
    };
    tokio::join!(write, read);
    String::from_utf8_lossy(&answer).into_owned()
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
    let (server, scim) = started().await;
    let id = scim.create_user("bob").await;
    let (large, larger) = (large_user(2 * MEGABYTE), large_user(9 * MEGABYTE));
    let user = format!("/Users/{id}");

    for (method, path, body) in [
        ("POST", "/Users", &large),
        ("PUT", &user, &large),
        ("PATCH", &user, &large),
        ("POST", "/Users/.search", &large),
        ("POST", "/Groups", &larger),
        ("POST", "/Bulk", &larger),
    ] {
        for in_chunks in [false, true] {
            let (length, body) = if in_chunks {
                let size = format!("{:x}\r\n", body.len());
                let chunk = [size.as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
                ("Transfer-Encoding: chunked".to_owned(), chunk)
            } else {
                (format!("Content-Length: {}", body.len()), body.clone())
            };
            let head = format!(
                "{method} /scim/v2/acme{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/scim+json\r\n{length}\r\nConnection: close\r\n\r\n",
                scim.token
            );
            let answer = exchange(&server, &[head.into_bytes(), body].concat()).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{method} {path}: {answer}");
            assert!(answer.contains("application/scim+json"), "{answer}");
            assert!(answer.contains("\"status\":\"413\""), "{answer}");
        }
    }

    let shown = scim.get("/Users").await.expect(200).json();
    assert_eq!(shown["totalResults"], 1);
    let fits = large_user(MEGABYTE - 1);
    post_raw(&scim, "/Users", "application/scim+json", &fits).await.expect(201);
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
    let (server, scim) = started().await;

    let long = scim.get_with("/Users", ("x-filling", &"x".repeat(300_000))).await;
    assert_eq!(long.status, 431);
    let mut many = scim.request(Method::GET, "/Users");
    for n in 0..200 {
        many = many.header(format!("x-{n}"), "x");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
    let url = "x".repeat(100_000);
    let head = format!("GET /scim/v2/acme/Users?x={url} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = exchange(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414 ") || answer.starts_with("HTTP/1.1 431 "), "{answer}");

    scim.get("/Users").await.expect(200);
    let fits = format!("/Users?x={}", "x".repeat(30_000));
    scim.get(&fits).await.expect(200);
}

#[tokio::test]
async fn what_is_no_http_ends_its_own_connection_alone() {
    let (server, scim) = started().await;
    for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n"] {
        let answer = exchange(&server, nonsense.as_bytes()).await;
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

#[tokio::test]
async fn head_answers_as_get_does_without_a_body_and_the_connection_goes_on() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "1s").await;
    let id = scim.post("/Users", &user("ada")).await.expect(201).id();
    let (base, token) = (scim.endpoint.strip_prefix(&server.url).unwrap(), &scim.token);
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();

    let mut answers = String::new();
    for (method, path, end) in [
        ("HEAD", format!("/Users/{id}"), ""),
        ("HEAD", "/Users".to_owned(), ""),
        ("HEAD", "/Users/nobody".to_owned(), ""),
        ("GET", format!("/Users/{id}"), "Connection: close\r\n"),
    ] {
        let head = format!(
            "{method} {base}{path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{end}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    stream.read_to_string(&mut answers).await.unwrap();

    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|one| &one[..3]).collect();
    assert_eq!(statuses, ["200", "200", "404", "200"], "{answers}");
    assert_eq!(answers.matches("\"userName\":\"ada\"").count(), 1, "{answers}");
}
