//! Feeds of lines.

use raft::blocklist::Kind;

use super::{Named, Wanted};
use crate::allow::plain;

/// Names in files of hosts that are the machine itself.
const OWN_NAMES: [&str; 8] = [
    "localhost",
    "localhost.localdomain",
    "local",
    "broadcasthost",
    "0.0.0.0",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-allnodes",
];
/// Addresses that a file of hosts sends names to.
const SINKS: [&str; 4] = ["0.0.0.0", "127.0.0.1", "::", "::1"];

/// The lines that say something, with their numbers.
pub(super) fn telling(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    lines
        .filter(|(_, line)| !(line.is_empty() || line.starts_with(['#', ';', '!']) || line.starts_with("//")))
}

pub(super) fn plain(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    let named = telling(text).map(|(number, line)| {
        let line = plain::line(Some(wanted.kind), line);
        Named { line: number, value: line.value.to_owned(), comment: line.comment.to_owned() }
    });
    Ok(named.collect())
}

pub(super) fn hosts(text: &str, _: Wanted<'_>) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    for (number, line) in telling(text) {
        let (line, comment) = line.split_once('#').unwrap_or((line, ""));
        let names = line.split_whitespace().skip(1).filter(|name| !OWN_NAMES.contains(name));
        named.extend(names.map(|name| Named {
            line: number,
            value: name.to_owned(),
            comment: comment.trim().to_owned(),
        }));
    }
    Ok(named)
}

/// `Start End Netmask Attacks Name Country email`: the network is start and netmask.
pub(super) fn dshield(text: &str, _: Wanted<'_>) -> Result<Vec<Named>, String> {
    let rows = telling(text).filter(|(_, line)| !line.starts_with("Start"));
    let named = rows.map(|(number, line)| {
        let mut cells = line.split('\t').map(str::trim);
        let (start, mask) = (cells.next().unwrap_or_default(), cells.nth(1).unwrap_or_default());
        let name = cells.nth(1).unwrap_or_default();
        let value = if mask.is_empty() { line.to_owned() } else { format!("{start}/{mask}") };
        Named { line: number, value, comment: name.to_owned() }
    });
    Ok(named.collect())
}

/// The name of the form of such lines, if their first one leaves no doubt.
pub(super) fn recognise(text: &str, kind: Kind) -> Option<&'static str> {
    let (_, first) = telling(text).next()?;
    let words: Vec<&str> = first.split_whitespace().collect();
    if kind == Kind::Ip && first.starts_with("Start\tEnd\t") {
        Some("dshield")
    } else if kind == Kind::Domain && words.len() >= 2 && SINKS.contains(&words[0]) {
        Some("hosts")
    } else {
        None
    }
}
