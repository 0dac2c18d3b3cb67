//! Bodies and queries that nobody meant: read as an error or as something to work with, never with a panic.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use raft::blocklist::{Kind, Timestamp};

use super::body::{Reports, read};
use super::filter::Filter;
use super::narrow::Narrow;
use super::query::Query;
use super::report::{Defaults, RawReport};
use crate::parameters::{Parameters, duration, pairs};

/// A content type and a body of it; the empty type is none.
const BODIES: [(&str, &str); 8] = [
    (
        "application/json",
        r#"{"ip":"192.0.2.1","comment":"ssh \u00e9","ttl":"7d","tags":["a","b"],"seen":1795499882.5}"#,
    ),
    ("application/json", r#"["192.0.2.1",{"domain":"evil.example.com","ttl":600},7,null]"#),
    ("application/x-ndjson", "{\"ip\":\"192.0.2.1\"}\r\n\r\n{\"url\":\"https://example.com/a?b#c\"}\n"),
    ("text/csv", "ip,comment,tags\n192.0.2.1,\"a, \"\"b\"\"\",x\n# no\n2001:db8::/48,,\n"),
    ("text/plain", "# drop list\r\n192.0.2.1 ; SBL1\n198.51.100.0/24,scan\nbücher.example\n"),
    ("application/x-www-form-urlencoded", "ip=192.0.2.1&comment=ssh+scan&ttl=600&tags=a%2Cb"),
    ("", "\u{feff}192.0.2.1\n"),
    ("text/json; charset=utf-8", r#"{"hash":"d41d8cd98f00b204e9800998ecf8427e","email":"a@example.org"}"#),
];
const QUERIES: [&str; 6] = [
    "hosts_only=1&expand=24&shard=1/4&max=10&skip=3",
    "sort=-time_added&limit=10&family=4&tag=a,b&seen_within=7d",
    "cursor=MSBpcCB2YWx1ZSA3IDAgMTkyLjAuMi4x&sort=value",
    "cursor=MSBkb21haW4gLXZhbHVlIDcgMCBhLmV4YW1wbGU&sort=-value",
    "min_sightings=18446744073709551615&min_sources=1&source=web%2001&added_by=anna",
    "seen_within=200ms&limit=0&tag=%F0%9F%92%A9",
];

/// A text with bytes changed, a piece of itself somewhere else in it, or its end cut off.
fn damaged(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let changes =
        vec((any::<Index>(), prop_oneof![any::<u8>(), select(&b"{}[]\",:=&%+\n\r\0\\ue9"[..])]), 0..5);
    let piece = (any::<Index>(), any::<Index>(), any::<bool>());
    (changes, piece, any::<Index>(), any::<bool>()).prop_map(move |(changes, (from, at, again), end, cut)| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if again {
            let piece = bytes[from.index(bytes.len())..].to_vec();
            let at = at.index(bytes.len());
            bytes.splice(at..at, piece);
        }
        if cut {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        bytes
    })
}

fn kinds() -> impl Strategy<Value = Option<Kind>> {
    prop_oneof![Just(None), select(Kind::ALL.to_vec()).prop_map(Some)]
}

/// Reads a body as its handler does, up to the reports.
fn work_with(kind: Option<Kind>, content_type: &str, body: &[u8]) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    let defaults = Defaults { comment: "".into(), source: "".into(), ttl: None, tags: [].into() };
    let report = |report: RawReport<'_>| drop(report.parse(kind.unwrap_or(Kind::Ip), &defaults));
    match read(kind, &headers, body) {
        Ok(Reports::One(one)) => report(*one),
        Ok(Reports::Many(lines)) => lines.into_iter().filter_map(|line| line.report.ok()).for_each(report),
        Err(error) => assert!(!error.message().is_empty()),
    }
}

fn ask(kind: Kind, query: &str) {
    let words = [&Filter::WORDS[..], &Query::WORDS[..], &Narrow::WORDS[..]];
    if let Ok(parameters) = Parameters::parse(Some(query), &words) {
        drop(parameters.without("cursor"));
        match Query::read(kind, &parameters, Timestamp(1_795_499_882_500)) {
            Ok(query) => drop((query.min_index(), query.is_worth_keeping())),
            Err(error) => assert!(!error.message().is_empty()),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_of_any_type(
        kind in kinds(),
        row in select(&BODIES[..]),
        body in vec(any::<u8>(), 0..300),
        text in "\\PC{0,200}",
    ) {
        work_with(kind, row.0, &body);
        work_with(kind, row.0, text.as_bytes());
        work_with(kind, &text, row.1.as_bytes());
    }

    #[test]
    fn a_damaged_body(
        kind in kinds(),
        (content_type, body) in select(&BODIES[..]).prop_flat_map(|(of, body)| (Just(of), damaged(body))),
    ) {
        work_with(kind, content_type, &body);
        // Under a type that it is none of, too.
        for (other, _) in BODIES {
            work_with(kind, other, &body);
        }
    }

    #[test]
    fn any_query(kind in kinds(), text in "\\PC{0,100}", query in select(&QUERIES[..]).prop_flat_map(damaged)) {
        let kind = kind.unwrap_or(Kind::Ip);
        let query = String::from_utf8_lossy(&query).into_owned();
        ask(kind, &query);
        ask(kind, &text);
        for word in Filter::WORDS.iter().chain(&Query::WORDS).chain(&Narrow::WORDS) {
            ask(kind, &format!("{word}={text}"));
        }
        drop((pairs(&text), duration(&text)));
    }
}

#[test]
fn the_good_ones_are_good() {
    for (content_type, body) in BODIES {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        assert!(read(Kind::Ip, &headers, body.as_bytes()).is_ok(), "{body}");
    }
    for query in QUERIES {
        let kind = if query.contains("-value") { Kind::Domain } else { Kind::Ip };
        let words = [&Filter::WORDS[..], &Query::WORDS[..], &Narrow::WORDS[..]];
        let parameters = Parameters::parse(Some(query), &words).unwrap();
        Query::read(kind, &parameters, Timestamp(1_795_499_882_500)).unwrap();
    }
}

#[test]
fn a_body_of_brackets_does_not_exhaust_the_stack() {
    for bracket in ["[", "{\"ip\":", "[{\"tags\":[", "{\"ttl\":[[", "{\"other\":["] {
        for content_type in ["application/json", "application/x-ndjson", ""] {
            work_with(Some(Kind::Ip), content_type, bracket.repeat(200_000).as_bytes());
        }
    }
}
