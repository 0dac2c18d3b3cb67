//! `/user/<id>/tokens`: API tokens for devices; a token is shown once, when it is made.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Operation, Token};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{existing, need_self_or_admin, read};
use crate::answer;
use crate::app::{App, now};
use crate::auth::Caller;
use crate::credentials::TOKEN_PREFIX;
use crate::error::ApiError;

#[derive(Deserialize)]
struct NewToken {
    name: String,
}

pub(crate) async fn list_tokens(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    need_self_or_admin(caller, &name)?;
    let picture = app.cluster.picture();
    let account = existing(&picture.list, &name)?;
    let view = |token: &Token| json!({"name": *token.name, "created": token.created.to_string()});
    let tokens: Vec<_> = account.tokens.iter().map(view).collect();
    Ok(app.read_headers(answer::json(StatusCode::OK, &tokens), picture.index))
}

pub(crate) async fn make_token(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = need_self_or_admin(caller, &name)?;
    let asked: NewToken = read(&headers, &body)?;
    let token_name = asked.name.trim();
    if token_name.is_empty() || token_name.len() > 64 || token_name.chars().any(char::is_control) {
        return Err(ApiError::Invalid(format!("`{token_name}` is not a name for a token")));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| raft::Error::Overloaded(format!("no random numbers: {error}")))?;
    let text = format!("{TOKEN_PREFIX}{}", hex::encode(random));
    let token = Token { name: token_name.into(), digest: Sha256::digest(&text).into(), created: now() };
    let operation = Operation::PutToken { username: name.into(), token };
    let index = app.decide(caller.command(operation)).await?;
    let made = json!({"name": token_name, "token": text});
    Ok(answer::at_index(answer::json(StatusCode::CREATED, &made), index))
}

pub(crate) async fn revoke_token(
    State(app): State<Arc<App>>,
    Path((name, token)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let caller = need_self_or_admin(caller, &name)?;
    let operation = Operation::DeleteToken { username: name.into(), name: token.into() };
    let index = app.decide(caller.command(operation)).await?;
    Ok(answer::done("token successfully revoked", index))
}
