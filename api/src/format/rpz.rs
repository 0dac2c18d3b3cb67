//! `rpz`: a response policy zone for BIND, Unbound and others: answers that hold an address, and domains with
//! all below them. The serial is the index of the last change.

use std::net::IpAddr;

use raft::blocklist::{Kind, Network, Observable};

use super::knobs::{Action, Comments, Knob};
use super::lines::{harmless, put};
use super::{Format, Frame, Rows, Shape, Totals};

/// The longest domain written: with `*.` before it and the zone's name behind it, it has to stay a name of 255
/// bytes, or the whole zone would be refused.
const DOMAIN_BYTES_MAX: usize = 200;

pub(crate) struct Rpz;

impl Format for Rpz {
    fn name(&self) -> &'static str {
        "rpz"
    }

    fn content_type(&self) -> &'static str {
        "text/dns"
    }

    fn extension(&self) -> &'static str {
        "zone"
    }

    fn about(&self) -> &'static str {
        "BIND, Unbound, PowerDNS, Knot: a response policy zone"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Action, Knob::Comments]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn holds(&self, value: &Observable, _shape: &Shape) -> bool {
        value.text().is_none_or(|domain| domain.len() <= DOMAIN_BYTES_MAX)
    }

    fn frame(&self, place: Frame, _totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        if place == Frame::Head {
            let serial = shape.version & u64::from(u32::MAX);
            put(
                out,
                format_args!(
                    "$TTL 60\n@ IN SOA localhost. hostmaster.localhost. {serial} 300 60 86400 60\n\
                     @ IN NS localhost.\n"
                ),
            );
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let target = match shape.knobs.action {
            Action::Nxdomain => ".",
            Action::Nodata => "*.",
            Action::Drop => "rpz-drop.",
            Action::Passthru => "rpz-passthru.",
        };
        let comments = shape.comments(Comments::None);
        for row in rows {
            let words = match comments {
                Comments::Inline => harmless(&row.entry.comment),
                _ => String::new(),
            };
            let end = if words.is_empty() { "\n".to_owned() } else { format!(" ; {words}\n") };
            match &row.value {
                Observable::Ip(network) => {
                    put(out, format_args!("{} CNAME {target}{end}", trigger(*network)));
                }
                domain => {
                    put(out, format_args!("{domain} CNAME {target}{end}*.{domain} CNAME {target}\n"));
                }
            }
        }
    }
}

/// `24.0.100.51.198.rpz-ip`, `128.1.zz.db8.2001.rpz-ip`: the parts of the address from behind, `zz` for the `::`
/// of RFC 5952; BIND takes no other form.
fn trigger(network: Network) -> String {
    let (address, length) = (network.net().addr(), network.net().prefix_len());
    let text = address.to_string();
    let parts: Vec<&str> = match address {
        IpAddr::V4(_) => text.split('.').rev().collect(),
        IpAddr::V6(_) => match text.split_once("::") {
            None => text.split(':').rev().collect(),
            Some((before, after)) => {
                let parts = after.rsplit(':').chain(["zz"]).chain(before.rsplit(':'));
                parts.filter(|part| !part.is_empty()).collect()
            }
        },
    };
    format!("{length}.{}.rpz-ip", parts.join("."))
}
