//! Who takes the list from this node: which client fetched what, when, and at which index, and what it says that it
//! enforces. Known on this node alone, and since it started.
//!
//! A request that is like one before costs a hash and a lock, so that polled lists stay cheap.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;
use raft::blocklist::Timestamp;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::answer;
use crate::app::{App, now};
use crate::auth::{Caller, peer, text_of};
use crate::credentials::{TOKEN_PREFIX, token_in};

/// Consumers remembered; the one that asked longest ago is forgotten first.
pub(crate) const CONSUMERS_MAX: usize = 1024;
/// Bouncers whose last figures are remembered; likewise.
const ENFORCED_MAX: usize = 256;
/// The longest request or user agent shown.
const TEXT_CHARS_MAX: usize = 256;
/// Parameters that say where in a list a client is, or which address it asks about: they change with each request.
const VARYING: [&str; 8] = ["since", "min_index", "cursor", "ip", "range", "value", "startup", "wait"];
/// Parameters that are secrets.
const SECRET: [&str; 6] = ["token", "key", "apikey", "api_key", "password", "secret"];

/// The account a request was answered for, when its headers do not tell: a handler puts it into the answer.
#[derive(Clone)]
pub(crate) struct AnsweredFor(pub(crate) Arc<str>);

/// One client and one thing that it fetches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Consumer {
    pub(crate) account: Arc<str>,
    /// The name of the API token; missing for a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Arc<str>>,
    pub(crate) address: Arc<str>,
    pub(crate) user_agent: String,
    pub(crate) request: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) first: Timestamp,
    #[serde(serialize_with = "as_text")]
    pub(crate) last: Timestamp,
    /// What the last answer was based on.
    pub(crate) index: u64,
    pub(crate) count: u64,
}

/// What a bouncer says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Enforced {
    pub(crate) component: String,
    pub(crate) version: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) time: Timestamp,
    pub(crate) figures: Vec<Figure>,
}

/// One number of it, such as `dropped` packets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
}

/// Account, address and user agent.
pub(crate) type Who = (Arc<str>, Arc<str>, String);

/// All that is known of those who take the list.
#[derive(Default)]
pub(crate) struct Consumers {
    seen: Mutex<HashMap<u64, Consumer>>,
    enforced: Mutex<HashMap<Who, Enforced>>,
    /// Keyed by chance, so that nobody can make two requests look alike.
    hashing: RandomState,
}

impl Consumers {
    /// What is known, the latest first.
    pub(crate) fn all(&self) -> Vec<(Consumer, Option<Enforced>)> {
        let mut all: Vec<Consumer> = self.seen.lock().values().cloned().collect();
        all.sort_by(|a, b| (b.last, &a.account, &a.request).cmp(&(a.last, &b.account, &b.request)));
        let enforced = self.enforced.lock();
        let with = |consumer: Consumer| {
            let who = (consumer.account.clone(), consumer.address.clone(), consumer.user_agent.clone());
            let enforced = enforced.get(&who).cloned();
            (consumer, enforced)
        };
        all.into_iter().map(with).collect()
    }

    /// What each bouncer said last.
    pub(crate) fn enforced(&self) -> Vec<(Who, Enforced)> {
        let mut all: Vec<_> =
            self.enforced.lock().iter().map(|(who, enforced)| (who.clone(), enforced.clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Keeps what a bouncer says.
    pub(crate) fn enforces(&self, caller: &Caller, agent: &str, said: Enforced) {
        let who = (caller.account.username.clone(), caller.address(), shown(agent));
        let mut enforced = self.enforced.lock();
        enforced.insert(who, said);
        while enforced.len() > ENFORCED_MAX {
            let oldest = enforced.iter().min_by_key(|(_, said)| said.time).map(|(who, _)| who.clone());
            let Some(oldest) = oldest else { break };
            enforced.remove(&oldest);
        }
    }

    fn knows(&self, key: u64) -> bool {
        self.seen.lock().contains_key(&key)
    }

    /// Counts one more request; false when it is the first of its sort.
    fn again(&self, key: u64, index: Option<u64>, time: Timestamp) -> bool {
        let mut seen = self.seen.lock();
        let Some(consumer) = seen.get_mut(&key) else { return false };
        consumer.count += 1;
        consumer.last = consumer.last.max(time);
        consumer.index = index.unwrap_or(consumer.index);
        true
    }

    fn put(&self, key: u64, consumer: Consumer) {
        let mut seen = self.seen.lock();
        seen.insert(key, consumer);
        while seen.len() > CONSUMERS_MAX {
            let oldest = seen.iter().min_by_key(|(_, consumer)| consumer.last).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            seen.remove(&oldest);
        }
    }

    /// What tells requests apart, credentials included; they are not kept.
    fn key(&self, headers: &HeaderMap, address: Option<IpAddr>, uri: &Uri) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        for name in ["x-api-key", "authorization", "user-agent"] {
            headers.get(name).map(|value| value.as_bytes()).hash(&mut hasher);
        }
        address.hash(&mut hasher);
        uri.path().hash(&mut hasher);
        for part in lasting(uri.query()) {
            part.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A layer for the routes that firewalls poll: notes each answer that was given.
pub(crate) async fn note(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let uri = extensions.get::<OriginalUri>().map_or_else(|| request.uri(), |original| &original.0);
    let noting = Noting::before(&app, request.headers(), peer(extensions), uri);
    let response = next.run(request).await;
    noting.after(&app, response).await
}

/// What is known of a request before it is answered.
pub(crate) struct Noting {
    key: u64,
    /// What is shown of a request that is not like one before.
    newcomer: Option<Box<Newcomer>>,
}

struct Newcomer {
    headers: HeaderMap,
    peer: Option<IpAddr>,
    uri: Uri,
}

impl Noting {
    pub(crate) fn before(app: &App, headers: &HeaderMap, peer: Option<IpAddr>, uri: &Uri) -> Noting {
        let key = app.consumers.key(headers, peer, uri);
        let newcomer = || Box::new(Newcomer { headers: headers.clone(), peer, uri: uri.clone() });
        Noting { key, newcomer: (!app.consumers.knows(key)).then(newcomer) }
    }

    /// Notes the request, if it got what it asked for; gives the answer back.
    pub(crate) async fn after(self, app: &App, response: Response) -> Response {
        let status = response.status();
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            return response;
        }
        let index = response.headers().get(answer::INDEX).and_then(|value| value.to_str().ok()?.parse().ok());
        if app.consumers.again(self.key, index, now()) {
            return response;
        }
        let Some(newcomer) = self.newcomer else { return response };
        let Newcomer { headers, peer, uri } = *newcomer;
        let answered_for = response.extensions().get().cloned();
        let Some((account, token)) = account(app, &headers, answered_for).await else { return response };
        let agent = headers.get(header::USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
        let time = now();
        app.consumers.put(
            self.key,
            Consumer {
                account,
                token,
                address: text_of(peer),
                user_agent: shown(&String::from_utf8_lossy(agent)),
                request: request_text(&uri),
                first: time,
                last: time,
                index: index.unwrap_or(0),
                count: 1,
            },
        );
        response
    }
}

/// Whose request it was, and the name of its token.
async fn account(
    app: &App,
    headers: &HeaderMap,
    answered_for: Option<AnsweredFor>,
) -> Option<(Arc<str>, Option<Arc<str>>)> {
    if let Some(AnsweredFor(account)) = answered_for {
        return Some((account, None));
    }
    let account = app.credentials.verify(headers, &app.cluster.decided().list).await.ok()?;
    let digest = token_in(headers).map(|token| Sha256::digest(token).into());
    let token =
        digest.and_then(|digest: [u8; 32]| account.tokens.iter().find(|token| token.digest == digest));
    Some((account.username.clone(), token.map(|token| token.name.clone())))
}

/// The path and the lasting parameters, without secrets.
fn request_text(uri: &Uri) -> String {
    let segment =
        |part: &str| if part.starts_with(TOKEN_PREFIX) { "***".to_owned() } else { part.to_owned() };
    let path: Vec<String> = uri.path().split('/').map(segment).collect();
    let parameter = |part: &str| match part.split_once('=') {
        Some((name, value))
            if SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
                || value.starts_with(TOKEN_PREFIX) =>
        {
            format!("{name}=***")
        }
        _ => part.to_owned(),
    };
    let query: Vec<String> = lasting(uri.query()).map(parameter).collect();
    let path = path.join("/");
    if query.is_empty() { shown(&path) } else { shown(&format!("{path}?{}", query.join("&"))) }
}

/// The parameters that are the same in each request of a client.
fn lasting(query: Option<&str>) -> impl Iterator<Item = &str> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts.filter(|part| !VARYING.contains(&part.split('=').next().unwrap_or_default()))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_without_secrets_and_without_what_varies() {
        let rows = [
            ("/ip/all", "/ip/all"),
            ("/ip/all?format=csv&fields=value", "/ip/all?format=csv&fields=value"),
            ("/ip/changes?since=17&wait=30s", "/ip/changes"),
            ("/ip/all?cursor=abc&limit=5", "/ip/all?limit=5"),
            ("/v1/decisions/stream?startup=true&scopes=Ip", "/v1/decisions/stream?scopes=Ip"),
            ("/v1/decisions?ip=192.0.2.1&contains=true", "/v1/decisions?contains=true"),
            ("/feed/stk_0123/x.txt", "/feed/***/x.txt"),
            ("/feed/x.txt?Token=abc&a=stk_1", "/feed/x.txt?Token=***&a=***"),
        ];
        for (given, expected) in rows {
            assert_eq!(request_text(&given.parse().unwrap()), expected, "{given}");
        }
    }

    #[test]
    fn requests_that_differ_in_what_varies_are_one_and_others_are_not() {
        let consumers = Consumers::default();
        let key = |uri: &str, agent: &'static str| {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
            consumers.key(&headers, None, &uri.parse().unwrap())
        };
        let one = key("/ip/changes?since=1&wait=5s", "a");
        assert_eq!(one, key("/ip/changes?since=2", "a"), "another index");
        assert_ne!(one, key("/ip/changes?since=2&fields=value", "a"), "other fields");
        assert_ne!(one, key("/ip/changes?since=1", "b"), "another program");
        assert_ne!(one, key("/domain/changes?since=1", "a"), "another kind");
    }

    #[test]
    fn the_one_that_asked_longest_ago_is_forgotten() {
        let consumers = Consumers::default();
        let at = |time: i64| Consumer {
            account: "fw".into(),
            token: None,
            address: "192.0.2.1".into(),
            user_agent: "curl".into(),
            request: "/ip/all".into(),
            first: Timestamp(time),
            last: Timestamp(time),
            index: 1,
            count: 1,
        };
        for number in 0..CONSUMERS_MAX as u64 {
            consumers.put(number, at(number as i64));
        }
        assert!(consumers.again(0, Some(7), Timestamp(5000)), "the first one asks again");
        consumers.put(5000, at(5001));
        assert!(consumers.knows(0) && !consumers.knows(1) && consumers.knows(2));
        let all = consumers.all();
        assert_eq!((all.len(), all[0].0.last, all[1].0.count), (CONSUMERS_MAX, Timestamp(5001), 2));
    }
}
