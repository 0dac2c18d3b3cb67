//! `nft`: a table of sets alone, flushed and filled in one transaction, so that `nft -f` is all or nothing and the
//! administrator's own chains stay. A line with no element would be a syntax error, and is left out.

use raft::blocklist::Kind;

use super::knobs::{Families, Knob, Knobs, Name};
use super::lines::put;
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct Nft;

impl Format for Nft {
    fn name(&self) -> &'static str {
        "nft"
    }

    fn extension(&self) -> &'static str {
        "nft"
    }

    fn about(&self) -> &'static str {
        "nftables: `nft -f FILE`, all or nothing; a chain of your own names `@bl4` and `@bl6`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Table, Knob::Set4, Knob::Set6, Knob::Timeout]
    }

    fn splits_families(&self) -> bool {
        true
    }

    fn separator(&self) -> &'static str {
        ", "
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        let (knobs, [v4, v6]) = (&shape.knobs, totals.counts);
        match place {
            Frame::Head => {
                put(out, format_args!("# blocklist v={} v4={v4} v6={v6}\n", shape.version));
                declare(knobs, out);
                open(knobs, &knobs.set4, v4, out);
            }
            Frame::Middle => {
                close(v4, out);
                open(knobs, &knobs.set6, v6, out);
            }
            Frame::Foot => close(v6, out),
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        for (at, row) in rows.enumerate() {
            let comma = if at > 0 { self.separator() } else { "" };
            put(out, format_args!("{comma}{}", row.value));
            if let Some(seconds) = shape.knobs.timeout {
                put(out, format_args!(" timeout {seconds}s"));
            }
        }
    }
}

/// The table and its sets, empty.
fn declare(knobs: &Knobs, out: &mut Vec<u8>) {
    let table = &knobs.table;
    let (v4, v6) = ((&knobs.set4, "ipv4_addr"), (&knobs.set6, "ipv6_addr"));
    // The set of a family that was not asked for is left alone.
    let sets = match knobs.families {
        Families::Both => vec![v4, v6],
        Families::V4 => vec![v4],
        Families::V6 => vec![v6],
    };
    let flags = if knobs.timeout.is_some() { "interval,timeout" } else { "interval" };
    put(out, format_args!("add table inet {table}\n"));
    for (set, of) in &sets {
        put(out, format_args!("add set inet {table} {set} {{ type {of}; flags {flags}; auto-merge; }}\n"));
    }
    for (set, _) in &sets {
        put(out, format_args!("flush set inet {table} {set}\n"));
    }
}

fn open(knobs: &Knobs, set: &Name, count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        put(out, format_args!("add element inet {} {set} {{ ", knobs.table));
    }
}

fn close(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        out.extend(b" }\n");
    }
}
