//! `GET /allow/<value>`: the entry of this value, or the one that keeps it from being listed; for an address, a
//! domain, or anything else.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use raft::blocklist::{Kind, Observable};

use super::view::View;
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref(), &[&freshness::WORDS])?;
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let mut values = Kind::ALL.into_iter().filter_map(|kind| Observable::parse(kind, &text).ok());
    let found = values
        .find_map(|value| picture.list.allow(&value).or_else(|| picture.list.allowing(&value)).cloned());
    let allow = found.ok_or_else(|| ApiError::NotFound(format!("`{text}` is not on the allow list")))?;
    Ok(app.read_headers(answer::json(StatusCode::OK, &View::from(&*allow)), picture.index))
}
