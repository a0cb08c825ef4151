//! `/backup`: a consistent copy of everything, as a stream, while the service goes on.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Outcome;
use crate::answer;
use crate::app::App;

/// Bytes in one piece of the stream, and pieces that wait for a slow reader.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 16;
/// How long a piece waits for its reader.
const READER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a backup waits for the last uses of tokens to be written; it goes on without them.
const USES_WAIT_MAX: Duration = Duration::from_secs(2);

/// A backup of everything. What is cut off ends without its end mark, which `restore` notices.
#[utoipa::path(
    get, path = "/backup", tag = "service",
    responses((status = 200, description = "The backup", body = String,
               content_type = "application/octet-stream"))
)]
pub async fn stream(State(app): State<App>) -> Outcome {
    app.service().write_token_uses(USES_WAIT_MAX).await;
    let snapshot = app.service().store().snapshot()?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(PIECE_BYTES, Pieces(sender, handle));
        let written = store::backup::write(&snapshot, &mut out);
        if let Err(error) = written
            .map_err(|error| error.to_string())
            .and_then(|_| out.flush().map_err(|error| error.to_string()))
        {
            tracing::error!(error, "a backup was cut off");
        }
    });
    let pieces = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, io::Error>(piece), receiver))
    });
    let body = Body::from_stream(pieces);
    Ok(answer::with_body(StatusCode::OK, "application/octet-stream", body))
}

/// Writes pieces into the channel, at the reader's pace, but not for ever: the snapshot that is
/// read keeps old pages from being used again.
struct Pieces(mpsc::Sender<Bytes>, Handle);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sending = self.0.send_timeout(Bytes::copy_from_slice(bytes), READER_WAIT_MAX);
        match self.1.block_on(sending) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the backup")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
