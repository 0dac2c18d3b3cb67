//! The list over HTTP: one code path for every kind.

mod add;
mod all;
mod body;
mod bulk;
mod delete;
mod lookup;
mod report;

pub(crate) use add::add;
pub(crate) use all::all;
pub(crate) use delete::delete;
pub(crate) use lookup::lookup;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use raft::blocklist::Kind;

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
