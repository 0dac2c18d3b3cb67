//! Public feeds and the profiles of imports as the fuzzers make them.

use raft::blocklist::{Kind, Observable};

use super::format::{FORMATS, Wanted, by_name, recognise};
use super::profile::Profile;
use crate::fuzzing::chosen;

/// Columns that seeds have, by name and by number.
const COLUMNS: [Option<&str>; 5] = [None, Some("1"), Some("2"), Some("ip"), Some("value")];
/// Kinds of which a line of their own is the value and nothing else.
const PLAIN: [Kind; 4] = [Kind::Ip, Kind::Domain, Kind::Url, Kind::Hash];

/// A digit for the form (one beyond them is a profile), for the kind and for the column, then the text. What is read of
/// a feed are values, which a plain feed of them has too.
pub(crate) fn feeds(data: &[u8]) {
    let Some((form, data)) = chosen(data) else { return };
    let Some((kind, data)) = chosen(data) else { return };
    let Some((column, data)) = chosen(data) else { return };
    let (kind, column) = (crate::fuzzing::kind(kind), COLUMNS[column % COLUMNS.len()]);
    let wanted = Wanted { kind, column };
    // As what was fetched is read.
    let text = String::from_utf8_lossy(data);
    let Some(format) = FORMATS.get(form % (FORMATS.len() + 1)) else { return profile(data) };
    assert!(recognise(&text, kind).is_none_or(|found| by_name(found.name).is_ok()));
    let Ok(named) = format.named(&text, wanted) else { return };
    assert!(named.iter().all(|named| (1..=text.len()).contains(&named.line)));
    assert!(named.len() <= text.len(), "{} values in {} bytes", named.len(), text.len());
    let reading = match format.read(&text, wanted) {
        Ok(reading) => reading,
        Err(error) => return assert!(!error.is_empty()),
    };
    assert!(reading.values.keys().all(|value| value.kind() == kind));
    assert!(!reading.values.is_empty() && reading.malformed_total <= reading.values.len());
    assert!(reading.values.len() + reading.malformed_total <= named.len());
    for comment in reading.values.values() {
        assert!(!comment.contains(char::is_control) && comment.trim() == &**comment, "{comment:?}");
    }
    if PLAIN.contains(&kind) {
        let lines: Vec<String> = reading.values.keys().map(|value| format!("{value} # said\n")).collect();
        let plain = by_name("plain").and_then(|plain| plain.read(&lines.concat(), wanted)).expect("values");
        let values = |of: &super::format::Reading| of.values.keys().cloned().collect::<Vec<Observable>>();
        assert_eq!((values(&plain), plain.malformed_total), (values(&reading), 0));
    }
}

/// A profile means the same as it is kept.
fn profile(text: &[u8]) {
    let shown = |profile: &Profile| {
        let Profile { place, format, column, kind, label, comment, tags, ttl, every, .. } = profile;
        let limits = (profile.growth_percent, profile.shrink_percent, profile.values_max);
        format!(
            "{place:?} {} {column:?} {kind} {label} {comment} {tags:?} {ttl:?} {every:?} {limits:?}",
            format.name
        )
    };
    match Profile::parse("drop", text) {
        Err(error) => assert!(!error.is_empty()),
        Ok(profile) => {
            let kept: serde_json::Value = serde_json::from_slice(text).expect("a profile is JSON");
            let again = Profile::parse("drop", kept.to_string().as_bytes());
            assert_eq!(again.map(|again| shown(&again)), Ok(shown(&profile)));
        }
    }
}
