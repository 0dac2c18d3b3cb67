//! `GET /<kind>/all`: the list, or what is asked for of it, without what is allowed or must never be listed. It
//! is rendered before the status line goes out, so that its length is known and it is never cut. The ETag is a
//! digest of the bytes: the same on every node for the same list.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use raft::Picture;
use raft::blocklist::Kind;
use sha2::{Digest, Sha256};

use super::KindOf;
use super::filter::Filter;
use super::narrow::Narrow;
use super::page::Page;
use super::query::Query;
use crate::answer;
use crate::app::{self, App};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{Asked, Comments, Format, IfEmpty, Knob, Shape};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;
use crate::rendered::Body;

/// Longer lists are rendered on a thread that may take its time.
pub(super) const RENDERED_INLINE_MAX: usize = 2_000;
/// When a firewall that wants no empty list may ask again.
const EMPTY_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A query, and how its answer is written down.
pub(crate) struct Rendering {
    query: Query,
    format: &'static dyn Format,
    shape: Shape,
    /// The digest of the list in place of the list.
    digest: bool,
}

pub(crate) async fn all(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&[&freshness::WORDS[..]], &Rendering::WORDS[..]].concat();
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    let rendering = Rendering::read(kind, &parameters, &headers)?;
    let mut freshness = freshness(&parameters)?;
    freshness.min_index = freshness.min_index.max(rendering.query.min_index());
    // Pages are taken from any node, so they hold what all nodes have.
    freshness.exclude_pending |= rendering.query.min_index().is_some();
    let picture = app.cluster.read(&freshness).await?;
    let (index, pending) = (picture.index, picture.pending);
    let content_type = rendering.content_type();
    let body = body(&app, rendering, picture).await?;
    let mut response = whole(&headers, content_type, &body)?;
    say_next(&mut response, &body, kind, &parameters)?;
    answer::say_pending(&mut response, pending);
    Ok(app.read_headers(answer::negotiated(response), index))
}

/// What is asked for, from what was rendered lately or anew.
pub(crate) async fn body(app: &App, rendering: Rendering, picture: Arc<Picture>) -> Result<Body, ApiError> {
    let never_empty = rendering.shape.knobs.if_empty == Some(IfEmpty::Unavailable);
    let body = rendered(app, rendering, picture).await?;
    if never_empty && body.count == 0 {
        let sentence = "the list is empty, and if_empty=503 wants none then";
        return Err(ApiError::Unavailable(sentence.into(), EMPTY_RETRY_AFTER));
    }
    Ok(body)
}

async fn rendered(app: &App, rendering: Rendering, picture: Arc<Picture>) -> Result<Body, ApiError> {
    let key = rendering.query.is_worth_keeping().then(|| rendering.key(&picture));
    if let Some(body) = key.as_deref().and_then(|key| app.rendered.get(key)) {
        return Ok(body);
    }
    // Few networks can be many hosts.
    let short = picture.list.count(rendering.query.kind) <= RENDERED_INLINE_MAX;
    let body = if short && !rendering.query.narrow.expands() {
        rendering.render(&picture)
    } else {
        tokio::task::spawn_blocking(move || rendering.render(&picture))
            .await
            .map_err(|_| raft::Error::Stopped("the list could not be rendered".into()))?
    };
    if let Some(key) = key {
        app.rendered.put(key, body.clone());
    }
    Ok(body)
}

impl Rendering {
    /// All parameters that are read here.
    pub(crate) const WORDS: [&[&str]; 5] =
        [&Asked::WORDS, &Filter::WORDS, &Query::WORDS, &Narrow::WORDS, &Knob::WORDS];

    pub(crate) fn read(
        kind: Kind,
        parameters: &Parameters,
        headers: &HeaderMap,
    ) -> Result<Rendering, ApiError> {
        let asked = Asked::read(kind, parameters, headers)?;
        let query = Query::read(kind, &asked.parameters, app::now())?;
        if query.aggregate && !asked.shows_values_only() {
            let sentence =
                "aggregate=1 merges entries, of which only the value is left: ask for fields=value";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        let Asked { format, mut shape, .. } = asked;
        if query.aggregate && shape.knobs.comments == Some(Comments::Inline) {
            let sentence = "aggregate=1 merges entries, of which no comment is left: ask for comments=none";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        if kind != Kind::Ip && shape.knobs.if_empty == Some(IfEmpty::Sentinel) {
            let sentence = "if_empty=sentinel is an address, and means nothing to other kinds";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        shape.merged = query.aggregate;
        Ok(Rendering { query, format, shape, digest: parameters.get("sum").is_some() })
    }

    pub(crate) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.digest {
            true => "text/plain; charset=utf-8",
            false => self.format.content_type(),
        })
    }

    /// How a file of it is named.
    pub(crate) fn extension(&self) -> &'static str {
        self.format.extension()
    }

    /// All that decides the bytes: the last change to this kind, and the question.
    fn key(&self, picture: &Picture) -> String {
        let Rendering { query, format, shape, digest } = self;
        let list = match picture.pending {
            0 => picture.list.last_changed(query.kind).to_string(),
            pending => format!("{}+{pending}", picture.index),
        };
        format!("{list} {} {shape:?} {query:?} {digest}", format.name())
    }

    pub(crate) fn render(&self, picture: &Picture) -> Body {
        let Page { mut rows, truncated, skipped, next } = self.query.page(&picture.list);
        let shape = Shape { version: picture.list.last_changed(self.query.kind), ..self.shape.clone() };
        let found = rows.len();
        rows.retain(|row| self.format.holds(&row.value, &shape));
        let count = rows.len();
        let skipped = skipped + found - count;
        let mut bytes = Vec::new();
        self.format.render(&mut rows.into_iter(), &shape, &mut bytes);
        if self.digest {
            bytes = format!("{}\n", hex::encode(Sha256::digest(&bytes))).into_bytes();
        }
        let next = next.map(|cursor| cursor.not_beyond(picture.index).encode());
        Body { skipped, next, ..Body::new(bytes, count, truncated) }
    }
}

fn not_modified() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// A list, or that the client has it; says what it is and how much it leaves out.
pub(crate) fn whole(asked: &HeaderMap, content_type: HeaderValue, body: &Body) -> Result<Response, ApiError> {
    let mut response = match asked_for(asked, &body.etag) {
        true => not_modified(),
        false => answer::body(StatusCode::OK, content_type, body.bytes.clone()),
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, text(&body.etag)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(answer::COUNT, HeaderValue::from(body.count));
    if body.truncated > 0 {
        headers.insert(answer::TRUNCATED, HeaderValue::from(body.truncated));
    }
    if body.skipped > 0 {
        headers.insert(answer::SKIPPED, HeaderValue::from(body.skipped));
    }
    Ok(response)
}

/// Says where the list goes on. A 304 says it too: the same bytes may have got a next page.
fn say_next(
    response: &mut Response,
    body: &Body,
    kind: Kind,
    parameters: &Parameters,
) -> Result<(), ApiError> {
    if let Some(cursor) = &body.next {
        let query = parameters.without("cursor");
        let headers = response.headers_mut();
        headers.insert(answer::CURSOR, text(cursor)?);
        headers.insert(header::LINK, text(&format!("</{kind}/all?{query}&cursor={cursor}>; rel=\"next\""))?);
    }
    Ok(())
}

fn text(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(|error| ApiError::Invalid(error.to_string()))
}

/// `If-None-Match` names this list, or any.
fn asked_for(headers: &HeaderMap, etag: &str) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
}
