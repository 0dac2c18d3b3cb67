//! What is answered to which name and type, and to messages that are no plain question.

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::answer::{self, Received, respond};
use super::samples::{picture, zone};
use super::zone::Zone;
use super::{DnsblSettings, client_network};
use crate::list::samples::NOW;

fn question(name: &str, kind: RecordType) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query
}

/// Over the wire and back, as a client has it.
fn ask(query: &Message) -> Message {
    let Received::Query(query) = answer::read(&query.to_vec().unwrap()) else { panic!("it is a query") };
    let response = respond(&zone(), Some(&picture()), &query, NOW);
    Message::from_vec(&response.to_vec().unwrap()).unwrap()
}

/// The answer in a few words: the data, or `nothing` (the name exists), or the code.
fn said(response: &Message) -> String {
    let words: Vec<String> = response.answers.iter().map(|record| record.data.to_string()).collect();
    match response.metadata.response_code {
        ResponseCode::NoError if words.is_empty() => "nothing".into(),
        ResponseCode::NoError => words.join(" "),
        code => format!("{code:?}"),
    }
}

#[track_caller]
fn check(name: &str, kind: RecordType, expected: &str) {
    let name = format!("{name}bl.example.org.");
    let response = ask(&question(&name, kind));
    assert_eq!(said(&response), expected, "{name} {kind}");
    assert!(response.metadata.authoritative, "{name}");
    let soa = response.authorities.iter().filter(|record| record.record_type() == RecordType::SOA).count();
    assert_eq!(soa, usize::from(response.answers.is_empty()), "what is not there may be kept, too: {name}");
}

#[test]
fn addresses_networks_and_domains_are_found_under_the_zone() {
    let six = |first: &str| format!("{first}.{}8.b.d.0.1.0.0.2.", "0.".repeat(23));
    let rows = [
        ("1.2.0.192.", "127.0.0.2", "a host"),
        ("3.2.0.192.", "NXDomain", "not listed"),
        ("9.100.51.198.", "127.0.0.2", "within a listed network"),
        ("7.100.51.198.", "NXDomain", "allowed, and cut out of that network"),
        ("9.101.51.198.", "NXDomain", "right behind the network"),
        ("2.0.0.127.", "127.0.0.2", "RFC 5782 section 5: must be listed"),
        ("1.0.0.127.", "NXDomain", "RFC 5782 section 5: must not be listed"),
        ("2.0.0.192.", "NXDomain", "its neighbour is not"),
        ("01.2.0.192.", "NXDomain", "no octet has a leading zero"),
        ("256.2.0.192.", "NXDomain", "no octet"),
        ("9.1.2.0.192.", "NXDomain", "five of them"),
        ("EVIL.Example.COM.", "127.0.1.2", "a domain, in any case"),
        ("a.b.evil.example.com.", "127.0.1.2", "all names below a domain, as in zones for response policies"),
        ("devil.example.com.", "NXDomain", "ends alike, and is another name"),
        ("worse.example.net.", "NXDomain", "an allowed name is below, so that no export has it"),
        ("good.example.net.", "NXDomain", "not listed"),
        ("test.", "127.0.0.2", "RFC 5782 section 5: must be listed"),
        ("invalid.", "NXDomain", "RFC 5782 section 5: must not be listed"),
        ("example.com.", "nothing", "RFC 8020: names below it are listed"),
        ("com.", "nothing", "and below this"),
        ("org.", "NXDomain", "nothing is below"),
        ("192.", "nothing", "addresses below it are listed"),
        ("2.0.192.", "nothing", "of three octets"),
        ("3.0.192.", "NXDomain", "none is"),
        ("5.51.198.", "NXDomain", "beside a network"),
        ("100.51.198.", "nothing", "a network"),
        ("127.", "nothing", "the test is below it"),
        ("1.0.0.2.", "nothing", "2.0.0.1 is not listed, and 2001:db8:: is below this name"),
        ("203.", "NXDomain", "no address begins with it, and no domain ends with it"),
        ("ns.", "192.0.2.53", "the zone's own server"),
        ("a\\.evil.example.com.", "NXDomain", "a dot within a label"),
        ("", "nothing", "the zone has no address"),
    ];
    for (name, expected, why) in rows {
        check(name, RecordType::A, expected);
        assert!(!why.is_empty());
    }
    check(&six("1"), RecordType::A, "127.0.0.2");
    check(&six("2"), RecordType::A, "NXDomain");
    let within = format!("f.{}1.0.0.0.8.b.d.0.1.0.0.2.", "e.".repeat(19));
    check(&within, RecordType::A, "127.0.0.2");
    check("0.8.B.D.0.1.0.0.2.", RecordType::A, "nothing");
    check("1.8.b.d.0.1.0.0.2.", RecordType::A, "NXDomain");
    let test = |last: &str| format!("{last}.0.0.0.0.0.f.7.f.f.f.f.{}", "0.".repeat(20));
    check(&test("2"), RecordType::A, "127.0.0.2");
    check(&test("1"), RecordType::A, "NXDomain");
}

/// As long as a name under this zone can be, of 253 letters.
fn longest() -> String {
    format!("{0}.{0}.{0}.{1}.evil.example.com", "a".repeat(63), "b".repeat(29))
}

#[test]
fn types_have_their_records_and_others_none() {
    check("1.2.0.192.", RecordType::AAAA, "nothing");
    check("1.2.0.192.", RecordType::MX, "nothing");
    check("3.2.0.192.", RecordType::MX, "NXDomain");
    check("", RecordType::NS, "ns.bl.example.org.");
    check("", RecordType::SOA, "ns.bl.example.org. hostmaster.bl.example.org. 42 3600 600 86400 60");
    check("ns.", RecordType::AAAA, "nothing");
    let any = ask(&question("1.2.0.192.bl.example.org.", RecordType::ANY));
    assert_eq!(any.answers.len(), 1);
    assert!(matches!(&any.answers[0].data, RData::HINFO(hinfo) if *hinfo.cpu == *b"RFC8482"));
    check("3.2.0.192.", RecordType::ANY, "NXDomain");
}

#[test]
fn a_text_says_why_and_does_no_harm() {
    let text = |name: &str| {
        let response = ask(&question(&format!("{name}.bl.example.org."), RecordType::TXT));
        let RData::TXT(text) = &response.answers[0].data else { panic!("no text: {response}") };
        assert_eq!(text.txt_data.len(), 1, "one string");
        String::from_utf8(text.txt_data[0].to_vec()).unwrap()
    };
    assert_eq!(text("9.100.51.198"), "Listed: 198.51.100.9 in 198.51.100.0/24");
    assert_eq!(text("a.evil.example.com"), "Listed: a.evil.example.com in evil.example.com, phishing");
    assert_eq!(text("1.2.0.192"), "Listed: 192.0.2.1, x 0.0.0.0/0 reboot add bl4 1.1.1.1");
    assert_eq!(text("2.0.0.127"), "this entry is always listed, for tests (RFC 5782)");
    let long = format!("{}.{}.evil.example.com", "a".repeat(63), "b".repeat(63));
    assert!(text(&long).starts_with("Listed: aaa") && text("2.2.0.192").len() <= 255);
    assert_eq!(text(&longest()).len(), 255);
}

#[test]
fn an_answer_is_kept_no_longer_than_its_entry_stays() {
    let ttl = |name: &str| ask(&question(&format!("{name}.bl.example.org."), RecordType::A)).answers[0].ttl;
    assert_eq!(ttl("1.2.0.192"), 300);
    assert_eq!(ttl("2.2.0.192"), 100);
    let absent = ask(&question("3.2.0.192.bl.example.org.", RecordType::A));
    assert_eq!(absent.authorities[0].ttl, 60);
}

#[test]
fn what_is_no_question_for_this_zone_is_refused_with_the_right_code() {
    let listed = "1.2.0.192.bl.example.org.";
    let query = |change: fn(&mut Message)| {
        let mut query = question(listed, RecordType::A);
        change(&mut query);
        query
    };
    let rows = [
        (question("1.2.0.192.bl.example.net.", RecordType::A), ResponseCode::Refused),
        (question("example.org.", RecordType::SOA), ResponseCode::Refused),
        (question(".", RecordType::NS), ResponseCode::Refused),
        (question("bl.example.org.", RecordType::AXFR), ResponseCode::Refused),
        (question("bl.example.org.", RecordType::IXFR), ResponseCode::Refused),
        (query(|query| query.queries[0].query_class = DNSClass::CH), ResponseCode::Refused),
        (query(|query| query.queries.clear()), ResponseCode::FormErr),
        (query(|query| query.queries.push(query.queries[0].clone())), ResponseCode::FormErr),
        (query(|query| query.metadata.op_code = OpCode::Notify), ResponseCode::NotImp),
        (query(|query| query.metadata.op_code = OpCode::Status), ResponseCode::NotImp),
    ];
    for (query, code) in rows {
        let response = ask(&query);
        assert_eq!(response.metadata.response_code, code, "{query}");
        assert_eq!(response.metadata.id, query.metadata.id);
        assert!(response.answers.is_empty() && !response.metadata.authoritative);
    }
}

#[test]
fn a_node_without_a_list_says_that_it_cannot_tell() {
    let zone = zone();
    for name in ["1.2.0.192.bl.example.org.", "3.2.0.192.bl.example.org.", "2.0.0.127.bl.example.org."] {
        let response = respond(&zone, None, &question(name, RecordType::A), NOW);
        assert_eq!(response.metadata.response_code, ResponseCode::ServFail, "{name}");
        assert!(!response.metadata.authoritative);
    }
    let outside = respond(&zone, None, &question("example.net.", RecordType::A), NOW);
    assert_eq!(outside.metadata.response_code, ResponseCode::Refused);
}

#[test]
fn an_answer_fits_into_what_the_asker_takes_or_says_to_come_over_tcp() {
    let name = format!("{}.bl.example.org.", longest());
    let with_payload = |payload: Option<u16>| {
        let mut query = question(&name, RecordType::TXT);
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            query.set_edns(edns);
        }
        let response = respond(&zone(), Some(&picture()), &query, NOW);
        let bytes = answer::write(&response, answer::datagram_max(&query)).unwrap();
        (bytes.len(), Message::from_vec(&bytes).unwrap())
    };
    for small in [None, Some(0), Some(512)] {
        let (length, response) = with_payload(small);
        assert!(length <= 512 && response.metadata.truncation && response.answers.is_empty(), "{small:?}");
        assert_eq!(response.edns.is_some(), small.is_some());
        assert_eq!(response.queries.len(), 1);
    }
    for large in [Some(1232), Some(4096), Some(u16::MAX)] {
        let (length, response) = with_payload(large);
        assert!(length > 512 && !response.metadata.truncation, "{large:?}");
        assert_eq!(response.answers.len(), 1);
        assert_eq!(response.edns.map(|edns| edns.max_payload()), Some(1232));
    }
    let mut newer = question(&name, RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    newer.set_edns(edns);
    // 16 has two names, of which BADVERS is that of an answer without a signature.
    assert_eq!(u16::from(ask(&newer).metadata.response_code), u16::from(ResponseCode::BADVERS));
}

#[test]
fn an_answer_over_the_limit_is_no_longer_than_the_question() {
    let query = question("1.2.0.192.bl.example.org.", RecordType::TXT);
    let response = answer::come_over_tcp(&query);
    assert!(response.metadata.truncation);
    assert!(response.to_vec().unwrap().len() <= query.to_vec().unwrap().len());
}

#[test]
fn zones_that_cannot_be_served_are_refused() {
    let with = |zone: &str, nameservers: &[&str]| {
        let nameservers = nameservers.iter().map(|&name| name.to_owned()).collect();
        let settings = DnsblSettings { zone: zone.into(), nameservers, ttl: 1, negative_ttl: 1, rate: 1 };
        Zone::new(&settings).map(|zone| zone.name.to_ascii())
    };
    assert_eq!(with("BL.Example.org.", &["ns1.example.org"]), Ok("bl.example.org.".into()));
    assert_eq!(with("bl", &[]), Ok("bl.".into()));
    let long = vec!["abcdefghi"; 20].join(".");
    for zone in ["", ".", "bl..example.org", "bl example.org", "*.example.org", &long, &"a".repeat(64)] {
        assert!(with(zone, &[]).is_err(), "{zone}");
    }
    assert!(with("bl.example.org", &["not a name"]).is_err());
}

#[test]
fn clients_share_the_limit_of_their_network() {
    let network = |text: &str| client_network(text.parse().unwrap());
    assert_eq!(network("192.0.2.1"), network("192.0.2.200"));
    assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
    assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
    assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:ff::2"));
    assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:100::1"));
}
