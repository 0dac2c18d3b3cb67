//! `GET /<kind>/<value>/sightings`: what each source said about one entry. JSON only.

use axum::http::StatusCode;
use axum::response::Response;
use raft::blocklist::{Observable, SourceReport};
use serde::Serialize;

use super::not_listed;
use crate::answer;
use crate::app::App;
use crate::error::ApiError;
use crate::format::only_json;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// The reports of one source.
#[derive(Serialize)]
struct View<'a> {
    source: &'a str,
    count: u64,
    first_seen: String,
    last_seen: String,
    comment: &'a str,
    account: &'a str,
}

impl<'a> View<'a> {
    fn new(source: &'a str, report: &'a SourceReport) -> View<'a> {
        View {
            source,
            count: report.count,
            first_seen: report.first_seen.to_string(),
            last_seen: report.last_seen.to_string(),
            comment: &report.comment,
            account: &report.account,
        }
    }
}

pub(super) async fn show(app: &App, value: Observable, query: Option<&str>) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query, &[&freshness::WORDS, &["format"]])?;
    only_json(parameters.get("format"))?;
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let Some(entry) = picture.list.get(&value) else {
        return Ok(not_listed(app, &value, picture.index));
    };
    let sources = entry.sources();
    let views: Vec<View<'_>> = sources.iter().map(|(name, report)| View::new(name, report)).collect();
    Ok(app.read_headers(answer::json(StatusCode::OK, &views), picture.index))
}
