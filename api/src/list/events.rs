//! `GET /<kind>/events?since=INDEX`: the changes as server-sent events (WHATWG HTML, section 9.2). The id of an event
//! is its index, so a reader that comes back, to any node, goes on where it was. An event is made when the
//! reader has taken the one before: a slow reader gets fewer and larger ones, and nothing piles up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use raft::blocklist::Kind;
use tokio::sync::OwnedSemaphorePermit;

use super::KindOf;
use super::changes::reached;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::Field;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// A comment goes out when nothing else did for so long, so that nobody takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One reader, and how far it is.
struct Follower {
    app: Arc<App>,
    headers: HeaderMap,
    kind: Kind,
    fields: Vec<Field>,
    since: u64,
    _place: OwnedSemaphorePermit,
}

pub(crate) async fn events(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["since", "fields"]];
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    let fields = Field::parse_list(parameters.get("fields"))?;
    let since = match last_event_id(&headers)? {
        Some(index) => Some(index),
        None => parameters.number("since")?,
    };
    let place = app.followers.enter()?;
    let picture = reached(&app, since.unwrap_or(0), freshness(&parameters)?).await?;
    let follower = Follower {
        app: app.clone(),
        headers,
        kind,
        fields,
        since: since.unwrap_or(picture.index),
        _place: place,
    };
    let events = stream::unfold(Some(follower), |follower| async { follower?.next().await });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // nginx, put before a node for its TLS, would else hold events back until a buffer is full.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(app.read_headers(response, picture.index))
}

/// Where a reader that comes back has been; it is stronger than the `since` of its URL.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let index = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    index.map(Some).ok_or_else(|| ApiError::BadRequest("Last-Event-ID is not an index".into()))
}

type Next = Option<(Result<Event, Infallible>, Option<Follower>)>;

impl Follower {
    /// The next event, and who waits for the one after it; nothing when the node stops, or when the credentials
    /// are not good any more.
    async fn next(mut self) -> Next {
        let moment = self.app.following.changed(&self.app.cluster, self.kind, self.since).await?;
        self.app.credentials.verify(&self.headers, &moment.picture.list).await.ok()?;
        let index = moment.picture.index;
        match moment.changes(self.kind, self.since, &self.fields).await {
            Ok(json) => {
                let event = Event::default().event("changes").id(index.to_string());
                let event = event.data(String::from_utf8_lossy(json.trim_ascii_end()));
                self.since = index;
                Some((Ok(event), Some(self)))
            }
            Err(ApiError::Gone(message)) => Some((Ok(Event::default().event("gone").data(message)), None)),
            Err(error) => {
                tracing::error!(?error, "a stream of changes has ended");
                None
            }
        }
    }
}
