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
mod lookup;
mod order;
mod page;
mod patch;
mod query;
pub(crate) mod report;
#[cfg(test)]
mod samples;
mod sightings;

pub(crate) use add::{add, sight};
pub(crate) use all::all;
pub(crate) use asked::ask;
pub(crate) use changes::changes;
pub(crate) use delete::delete;
pub(crate) use events::events;
pub(crate) use patch::patch;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use raft::blocklist::{Kind, Observable};

use crate::app::App;
use crate::error::ApiError;

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
