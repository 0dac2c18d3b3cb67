//! `GET /<kind>/<value>`: the exact entry first, then, for an address, every listed network that contains it.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use raft::blocklist::Observable;

use super::KindOf;
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{self, Field, Row, Shape};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

pub(crate) async fn lookup(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    Path((_, value)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["format", "fields", "header"]];
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    let format = format::choose(parameters.get("format"), &headers)?;
    let fields = Field::parse_list(parameters.get("fields"))?;
    let shape = Shape { fields, header: parameters.switch("header")? };
    let value = Observable::parse(kind, &value)?;
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let found = picture.list.get(&value).into_iter().chain(picture.list.containing(&value));
    let mut found = found.map(Row::from).peekable();
    if found.peek().is_none() {
        let missing = ApiError::NotFound(format!("{} `{value}` is not listed", kind.noun()));
        return Ok(app.read_headers(axum::response::IntoResponse::into_response(missing), picture.index));
    }
    let mut bytes = Vec::with_capacity(256);
    format.render(&mut found, &shape, &mut bytes);
    let content_type = HeaderValue::from_static(format.content_type());
    let response = answer::negotiated(answer::body(StatusCode::OK, content_type, bytes.into()));
    Ok(app.read_headers(response, picture.index))
}
