//! How the commands of one request reach the list: once under its `Idempotency-Key`, or as a rehearsal that
//! changes nothing (`dry_run=1`).

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Command, Once, Operation, Outcome, Rehearsal};
use raft::{Submitted, Written};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// The client's name for its request; the same name and request count once.
const KEY: &str = "idempotency-key";
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Says that an answer is the one given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A whole request, as it was sent.
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Sent, BytesRejection> {
        let (Parts { method, uri, headers, extensions, .. }, body) = request.into_parts();
        // How long a body may be is said in the extensions.
        let mut rest = Request::new(body);
        *rest.extensions_mut() = extensions;
        let body = Bytes::from_request(rest, state).await?;
        Ok(Sent { method, uri, headers, body })
    }
}

/// What a request is called, and what it is: digests of both.
#[derive(Clone, Copy)]
struct Name {
    key: [u8; 16],
    request: [u8; 16],
}

/// The way of one request's commands.
pub(crate) struct Writing<'a> {
    app: &'a App,
    caller: &'a Caller,
    name: Option<Name>,
    parts: u32,
    rehearsal: Option<Rehearsal>,
    replayed: bool,
}

impl<'a> Writing<'a> {
    /// Reads the key of a request; `dry_run` tries its commands on a copy of this node's list.
    pub(crate) fn new(
        app: &'a App,
        caller: &'a Caller,
        sent: &Sent,
        dry_run: bool,
    ) -> Result<Writing<'a>, ApiError> {
        let name = Name::of(sent)?;
        let rehearsal = dry_run.then(|| {
            let picture = app.cluster.picture();
            Rehearsal::new(&picture.list, picture.index)
        });
        Ok(Writing { app, caller, name, parts: 0, rehearsal, replayed: false })
    }

    /// Nothing that is asked for is done.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// The index of this node's list; what an answer reflects when nothing was written.
    pub(crate) fn index(&self) -> u64 {
        self.app.cluster.applied_index()
    }

    /// Puts operations through, in order and together. They need a majority.
    pub(crate) async fn run(&mut self, operations: Vec<Operation>) -> Result<Vec<Written>, ApiError> {
        let commands = self.commands(operations);
        if let Some(rehearsal) = self.rehearsal.take() {
            return self.rehearse(rehearsal, commands).await;
        }
        let mut written = self.app.cluster.propose_all(commands).await?;
        written.iter_mut().for_each(|one| self.replay(one));
        Ok(written)
    }

    /// Puts one operation through.
    pub(crate) async fn run_one(&mut self, operation: Operation) -> Result<Written, ApiError> {
        let written = self.run(vec![operation]).await?.pop();
        written.ok_or_else(|| raft::Error::Stopped("a command was lost".into()).into())
    }

    /// Puts reports through, in order and together. Without a majority this node's disk takes them.
    pub(crate) async fn report(&mut self, operations: Vec<Operation>) -> Result<Vec<Submitted>, ApiError> {
        let commands = self.commands(operations);
        if let Some(rehearsal) = self.rehearsal.take() {
            let tried = self.rehearse(rehearsal, commands).await?;
            return Ok(tried.into_iter().map(Submitted::Written).collect());
        }
        let mut submitted = self.app.cluster.propose_reports(commands).await?;
        for one in &mut submitted {
            if let Submitted::Written(written) = one {
                self.replay(written);
            }
        }
        Ok(submitted)
    }

    fn commands(&mut self, operations: Vec<Operation>) -> Vec<Command> {
        operations.into_iter().map(|operation| self.command(operation)).collect()
    }

    /// A repeated outcome is the first one.
    fn replay(&mut self, written: &mut Written) {
        if let Outcome::Repeated(first) = &mut written.outcome {
            self.replayed = true;
            written.outcome = std::mem::replace(first, Outcome::Done);
        }
    }

    /// The answer, saying whether it was given before.
    pub(crate) fn answer(&self, mut response: Response) -> Response {
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }

    fn command(&mut self, operation: Operation) -> Command {
        let part = self.parts;
        self.parts += 1;
        let once = self.name.map(|Name { key, request }| Once { key, part, request });
        Command { once, ..self.caller.command(operation) }
    }

    /// A long request would hold up others, so it is tried on a thread that may take its time.
    async fn rehearse(
        &mut self,
        mut rehearsal: Rehearsal,
        commands: Vec<Command>,
    ) -> Result<Vec<Written>, ApiError> {
        let tried = tokio::task::spawn_blocking(move || {
            let outcomes = rehearsal.run(commands);
            (rehearsal, outcomes)
        });
        let (rehearsal, outcomes) =
            tried.await.map_err(|_| raft::Error::Stopped("the rehearsal was not finished".into()))?;
        self.rehearsal = Some(rehearsal);
        let index = self.index();
        Ok(outcomes.into_iter().map(|outcome| Written { index, outcome }).collect())
    }
}

impl Name {
    fn of(sent: &Sent) -> Result<Option<Name>, ApiError> {
        let Some(key) = sent.headers.get(KEY) else { return Ok(None) };
        let key = key.as_bytes().trim_ascii();
        let quoted = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\""));
        let key = quoted.unwrap_or(key);
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) || !key.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            let sentence =
                format!("the Idempotency-Key is not a text of 1 to {KEY_BYTES_MAX} ASCII characters");
            return Err(ApiError::BadRequest(sentence));
        }
        let target = sent.uri.path_and_query().map_or("", |target| target.as_str());
        let parts = [sent.method.as_str().as_bytes(), target.as_bytes(), &sent.body];
        Ok(Some(Name { key: digest(&[key]), request: digest(&parts) }))
    }
}

/// The first half of SHA-256 over parts, each with its length, so that no two lists of parts are alike.
fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(key: &str, uri: &'static str, body: &'static str) -> Sent {
        let headers = [(HeaderName::from_static(KEY), key.parse().unwrap())].into_iter().collect();
        Sent { method: Method::POST, uri: Uri::from_static(uri), headers, body: body.into() }
    }

    #[test]
    fn a_request_is_named_by_its_key_and_known_by_its_whole() {
        let name = |sent: &Sent| Name::of(sent).unwrap().unwrap();
        let first = name(&sent("k", "/ip/add", "{}"));
        assert_eq!(name(&sent("\"k\"", "/ip/add", "{}")).key, first.key, "a quoted key is the same key");
        assert_ne!(name(&sent("K", "/ip/add", "{}")).key, first.key);
        for other in
            [sent("k", "/ip/add?ttl=5", "{}"), sent("k", "/ip/add", "{ }"), sent("k", "/ip/ad", "d{}")]
        {
            assert_ne!(name(&other).request, first.request);
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        for key in ["", " ", "\"\"", "tab\there", &long] {
            assert!(Name::of(&sent(key, "/ip/add", "{}")).is_err(), "{key}");
        }
    }
}
