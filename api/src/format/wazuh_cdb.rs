//! `wazuh-cdb`: `key:value` for a CDB list of Wazuh. It knows networks as dotted beginnings alone (`192.0.2.`):
//! others are written as those, or as their hosts. IPv6 networks it cannot hold.

use std::collections::HashSet;
use std::net::IpAddr;

use raft::blocklist::{Kind, Network, Observable};

use super::knobs::Knob;
use super::lines::put;
use super::{Format, Frame, Rows, Shape, Totals};

pub(crate) struct WazuhCdb;

impl Format for WazuhCdb {
    fn name(&self) -> &'static str {
        "wazuh-cdb"
    }

    fn about(&self) -> &'static str {
        "Wazuh: a CDB list, for `lookup=\"address_match_key\"` or `match_key`; networks of IPv6 are left out"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Ip, Kind::Domain, Kind::Hash]
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Label]
    }

    fn holds(&self, value: &Observable, _shape: &Shape) -> bool {
        match value {
            Observable::Ip(network) => network.is_host() || network.net().addr().is_ipv4(),
            _ => true,
        }
    }

    /// A host in a network that is written as hosts is left out.
    fn is_by_row(&self, kind: Kind) -> bool {
        kind != Kind::Ip
    }

    fn frame(&self, place: Frame, totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        if place == Frame::Foot && totals.is_empty() {
            out.push(b'\n');
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let label = &shape.knobs.label;
        // Keys are unique: a host may stand in a network that is written as hosts.
        let mut written = HashSet::new();
        for row in rows {
            match &row.value {
                Observable::Ip(network) => match network.net().addr() {
                    IpAddr::V4(_) => {
                        for key in keys(*network) {
                            if written.insert(key.clone()) {
                                put(out, format_args!("{key}:{label}\n"));
                            }
                        }
                    }
                    IpAddr::V6(address) => put(out, format_args!("\"{address}\":{label}\n")),
                },
                text => put(out, format_args!("{text}:{label}\n")),
            }
        }
    }
}

/// The keys that hold the addresses of an IPv4 network: of the next length that ends at a dot.
fn keys(network: Network) -> Vec<String> {
    let whole = network.net().prefix_len().div_ceil(8).max(1) * 8;
    let Ok(parts) = network.net().subnets(whole) else { return Vec::new() };
    let key = |address: String| match whole {
        32 => address,
        _ => address.split_inclusive('.').take(usize::from(whole / 8)).collect(),
    };
    parts.map(|part| key(part.addr().to_string())).collect()
}
