//! Samples of public feeds, shrunk to a few lines, and what no feed should be.

use proptest::prelude::{Strategy, any, proptest};
use raft::blocklist::Kind;

use super::{FORMATS, Wanted, by_name, recognise};

const DROP_TXT: &str = "; Spamhaus DROP List 2026/11/24 - (c) 2026 The Spamhaus Project SLU\r\n\
    ; https://www.spamhaus.org/drop/drop.txt\r\n1.10.16.0/20 ; SBL256894\r\n1.19.0.0/16 ; SBL434604\r\n";
const DROP_JSON: &str = "{\"cidr\":\"1.10.16.0/20\",\"sblid\":\"SBL256894\",\"rir\":\"apnic\"}\n\
    {\"cidr\":\"2001:db8:1000::/36\",\"sblid\":\"SBL1\",\"rir\":\"ripencc\"}\n\
    {\"type\":\"metadata\",\"timestamp\":1700000000,\"size\":2,\"records\":2,\"copyright\":\"(c) Spamhaus\"}\n";
const NETSET: &str =
    "#\n# firehol_level1\n#\n# ipv4 hash:net ipset\n#\n1.10.16.0/20\n5.188.10.0/23\n203.0.113.9\n";
const BLOCKLIST_DE: &str = "1.14.96.194\n2001:db8::7\n203.0.113.80\n";
const FEODO_CSV: &str = "################################\r\n# abuse.ch Feodo Tracker Botnet C2 IP Blocklist (CSV) #\r\n\
    #\r\n\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
    \"2022-06-04 21:24:53\",\"203.0.113.145\",\"443\",\"offline\",\"2023-05-04\",\"QakBot\"\r\n# END 1 entries\r\n";
const THREATFOX_CSV: &str = "# ThreatFox IOCs: recent\n# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\
    \"threat_type\",\"fk_malware\",\"malware_alias\",\"malware_printable\",\"tags\"\n\
    \"2026-01-01 00:00:00\", \"1\", \"203.0.113.4:443\", \"ip:port\", \"botnet_cc\", \"win.x\", \"\", \"Cobalt Strike\", \"a,b\"\n\
    \"2026-01-01 00:00:00\", \"2\", \"evil.example\", \"domain\", \"botnet_cc\", \"win.x\", \"\", \"Vidar\", \"\"\n";
const URLHAUS_CSV: &str = "################\n# abuse.ch URLhaus #\n# id,dateadded,url,url_status,last_online,threat,tags,\
    urlhaus_link,reporter\n\"1\",\"2026-01-01 00:00:00\",\"http://evil.example/a,b.sh\",\"online\",\"\",\
    \"malware_download\",\"elf,mirai\",\"https://urlhaus.abuse.ch/url/1/\",\"x\"\n";
const DSHIELD: &str = "# DShield.org Recommended Block List\n#\nStart\tEnd\tNetmask\tAttacks\tName\tCountry\temail\n\
    203.0.113.0\t203.0.113.255\t24\t2461\tEXAMPLE-NET\tNL\tabuse@example.org\n";
const HOSTS: &str = "# a hosts file\n127.0.0.1 localhost\n::1 localhost\n0.0.0.0 evil.example bad.example # both\n\
    0.0.0.0 0.0.0.0\n0.0.0.0 ads.example\n";
const WARNING_LIST: &str = r#"{"name":"Sinkholes","version":5,"type":"cidr","list":["203.0.113.9","198.51.100.0/24"],
    "matching_attributes":["ip-src"]}"#;
const MISP: &str = r#"{"Event":{"info":"case 7","Attribute":[
    {"type":"ip-dst","value":"203.0.113.1","comment":"c2","to_ids":true},
    {"type":"ip-dst|port","value":"203.0.113.2|8080","to_ids":true},
    {"type":"ip-src","value":"203.0.113.3","to_ids":false},{"type":"domain","value":"evil.example"}],
    "Object":[{"name":"x","Attribute":[{"type":"ip-src","value":"203.0.113.4"}]}]}}"#;

/// The values of a sample, with what is said of them.
#[track_caller]
fn check(format: &str, column: Option<&str>, kind: Kind, text: &str, expected: &[(&str, &str)]) {
    let reading = by_name(format).unwrap().read(text, Wanted { kind, column }).unwrap();
    let found: Vec<_> =
        reading.values.iter().map(|(value, comment)| (value.to_string(), &**comment)).collect();
    let found: Vec<_> = found.iter().map(|(value, comment)| (value.as_str(), *comment)).collect();
    let sorted = |mut rows: Vec<(&str, &str)>| {
        rows.sort_unstable();
        rows.iter().map(|(value, comment)| format!("{value} {comment}")).collect::<Vec<_>>()
    };
    assert_eq!(sorted(found), sorted(expected.to_vec()), "{format}");
    assert_eq!(reading.malformed_total, 0, "{format}: {:?}", reading.malformed);
}

#[test]
fn public_feeds_are_read() {
    let drop = [("1.10.16.0/20", "SBL256894"), ("1.19.0.0/16", "SBL434604")];
    check("plain", None, Kind::Ip, DROP_TXT, &drop);
    check(
        "plain",
        None,
        Kind::Ip,
        NETSET,
        &[("1.10.16.0/20", ""), ("5.188.10.0/23", ""), ("203.0.113.9", "")],
    );
    let all = [("1.14.96.194", ""), ("2001:db8::7", ""), ("203.0.113.80", "")];
    check("plain", None, Kind::Ip, &format!("\u{feff}{BLOCKLIST_DE}"), &all);
    let drop = [("1.10.16.0/20", "SBL256894"), ("2001:db8:1000::/36", "SBL1")];
    check("drop-json", None, Kind::Ip, DROP_JSON, &drop);
    check("feodo", None, Kind::Ip, FEODO_CSV, &[("203.0.113.145", "QakBot")]);
    check("threatfox", None, Kind::Ip, THREATFOX_CSV, &[("203.0.113.4", "Cobalt Strike")]);
    check("threatfox", None, Kind::Domain, THREATFOX_CSV, &[("evil.example", "Vidar")]);
    check("urlhaus", None, Kind::Url, URLHAUS_CSV, &[("http://evil.example/a,b.sh", "malware_download")]);
    check("csv", Some("dst_ip"), Kind::Ip, FEODO_CSV, &[("203.0.113.145", "")]);
    check(
        "csv",
        Some("2"),
        Kind::Ip,
        "x,203.0.113.1\ny,203.0.113.2\n",
        &[("203.0.113.1", ""), ("203.0.113.2", "")],
    );
    check("dshield", None, Kind::Ip, DSHIELD, &[("203.0.113.0/24", "EXAMPLE-NET")]);
    let names = [("evil.example", "both"), ("bad.example", "both"), ("ads.example", "")];
    check("hosts", None, Kind::Domain, HOSTS, &names);
    let sinks = [("203.0.113.9", "Sinkholes"), ("198.51.100.0/24", "Sinkholes")];
    check("misp-warninglist", None, Kind::Ip, WARNING_LIST, &sinks);
    check("misp", None, Kind::Ip, MISP, &[("203.0.113.1", "c2"), ("203.0.113.2", ""), ("203.0.113.4", "")]);
    check("misp", None, Kind::Domain, MISP, &[("evil.example", "")]);
}

#[test]
fn a_form_is_recognised_where_it_is_certain() {
    for (text, kind, name) in [
        (DROP_TXT, Kind::Ip, None),
        (BLOCKLIST_DE, Kind::Ip, None),
        (DROP_JSON, Kind::Ip, Some("drop-json")),
        (FEODO_CSV, Kind::Ip, Some("feodo")),
        (THREATFOX_CSV, Kind::Ip, Some("threatfox")),
        (URLHAUS_CSV, Kind::Url, Some("urlhaus")),
        (DSHIELD, Kind::Ip, Some("dshield")),
        (HOSTS, Kind::Domain, Some("hosts")),
        (HOSTS, Kind::Ip, None), // a list of addresses with remarks, perhaps
        (WARNING_LIST, Kind::Ip, Some("misp-warninglist")),
        (MISP, Kind::Ip, Some("misp")),
        ("{\"ip\":\"203.0.113.1\"}\n{\"ip\":\"203.0.113.2\"}\n", Kind::Ip, None), // our own
        ("time_added,value,comment\n,203.0.113.1,x\n", Kind::Ip, None),           // our own
        ("", Kind::Ip, None),
    ] {
        assert_eq!(recognise(text, kind).map(|format| format.name), name, "{text}");
    }
}

#[test]
fn what_is_no_feed_is_refused_as_a_whole() {
    let html = "<!DOCTYPE html>\n<html><body>203.0.113.1</body></html>";
    for (format, text, reason) in [
        ("plain", "", "names no"),
        ("plain", "# nothing today\n", "names no"),
        ("plain", html, "page"),
        ("plain", "Not Found\n", "names no"),
        ("plain", "203.0.113.1\nsorry\nthe list\nis gone\n", "does not look like"),
        ("drop-json", DROP_TXT, "names no"),
        ("misp", "[1,2", "no JSON"),
        ("misp-warninglist", "{}", "no warning list"),
        ("feodo", "a,b\n1,2\n", "no column"),
        ("csv", "a,b\n1,2\n", "needs `column`"),
        ("plain", "0.0.0.0/x.php\n1.2.3.4/132\n999.999.999.999/99\n010.0.0.1\n", "names no"),
    ] {
        let error = by_name(format).unwrap().read(text, Wanted { kind: Kind::Ip, column: None }).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!(by_name("x").is_err_and(|error| error.contains("plain, hosts")));
}

#[test]
fn a_wrong_line_spoils_itself_only_and_is_told() {
    let text = "203.0.113.1\n203.0.113.2\n1.2.3.4/132\n203.0.113.7/24\n203.0.113.1\n203.0.113.3\n";
    let reading = by_name("plain").unwrap().read(text, Wanted { kind: Kind::Ip, column: None }).unwrap();
    assert_eq!((reading.values.len(), reading.malformed_total), (3, 2));
    let lines: Vec<usize> = reading.malformed.iter().map(|malformed| malformed.line).collect();
    assert_eq!(lines, [3, 4]);
}

/// A sample with something strange in it.
fn mangled() -> impl Strategy<Value = String> {
    let samples = [
        DROP_TXT,
        DROP_JSON,
        NETSET,
        FEODO_CSV,
        THREATFOX_CSV,
        URLHAUS_CSV,
        DSHIELD,
        HOSTS,
        WARNING_LIST,
        MISP,
    ];
    let sample = proptest::sample::select(samples.to_vec());
    (sample, any::<String>(), any::<proptest::sample::Index>(), any::<bool>()).prop_map(
        |(sample, odd, at, cut)| {
            let at = sample.floor_char_boundary(at.index(sample.len()));
            let rest = if cut { "" } else { &sample[at..] };
            format!("{}{odd}{rest}", &sample[..at])
        },
    )
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_fail(text in mangled(), odd in any::<String>(), column in proptest::option::of("[a-z0-9]{0,3}")) {
        for text in [text, odd] {
            for kind in Kind::ALL {
                let wanted = Wanted { kind, column: column.as_deref() };
                for format in &FORMATS {
                    let _ = format.read(&text, wanted);
                }
                recognise(&text, kind);
            }
        }
    }
}
