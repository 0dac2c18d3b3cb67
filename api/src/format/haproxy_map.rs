//! `haproxy-map`: a file for `map_ip`, the value being the label.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct HaproxyMap;

impl Format for HaproxyMap {
    fn name(&self) -> &'static str {
        "haproxy-map"
    }

    fn about(&self) -> &'static str {
        "HAProxy: a file for `map_ip`, or of domains for `map_dom`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label]
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.write(rows, shape, out, |out, row| {
            put(out, format_args!("{} {}", row.value, shape.knobs.label));
        });
    }
}
