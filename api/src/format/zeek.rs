//! `zeek`: a file for Zeek's intelligence framework, separated by tabs. Zeek re-reads it when it is replaced, and
//! keeps what is not in it any more until `item_expiration`. It passes over `#types`, which readers of its logs need.

use raft::blocklist::{Kind, Observable};

use super::knobs::{Comments, Knob};
use super::lines::{harmless, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct Zeek;

const HEADING: &[u8] = b"#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n\
    #types\tstring\tenum\tstring\tstring\n";

impl Format for Zeek {
    fn name(&self) -> &'static str {
        "zeek"
    }

    fn extension(&self) -> &'static str {
        "intel"
    }

    fn about(&self) -> &'static str {
        "Zeek: `Intel::read_files`; replace the file with mv, and set `Intel::item_expiration`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &Kind::ALL
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label, Knob::Comments]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, _totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        if place == Frame::Head {
            out.extend(HEADING);
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let label = &shape.knobs.label;
        for row in rows {
            let kind = match &row.value {
                Observable::Ip(network) if network.is_host() => "ADDR",
                Observable::Ip(_) => "SUBNET",
                Observable::Domain(_) => "DOMAIN",
                Observable::Url(_) => "URL",
                Observable::Hash(_) => "FILE_HASH",
                Observable::Email(_) => "EMAIL",
                Observable::Username(_) => "USER_NAME",
            };
            match row.value.text() {
                Some(text) => escaped(text, out),
                None => put(out, format_args!("{}", row.value)),
            }
            let words = match shape.comments(Comments::Inline) {
                Comments::Inline => harmless(&row.entry.comment),
                _ => String::new(),
            };
            let words = if words.is_empty() { "-" } else { &words };
            put(out, format_args!("\tIntel::{kind}\t{label}\t{words}\n"));
        }
    }
}

/// A value as Zeek's reader takes it: a URL without its scheme; what would be a comment, nothing, an escape or a
/// separator as `\x..`.
fn escaped(text: &str, out: &mut Vec<u8>) {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let alone = matches!(text, "-" | "(empty)");
    for (at, byte) in text.bytes().enumerate() {
        let special = byte == b'\\' || byte.is_ascii_control() || (at == 0 && (alone || byte == b'#'));
        match special {
            true => put(out, format_args!("\\x{byte:02x}")),
            false => out.push(byte),
        }
    }
}
