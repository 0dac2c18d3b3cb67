//! `mikrotik`: a script for `/import` of RouterOS. What it removes first it removes itself, so that a file that
//! never came leaves the list alone. It is run: no word of anybody stands in it unless made harmless.

use raft::blocklist::Kind;

use super::knobs::{Comments, Families, Knob};
use super::lines::{harmless, is_v6, network, put};
use super::{Format, Frame, Rows, Shape, Totals};

/// How long an address stays when no newer file comes.
const TIMEOUT_SECONDS: u64 = 86_400;

pub(crate) struct Mikrotik;

impl Format for Mikrotik {
    fn name(&self) -> &'static str {
        "mikrotik"
    }

    fn extension(&self) -> &'static str {
        "rsc"
    }

    fn about(&self) -> &'static str {
        "MikroTik RouterOS: `/import FILE.rsc`; fills the address list of the label"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label, Knob::Timeout, Knob::Comments]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn splits_families(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, _totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        let menu = match (place, shape.knobs.families) {
            (Frame::Head, Families::Both | Families::V4) => "ip",
            (Frame::Middle, Families::Both | Families::V6) => "ipv6",
            _ => return,
        };
        let list = word(&shape.knobs.label.to_string());
        put(out, format_args!("/{menu} firewall address-list remove [find where list={list}]\n"));
        put(out, format_args!("/{menu} firewall address-list\n"));
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let list = word(&shape.knobs.label.to_string());
        let timeout = duration(shape.knobs.timeout.unwrap_or(TIMEOUT_SECONDS));
        for row in rows {
            put(out, format_args!("add list={list} address="));
            match network(&row) {
                // IPv6 hosts have their length here, IPv4 hosts have not.
                Some(host) if is_v6(&row) => put(out, format_args!("{}", host.net())),
                _ => put(out, format_args!("{}", row.value)),
            }
            let words = match shape.comments(Comments::None) {
                Comments::Inline => harmless(&row.entry.comment),
                _ => "bl".to_owned(),
            };
            put(out, format_args!(" timeout={timeout} comment=\"{words}\"\n"));
        }
    }
}

/// A name in an expression, where `a-b` would be a difference.
fn word(name: &str) -> String {
    match name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => name.to_owned(),
        false => format!("\"{name}\""),
    }
}

/// `1d`, `2h`, `5m` or `90s`: the largest unit that says it whole.
fn duration(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    match units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}
