//! `nginx-deny`: one `deny` a line, for a short list; a long one is better a `geo` block.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct NginxDeny;

impl Format for NginxDeny {
    fn name(&self) -> &'static str {
        "nginx-deny"
    }

    fn about(&self) -> &'static str {
        "nginx: `include FILE;` in a server or location"
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
        PLAIN.write(rows, shape, out, |out, row| put(out, format_args!("deny {};", row.value)));
    }
}
