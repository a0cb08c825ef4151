//! What a case expects of an answer: status, headers, body, or one of several outcomes.
//!
//! A wrong status ends the check, since a body of another status says nothing more. The body of
//! a 204 or a 304 is not looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::Response;
use super::path::resolve;
use super::placeholder::{Environment, Unresolved};
use super::predicate::check;

/// The expectation of one answer; what is empty is not checked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    /// Outcomes of which one has to be met.
    any_of: Option<Vec<Expectation>>,
    /// The status codes that are right.
    status: Option<Vec<u16>>,
    /// Predicates on headers, by name.
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    /// Predicates on the body, by path.
    #[serde(default)]
    body: Map<String, Value>,
}

impl Expectation {
    /// Expects this status and nothing else.
    pub(super) fn of_status(status: u16) -> Self {
        Self { status: Some(vec![status]), ..Self::default() }
    }

    /// Whether it checks nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.any_of.is_none()
            && self.status.is_none()
            && self.headers.is_empty()
            && self.body.is_empty()
    }

    /// What is wrong with an answer; nothing if it is as expected.
    pub(super) fn errors(&self, response: &Response, environment: &Environment) -> Vec<String> {
        let mut errors = Vec::new();
        if let Some(outcomes) = &self.any_of {
            let tried: Vec<_> =
                outcomes.iter().map(|one| one.errors(response, environment)).collect();
            if !tried.iter().any(Vec::is_empty) {
                let reasons: Vec<_> = tried.iter().map(|errors| errors.join("; ")).collect();
                errors.push(format!("no legal outcome matched: {}", reasons.join(" || ")));
            }
        }
        if let Some(statuses) = &self.status
            && !statuses.contains(&response.status)
        {
            let brief = response.brief();
            errors.push(format!("status {} not in {statuses:?}: {brief}", response.status));
            return errors;
        }
        for (name, predicate) in &self.headers {
            let value = response.headers.get(&name.to_lowercase()).cloned().map(Value::String);
            let checked = environment
                .fill(predicate, Unresolved::Keep)
                .and_then(|predicate| check(&predicate, value.as_ref()));
            errors.extend(checked.err().map(|error| format!("header {name}: {error}")));
        }
        if !self.body.is_empty() && ![204, 304].contains(&response.status) {
            self.check_body(response, environment, &mut errors);
        }
        errors
    }

    fn check_body(&self, response: &Response, environment: &Environment, errors: &mut Vec<String>) {
        let Some(json) = &response.json else {
            errors.push(format!("no JSON body: {}", response.brief()));
            return;
        };
        for (path, predicate) in &self.body {
            let checked = environment.fill_text(path, Unresolved::Keep).and_then(|path| {
                let predicate = environment.fill(predicate, Unresolved::Keep)?;
                check(&predicate, resolve(json, &path)?)
            });
            let place = if path.is_empty() { "<body>" } else { path.as_str() };
            errors.extend(checked.err().map(|error| format!("{place}: {error}")));
        }
    }
}
