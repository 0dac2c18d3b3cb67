//! An export as an HTTP answer: its tag, its coding, or that the client has it.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::body::{Run, Sending};
use super::coding::Coding;
use super::kept::BYTES_MAX;
use super::whole::Export;
use crate::answer;
use crate::app::App;
use crate::error::ApiError;

/// Room for the headers of an answer, so that it does not grow with each.
const HEADERS: usize = 12;

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
    let modified = if export.version > decided { date(export) } else { None };
    let (mut response, tag) = match known(asked, export, modified, coding) {
        Some(tag) => (empty(StatusCode::NOT_MODIFIED), tag),
        None => {
            make_pieces(app, export, coding).await?;
            let mut response = empty(StatusCode::OK);
            let run = Run::new(export.clone(), coding);
            *response.body_mut() = Body::new(Sending(run.clone()));
            response.extensions_mut().insert(run);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            if let Some(word) = coding.word() {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(word));
            }
            (response, export.tag(coding))
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag.clone());
    if let Some(modified) = modified {
        headers.insert(header::LAST_MODIFIED, modified.clone());
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
    if export.is_ready_in(coding) {
        return Ok(());
    }
    let export = export.clone();
    tokio::task::spawn_blocking(move || export.length_in(coding))
        .await
        .map_err(|_| raft::Error::Stopped("the list could not be compressed".into()))?;
    app.exports.trim();
    Ok(())
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
}

/// When the list changed last. A date that is yet to come is not told (RFC 9110, section 8.8.2.1).
fn date(export: &Export) -> Option<&HeaderValue> {
    let (moment, text) = export.modified.as_ref()?;
    (*moment <= SystemTime::now()).then_some(text)
}

/// The tag of this list when the client has it: by `If-None-Match`, in whichever coding it has it, or, where that is
/// not sent, by a date that is exactly this one. A later date says nothing: the node that it is from may have been
/// behind this one.
fn known<'e>(
    asked: &HeaderMap,
    export: &'e Export,
    modified: Option<&HeaderValue>,
    coding: Coding,
) -> Option<&'e HeaderValue> {
    if !asked.contains_key(header::IF_NONE_MATCH) {
        let since = asked.get(header::IF_MODIFIED_SINCE);
        return (since.is_some() && since == modified).then(|| export.tag(coding));
    }
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let named = |word: &str| {
        let word = word.trim();
        if word == "*" {
            return Some(export.tag(coding));
        }
        let word = word.strip_prefix("W/").unwrap_or(word);
        Coding::ALL.into_iter().map(|coding| export.tag(coding)).find(|tag| **tag == *word)
    };
    values.flat_map(|value| value.split(',')).find_map(named)
}
