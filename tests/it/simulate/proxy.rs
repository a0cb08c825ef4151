//! A proxy between a simulation and the server: it sees every request, and loses some if told to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;
use tokio::net::TcpListener;

/// What the proxy does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Hands it on, and its answer back.
    Forward,
    /// Answers this status, and hands nothing on.
    Answer(u16),
    /// Answers this status and this body, and hands nothing on.
    Say(u16, &'static str),
    /// Hands it on, and answers 503 in place of what came back.
    LoseAnswer,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Below the tenant's address, with its query.
    pub(crate) path: String,
    pub(crate) body: String,
    /// The id of the resource that was created by it.
    pub(crate) created: Option<String>,
}

type Decide = Box<dyn FnMut(&Seen) -> Does + Send>;

/// A running proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// The address that stands for the tenant's.
    pub(crate) endpoint: String,
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    /// The tenant's real address.
    target: String,
    decide: Mutex<Decide>,
    seen: Mutex<Vec<Seen>>,
}

impl Proxy {
    /// A proxy to the tenant at this address.
    pub(crate) async fn to(
        target: &str,
        decide: impl FnMut(&Seen) -> Does + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
            target: target.to_owned(),
            decide: Mutex::new(Box::new(decide)),
            seen: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { endpoint, inner }
    }

    /// Everything that was seen: method, path and body, with the ids that the server gave replaced
    /// by their numbers.
    pub(crate) fn shapes(&self) -> Vec<String> {
        let seen = self.inner.seen.lock().unwrap();
        let ids: Vec<&String> = seen.iter().filter_map(|one| one.created.as_ref()).collect();
        let shape = |one: &Seen| {
            let mut text = format!("{} {} {}", one.method, one.path, one.body);
            for (number, id) in ids.iter().enumerate() {
                if text.contains(id.as_str()) {
                    text = text.replace(id.as_str(), &format!("#{number}"));
                }
            }
            text
        };
        seen.iter().map(shape).collect()
    }
}

async fn pass(
    State(proxy): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path_and_query().unwrap().to_string();
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut seen = Seen { method: method.clone(), path, body: text, created: None };
    let does = (proxy.decide.lock().unwrap())(&seen);
    let answer = if let Does::Answer(status) = does {
        let builder = Response::builder().status(status).header("retry-after", "1");
        builder.body(Body::empty()).unwrap()
    } else if let Does::Say(status, body) = does {
        Response::builder().status(status).body(Body::from(body)).unwrap()
    } else {
        let url = format!("{}{}", proxy.target, seen.path);
        let mut request = proxy.http.request(method, url).body(body);
        for name in ["authorization", "content-type"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        if status == 201 {
            let created: Value = serde_json::from_slice(&bytes).unwrap();
            seen.created = created["id"].as_str().map(str::to_owned);
        }
        let status = if does == Does::LoseAnswer { 503 } else { status.as_u16() };
        Response::builder().status(status).body(Body::from(bytes)).unwrap()
    };
    proxy.seen.lock().unwrap().push(seen);
    answer
}
