//! `f5`: `address,length,BL,category` for a feed list of F5 BIG-IP AFM.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, network, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct F5;

impl Format for F5 {
    fn name(&self) -> &'static str {
        "f5"
    }

    fn about(&self) -> &'static str {
        "F5 BIG-IP AFM: a feed list; the label is the category"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label]
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.write(rows, shape, out, |out, row| {
            if let Some(network) = network(row) {
                let (address, length) = (network.net().addr(), network.net().prefix_len());
                put(out, format_args!("{address},{length},BL,{}", shape.knobs.label));
            }
        });
    }
}
