//! BIND and Unbound at work with our response policy zones, set up by the lines of their pages, before a name server that
//! answers everything: what is listed is NXDOMAIN, as a name and as an address in an answer.

use std::fs;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Machine, Page, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

/// What there is in the world.
const WORLD: &str = "$TTL 1
. IN SOA ns. hostmaster. 1 300 60 86400 1
. IN NS ns.
ns. A 127.0.0.2
good.example.com. A 203.0.113.5
evil.example.com. A 203.0.113.6
sub.evil.example.com. A 203.0.113.6
worse.example.com. A 203.0.113.6
host.example.com. A 198.51.100.7
six.example.com. AAAA 2001:db8:1::9
net.example.com. A 203.0.113.201
";

/// A cluster, and a machine with a name server that knows the world.
struct Scene {
    cluster: TestCluster,
    machine: Machine,
}

impl Scene {
    fn new(nodes: usize) -> Scene {
        let mut cluster = TestCluster::start(nodes);
        let analyst = cluster.analyst(0);
        analyst.post("/domain/add", &json!([{"domain": "evil.example.com"}])).expect(200);
        let addresses = json!([{"ip": "198.51.100.7"}, {"ip": "2001:db8:1::9"}, {"ip": "203.0.113.128/25"}]);
        analyst.post("/ip/add", &addresses).expect(200);
        cluster.wait_level();
        let machine = Machine::new();
        machine.run("ip addr add 127.0.0.2/8 dev lo");
        let scene = Scene { cluster, machine };
        let world = scene.write("world.zone", WORLD);
        let config = format!(
            "options {{ directory \"{0}\"; pid-file \"{0}/world.pid\"; listen-on {{ 127.0.0.2; }}; \
             listen-on-v6 {{ none; }}; recursion no; session-keyfile \"{0}/world.key\"; dnssec-validation no; }};\n\
             controls {{ }};\nzone \".\" {{ type primary; file \"{world}\"; }};\n",
            scene.machine.path().display()
        );
        let config = scene.write("world.conf", &config);
        scene.machine.start("world.log", &format!("named -g -c {config}"));
        scene.wait("good.example.com", "A", "127.0.0.2", "NOERROR");
        scene
    }

    fn at(&self, name: &str) -> String {
        self.machine.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.machine.path().join(name), text).unwrap();
        self.at(name)
    }

    /// The status of an answer: NOERROR, with something in it, or NXDOMAIN.
    fn ask(&self, name: &str, kind: &str, server: &str) -> Option<String> {
        let (_, said) = self.machine.try_run(&format!("dig @{server} +tries=1 +time=2 {name} {kind}"));
        let status = said.split("status: ").nth(1)?.split(',').next()?.to_owned();
        assert_eq!(status == "NOERROR", said.contains("ANSWER: 1"), "{said}");
        Some(status)
    }

    #[track_caller]
    fn wait(&self, name: &str, kind: &str, server: &str, status: &str) {
        wait_for(&format!("{status} for {name}"), WITHIN, || {
            (self.ask(name, kind, server)? == status).then_some(())
        });
    }

    /// Domains and addresses come and go; `tell` has the resolver look, where it does not by itself.
    #[track_caller]
    fn check(&self, tell: impl Fn()) {
        const SERVER: &str = "127.0.0.1";
        let blocked = [
            ("evil.example.com", "A"),
            ("sub.evil.example.com", "A"),
            ("host.example.com", "A"),
            ("six.example.com", "AAAA"),
            ("net.example.com", "A"),
        ];
        for (name, kind) in blocked {
            self.wait(name, kind, SERVER, "NXDOMAIN");
        }
        for name in ["good.example.com", "worse.example.com"] {
            self.wait(name, "A", SERVER, "NOERROR");
        }
        let post = |path: &str, key: &str, value: &str| {
            self.cluster.analyst(0).post(path, &json!({key: value}));
            tell();
        };
        post("/domain/add", "domain", "worse.example.com");
        self.wait("worse.example.com", "A", SERVER, "NXDOMAIN");
        post("/domain/delete", "domain", "evil.example.com");
        self.wait("sub.evil.example.com", "A", SERVER, "NOERROR");
        post("/ip/add", "ip", "203.0.113.5");
        self.wait("good.example.com", "A", SERVER, "NXDOMAIN");
        post("/ip/delete", "ip", "203.0.113.5");
        self.wait("good.example.com", "A", SERVER, "NOERROR");
        post("/ip/delete", "ip", "2001:db8:1::9");
        self.wait("six.example.com", "AAAA", SERVER, "NOERROR");
        for (name, kind) in [("worse.example.com", "A"), ("net.example.com", "A")] {
            self.wait(name, kind, SERVER, "NXDOMAIN");
        }
    }
}

#[test]
fn bind_answers_nxdomain_for_what_is_listed() {
    let (scene, page) = (Scene::new(1), Page::read("bind"));
    let here = |line: &str| line.replace("/var/lib/bind/", &scene.at(""));
    let key = "key rndc { algorithm hmac-sha256; secret \"c3RvY2thZGUtdGVzdC1zZWNyZXQtMDEyMzQ1Njc=\"; };\n";
    let options = page.lines("options {")[0].replace(
        "options {",
        &format!(
            "options {{ directory \"{0}\"; pid-file \"{0}/named.pid\"; session-keyfile \"{0}/session.key\"; \
             listen-on {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; forward only; \
             forwarders {{ 127.0.0.2; }};",
            scene.machine.path().display()
        ),
    );
    let zones: String = page.lines("zone ").into_iter().map(|line| here(line) + "\n").collect();
    let controls = "controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { rndc; }; };\n";
    let config = scene.write("named.conf", &format!("{key}{controls}{options}\n{zones}"));
    let rndc = scene
        .write("rndc.conf", &format!("{key}options {{ default-key rndc; default-server 127.0.0.1; }};\n"));
    let reload = |command: &str| command.replace("rndc ", &format!("rndc -c {rndc} "));
    let _domains = page.follow(0, &scene.cluster, &[0], &scene.machine, reload);
    let _addresses = page.follow(1, &scene.cluster, &[0], &scene.machine, reload);
    for name in ["rpz.stockade", "rpz-ip.stockade"] {
        wait_for("the zone's file", WITHIN, || scene.machine.path().join(name).exists().then_some(()));
    }
    scene.machine.start("named.log", &format!("named -g -c {config}"));
    let serial = || {
        let status = scene.machine.try_run(&format!("rndc -c {rndc} zonestatus rpz-ip.stockade")).1;
        status.split("serial: ").nth(1)?.lines().next()?.parse::<u64>().ok()
    };
    let before = wait_for("BIND has the zone", WITHIN, serial);
    scene.check(|| {});
    let after = serial().unwrap();
    assert!(after >= before + 3, "{before}, {after}");
    let list = scene.cluster.analyst(0).get("/ip/all?format=rpz").expect(200);
    assert!(list.text().contains(&format!(" {after} 300 ")), "{after}: {}", list.text());
    // Nobody reads the zone itself.
    let said = scene.machine.run("dig @127.0.0.1 rpz.stockade SOA");
    assert!(said.contains("status: REFUSED"), "{said}");
}

#[test]
fn unbound_answers_nxdomain_for_what_is_listed_and_turns_to_the_next_node() {
    let (mut scene, page) = (Scene::new(3), Page::read("unbound"));
    let feed = json!({"kind": "domain", "format": "rpz"});
    let put = scene.cluster.nodes[0].operator().request("PUT", "/admin/feeds/rpz").json(&feed);
    put.send().expect(201);
    let made = scene.cluster.analyst(0).post("/user/analyst/tokens", &json!({"name": "dns"})).expect(201);
    scene.cluster.wait_applied(made.index());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let order = [scene.cluster.followers(), vec![scene.cluster.leader()]].concat();
    for (place, &node) in order.iter().enumerate() {
        scene.machine.open_door(5001 + place as u16, &scene.cluster.nodes[node].http_address());
    }

    let mut config = format!(
        "server:\n interface: 127.0.0.1\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n use-syslog: no\n logfile: \"\"\n\
         directory: \"{0}\"\n pidfile: \"{0}/unbound.pid\"\n do-not-query-localhost: no\n cache-max-ttl: 1\n\
         remote-control:\n control-enable: yes\n control-interface: {0}/control\n\
         forward-zone:\n name: \".\"\n forward-addr: 127.0.0.2\n",
        scene.machine.path().display()
    );
    let words =
        ["server:", "module-config:", "rpz:", "name:", "url:", "zonefile:"].map(|word| word.to_owned());
    let code = page.lines("");
    for line in code.into_iter().filter(|line| words.iter().any(|word| line.trim().starts_with(word))) {
        let line = line.replace("TOKEN", &token).replace("/var/lib/unbound/", &scene.at(""));
        let line = line.replace("https://node1.example", "http://127.0.0.1:5001");
        config += &line.replace("https://node2.example", "http://127.0.0.1:5002");
        config.push('\n');
    }
    let config = scene.write("unbound.conf", &config);
    let control = format!("unbound-control -c {config} ");
    let reload = |command: &str| command.replace("unbound-control ", &control);
    let _follower = page.follow(0, &scene.cluster, &order, &scene.machine, reload);
    wait_for("the zone's file", WITHIN, || {
        scene.machine.path().join("rpz-ip.stockade.zone").exists().then_some(())
    });
    scene.machine.run(&format!("unbound-checkconf {config}"));
    scene.machine.start("unbound.log", &format!("unbound -d -c {config}"));
    let transfer = || {
        scene.machine.run(&format!("{control} auth_zone_transfer rpz.stockade"));
    };
    scene.check(transfer);

    // The node that it fetches from dies.
    scene.cluster.nodes[order[0]].kill();
    let change = json!({"domain": "evil.example.com"});
    wait_for("the list takes it", WITHIN, || {
        let request = scene.cluster.analyst(order[1]).request("POST", "/domain/add").json(&change);
        matches!(request.try_send().ok()?.status, 200 | 201).then_some(())
    });
    transfer();
    scene.wait("evil.example.com", "A", "127.0.0.1", "NXDOMAIN");
    scene.wait("net.example.com", "A", "127.0.0.1", "NXDOMAIN");
}
