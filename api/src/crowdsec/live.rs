//! `GET /v1/decisions`: what holds for one address, or within a network. Nothing is the word `null` and not one byte
//! more: bouncers compare.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use raft::blocklist::{Kind, Observable, Timestamp};
use raft::{Freshness, Picture};

use super::blocked::Blocked;
use super::bouncer::Bouncer;
use super::decision::Decision;
use super::filter::{Asked, Filter};
use super::{INLINE_MAX, json};
use crate::app::{self, App};
use crate::error::ApiError;

/// Which part of all that matches.
pub(super) struct Part {
    offset: usize,
    limit: usize,
    /// Only what has a greater id.
    after: u64,
}

impl Part {
    pub(super) fn read(asked: &Asked) -> Result<Part, ApiError> {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Part {
            offset: asked.number("offset")?.map_or(0, size),
            limit: asked.number("limit")?.map_or(usize::MAX, size),
            after: asked.number("id_gt")?.unwrap_or(0),
        })
    }
}

pub(crate) async fn live(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _bouncer: Bouncer,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref())?;
    let (filter, part) = (Filter::read(&asked)?, Part::read(&asked)?);
    let picture = app.cluster.read(&Freshness::default()).await?;
    let index = picture.index;
    let now = app::now();
    let bytes = if filter.inner().is_some() || picture.list.count(Kind::Ip) <= INLINE_MAX {
        write(&picture, &filter, &part, now)?
    } else {
        tokio::task::spawn_blocking(move || write(&picture, &filter, &part, now))
            .await
            .map_err(|_| raft::Error::Stopped("the decisions could not be written".into()))??
    };
    Ok(app.read_headers(json(bytes), index))
}

pub(super) fn write(
    picture: &Picture,
    filter: &Filter,
    part: &Part,
    now: Timestamp,
) -> Result<Vec<u8>, ApiError> {
    let blocked = Blocked { list: &picture.list, filter, ranges: true, max: None };
    let lines = match filter.inner() {
        Some(network) => {
            let inner = Observable::Ip(network);
            let own = picture.list.get(&inner);
            let around = picture.list.containing(&inner);
            let entries = own.into_iter().chain(around);
            entries.flat_map(|entry| blocked.lines_of(entry).map(move |line| (line, entry))).collect()
        }
        None => blocked.all().lines,
    };
    let lines = lines.into_iter().filter(|(_, entry)| entry.index > part.after);
    let decisions =
        lines.skip(part.offset).take(part.limit).map(|(line, entry)| Decision::of(line, entry, now));
    let decisions: Vec<Decision<'_>> = decisions.collect();
    if decisions.is_empty() {
        return Ok(b"null".to_vec());
    }
    serde_json::to_vec(&decisions)
        .map_err(|error| raft::Error::Stopped(format!("the decisions could not be written: {error}")).into())
}
