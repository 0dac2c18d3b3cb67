//! The one place with status codes: every failure becomes `{"message":…}` here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use raft::RequestId;
use raft::blocklist::{Malformed, Refusal};

use crate::answer;
use crate::app::App;
use crate::requests;
use crate::server::Share;

/// The longest text of another layer's error that is passed on.
const FOREIGN_BYTES_MAX: usize = 1024;

/// What a request can end with instead of an answer; a variant per thing the client can do about it.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request makes no sense (400).
    BadRequest(String),
    /// Who is asking? (401)
    Unauthorized(String),
    /// This account may not (403).
    Forbidden(String),
    /// There is no such thing (404).
    NotFound(String),
    /// A value is not valid, or must never be listed (422).
    Invalid(String),
    /// The state forbids it (409).
    Conflict(String),
    /// What is named can only be read (405).
    ReadOnly(String),
    /// It was there once and is not kept any more (410).
    Gone(String),
    /// The body is in no known form (415).
    UnsupportedMediaType(String),
    /// The body did not arrive in time (408).
    TooSlow(String),
    /// Not now (503); when to come back.
    Unavailable(String, Duration),
    /// It may still come into force (503); where to ask what became of it.
    Unknown(String, Option<RequestId>),
    /// What waits for a majority fills this node (507).
    Full(String),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            ApiError::BadRequest(_) => StatusCode::BAD_REQUEST,
            ApiError::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
            ApiError::NotFound(_) => StatusCode::NOT_FOUND,
            ApiError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::Conflict(_) => StatusCode::CONFLICT,
            ApiError::ReadOnly(_) => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::Gone(_) => StatusCode::GONE,
            ApiError::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::Unavailable(..) | ApiError::Unknown(..) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            ApiError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            ApiError::BadRequest(message)
            | ApiError::Unauthorized(message)
            | ApiError::Forbidden(message)
            | ApiError::NotFound(message)
            | ApiError::Invalid(message)
            | ApiError::Conflict(message)
            | ApiError::ReadOnly(message)
            | ApiError::Gone(message)
            | ApiError::UnsupportedMediaType(message)
            | ApiError::Full(message)
            | ApiError::Unknown(message, _)
            | ApiError::TooSlow(message)
            | ApiError::Unavailable(message, _) => message,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = match &self {
            ApiError::Unknown(message, Some(id)) => requests::answer(self.status(), message, *id),
            _ => answer::message(self.status(), self.message()),
        };
        let headers = response.headers_mut();
        match &self {
            ApiError::Unauthorized(_) => {
                headers
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"stockade\""));
            }
            ApiError::ReadOnly(_) => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
            }
            ApiError::Unavailable(_, after) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
            }
            ApiError::Unknown(..) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
            }
            _ => {}
        }
        response
    }
}

impl From<raft::Error> for ApiError {
    fn from(error: raft::Error) -> ApiError {
        match error {
            raft::Error::Unavailable { message, retry_after } => ApiError::Unavailable(message, retry_after),
            raft::Error::Refused(reason) => ApiError::Conflict(reason),
            raft::Error::NotFound(reason) => ApiError::NotFound(reason),
            raft::Error::OutcomeUnknown { id, .. } => ApiError::Unknown(error.to_string(), id),
            raft::Error::Full(message) => ApiError::Full(message),
            raft::Error::Overloaded(_) | raft::Error::Stopped(_) => {
                ApiError::Unavailable(error.to_string(), Duration::from_secs(1))
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let message = refusal.to_string();
        match refusal {
            Refusal::NotFound(_) => ApiError::NotFound(message),
            Refusal::Conflict(_) => ApiError::Conflict(message),
            Refusal::Forbidden(_) => ApiError::Forbidden(message),
            Refusal::Guarded(_) | Refusal::KeyReused(_) => ApiError::Invalid(message),
        }
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> ApiError {
        ApiError::Invalid(malformed.to_string())
    }
}

pub(crate) async fn no_such_route(uri: Uri) -> ApiError {
    ApiError::NotFound(format!("there is no `{}` here", uri.path()))
}

pub(crate) async fn no_such_method(request: Request) -> Response {
    let message = format!("`{}` does not take {}", request.uri().path(), request.method());
    answer::message(StatusCode::METHOD_NOT_ALLOWED, &message)
}

/// The answer to a request whose body a limit of ours broke off.
pub(crate) fn broken_off(share: &Share) -> Option<Response> {
    let mut response = share.broken()?.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// What the layers around us refuse (a body too large, a bad path) is plain text; it gets our one shape. A body that
/// a limit of ours broke off is a bad request to those who read it; the limit says what it is.
pub(crate) async fn as_json(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let share = request.extensions().get::<Arc<Share>>().cloned();
    let response = next.run(request).await;
    if let Some(response) = share.and_then(|share| broken_off(&share)) {
        return response;
    }
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == answer::JSON);
    if !(status.is_client_error() || status.is_server_error()) || ours {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, FOREIGN_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let reason = status.canonical_reason().unwrap_or("refused");
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = app.settings.body_bytes_max >> 20;
            format!("the body is larger than {limit} MiB, the limit of this node")
        }
        _ if text.is_empty() => reason.to_lowercase(),
        _ => text,
    };
    let mut answer = answer::message(status, &text);
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer.map(Body::new)
}
