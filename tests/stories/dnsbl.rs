//! The list in DNS (RFC 5782): real nodes, asked by `dig`; Debian's rbldnsd says the same of the same list.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Home, Port, Running, TestCluster, wait_for};

const ZONE: &str = "bl.example.org";
/// How long a change may take to every node.
const SOON: Duration = Duration::from_secs(10);

/// What `dig` made of an answer.
#[derive(Debug, PartialEq)]
struct Said {
    status: String,
    flags: String,
    answers: Vec<String>,
    authority: Vec<String>,
}

#[track_caller]
fn dig(port: u16, words: &[&str]) -> Said {
    let mut command = Command::new("dig");
    command.args(["@127.0.0.1", "-p", &port.to_string(), "+tries=1", "+time=5", "+noall", "+comments"]);
    command.args(["+answer", "+authority"]).args(words);
    let ran = command.output().unwrap_or_else(|error| panic!("`dig` is needed: {error}"));
    let text = String::from_utf8_lossy(&ran.stdout);
    let between = |from: &str, to: char| {
        let rest = text.split_once(from).unwrap_or_else(|| panic!("no `{from}` in {text}")).1;
        rest.split_once(to).map_or(rest, |(word, _)| word).trim().to_owned()
    };
    let section = |name: &str| {
        let lines = text.split_once(&format!(";; {name} SECTION:")).map_or("", |(_, rest)| rest);
        let lines = lines.lines().skip(1).take_while(|line| !line.is_empty() && !line.starts_with(';'));
        lines.map(|line| line.split_whitespace().skip(3).collect::<Vec<_>>().join(" ")).collect()
    };
    Said {
        status: between("status: ", ','),
        flags: between("flags: ", ';'),
        answers: section("ANSWER"),
        authority: section("AUTHORITY"),
    }
}

/// The records of a name in short words, or the code.
#[track_caller]
fn short(port: u16, name: &str, words: &[&str]) -> String {
    let said = dig(port, &[&[name], words].concat());
    if said.status == "NOERROR" { said.answers.join(" ") } else { said.status }
}

/// The name that an address is asked under, without the zone.
fn reversed(address: &str) -> String {
    let labels: Vec<String> = match address.parse().unwrap() {
        IpAddr::V4(address) => address.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

fn under(name: &str) -> String {
    format!("{name}.{ZONE}")
}

/// So many nodes, each with a DNS listener.
fn listening(count: usize, flags: &[&str]) -> (TestCluster, Vec<Port>) {
    let mut ports = Vec::new();
    let cluster = TestCluster::start_after(count, flags, |node| {
        let port = Port::take();
        node.set_variable("STOCKADE_DNSBL", &port.address());
        node.set_variable("STOCKADE_DNSBL_ZONE", ZONE);
        ports.push(port);
    });
    (cluster, ports)
}

#[test]
fn three_nodes_answer_alike_over_udp_and_tcp_and_say_at_once_what_has_changed() {
    let (mut cluster, ports) = listening(3, &["--accept-after", "1"]);
    let client = cluster.analyst(1);
    for value in ["192.0.2.1", "198.51.100.0/24", "2001:db8::1"] {
        client.post("/ip/add", &json!({"ip": value, "comment": "Bad \"guy\""})).expect(201);
    }
    let last = client.post("/domain/add", &json!({"domain": "evil.example.com"})).expect(201);
    cluster.wait_applied(last.index());
    let rows = [
        (reversed("192.0.2.1"), "A", "A 127.0.0.2"),
        (reversed("192.0.2.1"), "TXT", "TXT \"Listed: 192.0.2.1, Bad guy\""),
        (reversed("192.0.2.2"), "A", "NXDOMAIN"),
        (reversed("198.51.100.77"), "A", "A 127.0.0.2"),
        (reversed("2001:db8::1"), "A", "A 127.0.0.2"),
        (reversed("2001:db8::2"), "A", "NXDOMAIN"),
        ("evil.example.com".into(), "A", "A 127.0.1.2"),
        ("www.evil.example.com".into(), "A", "A 127.0.1.2"),
        ("ok.example.com".into(), "A", "NXDOMAIN"),
        (reversed("127.0.0.2"), "A", "A 127.0.0.2"),
        (reversed("127.0.0.1"), "A", "NXDOMAIN"),
        (reversed("::ffff:127.0.0.2"), "A", "A 127.0.0.2"),
        (reversed("::ffff:127.0.0.1"), "A", "NXDOMAIN"),
        ("test".into(), "A", "A 127.0.0.2"),
        ("invalid".into(), "A", "NXDOMAIN"),
        (reversed("192.0.2.1"), "ANY", "HINFO \"RFC8482\" \"\""),
    ];
    for (name, kind, expected) in &rows {
        for port in &ports {
            for way in ["+notcp", "+tcp"] {
                let answer = short(port.number(), &under(name), &[kind, way]);
                assert_eq!(answer, *expected, "{name} {kind} {way}");
            }
        }
    }
    let port = ports[0].number();
    assert_eq!(dig(port, &["1.2.0.192.bl.example.net", "A"]).status, "REFUSED");
    assert_eq!(dig(port, &[ZONE, "AXFR"]).status, "REFUSED");
    let apex = dig(port, &[ZONE, "SOA"]);
    assert!(apex.answers[0].starts_with("SOA ns.bl.example.org. hostmaster.bl.example.org. "), "{apex:?}");
    assert!(apex.flags.contains("aa"), "{apex:?}");
    assert_eq!(short(port, ZONE, &["NS"]), "NS ns.bl.example.org.");
    assert_eq!(short(port, &under("ns"), &["A"]), "A 127.0.0.1");
    let absent = dig(port, &[&under(&reversed("192.0.2.2")), "A"]);
    assert!(absent.authority[0].starts_with("SOA ") && absent.authority[0].ends_with(" 60"), "{absent:?}");
    let nothing = dig(port, &[&under(&reversed("192.0.2.1")), "MX"]);
    assert_eq!((nothing.status.as_str(), nothing.answers.len()), ("NOERROR", 0));
    assert!(nothing.authority[0].starts_with("SOA "), "{nothing:?}");
    let newer = dig(port, &[&under(&reversed("192.0.2.1")), "A", "+edns=1", "+noednsnegotiation"]);
    assert_eq!(newer.status, "BADVERS");

    // What is allowed, deleted or run out is gone from every node.
    let gone = |address: &str, name: String, why: &str| {
        for port in &ports {
            wait_for(&format!("{address} {why}"), SOON, || {
                (short(port.number(), &under(&name), &["A"]) == "NXDOMAIN").then_some(())
            });
        }
    };
    client.post("/allow/add", &json!({"ip": "198.51.100.77"})).expect(201);
    gone("198.51.100.77", reversed("198.51.100.77"), "is allowed");
    assert_eq!(short(port, &under(&reversed("198.51.100.78")), &["A"]), "A 127.0.0.2");
    client.post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    gone("192.0.2.1", reversed("192.0.2.1"), "is deleted");
    client.post("/ip/add", &json!({"ip": "192.0.2.9", "ttl": 3})).expect(201);
    let soon = dig(port, &[&under(&reversed("192.0.2.9")), "A", "+ttlid"]);
    assert!(soon.status == "NXDOMAIN" || soon.answers == ["A 127.0.0.2"], "{soon:?}");
    gone("192.0.2.9", reversed("192.0.2.9"), "has run out");

    // Without a majority this node goes on, and shows what was reported to it alone.
    cluster.nodes[0].kill();
    cluster.nodes[2].kill();
    assert_eq!(short(ports[1].number(), &under(&reversed("2001:db8::1")), &["A"]), "A 127.0.0.2");
    cluster.analyst(1).post("/ip/add", &json!({"ip": "203.0.113.5"})).expect(202);
    assert_eq!(short(ports[1].number(), &under(&reversed("203.0.113.5")), &["A"]), "A 127.0.0.2");
    let metrics = cluster.nodes[1].anonymous().get("/metrics").expect(200);
    let count = |name: &str| {
        let line = metrics.text().lines().find(|line| line.starts_with(name)).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("no {name}"));
        line.split_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    assert!(count("stockade_dnsbl_questions_total{transport=\"udp\"}") > 16);
    assert!(count("stockade_dnsbl_questions_total{transport=\"tcp\"}") >= 16);
    assert!(count("stockade_dnsbl_answers_total{answer=\"no_such_name\"}") > 5);
    // Restarted alone it has a list, and answers by it.
    assert!(cluster.nodes[1].terminate().success());
    cluster.nodes[1].start();
    wait_for("the node answers from its disk", Duration::from_secs(30), || {
        let port = ports[1].number();
        let ran = Command::new("dig")
            .args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+tries=1", "+time=1"])
            .args([&under(&reversed("2001:db8::1")), "A"])
            .output();
        String::from_utf8_lossy(&ran.unwrap().stdout).contains("127.0.0.2").then_some(())
    });
}

#[test]
fn a_node_without_a_list_says_that_it_cannot_tell_and_ends_when_it_is_told_to() {
    let port = Port::take();
    let nobody = Port::take();
    let mut cluster = TestCluster::empty();
    let url = format!("http://{}", nobody.address());
    let number = cluster.prepare(&["--join", &url, "--dnsbl", &port.address(), "--dnsbl-zone", ZONE]);
    cluster.nodes[number].start();
    wait_for("it listens", Duration::from_secs(30), || cluster.nodes[number].anonymous().try_get("/livez"));
    for address in ["192.0.2.1", "127.0.0.2", "127.0.0.1"] {
        assert_eq!(short(port.number(), &under(&reversed(address)), &["A"]), "SERVFAIL", "{address}");
    }
    assert!(cluster.nodes[number].terminate().success());
}

#[test]
fn a_flood_is_cut_down_and_who_really_asks_comes_through_over_tcp() {
    let (cluster, ports) = listening(1, &["--dnsbl-rate", "20"]);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "192.0.2.1"})).expect(201);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(ports[0].address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // 1.2.0.192.bl.example.org A, as written by hand.
    let mut question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    for label in ["1", "2", "0", "192", "bl", "example", "org", ""] {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.as_bytes());
    }
    question.extend(b"\x00\x01\x00\x01");
    let (mut whole, mut cut) = (0, 0);
    for _ in 0..400 {
        socket.send(&question).unwrap();
    }
    let mut answer = [0; 512];
    while let Ok(length) = socket.recv(&mut answer) {
        if answer[2] & 2 == 0 {
            whole += 1;
        } else {
            cut += 1;
            assert!(length <= question.len(), "an answer over the limit is no gain for a forger");
        }
    }
    assert!((20..200).contains(&whole) && (50..=200).contains(&cut), "{whole} whole, {cut} cut");
    // As `dig` does by itself when it is told that the answer was cut.
    let said = short(ports[0].number(), &under(&reversed("192.0.2.1")), &["A", "+tcp"]);
    assert_eq!(said, "A 127.0.0.2");
    // Garbage has no answer but that it is garbage, and nothing after it suffers.
    for garbage in [&b""[..], b"\x00", &[0xff; 600], b"\x12\x34\x01\x00\x00\x09\x00\x00\x00\x00\x00\x00\xff"]
    {
        socket.send(garbage).unwrap();
    }
    let said = short(ports[0].number(), &under(&reversed("192.0.2.2")), &["A", "+tcp"]);
    assert_eq!(said, "NXDOMAIN");
}

#[test]
fn rbldnsd_with_an_export_says_the_same() {
    let (cluster, ports) = listening(1, &[]);
    let client = cluster.analyst(0);
    let listed =
        ["198.51.100.0/24", "198.51.100.9", "203.0.113.64/26", "192.0.2.1", "2001:db8:1::/48", "2001:db8::1"];
    for value in listed {
        client.post("/ip/add", &json!({"ip": value})).expect(201);
    }
    for value in ["198.51.100.7", "203.0.113.70", "203.0.113.80/29", "2001:db8:1:2::/64"] {
        client.post("/allow/add", &json!({"ip": value})).expect(201);
    }
    let home = Home::new();
    for (family, file) in [("4", "bl.ip4"), ("6", "bl.ip6")] {
        let export = client.get(&format!("/ip/all?format=rbldnsd&family={family}&zone={ZONE}")).expect(200);
        fs::write(home.path().join(file), &export.body).unwrap();
    }
    let other = Port::take();
    let set = |kind: &str, file: &str| format!("{ZONE}:{kind}:{}", home.path().join(file).display());
    let mut command = Command::new("/usr/sbin/rbldnsd");
    command.args(["-f", "-n", "-b", &format!("127.0.0.1/{}", other.number())]);
    command.args([set("ip4set", "bl.ip4"), set("ip6trie", "bl.ip6")]).stdout(Stdio::null());
    let _running = Running::start(&mut command);
    wait_for("rbldnsd answers", Duration::from_secs(15), || {
        let ran = Command::new("dig")
            .args(["@127.0.0.1", "-p", &other.number().to_string(), "+short", "+tries=1", "+time=1"])
            .arg(under(&reversed("127.0.0.2")))
            .output();
        String::from_utf8_lossy(&ran.unwrap().stdout).contains("127.0.0.2").then_some(())
    });
    let mut counts = BTreeMap::new();
    let v4 = (0..256).flat_map(|last| {
        [format!("198.51.100.{last}"), format!("203.0.113.{last}")]
            .into_iter()
            .filter(move |_| last % 5 < 2 || last > 60 && last < 100)
    });
    let some =
        ["192.0.2.0", "192.0.2.1", "192.0.2.2", "127.0.0.1", "127.0.0.2", "127.0.0.3", "198.51.99.255"];
    let six = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:1::",
        "2001:db8:1:1:ffff::",
        "2001:db8:1:2::5",
        "2001:db8:2::",
    ];
    let tests = ["::ffff:127.0.0.2", "::ffff:127.0.0.1"];
    let addresses = v4.chain(some.iter().chain(&six).chain(&tests).map(|&address| address.to_owned()));
    for address in addresses {
        let name = under(&reversed(&address));
        let ours = short(ports[0].number(), &name, &["A"]);
        assert_eq!(ours, short(other.number(), &name, &["A"]), "{address}");
        *counts.entry(ours).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 2, "listed and not listed alone: {counts:?}");
    assert!(counts.values().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn a_listener_that_cannot_be_is_refused_in_words() {
    let mut cluster = TestCluster::empty();
    let port = Port::take();
    for (flags, words) in [
        (vec!["--dnsbl", "127.0.0.1:1"], "--dnsbl needs --dnsbl-zone"),
        (
            vec!["--dnsbl", &port.address(), "--dnsbl-zone", "not a zone"],
            "is not a name such as bl.example.org",
        ),
        (vec!["--dnsbl", "192.0.2.1:5353", "--dnsbl-zone", ZONE], "cannot listen on 192.0.2.1:5353"),
    ] {
        let number = cluster.prepare(&flags);
        cluster.nodes[number].start();
        let ended = cluster.nodes[number].wait_ended(Duration::from_secs(30));
        assert_eq!(ended.code(), Some(2));
        let log = cluster.nodes[number].log();
        assert!(log.contains(words), "{log}");
    }
}
