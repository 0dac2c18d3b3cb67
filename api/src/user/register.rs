//! `POST /user/register`: makes an account; takes the registration token, or an admin.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Operation, Role};
use serde::Deserialize;
use serde_json::json;

use super::{check_password, read, role};
use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

#[derive(Deserialize)]
struct Registration {
    username: String,
    password: String,
    role: Option<String>,
}

pub(crate) async fn register(
    State(app): State<Arc<App>>,
    operator: Operator,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let registration: Registration = read(&headers, &body)?;
    check_password(&registration.password)?;
    let role = registration.role.as_deref().map_or(Ok(Role::Analyst), role)?;
    let password_hash = app.credentials.hash(registration.password).await?;
    let username: Arc<str> = registration.username.into();
    let operation = Operation::CreateAccount { username: username.clone(), password_hash, role };
    let index = app.decide(operator.command(operation)).await?;
    let mut response = answer::json(StatusCode::CREATED, &json!({ "username": *username }));
    if let Ok(location) = HeaderValue::from_str(&format!("/user/{username}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(answer::at_index(response, index))
}
