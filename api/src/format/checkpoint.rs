//! `checkpoint`: the CSV of Check Point's custom intelligence feeds. Its addresses are IPv4 alone, and a network is
//! a range.

use std::net::IpAddr;

use raft::blocklist::{Kind, Observable};

use super::knobs::Knob;
use super::lines::put;
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct Checkpoint;

impl Format for Checkpoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn content_type(&self) -> &'static str {
        "text/csv; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "Check Point: a custom intelligence feed (`ioc_feeds add`); IPv6 is left out"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label]
    }

    fn holds(&self, value: &Observable, _shape: &Shape) -> bool {
        !matches!(value, Observable::Ip(network) if matches!(network.net().addr(), IpAddr::V6(_)))
    }

    /// Lines are numbered.
    fn is_by_row(&self, _kind: Kind) -> bool {
        false
    }

    fn frame(&self, place: Frame, _totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        if place == Frame::Head {
            out.extend(b"# UNIQ-NAME,VALUE,TYPE,CONFIDENCE,SEVERITY,PRODUCT,COMMENT\n");
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let label = &shape.knobs.label;
        for (at, row) in rows.enumerate() {
            let number = at + 1;
            let end = format_args!("high,high,AB,{label}\n").to_string();
            match &row.value {
                Observable::Ip(network) if !network.is_host() => {
                    let (first, last) = (network.net().network(), network.net().broadcast());
                    put(out, format_args!("bl{number},{first}-{last},IP Range,{end}"));
                }
                Observable::Ip(host) => put(out, format_args!("bl{number},{host},IP,{end}")),
                domain => put(out, format_args!("bl{number},{domain},Domain,{end}")),
            }
        }
    }
}
