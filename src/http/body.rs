//! Request bodies: read within limits of size and time, and parsed.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::error::Failure;

/// Bytes in the body of a user's request, and of all others that are not named here.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes in the body of a group's request, which may name many members, and of a Bulk.
pub const BODY_BYTES_LARGE_MAX: usize = scim::bulk::PAYLOAD_BYTES_MAX;
/// How long a client may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Reads a body.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Failure> {
    let collected = tokio::time::timeout(BODY_WAIT_MAX, Limited::new(body, bytes_max).collect());
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Failure::too_large(format!("the body is larger than {bytes_max} bytes")))
        }
        Ok(Err(_)) => Err(scim::error::Error::invalid_syntax("the body could not be read").into()),
        Err(_) => Err(scim::error::Error::new(408, None, "the body did not come in time").into()),
    }
}

/// Refuses what is no JSON. `application/scim+json` and `application/json` are taken, with
/// whatever parameters, and so is a request that names no type.
pub fn check_media_type(headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING) {
        let is_identity = encoding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !is_identity {
            return Err(Failure::unsupported_media_type("encoded bodies are not taken"));
        }
    }
    let Some(sent) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let sent = sent.to_str().unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    let taken = [scim::MEDIA_TYPE, "application/json"];
    if taken.iter().any(|taken| media_type.eq_ignore_ascii_case(taken)) {
        Ok(())
    } else {
        let detail = "expected Content-Type application/scim+json";
        Err(Failure::unsupported_media_type(detail))
    }
}
