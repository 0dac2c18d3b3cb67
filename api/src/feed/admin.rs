//! `/admin/feeds`: what feeds there are, and what each shows.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Frozen, Kind, NamedFeed, Operation, Profile, Published};
use serde::{Deserialize, Serialize};

use super::rendering;
use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// What a feed is to show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    kind: String,
    #[serde(default)]
    query: String,
    format: Option<String>,
    #[serde(default)]
    description: String,
    freeze_percent: Option<u32>,
}

/// A feed, as it is shown.
#[derive(Serialize)]
struct View<'f> {
    name: &'f str,
    /// Where it is fetched.
    path: String,
    kind: &'static str,
    query: &'f str,
    format: &'f str,
    description: &'f str,
    freeze_percent: Option<u32>,
    account: &'f str,
    changed: String,
    /// What growth is measured against; only of a feed that freezes.
    published: Option<PublishedView>,
    frozen: Option<FrozenView>,
}

#[derive(Serialize)]
struct PublishedView {
    index: u64,
    time: String,
    count: u64,
}

#[derive(Serialize)]
struct FrozenView {
    index: u64,
    time: String,
    kept: u64,
    found: u64,
}

impl<'f> From<&'f Arc<NamedFeed>> for View<'f> {
    fn from(feed: &'f Arc<NamedFeed>) -> View<'f> {
        let Profile { kind, query, format, description, freeze_percent } = &feed.profile;
        let Published { index, time, count } = feed.published;
        let published = PublishedView { index, time: time.to_string(), count };
        let extension = rendering(&feed.profile).map_or("txt", |rendering| rendering.extension());
        View {
            name: &feed.name,
            path: format!("/feed/{}.{extension}", feed.name),
            kind: kind.name(),
            query,
            format,
            description,
            freeze_percent: *freeze_percent,
            account: &feed.account,
            changed: feed.changed.to_string(),
            published: freeze_percent.map(|_| published),
            frozen: feed.frozen.map(|Frozen { index, time, kept, found }| FrozenView {
                index,
                time: time.to_string(),
                kept,
                found,
            }),
        }
    }
}

impl Asked {
    fn profile(self) -> Result<Profile, ApiError> {
        let kind: Kind = self.kind.parse().map_err(|()| {
            let allowed = Kind::ALL.map(Kind::name).join(", ");
            ApiError::Invalid(format!("kind `{}` is not known; allowed: {allowed}", self.kind))
        })?;
        let query = self.query.trim();
        Ok(Profile {
            kind,
            query: query.strip_prefix('?').unwrap_or(query).into(),
            // Values, one a line: what most firewalls take.
            format: self.format.as_deref().unwrap_or("txt").into(),
            description: self.description.into(),
            freeze_percent: self.freeze_percent,
        })
    }
}

pub(crate) async fn all(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let picture = app.cluster.picture();
    let views: Vec<View> = picture.list.feeds().map(View::from).collect();
    app.read_headers(answer::json(StatusCode::OK, &views), picture.index)
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    Ok(app.read_headers(view(&app, &name, StatusCode::OK)?, picture.index))
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |error| ApiError::BadRequest(format!("this is no feed: {error}"));
    let feed = serde_json::from_slice::<Asked>(&body).map_err(invalid)?.profile()?;
    // What a device would be told then is told the admin now.
    rendering(&feed)?;
    let known = app.cluster.picture().list.feed(&name).is_some();
    let operation = Operation::PutFeed { name: name.as_str().into(), feed };
    let index = app.decide(operator.command(operation)).await?;
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer::at_index(view(&app, &name, status)?, index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let index = app.decide(operator.command(Operation::DeleteFeed(name.into()))).await?;
    Ok(answer::done("feed successfully deleted", index))
}

/// Lets a frozen feed go on.
pub(crate) async fn publish(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    operator: Operator,
) -> Result<Response, ApiError> {
    let index = app.decide(operator.command(Operation::PublishFeed(name.as_str().into()))).await?;
    Ok(answer::at_index(view(&app, &name, StatusCode::OK)?, index))
}

fn view(app: &App, name: &str, status: StatusCode) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    let unknown = || ApiError::NotFound(format!("feed `{name}` does not exist"));
    Ok(answer::json(status, &View::from(picture.list.feed(name).ok_or_else(unknown)?)))
}
