//! `squid`: a file for `acl … src "FILE"`, or for `dstdomain`, where the dot before a domain means those below it
//! too, and a name below another one is refused by Squid.

use std::collections::BTreeSet;

use raft::blocklist::{Kind, Observable};

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Row, Rows, Shape, Totals};

pub(crate) struct Squid;

impl Format for Squid {
    fn name(&self) -> &'static str {
        "squid"
    }

    fn about(&self) -> &'static str {
        "Squid: a file for `acl … src \"FILE\"`, or of domains for `acl … dstdomain \"FILE\"`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Comments, Knob::IfEmpty]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    /// A name below another one is left out.
    fn is_by_row(&self, kind: Kind) -> bool {
        kind != Kind::Domain
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let rows: Vec<Row<'_>> = rows.collect();
        let domains: BTreeSet<String> =
            rows.iter().filter_map(|row| row.value.text()).map(str::to_owned).collect();
        let mut kept = rows.into_iter().filter(|row| !is_below(row, &domains));
        PLAIN.write(&mut kept, shape, out, |out, row| match &row.value {
            Observable::Domain(domain) => put(out, format_args!(".{domain}")),
            value => put(out, format_args!("{value}")),
        });
    }
}

/// Whether another listed domain covers this one.
fn is_below(row: &Row<'_>, domains: &BTreeSet<String>) -> bool {
    let Some(domain) = row.value.text() else { return false };
    domain.match_indices('.').any(|(at, _)| domains.contains(&domain[at + 1..]))
}
