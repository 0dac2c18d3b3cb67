//! Real programs take the list: each loads what a node hands out for it, and says what it made of it. A missing
//! program fails its story.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Client, Home, Running, TestCluster, wait_for};

/// A comment that would do harm in every script.
const EVIL: &str = "x\"; } # \n0.0.0.0/0 ' $(reboot) [/system reboot] \\ -exist\r\nadd bl4 1.1.1.1 {";

/// Networks and hosts of both families, one of them within another, and two domains of which one holds the other.
fn filled() -> TestCluster {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let listed = ["198.51.100.0/24", "198.51.100.7", "192.0.2.1", "2001:db8:1::/48", "2001:db8::1"];
    for value in listed {
        client.post("/ip/add", &json!({"ip": value, "comment": EVIL})).expect(201);
    }
    for domain in ["evil.example.com", "a.evil.example.com"] {
        client.post("/domain/add", &json!({"domain": domain, "comment": EVIL})).expect(201);
    }
    cluster
}

/// Keeps what a query answers in a file.
#[track_caller]
fn keep(client: &Client, query: &str, file: &Path) {
    let answer = client.get(query).expect(200);
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{query}");
    assert_eq!(answer.header("transfer-encoding"), None, "{query}");
    fs::write(file, &answer.body).unwrap();
}

/// What a program prints when it is content.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let ran = command.output().unwrap_or_else(|error| panic!("`{program}` is needed: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}: {text}");
    text
}

/// Runs a script in a network of its own.
#[track_caller]
fn in_a_network(home: &Home, script: &str) -> String {
    let script = format!("set -e; cd {}; {script}", home.path().display());
    run("unshare", &["-Urn", "sh", "-c", &script])
}

#[test]
fn nftables_loads_the_sets_again_and_again() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    keep(&client, "/ip/all?format=nft", &home.path().join("first"));
    client.post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    keep(&client, "/ip/all?format=nft", &home.path().join("second"));
    keep(&client, "/ip/all?format=nft&family=4&source=nobody", &home.path().join("empty"));
    keep(&client, "/ip/all?format=nft&table=timed&timeout=1h", &home.path().join("timed"));
    let load = "for i in 1 2; do nft -c -f first; nft -f first; done";
    let all = in_a_network(&home, &format!("{load}; nft list ruleset"));
    for element in ["198.51.100.0/24", "192.0.2.1", "2001:db8:1::/48", "2001:db8::1"] {
        assert!(all.contains(element), "{element} is missing: {all}");
    }
    assert!(!all.contains("0.0.0.0") && !all.contains("1.1.1.1"), "{all}");
    let less = in_a_network(&home, &format!("{load}; nft -f second; nft list ruleset"));
    assert!(less.contains("198.51.100.0/24") && !less.contains("192.0.2.1"), "{less}");
    // The empty list of one family empties that set alone.
    let six = in_a_network(&home, &format!("{load}; nft -f empty; nft list ruleset"));
    assert!(six.contains("2001:db8::1") && !six.contains("198.51.100.0"), "{six}");
    let timed = in_a_network(&home, "nft -f timed; nft -f timed; nft list ruleset");
    assert!(timed.contains("timeout 1h") && timed.contains("2001:db8::1"), "{timed}");
}

/// Connects to itself from each address given, and says which came through.
const CONNECT: &str = r#"
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
for source in sys.argv[1:]:
    try:
        socket.create_connection(server.getsockname(), 0.3, (source, 0)).close()
        print("passes", source)
    except TimeoutError:
        print("dropped", source)
"#;

#[test]
fn packets_from_what_is_listed_are_dropped_and_a_new_list_leaves_the_chain_alone() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    keep(&client, "/ip/all?format=nft", &home.path().join("first"));
    client.post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    keep(&client, "/ip/all?format=nft", &home.path().join("second"));
    fs::write(home.path().join("connect.py"), CONNECT).unwrap();
    let chain = "add chain inet own input { type filter hook input priority 0; }\n\
                 add rule inet own input ip saddr @bl4 drop\n";
    fs::write(home.path().join("chain"), chain.replace("inet own", "inet blocklist")).unwrap();
    let connect = "python3 connect.py 198.51.100.9 192.0.2.1 203.0.113.5";
    let addresses = "for a in 198.51.100.9 192.0.2.1 203.0.113.5; do ip addr add $a/32 dev lo; done";
    let said = in_a_network(
        &home,
        &format!(
            "ip link set lo up; {addresses}; nft -f first; nft -f chain; {connect}; nft -f second; {connect}"
        ),
    );
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        "dropped 198.51.100.9",
        "dropped 192.0.2.1",
        "passes 203.0.113.5",
        "dropped 198.51.100.9",
        "passes 192.0.2.1",
        "passes 203.0.113.5",
    ];
    assert_eq!(lines, expected, "{said}");
}

#[test]
fn ipset_restores_the_sets_again_and_again() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    keep(&client, "/ip/all?format=ipset", &home.path().join("plain"));
    keep(
        &client,
        "/ip/all?format=ipset&comments=inline&timeout=600&set4=a&set6=b",
        &home.path().join("full"),
    );
    client.post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    keep(&client, "/ip/all?format=ipset", &home.path().join("less"));
    let save = "for i in 1 2; do ipset restore < plain; ipset restore < full; done; ipset save";
    let all = in_a_network(&home, save);
    for line in
        ["add bl4 198.51.100.0/24", "add bl4 192.0.2.1", "add bl6 2001:db8:1::/48", "add b 2001:db8::1"]
    {
        assert!(all.contains(line), "{line} is missing: {all}");
    }
    let foreign = |line: &str| line.starts_with("add bl4 1.1.1.1") || line.contains("bl4_n");
    assert!(!all.lines().any(foreign), "{all}");
    let less = in_a_network(&home, "ipset restore < plain; ipset restore < less; ipset save");
    assert!(less.contains("add bl4 198.51.100.7") && !less.contains("192.0.2.1"), "{less}");
}

#[test]
fn proxies_and_web_servers_take_their_files() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    let path = |name: &str| home.path().join(name).display().to_string();
    for (format, kind) in [
        ("haproxy", "ip"),
        ("haproxy-map", "ip"),
        ("nginx-geo", "ip"),
        ("nginx-deny", "ip"),
        ("apache", "ip"),
        ("squid", "ip"),
        ("squid", "domain"),
    ] {
        let comments = match format {
            "nginx-geo" | "nginx-deny" => "&comments=inline",
            "apache" | "haproxy" => "&comments=header",
            _ => "",
        };
        let file = home.path().join(format!("{format}-{kind}"));
        keep(&client, &format!("/{kind}/all?format={format}{comments}"), &file);
    }

    let haproxy = format!(
        "defaults\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nfrontend f\n \
         bind 127.0.0.1:1\n acl bad src -f {}\n http-request deny if bad\n \
         http-request set-header x %[src,map_ip({})]\n",
        path("haproxy-ip"),
        path("haproxy-map-ip")
    );
    fs::write(path("haproxy.cfg"), haproxy).unwrap();
    run("haproxy", &["-c", "-f", &path("haproxy.cfg")]);

    let nginx = format!(
        "pid {}; error_log stderr; events {{}} http {{ access_log off; geo $bad {{ include {}; }} \
         server {{ listen 127.0.0.1:1; location / {{ include {}; }} }} }}",
        path("nginx.pid"),
        path("nginx-geo-ip"),
        path("nginx-deny-ip")
    );
    fs::write(path("nginx.conf"), nginx).unwrap();
    run("nginx", &["-t", "-c", &path("nginx.conf"), "-p", &path("")]);

    let modules = "/usr/lib/apache2/modules";
    let apache = format!(
        "ServerRoot {0}\nServerName x\nListen 127.0.0.1:1\nDefaultRuntimeDir {0}\nPidFile {0}/a.pid\nErrorLog /dev/stderr\n\
         LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
         LoadModule authz_core_module {modules}/mod_authz_core.so\n\
         LoadModule authz_host_module {modules}/mod_authz_host.so\n\
         <Location />\n<RequireAll>\nRequire all granted\nInclude {1}\n</RequireAll>\n</Location>\n",
        home.path().display(),
        path("apache-ip")
    );
    fs::write(path("apache.conf"), apache).unwrap();
    run("apache2", &["-t", "-f", &path("apache.conf")]);

    let squid = format!(
        "acl bad src \"{}\"\nacl evil dstdomain \"{}\"\nhttp_access deny bad\nhttp_access deny evil\n\
         http_port 127.0.0.1:3128\n",
        path("squid-ip"),
        path("squid-domain")
    );
    fs::write(path("squid.conf"), squid).unwrap();
    let parsed = run("squid", &["-k", "parse", "-f", &path("squid.conf")]);
    assert!(!parsed.contains("ERROR") && !parsed.contains("FATAL"), "{parsed}");
}

#[test]
fn bind_takes_the_zones() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    for (kind, query, records) in
        [("ip", "comments=inline", 5), ("domain", "comments=inline", 4), ("ip", "source=nobody", 0)]
    {
        let file = home.path().join("zone");
        keep(&client, &format!("/{kind}/all?format=rpz&{query}"), &file);
        let zone = file.display().to_string();
        let checked = run("named-checkzone", &["-D", "rpz.example.org", &zone]);
        assert_eq!(checked.matches("CNAME").count(), records, "{checked}");
    }
}

#[test]
fn rbldnsd_answers_from_the_list() {
    let (cluster, home) = (filled(), Home::new());
    let client = cluster.analyst(0);
    keep(&client, "/ip/all?format=rbldnsd&host=node", &home.path().join("bl.ip4"));
    keep(&client, "/ip/all?format=rbldnsd&family=6", &home.path().join("bl.ip6"));
    let path = |name: &str| home.path().join(name).display().to_string();
    // A port that is free now.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("/usr/sbin/rbldnsd");
    command.args(["-f", "-n", "-b", &format!("127.0.0.1/{port}")]);
    command.arg(format!("bl.local:ip4set:{}", path("bl.ip4")));
    command.arg(format!("bl6.local:ip6trie:{}", path("bl.ip6")));
    command.stdout(Stdio::null());
    let _running = Running::start(&mut command);
    let port = port.to_string();
    let ask = |name: &str, kind: &str| {
        let arguments = ["@127.0.0.1", "-p", &port, "+short", "+tries=1", "+time=1", name, kind];
        let asked = Command::new("dig").args(arguments).output().unwrap();
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    wait_for("rbldnsd answers", Duration::from_secs(15), || {
        (ask("2.0.0.127.bl.local", "A") == "127.0.0.2").then_some(())
    });
    assert_eq!(ask("1.2.0.192.bl.local", "A"), "127.0.0.2");
    assert_eq!(ask("9.100.51.198.bl.local", "A"), "127.0.0.2", "within a network");
    assert_eq!(ask("1.2.0.192.bl.local", "TXT"), "\"Listed, see https://node/ip/192.0.2.1\"");
    assert_eq!(ask("1.0.0.127.bl.local", "A"), "", "must not be listed");
    assert_eq!(ask("2.2.0.192.bl.local", "A"), "");
    let six = |first: &str| {
        format!("{first}.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl6.local")
    };
    assert_eq!(ask(&six("1"), "A"), "127.0.0.2");
    assert_eq!(ask(&six("2"), "A"), "");
}

#[test]
fn presets_knobs_and_the_registry_over_http() {
    let cluster = filled();
    let client = cluster.analyst(0);
    let pfsense = client.get("/ip/all?format=pfsense").expect(200);
    assert_eq!(pfsense.text(), client.get("/ip/all?format=txt").expect(200).text());
    let sophos = client.get("/ip/all?preset=sophos").expect(200);
    assert!(sophos.text().lines().all(|line| line.parse::<std::net::Ipv4Addr>().is_ok()), "hosts alone");
    assert_eq!(sophos.header("stockade-count"), Some("257"), "a network's 256, and another");
    let hosts = client.get("/ip/all?format=txt&hosts_only=1").expect(200);
    assert_eq!((hosts.header("stockade-count"), hosts.header("stockade-skipped")), (Some("3"), Some("2")));
    let message = client.get("/domain/all?format=nft").expect(400).message();
    assert!(message.contains("it holds: ip"), "{message}");
    client.get("/ip/all?format=nft&table=a%7Db").expect(400).message();
    client.get("/ip/192.0.2.1?format=nft").expect(400).message();
    let empty = client.get("/ip/all?format=txt&if_empty=503&source=nobody").expect(503);
    assert!(empty.header("retry-after").is_some());
    assert_eq!(client.get("/ip/all?preset=cisco&source=nobody").expect(200).text().lines().count(), 2);
    // MineMeld's words; the digest is that of the list.
    assert_eq!(client.get("/ip/all?v=csv&f=indicator&s=1&n=1").expect(200).text(), "2001:db8:1::/48\n");
    let sum = client.get("/ip/all?format=txt&sum=sha256").expect(200);
    assert_eq!(sum.text().trim().len(), 64);
    let known = client.get("/formats").expect(200).json();
    assert_eq!(known["formats"].as_array().unwrap().len(), 22);
    assert_eq!(known["presets"].as_array().unwrap().len(), 9);
    Client::anonymous(&client.url("")).get("/formats").expect(401);
}
