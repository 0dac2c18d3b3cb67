//! `GET /admin/hooks`, `GET|PUT|DELETE /admin/hooks/<name>`: which webhooks there are, and what they mean.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Hook, Operation};
use serde::Serialize;
use serde_json::value::RawValue;

use super::mapping::Mapping;
use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// A hook as it is shown.
#[derive(Serialize)]
struct View {
    name: Arc<str>,
    url: String,
    mapping: Box<RawValue>,
    account: Arc<str>,
    changed: String,
}

impl View {
    fn of(hook: &Hook) -> View {
        let mapping = RawValue::from_string(hook.mapping.to_string());
        View {
            name: hook.name.clone(),
            url: format!("/hook/{}", hook.name),
            mapping: mapping.unwrap_or_else(|_| RawValue::NULL.to_owned()),
            account: hook.account.clone(),
            changed: hook.changed.to_string(),
        }
    }
}

#[derive(Serialize)]
struct All {
    hooks: Vec<View>,
}

pub(crate) async fn list(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let picture = app.cluster.picture();
    let hooks = picture.list.hooks().map(|hook| View::of(hook)).collect();
    app.read_headers(answer::json(StatusCode::OK, &All { hooks }), picture.index)
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    let hook = picture.list.hook(&name).ok_or_else(|| unknown(&name))?;
    Ok(app.read_headers(answer::json(StatusCode::OK, &View::of(hook)), picture.index))
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    Mapping::parse(&body).map_err(ApiError::Invalid)?;
    // Without the white space of whoever wrote it; the order of the members stays theirs to lose.
    let mapping: serde_json::Value = serde_json::from_slice(&body)
        .map_err(|error| ApiError::BadRequest(format!("the mapping is no JSON: {error}")))?;
    let operation = Operation::PutHook { name: name.into(), mapping: mapping.to_string().into() };
    let index = app.decide(operator.command(operation)).await?;
    Ok(answer::done("the hook is kept; webhooks go to its /hook URL", index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let index = app.decide(operator.command(Operation::DeleteHook(name.into()))).await?;
    Ok(answer::done("the hook is deleted", index))
}

pub(super) fn unknown(name: &str) -> ApiError {
    ApiError::NotFound(format!("there is no hook `{}`", name.escape_default()))
}
