//! `GET /admin/imports`, `GET|PUT|DELETE /admin/imports/<name>`, `POST …/run` and `…/go-on`: which feeds are taken in, and
//! how that goes; the same on every node.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Import, Operation, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use super::profile::Profile;
use super::report::Report;
use super::run::account;
use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// An import as it is shown.
#[derive(Serialize)]
struct View {
    name: Arc<str>,
    profile: Box<RawValue>,
    account: Arc<str>,
    changed: String,
    /// The account that its reports stand under.
    reports_as: Arc<str>,
    asked: Option<String>,
    next_run: Option<String>,
    last_started: Option<String>,
    last_ended: Option<String>,
    last_succeeded: Option<String>,
    run: Report,
}

impl View {
    fn of(import: &Import) -> View {
        let run = Report::of(import);
        let next = Profile::of(import).ok().and_then(|profile| run.next(&profile));
        let next = import.asked.or(next).map(|at| at.max(import.changed));
        let moment = |ms: i64| (ms > 0).then(|| Timestamp(ms).to_string());
        let profile = RawValue::from_string(import.profile.to_string());
        View {
            name: import.name.clone(),
            profile: profile.unwrap_or_else(|_| RawValue::NULL.to_owned()),
            account: import.account.clone(),
            changed: import.changed.to_string(),
            reports_as: account(&import.name),
            asked: import.asked.map(|at| at.to_string()),
            next_run: next.map(|at| at.to_string()),
            last_started: moment(run.started),
            last_ended: moment(run.ended),
            last_succeeded: run.succeeded.and_then(moment),
            run,
        }
    }
}

#[derive(Serialize)]
struct All {
    imports: Vec<View>,
}

pub(crate) async fn list(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let picture = app.cluster.picture();
    let imports = picture.list.imports().map(|import| View::of(import)).collect();
    app.read_headers(answer::json(StatusCode::OK, &All { imports }), picture.index)
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    let import = picture.list.import(&name).ok_or_else(|| unknown(&name))?;
    Ok(app.read_headers(answer::json(StatusCode::OK, &View::of(import)), picture.index))
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    Profile::parse(&name, &body).map_err(ApiError::Invalid)?;
    let profile: serde_json::Value = serde_json::from_slice(&body)
        .map_err(|error| ApiError::BadRequest(format!("the import is no JSON: {error}")))?;
    let operation = Operation::PutImport { name: name.into(), profile: profile.to_string().into() };
    let index = app.decide(operator.command(operation)).await?;
    Ok(answer::done("the import is kept; the leader runs it", index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let message = "the import is deleted; what it listed stays until its time is over or it is undone";
    let index = app.decide(operator.command(Operation::DeleteImport(name.into()))).await?;
    Ok(answer::done(message, index))
}

pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let operation = Operation::AskImport { name: name.into(), approved: None };
    let index = app.decide(operator.command(operation)).await?;
    Ok(answer::done("the leader runs it", index))
}

/// Lets a feed pass that has changed too much, as large as it was when it was held.
pub(crate) async fn go_on(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    let import = picture.list.import(&name).ok_or_else(|| unknown(&name))?;
    let Some(held) = Report::of(import).held else {
        return Err(ApiError::Conflict(format!("the import `{}` is not held", import.name)));
    };
    let operation = Operation::AskImport { name: name.into(), approved: Some(held) };
    let index = app.decide(operator.command(operation)).await?;
    Ok(answer::done("the leader runs it, and lets the feed pass", index))
}

fn unknown(name: &str) -> ApiError {
    ApiError::NotFound(format!("there is no import `{}`", name.escape_default()))
}
