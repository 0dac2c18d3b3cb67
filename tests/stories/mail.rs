//! Mail servers ask the list in their own way: Postfix's smtpd and postscreen, and rspamd, from Debian, behind Unbound
//! and BIND. All of them live in a network and a mount namespace of their own, where port 53 is free and
//! `/etc/resolv.conf` is theirs. Needs root.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use stockade_tests::{Home, binary, wait_for};

const START: &str = r#"
set -e
cd @DIR@
ip link set lo up
ip addr add 127.0.0.2/32 dev lo
chown postfix state
mount --bind resolv.conf /etc/resolv.conf
REGISTRATION_TOKEN=token @STOCKADE@ serve --data data --http 127.0.0.1:5000 --peers 127.0.0.1:5001 \
    --dnsbl 127.0.0.1:5353 --dnsbl-zone bl.example.org &
unbound -d -c @DIR@/unbound.conf &
named -g -c @DIR@/named.conf &
rspamd -f -i -c @DIR@/rspamd.conf &
postfix -c @DIR@/postfix start
wait
"#;

/// Unbound asks for as little of a name as it can: the parts of an address before the whole.
const UNBOUND: &str = r#"
server:
  directory: "@DIR@"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  do-not-query-localhost: no
  module-config: "iterator"
  qname-minimisation-strict: yes
stub-zone:
  name: "bl.example.org"
  stub-addr: 127.0.0.1@5353
"#;

const NAMED: &str = r#"
options {
  directory "@DIR@"; listen-on { 127.0.0.2; }; listen-on-v6 { none; }; recursion yes; dnssec-validation no;
  pid-file none; session-keyfile none; managed-keys-directory "@DIR@";
};
controls { };
zone "bl.example.org" { type forward; forward only; forwarders { 127.0.0.1 port 5353; }; };
"#;

const MAIN_CF: &str = r#"
compatibility_level = 3.6
config_directory = @DIR@/postfix
queue_directory = @DIR@/queue
data_directory = @DIR@/state
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mail.example.org
mydestination = example.org
local_recipient_maps =
mynetworks =
inet_interfaces = 127.0.0.1
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_recipient_restrictions =
    reject_rbl_client bl.example.org=127.0.0.2, reject_rhsbl_sender bl.example.org=127.0.1.2,
    reject_unauth_destination
postscreen_upstream_proxy_protocol = haproxy
postscreen_access_list =
postscreen_greet_wait = 1s
postscreen_dnsbl_sites = bl.example.org=127.0.0.2
postscreen_dnsbl_action = enforce
maillog_file = @DIR@/postfix.log
maillog_file_prefixes = @DIR@
"#;

const MASTER_CF: &str = "\
2525 inet n - n - - smtpd
2526 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
";

/// One client of each address and sender given, at smtpd (XCLIENT) and at postscreen (the PROXY protocol).
const CLIENT: &str = r#"
import socket, sys
def talk(port, lines, first=b""):
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(first)
        file = connection.makefile("rb")
        def reply():
            while True:
                line = file.readline().decode().strip()
                if line[3:4] != "-":
                    return line
        last = reply()
        for line in lines:
            connection.sendall(line.encode() + b"\r\n")
            last = reply()
        return last
for who in sys.argv[1:]:
    address, _, sender = who.partition(",")
    six = ":" in address
    mail = ["EHLO x.example.net", f"MAIL FROM:<{sender or 'x@ok.example.net'}>", "RCPT TO:<joe@example.org>"]
    claim = f"XCLIENT ADDR={'IPV6:' if six else ''}{address} NAME=[UNAVAILABLE]"
    print("smtpd", who, talk(2525, ["EHLO x.example.net", claim] + mail))
    proxied = f"PROXY TCP{6 if six else 4} {address} {'::1' if six else '127.0.0.1'} 4000 25\r\n"
    print("postscreen", who, talk(2526, mail, proxied.encode()))
"#;

const RSPAMD: &str = r#"
options {
  pidfile = "@DIR@/rspamd.pid"; filters = ""; cache_file = "@DIR@/rspamd.cache"; tempdir = "@DIR@";
  control_socket = "@DIR@/rspamd.sock mode=0600"; history_rows = 1; explicit_modules = [];
  url_tld = "${SHAREDIR}/effective_tld_names.dat";
  dns { nameserver = "127.0.0.1:53:1"; timeout = 2s; }
}
logging { type = "console"; level = "info"; }
lua = "$RULESDIR/rspamd.lua";
worker "normal" { bind_socket = "127.0.0.1:11333"; count = 1; }
modules { path = "$PLUGINSDIR/rbl.lua"; }
actions { reject = 15; }
rbl {
  rbls {
    stockade {
      rbl = "bl.example.org"; checks = ["from"];
      returncodes { STOCKADE_IP = "127.0.0.2"; }
    }
    stockade_domains {
      rbl = "bl.example.org"; checks = ["urls"]; url_full_hostname = true;
      returncodes { STOCKADE_DOMAIN = "127.0.1.2"; }
    }
  }
}
group "rbl" { symbols { STOCKADE_IP { weight = 7.0; } STOCKADE_DOMAIN { weight = 5.0; } } }
"#;

/// The node, two resolvers, Postfix and rspamd, apart from everything else; all of them end with this.
struct Apart {
    process: Child,
    home: Home,
}

impl Apart {
    fn start() -> Apart {
        let home = Home::new();
        // Postfix's own user looks in.
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let dir = home.path().display().to_string();
        let binary = binary().display().to_string();
        let filled = |text: &str| text.replace("@DIR@", &dir).replace("@STOCKADE@", &binary);
        for folder in ["data", "postfix", "queue", "state"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        for (name, text) in [
            ("start", START),
            ("unbound.conf", UNBOUND),
            ("named.conf", NAMED),
            ("postfix/main.cf", MAIN_CF),
            ("postfix/master.cf", MASTER_CF),
            ("client.py", CLIENT),
            ("rspamd.conf", RSPAMD),
            ("resolv.conf", "nameserver 127.0.0.1\n"),
        ] {
            fs::write(home.path().join(name), filled(text)).unwrap();
        }
        let log = File::create(home.path().join("log")).unwrap();
        let process = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", &format!("{dir}/start")])
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("unshare of util-linux is needed");
        Apart { process, home }
    }

    /// What a command in there prints.
    fn beside(&self, command: &str) -> String {
        let ran = Command::new("nsenter")
            .args(["--target", &self.process.id().to_string(), "--net", "--mount", "sh", "-c", command])
            .output()
            .expect("nsenter of util-linux is needed");
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }

    /// Waits until a command prints this.
    #[track_caller]
    fn wait(&mut self, reason: &str, command: &str, word: &str) {
        wait_for(reason, Duration::from_secs(60), || {
            assert!(matches!(self.process.try_wait(), Ok(None)), "all of it has ended: {}", self.log());
            self.beside(command).contains(word).then_some(())
        });
    }

    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.home.path().join(name)).unwrap_or_default();
        read("log") + &read("postfix.log")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

#[test]
fn postfix_and_rspamd_behind_unbound_and_bind_refuse_what_is_listed() {
    let mut apart = Apart::start();
    let node = "http://127.0.0.1:5000";
    apart.wait("the node is ready", &format!("curl -s {node}/readyz"), "ready\"");
    let account = r#"{"username":"anna","password":"SecretPW1"}"#;
    let json = "-H 'Content-Type: application/json'";
    apart.beside(&format!("curl -s -H 'x-authentication: token' {json} -d '{account}' {node}/user/register"));
    for (kind, value) in [
        ("ip", "192.0.2.1"),
        ("ip", "198.51.100.0/24"),
        ("ip", "2001:db8::1"),
        ("domain", "evil.example.com"),
    ] {
        let body = format!(r#"{{"value":"{value}","comment":"Bad guy"}}"#);
        let said = apart.beside(&format!("curl -s -u anna:SecretPW1 {json} -d '{body}' {node}/{kind}/add"));
        assert!(said.contains("success"), "{said}");
    }

    // Both resolvers hand on what is asked, and what is answered.
    let dig = |server: &str, name: &str| format!("dig +tries=1 +time=2 @{server} {name}.bl.example.org");
    for server in ["127.0.0.1", "127.0.0.2"] {
        apart.wait("the resolver runs", &dig(server, "2.0.0.127"), "127.0.0.2");
        for (name, expected) in [
            ("1.2.0.192", "127.0.0.2"),
            ("9.100.51.198", "127.0.0.2"),
            ("evil.example.com", "127.0.1.2"),
            ("www.evil.example.com", "127.0.1.2"),
            ("2.2.0.192", "NXDOMAIN"),
            ("1.0.0.127", "NXDOMAIN"),
            ("ok.example.com", "NXDOMAIN"),
        ] {
            let said = apart.beside(&dig(server, name));
            assert!(said.contains(expected), "{name} at {server}: {said}");
        }
    }

    for port in [2525, 2526] {
        let knock = format!(
            "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port})); print(\"open\")'"
        );
        apart.wait("Postfix listens", &knock, "open");
    }
    let who = "192.0.2.1 192.0.2.2 198.51.100.9 2001:db8::1 2001:db8::2 192.0.2.3,x@www.evil.example.com";
    let said = apart.beside(&format!("python3 {}/client.py {who}", apart.home.path().display()));
    let blocked = |who: &str| format!("blocked using bl.example.org; Listed: {who}");
    let rows = [
        (
            "smtpd 192.0.2.1",
            format!(
                "554 5.7.1 Service unavailable; Client host [192.0.2.1] {}",
                blocked("192.0.2.1, Bad guy")
            ),
        ),
        (
            "postscreen 192.0.2.1",
            "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example.org".into(),
        ),
        ("smtpd 192.0.2.2", "250 2.1.5 Ok".into()),
        ("postscreen 192.0.2.2", "250 2.1.5 Ok".into()),
        ("smtpd 198.51.100.9", blocked("198.51.100.9 in 198.51.100.0/24, Bad guy")),
        ("postscreen 198.51.100.9", "client [198.51.100.9] blocked using bl.example.org".into()),
        ("smtpd 2001:db8::1", blocked("2001:db8::1, Bad guy")),
        ("postscreen 2001:db8::1", "client [2001:db8::1] blocked using bl.example.org".into()),
        ("smtpd 2001:db8::2", "250 2.1.5 Ok".into()),
        ("postscreen 2001:db8::2", "250 2.1.5 Ok".into()),
        (
            "smtpd 192.0.2.3,x@www.evil.example.com",
            format!(
                "Sender address [x@www.evil.example.com] {}",
                blocked("www.evil.example.com in evil.example.com")
            ),
        ),
        ("postscreen 192.0.2.3,x@www.evil.example.com", blocked("www.evil.example.com in evil.example.com")),
    ];
    assert_eq!(said.lines().count(), rows.len(), "{said}");
    for (line, (who, expected)) in said.lines().zip(rows) {
        assert!(line.starts_with(&format!("{who} ")) && line.contains(&expected), "{who}: {line}");
    }

    apart.wait("rspamd runs", "curl -s http://127.0.0.1:11333/ping", "pong");
    let rspamd = |address: &str, host: &str| {
        let mail = format!(
            "From: a@ok.example.net\\r\\nTo: joe@example.org\\r\\nSubject: x\\r\\n\\r\\nSee http://{host}/a\\r\\n"
        );
        let ask = format!("curl -s -H 'IP: {address}' --data-binary @- http://127.0.0.1:11333/checkv2");
        apart.beside(&format!("printf '{mail}' | {ask}"))
    };
    for (address, host, ip, domain) in [
        ("192.0.2.1", "ok.example.net", true, false),
        ("198.51.100.9", "www.evil.example.com", true, true),
        ("2001:db8::1", "ok.example.net", true, false),
        ("192.0.2.2", "www.evil.example.com", false, true),
        ("192.0.2.2", "ok.example.net", false, false),
    ] {
        let said = rspamd(address, host);
        assert!(said.contains("\"required_score\""), "{said}");
        assert_eq!(said.contains("STOCKADE_IP"), ip, "{address} {host}: {said}");
        assert_eq!(said.contains("STOCKADE_DOMAIN"), domain, "{address} {host}: {said}");
        assert!(!said.contains("_FAIL"), "{said}");
    }
}
