//! `apache`: lines for the inside of `<RequireAll>`, beside `Require all granted`.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct Apache;

impl Format for Apache {
    fn name(&self) -> &'static str {
        "apache"
    }

    fn about(&self) -> &'static str {
        "Apache 2.4: `Include FILE` inside `<RequireAll>`, with `Require all granted`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Comments]
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.write(rows, shape, out, |out, row| put(out, format_args!("Require not ip {}", row.value)));
    }
}
