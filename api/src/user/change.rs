//! `PATCH /user/<id>` and `DELETE /user/<id>`: in force on every node as soon as it is applied there.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Operation, Role};
use serde::Deserialize;

use super::{check_password, need_self_or_admin, read, role};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

#[derive(Deserialize)]
struct Change {
    password: Option<String>,
    role: Option<String>,
}

/// One's own password, or, as an admin, anybody's password and role.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let change: Change = read(&headers, &body)?;
    let caller = need_self_or_admin(caller, &name)?;
    let role = change.role.as_deref().map(role).transpose()?;
    let caller = if role.is_some() { caller.need(Role::Admin)? } else { caller };
    let password_hash = match change.password {
        Some(password) => {
            check_password(&password)?;
            Some(app.credentials.hash(password).await?)
        }
        None => None,
    };
    if password_hash.is_none() && role.is_none() {
        return Err(ApiError::BadRequest("nothing to change: give `password` or `role`".into()));
    }
    let operation = Operation::UpdateAccount { username: name.into(), password_hash, role };
    let index = app.decide(caller.command(operation)).await?;
    Ok(answer::done("account successfully changed", index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Admin)?;
    let index = app.decide(caller.command(Operation::DeleteAccount(name.into()))).await?;
    Ok(answer::done("account successfully deleted", index))
}
