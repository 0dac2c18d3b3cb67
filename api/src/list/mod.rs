//! The list over HTTP: one code path for every kind.

mod add;
mod all;
mod asked;
pub(crate) mod body;
pub(crate) mod bulk;
mod changes;
mod cursor;
mod delete;
mod events;
mod filter;
mod following;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod garbage;
mod history;
mod lookup;
mod narrow;
mod order;
mod page;
mod patch;
mod query;
pub(crate) mod report;
#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
mod sightings;
mod wanted;

pub(crate) use add::{add, add_sent, sight};
pub(crate) use all::{Rendering, all, export, whole};
pub(crate) use asked::{ask, is_plain_value};
pub(crate) use changes::changes;
pub(crate) use delete::delete;
pub(crate) use events::events;
pub(crate) use following::Following;
pub(crate) use lookup::show;
#[cfg(test)]
pub(crate) use narrow::NARROWING;
pub(crate) use page::Page;
pub(crate) use patch::patch;
pub(crate) use query::Query;
pub(crate) use wanted::Queries;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use raft::blocklist::{Kind, Line, Observable, Outcome};

use crate::answer;
use crate::app::App;
use crate::error::ApiError;

/// The parameters of a list that are no format's business, for its tests.
#[cfg(test)]
pub(crate) const FILTERS: &[&str] = &filter::Filter::WORDS;
#[cfg(test)]
pub(crate) const QUERIES: &[&str] = &["sort", "limit", "aggregate", "hosts_only", "expand", "shard", "max"];

/// The kind that a route names; stands before the caller in a handler's arguments, so that a route that does not
/// exist is a 404 for everybody.
pub(crate) struct KindOf(pub(crate) Kind);

impl<S: Send + Sync> FromRequestParts<S> for KindOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<KindOf, ApiError> {
        let path = parts.uri.path();
        let word = path.split('/').nth(1).unwrap_or_default();
        word.parse().map(KindOf).map_err(|()| ApiError::NotFound(format!("there is no `{path}` here")))
    }
}

/// A read's 404 about a value.
fn not_listed(app: &App, value: &Observable, index: u64) -> Response {
    let missing = ApiError::NotFound(format!("{} `{value}` is not listed", value.kind().noun()));
    app.read_headers(missing.into_response(), index)
}

/// What the messages of the talk call a value.
fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Ip => "IP address",
        Kind::Domain => "Domain",
        Kind::Url => "URL",
        Kind::Hash => "Hash",
        Kind::Email => "E-mail address",
        Kind::Username => "User name",
    }
}

/// The one line of a request about one observable; a refusal is an error.
pub(crate) fn first_line(outcome: Outcome) -> Result<Line, ApiError> {
    let line = match outcome {
        Outcome::Lines(lines) => lines.into_iter().next(),
        Outcome::Refused(refusal) => Some(Line::Refused(refusal)),
        _ => None,
    };
    match line {
        Some(Line::Refused(refusal)) => Err(refusal.into()),
        Some(line) => Ok(line),
        None => Err(ApiError::Invalid("there is nothing to do".into())),
    }
}

/// The answer to `dry_run=1` about one observable.
fn rehearsed(kind: Kind, line: &Line) -> Response {
    let done = match line {
        Line::Added => "added",
        Line::Sighted => "sighted",
        Line::Deleted => "deleted",
        Line::Withdrawn => "withdrawn",
        Line::Updated => "changed",
        Line::Refused(_) => "refused",
    };
    let message = format!("{} would be {done}", noun(kind));
    answer::json(StatusCode::OK, &serde_json::json!({"message": message, "dry_run": true}))
}
