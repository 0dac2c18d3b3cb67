//! `/admin/status`, `/admin/snapshot`, `/admin/formation`, `/admin/init`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;
use crate::wire::Formation;

pub(crate) async fn status(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let status = app.cluster.status();
    answer::at_index(answer::json(StatusCode::OK, &status), status.applied_index)
}

pub(crate) async fn snapshot(State(app): State<Arc<App>>, _operator: Operator) -> Result<Response, ApiError> {
    let index = app.cluster.snapshot().await?;
    let message = format!("a snapshot at index {index} is on this node's disk");
    Ok(answer::json(StatusCode::OK, &json!({"message": message, "index": index})))
}

pub(crate) async fn formation(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let status = app.cluster.status();
    let member = Formation::Member { cluster_id: status.cluster_id, node_id: status.node_id };
    answer::json(StatusCode::OK, &member)
}

/// A node founds or joins its cluster when it starts, so there is nothing left to do here.
pub(crate) async fn init(State(app): State<Arc<App>>, _operator: Operator) -> ApiError {
    let id = app.cluster.status().cluster_id;
    ApiError::Conflict(format!("this node belongs to the cluster {id} already"))
}
