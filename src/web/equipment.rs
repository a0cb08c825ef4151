//! Equipment: the list is uploaded, and who is gone and still holds something is shown.

use std::time::Duration;

use access::Status;
use access::equipment::LIST_BYTES_MAX;
use access::equipment::report::{Item, State as ItemState};
use actors::equipment::documents::EquipmentList;
use actors::equipment::report::Place;
use askama::Template;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};

use super::Visitor;
use super::forms::percent_encode;
use super::page::{Layout, Shown, render};
use crate::admin::equipment::{self as api, Form};
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::admin::{open_tenant, reports};
use crate::app::App;
use crate::web::filters;

/// Bytes of an upload, with what is around the file.
pub(super) const UPLOAD_BYTES_MAX: usize = LIST_BYTES_MAX + (64 << 10);
/// How long an upload may take once its turn has come.
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Items on a page.
const ITEMS_SHOWN: usize = 100;
/// Holders that nobody matches who are named after an upload.
const HOLDERS_NAMED: usize = 5;

#[derive(Template)]
#[template(path = "equipment.html")]
struct EquipmentPage {
    layout: Layout,
    base: String,
    /// Where accounts are.
    accounts: String,
    list: Option<EquipmentList>,
    items: Vec<Item>,
    state: String,
    manager: String,
    next: Option<String>,
    csv: String,
}

/// What is said of an item: a class of the stylesheet, and words.
fn state_of(item: &Item) -> (&'static str, &'static str) {
    match (item.state, item.status) {
        (ItemState::Held, Status::Deleted) => ("bad", "held, deleted"),
        (ItemState::Held, _) => ("warn", "held, disabled"),
        (ItemState::ReEnabled, _) => ("info", "enabled again"),
        (ItemState::Returned, _) => ("ok", "returned"),
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let (state, manager) = asked(&parameters);
    let after = parameters.cursor::<Place>()?;
    let wanted = reports::wanted(&parameters)?;
    let (items, next) = reports::read_items(&app, &tenant, wanted, after, ITEMS_SHOWN).await?;
    let shared = tenant.shared();
    let base = format!("/tenants/{}/equipment", shared.id);
    let kept = shared.snapshot()?.document(shared.key, &EquipmentList::place())?;
    let filter = format!("state={}&manager={}", percent_encode(&state), percent_encode(&manager));
    render(&EquipmentPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Equipment")?.live(),
        list: kept.map(|kept| kept.value),
        items,
        next: next.map(|place| format!("{base}?{filter}&cursor={place}")),
        accounts: format!("/tenants/{}/accounts", shared.id),
        csv: format!("{base}/report.csv?{filter}"),
        base,
        state,
        manager,
    })
}

/// The report as a file.
pub(super) async fn csv(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let wanted = reports::wanted(&Parameters::read(query.as_deref()))?;
    Ok(reports::as_csv(&app, &tenant, wanted).await?)
}

/// Takes a list.
pub(super) async fn upload(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let form = form.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let read = async {
        let in_time = tokio::time::timeout(UPLOAD_WAIT_MAX, read_list(form)).await;
        let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the list did not come in time");
        in_time.map_err(late)?
    };
    let uploaded = api::upload(&app, &tenant, visitor.author(), read).await?;
    let assets = filters::grouped(&uploaded.assets.to_string());
    let words = if uploaded.unmatched == 0 {
        format!("{assets} assets were taken.")
    } else {
        let named = uploaded.unmatched_holders.iter().take(HOLDERS_NAMED);
        let named: Vec<String> =
            named.map(|holder| filters::shortened(&filters::readable(holder), 40)).collect();
        let (unmatched, named) =
            (filters::grouped(&uploaded.unmatched.to_string()), named.join(", "));
        format!("{assets} assets were taken. Of {unmatched} nobody matches the holder: {named}.")
    };
    let path = format!("/tenants/{}/equipment", tenant.shared().id);
    Ok(visitor.done(&path, words))
}

/// The file of a form, and how it is written.
async fn read_list(mut form: Multipart) -> Result<(Form, Bytes), Problem> {
    while let Some(part) = form.next_field().await.map_err(|error| broken(&error))? {
        if part.name() == Some("list") {
            let extension = part.file_name().and_then(|name| name.rsplit_once('.'));
            let media_type = part.content_type().unwrap_or_default();
            let is_json = media_type.starts_with("application/json")
                || extension.is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
            let bytes = read_part(part).await?;
            if bytes.is_empty() {
                return Err(Problem::unprocessable("Choose a file first."));
            }
            // What spreadsheets save unless they are told otherwise.
            if bytes.starts_with(b"PK") {
                let detail = "This is a workbook. Save it as CSV, and upload that.";
                return Err(Problem::unprocessable(detail));
            }
            return Ok((if is_json { Form::Json } else { Form::Csv }, bytes));
        }
    }
    Err(Problem::unprocessable("Choose a file first."))
}

async fn read_part(mut part: Field<'_>) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = part.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len().saturating_add(piece.len()) > LIST_BYTES_MAX {
            let detail = format!("the list is larger than {LIST_BYTES_MAX} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn broken(error: &MultipartError) -> Problem {
    Problem::new(error.status(), "the upload could not be read")
}

/// What the filter of the page holds.
fn asked(parameters: &Parameters) -> (String, String) {
    let text = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
    (text("state"), text("manager"))
}
