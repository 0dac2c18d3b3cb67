//! `/admin/members`, `/admin/leader`: membership, asked for on any node and done by the leader.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::Address;
use serde::Deserialize;
use serde_json::json;

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;
use crate::wire::{JoinAnswer, JoinRequest, bytes as hex_bytes};

pub(crate) async fn members(State(app): State<Arc<App>>, _operator: Operator) -> Result<Response, ApiError> {
    let members = match app.cluster.members().await {
        Ok(members) => members,
        // Without a leader an operator still wants to see who is in.
        Err(raft::Error::Unavailable { .. }) => app.cluster.status().members,
        Err(error) => return Err(error.into()),
    };
    Ok(answer::json(StatusCode::OK, &members))
}

pub(crate) async fn add_member(
    State(app): State<Arc<App>>,
    _operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |error| ApiError::BadRequest(format!("the body is not a request to join: {error}"));
    let request: JoinRequest = serde_json::from_slice(&body).map_err(invalid)?;
    let join_key = hex_bytes("join_key", &request.join_key).map_err(ApiError::Invalid)?;
    let (host, port) = request.peers.rsplit_once(':').unwrap_or_default();
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(ApiError::Invalid(format!("peers `{}` is not host:port", request.peers)));
    }
    let address = Address { peers: request.peers, http: request.http };
    let ticket = app.cluster.add_member(join_key, address, request.learner).await?;
    Ok(answer::json(StatusCode::OK, &JoinAnswer::from(ticket)))
}

pub(crate) async fn promote(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let id = node_id(&id)?;
    app.cluster.promote(id).await?;
    Ok(answer::message(StatusCode::OK, &format!("node {id} is a voter")))
}

pub(crate) async fn remove_member(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let id = node_id(&id)?;
    app.cluster.remove_member(id).await?;
    Ok(answer::message(StatusCode::OK, &format!("node {id} is removed")))
}

#[derive(Default, Deserialize)]
struct Transfer {
    to: Option<u64>,
}

pub(crate) async fn transfer_leader(
    State(app): State<Arc<App>>,
    _operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |error| ApiError::BadRequest(format!("the body is not {{\"to\":ID}}: {error}"));
    let transfer = match body.is_empty() {
        true => Transfer::default(),
        false => serde_json::from_slice(&body).map_err(invalid)?,
    };
    let leader = app.cluster.transfer_leader(transfer.to).await?;
    let message = format!("node {leader} leads");
    Ok(answer::json(StatusCode::OK, &json!({"message": message, "leader": leader})))
}

fn node_id(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::BadRequest(format!("`{text}` is not a node id")))
}
