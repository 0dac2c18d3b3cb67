//! Accounts over HTTP.

mod change;
mod register;
mod show;
mod tokens;

pub(crate) use change::{change, delete};
pub(crate) use register::register;
pub(crate) use show::{list, show};
pub(crate) use tokens::{list_tokens, make_token, revoke_token};

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use raft::blocklist::{Account, List, Role};
use serde::de::DeserializeOwned;

use crate::auth::Caller;
use crate::error::ApiError;

/// The shortest password, in bytes.
const PASSWORD_BYTES_MIN: usize = 8;
/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 256;

/// Reads a JSON object, or a form of the same members. curl's `-d` calls JSON a form: that is JSON too.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    let form =
        headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/x-www"));
    let invalid = |error: serde_json::Error| ApiError::BadRequest(format!("the body is not valid: {error}"));
    let text = std::str::from_utf8(body).map_err(|_| ApiError::BadRequest("the body is not UTF-8".into()))?;
    if !form || text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(invalid);
    }
    let pairs = crate::parameters::pairs(text).unwrap_or_default();
    let object = pairs.into_iter().map(|(name, value)| (name, serde_json::Value::String(value))).collect();
    serde_json::from_value(serde_json::Value::Object(object)).map_err(invalid)
}

fn check_password(password: &str) -> Result<(), ApiError> {
    match password.len() {
        PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX => Ok(()),
        _ => {
            let range = format!("{PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX}");
            Err(ApiError::Invalid(format!("a password has {range} bytes")))
        }
    }
}

fn role(word: &str) -> Result<Role, ApiError> {
    word.parse().map_err(|()| {
        let allowed = Role::ALL.map(Role::name).join(", ");
        ApiError::Invalid(format!("role `{word}` is not known; allowed: {allowed}"))
    })
}

/// An account is its owner's and the admins' business.
fn need_self_or_admin(caller: Caller, name: &str) -> Result<Caller, ApiError> {
    match *caller.account.username == *name {
        true => Ok(caller),
        false => caller.need(Role::Admin),
    }
}

/// The account of this name.
fn existing<'l>(list: &'l List, name: &str) -> Result<&'l Arc<Account>, ApiError> {
    list.account(name).ok_or_else(|| ApiError::NotFound(format!("account `{name}` does not exist")))
}
