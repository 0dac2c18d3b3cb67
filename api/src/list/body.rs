//! The body of a bulk request in every form that sensors send: JSON object or array, NDJSON, CSV with a
//! header, plain lines, a form. A byte order mark and CRLF do no harm.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use raft::blocklist::Kind;

use super::report::{RawReport, Text};
use crate::error::ApiError;
use crate::parameters::pairs;

/// One report of a body, or why it cannot be read.
pub(crate) struct Line<'a> {
    /// From 1: the line, or the place in a JSON array.
    pub(crate) number: usize,
    pub(crate) report: Result<RawReport<'a>, String>,
}

/// What a body holds.
pub(crate) enum Reports<'a> {
    /// One report, answered as the talk does.
    One(Box<RawReport<'a>>),
    /// Any number, answered with counts.
    Many(Lines<'a>),
}

/// The lines of a body, read one after the other.
pub(crate) type Lines<'a> = Box<dyn Iterator<Item = Line<'a>> + Send + 'a>;

/// Reads a body by its content type; curl's `-d` calls JSON a form, and that is understood too. Without a kind,
/// a plain line is taken whole, and CSV may name its values by any kind.
pub(crate) fn read<'a>(
    kind: impl Into<Option<Kind>>,
    headers: &HeaderMap,
    body: &'a [u8],
) -> Result<Reports<'a>, ApiError> {
    let kind = kind.into();
    let text = std::str::from_utf8(body).map_err(|_| ApiError::BadRequest("the body is not UTF-8".into()))?;
    let text = text.trim_start_matches('\u{feff}');
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = text.trim_start().starts_with(['{', '[']);
    match media.as_str() {
        "application/json" | "text/json" => read_json(text),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Ok(Reports::Many(ndjson(text)))
        }
        "text/csv" => csv_rows(kind, text).map(Reports::Many),
        "" | "application/x-www-form-urlencoded" if json => read_json(text),
        "application/x-www-form-urlencoded" if text.contains('=') => {
            form(text).map(Box::new).map(Reports::One)
        }
        "" | "text/plain" | "application/x-www-form-urlencoded" => Ok(Reports::Many(plain(kind, text))),
        other => Err(ApiError::UnsupportedMediaType(format!(
            "content type `{other}` is not read; send application/json, application/x-ndjson, text/csv, \
             text/plain or application/x-www-form-urlencoded"
        ))),
    }
}

fn read_json(text: &str) -> Result<Reports<'_>, ApiError> {
    let invalid =
        |error: serde_json::Error| ApiError::BadRequest(format!("the body is not valid JSON: {error}"));
    if text.trim_start().starts_with('[') {
        let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).map_err(invalid)?;
        let numbered = (1..).zip(items);
        return Ok(Reports::Many(Box::new(numbered.map(|(number, item)| item_line(number, item.get())))));
    }
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<RawReport<'_>>();
    let first = match objects.next() {
        Some(first) => first.map_err(invalid)?,
        None => return Err(ApiError::BadRequest("the body is empty".into())),
    };
    match text[objects.byte_offset()..].trim().is_empty() {
        true => Ok(Reports::One(Box::new(first))),
        false => Ok(Reports::Many(ndjson(text))),
    }
}

/// An item of an array: an object, or just the value as a text.
fn item_line(number: usize, text: &str) -> Line<'_> {
    let report = match text.starts_with('"') {
        true => serde_json::from_str::<Text<'_>>(text)
            .map(|value| RawReport { value: Some(value.0), ..RawReport::default() }),
        false => serde_json::from_str(text),
    };
    Line { number, report: report.map_err(|_| "neither a report nor a value".into()) }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}

fn ndjson(text: &str) -> Lines<'_> {
    Box::new(numbered(text).map(|(number, line)| item_line(number, line)))
}

/// Plain lines; `#`, `;` and `//` begin a comment line.
fn plain(kind: Option<Kind>, text: &str) -> Lines<'_> {
    let comment = |line: &str| line.starts_with(['#', ';']) || line.starts_with("//");
    let lines = numbered(text).filter(move |(_, text)| !comment(text));
    Box::new(lines.map(move |(number, line)| Line { number, report: Ok(plain_report(kind, line)) }))
}

fn plain_report(kind: Option<Kind>, line: &str) -> RawReport<'_> {
    let Some(kind) = kind else { return RawReport { line: Some(line), ..RawReport::default() } };
    let value = Some(Cow::Owned(plain_value(kind, line).to_owned()));
    RawReport { value, ..RawReport::default() }
}

/// What of a line is the value: the first word where words cannot hold the marks that lists put behind them;
/// up to a comment behind white space for URLs and e-mail addresses; all of it for user names.
fn plain_value(kind: Kind, line: &str) -> &str {
    match kind {
        Kind::Ip | Kind::Domain | Kind::Hash => {
            line.split([' ', '\t', ',', ';', '|', '#']).next().unwrap_or_default().trim_matches('"')
        }
        Kind::Url | Kind::Email => line.split([' ', '\t']).next().unwrap_or_default(),
        Kind::Username => line,
    }
}

fn csv_rows(kind: Option<Kind>, text: &str) -> Result<Lines<'_>, ApiError> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable =
        |error: csv::Error| ApiError::BadRequest(format!("the CSV header is not readable: {error}"));
    let names = reader.headers().map_err(unreadable)?.clone();
    let names_the_value = |name: &str| match kind {
        Some(kind) => name == kind.name(),
        None => name.parse::<Kind>().is_ok(),
    };
    if !names.iter().any(|name| name == "value" || names_the_value(name)) {
        let kind = kind.map_or("kind", Kind::name);
        let message = format!("the CSV header names no column `{kind}` or `value`");
        return Err(ApiError::Invalid(message));
    }
    let mut lines = CsvLines { text: text.as_bytes(), at: 0, line: 1 };
    let line = move |record: csv::Result<csv::StringRecord>| {
        let (place, report) = match record {
            Ok(record) => {
                let mut report = RawReport::default();
                for (name, cell) in names.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
                    report.set(name, Cow::Owned(cell.to_owned()));
                }
                (record.position().map_or(0, csv::Position::byte), Ok(report))
            }
            Err(error) => (error.position().map_or(0, csv::Position::byte), Err(error.to_string())),
        };
        Line { number: lines.number(usize::try_from(place).unwrap_or(usize::MAX)), report }
    };
    Ok(Box::new(reader.into_records().map(line)))
}

/// Which line a record is on. The reader says where it began to look for one: that may be between CR and LF, or before
/// empty lines and comments.
struct CsvLines<'a> {
    text: &'a [u8],
    /// The start of the last record, and its line.
    at: usize,
    line: usize,
}

impl CsvLines<'_> {
    /// The line of the record that was looked for from this byte on; records come in their order.
    fn number(&mut self, from: usize) -> usize {
        let mut start = from.clamp(self.at, self.text.len());
        loop {
            match self.text.get(start) {
                Some(b'\r' | b'\n') => start += 1,
                Some(b'#') => start += self.text[start..].iter().take_while(|byte| **byte != b'\n').count(),
                _ => break,
            }
        }
        let passed = &self.text[self.at..start];
        let ends = |at: &usize| match passed[*at] {
            b'\n' => true,
            b'\r' => passed.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += (0..passed.len()).filter(ends).count();
        self.at = start;
        self.line
    }
}

fn form(text: &str) -> Result<RawReport<'_>, ApiError> {
    let pairs = pairs(text.trim()).ok_or_else(|| ApiError::BadRequest("the form is not UTF-8".into()))?;
    let mut report = RawReport::default();
    for (name, value) in pairs {
        report.set(&name, Cow::Owned(value));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that a body of this type holds, or the error.
    #[track_caller]
    fn check(content_type: &str, body: &str, expected: Result<&[&str], &str>) {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        let value = |report: &RawReport<'_>| report.text(Kind::Ip).unwrap_or("-").to_owned();
        let found = match read(Kind::Ip, &headers, body.as_bytes()) {
            Ok(Reports::One(report)) => Ok(vec![format!("one {}", value(&report))]),
            Ok(Reports::Many(lines)) => Ok(lines
                .map(|line| match &line.report {
                    Ok(report) => format!("{} {}", line.number, value(report)),
                    Err(reason) => format!("{} {reason}", line.number),
                })
                .collect()),
            Err(error) => Err(format!("{error:?}")),
        };
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{body}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{body}: {found}"),
            (found, _) => panic!("{content_type} {body}: {found:?}"),
        }
    }

    #[test]
    fn bodies_in_every_form() {
        let json = "application/json";
        check(json, r#"{"ip":"192.0.2.1","comment":"x","other":[1]}"#, Ok(&["one 192.0.2.1"]));
        check(
            json,
            "\u{feff}{\"value\":\"192.0.2.1\",\"ttl\":600,\"seen\":1795499882.5}",
            Ok(&["one 192.0.2.1"]),
        );
        check(
            json,
            r#"["192.0.2.1",{"ip":"192.0.2.2","tags":["a"]},7]"#,
            Ok(&["1 192.0.2.1", "2 192.0.2.2", "3 neither a report nor a value"]),
        );
        check(json, "{\"ip\":\"192.0.2.1\"}\n{\"ip\":\"192.0.2.2\"}\n", Ok(&["1 192.0.2.1", "2 192.0.2.2"]));
        check(json, "{\"ip\":", Err("not valid JSON"));
        check(json, "", Err("empty"));
        check(
            "application/x-ndjson",
            "{\"ip\":\"192.0.2.1\"}\r\n\r\nx\r\n",
            Ok(&["1 192.0.2.1", "3 neither a report nor a value"]),
        );
        let lines = "# drop list\r\n192.0.2.1 ; SBL1\r\n// no\n\n198.51.100.0/24,scan\n; end\n2001:db8::1#x";
        check("text/plain", lines, Ok(&["2 192.0.2.1", "5 198.51.100.0/24", "7 2001:db8::1"]));
        check("", "192.0.2.1\n", Ok(&["1 192.0.2.1"]));
        check(
            "text/csv; charset=utf-8",
            "comment,ip\n\"a, b\",192.0.2.1\n,192.0.2.2\n",
            Ok(&["2 192.0.2.1", "3 192.0.2.2"]),
        );
        check("text/csv", "192.0.2.1\n192.0.2.2\n", Err("names no column"));
        let lines = "ip,comment\r\n192.0.2.1,\"a\r\nb\"\r\n# no\r\n\r\n192.0.2.2\r\n192.0.2.3,x\r\n";
        check("text/csv", lines, Ok(&["2 192.0.2.1", "6 192.0.2.2", "7 192.0.2.3"]));
        check("text/csv", "# a\n\nip\n#b\n192.0.2.1", Ok(&["5 192.0.2.1"]));
        let form = "application/x-www-form-urlencoded";
        check(form, "ip=192.0.2.1&comment=ssh+scan&ttl=600", Ok(&["one 192.0.2.1"]));
        check(form, r#"{"ip":"192.0.2.1"}"#, Ok(&["one 192.0.2.1"]));
        check(form, "192.0.2.1\n192.0.2.2\n", Ok(&["1 192.0.2.1", "2 192.0.2.2"]));
        check(json, r#"{"ip":"192.0.2.1","url":["x"],"domain":{"a":1},"hash":5}"#, Ok(&["one 192.0.2.1"]));
        check("application/xml", "<ip/>", Err("is not read"));
    }

    #[test]
    fn a_line_is_cut_only_where_its_kind_allows() {
        let rows = [
            (Kind::Ip, "192.0.2.1;SBL1", "192.0.2.1"),
            (Kind::Url, "https://example.org/#/evil", "https://example.org/#/evil"),
            (Kind::Url, "https://example.com/a;b,c?x=1|2 # seen twice", "https://example.com/a;b,c?x=1|2"),
            (Kind::Email, "a;b@example.org  phishing", "a;b@example.org"),
            (Kind::Username, "two words", "two words"),
        ];
        for (kind, line, value) in rows {
            assert_eq!(plain_value(kind, line), value, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(read(Kind::Ip, &HeaderMap::new(), b"\xff").is_err());
    }
}
