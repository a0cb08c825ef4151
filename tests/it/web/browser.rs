//! A browser without a window: it keeps its cookie, sends where it comes from, and fills in forms.

use std::sync::Mutex;

use reqwest::{Method, RequestBuilder, redirect};

use crate::server::{OPERATOR_TOKEN, Server, encode};

/// A browser.
pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) url: String,
    cookie: Mutex<Option<String>>,
}

/// What a browser got.
pub(crate) struct Page {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { http, url: server.url.clone(), cookie: Mutex::default() }
    }

    /// An operator's.
    pub(crate) async fn logged_in(server: &Server) -> Self {
        let browser = Self::new(server);
        browser.log_in().await;
        browser
    }

    pub(crate) async fn log_in(&self) {
        self.post("/login", &[("token", OPERATOR_TOKEN)]).await.expect(303);
    }

    /// A request with the cookie, ready to be made strange.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &*self.cookie.lock().unwrap() {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let Some(set) = headers.get("set-cookie").and_then(|value| value.to_str().ok()) {
            let pair = set.split(';').next().unwrap_or_default();
            *self.cookie.lock().unwrap() =
                Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        Page { status, headers, text: answer.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a form as it is.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.request(Method::POST, path).header("origin", &self.url);
        let form = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", form).body(body)).await
    }

    /// Sends a form with the CSRF token of the first page.
    pub(crate) async fn act(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.post(path, &fields).await
    }

    /// The same with the page that the form is on.
    pub(crate) async fn act_on(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let body = pairs.chain([format!("csrf={csrf}")]).collect::<Vec<_>>().join("&");
        let request = self.request(Method::POST, path).header("origin", &self.url);
        let request = request.header("referer", format!("{}{page}", self.url));
        let form = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", form).body(body)).await
    }

    /// GET of an address that was put together.
    pub(crate) async fn get_owned(&self, path: String) -> Page {
        self.get(&path).await
    }

    /// The CSRF token, off the page that this session starts with.
    pub(crate) async fn csrf(&self) -> String {
        let mut page = self.get("/").await;
        while page.status == 303 {
            page = self.get(&page.location()).await;
        }
        let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

impl Page {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        assert!(self.text.contains(text), "{text:?} is not on the page: {}", self.text);
    }

    /// Where the link with this text leads.
    #[track_caller]
    pub(crate) fn link(&self, text: &str) -> String {
        let end = self.text.find(&format!(">{text}</a>")).expect("a link with this text");
        let (_, href) = self.text[..end].rsplit_once("href=\"").expect("it leads somewhere");
        let href = href.split('"').next().unwrap_or_default().replace("&#38;", "&");
        href.split('#').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where it leads on to.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location").unwrap_or_default().to_owned()
    }
}
