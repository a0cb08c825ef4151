//! What a simulation does where the target misbehaves, and where it was started wrongly.

use reqwest::Method;
use serde_json::Value;

use super::proxy::{Does, Proxy};
use super::{server_and_tenant, simulate};

/// How often an operation was tried.
fn tries(report: &Value, operation: &str) -> u64 {
    let operations = report["operations"].as_array().unwrap();
    let found = operations.iter().find(|one| one["operation"] == operation);
    found.map_or(0, |one| one["requests"].as_u64().unwrap())
}

fn kinds(report: &Value) -> Vec<&str> {
    let errors = report["errors"].as_array().unwrap();
    errors.iter().map(|error| error["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn whoever_does_not_answer_an_empty_list_to_a_stranger_is_not_provisioned_to() {
    const SOMEBODY: &str = r#"{
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 1, "Resources": [{"id": "1", "userName": "ada"}]
    }"#;
    for (endpoint, answer) in [
        ("/Users?", "<html>Welcome</html>"),
        ("/Users?", r#"{"totalResults": 0}"#),
        ("/Users?", SOMEBODY),
        ("/Groups?", SOMEBODY),
    ] {
        let (_server, scim) = server_and_tenant().await;
        let proxy = Proxy::to(&scim.endpoint, move |seen| {
            let is_meant = seen.path.starts_with(endpoint);
            if is_meant { Does::Say(200, answer) } else { Does::Forward }
        })
        .await;

        let (code, _, said) = simulate(&proxy.endpoint, &scim.token, "--waves 1").await;

        assert_eq!(code, 1, "{answer}: {said}");
        assert!(said.contains("not an empty ListResponse"), "{answer}: {said}");
        assert!(proxy.shapes().iter().all(|shape| shape.starts_with("GET ")), "{answer}");
    }
}

#[tokio::test]
async fn schemas_that_cannot_be_read_are_lived_without() {
    let (_server, scim) = server_and_tenant().await;
    let proxy = Proxy::to(&scim.endpoint, |seen| match seen.path.as_str() {
        "/Schemas" => Does::Say(501, ""),
        _ => Does::Forward,
    })
    .await;

    let arguments = "--users 3 --groups 1 --waves 1 --verify";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!((code, &report["failures"]), (0, &0.into()), "{said}");
    assert!(kinds(&report).contains(&"501"), "{report:#}");
}

#[tokio::test]
async fn nobody_being_there_is_told_soon_and_with_its_cause() {
    let (code, report, said) = simulate("http://127.0.0.1:9", "token", "--waves 1").await;

    assert_eq!(code, 1, "{said}");
    assert_eq!(tries(&report, "test connection"), 2);
    assert!(said.contains("given up after 2 tries, at last: connection: "), "{said}");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_failures_and_what_they_were_to_tell_is_owed() {
    let (_server, scim) = server_and_tenant().await;
    let proxy = Proxy::to(&scim.endpoint, |seen| {
        let creates = seen.method == Method::POST && seen.path == "/Users";
        if creates { Does::Say(201, "{}") } else { Does::Forward }
    })
    .await;

    let arguments = "--users 3 --groups 1 --waves 1";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 1, "{said}");
    assert!(kinds(&report).contains(&"not understood"), "{report:#}");
    assert!(report["failures"].as_u64() >= Some(3), "{report:#}");
    assert!(report["owed"].as_u64() >= Some(3), "{report:#}");
    assert!(said.contains("owed still"), "{said}");
}

#[tokio::test]
async fn somebody_who_was_not_asked_for_is_not_written_over() {
    const OTHER: &str = r#"{
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 1, "Resources": [{"id": "1", "userName": "somebody.else@x.example"}]
    }"#;
    let (_server, scim) = server_and_tenant().await;
    let mut probed = false;
    let proxy = Proxy::to(&scim.endpoint, move |seen| {
        if seen.method != Method::GET || !seen.path.starts_with("/Users?") {
            return Does::Forward;
        }
        let was_probed = std::mem::replace(&mut probed, true);
        if was_probed { Does::Say(200, OTHER) } else { Does::Forward }
    })
    .await;

    let arguments = "--users 3 --groups 0 --waves 1";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 1, "{said}");
    assert!(report["owed"].as_u64() >= Some(3), "{report:#}");
    assert!(proxy.shapes().iter().all(|shape| shape.starts_with("GET ")), "{report:#}");
}

#[tokio::test]
async fn a_user_who_cannot_be_read_back_is_there_all_the_same() {
    let (_server, scim) = server_and_tenant().await;
    let mut lost = false;
    let proxy = Proxy::to(&scim.endpoint, move |seen| {
        let reads = seen.method == Method::GET && seen.path.starts_with("/Users/");
        let first = reads && !std::mem::replace(&mut lost, true);
        if first { Does::Say(404, "{}") } else { Does::Forward }
    })
    .await;

    let arguments = "--users 6 --groups 2 --waves 2 --interval 0s --churn 0 --verify";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!((code, &report["owed"], &report["failures"]), (0, &0.into(), &1.into()), "{said}");
    assert_eq!((tries(&report, "create user"), tries(&report, "match user")), (6, 6));
}

#[tokio::test]
async fn what_was_found_before_a_tenant_broke_off_is_reported() {
    let (_server, scim) = server_and_tenant().await;
    // Nothing has another value before the second wave.
    let proxy = Proxy::to(&scim.endpoint, |seen| {
        let changes = seen.method == Method::PATCH && seen.body.contains("\"Replace\"");
        if changes { Does::Say(401, "") } else { Does::Forward }
    })
    .await;

    let arguments = "--users 20 --groups 3 --waves 3 --interval 0s --churn 60 --verify";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 1, "{said}");
    assert_eq!(report["waves"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert!(report["broke_off"][0].as_str().unwrap().contains("quarantine"), "{report:#}");
    assert!(tries(&report, "create user") >= 20, "{report:#}");
    assert!(report["verification"].is_null() && report["owed"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_wrong_operator_token_is_told_before_anything_is_written() {
    let (_server, scim) = server_and_tenant().await;

    let arguments = "--waves 1 --verify --admin-token nobody-gave-this-out";
    let (code, _, said) = simulate(&scim.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 1, "{said}");
    assert!(said.contains("admin API") && said.contains("401"), "{said}");
    assert!(!said.contains("nobody-gave-this-out"), "{said}");
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 0);
}

#[tokio::test]
async fn a_report_that_has_no_place_is_told_before_anything_is_sent() {
    for option in ["--json", "--html"] {
        let arguments = format!("--waves 1 {option} /no/such/directory/report");
        let mut command = crate::server::slackwater();
        command.args(["simulate", "--endpoint", "http://127.0.0.1:9", "--token", "t"]);
        let (code, out, said) =
            crate::server::run(command.args(arguments.split_whitespace())).await;

        assert_eq!((code, out.as_str()), (1, ""), "{said}");
        assert!(said.contains("/no/such/directory/report"), "{said}");
    }
}
