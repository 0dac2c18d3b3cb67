//! What each kind takes, and what it refuses with which words.

use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

use crate::blocklist::{Kind, Network, Observable};

#[track_caller]
fn accepts(kind: Kind, text: &str, canonical: &str) {
    let value = Observable::parse(kind, text).unwrap();
    assert_eq!(value.to_string(), canonical);
    assert_eq!(value.kind(), kind);
    assert_eq!(Observable::parse(kind, canonical).unwrap(), value, "the canonical form must stay itself");
}

#[track_caller]
fn refuses(kind: Kind, text: &str, words: &str) {
    let message = Observable::parse(kind, text).unwrap_err().to_string();
    assert!(message.contains(words), "{message}");
    assert!(message.starts_with(kind.noun()), "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

#[test]
fn addresses_are_folded_to_one_form() {
    for (text, canonical) in [
        ("45.146.164.110", "45.146.164.110"),        // the talk's
        (" 192.0.2.1\r\n", "192.0.2.1"),             // a line of a file
        ("192.0.2.1/32", "192.0.2.1"),               // a host in network clothes
        ("192.0.2.0/24", "192.0.2.0/24"),            // a network
        ("192.0.2.0/31", "192.0.2.0/31"),            // the smallest network
        ("0.0.0.0/0", "0.0.0.0/0"), // well formed; whether it may be listed is a guard's matter
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), // RFC 5952: lower case, compressed
        ("2001:db8::1/128", "2001:db8::1"), // a host in network clothes
        ("2001:db8::/32", "2001:db8::/32"), // a network
        ("::ffff:192.0.2.1", "192.0.2.1"), // IPv4-mapped: what dual-stack sockets report
        ("::ffff:c000:201", "192.0.2.1"), // the same in hex
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"), // a mapped network
        ("::ffff:192.0.2.1/128", "192.0.2.1"), // a mapped host in network clothes
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), // NAT64 stays IPv6
    ] {
        accepts(Kind::Ip, text, canonical);
    }
}

#[test]
fn addresses_that_two_programs_could_read_differently_are_refused() {
    for (text, words) in [
        ("", "it is empty"),
        ("10.0.0.300", "address `10.0.0.300` is not valid"), // the contract's sentence
        ("192.0.2", "not valid"),                            // inet_aton reads 192.0.0.2
        ("3221225985", "not valid"),                         // inet_aton reads a 32-bit number
        ("0xc0.0.2.1", "not valid"),                         // inet_aton reads hex
        ("192.0.2.010", "leading zero"),                     // octal 8 or decimal 10
        ("192.0.2.1.", "not valid"),                         // a final dot
        ("192.0.2.1 198.51.100.1", "not valid"),             // two on a line
        ("192.0.2.1:22", "not valid"),                       // with a port
        ("[2001:db8::1]", "not valid"),                      // in a URL's brackets
        ("192.0.2.1-192.0.2.9", "not valid"),                // a range
        ("fe80::1%eth0", "zone id"),                         // means nothing elsewhere
        ("192.0.2.1/24", "`192.0.2.0/24` was probably meant"), // host bits
        ("2001:db8::1/64", "`2001:db8::/64` was probably meant"), // host bits
        ("::ffff:192.0.2.1/120", "`192.0.2.0/24` was probably"), // host bits in a mapped network
        ("192.0.2.0/33", "a prefix of 33 is longer"),
        ("192.0.2.0/132", "a prefix of 132 is longer"), // pfBlockerNG read it as /1
        ("192.0.2.0/999", "a prefix of 999 is longer"), // more than a byte
        ("2001:db8::/129", "a prefix of 129 is longer"),
        ("::ffff:192.0.2.0/129", "a prefix of 129 is longer"),
        ("/0/x.php", "not valid"), // pfBlockerNG read 0.0.0.0/0 from it
        ("192.0.2.0/", "plain decimal number"),
        ("192.0.2.0/+24", "plain decimal number"),
        ("192.0.2.0/024", "plain decimal number"),
        ("192.0.2.0/255.255.255.0", "plain decimal number"), // a netmask
        ("192.0.2.0/24/24", "plain decimal number"),
        ("192.0.2.1\n198.51.100.1", "control character"), // would become two lines of an export
        ("192.0.2.\u{0661}", "not valid"),                // an Arabic digit
        ("999.999.999.999/99", "not valid"),              // from ufw-blocklist PR 19
    ] {
        refuses(Kind::Ip, text, words);
    }
}

#[test]
fn domains_are_folded_to_ascii() {
    for (text, canonical) in [
        ("Bad.Example.", "bad.example"), // case and the final dot mean nothing in DNS
        ("www.example.com", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),        // IDNA
        ("a。example", "a.example"),                        // the ideographic full stop is a dot
        ("_sip._tcp.example.com", "_sip._tcp.example.com"), // not a host name, but a name
        ("x.co.uk", "x.co.uk"),                             // right below a public suffix
    ] {
        accepts(Kind::Domain, text, canonical);
    }
    let label = "a".repeat(63);
    accepts(Kind::Domain, &format!("{label}.example"), &format!("{label}.example"));
}

#[test]
fn domains_that_would_block_strangers_or_nothing_are_refused() {
    for (text, words) in [
        ("com", "single label"), // a top-level domain
        ("localhost", "single label"),
        ("co.uk", "public suffix"),     // every firm in the United Kingdom
        ("github.io", "public suffix"), // everyone's pages
        ("192.0.2.1", "IP address"),    // belongs to the other kind
        ("1.0x7f", "IP address"),       // what a URL parser reads as one
        ("*.example.com", "wildcard"),
        ("a..example", "not valid"), // an empty label
        (".example.com", "not valid"),
        ("-a.example", "not valid"),
        ("a-.example", "not valid"),
        ("a b.example", "not valid"),
        ("a/b.example", "not valid"),
        ("http://bad.example/", "not valid"),
        ("bad.example\u{7}", "control character"),
        (".", "not valid"),
    ] {
        refuses(Kind::Domain, text, words);
    }
    refuses(Kind::Domain, &format!("{}.example", "a".repeat(64)), "not valid");
    refuses(Kind::Domain, &format!("{}example", "abcdefg.".repeat(31)), "longer than 253");
}

#[test]
fn urls_are_normalised() {
    for (text, canonical) in [
        ("HTTP://Bad.Example:80/a/../b?q#f", "http://bad.example/b?q#f"), // case, default port, dots
        ("https://bücher.example", "https://xn--bcher-kva.example/"),     // IDNA and the root path
        ("http://0x7f.1/", "http://127.0.0.1/"), // every spelling of an address is one
        ("ftp://bad.example/x", "ftp://bad.example/x"),
    ] {
        accepts(Kind::Url, text, canonical);
    }
    for (text, words) in [
        ("bad.example/x", "not valid"),    // not absolute
        ("http:bad.example", "not valid"), // a parser would repair it
        ("http://", "empty host"),
        ("javascript://x/%0aalert(1)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://a b/", "not valid"),
        ("http://a\\b/", "not valid"),
        ("http://a/\tb", "control character"), // a parser would drop the tab
    ] {
        refuses(Kind::Url, text, words);
    }
    refuses(Kind::Url, &format!("http://a.example/{}", "x".repeat(2048)), "longer than 2048");
}

#[test]
fn hashes_mails_and_user_names_have_their_forms() {
    let md5 = "D41D8CD98F00B204E9800998ECF8427E";
    accepts(Kind::Hash, md5, &md5.to_lowercase());
    accepts(Kind::Hash, &"a".repeat(40), &"a".repeat(40));
    accepts(Kind::Hash, &"0".repeat(64), &"0".repeat(64));
    refuses(Kind::Hash, &"a".repeat(41), "length");
    refuses(Kind::Hash, &"g".repeat(40), "not valid");

    accepts(Kind::Email, "Joe.Doe+x@Bad.Example", "Joe.Doe+x@bad.example"); // only the domain has no case
    accepts(Kind::Email, "hostmaster@gov.uk", "hostmaster@gov.uk"); // mail at a public suffix exists
    for text in ["joe", "@bad.example", "joe@", "a@b@bad.example", "a b@bad.example", ".a@bad.example"] {
        refuses(Kind::Email, text, "e-mail address");
    }

    accepts(Kind::Username, " root ", "root");
    accepts(Kind::Username, "jürgen o'neil", "jürgen o'neil");
    refuses(Kind::Username, "root\nadmin", "control character");
    refuses(Kind::Username, &"x".repeat(257), "longer than 256");
}

#[test]
fn a_long_refused_value_is_not_repeated_whole() {
    let message = Observable::parse(Kind::Ip, &"1".repeat(10_000)).unwrap_err().to_string();
    assert!(message.len() < 200, "{message}");
}

/// Any host or network, of either family.
pub(super) fn network() -> impl Strategy<Value = Network> {
    let v4 =
        (any::<u32>(), 0..=32u8).prop_map(|(bits, length)| (std::net::Ipv4Addr::from(bits).into(), length));
    let v6 =
        (any::<u128>(), 0..=128u8).prop_map(|(bits, length)| (std::net::Ipv6Addr::from(bits).into(), length));
    prop_oneof![v4, v6]
        .prop_map(|(address, length)| Network::new(ipnet::IpNet::new(address, length).unwrap()))
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(network in network()) {
        let value = Observable::Ip(network);
        prop_assert_eq!(Observable::parse(Kind::Ip, &value.to_string()).unwrap(), value);
    }

    #[test]
    fn no_text_breaks_the_parser_and_every_form_is_final(text in "\\PC*", at in 0..Kind::ALL.len()) {
        if let Ok(value) = Observable::parse(Kind::ALL[at], &text) {
            prop_assert_eq!(Observable::parse(Kind::ALL[at], &value.to_string()).unwrap(), value);
        }
    }

    #[test]
    fn four_numbers_are_an_address_exactly_when_all_are_octets(octets in [0..400u16, 0..400, 0..400, 0..400]) {
        let text = octets.map(|octet| octet.to_string()).join(".");
        prop_assert_eq!(Observable::parse(Kind::Ip, &text).is_ok(), octets.iter().all(|octet| *octet < 256));
    }
}
