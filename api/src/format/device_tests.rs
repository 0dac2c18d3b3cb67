//! The exact bytes for every program, and that no comment ever becomes a line or a command of one.

use std::sync::Arc;

use axum::http::HeaderMap;
use proptest::prelude::{any, proptest};
use raft::blocklist::{
    Actor, Batch, COMMENT_BYTES_MAX, Command, Entry, Kind, List, Observable, Operation, Origin, Report, Role,
    Timestamp,
};

use super::{ALL, Asked, Format, Row, Shape};
use crate::list::{FILTERS, QUERIES};
use crate::parameters::Parameters;

/// Entries of these values and comments.
fn entries(kind: Kind, values: &[(&str, &str)]) -> Vec<Arc<Entry>> {
    let report = |(value, comment): &(&str, &str)| Report {
        value: Observable::parse(kind, value).unwrap(),
        comment: (*comment).into(),
        source: "10.0.0.7".into(),
        ttl: None,
        tags: [].into(),
        seen: None,
    };
    let actor = Actor { account: "anna".into(), role: Role::Analyst, address: "10.0.0.7".into() };
    let operation = Operation::Add(values.iter().map(report).collect());
    let command = Command::new(Timestamp(1_795_496_400_000), actor, operation);
    let origin = Origin { node: 1, incarnation: 1 };
    let mut list = List::default();
    list.apply(4, &Batch { origin, first_sequence: 1, commands: vec![command] });
    list.entries(kind).cloned().collect()
}

fn ask(kind: Kind, query: &str) -> Result<Asked, String> {
    let words = [&Asked::WORDS[..], &super::Knob::WORDS, FILTERS, QUERIES];
    let parameters = Parameters::parse(Some(query), &words).map_err(|error| error.message().to_owned())?;
    Asked::read(kind, &parameters, &HeaderMap::new()).map_err(|error| error.message().to_owned())
}

/// What a query makes of entries.
fn rendered(kind: Kind, query: &str, entries: &[Arc<Entry>]) -> String {
    let Asked { format, shape, .. } = ask(kind, query).unwrap();
    let shape = Shape { version: 1_795_499_882, ..shape };
    let mut rows = entries.iter().map(Row::from).filter(|row| format.holds(&row.value, &shape));
    let mut out = Vec::new();
    format.render(&mut rows, &shape, &mut out);
    String::from_utf8(out).unwrap()
}

/// The addresses of the samples.
const ADDRESSES: [(&str, &str); 4] =
    [("198.51.100.0/24", ""), ("192.0.2.1", "fail2ban sshd"), ("2001:db8:1::/48", ""), ("2001:db8::1", "")];

#[track_caller]
fn check(query: &str, expected: &str) {
    let found = rendered(Kind::Ip, query, &entries(Kind::Ip, &ADDRESSES));
    assert_eq!(found, expected, "{query}");
}

#[track_caller]
fn check_empty(query: &str, expected: &str) {
    assert_eq!(rendered(Kind::Ip, query, &[]), expected, "{query}");
}

#[test]
fn lists_of_lines() {
    check(
        "format=txt&comments=inline",
        "# blocklist v=1795499882 n=4 generated=2026-11-24T05:00:00Z\n198.51.100.0/24\n2001:db8:1::/48\n\
         192.0.2.1 # fail2ban sshd\n2001:db8::1\n",
    );
    check("format=txt", "198.51.100.0/24\n2001:db8:1::/48\n192.0.2.1\n2001:db8::1\n");
    check(
        "format=haproxy",
        "# blocklist v=1795499882 n=4 generated=2026-11-24T05:00:00Z\n198.51.100.0/24\n2001:db8:1::/48\n\
         192.0.2.1\n2001:db8::1\n",
    );
    check("format=squid", "198.51.100.0/24\n2001:db8:1::/48\n192.0.2.1\n2001:db8::1\n");
    check(
        "format=haproxy-map",
        "198.51.100.0/24 blocklist\n2001:db8:1::/48 blocklist\n192.0.2.1 blocklist\n2001:db8::1 blocklist\n",
    );
    check("format=nginx-geo", "198.51.100.0/24 1;\n2001:db8:1::/48 1;\n192.0.2.1 1;\n2001:db8::1 1;\n");
    check(
        "format=nginx-deny",
        "deny 198.51.100.0/24;\ndeny 2001:db8:1::/48;\ndeny 192.0.2.1;\ndeny 2001:db8::1;\n",
    );
    check(
        "format=apache",
        "Require not ip 198.51.100.0/24\nRequire not ip 2001:db8:1::/48\nRequire not ip 192.0.2.1\n\
         Require not ip 2001:db8::1\n",
    );
    check(
        "format=suricata-iprep",
        "198.51.100.0/24,1,100\n2001:db8:1::/48,1,100\n192.0.2.1,1,100\n2001:db8::1,1,100\n",
    );
    check(
        "format=suricata-rules&label=bad",
        "drop ip [198.51.100.0/24,2001:db8:1::/48,192.0.2.1,2001:db8::1] any <> any any \
         (msg:\"bad\"; sid:9000001; rev:1795499882;)\n",
    );
    check(
        "format=f5",
        "198.51.100.0,24,BL,blocklist\n2001:db8:1::,48,BL,blocklist\n192.0.2.1,32,BL,blocklist\n\
         2001:db8::1,128,BL,blocklist\n",
    );
}

#[test]
fn sets_of_the_kernel() {
    check(
        "format=nft",
        "# blocklist v=1795499882 v4=2 v6=2\nadd table inet blocklist\n\
         add set inet blocklist bl4 { type ipv4_addr; flags interval; auto-merge; }\n\
         add set inet blocklist bl6 { type ipv6_addr; flags interval; auto-merge; }\n\
         flush set inet blocklist bl4\nflush set inet blocklist bl6\n\
         add element inet blocklist bl4 { 198.51.100.0/24, 192.0.2.1 }\n\
         add element inet blocklist bl6 { 2001:db8:1::/48, 2001:db8::1 }\n",
    );
    check_empty(
        "format=nft&family=4&table=fw&set4=bad&timeout=1h",
        "# blocklist v=1795499882 v4=0 v6=0\nadd table inet fw\n\
         add set inet fw bad { type ipv4_addr; flags interval,timeout; auto-merge; }\n\
         flush set inet fw bad\n",
    );
    check(
        "format=ipset",
        "create bl4 hash:net family inet hashsize 4096 maxelem 131072 -exist\n\
         create bl6 hash:net family inet6 hashsize 4096 maxelem 131072 -exist\n\
         create bl4_n hash:net family inet hashsize 4096 maxelem 131072 -exist\n\
         create bl6_n hash:net family inet6 hashsize 4096 maxelem 131072 -exist\n\
         flush bl4_n\nflush bl6_n\nadd bl4_n 198.51.100.0/24 -exist\nadd bl4_n 192.0.2.1 -exist\n\
         add bl6_n 2001:db8:1::/48 -exist\nadd bl6_n 2001:db8::1 -exist\n\
         swap bl4_n bl4\nswap bl6_n bl6\ndestroy bl4_n\ndestroy bl6_n\n",
    );
    check_empty(
        "format=ipset&family=6&set6=six&maxelem=1000&timeout=2m&comments=inline",
        "# blocklist v=1795499882 v4=0 v6=0\n\
         create six hash:net family inet6 hashsize 4096 maxelem 1000 timeout 120 comment -exist\n\
         create six_n hash:net family inet6 hashsize 4096 maxelem 1000 timeout 120 comment -exist\n\
         flush six_n\nswap six_n six\ndestroy six_n\n",
    );
}

#[test]
fn zones() {
    check(
        "format=rpz",
        "$TTL 60\n@ IN SOA localhost. hostmaster.localhost. 1795499882 300 60 86400 60\n\
         @ IN NS localhost.\n24.0.100.51.198.rpz-ip CNAME .\n48.zz.1.db8.2001.rpz-ip CNAME .\n\
         32.1.2.0.192.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME .\n",
    );
    check_empty(
        "format=rpz&action=drop",
        "$TTL 60\n@ IN SOA localhost. hostmaster.localhost. 1795499882 300 60 86400 60\n@ IN NS localhost.\n",
    );
    let domains = entries(Kind::Domain, &[("evil.example.com", "")]);
    let zone = rendered(Kind::Domain, "format=rpz&action=nodata", &domains);
    assert!(
        zone.ends_with("NS localhost.\nevil.example.com CNAME *.\n*.evil.example.com CNAME *.\n"),
        "{zone}"
    );
    check(
        "format=rbldnsd&host=node",
        "$SOA 60 ns.bl.local. hostmaster.bl.local. 0 300 60 86400 60\n$NS 60 ns.bl.local.\n\
         :127.0.0.2:Listed, see https://node/ip/$\n127.0.0.2\n198.51.100.0/24\n192.0.2.1\n",
    );
    check(
        "format=rbldnsd&family=6&zone=bl6.example.org",
        "$SOA 60 ns.bl6.example.org. hostmaster.bl6.example.org. 0 300 60 86400 60\n\
         $NS 60 ns.bl6.example.org.\n:127.0.0.2:Listed: $\n::ffff:7f00:2\n2001:db8:1::/48\n2001:db8::1\n",
    );
}

#[test]
fn other_programs() {
    check(
        "format=mikrotik",
        "/ip firewall address-list remove [find where list=blocklist]\n/ip firewall address-list\n\
         add list=blocklist address=198.51.100.0/24 timeout=1d comment=\"bl\"\n\
         add list=blocklist address=192.0.2.1 timeout=1d comment=\"bl\"\n\
         /ipv6 firewall address-list remove [find where list=blocklist]\n/ipv6 firewall address-list\n\
         add list=blocklist address=2001:db8:1::/48 timeout=1d comment=\"bl\"\n\
         add list=blocklist address=2001:db8::1/128 timeout=1d comment=\"bl\"\n",
    );
    check_empty(
        "format=mikrotik&family=4&label=my-list",
        "/ip firewall address-list remove [find where list=\"my-list\"]\n/ip firewall address-list\n",
    );
    check(
        "format=zeek",
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n#types\tstring\tenum\tstring\tstring\n\
         198.51.100.0/24\tIntel::SUBNET\tblocklist\t-\n2001:db8:1::/48\tIntel::SUBNET\tblocklist\t-\n\
         192.0.2.1\tIntel::ADDR\tblocklist\tfail2ban sshd\n2001:db8::1\tIntel::ADDR\tblocklist\t-\n",
    );
    check("format=wazuh-cdb", "198.51.100.:blocklist\n192.0.2.1:blocklist\n\"2001:db8::1\":blocklist\n");
    let odd = entries(Kind::Ip, &[("198.51.100.4/31", ""), ("198.51.100.5", ""), ("203.0.112.0/23", "")]);
    assert_eq!(
        rendered(Kind::Ip, "format=wazuh-cdb&label=x", &odd),
        "198.51.100.4:x\n198.51.100.5:x\n203.0.112.:x\n203.0.113.:x\n",
        "networks that end at no dot, and no key twice"
    );
    check(
        "format=checkpoint",
        "# UNIQ-NAME,VALUE,TYPE,CONFIDENCE,SEVERITY,PRODUCT,COMMENT\n\
         bl1,198.51.100.0-198.51.100.255,IP Range,high,high,AB,blocklist\n\
         bl2,192.0.2.1,IP,high,high,AB,blocklist\n",
    );
}

#[test]
fn other_kinds() {
    let domains = entries(Kind::Domain, &[("evil.example.com", ""), ("a.evil.example.com", "")]);
    let hashes = entries(Kind::Hash, &[("d41d8cd98f00b204e9800998ecf8427e", "")]);
    let urls = entries(Kind::Url, &[("https://example.com/a?b", "")]);
    let names = entries(Kind::Username, &[("#root", ""), ("-", ""), ("a\\b", "")]);
    let rows: [(Kind, &str, &[Arc<Entry>], &str); 6] = [
        // Squid refuses a name below another one.
        (Kind::Domain, "format=squid", &domains, ".evil.example.com\n"),
        (Kind::Domain, "preset=paloalto", &domains, "a.evil.example.com\nevil.example.com\n"),
        (Kind::Hash, "format=wazuh-cdb", &hashes, "d41d8cd98f00b204e9800998ecf8427e:blocklist\n"),
        (
            Kind::Hash,
            "format=zeek",
            &hashes,
            "d41d8cd98f00b204e9800998ecf8427e\tIntel::FILE_HASH\tblocklist\t-\n",
        ),
        (Kind::Url, "format=zeek", &urls, "example.com/a?b\tIntel::URL\tblocklist\t-\n"),
        (
            Kind::Username,
            "format=zeek",
            &names,
            "\\x23root\tIntel::USER_NAME\tblocklist\t-\n\\x2d\tIntel::USER_NAME\tblocklist\t-\n\
             a\\x5cb\tIntel::USER_NAME\tblocklist\t-\n",
        ),
    ];
    for (kind, query, entries, expected) in rows {
        let found = rendered(kind, query, entries);
        let found = found.split_once("#types\tstring\tenum\tstring\tstring\n").map(|(_, rows)| rows);
        let whole = rendered(kind, query, entries);
        assert_eq!(found.unwrap_or(&whole), expected, "{query}");
    }
}

#[test]
fn an_empty_list_is_never_zero_bytes() {
    for (name, expected) in [
        ("format=txt", "\n"),
        ("format=txt&if_empty=comment", "# blocklist v=1795499882 n=0\n"),
        ("format=txt&if_empty=sentinel", "192.0.2.255\n"),
        ("preset=pfsense", "\n"),
        ("format=pfsense", "\n"),
        ("preset=paloalto", "\n"),
        ("preset=cisco", "# blocklist v=1795499882 n=0\n192.0.2.255\n"),
        ("format=nginx-geo", "\n"),
        ("format=apache", "\n"),
        ("format=f5", "\n"),
        ("format=wazuh-cdb", "\n"),
        ("format=suricata-iprep", "\n"),
        ("format=suricata-rules", "\n"),
    ] {
        check_empty(name, expected);
    }
    for format in ALL.iter().filter(|format| format.name() != "ndjson") {
        let text = rendered(Kind::Ip, &format!("format={}", format.name()), &[]);
        assert!(text.ends_with('\n'), "{}", format.name());
    }
}

#[test]
fn what_a_format_does_not_know_is_refused() {
    for (kind, query, expected) in [
        (Kind::Domain, "format=nft", "format `nft` cannot hold `domain`; it holds: ip"),
        (Kind::Hash, "format=rpz", "it holds: ip, domain"),
        (Kind::Hash, "preset=sophos", "format `sophos` cannot hold `hash`"),
        (Kind::Ip, "format=yaml", "presets: pfsense, opnsense"),
        (Kind::Ip, "preset=zyxel", "preset `zyxel` is not known; allowed: pfsense"),
        (Kind::Ip, "format=nft&maxelem=7", "maxelem means nothing to format `nft`; allowed: table, set4"),
        (Kind::Ip, "format=csv&label=x", "label means nothing to format `csv`; allowed: none"),
        (Kind::Ip, "format=nft&fields=comment", "has one form"),
        (Kind::Ip, "format=haproxy&comments=inline", "would be an error in format `haproxy`"),
        (Kind::Ip, "format=txt&comments=all", "allowed: none, header, inline"),
        (Kind::Ip, "format=nft&table=a%0Ab", "table `a\\nb` is not a name"),
        (Kind::Ip, "format=nft&table=", "is not a name"),
        (Kind::Ip, "format=nft&set4=a%7D", "set4 `a}` is not a name"),
        (Kind::Ip, "format=ipset&set4=-exist", "is not a name"),
        (Kind::Ip, "format=ipset&set4=abcdefghijabcdefghijabcdefghij", "at most 29"),
        (Kind::Ip, "format=ipset&set4=a&set6=a", "must be sets of their own"),
        (Kind::Ip, "format=ipset&set4=a&set6=a_n", "must be sets of their own"),
        (Kind::Ip, "format=ipset&maxelem=0", "maxelem `0` is not from 1"),
        (Kind::Ip, "format=nft&timeout=0", "timeout `0` is not 1 to"),
        (Kind::Ip, "format=nft&timeout=1.5", "is not 1 to"),
        (Kind::Ip, "format=rpz&action=eat", "allowed: nxdomain, nodata, drop, passthru"),
        (Kind::Ip, "format=suricata-iprep&score=128", "score `128` is not from 1 to 127"),
        (Kind::Ip, "format=txt&if_empty=no", "allowed: lf, comment, sentinel, 503"),
        (Kind::Ip, "v=panosurl", "format `panosurl` is not known"),
        (Kind::Ip, "sum=crc32", "allowed: sha256"),
        (Kind::Ip, "tr=2", "tr `2` is neither 1 nor 0"),
    ] {
        let message = ask(kind, query).err().unwrap_or_default();
        assert!(message.contains(expected), "{query}: {message}");
    }
}

#[test]
fn presets_and_the_words_of_minemeld_stand_for_parameters() {
    let rows = [
        ("preset=sophos", "txt", &[("family", "4"), ("expand", "24")][..]),
        ("format=fortigate", "txt", &[("max", "131072"), ("comments", "header")]),
        // What is said counts more.
        ("preset=sophos&expand=26", "txt", &[("expand", "26")]),
        ("preset=pfsense&format=csv", "csv", &[("fields", "value")]),
        ("v=json-seq&n=10&s=5&d=1", "ndjson", &[("limit", "10"), ("skip", "5"), ("sort", "-time_added")]),
        ("v=csv&f=indicator&h=0&tr=1", "csv", &[("fields", "value"), ("header", "0")]),
    ];
    for (query, format, parameters) in rows {
        let asked = ask(Kind::Ip, query).unwrap();
        assert_eq!(asked.format.name(), format, "{query}");
        for (name, value) in parameters {
            assert_eq!(asked.parameters.get(name), Some(*value), "{query}");
        }
    }
}

/// How a file looks with each letter of a comment taken as a plain one: its lines, and what is special in them.
fn skeleton(format: &dyn Format, comment: &str) -> Vec<String> {
    let kind = format.kinds()[0];
    let query = match format.takes_inline_comments() {
        true => format!("format={}&comments=inline", format.name()),
        false => format!("format={}", format.name()),
    };
    let comment: String = comment.chars().take(COMMENT_BYTES_MAX / 4).collect();
    let text = rendered(kind, &query, &entries(kind, &[("192.0.2.1", &comment), ("2001:db8::1", "x")]));
    text.split('\n')
        .map(|line| {
            line.chars().filter(|c| c.is_control() || "\"'`{}[]();\\$#|&<>!*?%^~".contains(*c)).collect()
        })
        .collect()
}

proptest! {
    #[test]
    fn no_comment_makes_another_line_or_command(
        comment in "(\\PC|[\\n\\r\\t\\x00\"'{}\\[\\];#$\\\\/]|\nadd |; reboot|\" ]){0,40}",
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let noise = String::from_utf8_lossy(&bytes).into_owned();
        let devices = ALL.iter().filter(|format| !format.has_fields() || format.name() == "txt");
        for format in devices {
            let plain = skeleton(*format, "x");
            for comment in [&comment, &noise, &format!("x{comment}"), &format!("x {noise}")] {
                let found = skeleton(*format, comment);
                assert_eq!(found.len(), plain.len(), "{}: {comment:?}", format.name());
                // A comment of which nothing is left is no comment.
                if super::lines::harmless(comment).is_empty() {
                    continue;
                }
                assert_eq!(found, plain, "{}: {comment:?}", format.name());
            }
        }
    }
}
