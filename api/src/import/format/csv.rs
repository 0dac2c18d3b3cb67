//! Feeds of CSV: a header, perhaps behind a comment sign, and a record a line.

use raft::blocklist::Kind;

use super::lines::telling;
use super::{Named, Wanted};

/// Which columns mean what.
#[derive(Clone, Copy)]
struct Columns<'a> {
    value: &'a str,
    comment: &'a str,
    /// What the value is, where records of several kinds are mixed.
    kind: &'a str,
}

const FEODO: Columns<'_> = Columns { value: "dst_ip", comment: "malware", kind: "" };
const THREATFOX: Columns<'_> = Columns { value: "ioc_value", comment: "malware_printable", kind: "ioc_type" };
const URLHAUS: Columns<'_> = Columns { value: "url", comment: "threat", kind: "" };

pub(super) fn column(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    let value = wanted.column.ok_or("the format `csv` needs `column`: the name or number of a column")?;
    read(text, wanted.kind, Columns { value, comment: "comment", kind: "" })
}

pub(super) fn feodo(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    read(text, wanted.kind, FEODO)
}

pub(super) fn threatfox(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    read(text, wanted.kind, THREATFOX)
}

pub(super) fn urlhaus(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    read(text, wanted.kind, URLHAUS)
}

/// The name of the form of such a text, known by its header.
pub(super) fn recognise(text: &str) -> Option<&'static str> {
    let forms = [("feodo", FEODO), ("threatfox", THREATFOX)];
    let known = forms.into_iter().find(|(_, columns)| header(text, columns.value).is_some());
    known.map(|(name, _)| name).or_else(|| header(text, "urlhaus_link").map(|_| "urlhaus"))
}

fn read(text: &str, kind: Kind, columns: Columns<'_>) -> Result<Vec<Named>, String> {
    let (below, names) = match (header(text, columns.value), columns.value.parse::<usize>()) {
        (Some(found), _) => found,
        (None, Ok(1..)) => (0, Vec::new()),
        (None, _) => return Err(format!("there is no column `{}`", columns.value.escape_default())),
    };
    let place = |name: &str| names.iter().position(|known| known == name);
    let number = || columns.value.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let Some(value) = place(columns.value).or_else(number) else { return Ok(Vec::new()) };
    let (comment, kinds) = (place(columns.comment), place(columns.kind));
    let mut named = Vec::new();
    for (number, line) in telling(text).filter(|(number, _)| *number > below) {
        let cells = cells(line);
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).map_or("", String::as_str);
        if kinds.is_some() && !is_of(cell(kinds), kind) {
            continue;
        }
        let value = without_port(kind, cell(Some(value)));
        named.push(Named { line: number, value: value.to_owned(), comment: cell(comment).to_owned() });
    }
    Ok(named)
}

/// The number of the line that names this column, and all names on it.
fn header(text: &str, column: &str) -> Option<(usize, Vec<String>)> {
    /// A header comes at the start.
    const LOOKED_AT_LINES: usize = 64;
    let lines = (1..).zip(text.lines()).take(LOOKED_AT_LINES);
    lines
        .map(|(number, line)| (number, cells(line.trim_start_matches('#'))))
        .find(|(_, cells)| cells.len() > 1 && cells.iter().any(|cell| cell == column))
}

/// The cells of a record. Some feeds have a space before the quotes, which RFC 4180 does not know.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().replace("\", \"", "\",\"");
    let reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let record = reader.into_records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// Whether a type of abuse.ch or MISP is of a kind.
pub(super) fn is_of(named: &str, kind: Kind) -> bool {
    let names: &[&str] = match kind {
        Kind::Ip => &["ip", "ip:port", "ip-src", "ip-dst", "ip-src|port", "ip-dst|port"],
        Kind::Domain => &["domain", "hostname"],
        Kind::Url => &["url"],
        Kind::Hash => &["md5", "sha1", "sha256", "md5_hash", "sha1_hash", "sha256_hash"],
        Kind::Email => &["email", "email-src", "email-dst"],
        Kind::Username => &["username"],
    };
    names.contains(&named)
}

/// An address without the port that stands behind it.
pub(super) fn without_port(kind: Kind, text: &str) -> &str {
    if kind != Kind::Ip {
        return text;
    }
    let text = text.split('|').next().unwrap_or_default();
    match (text.strip_prefix('['), text.matches(':').count()) {
        (Some(inner), _) => inner.split(']').next().unwrap_or_default(),
        (None, 1) => text.split(':').next().unwrap_or_default(),
        _ => text,
    }
}
