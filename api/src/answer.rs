//! Answers in JSON, written without intermediate values where it matters.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::error::ApiError;

pub(crate) const JSON: &str = "application/json";
/// The log index that an answer reflects.
pub(crate) const INDEX: HeaderName = HeaderName::from_static("stockade-index");
/// Seconds since this node last heard from a leader; missing when it never did.
pub(crate) const LAG: HeaderName = HeaderName::from_static("stockade-lag");
/// How many reports in an answer wait on this node for a majority.
pub(crate) const PENDING: HeaderName = HeaderName::from_static("stockade-pending");
/// How many entries a list holds.
pub(crate) const COUNT: HeaderName = HeaderName::from_static("stockade-count");
/// How many entries `limit` cut off a list.
pub(crate) const TRUNCATED: HeaderName = HeaderName::from_static("stockade-truncated");
/// How many entries cannot be had in the form that was asked for: networks for a device of hosts, IPv6 for one of IPv4.
pub(crate) const SKIPPED: HeaderName = HeaderName::from_static("stockade-skipped");
/// What to ask with, as `cursor=`, for the entries that `limit` cut off.
pub(crate) const CURSOR: HeaderName = HeaderName::from_static("stockade-cursor");

/// `{"message":…}`
pub(crate) fn message(status: StatusCode, message: &str) -> Response {
    json(status, &Message { message })
}

/// The body of the same, for where there is no response to put it in.
pub(crate) fn message_text(message: &str) -> Vec<u8> {
    // A struct of one text is always written.
    serde_json::to_vec(&Message { message }).unwrap_or_default()
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

/// Any value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => body(status, HeaderValue::from_static(JSON), bytes.into()),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            let body_bytes = br#"{"message":"the answer could not be written"}"#.as_slice();
            body(StatusCode::INTERNAL_SERVER_ERROR, HeaderValue::from_static(JSON), body_bytes.into())
        }
    }
}

/// Bytes of some type, whole.
pub(crate) fn body(status: StatusCode, content_type: HeaderValue, bytes: bytes::Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// The value of a header.
pub(crate) fn text(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(|error| ApiError::Invalid(error.to_string()))
}

/// The same answer, saying that its form depends on what the client accepts.
pub(crate) fn negotiated(mut response: Response) -> Response {
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Says how many reports in an answer wait for a majority, if any.
pub(crate) fn say_pending(response: &mut Response, pending: u64) {
    if pending > 0 {
        response.headers_mut().insert(PENDING, HeaderValue::from(pending));
    }
}

/// A time as `1.234`.
pub(crate) fn seconds(time: Duration) -> HeaderValue {
    let time = time.saturating_add(Duration::from_micros(500));
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    // Of nearly every answer: a leader says something every tenth of a second.
    if seconds == 0 {
        let digit = |power: u32| b'0' + (millis / power % 10) as u8;
        let text = [b'0', b'.', digit(100), digit(10), digit(1)];
        return HeaderValue::from_bytes(&text).expect("digits are a header's value");
    }
    HeaderValue::try_from(format!("{seconds}.{millis:03}")).expect("digits are a header's value")
}

/// Says that something was done, and at which index.
pub(crate) fn done(text: &str, index: u64) -> Response {
    at_index(message(StatusCode::OK, text), index)
}

/// The same answer, saying which index it reflects.
pub(crate) fn at_index(mut response: Response, index: u64) -> Response {
    response.headers_mut().insert(INDEX, HeaderValue::from(index));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_decimals() {
        let rows = [
            (0, "0.000"),
            (499, "0.000"),
            (500, "0.001"),
            (98_765, "0.099"),
            (999_499, "0.999"),
            (999_500, "1.000"),
            (1_234_567, "1.235"),
            (61_040_000, "61.040"),
        ];
        for (micros, expected) in rows {
            assert_eq!(seconds(Duration::from_micros(micros)), expected, "{micros}");
        }
    }
}
