//! An export as an HTTP answer: its tag, its coding, or that the client has it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::body::Sending;
use super::coding::Coding;
use super::kept::BYTES_MAX;
use super::whole::Export;
use crate::answer;
use crate::app::App;
use crate::error::ApiError;

/// A list, or that the client has it; says what it is and how much it leaves out. It is compressed where the client
/// asks for that and the compressed bytes can be kept: never for one request. `decided` is the log index at which it was
/// decided what is found here: only a list that has changed since is known by its date.
pub(crate) async fn answer(
    app: &App,
    asked: &HeaderMap,
    content_type: HeaderValue,
    export: &Arc<Export>,
    decided: u64,
) -> Result<Response, ApiError> {
    let lasting = export.is_kept && export.length <= BYTES_MAX / 2;
    let coding = if lasting { Coding::asked_for(asked) } else { Coding::Identity };
    let modified = if export.version > decided { date(export, SystemTime::now()) } else { None };
    let (mut response, tag) = match known(asked, export, modified.as_deref(), coding) {
        Some(tag) => (empty(StatusCode::NOT_MODIFIED), tag),
        None => {
            make_pieces(app, export, coding).await?;
            let mut response = empty(StatusCode::OK);
            *response.body_mut() = Body::new(Sending::new(export.clone(), coding));
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            if let Some(word) = coding.word() {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(word));
            }
            (response, tag(export, coding))
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, answer::text(&tag)?);
    if let Some(modified) = modified {
        headers.insert(header::LAST_MODIFIED, answer::text(&modified)?);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(answer::COUNT, HeaderValue::from(export.count));
    if export.truncated > 0 {
        headers.insert(answer::TRUNCATED, HeaderValue::from(export.truncated));
    }
    if export.skipped > 0 {
        headers.insert(answer::SKIPPED, HeaderValue::from(export.skipped));
    }
    Ok(response)
}

/// Compressing takes its time the first time.
async fn make_pieces(app: &App, export: &Arc<Export>, coding: Coding) -> Result<(), ApiError> {
    if coding == Coding::Identity || export.has_pieces(coding) {
        return Ok(());
    }
    let export = export.clone();
    tokio::task::spawn_blocking(move || export.pieces(coding).length)
        .await
        .map_err(|_| raft::Error::Stopped("the list could not be compressed".into()))?;
    app.exports.trim();
    Ok(())
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A strong tag: other bytes, other tag (RFC 9110, section 8.8.3.3).
fn tag(export: &Export, coding: Coding) -> String {
    match coding.word() {
        None => format!("\"{}\"", export.digest),
        Some(word) => format!("\"{}-{word}\"", export.digest),
    }
}

/// When the list changed last. A date that is yet to come is not told (RFC 9110, section 8.8.2.1).
fn date(export: &Export, now: SystemTime) -> Option<String> {
    let since = u64::try_from(export.modified?.0).ok()?;
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))?;
    (moment <= now).then(|| httpdate::fmt_http_date(moment))
}

/// The tag of this list when the client has it: by `If-None-Match`, in whichever coding it has it, or, where that is
/// not sent, by a date that is exactly this one. A later date says nothing: the node that it is from may have been
/// behind this one.
fn known(asked: &HeaderMap, export: &Export, modified: Option<&str>, coding: Coding) -> Option<String> {
    if !asked.contains_key(header::IF_NONE_MATCH) {
        let since = asked.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
        return (since.is_some() && since == modified).then(|| tag(export, coding));
    }
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let named = |word: &str| {
        let word = word.trim();
        if word == "*" {
            return Some(tag(export, coding));
        }
        let hex = word.trim_start_matches("W/").strip_prefix('"')?.strip_prefix(export.digest.as_str())?;
        let of_coding = |coding: &Coding| match coding.word() {
            None => hex == "\"",
            Some(word) => hex.strip_prefix('-').and_then(|hex| hex.strip_suffix('"')) == Some(word),
        };
        Coding::ALL.into_iter().find(of_coding).map(|coding| tag(export, coding))
    };
    values.flat_map(|value| value.split(',')).find_map(named)
}
