//! An HTTP client that hides nothing: every status is an answer, bodies and headers are as they came.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{self, HeaderMap};

use crate::events::Events;

/// How long any answer may take, unless a story says otherwise.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Talks to one node under one identity.
#[derive(Clone)]
pub struct Client {
    base: String,
    identity: Option<(&'static str, String)>,
    agent: Agent,
}

impl Client {
    /// Without credentials.
    pub fn anonymous(base: &str) -> Client {
        Client::new(base, ANSWER_WITHIN)
    }

    /// The same, with an own limit for each answer.
    pub fn new(base: &str, within: Duration) -> Client {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .accept("")
            .accept_encoding("")
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(within))
            .max_idle_connections(0)
            .build()
            .new_agent();
        Client { base: base.to_owned(), identity: None, agent }
    }

    /// With an account's name and password.
    pub fn basic(self, username: &str, password: &str) -> Client {
        let pair = STANDARD.encode(format!("{username}:{password}"));
        self.header_identity("authorization", format!("Basic {pair}"))
    }

    /// With an API token.
    pub fn bearer(self, token: &str) -> Client {
        self.header_identity("authorization", format!("Bearer {token}"))
    }

    /// With the registration token.
    pub fn registration(self, token: &str) -> Client {
        self.header_identity("x-authentication", token.to_owned())
    }

    /// With one header on every request.
    pub fn header_identity(self, name: &'static str, value: String) -> Client {
        Client { identity: Some((name, value)), ..self }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request to be filled in.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let mut builder = http::Request::builder().method(method).uri(self.url(path));
        if let Some((name, value)) = &self.identity {
            builder = builder.header(*name, value);
        }
        Request { agent: self.agent.clone(), builder, body: Vec::new() }
    }

    /// `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    /// `GET` that may fail on the way: the node may be down.
    pub fn try_get(&self, path: &str) -> Option<Answer> {
        self.request("GET", path).try_send().ok()
    }

    /// `POST` with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send()
    }

    /// `DELETE`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path).send()
    }
}

/// A request about to be sent.
pub struct Request {
    agent: Agent,
    builder: http::request::Builder,
    body: Vec<u8>,
}

impl Request {
    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With a body of some type.
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", content_type);
        request.body = body.into();
        request
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends it; an `Err` leaves open whether the node acted on it.
    pub fn try_send(self) -> Result<Answer, ureq::Error> {
        let request = self.builder.body(self.body)?;
        let mut response = self.agent.run(request)?;
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Sends it to a node that must answer 200 with server-sent events, and reads them as they come.
    #[track_caller]
    pub fn events(self) -> Events {
        let request = self.builder.body(self.body).expect("the request is well-formed");
        match self.agent.run(request) {
            Ok(response) => {
                assert_eq!(response.status(), 200, "no events: {response:?}");
                Events::new(response.into_body().into_reader())
            }
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Sends it to a node that must answer.
    #[track_caller]
    pub fn send(self) -> Answer {
        match self.try_send() {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// What a node answered.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer itself if it has this status; else the story fails and shows it.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "wrong status of {self:?}");
        self
    }

    /// One header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    /// The `message` that every error carries.
    #[track_caller]
    pub fn message(&self) -> String {
        let body = self.json();
        let Some(message) = body["message"].as_str() else { panic!("no message in {self:?}") };
        message.to_owned()
    }

    /// `Stockade-Index`.
    #[track_caller]
    pub fn index(&self) -> u64 {
        let index = self.header("stockade-index").and_then(|index| index.parse().ok());
        let Some(index) = index else { panic!("no Stockade-Index in {self:?}") };
        index
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 600;
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(SHOWN)]);
        write!(f, "{} {:?}\n{body}", self.status, self.headers)
    }
}
