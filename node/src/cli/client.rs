//! A client of one or several nodes: the next one is asked when one does not answer or has no majority.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;

/// Where the node is, and who is asking.
#[derive(Args, Clone, Debug)]
pub(super) struct Connection {
    /// The node; several, separated by commas, are tried in turn
    #[arg(
        long,
        env = "STOCKADE_URL",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:5000"
    )]
    url: Vec<String>,
    /// The account
    #[arg(long, env = "STOCKADE_USER", value_name = "NAME")]
    user: Option<String>,
    /// Its password; better given in the environment
    #[arg(long, env = "STOCKADE_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// An API token, in place of account and password
    #[arg(long, env = "STOCKADE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The registration token, which opens accounts and the cluster in place of an admin account
    #[arg(long, env = "REGISTRATION_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    registration_token: Option<String>,
    /// Seconds to go on trying when no node takes a request
    #[arg(long, env = "STOCKADE_TIMEOUT", value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Connection {
    /// The first node only, asked once.
    pub(super) fn first_only(mut self) -> Connection {
        self.url.truncate(1);
        self.timeout = 0;
        self
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: ureq::http::HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An answer that is read as it comes.
pub(super) struct Download {
    /// Its bytes, where the node says how many.
    pub(super) length: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

/// What is sent along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a> {
    pub(super) content_type: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Who a request is made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    Account,
    /// With the registration token if there is one.
    Operator,
}

pub(super) struct Client {
    connection: Connection,
    agent: ureq::Agent,
    turn: AtomicUsize,
}

/// Between two rounds over the nodes, at first and at most.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// One try takes no longer.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 30;

impl Client {
    pub(super) fn new(connection: &Connection) -> Client {
        Client::with_try_timeout(connection, TRY_TIMEOUT)
    }

    /// The same, with an own limit for one try.
    pub(super) fn with_try_timeout(connection: &Connection, within: Duration) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A length that is known is a list that is whole.
            .accept_encoding("identity")
            .timeout_global(Some(within))
            .allow_non_standard_methods(true)
            .build();
        Client { connection: connection.clone(), agent: agent.into(), turn: AtomicUsize::new(0) }
    }

    pub(super) fn get(&self, path: &str, who: As) -> Result<Answer, String> {
        self.ask("GET", path, who, None)
    }

    pub(super) fn send(&self, method: &str, path: &str, who: As, body: &Value) -> Result<Answer, String> {
        let bytes = body.to_string();
        let body = Body { content_type: "application/json", bytes: bytes.as_bytes() };
        self.ask(method, path, who, Some(body))
    }

    /// One request, repeated on the next node while nothing answers or 503 says to try again. Under one key it counts
    /// once, whatever became of the tries before.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        who: As,
        body: Option<Body<'_>>,
    ) -> Result<Answer, String> {
        let deadline = Instant::now() + Duration::from_secs(self.connection.timeout);
        let key = body.map(|_| fresh_key()).transpose()?;
        let nodes = &self.connection.url;
        let (mut tries, mut pause) = (0, PAUSE);
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let node = nodes[turn % nodes.len()].trim_end_matches('/');
            let result = self.try_once(method, &format!("{node}{path}"), who, body, key.as_deref());
            tries += 1;
            let reason = match result {
                Ok(answer) if answer.status != 503 => return Ok(answer),
                Ok(answer) => answer.message(),
                Err(error) => error,
            };
            // Threads that fail at the same node move on to the same next one, and not past each other.
            let _ =
                self.turn.compare_exchange(turn, turn.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
            // Of a single node that is not there, a person wants to know at once.
            let alone = nodes.len() == 1 && body.is_none() && tries > 2;
            if alone || Instant::now() > deadline {
                return Err(format!("{node}: {reason}"));
            }
            if tries % nodes.len() == 0 {
                rest(pause);
                pause = (2 * pause).min(PAUSE_MAX);
            }
        }
    }

    /// Asks for something large, each node once: the first that does not say 503 decides.
    pub(super) fn download(&self, path: &str, who: As) -> Result<Download, String> {
        let mut reason = String::from("there is no node to ask");
        for node in &self.connection.url {
            let node = node.trim_end_matches('/');
            let mut request = ureq::http::Request::builder().method("GET").uri(format!("{node}{path}"));
            if let Some((name, value)) = self.credential(who) {
                request = request.header(name, value);
            }
            let request = request.body(()).map_err(|error| error.to_string())?;
            let answer = match self.agent.run(request) {
                Ok(answer) => answer,
                Err(error) => {
                    reason = format!("{node}: {error}");
                    continue;
                }
            };
            let (head, body) = answer.into_parts();
            let status = head.status.as_u16();
            if status == 200 {
                let length =
                    head.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
                let body = body.into_with_config().limit(u64::MAX).reader();
                return Ok(Download { length, body: Box::new(body) });
            }
            let body = body.into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
            let body = body.map_err(|error| error.to_string())?;
            let message = Answer { status, headers: head.headers, body }.message();
            reason = format!("{node}: {message}");
            if status != 503 {
                break;
            }
        }
        Err(reason)
    }

    fn try_once(
        &self,
        method: &str,
        url: &str,
        who: As,
        body: Option<Body<'_>>,
        key: Option<&str>,
    ) -> Result<Answer, String> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some((name, value)) = self.credential(who) {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", body.content_type);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map_or(&[][..], |body| body.bytes);
        let answer = match body.is_some() || method != "GET" {
            true => self.agent.run(request.body(bytes).map_err(|error| error.to_string())?),
            false => self.agent.run(request.body(()).map_err(|error| error.to_string())?),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| error.to_string())?;
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    fn credential(&self, who: As) -> Option<(&'static str, String)> {
        let Connection { user, password, token, registration_token, .. } = &self.connection;
        if let (As::Operator, Some(token)) = (who, registration_token) {
            return Some(("x-authentication", token.clone()));
        }
        if let Some(token) = token {
            return Some(("authorization", format!("Bearer {token}")));
        }
        let (user, password) = (user.as_ref()?, password.as_ref()?);
        Some(("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
    }
}

impl Answer {
    /// The answer if it is a success; else its message.
    pub(super) fn success(self) -> Result<Answer, String> {
        match self.status {
            200..=299 => Ok(self),
            _ => Err(self.message()),
        }
    }

    /// One header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the answer is not JSON: {error}"))
    }

    /// The message of an answer, or all of it.
    pub(super) fn message(&self) -> String {
        let message = self.json().ok().and_then(|json| json["message"].as_str().map(str::to_owned));
        message.unwrap_or_else(|| format!("status {}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another node's recovery is no condition that can be waited for"
)]
pub(super) fn rest(pause: Duration) {
    std::thread::sleep(pause);
}

/// A name for one request that no other has.
fn fresh_key() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}

/// A text as one part of a path or query.
pub(super) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
