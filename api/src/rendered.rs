//! Lists that were rendered lately: many firewalls poll the same list, and it is rendered once a change.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Lists kept.
const LISTS_MAX: usize = 16;
/// Bytes kept, all lists together.
const BYTES_MAX: usize = 256 << 20;

/// An answer in one format, whole.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// A digest of the bytes: the same on every node, and after a change that they do not show.
    pub(crate) etag: String,
    /// Entries in it.
    pub(crate) count: usize,
    /// Entries that `limit` left out.
    pub(crate) truncated: usize,
    /// Entries that cannot be had in the form that was asked for.
    pub(crate) skipped: usize,
    /// The cursor to go on with.
    pub(crate) next: Option<String>,
}

impl Body {
    /// Bytes that hold so many entries, and have no next page.
    pub(crate) fn new(bytes: Vec<u8>, count: usize, truncated: usize) -> Body {
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..16]));
        Body { bytes: bytes.into(), etag, count, truncated, skipped: 0, next: None }
    }
}

/// The lists kept, by what they answer and the last change in them, the latest last.
#[derive(Default)]
pub(crate) struct Rendered(Mutex<VecDeque<(String, Body)>>);

impl Rendered {
    pub(crate) fn get(&self, key: &str) -> Option<Body> {
        let mut lists = self.0.lock();
        let at = lists.iter().position(|(known, _)| known == key)?;
        let found = lists.remove(at)?;
        let body = found.1.clone();
        lists.push_back(found);
        Some(body)
    }

    pub(crate) fn put(&self, key: String, body: Body) {
        let mut lists = self.0.lock();
        lists.retain(|(known, _)| *known != key);
        lists.push_back((key, body));
        while lists.len() > LISTS_MAX
            || lists.iter().map(|(_, body)| body.bytes.len()).sum::<usize>() > BYTES_MAX
        {
            lists.pop_front();
        }
    }
}
