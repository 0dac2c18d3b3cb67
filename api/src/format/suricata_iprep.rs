//! `suricata-iprep`: `address,category,score` for Suricata's IP reputation; `categories.txt` beside it names the
//! category (`1,Blocklist,Shared block list`).

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::{PLAIN, put};
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct SuricataIprep;

impl Format for SuricataIprep {
    fn name(&self) -> &'static str {
        "suricata-iprep"
    }

    fn about(&self) -> &'static str {
        "Suricata: `reputation-files`; reload with SIGUSR2"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Category, Knob::Score]
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let (category, score) = (shape.knobs.category, shape.knobs.score);
        PLAIN.write(rows, shape, out, |out, row| {
            put(out, format_args!("{},{category},{score}", row.value));
        });
    }
}
