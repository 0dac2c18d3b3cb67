//! `suricata-rules`: rules that name the addresses, for whoever has no IP reputation. Suricata's reader takes lines of
//! 8,191 bytes (DETECT_MAX_RULE_SIZE), so a rule has so many addresses and no more.

use raft::blocklist::Kind;

use super::knobs::Knob;
use super::lines::put;
use super::{Format, Frame, Row, Rows, Shape, Totals};

pub(crate) struct SuricataRules;

/// Of the longest, 43 bytes and a comma each, half of a line.
const ADDRESSES_MAX: usize = 100;
/// The first signature id; each rule has the next one.
const FIRST_ID: usize = 9_000_001;
/// A revision has 31 bits.
const REVISIONS: u64 = 1 << 31;

impl Format for SuricataRules {
    fn name(&self) -> &'static str {
        "suricata-rules"
    }

    fn extension(&self) -> &'static str {
        "rules"
    }

    fn about(&self) -> &'static str {
        "Suricata: `rule-files`, signatures from 9000001 on; reload with SIGUSR2; iprep is faster for long lists"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label]
    }

    /// Rules are numbered, and hold several rows.
    fn is_by_row(&self, _kind: Kind) -> bool {
        false
    }

    fn frame(&self, place: Frame, totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        if place == Frame::Head && totals.is_empty() {
            out.push(b'\n');
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let (label, revision) = (&shape.knobs.label, (shape.version % REVISIONS).max(1));
        let rows: Vec<Row<'_>> = rows.collect();
        for (number, rows) in rows.chunks(ADDRESSES_MAX).enumerate() {
            let id = FIRST_ID + number;
            for (place, row) in rows.iter().enumerate() {
                put(out, format_args!("{}{}", if place == 0 { "drop ip [" } else { "," }, row.value));
            }
            put(out, format_args!("] any <> any any (msg:\"{label}\"; sid:{id}; rev:{revision};)\n"));
        }
    }
}
