//! What a node answers while it does not belong to a cluster yet.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::ApiSettings;
use crate::answer;
use crate::auth::token_is_right;
use crate::error::ApiError;
use crate::health;
use crate::wire::Formation;

#[derive(Clone)]
struct Waiting {
    join_key: [u8; 16],
    settings: Arc<ApiSettings>,
}

pub(crate) fn router(join_key: [u8; 16], settings: Arc<ApiSettings>) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/admin/formation", get(formation))
        .fallback(not_yet)
        .method_not_allowed_fallback(not_yet)
        .with_state(Waiting { join_key, settings })
}

async fn formation(State(waiting): State<Waiting>, headers: HeaderMap) -> Response {
    if token_is_right(&headers, &waiting.settings.registration_token) != Some(true) {
        let message = "this takes the registration token in x-authentication";
        return ApiError::Unauthorized(message.into()).into_response();
    }
    answer::json(StatusCode::OK, &Formation::Waiting { join_key: hex::encode(waiting.join_key) })
}

async fn not_yet() -> ApiError {
    ApiError::Unavailable("this node does not belong to a cluster yet".into(), Duration::from_secs(1))
}
