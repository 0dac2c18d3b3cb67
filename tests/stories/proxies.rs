//! HAProxy, nginx, Apache and Squid at work, set up by the lines of their pages: `stockade follow` keeps their file in
//! step, and what is listed is answered 403.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Machine, Page, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

/// These come and go.
const TURNS: [&str; 2] = ["198.51.100.7", "2001:db8:1::9"];
const NETWORK: &str = "203.0.113.128/25";
const WITHIN_NETWORK: &str = "203.0.113.201";
const UNLISTED: &str = "203.0.113.5";
const PORT: u16 = 8000;

/// A node, a machine that serves, and one that asks.
struct Scene {
    cluster: TestCluster,
    server: Machine,
    outside: Machine,
}

impl Scene {
    fn new() -> Scene {
        let cluster = TestCluster::start(1);
        let first = json!([{"ip": TURNS[0]}, {"ip": TURNS[1]}, {"ip": NETWORK}]);
        cluster.analyst(0).post("/ip/add", &first).expect(200);
        let (server, outside) = (Machine::new(), Machine::new());
        let theirs = [
            "192.0.2.2/24",
            "2001:db8::2/64",
            "198.51.100.7/32",
            "2001:db8:1::9/128",
            "203.0.113.201/32",
            "203.0.113.5/32",
        ];
        server.join(&["192.0.2.1/24", "2001:db8::1/64"], &outside, &theirs);
        // Who drops root has to read the settings still.
        server.run("chmod 755 .");
        fs::create_dir(server.path().join("www")).unwrap();
        fs::write(server.path().join("www/index.html"), "welcome\n").unwrap();
        Scene { cluster, server, outside }
    }

    /// The path of a file of the server.
    fn at(&self, name: &str) -> String {
        self.server.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.server.path().join(name), text).unwrap();
        self.at(name)
    }

    /// Fetches the first list, as a server is not to start without its file, and is not to be told to load it anew
    /// while it starts.
    fn fetch(&self, query: &str, name: &str) {
        let list = self.cluster.analyst(0).get(query).expect(200);
        fs::write(self.server.path().join(name), &list.body).unwrap();
    }

    /// Starts a server, and waits until it answers.
    #[track_caller]
    fn start(&self, name: &str, script: &str, url: &str) {
        self.server.start(name, script);
        self.wait_status(200, UNLISTED, url, "");
    }

    fn post(&self, path: &str, ip: &str) {
        self.cluster.analyst(0).post(path, &json!({"ip": ip}));
    }

    /// The status of an answer to a request from an address; none without an answer.
    fn status(&self, from: &str, url: &str, header: &str) -> Option<u16> {
        let from: IpAddr = from.parse().unwrap();
        let to = if from.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
        let to = SocketAddr::new(to.parse().unwrap(), PORT);
        let request =
            format!("GET {url} HTTP/1.1\r\nHost: server.example\r\n{header}Connection: close\r\n\r\n");
        let (status, body) = self.outside.http(from, to, &request).ok()?;
        assert_eq!(status == 200, body.contains("welcome"), "{status}: {body}");
        Some(status)
    }

    #[track_caller]
    fn wait_status(&self, status: u16, from: &str, url: &str, header: &str) {
        wait_for(&format!("{status} for {from} {header}"), WITHIN, || {
            (self.status(from, url, header)? == status).then_some(())
        });
        // The server was loaded anew, and is never open to what is listed all along.
        wait_for("an answer", WITHIN, || {
            let always = self.status(WITHIN_NETWORK, url, "")?;
            assert_eq!(always, 403);
            Some(())
        });
    }

    /// Addresses come and go; the answers follow.
    #[track_caller]
    fn check(&self, url: &str) {
        for ip in TURNS {
            self.wait_status(403, ip, url, "");
        }
        self.wait_status(200, UNLISTED, url, "");
        for ip in TURNS {
            self.post("/ip/delete", ip);
            self.wait_status(200, ip, url, "");
            self.post("/ip/add", ip);
            self.wait_status(403, ip, url, "");
        }
        self.post("/ip/add", UNLISTED);
        self.wait_status(403, UNLISTED, url, "");
        self.post("/ip/delete", UNLISTED);
        self.wait_status(200, UNLISTED, url, "");
    }

    /// Behind a proxy at 192.0.2.2 it is the header that counts, and only there.
    #[track_caller]
    fn check_forwarded(&self) {
        for ip in [TURNS[0], TURNS[1], WITHIN_NETWORK] {
            self.wait_status(403, "192.0.2.2", "/", &format!("X-Forwarded-For: {ip}\r\n"));
        }
        self.wait_status(200, "192.0.2.2", "/", &format!("X-Forwarded-For: {UNLISTED}\r\n"));
        self.wait_status(403, TURNS[0], "/", &format!("X-Forwarded-For: {UNLISTED}\r\n"));
    }
}

#[test]
fn haproxy_denies_what_is_listed() {
    let (scene, page) = (Scene::new(), Page::read("haproxy"));
    let here = |line: &str| line.replace("/etc/haproxy/", &scene.at(""));
    let config = format!(
        "global\n stats socket {}\n\
         defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n\
         frontend web\n bind 192.0.2.1:{PORT}\n bind [2001:db8::1]:{PORT}\n{}\n \
         acl proxied src 192.0.2.2\n{}\n http-request return status 200 content-type text/plain string welcome\n",
        scene.at("stats.sock"),
        here(page.lines("http-request deny deny_status 403 if { src")[0]),
        here(page.lines("http-request deny deny_status 403 if proxied")[0]),
    );
    let config = scene.write("haproxy.cfg", &config);
    // What the unit of Debian does on `systemctl reload haproxy`.
    let reload = format!("haproxy -c -q -f {config} && kill -USR2 $(cat {})", scene.at("haproxy.pid"));
    let reload = |command: &str| {
        assert_eq!(command, "systemctl reload haproxy");
        reload.clone()
    };
    scene.fetch("/ip/all?format=haproxy", "blocklist.acl");
    scene.start("haproxy.log", &format!("haproxy -W -f {config} -p {}", scene.at("haproxy.pid")), "/");
    let _follower = page.follow(0, &scene.cluster, &[0], &scene.server, reload);
    scene.check("/");
    scene.check_forwarded();
}

#[test]
fn nginx_denies_what_is_listed() {
    let (scene, page) = (Scene::new(), Page::read("nginx"));
    let geo = page.lines("geo $blocked")[0].replace("/etc/nginx/", &scene.at(""));
    let server = page.lines("server {")[0];
    let server = server.replace(
        '…',
        &format!(
            "listen 192.0.2.1:{PORT}; listen [2001:db8::1]:{PORT}; root {}; set_real_ip_from 192.0.2.2; \
             real_ip_header X-Forwarded-For;",
            scene.at("www")
        ),
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};", scene.at(name)))
        .concat();
    let config = format!(
        "daemon off; pid {}; error_log stderr; worker_processes 1; events {{}}\n\
         http {{ access_log off; {temporary}\n{geo}\n{server}\n}}\n",
        scene.at("nginx.pid")
    );
    let config = scene.write("nginx.conf", &config);
    let with_config = |command: &str| command.replace("nginx -", &format!("nginx -c {config} -"));
    scene.fetch("/ip/all?format=nginx-geo", "blocklist.geo");
    scene.start("nginx.log", &format!("nginx -c {config}"), "/");
    let _follower = page.follow(0, &scene.cluster, &[0], &scene.server, with_config);
    scene.check("/");
    scene.check_forwarded();
}

#[test]
fn apache_denies_what_is_listed() {
    let (scene, page) = (Scene::new(), Page::read("apache"));
    let include = page.lines("Include")[0].replace("/etc/apache2/", &scene.at(""));
    let block = page.lines("");
    let first = block.iter().position(|line| line.trim() == "<Location />").unwrap();
    let location: Vec<&str> = block[first..].iter().take_while(|line| !line.is_empty()).copied().collect();
    let location = location.join("\n").replace("/etc/apache2/", &scene.at(""));
    assert!(location.contains(include.trim()));
    let modules: String = ["mpm_event", "authz_core", "authz_host", "dir", "remoteip"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let config = format!(
        "ServerRoot {0}\nServerName server.example\nListen 192.0.2.1:{PORT}\nListen [2001:db8::1]:{PORT}\n\
         {modules}User www-data\nGroup www-data\nDefaultRuntimeDir {0}\nPidFile {0}/apache.pid\nErrorLog {0}/error.log\n\
         DirectoryIndex index.html\nDocumentRoot {0}/www\n\
         RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 192.0.2.2\n{location}\n",
        scene.server.path().display()
    );
    let config = scene.write("apache.conf", &config);
    // What the unit of Debian does.
    let reload = |command: &str| {
        assert_eq!(command, "systemctl reload apache2");
        format!("apache2 -f {config} -t && apache2 -f {config} -k graceful")
    };
    scene.fetch("/ip/all?format=apache", "blocklist.conf");
    scene.start("apache.log", &format!("apache2 -f {config} -D FOREGROUND"), "/");
    let _follower = page.follow(0, &scene.cluster, &[0], &scene.server, reload);
    scene.check("/");
    scene.check_forwarded();
}

/// What is asked for through Squid; it ends with the story.
fn origin(machine: &Machine) {
    let listener = machine.inside(|| TcpListener::bind("192.0.2.1:80")).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 8\r\n\r\nwelcome\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

#[test]
fn squid_denies_what_is_listed() {
    let (scene, page) = (Scene::new(), Page::read("squid"));
    origin(&scene.server);
    let domain = |path: &str| scene.cluster.analyst(0).post(path, &json!({"domain": "evil.example.com"}));
    domain("/domain/add").expect(201);
    let here = |line: &str| line.replace("/etc/squid/", &scene.at(""));
    let rules = [page.lines("acl "), page.lines("http_access deny")].concat();
    let rules: String = rules.into_iter().map(|line| here(line) + "\n").collect();
    let config = format!(
        "{rules}http_access allow all\nhttp_port 192.0.2.1:{PORT}\nhttp_port [2001:db8::1]:{PORT}\n\
         cache_effective_user proxy\npid_filename {0}/squid.pid\ncache_log {0}/squid-cache.log\naccess_log none\n\
         coredump_dir {0}\nvisible_hostname server.example\nshutdown_lifetime 0 seconds\nhosts_file {0}/hosts\n",
        scene.server.path().display()
    );
    let config = scene.write("squid.conf", &config);
    scene.write("hosts", "192.0.2.1 good.example.com sub.evil.example.com evil.example.com\n");
    scene.server.run("chmod 777 .");
    // Squids of the same name on one machine share memory.
    let name = format!("story{}", std::process::id());
    let with_config = |command: &str| command.replace("squid -k", &format!("squid -n {name} -f {config} -k"));
    let (cluster, server) = (&scene.cluster, &scene.server);
    scene.fetch("/ip/all?format=squid", "blocklist");
    scene.fetch("/domain/all?format=squid", "baddomains");
    scene.start("squid.log", &format!("squid -N -n {name} -f {config}"), "http://192.0.2.1/");
    let _addresses = page.follow(0, cluster, &[0], server, with_config);
    let _domains = page.follow(1, cluster, &[0], server, with_config);
    scene.check("http://192.0.2.1/");
    for (status, url) in [
        (403, "http://evil.example.com/"),
        (403, "http://sub.evil.example.com/"),
        (200, "http://good.example.com/"),
    ] {
        scene.wait_status(status, UNLISTED, url, "");
    }
    domain("/domain/delete").expect(200);
    scene.wait_status(200, UNLISTED, "http://sub.evil.example.com/", "");
}
