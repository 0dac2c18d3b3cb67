//! Lists with any words in them, as the fuzzers make them.

use axum::http::{HeaderMap, HeaderValue, header};
use raft::blocklist::{Kind, List, Observable, Operation, Report};

use super::{ALL, Comments, Format, Row, Shape, choose};
use crate::fuzzing::chosen;
use crate::list::samples::Desk;

/// More lines say nothing new.
const LINES_MAX: usize = 16;

/// A digit for the format, for the kind, and an odd one for comments behind each value, then lines: a value, a space,
/// a comment. The comment makes no line of its own and nothing that a terminal or a parser would stumble over.
pub(crate) fn exports(data: &[u8]) {
    let Some((format, data)) = chosen(data) else { return };
    let Some((kind, data)) = chosen(data) else { return };
    let Some((inline, data)) = chosen(data) else { return };
    let (format, kind) = (ALL[format % ALL.len()], crate::fuzzing::kind(kind));
    let Ok(text) = std::str::from_utf8(data) else { return };
    if !format.kinds().contains(&kind) {
        return;
    }
    let mut shape = Shape::default();
    if inline % 2 == 1 && format.takes_inline_comments() {
        shape.knobs.comments = Some(Comments::Inline);
    }
    let (said, unsaid) = (list(kind, text, true), list(kind, text, false));
    let (said, unsaid) = (rendered(format, kind, &shape, &said), rendered(format, kind, &shape, &unsaid));
    assert_eq!(said.lines().count(), unsaid.lines().count(), "a comment makes a line:\n{said}\n{unsaid}");
    reads_back(format.name(), &said, said.lines().count());
}

fn list(kind: Kind, text: &str, comments: bool) -> List {
    let mut desk = Desk::default();
    for line in text.split('\n').take(LINES_MAX) {
        let (value, comment) = line.split_once(' ').unwrap_or((line, ""));
        let Ok(value) = Observable::parse(kind, value) else { continue };
        let comment = if comments { crate::list::report::one_line(comment) } else { "".into() };
        let (comment, source) = (comment.as_ref().into(), "ids".into());
        let report = Report { value, comment, source, ttl: None, tags: [].into(), seen: None };
        desk.run(0, "anna", Operation::Add(vec![report]));
    }
    desk.list
}

fn rendered(format: &'static dyn Format, kind: Kind, shape: &Shape, list: &List) -> String {
    let rows = list.exported(kind).map(|line| Row { value: line.value, entry: line.entry });
    let rows: Vec<Row<'_>> = rows.filter(|row| format.holds(&row.value, shape)).collect();
    let mut out = Vec::new();
    format.render(&mut rows.into_iter(), shape, &mut out);
    let text = String::from_utf8(out).expect("texts are UTF-8");
    // Whoever hands out a list makes one line feed of nothing.
    assert!(text.is_empty() || text.ends_with('\n'), "it ends with a line feed: {text:?}");
    let strange = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    assert!(!text.contains(strange), "{text:?}");
    text
}

/// The forms for which there is a reader read it as so many entries.
fn reads_back(format: &str, text: &str, lines: usize) {
    match format {
        "json" => drop(serde_json::from_str::<Vec<serde_json::Value>>(text).expect("it is JSON")),
        "ndjson" => {
            let objects = text.lines().filter(|line| !line.is_empty());
            objects
                .for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).expect("it is JSON")));
        }
        "csv" => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records: Vec<csv::StringRecord> =
                reader.records().map(|record| record.expect("a record")).collect();
            assert_eq!(records.len() + 1, lines);
        }
        "xml" => {
            let allowed = |letter: char| matches!(letter, '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'..);
            assert!(text.chars().all(allowed), "XML has no such letters: {text:?}");
            let mut reader = quick_xml::Reader::from_str(text);
            while !matches!(reader.read_event().expect("it is XML"), quick_xml::events::Event::Eof) {}
        }
        _ => {}
    }
}

/// The `Accept` header: a form is chosen, whatever it says.
pub(crate) fn accept(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
    assert!(choose(None, &headers).is_ok());
}
