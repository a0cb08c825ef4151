//! The load: requests over many connections that are kept open, from one thread.
//!
//! HTTP/1.1 is written and read by hand, because a client library takes as much of the machine as
//! the server that it asks. An answer must say how long it is; nothing else is looked at.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// What many requests took.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Times from request to answer, in microseconds.
    pub(crate) latencies: Histogram<u64>,
}

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
    let lines = std::str::from_utf8(&bytes[..head]).unwrap().lines();
    let mut fields = lines.filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.expect("an answer that says how long it is");
    Some((head, length.parse().unwrap()))
}

/// Sends `requests` requests over `connections` connections, each as soon as the one before it is
/// answered; `write` makes the one with a number, and `read` gets its answer.
pub(crate) async fn round(
    address: SocketAddr,
    (connections, requests): (usize, usize),
    write: impl Fn(usize, &mut Vec<u8>),
    read: impl FnMut(usize, u16, &[u8]),
) -> Round {
    let opened = join_all((0..connections).map(|_| Connection::open(address))).await;
    let next = Cell::new(0);
    let latencies = RefCell::new(Histogram::new(3).unwrap());
    let read = RefCell::new(read);
    let began = Instant::now();
    join_all(opened.into_iter().map(async |mut connection| {
        let mut request = Vec::with_capacity(4 << 10);
        loop {
            let number = next.replace(next.get() + 1);
            if number >= requests {
                return;
            }
            request.clear();
            write(number, &mut request);
            let sent = Instant::now();
            let (status, body) = connection.ask(&request).await;
            let micros = u64::try_from(sent.elapsed().as_micros()).unwrap();
            latencies.borrow_mut().record(micros).unwrap();
            read.borrow_mut()(number, status, body);
        }
    }))
    .await;
    let per_second = requests as f64 / began.elapsed().as_secs_f64();
    Round { per_second, latencies: latencies.into_inner() }
}
