//! The runner can fail: against a canned server it tells right answers from wrong ones.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{CORPUS, run_corpus};

/// A server with one user, who is called Ann: the base URL to reach it.
async fn canned_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer(connection));
        }
    });
    format!("http://{address}/scim/")
}

/// Answers one request and hangs up.
async fn answer(mut connection: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let head = loop {
        let read = connection.read(&mut buffer).await.unwrap();
        if read == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..read]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&request[..end]).into_owned();
        }
    };
    let config = r#"{"patch":{"supported":true},"sort":{"supported":false}}"#;
    let (status, body) = match head.lines().next().unwrap() {
        "GET /scim/ServiceProviderConfig HTTP/1.1" => ("200 OK", config),
        "GET /scim/Users/1 HTTP/1.1" => ("200 OK", r#"{"id":"1","userName":"Ann","active":true}"#),
        "GET /scim/Users/1?a=%22Ann%22 HTTP/1.1" => ("200 OK", r#"{"id":"found"}"#),
        _ => ("404 Not Found", r#"{"status":"404"}"#),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\netag: W/\"1\"\r\nconnection: close\r\n\r\n{body}"
    );
    connection.write_all(answer.as_bytes()).await.unwrap();
}

async fn failing_ids(cases: &str) -> Vec<String> {
    let corpus = format!(r#"{{"cases":[{cases}]}}"#);
    let report = run_corpus(&canned_server().await, "t", &corpus).await;
    report.failures.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn a_case_fails_on_a_wrong_status_header_or_body() {
    let failing = failing_ids(
        r#"
        {"id": "right", "request": {"method": "GET", "path": "/Users/1"},
         "expect": {"status": [200], "headers": {"ETag": "W/\"1\""}, "body": {"userName": "Ann"}}},
        {"id": "status", "request": {"method": "GET", "path": "/Users/2"}, "expect": {"status": [200]}},
        {"id": "header", "request": {"method": "GET", "path": "/Users/1"},
         "expect": {"headers": {"ETag": "W/\"2\""}}},
        {"id": "body", "request": {"method": "GET", "path": "/Users/1"},
         "expect": {"body": {"active": "true"}}},
        {"id": "one-of", "request": {"method": "GET", "path": "/Users/2"},
         "expect": {"anyOf": [{"status": [200]}, {"status": [404], "body": {"status": "404"}}]}},
        {"id": "none-of", "request": {"method": "GET", "path": "/Users/2"},
         "expect": {"anyOf": [{"status": [200]}, {"status": [404], "body": {"status": 404}}]}}
        "#,
    )
    .await;

    assert_eq!(failing, ["status", "header", "body", "none-of"]);
}

#[tokio::test]
async fn a_case_fails_when_any_of_its_steps_does() {
    let failing = failing_ids(
        r#"
        {"id": "setup", "setup": [{"method": "GET", "path": "/Users/2"}]},
        {"id": "setup-as-expected",
         "setup": [{"method": "GET", "path": "/Users/2", "expect": {"status": [404]}}]},
        {"id": "parallel", "parallel": [
            {"method": "GET", "path": "/Users/1"}, {"method": "GET", "path": "/Users/2"}]},
        {"id": "then", "request": {"method": "GET", "path": "/Users/1"},
         "then": [{"method": "GET", "path": "/Users/2"}]},
        {"id": "then-not-due", "request": {"method": "GET", "path": "/Users/1"},
         "then": [{"method": "GET", "path": "/Users/2", "when": [204]}]},
        {"id": "no-value", "request": {"method": "GET", "path": "/Users/{{nobody.id}}"}}
        "#,
    )
    .await;

    assert_eq!(failing, ["setup", "parallel", "then", "no-value"]);
}

#[tokio::test]
async fn a_captured_value_is_used_in_later_requests_and_expectations() {
    let failing = failing_ids(
        r#"
        {"id": "captured",
         "setup": [{"method": "GET", "path": "/Users/1",
                    "capture": {"u": ["id", "userName", "header:ETag"]}}],
         "request": {"method": "GET", "path": "/Users/{{u.id}}", "query": {"a": "\"{{u.userName}}\""}},
         "expect": {"headers": {"etag": "{{u.etag}}"}, "body": {"id": "found"}}}
        "#,
    )
    .await;

    assert!(failing.is_empty(), "{failing:?}");
}

#[tokio::test]
async fn a_case_is_skipped_when_the_server_does_not_announce_what_it_needs() {
    let corpus = r#"{"cases": [
        {"id": "a", "requires": ["Patch", "auth"]}, {"id": "b", "requires": ["sort"]}
    ]}"#;
    let report = run_corpus(&canned_server().await, "t", corpus).await;

    assert_eq!((report.passed, report.skipped), (1, vec!["b".to_owned()]));
}

#[tokio::test]
async fn every_case_fails_when_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let report = run_corpus(&format!("http://{address}"), "t", CORPUS).await;

    assert_eq!((report.passed, report.skipped.len()), (0, 0));
    assert!(report.failures.len() > 100, "{report}");
}
