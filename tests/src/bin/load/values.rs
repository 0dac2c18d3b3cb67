//! The values that are added: addresses that are all different, in no order, with comments as sensors write them.

use std::fmt::Write;
use std::net::Ipv4Addr;

use clap::ValueEnum;
use hyper::body::Bytes;

/// Addresses below one first octet; each of them once, in no order.
const PER_OCTET: u32 = 1 << 24;
const STRIDE: u32 = 7919;
/// Sensors that report.
const SOURCES: u32 = 200;
/// What sensors write again and again.
const PHRASES: [&str; 8] = [
    "ssh brute force",
    "port scan",
    "WordPress login attempts",
    "SQL injection in a query string",
    "SMTP AUTH failures",
    "known botnet controller",
    "RDP brute force",
    "web crawler that ignores robots.txt",
];

/// The address with this number, counted from a first octet.
pub(crate) fn address(first: u8, number: u32) -> Ipv4Addr {
    let within = (u64::from(number % PER_OCTET) * u64::from(STRIDE) + 1) % u64::from(PER_OCTET);
    let octet = u32::from(first) + number / PER_OCTET;
    Ipv4Addr::from((octet << 24) | u32::try_from(within).expect("it is below 2^24"))
}

/// What a single add goes to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A node of Stockade, or the floor
    Stockade,
    /// The HTTP gateway of etcd
    Etcd,
}

impl Kind {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Kind::Stockade => "/ip/add",
            Kind::Etcd => "/v3/kv/put",
        }
    }

    /// The body that adds the address with this number.
    pub(crate) fn add(self, first: u8, number: u32) -> Bytes {
        let body = match self {
            Kind::Stockade => format!(r#"{{"ip":"{}","comment":"bench"}}"#, address(first, number)),
            // Twelve digits are base64 as they are, and so is the comment.
            Kind::Etcd => format!(r#"{{"key":"{:012}","value":"benchbench=="}}"#, number),
        };
        body.into()
    }
}

/// What a line of a bulk request says.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lines {
    /// The address alone
    Plain,
    /// NDJSON with a comment and a source; every second comment is like no other
    Described,
    /// Networks of 256 addresses
    Networks,
}

impl Lines {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Lines::Plain | Lines::Networks => "text/plain",
            Lines::Described => "application/x-ndjson",
        }
    }

    /// The lines with these numbers.
    pub(crate) fn body(self, first: u8, numbers: std::ops::Range<u32>) -> Bytes {
        let mut body = String::new();
        for number in numbers {
            let ip = address(first, number);
            // Writing to a string cannot fail.
            let _ = match self {
                Lines::Plain => writeln!(body, "{ip}"),
                Lines::Networks => {
                    let network = Ipv4Addr::from((u32::from(first) << 24) + (number << 8));
                    writeln!(body, "{network}/24")
                }
                Lines::Described => {
                    let source = number % SOURCES;
                    let phrase = PHRASES[number as usize % PHRASES.len()];
                    let told = if number % 2 == 0 {
                        phrase.to_owned()
                    } else {
                        format!("{phrase}, {} attempts from port {}", number % 97 + 3, number % 64_512 + 1024)
                    };
                    writeln!(body, r#"{{"ip":"{ip}","comment":"{told}","source":"sensor-{source:03}"}}"#)
                }
            };
        }
        body.into()
    }
}
