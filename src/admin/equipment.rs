//! `/tenants/{t}/equipment`: who holds what.

use access::Author;
use access::equipment::parse::{self, InvalidList};
use access::equipment::{Asset, LIST_BYTES_MAX};
use actors::Tenant;
use actors::equipment::upload::Uploaded;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

use super::problem::Problem;
use super::{Operator, Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::http::body;
use crate::openapi::schemas::equipment as schemas;

/// How a list is written.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Json,
    Csv,
}

/// Uploads a list: it takes the place of the one before, whole or not at all.
#[utoipa::path(
    put, path = "/tenants/{tenant}/equipment", tag = "equipment",
    request_body(content(
        (Vec<schemas::Asset> = "application/json"),
        (String = "text/csv", example = "asset_id,name,holder\r\nLT-17,Laptop,ada@example.com\r\n"),
    )),
    responses(
        (status = 200, description = "What came of it", body = schemas::Uploaded),
        (status = 413, description = "the body is larger than 33554432 bytes"),
        (status = 415, description = "expected Content-Type application/json or text/csv"),
        (status = 422, description = "line 3, column holder: expected 1 to 500 characters"),
    )
)]
pub async fn replace(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let form = Form::of(request.headers())?;
    let body = request.into_body();
    let read = async { Ok((form, body::read(body, LIST_BYTES_MAX).await?)) };
    let uploaded = upload(&app, &tenant, author, read).await?;
    Ok(answer::json(StatusCode::OK, JSON, &uploaded))
}

/// Takes a list, which `read` reads when its turn has come.
pub(crate) async fn upload(
    app: &App,
    tenant: &Tenant,
    author: Author,
    read: impl Future<Output = Result<(Form, Bytes), Problem>>,
) -> Result<Uploaded, Problem> {
    // One list of a tenant at a time is in memory.
    let turn = tenant.upload_turn().await?;
    // And two of all: waited for with nothing in memory yet, and only by one upload of a tenant.
    let upload = app.upload_permit().await.ok_or_else(Problem::unavailable)?;
    let (form, bytes) = read.await?;
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let matching = tenant.clone();
    let read = tokio::task::spawn_blocking(move || {
        let assets = form.read(&bytes)?;
        drop(bytes);
        let list = matching.match_equipment(assets)?;
        drop(permits);
        // It goes with the list, also where the client does not wait for the answer.
        Ok::<_, Problem>((list, upload))
    });
    let (list, _upload) = read.await.map_err(|_| Problem::unavailable())??;
    Ok(tenant.replace_equipment(turn, list, author).await?)
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = |detail: &str| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        let encoded = headers.get(CONTENT_ENCODING);
        if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return refused("encoded bodies are not taken");
        }
        let Some(sent) = headers.get(CONTENT_TYPE) else { return Ok(Self::Json) };
        let sent = sent.to_str().unwrap_or_default();
        let media_type = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            // The second is what curl says of anything.
            "application/json" | "application/x-www-form-urlencoded" => Ok(Self::Json),
            "text/csv" => Ok(Self::Csv),
            _ => refused("expected Content-Type application/json or text/csv"),
        }
    }

    fn read(self, bytes: &[u8]) -> Result<Vec<Asset>, InvalidList> {
        match self {
            Self::Json => parse::from_json(bytes),
            Self::Csv => parse::from_csv(bytes),
        }
    }
}

impl From<InvalidList> for Problem {
    fn from(error: InvalidList) -> Self {
        let mut problem = Self::unprocessable(error.to_string());
        if let Some(line) = error.line {
            problem = problem.with("line", line);
        }
        if let Some(column) = error.column {
            problem = problem.with("column", column);
        }
        problem.with("reason", error.reason)
    }
}
