//! Messages in, messages out: what is answered to what is asked, and how it is cut to what the asker can take.

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, HINFO, TXT};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use raft::Picture;
use raft::blocklist::{Entry, Kind, Observable, Timestamp};

use super::question::{Asked, asked};
use super::zone::Zone;
use crate::format::harmless;

/// The bytes of a message's head.
const HEAD_BYTES: usize = 12;
/// The largest datagram that no network has to take apart (DNS flag day 2020), and the smallest limit there is.
const DATAGRAM_MAX: u16 = 1232;
pub(super) const DATAGRAM_MIN: usize = 512;
/// The longest text in one string.
const TEXT_BYTES_MAX: usize = 255;
/// What an address and a domain answer with, as the large lists have it.
const LISTED_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const LISTED_DOMAIN: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 2);
/// What the test entries say.
const TEST_TEXT: &str = "this entry is always listed, for tests (RFC 5782)";

/// What some bytes are.
pub(super) enum Received {
    Query(Message),
    /// Not to be understood, and this answer says so.
    Broken(Message),
    /// Nothing that an answer could go to, or an answer itself: two servers must not talk for ever.
    Nothing,
}

pub(super) fn read(bytes: &[u8]) -> Received {
    if bytes.len() < HEAD_BYTES {
        return Received::Nothing;
    }
    let Ok(header) = Header::read(&mut BinDecoder::new(bytes)) else { return Received::Nothing };
    if header.metadata.message_type == MessageType::Response {
        return Received::Nothing;
    }
    match Message::from_vec(bytes) {
        Ok(query) => Received::Query(query),
        Err(_) => {
            let mut response = response_to(&header.metadata);
            response.metadata.response_code = ResponseCode::FormErr;
            Received::Broken(response)
        }
    }
}

/// The bytes of an answer. Over UDP it has what the asker takes, and is empty and says so when there is more.
pub(super) fn write(response: &Message, bytes_max: usize) -> Option<Vec<u8>> {
    let bytes = response.to_vec().ok()?;
    if bytes.len() <= bytes_max { Some(bytes) } else { response.truncate().to_vec().ok() }
}

/// What an asker takes over UDP.
pub(super) fn datagram_max(query: &Message) -> usize {
    usize::from(query.max_payload().min(DATAGRAM_MAX)).max(DATAGRAM_MIN)
}

/// The answer that holds nothing, and says to ask again over TCP.
pub(super) fn come_over_tcp(query: &Message) -> Message {
    let mut response = response_to(&query.metadata);
    response.add_queries(query.queries.iter().take(1).cloned());
    response.metadata.truncation = true;
    response
}

/// The answer of a list to a query; no list, no answer but SERVFAIL.
pub(super) fn respond(zone: &Zone, picture: Option<&Picture>, query: &Message, now: Timestamp) -> Message {
    let mut response = response_to(&query.metadata);
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM_MAX).set_version(0);
        response.set_edns(edns);
    }
    let refusal = match &query.queries[..] {
        _ if query.version() > 0 => Some(ResponseCode::BADVERS),
        _ if query.metadata.op_code != OpCode::Query => Some(ResponseCode::NotImp),
        [question] => {
            response.add_query(question.clone());
            answer(zone, picture, question, now, &mut response).err()
        }
        _ => Some(ResponseCode::FormErr),
    };
    if let Some(code) = refusal {
        response.metadata.response_code = code;
    }
    response
}

fn response_to(query: &Metadata) -> Message {
    let mut response = Message::response(query.id, query.op_code);
    response.metadata = Metadata::response_from_request(query);
    response
}

fn answer(
    zone: &Zone,
    picture: Option<&Picture>,
    question: &Query,
    now: Timestamp,
    response: &mut Message,
) -> Result<(), ResponseCode> {
    let transfer = matches!(question.query_type, RecordType::AXFR | RecordType::IXFR);
    if question.query_class != DNSClass::IN || transfer {
        return Err(ResponseCode::Refused);
    }
    let asked = asked(zone, &question.name).ok_or(ResponseCode::Refused)?;
    let picture = picture.ok_or(ResponseCode::ServFail)?;
    response.metadata.authoritative = true;
    let found = found(zone, picture, &asked, now);
    let name = &question.name;
    match question.query_type {
        // As few words as RFC 8482 section 4.2 asks for, so that no one gains by asking for all there is.
        RecordType::ANY if found.exists => {
            let minimal = HINFO::new("RFC8482".into(), String::new());
            response.add_answer(Record::from_rdata(name.clone(), zone.ttl, RData::HINFO(minimal)));
        }
        wanted => {
            let records = found.records.into_iter().filter(|record| record.record_type() == wanted);
            response
                .add_answers(records.map(|record| Record::from_rdata(name.clone(), record.ttl, record.data)));
        }
    }
    if response.answers.is_empty() {
        response.add_authority(zone.soa(picture.index));
        if !found.exists {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
    }
    Ok(())
}

/// What there is under a name.
struct Found {
    records: Vec<Record>,
    /// The name, or one below it, exists.
    exists: bool,
}

fn found(zone: &Zone, picture: &Picture, asked: &Asked, now: Timestamp) -> Found {
    let list = &picture.list;
    match asked {
        Asked::Apex => {
            let records = std::iter::once(zone.soa(picture.index)).chain(zone.ns()).collect();
            Found { records, exists: true }
        }
        Asked::Server => Found { records: zone.glue().collect(), exists: true },
        Asked::Listed(readings) if readings.test => listed(zone, LISTED_IP, TEST_TEXT.into(), zone.ttl),
        Asked::Listed(readings) => {
            let blocked = |value| list.blocking(value).map(|entry| (value, entry));
            match readings.values.iter().find_map(blocked) {
                Some((value, entry)) => {
                    let code = if value.kind() == Kind::Domain { LISTED_DOMAIN } else { LISTED_IP };
                    listed(zone, code, text(value, entry), ttl(zone, entry, now))
                }
                None => {
                    let below = readings.above.iter().any(|above| list.lists_within(above));
                    Found { records: Vec::new(), exists: readings.above_test || below }
                }
            }
        }
    }
}

fn listed(zone: &Zone, code: Ipv4Addr, text: String, ttl: u32) -> Found {
    let address = Record::from_rdata(zone.name.clone(), ttl, RData::A(A(code)));
    let text = Record::from_rdata(zone.name.clone(), ttl, RData::TXT(TXT::new(vec![text])));
    Found { records: vec![address, text], exists: true }
}

/// No longer than the entry stays.
fn ttl(zone: &Zone, entry: &Entry, now: Timestamp) -> u32 {
    let Some(expires) = entry.expires() else { return zone.ttl };
    let left = expires.0.saturating_sub(now.0) / 1000;
    u32::try_from(left.max(0)).unwrap_or(u32::MAX).min(zone.ttl)
}

/// `Listed: 192.0.2.1 in 192.0.2.0/24, Bad guy`: letters, digits and few signs, one string.
fn text(value: &Observable, entry: &Entry) -> String {
    let mut text = format!("Listed: {value}");
    if *value != entry.value {
        text.push_str(&format!(" in {}", entry.value));
    }
    let comment = harmless(&entry.comment);
    if !comment.is_empty() {
        text.push_str(", ");
        text.push_str(&comment);
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}
