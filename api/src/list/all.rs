//! `GET /<kind>/all`: the list, or what is asked for of it, without what is allowed or must never be listed. It
//! is written before the status line goes out, so that its length is known and it is never cut.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use raft::Picture;
use raft::blocklist::Kind;
use sha2::{Digest, Sha256};

use super::KindOf;
use super::filter::Filter;
use super::narrow::Narrow;
use super::query::Query;
use crate::answer;
use crate::app::{self, App};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::export::{self, Export, Moment, Recipe};
use crate::format::{Asked, Comments, IfEmpty, Knob};
use crate::parameters::Parameters;

/// When a firewall that wants no empty list may ask again.
const EMPTY_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A list in one form, or its digest.
pub(crate) struct Rendering {
    pub(crate) recipe: Arc<Recipe>,
    /// The digest of the list in place of the list.
    digest: bool,
}

pub(crate) async fn all(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    whole(&app, kind, query.as_deref(), &headers).await
}

/// The list, for a caller who may have it.
pub(crate) async fn whole(
    app: &App,
    kind: Kind,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let wanted = app.queries.read(kind, query, headers)?;
    let rendering = &wanted.rendering;
    let picture = app.cluster.read(&wanted.freshness).await?;
    let (index, pending) = (picture.index, picture.pending);
    let export = export(app, rendering, picture, Moment::OrLater).await?;
    let mut response = export::answer(app, headers, rendering.content_type(), &export, 0).await?;
    say_next(&mut response, &export, kind, &wanted.parameters)?;
    answer::say_pending(&mut response, pending);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    Ok(app.read_headers(response, export.at_least(index)))
}

/// What is asked for, as it is kept or written anew.
pub(crate) async fn export(
    app: &App,
    rendering: &Rendering,
    picture: Arc<Picture>,
    moment: Moment,
) -> Result<Arc<Export>, ApiError> {
    let export = app.exports.get(&rendering.recipe, picture, moment, || app.cluster.picture()).await?;
    if rendering.recipe.shape.knobs.if_empty == Some(IfEmpty::Unavailable) && export.count == 0 {
        let sentence = "the list is empty, and if_empty=503 wants none then";
        return Err(ApiError::Unavailable(sentence.into(), EMPTY_RETRY_AFTER));
    }
    if !rendering.digest {
        return Ok(export);
    }
    let name = format!("sha256 {} {} {:?}", export.digest, export.truncated, export.next);
    if let Some(known) = app.exports.named(&name) {
        return Ok(known);
    }
    let summed = tokio::task::spawn_blocking(move || Arc::new(summed(&export))).await;
    let summed = summed.map_err(|_| raft::Error::Stopped("the list could not be summed up".into()))?;
    app.exports.put_named(name, summed.clone());
    Ok(summed)
}

/// The SHA-256 of an export, in its place.
fn summed(export: &Export) -> Export {
    let mut digest = Sha256::new();
    export.plain().for_each(|piece| digest.update(piece));
    let text = format!("{}\n", hex::encode(digest.finalize()));
    let mut sum = Export::of_bytes(text.into_bytes(), export.count, export.truncated);
    (sum.skipped, sum.next) = (export.skipped, export.next.clone());
    sum
}

impl Rendering {
    /// All parameters that are read here.
    pub(crate) const WORDS: [&[&str]; 5] =
        [&Asked::WORDS, &Filter::WORDS, &Query::WORDS, &Narrow::WORDS, &Knob::WORDS];

    pub(crate) fn read(
        kind: Kind,
        parameters: &Parameters,
        headers: &HeaderMap,
    ) -> Result<Rendering, ApiError> {
        let asked = Asked::read(kind, parameters, headers)?;
        let query = Query::read(kind, &asked.parameters, app::now())?;
        if query.aggregate && !asked.shows_values_only() {
            let sentence =
                "aggregate=1 merges entries, of which only the value is left: ask for fields=value";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        let Asked { format, mut shape, .. } = asked;
        if query.aggregate && shape.knobs.comments == Some(Comments::Inline) {
            let sentence = "aggregate=1 merges entries, of which no comment is left: ask for comments=none";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        if kind != Kind::Ip && shape.knobs.if_empty == Some(IfEmpty::Sentinel) {
            let sentence = "if_empty=sentinel is an address, and means nothing to other kinds";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        shape.merged = query.aggregate;
        let recipe = Arc::new(Recipe::new(query, format, shape));
        Ok(Rendering { recipe, digest: parameters.get("sum").is_some() })
    }

    pub(crate) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.digest {
            true => "text/plain; charset=utf-8",
            false => self.recipe.format.content_type(),
        })
    }

    /// How a file of it is named.
    pub(crate) fn extension(&self) -> &'static str {
        self.recipe.format.extension()
    }

    /// The list of a picture that nobody will ask about again.
    pub(crate) fn render(&self, picture: &Picture) -> Export {
        let export = self.recipe.write(picture);
        if self.digest { summed(&export) } else { export }
    }
}

/// Says where the list goes on. A 304 says it too: the same bytes may have got a next page.
fn say_next(
    response: &mut Response,
    export: &Export,
    kind: Kind,
    parameters: &Parameters,
) -> Result<(), ApiError> {
    if let Some(cursor) = &export.next {
        let query = parameters.without("cursor");
        let headers = response.headers_mut();
        headers.insert(answer::CURSOR, answer::text(cursor)?);
        headers.insert(
            header::LINK,
            answer::text(&format!("</{kind}/all?{query}&cursor={cursor}>; rel=\"next\""))?,
        );
    }
    Ok(())
}
