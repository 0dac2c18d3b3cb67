//! `GET /<kind>/<value>/history`: what was done to one observable, by whom, and when.

use axum::http::StatusCode;
use axum::response::Response;
use raft::Freshness;
use raft::blocklist::Observable;

use crate::admin::AuditLine;
use crate::answer;
use crate::app::App;
use crate::error::ApiError;
use crate::format::only_json;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// What is remembered of a value, oldest first; 404 when that is nothing.
pub(super) async fn show(app: &App, value: &Observable, query: Option<&str>) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query, &[&freshness::WORDS, &["format"]])?;
    only_json(parameters.get("format"))?;
    let fresh = Freshness { exclude_pending: true, ..freshness(&parameters)? };
    let picture = app.cluster.read(&fresh).await?;
    let lines: Vec<AuditLine<'_>> =
        picture.list.history(value).map(|(index, deed)| AuditLine::about(index, deed, value)).collect();
    if lines.is_empty() {
        let noun = value.kind().noun();
        return Err(ApiError::NotFound(format!("nothing is remembered of the {noun} `{value}`")));
    }
    Ok(app.read_headers(answer::json(StatusCode::OK, &lines), picture.index))
}
