//! The body of a change to the allow list: all that reports are sent in, lines of mixed kinds with comments, and
//! MISP's warning lists as they are published.

use std::sync::Arc;

use axum::http::HeaderMap;
use raft::blocklist::{Kind, NewAllow, Observable};

use super::{plain, warning_list};
use crate::error::ApiError;
use crate::list::body::{self, Reports};
use crate::list::bulk::{self, Item};
use crate::list::report::{self, RawReport};

/// What the query says of all entries of the body.
pub(super) struct Defaults {
    /// Of values that come without one; none is to be recognised.
    pub(super) kind: Option<Kind>,
    pub(super) comment: Arc<str>,
}

/// What a body asks for.
pub(super) enum Asked {
    /// One entry, answered for itself.
    One(NewAllow),
    /// Any number, a line each.
    Many(Vec<Item<NewAllow>>),
}

pub(super) fn read(defaults: &Defaults, headers: &HeaderMap, bytes: &[u8]) -> Result<Asked, ApiError> {
    if let Some(list) = warning_list::read(bytes) {
        return Ok(many(list.entries(defaults)?));
    }
    match body::read(None, headers, bytes)? {
        Reports::One(report) => {
            let entry = entry(defaults, &report).map_err(|refused| ApiError::Invalid(refused.reason))?;
            Ok(Asked::One(entry))
        }
        Reports::Many(lines) => Ok(many(lines.map(|line| {
            let report = line.report.map_err(|reason| Refused { value: String::new(), reason });
            (line.number, report.and_then(|report| entry(defaults, &report)))
        }))),
    }
}

/// A line that asks for nothing that can be done.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) value: String,
    pub(super) reason: String,
}

fn many(lines: impl Iterator<Item = (usize, Result<NewAllow, Refused>)>) -> Asked {
    let item = |(line, asked): (usize, Result<NewAllow, Refused>)| {
        asked.map(|allow| (line, allow)).map_err(|Refused { value, reason }| bulk::Refused {
            line,
            value,
            reason,
        })
    };
    Asked::Many(lines.map(item).collect())
}

/// The entry of a report. Its kind is the one that its value is named by, or that stands beside it, or that the
/// query names; else it is recognised.
fn entry(defaults: &Defaults, report: &RawReport<'_>) -> Result<NewAllow, Refused> {
    let new = |kind: Kind, text: &str, comment: Option<&str>| {
        let refused = |reason| Refused { value: text.to_owned(), reason };
        let value = Observable::parse(kind, text).map_err(|malformed| refused(malformed.to_string()))?;
        let comment = comment.map_or_else(|| defaults.comment.clone(), report::comment);
        Ok(NewAllow { value, comment })
    };
    if let Some(text) = report.line {
        let line = plain::line(defaults.kind, text);
        return new(line.kind, line.value, (!line.comment.is_empty()).then_some(line.comment));
    }
    let comment = report.comment.as_deref();
    if let Some((kind, text)) = report.named() {
        return new(kind, text, comment);
    }
    let text = report.value.as_deref().unwrap_or_default().trim();
    let refused = |reason| Refused { value: text.to_owned(), reason };
    if text.is_empty() {
        return Err(refused("`value` is missing".into()));
    }
    let kind = match report.kind.as_deref() {
        None => defaults.kind.unwrap_or_else(|| plain::recognise(text)),
        Some(word) => word.parse().map_err(|()| refused(format!("kind `{word}` is not known")))?,
    };
    new(kind, text, comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries that a body asks for as `line kind value: comment`, and the refused lines, or the error.
    fn told(kind: Option<Kind>, content_type: &str, body: &str) -> Result<Vec<String>, ApiError> {
        let headers =
            HeaderMap::from_iter([(axum::http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
        let show = |allow: &NewAllow| format!("{} {}: {}", allow.value.kind(), allow.value, allow.comment);
        let defaults = Defaults { kind, comment: "default".into() };
        Ok(match read(&defaults, &headers, body.as_bytes())? {
            Asked::One(allow) => vec![format!("one {}", show(&allow))],
            Asked::Many(items) => {
                let (allows, refused): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.is_ok());
                let allows = allows.into_iter().flatten();
                let lines = allows.map(|(number, allow)| format!("{number} {}", show(allow)));
                let refused = refused.into_iter().filter_map(|item| item.as_ref().err());
                let refused = refused.map(|refused| format!("{} refused: {}", refused.line, refused.reason));
                lines.chain(refused).collect()
            }
        })
    }

    #[track_caller]
    fn check(content_type: &str, body: &str, expected: &[&str]) {
        assert_eq!(told(None, content_type, body).unwrap(), expected, "{body}");
    }

    const JSON: &str = "application/json";

    #[test]
    fn entries_in_every_form() {
        check(JSON, r#"{"ip":"192.0.2.1","comment":"us"}"#, &["one ip 192.0.2.1: us"]);
        check(JSON, r#"{"value":"Example.org","kind":"domain"}"#, &["one domain example.org: default"]);
        check(JSON, r#"{"value":"bob@example.org"}"#, &["one email bob@example.org: default"]);
        check(JSON, r#"{"value":"root","kind":"username"}"#, &["one username root: default"]);
        check(
            JSON,
            r#"["192.0.2.0/24",{"domain":"example.org","comment":"a"},"https://example.org/x",7,{"value":"x","kind":"y"}]"#,
            &[
                "1 ip 192.0.2.0/24: default",
                "2 domain example.org: a",
                "3 url https://example.org/x: default",
                "4 refused: neither a report nor a value",
                "5 refused: kind `y` is not known",
            ],
        );
        check(
            "application/x-ndjson",
            "{\"value\":\"192.0.2.1\"}\n\"example.org\"\n{}\n",
            &["1 ip 192.0.2.1: default", "2 domain example.org: default", "3 refused: `value` is missing"],
        );
        check(
            "text/csv",
            "value,comment\n192.0.2.1,\"a, b\"\nexample.org,\n",
            &["2 ip 192.0.2.1: a, b", "3 domain example.org: default"],
        );
        check(
            "text/plain",
            "# ours\n192.0.2.1 # mail relay\n\n; no\n10.0.0.1/8\nexample.org\n",
            &[
                "2 ip 192.0.2.1: mail relay",
                "6 domain example.org: default",
                "5 refused: address `10.0.0.1/8` is not valid: host bits are set, `10.0.0.0/8` was probably meant",
            ],
        );
        check(
            JSON,
            r#"["192.0.2.1 # a remark"]"#,
            &["1 refused: domain `192.0.2.1 # a remark` is not valid"],
        );
        let hosts = told(Some(Kind::Ip), "text/plain", "192.0.2.1 # a remark\n").unwrap();
        assert_eq!(hosts, ["1 ip 192.0.2.1: a remark"]);
        let names = told(Some(Kind::Username), "text/plain", "backup\nroot and friends\n").unwrap();
        assert_eq!(names, ["1 username backup: default", "2 username root and friends: default"]);
    }

    #[test]
    fn a_warning_list_is_read_as_it_is_published() {
        check(
            JSON,
            r#"{"name":"Our ranges","version":3,"description":"…","type":"cidr","list":["192.0.2.0/24","10.0.0.1/8",5],
                "matching_attributes":["ip-src"]}"#,
            &[
                "1 ip 192.0.2.0/24: Our ranges",
                "2 refused: address `10.0.0.1/8` is not valid: host bits are set, `10.0.0.0/8` was probably meant",
                "3 refused: not a text",
            ],
        );
        check(
            "text/plain",
            r#"{"name":"CDN","type":"hostname","list":[".example.org","example.net"]}"#,
            &["1 domain example.org: CDN", "2 domain example.net: CDN"],
        );
        check(
            JSON,
            r#"{"name":"Mixed","type":"string","list":["192.0.2.1","example.net","d41d8cd98f00b204e9800998ecf8427e"]}"#,
            &[
                "1 ip 192.0.2.1: Mixed",
                "2 domain example.net: Mixed",
                "3 hash d41d8cd98f00b204e9800998ecf8427e: Mixed",
            ],
        );
        for word in ["substring", "regex", "fuzzy"] {
            let body = format!(r#"{{"name":"x","type":"{word}","list":["a"]}}"#);
            let error = told(None, JSON, &body).unwrap_err();
            assert!(matches!(&error, ApiError::Invalid(reason) if reason.contains(word)), "{error:?}");
        }
    }
}
