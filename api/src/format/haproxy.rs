//! `haproxy`: a file for `acl … -f`. A comment behind a value would keep HAProxy from starting.

use raft::blocklist::Kind;

use super::knobs::{Comments, Knob};
use super::lines::{Lines, put};
use super::{Format, Frame, Rows, Shape, Totals};

/// A heading says how old the file is.
const LINES: Lines = Lines { comment: '#', comments: Comments::Header };

pub(crate) struct Haproxy;

impl Format for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn about(&self) -> &'static str {
        "HAProxy: a file for `acl … src -f`, or of domains for `hdr_dom(host) -f`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Comments, Knob::IfEmpty]
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        LINES.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        LINES.write(rows, shape, out, |out, row| put(out, format_args!("{}", row.value)));
    }
}
