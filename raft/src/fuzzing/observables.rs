//! Observables of every kind.

use std::net::IpAddr;

use super::chosen;
use crate::blocklist::{Kind, Network, Observable};
use crate::codec::{self, Content};

/// The longest canonical form of all: that of a URL.
const VALUE_BYTES_MAX: usize = 2048;
/// A refusal repeats a part of the value alone.
const REFUSAL_CHARS_MAX: usize = 400;

/// A digit for the kind, then a text. What is taken has one form, which is taken as it is and survives storage; an
/// address is the one that plain arithmetic finds.
pub fn observables(data: &[u8]) {
    let Some((kind, bytes)) = chosen(data) else { return };
    let kind = Kind::ALL[kind % Kind::ALL.len()];
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = Observable::parse(kind, text);
    match &parsed {
        Ok(value) => {
            let shown = value.to_string();
            assert_eq!(value.kind(), kind);
            assert!(shown.len() <= VALUE_BYTES_MAX && !shown.chars().any(char::is_control), "{shown:?}");
            assert_eq!(Observable::parse(kind, &shown).as_ref(), Ok(value), "{text:?} is shown as {shown:?}");
            let stored = codec::encode(Content::Record, value).expect("a value can be stored");
            assert_eq!(codec::decode::<Observable>(Content::Record, &stored).ok().as_ref(), Some(value));
        }
        Err(malformed) => {
            let refusal = malformed.to_string();
            assert!(refusal.chars().count() <= REFUSAL_CHARS_MAX, "{refusal}");
            assert!(!refusal.chars().any(char::is_control), "{refusal:?}");
        }
    }
    if kind == Kind::Ip {
        let found = parsed.ok().map(|value| value.to_string());
        assert_eq!(found, plain(text.trim()).map(|network| network.to_string()), "{text:?}");
    }
}

/// The host or network of a text, by arithmetic on its bits.
fn plain(text: &str) -> Option<Network> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    // The standard library takes no leading zeros, and no zone.
    let address: IpAddr = address.parse().ok()?;
    let (bits, all): (u128, u32) = match address {
        IpAddr::V4(v4) => (v4.to_bits().into(), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let length = match length {
        None => all,
        Some(text) => {
            text.parse::<u32>().ok().filter(|length| *length <= all && length.to_string() == text)?
        }
    };
    let below = all - length;
    let host_bits = if below == 128 { bits } else { bits & ((1 << below) - 1) };
    // IPv4-mapped IPv6 is IPv4, where nothing of the range is left out.
    let (address, length) = match address {
        IpAddr::V6(v6) if length >= 96 && v6.to_ipv4_mapped().is_some() => (v6.to_canonical(), length - 96),
        _ => (address, length),
    };
    let net = ipnet::IpNet::new(address, u8::try_from(length).ok()?).ok()?;
    (host_bits == 0).then(|| Network::new(net))
}
