//! `GET /<kind>/<value>`: the exact entry first, then, for an address, every listed network that contains it.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use raft::blocklist::Observable;

use super::not_listed;
use crate::answer;
use crate::app::App;
use crate::error::ApiError;
use crate::format::{self, Field, Row, Shape};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

pub(crate) async fn show(
    app: &App,
    value: &Observable,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["format", "fields", "header"]];
    let parameters = Parameters::parse(query, &words)?;
    let format = format::choose(parameters.get("format"), headers)?;
    let fields = Field::parse_list(parameters.get("fields"))?;
    let shape = Shape { fields, header: parameters.switch("header")?, ..Shape::default() };
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let found = picture.list.get(value).into_iter().chain(picture.list.containing(value));
    let mut found = found.map(Row::from).peekable();
    if found.peek().is_none() {
        return Ok(not_listed(app, value, picture.index));
    }
    let mut bytes = Vec::with_capacity(256);
    format.render(&mut found, &shape, &mut bytes);
    let content_type = HeaderValue::from_static(format.content_type());
    let mut response = answer::negotiated(answer::body(StatusCode::OK, content_type, bytes.into()));
    answer::say_pending(&mut response, picture.pending);
    Ok(app.read_headers(response, picture.index))
}
