//! Files of one line a value, with comments where a program takes them. Somebody's words are made harmless here.

use std::io::Write;
use std::net::IpAddr;

use raft::blocklist::{Network, Timestamp};

use super::knobs::{Comments, IfEmpty};
use super::{Frame, Row, Rows, Shape, Totals};

/// The longest comment written behind a value.
const COMMENT_BYTES_MAX: usize = 200;
/// What stands in an empty list for those who keep their old one otherwise.
const SENTINEL: &str = "192.0.2.255";

/// How the lines of a file look.
pub(super) struct Lines {
    /// What begins a comment, also behind a value where the format takes that.
    pub(super) comment: char,
    /// Without a word from the client.
    pub(super) comments: Comments,
}

/// Lines with `#`, and no comment unless asked for.
pub(super) const PLAIN: Lines = Lines { comment: '#', comments: Comments::None };

impl Lines {
    /// The heading, and what stands in for rows where there are none.
    pub(super) fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        let said = |if_empty: IfEmpty| totals.is_empty() && shape.knobs.if_empty == Some(if_empty);
        let heading = shape.comments(self.comments) != Comments::None || said(IfEmpty::Comment);
        match place {
            Frame::Head if heading => heading_line(self.comment, totals, shape, out),
            Frame::Foot if said(IfEmpty::Sentinel) => put(out, format_args!("{SENTINEL}\n")),
            Frame::Foot if totals.is_empty() && !heading => out.push(b'\n'),
            _ => {}
        }
    }

    /// Whether the heading stands there, and says when the newest report was.
    pub(super) fn says_newest(&self, shape: &Shape) -> bool {
        shape.comments(self.comments) != Comments::None
    }

    /// The rows; `line` writes one without its end.
    pub(super) fn write(
        &self,
        rows: Rows<'_, '_>,
        shape: &Shape,
        out: &mut Vec<u8>,
        line: impl Fn(&mut Vec<u8>, &Row<'_>),
    ) {
        let comments = shape.comments(self.comments);
        for row in rows {
            line(out, &row);
            if comments == Comments::Inline {
                inline(self.comment, &row, out);
            }
            out.push(b'\n');
        }
    }
}

/// `# blocklist v=… n=… generated=…`: the index of the last change, how many, and the newest report. No clock:
/// the same list has the same bytes on every node.
fn heading_line(comment: char, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
    put(out, format_args!("{comment} blocklist v={} n={}", shape.version, totals.count()));
    if let Some(newest) = totals.newest {
        put(out, format_args!(" generated={}", rfc3339(newest)));
    }
    out.push(b'\n');
}

fn inline(comment: char, row: &Row<'_>, out: &mut Vec<u8>) {
    let words = harmless(&row.entry.comment);
    if !words.is_empty() {
        put(out, format_args!(" {comment} {words}"));
    }
}

fn rfc3339(moment: Timestamp) -> String {
    format!("{}Z", moment.to_string().replace(' ', "T"))
}

/// Somebody's words, of which only letters, digits and signs are left that mean nothing to any program: no quote,
/// no bracket, no backslash, no dollar, no comment sign, no control character, no line break.
pub(crate) fn harmless(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || ".,:_-/@+=".contains(c) { c } else { ' ' };
    let mut words = String::new();
    for word in text.chars().map(safe).collect::<String>().split_ascii_whitespace() {
        let space = usize::from(!words.is_empty());
        if words.len() + space + word.len() > COMMENT_BYTES_MAX {
            break;
        }
        if space > 0 {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// Formats straight into a buffer, which takes everything.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every write");
}

/// The network of a row; none for other kinds.
pub(super) fn network(row: &Row<'_>) -> Option<Network> {
    row.value.network()
}

/// Whether a row is of IPv6.
pub(super) fn is_v6(row: &Row<'_>) -> bool {
    network(row).is_some_and(|network| matches!(network.net().addr(), IpAddr::V6(_)))
}
