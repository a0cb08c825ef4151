//! A simulated Entra directory against the server: what it verifies, and what it gets over.

mod faults;
mod proxy;

use reqwest::Method;
use serde_json::Value;

use self::proxy::{Does, Proxy};
use crate::server::{OPERATOR_TOKEN, ScimClient, Server, run, slackwater};

const TENANT: &str = "acme";

/// Runs `slackwater simulate`, as fast as it goes. Answers its exit code, the report, and all that
/// was said to people.
async fn simulate(endpoint: &str, token: &str, arguments: &str) -> (i32, Value, String) {
    let mut command = slackwater();
    command.args(["simulate", "--endpoint", endpoint, "--rate", "0", "--json", "-"]);
    command.args(arguments.split_whitespace());
    command.env("SLACKWATER_SIMULATE_TOKENS", token);
    let (code, report, said) = run(&mut command).await;
    (code, serde_json::from_str(&report).unwrap_or_default(), said)
}

async fn server_and_tenant() -> (Server, ScimClient) {
    let server = Server::start().await;
    let scim = server.tenant(TENANT, "1s").await;
    (server, scim)
}

#[tokio::test]
async fn a_tenant_holds_after_waves_what_the_directory_holds_roles_included() {
    for dialect in ["entra", "scim"] {
        let (server, scim) = server_and_tenant().await;
        let mappings = [("IT Admins", "admin"), ("Sales", "seller"), ("Employees", "loanee")];
        server.admin().map_roles(TENANT, &mappings).await;

        let arguments = format!(
            "--users 60 --groups 8 --waves 3 --interval 0s --churn 25 --seed 4 --verify \
             --dialect {dialect} --admin-token {OPERATOR_TOKEN}"
        );
        let (code, report, said) = simulate(&scim.endpoint, &scim.token, &arguments).await;

        assert_eq!(code, 0, "{said}\n{report:#}");
        let verified = &report["verification"];
        assert_eq!((&verified["differences"], &verified["groups"]), (&0.into(), &8.into()));
        assert!(verified["users"].as_u64() >= Some(60), "{verified}");
        assert_eq!(verified["roles"], verified["users"], "{verified}");
        let waves = report["waves"].as_array().unwrap();
        assert_eq!(waves.len(), 3);
        for wave in waves {
            // A busy machine may let a wave fall apart into two: what the last one changed is told.
            assert!(wave["role_changes"].is_u64() && wave["lag_ms"].is_number(), "{wave}");
        }
        let changed: u64 = waves.iter().filter_map(|wave| wave["role_changes"].as_u64()).sum();
        assert!(changed > 0, "{waves:?}");
        assert_eq!((&report["failures"], &report["retries"]), (&0.into(), &0.into()));
        assert!(said.contains("no difference"), "{said}");
    }
}

#[tokio::test]
async fn what_a_tenant_holds_already_is_taken_over_and_not_made_again() {
    let (_server, scim) = server_and_tenant().await;
    let arguments = "--users 20 --groups 5 --waves 1 --verify";
    let (code, _, said) = simulate(&scim.endpoint, &scim.token, arguments).await;
    assert_eq!(code, 0, "{said}");

    let (code, report, said) = simulate(&scim.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 0, "{said}");
    let requests = |operation: &str| {
        let operations = report["operations"].as_array().unwrap();
        let found = operations.iter().find(|one| one["operation"] == operation);
        found.map_or(0, |one| one["requests"].as_u64().unwrap())
    };
    assert_eq!((requests("create user"), requests("create group")), (0, 0));
    assert_eq!((requests("update user"), requests("update group")), (20, 5));
}

#[tokio::test]
async fn tenants_are_simulated_at_once_each_with_a_directory_of_its_own() {
    let (server, scim) = server_and_tenant().await;
    let other = server.tenant("bolt", "1s").await;
    let tokens = format!("{},{}", scim.token, other.token);

    let arguments =
        format!("--endpoint {} --users 15 --groups 4 --waves 1 --verify", other.endpoint);
    let (code, report, said) = simulate(&scim.endpoint, &tokens, &arguments).await;

    assert_eq!(code, 0, "{said}");
    assert_eq!(
        (&report["plan"]["tenants"], &report["verification"]["users"]),
        (&2.into(), &30.into())
    );
    let users = async |scim: &ScimClient| scim.get("/Users?attributes=userName").await.json();
    let (first, second) = (users(&scim).await, users(&other).await);
    assert_ne!(first["Resources"][0]["userName"], second["Resources"][0]["userName"]);
}

#[tokio::test]
async fn what_the_target_lost_though_it_said_otherwise_is_found_and_named() {
    // The path and the body of a PATCH that is lost, and what is said of it.
    let cases = [
        ("/Groups/", "\"Add\"", ["group \"", " lacks \""]),
        ("/Groups/", "\"Remove\"", ["group \"", " and must not"]),
        ("/Users/", ":manager\"", ["user \"", "manager is "]),
        ("/Users/", "\"path\":\"title\"", ["user \"", "title is "]),
        ("/Users/", "\"False\"", ["user \"", "active is true"]),
    ];
    for (path, part, told) in cases {
        let (_server, scim) = server_and_tenant().await;
        // A few of them: what is lost in one wave may be written anew in the next.
        let mut lost = 0;
        let proxy = Proxy::to(&scim.endpoint, move |seen| {
            let is_meant = seen.path.starts_with(path) && seen.body.contains(part);
            if seen.method == Method::PATCH && is_meant && lost < 4 {
                lost += 1;
                return Does::Answer(if path == "/Users/" { 200 } else { 204 });
            }
            Does::Forward
        })
        .await;

        let arguments =
            "--users 40 --groups 3 --waves 2 --interval 0s --churn 50 --concurrency 1 --verify";
        let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

        assert_eq!(code, 1, "{part}: {said}");
        let differences = report["verification"]["first_differences"].as_array().unwrap();
        let named = |one: &Value| told.iter().all(|word| one.as_str().unwrap().contains(word));
        assert!(differences.iter().any(named), "{part}: {differences:?}");
        assert!(said.contains(differences[0].as_str().unwrap()), "{said}");
    }
}

#[tokio::test]
async fn the_same_seed_sends_the_same_requests_in_the_same_order() {
    let mut sent = Vec::new();
    for seed in ["7", "7", "8"] {
        let (_server, scim) = server_and_tenant().await;
        let proxy = Proxy::to(&scim.endpoint, |_| Does::Forward).await;
        let arguments = format!(
            "--users 25 --groups 14 --waves 3 --interval 0s --churn 40 --concurrency 1 --seed {seed}"
        );
        let (code, _, said) = simulate(&proxy.endpoint, &scim.token, &arguments).await;
        assert_eq!(code, 0, "{said}");
        sent.push(proxy.shapes());
    }

    let [first, again, other] = sent.try_into().unwrap();
    assert!(first.len() > 150, "{}", first.len());
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn refusals_and_lost_answers_are_got_over() {
    let (_server, scim) = server_and_tenant().await;
    let (mut refused, mut lost) = (0, 0);
    let proxy = Proxy::to(&scim.endpoint, move |seen| match seen.method {
        Method::PATCH if refused < 3 => {
            refused += 1;
            Does::Answer(if refused == 2 { 503 } else { 429 })
        }
        Method::POST if lost < 2 => {
            lost += 1;
            Does::LoseAnswer
        }
        _ => Does::Forward,
    })
    .await;

    let arguments = "--users 20 --groups 3 --waves 2 --interval 0s --churn 30 --verify";
    let (code, report, said) = simulate(&proxy.endpoint, &scim.token, arguments).await;

    assert_eq!(code, 0, "{said}");
    assert_eq!((&report["retries"], &report["failures"]), (&5.into(), &0.into()), "{report:#}");
    let kinds: Vec<&str> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"429") && kinds.contains(&"503"), "{kinds:?}");
    // The tries after the lost answers met what the first ones had made.
    assert!(kinds.contains(&"409 uniqueness"), "{kinds:?}");
}

#[tokio::test]
async fn a_refused_token_ends_it_and_is_shown_nowhere() {
    let (_server, scim) = server_and_tenant().await;
    let token = "a-token-that-nobody-gave-out";

    let (code, report, said) = simulate(&scim.endpoint, token, "--waves 1").await;

    assert_eq!((code, &report["waves"]), (1, &Value::Array(Vec::new())));
    assert!(report["broke_off"][0].as_str().unwrap().contains("401"), "{report:#}");
    assert!(said.contains("401") && !said.contains(token), "{said}");
    assert!(!report.to_string().contains(token), "{report:#}");
}

#[tokio::test]
async fn bad_arguments_are_told_before_anything_is_sent() {
    for arguments in [
        vec!["--endpoint", "http://127.0.0.1:1"],
        vec!["--endpoint", "ftp://127.0.0.1", "--token", "t"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--churn", "101"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--interval", "soon"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--concurrency", "0"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--users", "1000001"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--groups", "100001"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--waves", "0"],
        vec!["--endpoint", "http://127.0.0.1:1", "--token", "t", "--apart", "soon"],
        vec!["--endpoint", "http://me:hunter22@127.0.0.1:1", "--token", "t"],
        vec!["--endpoint", "http://127.0.0.1:1/scim", "--token", "t", "--admin-token", "o"],
        vec!["--token", "t"],
    ] {
        let (code, said, why) = run(slackwater().arg("simulate").args(&arguments)).await;

        assert_eq!((code, said.as_str()), (2, ""), "{arguments:?}: {why}");
        assert!(!why.is_empty() && !why.contains("hunter22"), "{why}");
    }
}
