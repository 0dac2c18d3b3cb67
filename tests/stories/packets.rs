//! Packets that are dropped and packets that pass: `stockade follow` keeps the firewall of a machine in step with three
//! nodes, by the lines of its page, while another machine sends to it without a pause.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Echo, Follower, Machine, Packets, Page, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);
/// How often an address comes and goes.
const ROUNDS: usize = 10;
/// A list long enough that loading it takes a while.
const MANY: usize = 10_000;

const LISTED: &str = "198.51.100.1";
const UNLISTED: &str = "203.0.113.5";
/// These come and go.
const TURNS: [&str; 2] = ["198.51.100.9", "2001:db8:1::9"];
const NETWORK: &str = "203.0.113.128/25";
const WITHIN_NETWORK: &str = "203.0.113.201";
const ALLOWED: &str = "203.0.113.200";

struct Scene {
    cluster: TestCluster,
    firewall: Machine,
    outside: Machine,
    /// The node that is followed first leads this; none of them is the leader.
    order: Vec<usize>,
}

impl Scene {
    fn new() -> Scene {
        let mut cluster = TestCluster::start(3);
        let first = json!([{"ip": LISTED}, {"ip": NETWORK}]);
        cluster.analyst(0).post("/ip/add", &first).expect(200);
        cluster.wait_level();
        let mut order = cluster.followers();
        order.push(cluster.leader());
        let (firewall, outside) = (Machine::new(), Machine::new());
        let mut addresses = vec!["192.0.2.2/24".to_owned(), "2001:db8::2/64".to_owned()];
        for address in [LISTED, UNLISTED, TURNS[0], TURNS[1], WITHIN_NETWORK, ALLOWED] {
            let length = if address.contains(':') { 128 } else { 32 };
            addresses.push(format!("{address}/{length}"));
        }
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        firewall.join(&["192.0.2.1/24", "2001:db8::1/64"], &outside, &addresses);
        Scene { cluster, firewall, outside, order }
    }

    fn post(&self, node: usize, path: &str, ip: &str) {
        wait_for("the list takes it", WITHIN, || {
            let request = self.cluster.analyst(node).request("POST", path).json(&json!({"ip": ip}));
            matches!(request.try_send().ok()?.status, 200 | 201).then_some(())
        });
    }

    /// An address is listed, and not any more; how long it took until its packets were dropped, and until they passed.
    #[track_caller]
    fn round(&self, node: usize, packets: &Packets, ip: &str) -> (Duration, Duration) {
        let since = Instant::now();
        self.post(node, "/ip/add", ip);
        let dropped = packets.wait_dropped(since);
        let since = Instant::now();
        self.post(node, "/ip/delete", ip);
        let took = since.elapsed();
        (dropped, took + packets.wait_passing())
    }

    /// Whether a connection from an address is taken, and a ping answered; both or neither.
    #[track_caller]
    fn reaches(&self, listener: SocketAddr, from: &str) -> bool {
        let address: IpAddr = from.parse().unwrap();
        let connects = self.outside.connect(address, listener, Duration::from_secs(1)).is_ok();
        let (answered, said) = self.outside.try_run(&format!("ping -c 1 -W 1 -I {from} {}", listener.ip()));
        assert_eq!(connects, answered, "{from}: {said}");
        connects
    }
}

/// The median and the worst, in milliseconds.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    format!(
        "median {} ms, worst {} ms",
        times[times.len() / 2].as_millis(),
        times[times.len() - 1].as_millis()
    )
}

/// The whole story of one firewall: `rules` are the lines of its page that use the sets, `holds` looks for what is
/// listed all along.
fn story(name: &str, page: &Page, rules: &[&str], holds: &str) {
    let mut scene = Scene::new();
    let (firewall, outside) = (&scene.firewall, &scene.outside);
    let echo4 = Echo::start(firewall, "192.0.2.1".parse().unwrap());
    let echo6 = Echo::start(firewall, "2001:db8::1".parse().unwrap());
    let listener = firewall.inside(|| TcpListener::bind("192.0.2.1:0")).unwrap();
    let listener = listener.local_addr().map(|address| (listener, address)).unwrap();
    let send = |from: &str| Packets::start(outside, from, if from.contains(':') { &echo6 } else { &echo4 });
    let [listed, unlisted, within, allowed] = [LISTED, UNLISTED, WITHIN_NETWORK, ALLOWED].map(send);
    let turns = TURNS.map(send);
    for packets in [&listed, &unlisted, &within, &allowed, &turns[0], &turns[1]] {
        packets.wait_passing();
    }

    // The sets come with the first list; the rules of the page are made once.
    let began = Instant::now();
    let _follower: Follower = page.follow(0, &scene.cluster, &scene.order, firewall, str::to_owned);
    wait_for("the sets are there", WITHIN, || firewall.try_run(holds).0.then_some(()));
    for rule in rules {
        firewall.run(rule);
    }
    let from_here = [&listed, &unlisted].map(Packets::next);
    for packets in [&listed, &within, &allowed] {
        packets.wait_dropped(began);
    }
    assert!(!scene.reaches(listener.1, LISTED) && scene.reaches(listener.1, UNLISTED));

    // Comes and goes, of both families, through every node.
    let (mut dropped, mut passed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (ip, packets) = (TURNS[round % 2], &turns[round % 2]);
        let (drop, pass) = scene.round(round % 3, packets, ip);
        dropped.push(drop);
        passed.push(pass);
    }
    eprintln!("{name}: added → dropped: {}", figures(dropped.clone()));
    eprintln!("{name}: deleted → passes: {}", figures(passed));
    dropped.sort_unstable();
    assert!(dropped[ROUNDS / 2] < Duration::from_secs(1), "within a second: {dropped:?}");

    // What is allowed is cut out of its network at once, though the feed cannot say so: it answers 410.
    scene.post(0, "/allow/add", ALLOWED);
    allowed.wait_passing();

    // A long list takes longer to load: what was in the set is dropped all the while.
    let mut many = String::new();
    for number in 0..MANY {
        writeln!(many, "100.0.{}.{}", number / 256, number % 256).unwrap();
    }
    let add = scene.cluster.analyst(1).request("POST", "/ip/add").body("text/plain", many);
    add.send().expect(200);
    let long: Vec<Duration> = (0..3).map(|node| scene.round(node, &turns[0], TURNS[0]).0).collect();
    eprintln!("{name}: added → dropped with {MANY} listed: {}", figures(long));

    // The node that is followed dies.
    let since = Instant::now();
    let (first, next) = (scene.order[0], scene.order[1]);
    scene.cluster.nodes[first].kill();
    let (drop, _) = scene.round(next, &turns[1], TURNS[1]);
    eprintln!("{name}: followed node killed, added → dropped: {} ms", drop.as_millis());
    assert!(since.elapsed() < WITHIN);

    // All of them die: the last list stays.
    for number in scene.cluster.running() {
        scene.cluster.nodes[number].kill();
    }
    for (packets, passing) in [(&listed, false), (&within, false), (&unlisted, true), (&allowed, true)] {
        let (sent, passed) = packets.watch(300);
        assert_eq!(passed, if passing { sent } else { 0 });
    }

    // From the first list to here not one packet of a listed address has passed, and none of another was dropped.
    let (sent, passed) = listed.counts(from_here[0]);
    assert!(sent > 1_000 && passed == 0, "{passed} of {sent} passed: the set was empty for a moment");
    let (sent, passed) = unlisted.counts(from_here[1]);
    assert_eq!(sent, passed);

    // They are back, and so is the list.
    for node in &mut scene.cluster.nodes {
        node.start();
    }
    for node in &mut scene.cluster.nodes {
        node.wait_ready();
    }
    scene.post(0, "/ip/delete", LISTED);
    listed.wait_passing();
    assert_eq!(within.watch(100).1, 0);
}

#[test]
fn nftables_drops_what_is_listed_through_the_death_of_nodes() {
    let page = Page::read("nftables");
    let rules = page.lines("nft add");
    let holds = format!("nft get element inet blocklist bl4 '{{ {LISTED} }}'");
    story("nftables", &page, &rules, &holds);
}

#[test]
fn an_ipset_drops_what_is_listed_through_the_death_of_nodes() {
    let page = Page::read("ipset");
    let rules = [page.lines("iptables"), page.lines("ip6tables")].concat();
    story("ipset", &page, &rules, &format!("ipset test bl4 {LISTED}"));
}
