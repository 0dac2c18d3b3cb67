//! `GET /user/<id>` and `GET /users`: never a password or token, not even hashed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use raft::blocklist::{Account, Role};
use serde::Serialize;

use super::{existing, need_self_or_admin};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

#[derive(Serialize)]
struct View<'a> {
    username: &'a str,
    role: &'a str,
    created: String,
    tokens: Vec<&'a str>,
}

impl<'a> From<&'a Account> for View<'a> {
    fn from(account: &'a Account) -> View<'a> {
        View {
            username: &account.username,
            role: account.role.name(),
            created: account.created.to_string(),
            tokens: account.tokens.iter().map(|token| &*token.name).collect(),
        }
    }
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    need_self_or_admin(caller, &name)?;
    let picture = app.cluster.picture();
    let account = existing(&picture.list, &name)?;
    Ok(app.read_headers(answer::json(StatusCode::OK, &View::from(&**account)), picture.index))
}

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    caller.need(Role::Admin)?;
    let picture = app.cluster.picture();
    let views: Vec<View<'_>> = picture.list.accounts().map(|account| View::from(&**account)).collect();
    Ok(app.read_headers(answer::json(StatusCode::OK, &views), picture.index))
}
