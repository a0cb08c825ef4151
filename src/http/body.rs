//! Request bodies: read within limits of size and time, and parsed.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::error::Failure;

/// Bytes in the body of a user's request, and of all others that are not named here.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes in the body of a group's request, which may name many members, and of a Bulk.
pub const BODY_BYTES_LARGE_MAX: usize = scim::bulk::PAYLOAD_BYTES_MAX;
/// Bytes beyond the limit that are read before the connection is closed on a client.
const THROWN_AWAY_BYTES_MAX: usize = 16 << 20;
/// How long a client may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Reads a body. One that is too large is read to its end and thrown away, up to a limit: a client
/// that is still sending does not hear the answer otherwise.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Failure> {
    match tokio::time::timeout(BODY_WAIT_MAX, collect(body, bytes_max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            Err(Failure::too_large(format!("the body is larger than {bytes_max} bytes")))
        }
        Ok(Err(_)) => Err(scim::error::Error::invalid_syntax("the body could not be read").into()),
        Err(_) => Err(scim::error::Error::new(408, None, "the body did not come in time").into()),
    }
}

/// The bytes of a body; none if there are too many.
async fn collect(mut body: Body, bytes_max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut bytes = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if seen > bytes_max.saturating_add(THROWN_AWAY_BYTES_MAX) {
            break;
        } else {
            bytes = BytesMut::new();
        }
    }
    Ok((seen <= bytes_max).then(|| bytes.freeze()))
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
