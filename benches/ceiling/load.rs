//! The load: requests over many connections that are kept open, from one thread.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Instant;

use futures_util::future::join_all;
use hdrhistogram::Histogram;

use super::connection::Connection;

/// What many requests took.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Times from request to answer, in microseconds.
    pub(crate) latencies: Histogram<u64>,
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
