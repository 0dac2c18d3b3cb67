//! `ipset`: the input of `ipset restore`. The list is prepared in sets of its own and swapped in, also under a
//! rule that refers to them. `maxelem` never follows the count: a set that exists with another one is an error.

use std::fmt;

use raft::blocklist::Kind;

use super::knobs::{Comments, Families, Knob, Name};
use super::lines::{by_family, harmless, put};
use super::{Format, Row, Rows, Shape};

pub(crate) struct Ipset;

impl Format for Ipset {
    fn name(&self) -> &'static str {
        "ipset"
    }

    fn extension(&self) -> &'static str {
        "ipset"
    }

    fn about(&self) -> &'static str {
        "ipset: `ipset restore < FILE`; sets of hash:net, prepared aside and swapped in"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Set4, Knob::Set6, Knob::Maxelem, Knob::Timeout, Knob::Comments]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn render(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let knobs = &shape.knobs;
        let comments = shape.comments(Comments::None);
        let (v4, v6) = by_family(rows);
        let sets: &[(&Name, &str, &Vec<Row<'_>>)] =
            &[(&knobs.set4, "inet", &v4), (&knobs.set6, "inet6", &v6)];
        let sets = match knobs.families {
            Families::Both => sets,
            Families::V4 => &sets[..1],
            Families::V6 => &sets[1..],
        };
        if comments != Comments::None {
            put(out, format_args!("# blocklist v={} v4={} v6={}\n", shape.version, v4.len(), v6.len()));
        }
        let mut more = knobs.timeout.map_or(String::new(), |seconds| format!(" timeout {seconds}"));
        if comments == Comments::Inline {
            more.push_str(" comment");
        }
        let create = |out: &mut Vec<u8>, set: &dyn fmt::Display, family: &str| {
            let maxelem = knobs.maxelem;
            put(
                out,
                format_args!(
                    "create {set} hash:net family {family} hashsize 4096 maxelem {maxelem}{more} -exist\n"
                ),
            );
        };
        sets.iter().for_each(|(set, family, _)| create(out, set, family));
        sets.iter().for_each(|(set, family, _)| create(out, &format_args!("{set}_n"), family));
        sets.iter().for_each(|(set, ..)| put(out, format_args!("flush {set}_n\n")));
        for (set, _, rows) in sets {
            for row in *rows {
                put(out, format_args!("add {set}_n {}", row.value));
                let words = harmless(&row.entry.comment);
                if comments == Comments::Inline && !words.is_empty() {
                    put(out, format_args!(" comment \"{words}\""));
                }
                out.extend(b" -exist\n");
            }
        }
        sets.iter().for_each(|(set, ..)| put(out, format_args!("swap {set}_n {set}\n")));
        sets.iter().for_each(|(set, ..)| put(out, format_args!("destroy {set}_n\n")));
    }
}
