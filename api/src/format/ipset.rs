//! `ipset`: the input of `ipset restore`. The list is prepared in sets of its own and swapped in, also under a
//! rule that refers to them. `maxelem` never follows the count: a set that exists with another one is an error.

use std::fmt;

use raft::blocklist::Kind;

use super::knobs::{Comments, Families, Knob, Knobs, Name};
use super::lines::{harmless, is_v6, put};
use super::{Format, Frame, Rows, Shape, Totals};

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

    fn splits_families(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        match place {
            Frame::Head => head(totals, shape, out),
            Frame::Middle => {}
            Frame::Foot => {
                let sets = sets(&shape.knobs);
                sets.iter().for_each(|(set, _)| put(out, format_args!("swap {set}_n {set}\n")));
                sets.iter().for_each(|(set, _)| put(out, format_args!("destroy {set}_n\n")));
            }
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let comments = shape.comments(Comments::None);
        for row in rows {
            let set = if is_v6(&row) { &shape.knobs.set6 } else { &shape.knobs.set4 };
            put(out, format_args!("add {set}_n {}", row.value));
            if comments == Comments::Inline {
                let words = harmless(&row.entry.comment);
                if !words.is_empty() {
                    put(out, format_args!(" comment \"{words}\""));
                }
            }
            out.extend(b" -exist\n");
        }
    }
}

/// The sets that are asked for, and their families.
fn sets(knobs: &Knobs) -> Vec<(&Name, &'static str)> {
    let (v4, v6) = ((&knobs.set4, "inet"), (&knobs.set6, "inet6"));
    match knobs.families {
        Families::Both => vec![v4, v6],
        Families::V4 => vec![v4],
        Families::V6 => vec![v6],
    }
}

fn head(totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
    let knobs = &shape.knobs;
    let comments = shape.comments(Comments::None);
    let sets = sets(knobs);
    if comments != Comments::None {
        let [v4, v6] = totals.counts;
        put(out, format_args!("# blocklist v={} v4={v4} v6={v6}\n", shape.version));
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
    sets.iter().for_each(|(set, family)| create(out, set, family));
    sets.iter().for_each(|(set, family)| create(out, &format_args!("{set}_n"), family));
    sets.iter().for_each(|(set, _)| put(out, format_args!("flush {set}_n\n")));
}
