//! Spans: sent to a collector, one trace from the request to the disk, without a secret in it; and
//! logs for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kept;
use prost::Message as _;
use reqwest::Method;
use tokio::net::TcpListener;

use crate::server::{Home, OPERATOR_TOKEN, Server, user};

/// A span as it arrived.
#[derive(Debug, Clone)]
struct Arrived {
    name: String,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

type Spans = Arc<Mutex<Vec<Arrived>>>;

/// A collector; answers its address and what it was sent.
async fn collector() -> (String, Spans) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let spans = Spans::default();
    let path = axum::routing::post(collect);
    let app = Router::new().route("/v1/traces", path).with_state(Arc::clone(&spans));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, spans)
}

async fn collect(State(spans): State<Spans>, body: Bytes) -> StatusCode {
    let hex =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let text = |kept: Kept| match kept {
        Kept::StringValue(text) => text,
        Kept::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let sent = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    for span in scopes.flat_map(|scope| scope.spans) {
        assert!(span.events.is_empty(), "{span:?}");
        let attributes = span.attributes.into_iter().map(|attribute| {
            (
                attribute.key,
                attribute.value.and_then(|value| value.value).map(text).unwrap_or_default(),
            )
        });
        let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
        let (name, parent) = (span.name, hex(&span.parent_span_id));
        let arrived = Arrived { name, trace, id, parent, attributes: attributes.collect() };
        spans.lock().unwrap().push(arrived);
    }
    StatusCode::OK
}

#[tokio::test]
async fn a_request_is_one_trace_from_http_through_its_actor_to_the_disk() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (url, spans) = collector().await;
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_OTLP_ENDPOINT", &url);
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;
    let bob = scim.create_user("bob-the-secret@example.com").await;

    let patch = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "Keeper of secrets"}],
    });
    let traceparent = format!("00-{TRACE}-00f067aa04a902b7-01");
    let request = scim.request(Method::PATCH, &format!("/Users/{bob}"));
    let sent = request.header("traceparent", traceparent).json(&patch).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let request_id = sent.headers()["x-request-id"].to_str().unwrap().to_owned();
    let _ = scim.post("/Users", &user("eve-the-secret@example.com")).await.expect(201);
    // What is left is sent at the end.
    server.stop().await;

    let spans = spans.lock().unwrap().clone();
    let of = |name: &str| {
        let mut found = spans.iter().filter(|span| span.trace == TRACE && span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}")).clone();
        assert!(found.next().is_none(), "{name} came twice");
        span
    };
    let (http, actor, commit) = (of("patch_user"), of("handle"), of("commit"));
    assert_eq!(http.parent, "00f067aa04a902b7");
    assert_eq!((&actor.parent, &commit.parent), (&http.id, &actor.id));
    assert_eq!(http.attributes["request.id"], request_id);
    assert_eq!(http.attributes["tenant.id"], "acme");
    assert_eq!(http.attributes["http.status"], "200");
    assert_eq!(
        (actor.attributes["actor"].as_str(), actor.attributes["operation"].as_str()),
        ("user", "patch")
    );
    assert_eq!(commit.attributes["outcome"], "committed");
    for key in ["queue_us", "batch", "write_us"] {
        assert!(commit.attributes[key].parse::<u64>().is_ok(), "{commit:?}");
    }
    assert!(spans.iter().any(|span| span.name == "create_user"), "{spans:#?}");
    let (_, secret) = scim.token.rsplit_once(['_', '.', '-']).unwrap_or(("", &scim.token));
    for word in [OPERATOR_TOKEN, &scim.token, secret, "the-secret", "secrets", "Bearer"] {
        let tells = |span: &&Arrived| format!("{span:?}").contains(word);
        assert!(spans.iter().find(tells).is_none(), "{word} in {:?}", spans.iter().find(tells));
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_request_and_no_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_OTLP_ENDPOINT", &url);
    let server = Server::launch(&home, command).await;

    server.tenant("acme", "60s").await.create_user("bob").await;

    server.stop().await;
}

/// What succeeds is told once: by the request record, or by the log where there is none.
#[tokio::test]
async fn a_write_that_succeeds_is_told_by_the_log_only_where_it_is_not_recorded() {
    for is_recorded in [true, false] {
        let home = Home::new();
        let mut command = home.serve();
        command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
        command.args(["--record-requests", &is_recorded.to_string()]);
        let server = Server::launch(&home, command).await;
        let scim = server.tenant("acme", "60s").await;

        scim.create_user("ada").await;
        scim.delete("/Users/nobody").await.expect(404);

        let logs = home.logs_with("/Users/nobody").await;
        let line = |text: &str| logs.lines().any(|line| line.contains(text));
        assert_eq!(line(r#""method":"POST","path":"/scim/v2/acme/Users""#), !is_recorded, "{logs}");
        assert!(line(r#""path":"/admin/v1/tenants""#), "{logs}");
    }
}

#[tokio::test]
async fn the_line_of_an_answer_names_its_request() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;

    let sent = scim.request(Method::DELETE, "/Users/nobody").send().await.unwrap();

    let logs = home.logs_with("/Users/nobody").await;
    let line = logs.lines().find(|line| line.contains("/Users/nobody")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let id = sent.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(line["spans"][0]["request.id"], id, "{line}");
}

#[tokio::test]
async fn logs_for_people_stay_one_event_a_line() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).args(["--log-format", "text"]);
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;

    scim.delete("/Users/no%0Asuch%1b[31muser").await.expect(404);

    let logs = home.logs_with("no%0Asuch").await;
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains("answered")).collect();
    assert!(!lines.is_empty(), "{logs}");
    for line in lines {
        assert!(
            line.starts_with("20") && line.contains("operation=") && !line.starts_with('{'),
            "{line}"
        );
    }
    assert!(!logs.contains('\u{1b}'), "{logs}");
}
