//! `GET /<kind>/changes?since=INDEX&wait=30s`: what came and what went since an index. The index is good on any
//! node; the answer's index is the `since` of the next request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use raft::{Freshness, Picture};

use super::KindOf;
use super::following::Moment;
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{Field, only_json};
use crate::freshness::{self, freshness};
use crate::parameters::{Parameters, duration};

/// The longest wait of one request.
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn changes(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["since", "wait", "fields", "format"]];
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    only_json(parameters.get("format"))?;
    let fields = Field::parse_list(parameters.get("fields"))?;
    let wait = wait(&parameters)?;
    let Some(since) = parameters.number("since")? else {
        let message = "`since` is missing: the index of the list that is to be brought up to date";
        return Err(ApiError::BadRequest(message.into()));
    };
    let picture = reached(&app, since, freshness(&parameters)?).await?;
    let changed = picture.list.last_changed(kind) > since;
    // What waits for a majority is in the list of this node alone; a moment that others share does without.
    let moment = if wait.is_zero() || (changed && picture.pending > 0) {
        Arc::new(Moment::of(picture))
    } else {
        drop(picture);
        let _place = (!changed).then(|| app.followers.enter()).transpose()?;
        let waited = tokio::time::timeout(wait, app.following.changed(&app.cluster, kind, since)).await;
        let moment = waited.ok().flatten().unwrap_or_else(|| Arc::new(Moment::of(app.cluster.picture())));
        // The account may have gone meanwhile.
        app.credentials.verify(&headers, &moment.picture.list).await?;
        moment
    };
    let response = match moment.changes(kind, since, &fields).await {
        Ok(bytes) => answer::body(StatusCode::OK, HeaderValue::from_static(answer::JSON), bytes),
        Err(error) => error.into_response(),
    };
    let mut response = app.read_headers(response, moment.picture.index);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The list once this node has applied `since`, which may come from a node that is ahead.
pub(super) async fn reached(
    app: &App,
    since: u64,
    mut freshness: Freshness,
) -> Result<Arc<Picture>, ApiError> {
    freshness.min_index = Some(freshness.min_index.map_or(since, |index| index.max(since)));
    Ok(app.cluster.read(&freshness).await?)
}

fn wait(parameters: &Parameters) -> Result<Duration, ApiError> {
    let Some(text) = parameters.get("wait") else { return Ok(Duration::ZERO) };
    let longest = WAIT_MAX.as_secs_f64();
    match duration(text) {
        Some(seconds) if (0.0..=longest).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(ApiError::BadRequest(format!("wait `{text}` is not a time from 0 to {longest}s"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_limit() {
        let rows = [
            ("", Some(0)),
            ("wait=0", Some(0)),
            ("wait=1500ms", Some(1500)),
            ("wait=30s", Some(30_000)),
            ("wait=1m", Some(60_000)),
            ("wait=61s", None),
            ("wait=-1", None),
            ("wait=", None),
            ("wait=long", None),
        ];
        for (query, millis) in rows {
            let parameters = Parameters::parse(Some(query), &[&["wait"]]).unwrap();
            assert_eq!(wait(&parameters).ok(), millis.map(Duration::from_millis), "{query}");
        }
    }
}
