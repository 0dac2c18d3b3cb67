//! `nginx-geo`: the inside of a `geo` block; it scales, where `deny` lines are walked one by one.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct NginxGeo;

impl Format for NginxGeo {
    fn name(&self) -> &'static str {
        "nginx-geo"
    }

    fn about(&self) -> &'static str {
        "nginx: `geo $blocked { include FILE; }`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Comments]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.write(rows, shape, out, |out, row| put(out, format_args!("{} 1;", row.value)));
    }
}
