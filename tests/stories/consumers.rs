//! Firewalls that cannot run here, as models of their parsers: each reads what a node answers to its preset, and must
//! end up with what is listed, and nothing else. The rules are those of their source or their vendor's pages.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use stockade_tests::{Client, TestCluster};

/// A comment that would do harm in every parser.
const EVIL: &str =
    "x\"; } # \n0.0.0.0/0 ' $(reboot) [/system reboot] \\ -exist\r\nadd bl4 1.1.1.1 {,;|evil.example.org";

/// What a device has after a fetch.
#[derive(Debug, PartialEq)]
enum Took {
    /// These entries, in the place of those before.
    List(BTreeSet<String>),
    /// What it had before.
    OldList,
}

fn list(values: &[&str]) -> Took {
    Took::List(values.iter().map(|value| (*value).to_owned()).collect())
}

/// What a parser makes of a body, or what its device would do wrong with it.
type Model = fn(&str) -> Result<Took, String>;

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// An address, or a network with host bits or without.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return is_host(text) };
    let width = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u8>().is_ok_and(|length| length <= width)
}

fn is_range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(first, last)| is_host(first) && is_host(last))
}

/// A domain name with a dot.
fn is_name(text: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    text.contains('.') && text.bytes().all(within) && text.ends_with(|end: char| end.is_ascii_alphabetic())
}

/// Each line by itself; none where a line means nothing.
fn by_line(
    body: &str,
    read: impl Fn(&str) -> Result<Option<String>, String>,
) -> Result<BTreeSet<String>, String> {
    body.lines().filter_map(|line| read(line).transpose()).collect()
}

/// pfSense, `parse_aliases_file` and `process_alias_urltable` of /etc/inc: a body of no bytes is not used; a line ends at
/// `#`, `;` or a space; what is no address but has a dot is resolved, anything else is dropped.
fn pfsense(body: &str) -> Result<Took, String> {
    if body.is_empty() {
        return Ok(Took::OldList);
    }
    let body = body.trim_start_matches('\u{feff}');
    by_line(body, |line| {
        let word = line.trim().split(['#', ';', ' ']).next().unwrap_or_default();
        match word {
            "" => Ok(None),
            word if is_network(word) => Ok(Some(word.to_owned())),
            word if is_name(word) => Err(format!("`{word}` is looked up, and its addresses are blocked")),
            _ => Ok(None),
        }
    })
    .map(Took::List)
}

/// OPNsense, `update_tables.py`: the first token of `[\s,;|#]+`; lines that begin with `//`, `#`, `;` or a blank are passed
/// over; addresses, networks, ranges and `!`; any other token is resolved.
fn opnsense(body: &str) -> Result<Took, String> {
    by_line(body, |line| {
        if line.is_empty() || line.starts_with("//") || line.starts_with(['#', ';', ' ', '\t']) {
            return Ok(None);
        }
        let word = line.split([' ', '\t', ',', ';', '|', '#', '\r']).next().unwrap_or_default();
        let plain = word.strip_prefix('!').unwrap_or(word);
        match is_network(plain) || is_range(plain) {
            true => Ok(Some(word.to_owned())),
            false => Err(format!("`{word}` is looked up")),
        }
    })
    .map(Took::List)
}

/// VyOS, `vyos-domain-resolver.py`: the first word of a line; a line that begins with no letter or digit is passed over, and
/// the list is flushed before it is filled.
fn vyos(body: &str) -> Result<Took, String> {
    by_line(body, |line| {
        let Some(word) =
            line.split_whitespace().next().filter(|word| word.starts_with(char::is_alphanumeric))
        else {
            return Ok(None);
        };
        match is_network(word) || is_range(word) {
            true => Ok(Some(word.to_owned())),
            false => Err(format!("Invalid address {word}")),
        }
    })
    .map(Took::List)
}

/// PAN-OS, External Dynamic List formatting guidelines: an address, network or range, then a space and a comment; a
/// comment on a line of its own is an invalid entry.
fn paloalto(body: &str) -> Result<Took, String> {
    by_line(body, |line| {
        let (value, _comment) = line.split_once(' ').unwrap_or((line, ""));
        match value {
            "" => Ok(None),
            value if is_network(value) || is_range(value) => Ok(Some(value.to_owned())),
            value => Err(format!("invalid entry `{value}`")),
        }
    })
    .map(Took::List)
}

/// FortiOS, external resources of the type address: an address, network or range a line, `#` begins a comment; up to
/// 131,072 entries and 10 MB before 7.4.4.
fn fortigate(body: &str) -> Result<Took, String> {
    if body.len() > 10 << 20 || body.lines().count() > 131_073 {
        return Err("cut without a word".into());
    }
    by_line(body, |line| match line.split('#').next().unwrap_or_default().trim() {
        "" => Ok(None),
        value if is_network(value) || is_range(value) => Ok(Some(value.to_owned())),
        value => Err(format!("invalid `{value}`")),
    })
    .map(Took::List)
}

/// Cisco FMC, Security Intelligence feeds: an address or network a line, never /0; `#` begins a line of comment; without
/// one address that it knows the old list stays.
fn cisco(body: &str) -> Result<Took, String> {
    let read = by_line(body, |line| match line {
        comment if comment.is_empty() || comment.starts_with('#') => Ok(None),
        value if is_network(value) && !value.ends_with("/0") => Ok(Some(value.to_owned())),
        value => Err(format!("invalid `{value}`")),
    })?;
    Ok(if read.is_empty() { Took::OldList } else { Took::List(read) })
}

/// Juniper SRX, dynamic address feeds, and SonicWall's dynamic groups: an address or network a line and nothing else.
fn plain(body: &str) -> Result<Took, String> {
    by_line(body, |line| match line {
        "" => Ok(None),
        value if is_network(value) => Ok(Some(value.to_owned())),
        value => Err(format!("invalid `{value}`")),
    })
    .map(Took::List)
}

/// Sophos Firewall, third-party threat feeds: one IPv4 address a line, no comments or other information.
fn sophos(body: &str) -> Result<Took, String> {
    by_line(body, |line| match line {
        "" => Ok(None),
        value if value.parse::<Ipv4Addr>().is_ok() => Ok(Some(value.to_owned())),
        value => Err(format!("invalid `{value}`")),
    })
    .map(Took::List)
}

/// Suricata, `SRepSplitLine` of reputation.c: `address,category,score`, categories below 60, scores of 1 to 127.
fn iprep(body: &str) -> Result<Took, String> {
    by_line(body, |line| {
        let columns: Vec<&str> = line.split(',').collect();
        match columns[..] {
            [""] => Ok(None),
            [value, category, score]
                if is_network(value)
                    && category.parse::<u8>().is_ok_and(|category| category < 60)
                    && score.parse::<u8>().is_ok_and(|score| (1..=127).contains(&score)) =>
            {
                Ok(Some(value.to_owned()))
            }
            _ => Err(format!("bad line `{line}`")),
        }
    })
    .map(Took::List)
}

/// Wazuh, CDB lists: `key:value`, a key that has colons in quotes, each key once; a key that ends with a dot is a network.
fn wazuh(body: &str) -> Result<Took, String> {
    let mut seen = HashSet::new();
    let mut all = BTreeSet::new();
    for line in body.lines().filter(|line| !line.is_empty()) {
        let quoted = line.strip_prefix('"').and_then(|rest| rest.split_once("\":"));
        let (key, value) =
            quoted.or_else(|| line.split_once(':')).ok_or_else(|| format!("no key in `{line}`"))?;
        let dotted = key
            .strip_suffix('.')
            .is_some_and(|start| start.split('.').all(|part| part.parse::<u8>().is_ok()));
        if !(dotted || is_host(key)) || value.contains([':', '"']) || !seen.insert(key.to_owned()) {
            return Err(format!("bad line `{line}`"));
        }
        all.insert(key.to_owned());
    }
    Ok(Took::List(all))
}

/// F5 BIG-IP AFM, feed lists: address, length, WL or BL, category.
fn f5(body: &str) -> Result<Took, String> {
    by_line(body, |line| match line.split(',').collect::<Vec<&str>>()[..] {
        [""] => Ok(None),
        [address, length, "BL", "blocklist"] if is_network(&format!("{address}/{length}")) => {
            Ok(Some(format!("{address}/{length}")))
        }
        _ => Err(format!("bad line `{line}`")),
    })
    .map(Took::List)
}

/// Check Point, custom intelligence feeds: seven columns, `#` begins a comment, names are unique; IPv4 and its ranges.
fn checkpoint(body: &str) -> Result<Took, String> {
    let mut names = HashSet::new();
    let mut all = BTreeSet::new();
    for line in body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let columns: Vec<&str> = line.split(',').collect();
        let [name, value, kind, "high", "high", "AB", _comment] = columns[..] else {
            return Err(format!("a mandatory field is missing: `{line}`"));
        };
        let v4 = value.split('-').all(|part| part.parse::<Ipv4Addr>().is_ok());
        if !v4 || (kind == "IP Range") != value.contains('-') || !names.insert(name.to_owned()) {
            return Err(format!("bad line `{line}`"));
        }
        all.insert(value.to_owned());
    }
    Ok(Took::List(all))
}

/// MikroTik RouterOS runs the file: it must hold nothing but these commands, and no letter that means more in a string.
fn mikrotik(body: &str) -> Result<Took, String> {
    by_line(body, |line| {
        let menu = line
            .strip_prefix("/ip firewall address-list")
            .or(line.strip_prefix("/ipv6 firewall address-list"));
        match menu {
            Some("" | " remove [find where list=blocklist]") => return Ok(None),
            Some(_) => return Err(format!("another command: `{line}`")),
            None => {}
        }
        let rest =
            line.strip_prefix("add list=blocklist address=").ok_or_else(|| format!("not add: `{line}`"))?;
        let (value, rest) = rest.split_once(" timeout=1d comment=\"").ok_or_else(|| format!("`{line}`"))?;
        let comment = rest.strip_suffix('"').ok_or_else(|| format!("`{line}`"))?;
        match is_network(value) && !comment.contains(['"', '\\', '$', '[', ']', ';']) {
            true => Ok(Some(value.to_owned())),
            false => Err(format!("bad line `{line}`")),
        }
    })
    .map(Took::List)
}

const ALL: [&str; 6] =
    ["198.51.100.0/30", "203.0.113.0/24", "2001:db8:1::/48", "192.0.2.1", "192.0.2.77", "2001:db8::1"];

fn get(client: &Client, query: &str) -> String {
    let answer = client.get(&format!("/ip/all?{query}")).expect(200);
    assert_eq!(answer.header("transfer-encoding"), None, "{query}");
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()), "{query}");
    answer.text().to_owned()
}

#[test]
fn every_device_ends_up_with_what_is_listed() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    for value in ALL {
        client.post("/ip/add", &json!({"ip": value, "comment": EVIL})).expect(201);
    }
    let four = ["192.0.2.1", "192.0.2.77"];
    let mut hosts: Vec<String> = (0..=255).map(|host| format!("203.0.113.{host}")).collect();
    hosts.extend((0..4).map(|host| format!("198.51.100.{host}")));
    hosts.extend(four.map(str::to_owned));
    let hosts = Took::List(hosts.into_iter().collect());
    let keys = [
        &four[..],
        &["198.51.100.0", "198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.", "2001:db8::1"],
    ];
    let lengths = [
        "198.51.100.0/30",
        "203.0.113.0/24",
        "2001:db8:1::/48",
        "192.0.2.1/32",
        "192.0.2.77/32",
        "2001:db8::1/128",
    ];
    let ranges = ["198.51.100.0-198.51.100.3", "203.0.113.0-203.0.113.255"];
    let with_lengths = [
        "198.51.100.0/30",
        "203.0.113.0/24",
        "2001:db8:1::/48",
        "192.0.2.1",
        "192.0.2.77",
        "2001:db8::1/128",
    ];
    let none = || list(&[]);
    let rows: [(&str, Model, Took, Took); 15] = [
        ("format=pfsense", pfsense, list(&ALL), none()),
        ("format=opnsense", opnsense, list(&ALL), none()),
        ("format=csv&fields=value", opnsense, list(&ALL), none()),
        ("format=txt&comments=inline", opnsense, list(&ALL), none()),
        ("format=vyos", vyos, list(&ALL), none()),
        ("format=paloalto", paloalto, list(&ALL), none()),
        ("format=fortigate", fortigate, list(&ALL), none()),
        // The documentation's address, or what was listed would stay for ever.
        ("format=cisco", cisco, list(&ALL), list(&["192.0.2.255"])),
        ("format=juniper", plain, list(&ALL), none()),
        ("format=sonicwall", plain, list(&ALL), none()),
        ("format=sophos", sophos, hosts, none()),
        ("format=suricata-iprep", iprep, list(&ALL), none()),
        ("format=wazuh-cdb", wazuh, list(&keys.concat()), none()),
        ("format=f5", f5, list(&lengths), none()),
        ("format=checkpoint", checkpoint, list(&[&ranges[..], &four].concat()), none()),
    ];
    for (query, model, expected, empty) in rows {
        assert_eq!(model(&get(&client, query)), Ok(expected), "{query}");
        assert_eq!(model(&get(&client, &format!("{query}&source=nobody"))), Ok(empty), "{query}, empty");
    }
    let script = get(&client, "format=mikrotik&comments=inline");
    assert_eq!(mikrotik(&script), Ok(list(&with_lengths)));
}

#[test]
fn a_cut_answer_never_blocks_a_network_that_is_not_listed() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    for value in ALL {
        client.post("/ip/add", &json!({"ip": value})).expect(201);
    }
    // pfSense takes what came before a connection broke. Networks come first, so that what is cut is a host.
    let body = get(&client, "format=pfsense");
    let networks = body.rfind("/48\n").unwrap() + "/48\n".len();
    for cut in networks..body.len() {
        let Ok(Took::List(took)) = pfsense(&body[..cut]) else { continue };
        let foreign: Vec<&String> = took.iter().filter(|value| !ALL.contains(&value.as_str())).collect();
        assert!(foreign.len() <= 1 && foreign.iter().all(|value| is_host(value)), "{foreign:?}");
    }
}

/// As strict as what they stand for, and as lenient: rows that were run through pfSense's and OPNsense's own code.
#[test]
fn the_models_read_what_their_devices_read() {
    let rows: [(Model, &str, Option<Took>); 31] = [
        (pfsense, "", Some(Took::OldList)),
        (pfsense, "\n", Some(list(&[]))),
        (pfsense, "# x\n", Some(list(&[]))),
        (pfsense, "\u{feff}192.0.2.1\r\n  198.51.100.7/24", Some(list(&["192.0.2.1", "198.51.100.7/24"]))),
        (
            pfsense,
            "192.0.2.1 # c\n192.0.2.2#c\n192.0.2.3;x\n",
            Some(list(&["192.0.2.1", "192.0.2.2", "192.0.2.3"])),
        ),
        (
            pfsense,
            "192.0.2.1,c\n\"192.0.2.1\"\n192.0.2.1\tc\n192.0.2.5-192.0.2.9\n!192.0.2.1\n10.1\n",
            Some(list(&[])),
        ),
        (pfsense, "value\n010.1.1.1\n", Some(list(&[]))),
        (pfsense, "0.0.0.0/0\n", Some(list(&["0.0.0.0/0"]))),
        (pfsense, "evil.example.com\n", None),
        (opnsense, "", Some(list(&[]))),
        (opnsense, "// c\n# c\n; c\n 192.0.2.1\n", Some(list(&[]))),
        (
            opnsense,
            "192.0.2.1,c\n192.0.2.2|c\n192.0.2.3\tc\n",
            Some(list(&["192.0.2.1", "192.0.2.2", "192.0.2.3"])),
        ),
        (opnsense, "192.0.2.5-192.0.2.9\n!192.0.2.1\n", Some(list(&["192.0.2.5-192.0.2.9", "!192.0.2.1"]))),
        (opnsense, "time_added,value\n", None),
        (vyos, "# c\n; c\n192.0.2.1 c\n", Some(list(&["192.0.2.1"]))),
        (vyos, "value\n", None),
        (paloalto, "192.0.2.1 c\n192.0.2.5-192.0.2.9\n", Some(list(&["192.0.2.1", "192.0.2.5-192.0.2.9"]))),
        (paloalto, "# c\n192.0.2.1\n", None),
        (fortigate, "# c\n192.0.2.1 # c\n", Some(list(&["192.0.2.1"]))),
        (fortigate, "value\n", None),
        (cisco, "# c\n", Some(Took::OldList)),
        (cisco, "\n", Some(Took::OldList)),
        (cisco, "0.0.0.0/0\n", None),
        (plain, "# c\n", None),
        (sophos, "192.0.2.1\n", Some(list(&["192.0.2.1"]))),
        (sophos, "192.0.2.0/24\n", None),
        (sophos, "2001:db8::1\n", None),
        (iprep, "192.0.2.1,60,1\n", None),
        (wazuh, "192.0.2.1:a\n192.0.2.1:b\n", None),
        (wazuh, "2001:db8::1:a\n", None),
        (checkpoint, "a,192.0.2.1,IP,high,high,AB\n", None),
    ];
    for (model, body, expected) in rows {
        assert_eq!(model(body).ok(), expected, "{body:?}");
    }
}
