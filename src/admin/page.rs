//! Pages: `limit` and `cursor` in, `items` and `next_cursor` out.

use std::str::FromStr;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::answer::{self, Answer, JSON};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// At most `limit` of them.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// What every list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items on a page; 100 where it is missing.
    #[param(minimum = 1, maximum = 1000, nullable = false)]
    pub limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    #[param(nullable = false)]
    pub cursor: Option<String>,
}

/// A query string, read by name. Unknown parameters are ignored.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The parameter's value, read as a `T`.
    pub fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let refused = || Problem::bad_request(format!("{name}: expected {expected}"));
        self.get(name).map(|value| value.parse().map_err(|_| refused())).transpose()
    }

    /// `limit`: 1 to 1,000.
    pub fn limit(&self) -> Result<usize, Problem> {
        let expected = "a number from 1 to 1000";
        match self.parse("limit", expected)? {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::bad_request(format!("limit: expected {expected}"))),
        }
    }

    /// `cursor`: where the page before ended.
    pub fn cursor<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        self.parse("cursor", "what next_cursor gave")
    }
}

/// A page. `items` may hold one more than `limit`: then there is a next page, and `cursor_of` its
/// last item starts it.
pub fn page<T: Serialize>(items: Vec<T>, limit: usize, cursor_of: impl Fn(&T) -> String) -> Answer {
    answer::json(StatusCode::OK, JSON, &paged(items, limit, cursor_of))
}

/// The page, for answers that hold more than it.
pub(crate) fn paged<T>(
    mut items: Vec<T>,
    limit: usize,
    cursor_of: impl Fn(&T) -> String,
) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(cursor_of);
    Page { items, next_cursor }
}
