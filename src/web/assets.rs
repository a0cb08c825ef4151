//! The stylesheet, the script and the icon: built in, and named after their content, so that a
//! browser may keep them for ever.

use std::sync::OnceLock;

use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};

use super::page::Shown;
use crate::admin::problem::Problem;
use crate::answer;
use crate::app::App;

/// Name, media type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("tide.css", "text/css; charset=utf-8", include_str!("assets/tide.css")),
    ("tide.js", "text/javascript; charset=utf-8", include_str!("assets/tide.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
    ("mappings.js", "text/javascript; charset=utf-8", include_str!("assets/mappings.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Where a file is, with its version.
pub(super) fn address(file: &str) -> String {
    format!("/assets/{file}?v={}", version())
}

/// One version for all files.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let all: String = FILES.iter().map(|(_, _, content)| *content).collect();
        let [a, b, c, d, ..] = store::token::sha256(&all);
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    })
}

/// A file.
pub(super) async fn show(State(_): State<App>, Path(file): Path<String>) -> Shown {
    let known = FILES.iter().find(|(name, _, _)| *name == file);
    let (_, media_type, content) =
        known.ok_or_else(|| Problem::not_found("There is nothing at this address."))?;
    let mut answer = answer::with_body(StatusCode::OK, media_type, *content);
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    answer.headers_mut().insert(CACHE_CONTROL, for_ever);
    Ok(answer)
}
