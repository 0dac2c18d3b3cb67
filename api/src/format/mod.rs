//! The forms a list is handed out in: one file a format, one trait, and the registry of their names.

mod apache;
mod asked;
mod checkpoint;
mod csv;
mod documentation;
mod f5;
mod field;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod haproxy;
mod haproxy_map;
mod ipset;
mod json;
mod knobs;
mod lines;
mod mikrotik;
mod ndjson;
mod nft;
mod nginx_deny;
mod nginx_geo;
mod preset;
mod rbldnsd;
mod rpz;
mod squid;
mod suricata_iprep;
mod suricata_rules;
mod txt;
mod wazuh_cdb;
mod xml;
mod zeek;

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use raft::blocklist::{Entry, Kind, Observable, Timestamp};

pub(crate) use asked::Asked;
pub(crate) use csv::disarmed;
pub(crate) use documentation::show;
pub(crate) use field::Field;
pub(crate) use json::object;
pub(crate) use knobs::{Comments, IfEmpty, Knob, Knobs};
pub(crate) use lines::harmless;

use crate::error::ApiError;

/// What is shown of each entry, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// As asked with `fields=`; none is the format's default.
    pub(crate) fields: Vec<Field>,
    /// As asked with `header=`; none is a header for more than one column.
    pub(crate) header: Option<bool>,
    pub(crate) knobs: Knobs,
    /// The index of the last change to the list.
    pub(crate) version: u64,
    /// The rows are merged from several entries, of whose words none may be said.
    pub(crate) merged: bool,
}

impl Shape {
    /// Where comments stand: as asked, else as the format has it.
    pub(crate) fn comments(&self, otherwise: Comments) -> Comments {
        match self.knobs.comments.unwrap_or(otherwise) {
            Comments::Inline if self.merged => Comments::Header,
            comments => comments,
        }
    }
}

/// A value that is handed out, and the entry that speaks of it: the allow list may leave parts of a network.
pub(crate) struct Row<'e> {
    pub(crate) value: Observable,
    pub(crate) entry: &'e Entry,
}

impl<'e> From<&'e Arc<Entry>> for Row<'e> {
    fn from(entry: &'e Arc<Entry>) -> Row<'e> {
        Row { value: entry.value.clone(), entry }
    }
}

/// Rows of a list, in order.
pub(crate) type Rows<'i, 'e> = &'i mut (dyn Iterator<Item = Row<'e>> + 'i);

/// One way to write a list down.
pub(crate) trait Format: Sync {
    /// The word for `format=`.
    fn name(&self) -> &'static str;

    /// The value of `Content-Type`.
    fn content_type(&self) -> &'static str {
        "text/plain; charset=utf-8"
    }

    /// How a file of it is named.
    fn extension(&self) -> &'static str {
        "txt"
    }

    /// What it is for, on one line.
    fn about(&self) -> &'static str;

    /// The kinds that it can hold.
    fn kinds(&self) -> &'static [Kind] {
        &Kind::ALL
    }

    /// The parameters that it knows besides those of every format.
    fn knobs(&self) -> &'static [Knob] {
        &[]
    }

    /// Whether `fields=` chooses what it shows.
    fn has_fields(&self) -> bool {
        false
    }

    /// Whether its program takes a comment behind a value.
    fn takes_inline_comments(&self) -> bool {
        false
    }

    /// Whether it can hold this value of a kind that it can hold.
    fn holds(&self, _value: &Observable, _shape: &Shape) -> bool {
        true
    }

    /// Whether the text of a row of this kind follows from that row alone, so that a list can be written in
    /// chunks. If not, `lines` gets all rows at once.
    fn is_by_row(&self, _kind: Kind) -> bool {
        true
    }

    /// Whether a frame says when the last of the entries was reported.
    fn says_newest(&self, _shape: &Shape) -> bool {
        true
    }

    /// Whether all rows of IPv4 stand before all rows of IPv6, with a frame between them.
    fn splits_families(&self) -> bool {
        false
    }

    /// What stands between two rows that follow each other in one part of the file.
    fn separator(&self) -> &'static str {
        ""
    }

    /// Appends what stands around the rows; it may follow from how many there are, and from nothing else of them.
    fn frame(&self, _place: Frame, _totals: &Totals, _shape: &Shape, _out: &mut Vec<u8>) {}

    /// Appends rows of one part, with the separator between them.
    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>);
}

/// Where in a file a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Head,
    /// Between the rows of IPv4 and those of IPv6, in a format that splits them.
    Middle,
    Foot,
}

/// What a frame may say of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Rows in each part; in the first one alone when the format does not split them.
    pub(crate) counts: [usize; 2],
    /// When the last of their entries was reported, if a frame says it.
    pub(crate) newest: Option<Timestamp>,
}

impl Totals {
    pub(crate) fn count(&self) -> usize {
        self.counts[0] + self.counts[1]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(crate) fn join(&mut self, other: &Totals) {
        self.counts = [self.counts[0] + other.counts[0], self.counts[1] + other.counts[1]];
        self.newest = self.newest.max(other.newest);
    }

    /// Counts one more row, with a look at its entry only if `newest` is to be known.
    pub(crate) fn add(&mut self, part: usize, row: &Row<'_>, with_newest: bool) {
        self.counts[part] += 1;
        if with_newest {
            self.newest = self.newest.max(Some(row.entry.time_updated));
        }
    }
}

impl dyn Format {
    /// The part of the file that a row stands in.
    pub(crate) fn part(&self, row: &Row<'_>) -> usize {
        usize::from(self.splits_families() && lines::is_v6(row))
    }

    /// Appends the whole list; LF only, with a final LF.
    pub(crate) fn render(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let mut totals = Totals::default();
        let with_newest = self.says_newest(shape);
        let mut parts = [Vec::new(), Vec::new()];
        for row in rows {
            let part = self.part(&row);
            totals.add(part, &row, with_newest);
            parts[part].push(row);
        }
        let [first, second] = parts;
        self.frame(Frame::Head, &totals, shape, out);
        self.lines(&mut first.into_iter(), shape, out);
        if self.splits_families() {
            self.frame(Frame::Middle, &totals, shape, out);
            self.lines(&mut second.into_iter(), shape, out);
        }
        self.frame(Frame::Foot, &totals, shape, out);
    }
}

/// Every format: those for anything first, of which the first is the default; then those of one program each.
pub(crate) static ALL: [&dyn Format; 22] = [
    &json::Json,
    &xml::Xml,
    &csv::Csv,
    &txt::Txt,
    &ndjson::Ndjson,
    &nft::Nft,
    &ipset::Ipset,
    &haproxy::Haproxy,
    &haproxy_map::HaproxyMap,
    &nginx_geo::NginxGeo,
    &nginx_deny::NginxDeny,
    &apache::Apache,
    &squid::Squid,
    &rpz::Rpz,
    &rbldnsd::Rbldnsd,
    &mikrotik::Mikrotik,
    &suricata_iprep::SuricataIprep,
    &suricata_rules::SuricataRules,
    &zeek::Zeek,
    &wazuh_cdb::WazuhCdb,
    &checkpoint::Checkpoint,
    &f5::F5,
];

/// How many of them are for anything: what is asked about one value is answered in these.
const GENERAL: usize = 5;

/// What `Accept` calls each of those.
const MEDIA: [&[&str]; GENERAL] = [
    &["*/*", "application/*", "application/json"],
    &["application/xml", "text/xml"],
    &["text/csv"],
    &["text/plain", "text/*"],
    &["application/x-ndjson", "application/ndjson"],
];

/// The format of a request about one value: `format=`, else the best that `Accept` names, else JSON.
pub(crate) fn choose(word: Option<&str>, headers: &HeaderMap) -> Result<&'static dyn Format, ApiError> {
    choose_among(&ALL[..GENERAL], word, headers)
}

fn choose_among(
    formats: &[&'static dyn Format],
    word: Option<&str>,
    headers: &HeaderMap,
) -> Result<&'static dyn Format, ApiError> {
    if let Some(word) = word {
        return formats.iter().copied().find(|format| format.name() == word).ok_or_else(|| {
            let allowed: Vec<&str> = formats.iter().map(|format| format.name()).collect();
            let allowed = allowed.join(", ");
            ApiError::BadRequest(format!("format `{word}` is not known; allowed: {allowed}"))
        });
    }
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    Ok(accept.and_then(accepted).unwrap_or(ALL[0]))
}

/// For answers that have one form only: `format=` may name it, and nothing else.
pub(crate) fn only_json(word: Option<&str>) -> Result<(), ApiError> {
    match word {
        None | Some("json") => Ok(()),
        Some(word) => {
            Err(ApiError::BadRequest(format!("format `{word}` is not written here; allowed: json")))
        }
    }
}

/// The acceptable format with the highest quality; the first named wins a tie (RFC 9110, section 12.5.1).
fn accepted(accept: &str) -> Option<&'static dyn Format> {
    let mut best: Option<(&'static dyn Format, f32)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let quality =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        let is_named = |names: &&[&str]| names.iter().any(|name| media.eq_ignore_ascii_case(name));
        let Some(format) = MEDIA.iter().position(is_named).map(|at| ALL[at]) else { continue };
        if quality > 0.0 && best.is_none_or(|(_, other)| quality > other) {
            best = Some((format, quality));
        }
    }
    best.map(|(format, _)| format)
}

#[cfg(test)]
mod choosing {
    use super::*;

    #[test]
    fn the_accept_header_chooses() {
        let rows = [
            ("*/*", "json"),
            ("text/csv", "csv"),
            ("text/html, application/xml;q=0.9, */*;q=0.8", "xml"),
            ("Text/CSV", "csv"),
            ("text/plain;q=0.5, text/csv;q=0.9", "csv"),
            ("text/*", "txt"),
            ("application/x-ndjson", "ndjson"),
            ("text/csv;q=0", "json"),
            ("image/png", "json"),
            ("", "json"),
        ];
        for (accept, name) in rows {
            assert_eq!(accepted(accept).unwrap_or(ALL[0]).name(), name, "{accept}");
        }
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_words_that_are_known() {
        let error = choose(Some("yaml"), &HeaderMap::new()).err().unwrap();
        assert!(format!("{error:?}").contains("allowed: json, xml, csv, txt, ndjson"), "{error:?}");
    }
}
