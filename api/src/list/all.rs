//! `GET /<kind>/all`: the whole list, without what is allowed or must never be listed. It is rendered before the
//! status line goes out, so that its length is known and it is never cut. The ETag is a digest of the bytes: the
//! same on every node for the same list.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use raft::Picture;
use raft::blocklist::{Kind, Observable};
use sha2::{Digest, Sha256};

use super::KindOf;
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{self, Field, Format, Row, Shape};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;
use crate::rendered::Body;

/// Longer lists are rendered on a thread that may take its time.
pub(super) const RENDERED_INLINE_MAX: usize = 2_000;

/// What of the list is asked for.
#[derive(Clone, Debug)]
struct Query {
    kind: Kind,
    shape: Shape,
    family: Option<Family>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

pub(crate) async fn all(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["format", "fields", "header", "family", "limit"]];
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    let format = format::choose(parameters.get("format"), &headers)?;
    let query = Query::read(kind, &parameters)?;
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let index = picture.index;
    let body = body(&app, query, format, picture).await?;
    if asked_for(&headers, &body.etag) {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(app.read_headers(with_etag(response, &body.etag)?, index));
    }
    let content_type = HeaderValue::from_static(format.content_type());
    let mut response = with_etag(answer::body(StatusCode::OK, content_type, body.bytes), &body.etag)?;
    response.headers_mut().insert(answer::COUNT, HeaderValue::from(body.count));
    if body.truncated > 0 {
        response.headers_mut().insert(answer::TRUNCATED, HeaderValue::from(body.truncated));
    }
    Ok(app.read_headers(response, index))
}

async fn body(
    app: &App,
    query: Query,
    format: &'static dyn Format,
    picture: Arc<Picture>,
) -> Result<Body, ApiError> {
    let key = query.key(&picture, format);
    if let Some(body) = app.rendered.get(&key) {
        return Ok(body);
    }
    let body = if picture.list.count(query.kind) <= RENDERED_INLINE_MAX {
        query.render(&picture, format)
    } else {
        let render = move || query.render(&picture, format);
        tokio::task::spawn_blocking(render)
            .await
            .map_err(|_| raft::Error::Stopped("the list could not be rendered".into()))?
    };
    app.rendered.put(key, body.clone());
    Ok(body)
}

impl Query {
    fn read(kind: Kind, parameters: &Parameters) -> Result<Query, ApiError> {
        let family = match parameters.get("family") {
            None => None,
            Some("4") => Some(Family::V4),
            Some("6") => Some(Family::V6),
            Some(other) => return Err(ApiError::BadRequest(format!("family `{other}` is neither 4 nor 6"))),
        };
        let limit = parameters.number("limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let fields = Field::parse_list(parameters.get("fields"))?;
        Ok(Query { kind, shape: Shape { fields, header: parameters.switch("header")? }, family, limit })
    }

    /// All that decides the bytes: the last change to this kind, and the question.
    fn key(&self, picture: &Picture, format: &dyn Format) -> String {
        format!("{} {} {self:?}", picture.list.last_changed(self.kind), format.name())
    }

    fn wants(&self, value: &Observable) -> bool {
        match (self.family, value) {
            (Some(family), Observable::Ip(network)) => {
                (family == Family::V6) == network.net().addr().is_ipv6()
            }
            (Some(_), _) => false,
            (None, _) => true,
        }
    }

    fn render(&self, picture: &Picture, format: &dyn Format) -> Body {
        let rows: Vec<Row<'_>> = picture
            .list
            .exported(self.kind)
            .filter(|exported| self.wants(&exported.value))
            .map(|exported| Row { value: exported.value, entry: exported.entry })
            .collect();
        let total = rows.len();
        let count = self.limit.map_or(total, |limit| limit.min(total));
        let mut bytes = Vec::new();
        format.render(&mut rows.into_iter().take(count), &self.shape, &mut bytes);
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..16]));
        Body { bytes: bytes.into(), etag, count, truncated: total - count }
    }
}

/// `If-None-Match` names this list, or any.
fn asked_for(headers: &HeaderMap, etag: &str) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
}

fn with_etag(mut response: Response, etag: &str) -> Result<Response, ApiError> {
    let value = HeaderValue::from_str(etag).map_err(|error| ApiError::Invalid(error.to_string()))?;
    response.headers_mut().insert(header::ETAG, value);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer::negotiated(response))
}
