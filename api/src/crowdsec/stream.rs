//! `GET /v1/decisions/stream`: everything for a bouncer that starts or is not known here, and after that what is new
//! and what has ended. `HEAD` is how others test a key, and moves no cursor.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use raft::{Freshness, Picture};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::bouncer::{Bouncer, field, takes_ranges};
use super::cursors::{Mark, Marks};
use super::decision::Decision;
use super::delta::{News, Question};
use super::filter::{Asked, Filter};
use super::{INLINE_MAX, json};
use crate::answer;
use crate::app::{self, App};
use crate::error::ApiError;

#[derive(Serialize)]
struct Body<'a> {
    deleted: Vec<Decision<'a>>,
    new: Vec<Decision<'a>>,
}

/// The bytes of an answer, and what its headers say.
struct Written {
    bytes: Vec<u8>,
    count: usize,
    too_wide: usize,
}

pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
    bouncer: Bouncer,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref())?;
    let question = Question {
        filter: Filter::read(&asked)?,
        ranges: takes_ranges(&bouncer.agent, uri.path()),
        firewall: bouncer.is_firewall(),
        // Upstream takes this one word only.
        startup: asked.get("startup") == Some("true"),
        now: app::now(),
    };
    let picture = app.cluster.read(&Freshness::default()).await?;
    let (index, pending) = (picture.index, picture.pending);
    if method == Method::HEAD {
        return Ok(app.read_headers(json(Vec::new()), index));
    }
    let key = key(&bouncer, &question);
    let mark = Mark { index, time: question.now, picture: Some(picture.clone()) };
    let startup = question.startup;
    let marks = app.cursors.marks(&key);
    let written = if picture.list.count(raft::blocklist::Kind::Ip) <= INLINE_MAX {
        write(&question, &picture, marks.as_ref())?
    } else {
        tokio::task::spawn_blocking(move || write(&question, &picture, marks.as_ref()))
            .await
            .map_err(|_| raft::Error::Stopped("the decisions could not be written".into()))??
    };
    app.cursors.told(key, mark, startup, Instant::now());
    if written.too_wide > 0 {
        let (count, account) = (written.too_wide, &*bouncer.caller.account.username);
        tracing::warn!(count, account, agent = bouncer.agent, "a bouncer cannot take the widest networks");
        app.cursors.note_too_wide(count);
    }
    let mut response = json(written.bytes);
    let headers = response.headers_mut();
    headers.insert(answer::COUNT, HeaderValue::from(written.count));
    if written.too_wide > 0 {
        headers.insert(answer::TRUNCATED, HeaderValue::from(written.too_wide));
    }
    answer::say_pending(&mut response, pending);
    Ok(app.read_headers(response, index))
}

/// Whose cursor this is: one bouncer may ask in several ways.
fn key(bouncer: &Bouncer, question: &Question) -> [u8; 32] {
    let mut digest = Sha256::new();
    field(&mut digest, &bouncer.identity);
    field(&mut digest, format!("{:?}", question.filter).as_bytes());
    digest.finalize().into()
}

fn write(question: &Question, picture: &Picture, marks: Option<&Marks>) -> Result<Written, ApiError> {
    let News { new, deleted, too_wide } = question.answer(picture, marks);
    let count = new.len();
    let body = Body {
        deleted: deleted.into_iter().map(|value| Decision::ended(value, picture.index)).collect(),
        new: new.into_iter().map(|(value, entry)| Decision::of(value, entry, question.now)).collect(),
    };
    let bytes = serde_json::to_vec(&body)
        .map_err(|error| raft::Error::Stopped(format!("the decisions could not be written: {error}")))?;
    Ok(Written { bytes, count, too_wide })
}
