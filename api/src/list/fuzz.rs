//! Bodies of reports and corrections, queries and cursors, as the fuzzers make them.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use raft::Picture;
use raft::blocklist::{Kind, Observable, Report, Timestamp};
use serde_json::json;

use super::body::{Reports, read};
use super::cursor::Cursor;
use super::order::Order;
use super::patch;
use super::report::{Defaults, RawReport};
use super::samples::{NOW, sample};
use super::{Page, Rendering};
use crate::freshness;
use crate::fuzzing::{chosen, kind};
use crate::parameters::Parameters;

/// A type for each form that is read, and none.
const TYPES: [&str; 6] = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
];

fn defaults() -> Defaults {
    Defaults { comment: "".into(), source: "".into(), ttl: None, tags: [].into() }
}

fn headers(content_type: &str) -> HeaderMap {
    let value = HeaderValue::from_str(content_type).expect("a type is a header's value");
    HeaderMap::from_iter([(CONTENT_TYPE, value)])
}

/// Digits for the kind and the type, then the body. What is read of it reads alike in every form that it is sent in.
pub(crate) fn reports(data: &[u8]) {
    let Some((kind, data)) = chosen(data) else { return };
    let Some((media, body)) = chosen(data) else { return };
    let kind = crate::fuzzing::kind(kind);
    let mut last = 0;
    let check = |report: RawReport<'_>| match report.parse(kind, &defaults()) {
        Ok(report) => reads_alike(kind, &report),
        Err(reason) => assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}"),
    };
    match read(kind, &headers(TYPES[media % TYPES.len()]), body) {
        Ok(Reports::One(report)) => check(*report),
        Ok(Reports::Many(lines)) => {
            for line in lines {
                assert!(line.number > last && line.number <= body.len(), "line {} after {last}", line.number);
                last = line.number;
                line.report.into_iter().for_each(check);
            }
        }
        Err(error) => assert!(!error.message().is_empty()),
    }
}

/// The one report of a body.
#[track_caller]
fn one(kind: Kind, content_type: &str, body: &str) -> Report {
    let raw = match read(kind, &headers(content_type), body.as_bytes()) {
        Ok(Reports::One(report)) => *report,
        Ok(Reports::Many(mut lines)) => {
            let first = lines.next().and_then(|line| line.report.ok());
            first.unwrap_or_else(|| panic!("no report in {body:?}"))
        }
        Err(error) => panic!("{content_type} {body:?}: {error:?}"),
    };
    raw.parse(kind, &defaults()).unwrap_or_else(|reason| panic!("{content_type} {body:?}: {reason}"))
}

fn reads_alike(kind: Kind, report: &Report) {
    let Report { value, comment, source, ttl, tags, seen } = report;
    let value = value.to_string();
    let seen = seen.map(|Timestamp(ms)| format!("{}.{:03}", ms / 1000, ms % 1000));
    let json = json!({kind.name(): value, "comment": comment, "source": source, "ttl": ttl, "tags": tags, "seen": seen});
    assert_eq!(one(kind, TYPES[0], &json.to_string()), *report, "as JSON");
    assert_eq!(one(kind, TYPES[0], &json!([json]).to_string()), *report, "in an array");
    assert_eq!(one(kind, TYPES[1], &format!("\r\n{json}\r\n")), *report, "as a line of JSON");

    // A column and a pair hold several tags, and have no empty ones.
    if tags.iter().any(|tag| tag.contains(',')) {
        return;
    }
    let tags: Vec<&str> = tags.iter().map(AsRef::as_ref).collect();
    let ttl = ttl.map_or_else(String::new, |ttl| ttl.to_string());
    let cells = [value.as_str(), comment, source, &ttl, &tags.join(","), seen.as_deref().unwrap_or_default()];
    let names = [kind.name(), "comment", "source", "ttl", "tags", "seen"];
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
    writer.write_record(names).and_then(|()| writer.write_record(cells)).expect("it is written to memory");
    let csv = writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).expect("texts");
    assert_eq!(one(kind, TYPES[2], &csv), *report, "as CSV");

    let pairs = names.into_iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let form: Vec<String> = pairs.map(|(name, cell)| format!("{name}={}", encode(cell))).collect();
    assert_eq!(one(kind, TYPES[4], &form.join("&")), *report, "as a form");

    // The other kinds may begin as a comment line does.
    if matches!(kind, Kind::Ip | Kind::Domain | Kind::Url | Kind::Hash) {
        assert_eq!(
            one(kind, TYPES[3], &format!("# list\n{value} # said\n")).value,
            report.value,
            "as a line"
        );
    }
}

/// The body of a correction; a moment and texts come out as they would from a report.
pub(crate) fn correction(data: &[u8]) {
    let value = Observable::host([192, 0, 2, 1].into());
    match patch::Body::read(data).map(|body| body.parse(value, NOW)) {
        Ok(Ok(patch)) => {
            let changes = patch.comment.is_some() || patch.tags.is_some() || patch.expires.is_some();
            assert!(changes, "a correction corrects something");
            assert!(!patch.comment.is_some_and(|comment| comment.contains(char::is_control)));
        }
        Ok(Err(reason)) => assert!(!reason.is_empty()),
        Err(error) => assert!(!error.message().is_empty()),
    }
}

/// A digit for the kind, then the query of a list. It means the same when it is written anew, its limits hold, and its
/// pages together are the list.
pub(crate) fn query(data: &[u8]) {
    let Some((kind, query)) = chosen(data) else { return };
    let kind = crate::fuzzing::kind(kind);
    let Ok(text) = std::str::from_utf8(query) else { return };
    let words = [&[&freshness::WORDS[..]], &Rendering::WORDS[..]].concat();
    let Ok(parameters) = Parameters::parse(Some(text), &words) else { return };
    let again = parameters.without("");
    let parsed = Parameters::parse(Some(&again), &words).expect("what was read is read again");
    assert_eq!(format!("{parsed:?}"), format!("{parameters:?}"));
    drop(freshness::freshness(&parameters));
    let rendering = match Rendering::read(kind, &parameters, &HeaderMap::new()) {
        Ok(rendering) => rendering,
        Err(error) => return assert!(!error.message().is_empty()),
    };
    let mut picture = Picture::default();
    picture.list = sample();
    let export = rendering.render(&picture);
    let bytes: Vec<u8> = export.plain().flat_map(|piece| piece.to_vec()).collect();
    assert!(!bytes.contains(&b'\r'), "{text}");
    let query = &rendering.recipe.query;
    let Page { rows, truncated, next, .. } = query.page(&picture.list);
    // Every text ends its last line, and ndjson alone may have none; its sum is a line.
    let nothing =
        rows.is_empty() && rendering.recipe.format.name() == "ndjson" && parameters.get("sum").is_none();
    assert_eq!(bytes.last(), (!nothing).then_some(&b'\n'), "{text}");
    assert!(query.limit.is_none_or(|limit| rows.len() <= limit), "{text}");
    assert!(next.is_none() || truncated > 0, "{text}");
    if let Some(next) = next {
        let rest = query.clone().after(next.clone()).page(&picture.list);
        let seen = |row: &crate::format::Row<'_>| rows.iter().any(|other| other.value == row.value);
        assert!(!rest.rows.iter().any(seen), "{text}: a row is on two pages");
        assert_eq!(rest.rows.len() + rest.truncated, truncated, "{text}: rows are on no page");
        assert_eq!(Cursor::read(&next.encode(), kind, query.order).ok(), Some(next), "{text}");
    }
}

/// A digit for the kind, the word of an order, a space, then a cursor. What is read is one that a node gives out.
pub(crate) fn cursor(data: &[u8]) {
    let Some((number, rest)) = chosen(data) else { return };
    let Some((word, text)) = std::str::from_utf8(rest).ok().and_then(|text| text.split_once(' ')) else {
        return;
    };
    let Some(order) = Order::parse(word) else { return };
    assert_eq!(Order::parse(&order.word()), Some(order));
    if let Ok(cursor) = Cursor::read(text, kind(number), order) {
        assert_eq!(Cursor::read(&cursor.encode(), kind(number), order).ok(), Some(cursor));
    }
}
