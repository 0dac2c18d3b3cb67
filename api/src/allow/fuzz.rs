//! Changes to the allow list as the fuzzers make them.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use raft::blocklist::{Kind, NewAllow};
use serde_json::json;

use super::body::{Asked, Defaults, read};
use super::plain;
use crate::fuzzing::chosen;

const TYPES: [&str; 5] = ["application/json", "application/x-ndjson", "text/csv", "text/plain", ""];

fn read_as(kind: Option<Kind>, content_type: &str, body: &[u8]) -> Vec<NewAllow> {
    let value = HeaderValue::from_str(content_type).expect("a type is a header's value");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
    match read(&Defaults { kind, comment: "default".into() }, &headers, body) {
        Ok(Asked::One(allow)) => vec![allow],
        Ok(Asked::Many(items)) => {
            let refused = items.iter().filter_map(|item| item.as_ref().err());
            assert!(refused.into_iter().all(|refused| refused.line > 0 && !refused.reason.is_empty()));
            items.into_iter().flatten().map(|(_, allow)| allow).collect()
        }
        Err(error) => {
            assert!(!error.message().is_empty());
            Vec::new()
        }
    }
}

/// Digits for the kind (one beyond them is none) and the type, then the body, perhaps a warning list. What is read of
/// it reads alike with its kinds and comments beside it, and what needs no kind is recognised.
pub(crate) fn allows(data: &[u8]) {
    let Some((kind, data)) = chosen(data) else { return };
    let Some((media, body)) = chosen(data) else { return };
    let kind = Kind::ALL.get(kind % (Kind::ALL.len() + 1)).copied();
    let allows = read_as(kind, TYPES[media % TYPES.len()], body);
    let items: Vec<_> = allows
        .iter()
        .map(|NewAllow { value, comment }| {
            assert!(!comment.contains(char::is_control), "{comment:?}");
            json!({"value": value.to_string(), "kind": value.kind().name(), "comment": comment})
        })
        .collect();
    assert_eq!(read_as(None, TYPES[0], json!(items).to_string().as_bytes()), allows);
    for allow in &allows {
        let shown = allow.value.to_string();
        let line = plain::line(None, &shown);
        // A user name looks like nothing, and a mail address may hold what begins a remark.
        if matches!(allow.value.kind(), Kind::Ip | Kind::Url | Kind::Hash) {
            assert_eq!(
                (line.kind, line.value, line.comment),
                (allow.value.kind(), shown.as_str(), ""),
                "{shown}"
            );
        }
    }
}
