//! The kinds of observable. Adding a kind appends to the enum: its position is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an observable is; also the first segment of its routes (`/ip`, `/domain`, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A host or a network, IPv4 or IPv6.
    Ip,
    /// A domain name in its ASCII form.
    Domain,
    /// An absolute URL.
    Url,
    /// An MD5, SHA-1 or SHA-256 digest in lower-case hex.
    Hash,
    /// An e-mail address.
    Email,
    /// A user name.
    Username,
}

impl Kind {
    /// Every kind, in stored order.
    pub const ALL: [Kind; 6] = [Kind::Ip, Kind::Domain, Kind::Url, Kind::Hash, Kind::Email, Kind::Username];

    /// The word used in URLs, bodies and exports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ip => "ip",
            Kind::Domain => "domain",
            Kind::Url => "url",
            Kind::Hash => "hash",
            Kind::Email => "email",
            Kind::Username => "username",
        }
    }

    /// How messages speak of one value of this kind ("address `10.0.0.300` is not valid").
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Ip => "address",
            Kind::Domain => "domain",
            Kind::Url => "URL",
            Kind::Hash => "hash",
            Kind::Email => "e-mail address",
            Kind::Username => "user name",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Kind, ()> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}
