//! The lines of the talk, run by curl exactly as its slides print them.

use std::fs;
use std::process::Command;

use stockade_tests::TestCluster;

/// Runs a line of a slide on the first node. Options that only show more come from curl's own settings file,
/// so that the line itself stays to the letter.
#[track_caller]
fn slide(cluster: &TestCluster, line: &str) -> Shown {
    let settings = cluster.nodes[0].data().with_file_name("curl");
    fs::create_dir_all(&settings).unwrap();
    fs::write(settings.join(".curlrc"), "silent\nshow-error\ninclude\nmax-time = 20\n").unwrap();
    let line = line.replace("NODE", &cluster.nodes[0].http_address());
    let ran = Command::new("sh").args(["-c", &line]).env("CURL_HOME", &settings).output().unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Shown { head: head.to_owned(), body: body.to_owned() }
}

struct Shown {
    head: String,
    body: String,
}

impl Shown {
    #[track_caller]
    fn check(&self, status: u16, body: &str) {
        assert!(self.head.starts_with(&format!("HTTP/1.1 {status} ")), "{}\n{}", self.head, self.body);
        assert_eq!(self.body.trim_end_matches('\n'), body);
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Replaces every time in the talk's form, after checking that it is one.
fn without_times(text: &str) -> String {
    let shape = "0000-00-00 00:00:00".as_bytes();
    let bytes = text.as_bytes();
    let is_time = |from: usize| {
        bytes.get(from..from + shape.len()).is_some_and(|window| {
            window.iter().zip(shape).all(|(byte, model)| match model {
                b'0' => byte.is_ascii_digit(),
                _ => byte == model,
            })
        })
    };
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_time(at) {
            out.extend(b"TIME");
            at += shape.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

fn register(cluster: &TestCluster) -> Shown {
    slide(
        cluster,
        r#"curl -H 'x-authentication: SuperSecretToken' -H 'Content-Type: application/json' \
     --request POST --data '{"username":"pts2021","password":"SecretPW"}' http://NODE/user/register"#,
    )
}

#[test]
fn the_slides_work_as_printed() {
    let cluster = TestCluster::start(1);

    // Register.
    let registered = register(&cluster);
    registered.check(201, r#"{"username":"pts2021"}"#);
    assert_eq!(registered.header("location"), Some("/user/pts2021"));

    // Add, and add again: a sighting.
    const ADD: &str = r#"curl --user pts2021:SecretPW -H 'Content-Type: application/json' --request POST \
     --data '{"ip":"45.146.164.110","comment":"Bad guy"}' http://NODE/ip/add"#;
    slide(&cluster, ADD).check(201, r#"{"message":"IP address successfully saved"}"#);

    // Get, before and after the sighting.
    const GET: &str = "curl --user pts2021:SecretPW http://NODE/ip/45.146.164.110";
    let entry = |sighting: u64| {
        format!(
            r#"[{{"comment":"Bad guy","sighting":{sighting},"source":"127.0.0.1","time_added":"TIME","time_updated":"TIME","type":"ip","value":"45.146.164.110"}}]"#
        )
    };
    let got = slide(&cluster, GET);
    assert_eq!(without_times(got.body.trim_end()), entry(0));
    slide(&cluster, ADD).check(200, r#"{"message":"IP address successfully saved"}"#);
    let got = slide(&cluster, GET);
    assert_eq!(without_times(got.body.trim_end()), entry(1));

    // Who am I.
    let user = slide(&cluster, "curl --user pts2021:SecretPW http://NODE/user/pts2021");
    assert!(user.head.starts_with("HTTP/1.1 200 "), "{}", user.head);
    assert!(user.body.contains(r#""username":"pts2021""#), "{}", user.body);
    assert!(!user.body.contains("argon2"), "a password hash is nobody's business: {}", user.body);

    // Delete.
    slide(
        &cluster,
        r#"curl --user pts2021:SecretPW -H 'Content-Type: application/json' --request POST \
     --data '{"ip":"45.146.164.110"}' http://NODE/ip/delete"#,
    )
    .check(200, r#"{"message":"IP address successfully deleted"}"#);
    assert!(slide(&cluster, GET).head.starts_with("HTTP/1.1 404 "));
}

#[test]
fn the_slides_exports_work_as_printed() {
    let cluster = TestCluster::start(1);
    register(&cluster);
    for _ in 0..11 {
        slide(
            &cluster,
            r#"curl --user pts2021:SecretPW -H 'Content-Type: application/json' --request POST \
     --data '{"ip":"185.143.223.11","comment":"OSSEC Alert ID 100402","source":"10.0.0.7"}' http://NODE/ip/add"#,
        );
    }

    // One entry as CSV, with the header line.
    let csv = slide(&cluster, "curl --user pts2021:SecretPW 'http://NODE/ip/185.143.223.11?format=csv'");
    assert_eq!(
        without_times(&csv.body),
        "time_added,time_updated,type,value,sighting,comment,source\n\
         TIME,TIME,ip,185.143.223.11,10,OSSEC Alert ID 100402,10.0.0.7\n"
    );

    // One field.
    slide(&cluster, "curl --user pts2021:SecretPW 'http://NODE/ip/185.143.223.11?fields=sighting'")
        .check(200, r#"[{"sighting":10}]"#);

    // The list for a firewall: one value a line, nothing else.
    slide(
        &cluster,
        r#"curl --user pts2021:SecretPW --data '{"ip":"45.146.164.110"}' -H 'Content-Type: application/json' http://NODE/ip/add"#,
    );
    let list = slide(&cluster, "curl --user pts2021:SecretPW 'http://NODE/ip/all?fields=value&format=csv'");
    assert_eq!(list.body, "45.146.164.110\n185.143.223.11\n");
}
