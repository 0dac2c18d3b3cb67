//! What a query for a whole list means, remembered by its words: firewalls send the same one all day.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use parking_lot::RwLock;
use raft::Freshness;
use raft::blocklist::Kind;

use super::all::Rendering;
use crate::error::ApiError;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// Queries remembered; at the limit all are forgotten.
const REMEMBERED_MAX: usize = 1024;
/// The longest query that is remembered, with the `Accept` header.
const WORDS_BYTES_MAX: usize = 1024;

/// A list in one form, as fresh as asked.
pub(crate) struct Wanted {
    pub(super) rendering: Rendering,
    pub(super) freshness: Freshness,
    pub(super) parameters: Parameters,
}

/// What was asked for before.
#[derive(Default)]
pub(crate) struct Queries {
    known: RwLock<HashMap<u64, Known>>,
    /// Keyed by chance, so that nobody can make queries push each other out.
    hashing: RandomState,
}

struct Known {
    kind: Kind,
    query: Option<Box<str>>,
    accept: Option<Box<[u8]>>,
    wanted: Arc<Wanted>,
}

impl Queries {
    /// What these words mean.
    pub(super) fn read(
        &self,
        kind: Kind,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Arc<Wanted>, ApiError> {
        let accept = headers.get(header::ACCEPT).map(|value| value.as_bytes());
        let hash = self.hashing.hash_one((kind, query, accept));
        let same = |known: &&Known| {
            (known.kind, known.query.as_deref(), known.accept.as_deref()) == (kind, query, accept)
        };
        if let Some(known) = self.known.read().get(&hash).filter(same) {
            return Ok(known.wanted.clone());
        }
        let wanted = Arc::new(Wanted::read(kind, query, headers)?);
        let length = query.map_or(0, str::len) + accept.map_or(0, <[u8]>::len);
        if wanted.rendering.recipe.query.is_worth_keeping() && length <= WORDS_BYTES_MAX {
            let (query, accept) = (query.map(Into::into), accept.map(Into::into));
            let mut known = self.known.write();
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(hash, Known { kind, query, accept, wanted: wanted.clone() });
        }
        Ok(wanted)
    }
}

impl Wanted {
    fn read(kind: Kind, query: Option<&str>, headers: &HeaderMap) -> Result<Wanted, ApiError> {
        let words = [&[&freshness::WORDS[..]], &Rendering::WORDS[..]].concat();
        let parameters = Parameters::parse(query, &words)?;
        let rendering = Rendering::read(kind, &parameters, headers)?;
        let min_index = rendering.recipe.query.min_index();
        let mut freshness = freshness(&parameters)?;
        freshness.min_index = freshness.min_index.max(min_index);
        // Pages are taken from any node, so they hold what all nodes have.
        freshness.exclude_pending |= min_index.is_some();
        Ok(Wanted { rendering, freshness, parameters })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_same_words_are_read_once_and_others_on_their_own() {
        let queries = Queries::default();
        let accepting = |accept: Option<&'static str>| {
            HeaderMap::from_iter(accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept))))
        };
        let read = |kind, query, accept| queries.read(kind, query, &accepting(accept)).unwrap();
        let first = read(Kind::Ip, Some("fields=value"), Some("text/csv"));
        assert_eq!(first.rendering.recipe.format.name(), "csv");
        assert!(Arc::ptr_eq(&first, &read(Kind::Ip, Some("fields=value"), Some("text/csv"))));
        let rows = [
            (Kind::Domain, Some("fields=value"), Some("text/csv"), "another kind"),
            (Kind::Ip, Some("fields=comment"), Some("text/csv"), "another query"),
            (Kind::Ip, None, Some("text/csv"), "no query"),
            (Kind::Ip, Some("fields=value"), Some("text/plain"), "another Accept"),
            (Kind::Ip, Some("fields=value"), None, "no Accept"),
        ];
        for (kind, query, accept, why) in rows {
            let other = read(kind, query, accept);
            assert!(other.rendering.recipe != first.rendering.recipe, "{why}");
            assert!(Arc::ptr_eq(&other, &read(kind, query, accept)), "{why}");
        }
    }

    #[test]
    fn what_follows_the_clock_or_is_wrong_or_long_is_read_each_time() {
        let queries = Queries::default();
        let headers = HeaderMap::new();
        let long = format!("tag={}", vec!["a"; WORDS_BYTES_MAX].join(","));
        for query in ["seen_within=1h", &long] {
            let first = queries.read(Kind::Ip, Some(query), &headers).unwrap();
            let second = queries.read(Kind::Ip, Some(query), &headers).unwrap();
            assert!(!Arc::ptr_eq(&first, &second), "{query}");
        }
        assert!(queries.read(Kind::Ip, Some("formta=csv"), &headers).is_err());
        assert!(queries.known.read().is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let queries = Queries::default();
        for number in 0..=REMEMBERED_MAX {
            queries.read(Kind::Ip, Some(&format!("limit={number}")), &HeaderMap::new()).unwrap();
        }
        assert_eq!(queries.known.read().len(), 1);
    }
}
