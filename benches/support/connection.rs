//! HTTP/1.1, written and read by hand, because a client library takes as much of the machine as the
//! server that it asks. An answer must say how long it is, or be without a body by its status;
//! nothing else is looked at.

use std::fmt::Arguments;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(8 << 10) }
    }

    /// Sends a request. Answers the status and the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (u16, &[u8]) {
        tokio::time::timeout(ANSWER_WAIT_MAX, self.exchange(request)).await.expect("an answer")
    }

    async fn exchange(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        let mut end = None;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            let (head, length) = match end {
                Some(end) => end,
                None => match head(&self.buffer) {
                    Some(found) => *end.insert(found),
                    None => continue,
                },
            };
            if self.buffer.len() >= head + length {
                let status = std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
                return (status, &self.buffer[head..]);
            }
        }
    }
}

/// The lengths of an answer's head, if it is there, and of its body.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    if bytes.starts_with(b"HTTP/1.1 204") {
        return Some((head, 0));
    }
    let lines = std::str::from_utf8(&bytes[..head]).unwrap().lines();
    let mut fields = lines.filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.expect("an answer that says how long it is");
    Some((head, length.parse().unwrap()))
}

/// Appends a SCIM request.
pub(crate) fn write(
    (address, token): (SocketAddr, &str),
    method: &str,
    path: Arguments<'_>,
    body: &[u8],
    to: &mut Vec<u8>,
) {
    write!(to, "{method} {path} HTTP/1.1\r\nhost: {address}\r\n").unwrap();
    write!(to, "authorization: Bearer {token}\r\naccept: application/scim+json\r\n").unwrap();
    if !body.is_empty() {
        let length = body.len();
        write!(to, "content-type: application/scim+json\r\ncontent-length: {length}\r\n").unwrap();
    }
    to.extend_from_slice(b"\r\n");
    to.extend_from_slice(body);
}
