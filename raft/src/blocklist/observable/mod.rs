//! One observable in its one canonical form. `Observable::parse` is the only door in.

mod address;
mod digest;
mod domain;
mod email;
mod malformed;
mod url;
mod username;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::network::Network;

pub use malformed::Malformed;

/// A value with a kind. The order is the order of every export: by kind, then, for addresses, networks
/// before hosts, IPv4 before IPv6, numeric; the rest by text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Observable {
    /// A host or network.
    Ip(Network),
    /// A domain, lower case, ASCII (IDNA), without the final dot.
    Domain(Arc<str>),
    /// A URL in the WHATWG serialization.
    Url(Arc<str>),
    /// Lower-case hex of 32, 40 or 64 digits.
    Hash(Arc<str>),
    /// `local@domain` with the domain in its canonical form.
    Email(Arc<str>),
    /// A user name as given, trimmed.
    Username(Arc<str>),
}

impl Observable {
    /// Parses strictly and folds to the canonical form (contract section 7). White space around the value is
    /// ignored; control characters within it never are.
    pub fn parse(kind: Kind, text: &str) -> Result<Observable, Malformed> {
        let trimmed = text.trim();
        let parsed = if trimmed.is_empty() {
            Err(Some("it is empty".to_owned()))
        } else if trimmed.chars().any(char::is_control) {
            Err(Some("it holds a control character".to_owned()))
        } else {
            match kind {
                Kind::Ip => address::parse(trimmed).map(Observable::Ip),
                Kind::Domain => domain::parse(trimmed).map(|text| Observable::Domain(text.into())),
                Kind::Url => url::parse(trimmed).map(|text| Observable::Url(text.into())),
                Kind::Hash => digest::parse(trimmed).map(|text| Observable::Hash(text.into())),
                Kind::Email => email::parse(trimmed).map(|text| Observable::Email(text.into())),
                Kind::Username => username::parse(trimmed).map(|text| Observable::Username(text.into())),
            }
        };
        parsed.map_err(|reason| Malformed::new(kind, trimmed, reason))
    }

    /// The host address as an observable; an IPv4-mapped IPv6 address is the IPv4 address.
    pub fn host(address: IpAddr) -> Observable {
        Observable::Ip(Network::host(address.to_canonical()))
    }

    /// The host or network; none for other kinds.
    pub fn network(&self) -> Option<Network> {
        match self {
            Observable::Ip(network) => Some(*network),
            _ => None,
        }
    }

    /// The text of a value that is kept as text; none for an address.
    pub fn text(&self) -> Option<&str> {
        match self {
            Observable::Ip(_) => None,
            Observable::Domain(text)
            | Observable::Url(text)
            | Observable::Hash(text)
            | Observable::Email(text)
            | Observable::Username(text) => Some(text),
        }
    }

    /// The kind of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Observable::Ip(_) => Kind::Ip,
            Observable::Domain(_) => Kind::Domain,
            Observable::Url(_) => Kind::Url,
            Observable::Hash(_) => Kind::Hash,
            Observable::Email(_) => Kind::Email,
            Observable::Username(_) => Kind::Username,
        }
    }
}

impl fmt::Display for Observable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observable::Ip(network) => network.fmt(f),
            Observable::Domain(text)
            | Observable::Url(text)
            | Observable::Hash(text)
            | Observable::Email(text)
            | Observable::Username(text) => f.write_str(text),
        }
    }
}
