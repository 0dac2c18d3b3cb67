//! `/livez`, `/readyz`, and a word of welcome.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer;
use crate::app::App;

/// A node that has heard of no leader for longer is not ready, though it still serves its list.
const READY_LAG_MAX: Duration = Duration::from_secs(10);
/// A node whose list is this many log entries behind what is committed is not ready.
const READY_ENTRIES_MAX: u64 = 10_000;

pub(crate) async fn welcome() -> Response {
    answer::message(StatusCode::OK, "this is Stockade, a shared block list; its routes are in the README")
}

pub(crate) async fn live() -> Response {
    answer::message(StatusCode::OK, "alive")
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let status = app.cluster.status();
    let behind = status.committed_index.saturating_sub(status.applied_index);
    let reason = match app.cluster.lag() {
        None => Some("no leader was heard of yet".to_string()),
        Some(lag) if lag > READY_LAG_MAX => Some(format!("no leader was heard of for {} s", lag.as_secs())),
        Some(_) if behind > READY_ENTRIES_MAX => Some(format!("the list is {behind} log entries behind")),
        Some(_) => None,
    };
    let response = match reason {
        None => answer::message(StatusCode::OK, "ready"),
        Some(reason) => answer::message(StatusCode::SERVICE_UNAVAILABLE, &reason),
    };
    app.read_headers(response, status.applied_index)
}
