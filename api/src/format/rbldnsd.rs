//! `rbldnsd`: a data set for a DNS block list: `ip4set`, or with `family=6` an `ip6trie`. RFC 5782 section 5 wants
//! an entry to test with; the serial 0 is the time of the file.

use std::net::IpAddr;

use raft::blocklist::{Kind, Observable};

use super::knobs::{Families, Knob};
use super::lines::put;
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct Rbldnsd;

impl Format for Rbldnsd {
    fn name(&self) -> &'static str {
        "rbldnsd"
    }

    fn extension(&self) -> &'static str {
        "ip4"
    }

    fn about(&self) -> &'static str {
        "rbldnsd: `ZONE:ip4set:FILE`; with `family=6`, `ZONE:ip6trie:FILE`"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Zone, Knob::Host]
    }

    fn holds(&self, value: &Observable, shape: &Shape) -> bool {
        let wants_v6 = shape.knobs.families == Families::V6;
        matches!(value, Observable::Ip(network) if matches!(network.net().addr(), IpAddr::V6(_)) == wants_v6)
    }

    fn frame(&self, place: Frame, _totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        if place != Frame::Head {
            return;
        }
        let zone = &shape.knobs.zone;
        put(
            out,
            format_args!(
                "$SOA 60 ns.{zone}. hostmaster.{zone}. 0 300 60 86400 60\n$NS 60 ns.{zone}.\n:127.0.0.2:"
            ),
        );
        match &shape.knobs.host {
            Some(host) => put(out, format_args!("Listed, see https://{host}/ip/$\n")),
            None => out.extend(b"Listed: $\n"),
        }
        let test = if shape.knobs.families == Families::V6 { "::ffff:7f00:2" } else { "127.0.0.2" };
        put(out, format_args!("{test}\n"));
    }

    fn lines(&self, rows: Rows<'_, '_>, _shape: &Shape, out: &mut Vec<u8>) {
        for row in rows {
            put(out, format_args!("{}\n", row.value));
        }
    }
}
