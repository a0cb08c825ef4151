//! Black-box SCIM cases: what Entra sends and what it must get back, run against a live server.
//!
//! The corpus is `tests/cases/entra.json`; [`run`] sends every case to a SCIM base URL and says
//! which ones the server failed. Each case makes its own randomly named resources and deletes
//! them again, so cases run side by side and against a tenant that holds other data.
//!
//! A case that needs a feature which `/ServiceProviderConfig` does not announce is skipped, and
//! [`Report::skipped`] names it. What a case may say is written in [`runner`]; this module knows
//! nothing of Slackwater beyond SCIM.

mod client;
mod expectation;
mod path;
mod placeholder;
mod predicate;
mod runner;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use client::Client;
use runner::{Case, CaseRun};

/// How many cases are under way at the same time.
const CASES_AT_ONCE_MAX: usize = 8;

/// The corpus, as recorded.
const CORPUS: &str = include_str!("../cases/entra.json");
/// What the RFCs rule, and the rest of what Entra's documents say.
const RULES: &str = include_str!("../cases/rules.json");

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many cases passed.
    pub(crate) passed: usize,
    /// The ids of the cases that need a feature the server does not announce.
    pub(crate) skipped: Vec<String>,
    /// The ids of the cases the server failed, in the order of the corpus, with the reasons.
    pub(crate) failures: Vec<(String, Vec<String>)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, errors) in &self.failures {
            writeln!(f, "FAIL {id}")?;
            for error in errors {
                writeln!(f, "     {error}")?;
            }
        }
        for id in &self.skipped {
            writeln!(f, "SKIP {id}")?;
        }
        let Self { passed, skipped, failures } = self;
        write!(f, "{passed} passed, {} failed, {} skipped", failures.len(), skipped.len())
    }
}

/// Runs the whole corpus against the SCIM base URL `base_url`, with `token` as bearer token.
pub(crate) async fn run(base_url: &str, token: &str) -> Report {
    run_corpus(base_url, token, CORPUS).await
}

/// The same for the cases of the RFCs' rules.
pub(crate) async fn run_rules(base_url: &str, token: &str) -> Report {
    run_corpus(base_url, token, RULES).await
}

/// Runs the cases of `corpus`, the text of a case file.
async fn run_corpus(base_url: &str, token: &str, corpus: &str) -> Report {
    #[derive(Deserialize)]
    struct Corpus {
        cases: Vec<Case>,
    }
    let Corpus { cases } = serde_json::from_str(corpus)
        .unwrap_or_else(|error| panic!("the corpus is not a case file: {error}"));
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "every case has an id of its own");

    let client = Client::new(base_url, token);
    let announced = match announced_features(&client).await {
        Ok(announced) => announced,
        Err(error) => {
            let failures = cases.into_iter().map(|case| (case.id, vec![error.clone()])).collect();
            return Report { failures, ..Report::default() };
        }
    };

    let mut report = Report::default();
    let (runnable, lacking): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| case.requires.iter().all(|f| announced.contains(&f.to_lowercase())));
    report.skipped = lacking.into_iter().map(|case| case.id).collect();

    let client = &client;
    let mut outcomes = stream::iter(&runnable)
        .map(|case| async move { (case, CaseRun::new(client, case).run().await) })
        .buffered(CASES_AT_ONCE_MAX);
    while let Some((case, errors)) = outcomes.next().await {
        if errors.is_empty() {
            report.passed += 1;
        } else {
            report.failures.push((case.id.clone(), errors));
        }
    }
    report
}

/// The features with `"supported": true` in `/ServiceProviderConfig`, in lower case, and `auth`
/// where there is a token.
async fn announced_features(client: &Client) -> Result<BTreeSet<String>, String> {
    let response = client
        .get("/ServiceProviderConfig")
        .await
        .map_err(|error| format!("cannot reach the server: {error}"))?;
    let mut features = BTreeSet::new();
    if response.status == 200
        && let Some(config) = response.json.as_ref().and_then(|json| json.as_object())
    {
        let supported = |value: &serde_json::Value| value.get("supported") == Some(&true.into());
        features.extend(
            config.iter().filter(|(_, v)| supported(v)).map(|(name, _)| name.to_lowercase()),
        );
    }
    if client.has_token() {
        features.insert("auth".to_owned());
    }
    Ok(features)
}
