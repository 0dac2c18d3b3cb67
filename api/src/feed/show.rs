//! Handing out a feed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use raft::Picture;
use raft::blocklist::NamedFeed;

use super::file::Asked;
use super::{frozen, rendering};
use crate::app::App;
use crate::auth::Caller;
use crate::consumers::AnsweredFor;
use crate::error::ApiError;
use crate::export::{self, Export, Moment};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;
use crate::{answer, credentials, list};

/// The index at which the feed froze: what is shown is the list before it.
const FROZEN: HeaderName = HeaderName::from_static("stockade-frozen");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// When to come back to a feed that this node cannot show.
const RETRY_AFTER: Duration = Duration::from_secs(60);

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    hand_out(&app, &file, query.as_deref(), &headers).await
}

pub(crate) async fn by_token(
    State(app): State<Arc<App>>,
    Path((token, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let holder = credentials::holder_of(&token, &app.cluster.decided().list)?;
    let mut response = hand_out(&app, &file, query.as_deref(), &headers).await?;
    response.extensions_mut().insert(AnsweredFor(holder.username.clone()));
    Ok(response)
}

async fn hand_out(
    app: &Arc<App>,
    file: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query, &[&freshness::WORDS])?;
    let mut freshness = freshness(&parameters)?;
    let mut picture = app.cluster.read(&freshness).await?;
    if picture.pending > 0 && Asked::read(file, &picture.list)?.feed.profile.freeze_percent.is_some() {
        // Whether a feed is frozen is judged alike on every node, and so on what every node has.
        freshness.exclude_pending = true;
        picture = app.cluster.read(&freshness).await?;
    }
    let Asked { feed, file, checksum } = Asked::read(file, &picture.list)?;
    let (index, pending) = (picture.index, picture.pending);
    let (mut content_type, mut export) = content(app, &feed, picture).await?;
    if let Some(checksum) = checksum {
        content_type = PLAIN;
        let key = format!("{checksum:?} {file} {}", export.digest);
        export = match app.exports.named(&key) {
            Some(known) => known,
            None => {
                let file = file.to_owned();
                let sum = blocking(move || Arc::new(checksum.of(&export, &file))).await?;
                app.exports.put_named(key, sum.clone());
                sum
            }
        };
    }
    let decided = if feed.frozen.is_some() { u64::MAX } else { feed.published.index };
    let mut response = export::answer(app, headers, content_type, &export, decided).await?;
    if let Some(frozen) = &feed.frozen {
        response.headers_mut().insert(FROZEN, HeaderValue::from(frozen.index));
    }
    answer::say_pending(&mut response, pending);
    Ok(app.read_headers(response, export.at_least(index)))
}

async fn content(
    app: &Arc<App>,
    feed: &NamedFeed,
    picture: Arc<Picture>,
) -> Result<(HeaderValue, Arc<Export>), ApiError> {
    // It was read when it was put. If this node cannot read it, others can.
    let rendering = rendering(&feed.profile).map_err(|error| {
        let (name, why) = (&feed.name, error.message());
        ApiError::Unavailable(format!("this node cannot write the feed `{name}`: {why}"), RETRY_AFTER)
    })?;
    let content_type = rendering.content_type();
    let Some(frozen) = feed.frozen else {
        // Of a feed that may freeze, nothing may show that came after the list it was judged by.
        let moment = if feed.profile.freeze_percent.is_some() { Moment::Exactly } else { Moment::OrLater };
        return Ok((content_type, list::export(app, &rendering, picture, moment).await?));
    };
    let key = frozen::file_name(feed, &frozen);
    if let Some(export) = app.exports.named(&key) {
        return Ok((content_type, export));
    }
    let path = frozen::directory(&app.settings.data).join(&key);
    let still = picture.frozen_at(&feed.name);
    let found = blocking(move || match frozen::read(&path) {
        Ok(export) => Some(export),
        Err(error) => {
            tracing::debug!(%error, path = %path.display(), "a frozen feed is not on disk");
            still.map(|still| rendering.render(&still))
        }
    });
    let Some(export) = found.await? else {
        let sentence = format!(
            "the feed `{}` is frozen since index {}, and this node was not there: ask another one, or let an admin \
             send POST /admin/feeds/{}/publish",
            feed.name, frozen.index, feed.name
        );
        return Err(ApiError::Unavailable(sentence, RETRY_AFTER));
    };
    let export = Arc::new(export);
    app.exports.put_named(key, export.clone());
    Ok((content_type, export))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| raft::Error::Stopped("the feed could not be rendered".into()).into())
}
