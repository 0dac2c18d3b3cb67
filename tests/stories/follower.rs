//! `stockade follow`: what a firewall has is the list, or the last one; never a piece of it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Cli, Follower, Home, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

fn read(home: &Home, name: &str) -> String {
    fs::read_to_string(home.path().join(name)).unwrap_or_default()
}

#[track_caller]
fn wait_file(home: &Home, name: &str, expected: &str) {
    wait_for(&format!("{name} holds {expected:?}"), WITHIN, || (read(home, name) == expected).then_some(()));
}

#[test]
fn a_file_and_a_command_are_in_step_while_nodes_die() {
    let mut cluster = TestCluster::start(3);
    let home = Home::new();
    let first = cluster.followers()[0];
    let mut order = [0, 1, 2];
    order.swap(0, first);
    let file = home.path().join("list").display().to_string();
    let applied = home.path().join("applied").display().to_string();
    let command = format!("cat > '{applied}.new' && mv '{applied}.new' '{applied}'");
    let words = ["--format", "txt", "--file", &file, "--exec", &command];
    let _follower = Follower::start(&cluster, &order, &words);
    // An empty list is a list.
    wait_file(&home, "applied", "\n");

    let add = |cluster: &TestCluster, node: usize, ip: &str| {
        wait_for("the list takes a report", WITHIN, || {
            let sent =
                cluster.analyst(node).request("POST", "/ip/add").json(&json!({"ip": ip})).try_send().ok()?;
            matches!(sent.status, 200 | 201).then_some(())
        });
    };
    let other = cluster.leader();
    add(&cluster, other, "203.0.113.1");
    let since = Instant::now();
    wait_file(&home, "applied", "203.0.113.1\n");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(read(&home, "list"), "203.0.113.1\n");

    // The node that it follows dies: another one goes on.
    cluster.nodes[first].kill();
    add(&cluster, other, "203.0.113.2");
    wait_file(&home, "applied", "203.0.113.1\n203.0.113.2\n");
    cluster.analyst(other).post("/ip/delete", &json!({"ip": "203.0.113.1"})).expect(200);
    wait_file(&home, "applied", "203.0.113.2\n");

    // Nobody answers: the last list stays, and goes on when somebody does.
    for number in cluster.running() {
        cluster.nodes[number].kill();
    }
    assert_eq!(read(&home, "list"), "203.0.113.2\n");
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    assert_eq!(read(&home, "applied"), "203.0.113.2\n");
    add(&cluster, 0, "203.0.113.3");
    wait_file(&home, "applied", "203.0.113.2\n203.0.113.3\n");
    assert_eq!(read(&home, "list"), read(&home, "applied"));
}

#[test]
fn a_cut_list_is_never_applied() {
    let cluster = TestCluster::start(1);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    let home = Home::new();
    let file = home.path().join("list").display().to_string();
    let cli = Cli::of(&cluster.nodes[0], "analyst");
    cli.run(&["follow", "--once", "--file", &file]).expect(0);
    assert_eq!(read(&home, "list"), "203.0.113.1\n");

    // Servers that break off, have no length, or are something else.
    let answers = [
        "HTTP/1.1 200 OK\r\nStockade-Index: 7\r\nContent-Length: 40\r\n\r\n203.0.113.1\n203.0.113.2\n203.0",
        "HTTP/1.1 200 OK\r\nStockade-Index: 7\r\nConnection: close\r\n\r\n203.0.113.1\n203.0",
        "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>no</html>",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno\n",
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            // Tried some times, then given up.
            for stream in listener.incoming().take(3) {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut command =
            cli.command(&["follow", "--once", "--timeout", "1", "--file", &file, "--url", &url]);
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{answer}: {ended:?}");
        assert_eq!(read(&home, "list"), "203.0.113.1\n", "{answer}");
        drop(server);
    }

    // A command that fails is an error; no target, or a format that does not exist, too.
    for words in [
        &["follow", "--once", "--exec", "exit 3"][..],
        &["follow", "--once"],
        &["follow", "--format", "fax", "--file", &file],
        &["follow", "--kind", "fruit", "--file", &file],
        &["follow", "--once", "--format", "fax", "--file", &file],
    ] {
        cli.run(words).expect(2);
    }
    assert_eq!(read(&home, "list"), "203.0.113.1\n");
    // A command that reads nothing, and a long list, are none.
    cli.run(&["follow", "--once", "--exec", "true"]).expect(0);
}
