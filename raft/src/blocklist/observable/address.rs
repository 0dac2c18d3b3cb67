//! Hosts and networks, strictly: what one program reads as decimal and another as octal is refused, because
//! the sensor and the firewall would then mean different addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Network;
use super::malformed::Reason;

/// The bits in front of the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

pub(super) fn parse(text: &str) -> Result<Network, Reason> {
    match text.split_once('/') {
        None => parse_address(text).map(|address| Network::host(address.to_canonical())),
        Some((address, length)) => network(parse_address(address)?, parse_length(length)?),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, Reason> {
    if text.contains(':') {
        if text.contains('%') {
            return Err(Some("a zone id means nothing on another machine".to_owned()));
        }
        return text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| None);
    }
    // The standard library wants four decimal octets and refuses leading zeros.
    text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| {
        let leading_zero = |octet: &str| octet.len() > 1 && octet.starts_with('0');
        text.split('.').any(leading_zero).then(|| "an octet has a leading zero".to_owned())
    })
}

fn parse_length(text: &str) -> Result<u8, Reason> {
    let plain = (1..=3).contains(&text.len())
        && text.bytes().all(|digit| digit.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if !plain {
        return Err(Some("the prefix length is not a plain decimal number".to_owned()));
    }
    text.parse().map_err(|_| Some(too_long(text)))
}

fn network(address: IpAddr, length: u8) -> Result<Network, Reason> {
    let (address, length) = match address {
        IpAddr::V6(v6) if length >= MAPPED_BITS => match v6.to_ipv4_mapped() {
            Some(v4) if length <= 128 => (IpAddr::V4(v4), length - MAPPED_BITS),
            _ => (address, length),
        },
        _ => (address, length),
    };
    let net = IpNet::new(address, length).map_err(|_| Some(too_long(&length.to_string())))?;
    if net.trunc() != net {
        return Err(Some(format!("host bits are set, `{}` was probably meant", Network::new(net))));
    }
    Ok(Network::new(net))
}

fn too_long(length: &str) -> String {
    format!("a prefix of {length} is longer than the address")
}
