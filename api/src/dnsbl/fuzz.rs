//! Messages of DNS as the fuzzers make them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use raft::blocklist::Observable;

use super::answer::{self, Received, respond};
use super::samples::{picture, zone};
use crate::fuzzing::chosen;
use crate::list::samples::NOW;

/// A digit, then a message as it comes, or the octets of an address that is asked for. There is an answer to what is a
/// question alone, it fits, it can be read, and it says what the list says.
pub(crate) fn dns(data: &[u8]) {
    let Some((what, bytes)) = chosen(data) else { return };
    match what % 3 {
        0 => message(bytes),
        1 => {
            if let Some(octets) = bytes.first_chunk::<4>() {
                let labels = octets.iter().rev().map(u8::to_string).collect();
                address(Ipv4Addr::from(*octets).into(), labels);
            }
        }
        _ => {
            if let Some(octets) = bytes.first_chunk::<16>() {
                let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
                let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
                address(Ipv6Addr::from(*octets).into(), labels.into_iter().rev().collect());
            }
        }
    }
}

fn message(bytes: &[u8]) {
    let (response, bytes_max, query) = match answer::read(bytes) {
        Received::Query(query) => {
            let too_many = answer::write(&answer::come_over_tcp(&query), answer::DATAGRAM_MIN);
            assert!(too_many.is_none_or(|answer| answer.len() <= answer::DATAGRAM_MIN));
            let response = respond(&zone(), Some(&picture()), &query, NOW);
            (response, answer::datagram_max(&query), Some(query))
        }
        Received::Broken(response) => (response, answer::DATAGRAM_MIN, None),
        Received::Nothing => {
            return assert!(bytes.len() < 12 || bytes[2] & 0x80 != 0, "a question is dropped");
        }
    };
    let answered = answer::write(&response, bytes_max).expect("an answer can be written");
    assert!(answered.len() <= bytes_max, "{} bytes", answered.len());
    let read = Message::from_vec(&answered).expect("an answer can be read");
    assert_eq!((read.metadata.message_type, &answered[..2]), (MessageType::Response, &bytes[..2]));
    if let Some(query) = query.filter(|_| !read.metadata.truncation && !read.queries.is_empty()) {
        assert_eq!(read.queries[..], query.queries[..1], "it repeats the question");
    }
}

/// Asks for an address by its labels.
fn address(address: IpAddr, labels: Vec<String>) {
    let labels = labels.iter().map(String::as_bytes).chain([&b"bl"[..], b"example", b"org"]);
    let Ok(name) = Name::from_labels(labels) else { return };
    let mut query = Message::query();
    query.add_query(Query::query(name, RecordType::A));
    let picture = picture();
    let response = respond(&zone(), Some(&picture), &query, NOW);
    let blocked = picture.list.blocking(&Observable::host(address)).is_some();
    // The entry that is always there; IPv6 that carries IPv4 is asked for by its octets alone.
    let is_test = address == IpAddr::from([127, 0, 0, 2]) || address.to_canonical() != address;
    assert!(
        is_test || response.answers.is_empty() != blocked,
        "{address} is answered {:?}",
        response.answers
    );
    let code = response.metadata.response_code;
    assert!(matches!(code, ResponseCode::NoError | ResponseCode::NXDomain), "{code:?}");
}
