//! What a name under the zone asks for: the octets of an IPv4 address reversed, the nibbles of an IPv6 address
//! reversed (RFC 5782 sections 2.1 and 2.4), or a domain as it is (section 3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::Name;
use ipnet::IpNet;
use raft::blocklist::{Network, Observable};

use super::zone::Zone;

/// Section 5: who tests a list asks for an entry that is always there, and for one that never is.
const TEST_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const TEST_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 2);
const TEST_DOMAIN: &str = "test";

/// The labels of a whole IPv4 address, and of a whole IPv6 address.
const OCTETS: usize = 4;
const NIBBLES: usize = 32;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The zone itself.
    Apex,
    /// Its server.
    Server,
    /// What the list may hold.
    Listed(Readings),
}

/// What a name may stand for. `1.0.0.2` is the address 2.0.0.1, and the front of all in 2001::/16: a resolver that says
/// no more than it must (RFC 9156) asks for that first, and must not hear that nothing is below (RFC 8020).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Readings {
    /// The entry that is always there.
    pub(super) test: bool,
    /// It is below this name.
    pub(super) above_test: bool,
    /// The address, or the domain.
    pub(super) values: Vec<Observable>,
    /// The networks, and the domain, whose names are below this one.
    pub(super) above: Vec<Observable>,
}

/// What a name asks for; none when it is not under the zone.
pub(super) fn asked(zone: &Zone, name: &Name) -> Option<Asked> {
    if !zone.name.zone_of(name) {
        return None;
    }
    let count = usize::from(name.num_labels().saturating_sub(zone.name.num_labels()));
    if count == 0 {
        return Some(Asked::Apex);
    }
    if zone.own_server.as_ref() == Some(name) {
        return Some(Asked::Server);
    }
    let labels: Option<Vec<String>> = name.iter().take(count).map(plain).collect();
    Some(Asked::Listed(labels.map(|labels| readings(&labels)).unwrap_or_default()))
}

/// A label in lower case, if the name of a host could have it.
fn plain(label: &[u8]) -> Option<String> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
    label.iter().all(letter).then(|| String::from_utf8_lossy(label).to_ascii_lowercase())
}

fn readings(labels: &[String]) -> Readings {
    let mut readings = Readings::default();
    if let Some(net) = v4(labels) {
        readings.address(net, TEST_V4.into());
    }
    if let Some(net) = v6(labels) {
        readings.address(net, TEST_V6.into());
    }
    let digits = |label: &String| label.bytes().all(|digit| digit.is_ascii_digit());
    if !labels.last().is_some_and(digits) {
        let name = labels.join(".");
        readings.test |= name == TEST_DOMAIN;
        let domain = Observable::Domain(name.into());
        readings.values.push(domain.clone());
        readings.above.push(domain);
    }
    readings
}

impl Readings {
    /// An address, or the front of addresses. An IPv4 address is asked for by its octets alone, never as IPv6.
    fn address(&mut self, net: IpNet, test: IpAddr) {
        let whole = net.prefix_len() == net.max_prefix_len();
        let holds_test = net.contains(&test);
        self.test |= whole && holds_test;
        self.above_test |= !whole && holds_test;
        let place = if whole { &mut self.values } else { &mut self.above };
        place.push(Observable::Ip(Network::new(net)));
    }
}

/// The octets of labels, the last label first.
fn v4(labels: &[String]) -> Option<IpNet> {
    let octet = |label: &String| {
        let plain = label.len() == 1 || !label.starts_with('0');
        (plain && label.bytes().all(|digit| digit.is_ascii_digit())).then(|| label.parse::<u8>().ok())?
    };
    let mut octets = [0; OCTETS];
    if labels.len() > octets.len() {
        return None;
    }
    for (place, label) in octets.iter_mut().zip(labels.iter().rev()) {
        *place = octet(label)?;
    }
    IpNet::new(Ipv4Addr::from(octets).into(), u8::try_from(labels.len() * 8).ok()?).ok()
}

/// The nibbles of labels, the last label first.
fn v6(labels: &[String]) -> Option<IpNet> {
    if labels.len() > NIBBLES {
        return None;
    }
    let mut bits: u128 = 0;
    for number in 0..NIBBLES {
        let nibble = match labels.iter().rev().nth(number).map(String::as_bytes) {
            Some([digit]) => char::from(*digit).to_digit(16)?,
            Some(_) => return None,
            None => 0,
        };
        bits = (bits << 4) | u128::from(nibble);
    }
    IpNet::new(Ipv6Addr::from(bits).into(), u8::try_from(labels.len() * 4).ok()?).ok()
}
