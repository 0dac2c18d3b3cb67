//! The protocol of CrowdSec's bouncers: what a CrowdSec agent would tell a firewall, told by a node. The list is
//! never stored for it, nothing goes through the log, and every answer is made of what this node has.
//!
//! `bouncer` says who asks, `filter` what for, `blocked` what that is of a list, `delta` what of it is news,
//! `cursors` where each bouncer was, and `decision` is how it is written.

mod blocked;
mod bouncer;
mod cursors;
mod decision;
mod delta;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod live;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

pub(crate) use cursors::Cursors;
pub(crate) use live::live;
pub(crate) use stream::stream;
pub(crate) use usage::usage;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::answer;

/// Longer lists are looked through on a thread that may take its time.
const INLINE_MAX: usize = 2_000;
/// What upstream calls its answers.
const CONTENT_TYPE: &str = "application/json; charset=utf-8";

fn json(bytes: Vec<u8>) -> Response {
    answer::body(StatusCode::OK, HeaderValue::from_static(CONTENT_TYPE), bytes.into())
}
