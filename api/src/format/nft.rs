//! `nft`: a table of sets alone, flushed and filled in one transaction, so that `nft -f` is all or nothing and the
//! administrator's own chains stay. A line with no element would be a syntax error, and is left out.

use raft::blocklist::Kind;

use super::knobs::{Families, Knob, Name};
use super::lines::{by_family, put};
use super::{Format, Row, Rows, Shape};

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

    fn render(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let knobs = &shape.knobs;
        let table = &knobs.table;
        let (v4, v6) = by_family(rows);
        let sets: &[(&Name, &str, &Vec<Row<'_>>)] =
            &[(&knobs.set4, "ipv4_addr", &v4), (&knobs.set6, "ipv6_addr", &v6)];
        // The set of a family that was not asked for is left alone.
        let sets = match knobs.families {
            Families::Both => sets,
            Families::V4 => &sets[..1],
            Families::V6 => &sets[1..],
        };
        let flags = if knobs.timeout.is_some() { "interval,timeout" } else { "interval" };
        put(out, format_args!("# blocklist v={} v4={} v6={}\n", shape.version, v4.len(), v6.len()));
        put(out, format_args!("add table inet {table}\n"));
        for (set, of, _) in sets {
            put(
                out,
                format_args!("add set inet {table} {set} {{ type {of}; flags {flags}; auto-merge; }}\n"),
            );
        }
        for (set, ..) in sets {
            put(out, format_args!("flush set inet {table} {set}\n"));
        }
        for (set, _, rows) in sets {
            if rows.is_empty() {
                continue;
            }
            put(out, format_args!("add element inet {table} {set} {{ "));
            for (at, row) in rows.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                put(out, format_args!("{comma}{}", row.value));
                if let Some(seconds) = knobs.timeout {
                    put(out, format_args!(" timeout {seconds}s"));
                }
            }
            out.extend(b" }\n");
        }
    }
}
