//! A receiver of webhooks: a small HTTP server that does what it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::server::eventually;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers this status.
    Answer(u16),
    /// Answers 302 to this address.
    Redirect(String),
    /// Answers nothing.
    Hang,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// The feed entry.
    pub(crate) entry: Value,
    /// Whether it was answered with a success.
    pub(crate) taken: bool,
}

type Decide = Arc<dyn Fn(&Arrived) -> Does + Send + Sync>;

/// A running receiver; all clones are one. It outlives the servers that send to it.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    decide: Mutex<Decide>,
    arrived: Mutex<Vec<Arrived>>,
}

impl Receiver {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let decide: Decide = Arc::new(|_| Does::Answer(200));
        let inner = Arc::new(Inner { decide: Mutex::new(decide), arrived: Mutex::default() });
        let app = Router::new().fallback(receive).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner }
    }

    /// Where it is reached.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it does this.
    pub(crate) fn does(&self, decide: impl Fn(&Arrived) -> Does + Send + Sync + 'static) {
        *self.inner.decide.lock().unwrap() = Arc::new(decide);
    }

    /// Everything that arrived.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.inner.arrived.lock().unwrap().clone()
    }

    /// The numbers of the entries that it took, in order, again where they came again.
    pub(crate) fn taken(&self) -> Vec<u64> {
        let arrived = self.arrived();
        arrived.iter().filter(|one| one.taken).filter_map(|one| one.entry["seq"].as_u64()).collect()
    }

    /// Waits until it took all of these entries at least once.
    pub(crate) async fn has_taken(&self, numbers: &[u64]) {
        eventually("delivery of every event", || async {
            let taken = self.taken();
            let missing: Vec<_> = numbers.iter().filter(|number| !taken.contains(number)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("missing: {missing:?}")) }
        })
        .await;
    }
}

async fn receive(
    State(inner): State<Arc<Inner>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap_or_default().to_owned())
    };
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut arrived = Arrived {
        path: uri.path().to_owned(),
        headers: headers.iter().map(text).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        entry: json["data"].clone(),
        taken: false,
    };
    let decide = Arc::clone(&inner.decide.lock().unwrap());
    let does = decide(&arrived);
    arrived.taken = matches!(does, Does::Answer(200..=299));
    inner.arrived.lock().unwrap().push(arrived);
    let mut answer = Response::new(Body::from("noted"));
    match does {
        Does::Answer(status) => *answer.status_mut() = StatusCode::from_u16(status).unwrap(),
        Does::Redirect(to) => {
            *answer.status_mut() = StatusCode::FOUND;
            answer.headers_mut().insert("location", to.parse().unwrap());
        }
        Does::Hang => std::future::pending().await,
    }
    answer
}
