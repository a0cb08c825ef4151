//! `/tenants/{t}/reconcile`: applies the rules to every account now, or tells what that would
//! change.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::{Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconciliation {
    #[serde(default)]
    dry_run: bool,
}

/// POST.
pub async fn run(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let Reconciliation { dry_run } = read_body(request).await?;
    let report = tenant.reconcile(dry_run, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &report))
}
