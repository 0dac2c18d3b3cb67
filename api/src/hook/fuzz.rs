//! Mappings and the bodies of webhooks as the fuzzers make them.

use raft::blocklist::{Observable, Report};
use serde_json::Value;

use super::mapping::Mapping;
use super::pointer::Pointer;
use super::receive::documents;
use crate::list::report::Defaults;

/// More tags than a report may have are refused.
const TAGS_MAX: usize = 16;

/// A line with a mapping or a pointer, then a body. A mapping means the same as it is kept, a pointer as it is shown,
/// and what a hook reports is what any report may be.
pub(crate) fn hooks(data: &[u8]) {
    let (first, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let documents = documents(body).unwrap_or_default();
    if let Some(pointer) = std::str::from_utf8(first).ok().and_then(|text| Pointer::parse(text).ok()) {
        assert_eq!(Pointer::parse(&pointer.to_string()), Ok(pointer.clone()));
        documents.iter().for_each(|document| points(&pointer, document));
    }
    let mapping = match Mapping::parse(first) {
        Ok(mapping) => mapping,
        Err(error) => return assert!(!error.is_empty()),
    };
    let kept: Value = serde_json::from_slice(first).expect("a mapping is JSON");
    let again = Mapping::parse(kept.to_string().as_bytes()).expect("it is taken as it is kept");
    assert_eq!(format!("{again:?}"), format!("{mapping:?}"));
    let defaults =
        Defaults { comment: "hook".into(), source: "10.0.0.7".into(), ttl: None, tags: Default::default() };
    for document in &documents {
        for report in mapping.reports(document, &defaults) {
            match report {
                Ok(report) => is_one(&report),
                Err(refused) => assert!(!refused.value.contains(char::is_control), "{:?}", refused.value),
            }
        }
    }
}

/// What a pointer finds is where it says that it is.
fn points(pointer: &Pointer, document: &Value) {
    for (walked, value) in pointer.all(document) {
        assert!(walked.len() == pointer.stars() || walked.len() == pointer.stars() + 1);
        if walked.len() == pointer.stars() {
            assert_eq!(pointer.one(document, &walked), Some(value));
        }
    }
}

fn is_one(report: &Report) {
    let shown = report.value.to_string();
    assert_eq!(Observable::parse(report.value.kind(), &shown).as_ref(), Ok(&report.value));
    let texts = [&report.comment, &report.source].into_iter().chain(&report.tags);
    assert!(texts.into_iter().all(|text| !text.contains(char::is_control)), "{report:?}");
    assert!(report.tags.len() <= TAGS_MAX && report.comment.trim() == &*report.comment, "{report:?}");
}
