//! `GET /v1/decisions/stream`: everything for a bouncer that starts or is not known here, and after that what is new
//! and what has ended. `HEAD` is how others test a key, and moves no cursor.

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use raft::{Freshness, Picture};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::bouncer::{Bouncer, field, takes_at_most, takes_ranges};
use super::cursors::{Mark, Marks};
use super::decision::Decision;
use super::delta::{News, Question};
use super::filter::{Asked, Filter};
use super::{INLINE_MAX, json};
use crate::answer;
use crate::app::{self, App};
use crate::error::ApiError;

/// Shorter answers go as they are.
const PACKED_FROM_BYTES: usize = 1_024;

#[derive(Serialize)]
struct Body<'a> {
    deleted: Vec<Decision<'a>>,
    new: Vec<Decision<'a>>,
}

/// The bytes of an answer, and what its headers say.
struct Written {
    bytes: Vec<u8>,
    /// They are those of a gzip file.
    packed: bool,
    count: usize,
    too_wide: usize,
    beyond: usize,
}

pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
    bouncer: Bouncer,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref())?;
    let question = Question {
        filter: Filter::read(&asked)?,
        ranges: takes_ranges(&bouncer.agent, uri.path()),
        max: takes_at_most(uri.path())?,
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
    let packing = offers_gzip(&headers);
    let written = if picture.list.count(raft::blocklist::Kind::Ip) <= INLINE_MAX {
        write(&question, &picture, marks.as_ref(), packing)?
    } else {
        tokio::task::spawn_blocking(move || write(&question, &picture, marks.as_ref(), packing))
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
    if written.packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let left_out = written.too_wide + written.beyond;
    if left_out > 0 {
        headers.insert(answer::TRUNCATED, HeaderValue::from(left_out));
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

fn write(
    question: &Question,
    picture: &Picture,
    marks: Option<&Marks>,
    packing: bool,
) -> Result<Written, ApiError> {
    let News { new, deleted, too_wide, beyond } = question.answer(picture, marks);
    let count = new.len();
    let body = Body {
        deleted: deleted.into_iter().map(|value| Decision::ended(value, picture.index)).collect(),
        new: new.into_iter().map(|(value, entry)| Decision::of(value, entry, question.now)).collect(),
    };
    let failed =
        |error: &dyn Display| raft::Error::Stopped(format!("the decisions could not be written: {error}"));
    let bytes = serde_json::to_vec(&body).map_err(|error| failed(&error))?;
    if !packing || bytes.len() < PACKED_FROM_BYTES {
        return Ok(Written { bytes, packed: false, count, too_wide, beyond });
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packer.write_all(&bytes).and_then(|()| packer.finish());
    let bytes = packed.map_err(|error| failed(&error))?;
    Ok(Written { bytes, packed: true, count, too_wide, beyond })
}

/// Whether the bouncer says that it takes gzip, as those in Go do. Of the others some do not: upstream packs nothing.
fn offers_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_say_that_they_take_it() {
        let rows = [
            (&["gzip"][..], true),
            (&["deflate, GZIP;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=x"], false),
            // A star is no word of theirs.
            (&["*"], false),
            (&["identity"], false),
            (&[], false),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(offers_gzip(&headers), expected, "{values:?}");
        }
    }
}
