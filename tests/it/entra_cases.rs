//! The corpus of what Entra sends, against the built server.

use crate::cases;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_corpus_passes_and_none_is_skipped() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;

    let report = cases::run(&scim.endpoint, &scim.token).await;

    eprintln!("{report}");
    assert!(report.failures.is_empty());
    assert_eq!(report.skipped, Vec::<String>::new());
    assert!(report.passed >= 180, "the corpus has at least 180 cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_rules_passes_and_none_is_skipped() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;

    let report = cases::run_rules(&scim.endpoint, &scim.token).await;

    eprintln!("{report}");
    assert!(report.failures.is_empty());
    assert_eq!(report.skipped, Vec::<String>::new());
    assert!(report.passed >= 662, "the corpus has at least 662 cases");
}
