//! `/tenants/{t}/traffic`: what the directory sent, over time.

use std::time::Duration;

use access::traffic::{self, Counts, minute_of, start_of};
use actors::Tenant;
use actors::traffic::KEPT_FOR;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::Parameters;
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// What is shown where nothing is asked for.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);
/// The longest that is shown: as long as counts are kept.
const SHOWN_MAX: Duration = KEPT_FOR;
const A_TIME: &str = "a time such as 2026-03-01T12:00:00Z";

/// What came, over time.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "from": "2026-03-01T12:00:00Z", "to": "2026-03-01T18:00:00Z", "step": "1m",
    "points": [{"at": "2026-03-01T12:40:00Z", "requests": 812, "writes": 401, "failures": 3,
                "reference_failures": 1, "unauthorized": 0}],
    "served": [{"from": "2026-03-01T12:00:00Z", "until": "2026-03-01T18:00:00Z"}]
})))]
pub(crate) struct Traffic {
    /// The beginning.
    pub(crate) from: Timestamp,
    /// The end.
    pub(crate) to: Timestamp,
    /// How long a point is.
    pub(crate) step: String,
    /// What came, in order. Points in which nothing came are left out.
    pub(crate) points: Vec<TrafficPoint>,
    /// When we served: nothing could come at any other time. A break of less than two minutes is
    /// none.
    pub(crate) served: Vec<Stretch>,
}

/// What came within one point.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrafficPoint {
    /// When the point begins.
    pub(crate) at: Timestamp,
    /// Requests with a token that counts.
    pub(crate) requests: u64,
    /// Those of them that ask for a change.
    pub(crate) writes: u64,
    /// Those of the requests that failed. A look-up that finds nothing has not.
    pub(crate) failures: u64,
    /// Those of the failures that were about nothing but a manager or members.
    pub(crate) reference_failures: u64,
    /// Requests with a token that does not count.
    pub(crate) unauthorized: u64,
}

/// A stretch of time in which we served.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stretch {
    /// Its beginning.
    pub(crate) from: Timestamp,
    /// Its end.
    pub(crate) until: Timestamp,
}

/// What is shown.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct TrafficQuery {
    /// The beginning; a day before `to` where it is missing.
    #[param(nullable = false)]
    from: Option<Timestamp>,
    /// The end; now where it is missing.
    #[param(nullable = false)]
    to: Option<Timestamp>,
}

/// Requests over time, in at most about 480 points; at most the last 14 days are kept.
#[utoipa::path(
    get, path = "/tenants/{tenant}/traffic", tag = "waves", params(TrafficQuery),
    responses((status = 200, description = "What came", body = Traffic))
)]
pub async fn show(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let to: Option<Timestamp> = parameters.parse("to", A_TIME)?;
    let from: Option<Timestamp> = parameters.parse("from", A_TIME)?;
    let to = to.unwrap_or_else(|| tenant.shared().clock.now());
    let from = from.unwrap_or_else(|| to.checked_sub(SHOWN).unwrap_or(Timestamp::MIN));
    Ok(answer::json(StatusCode::OK, JSON, &read(&tenant, from, to)?))
}

/// What came between two moments.
pub(crate) fn read(tenant: &Tenant, from: Timestamp, to: Timestamp) -> Result<Traffic, Problem> {
    if from >= to {
        return Err(Problem::bad_request("from: expected a time before to"));
    }
    let shared = tenant.shared();
    let earliest = to.checked_sub(SHOWN_MAX).unwrap_or(Timestamp::MIN);
    let from = from.max(earliest);
    let (first, last) = (minute_of(from), minute_of(to).saturating_add(1));
    let step = traffic::step_for(last.saturating_sub(first));
    let minutes = shared.minutes(first, last)?;
    let points = traffic::series(&minutes, first, last, step);
    let known = shared.known(&shared.snapshot()?)?;
    let served = known.served.stretches().filter(|(since, until)| *until > from && *since < to);
    Ok(Traffic {
        from,
        to,
        step: format!("{step}m"),
        points: points.into_iter().map(TrafficPoint::from).collect(),
        served: served.map(|(from, until)| Stretch { from, until }).collect(),
    })
}

impl From<(i64, Counts)> for TrafficPoint {
    fn from((minute, counts): (i64, Counts)) -> Self {
        let Counts { requests, writes, failures, reference_failures, unauthorized, .. } = counts;
        let at = start_of(minute);
        Self { at, requests, writes, failures, reference_failures, unauthorized }
    }
}
