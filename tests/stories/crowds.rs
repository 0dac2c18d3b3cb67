//! Clients that come in thousands, say nothing, speak slowly, or never end: others are served as before, the node
//! does not grow without bound, and gets rid of them by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use stockade_tests::{Answer, Client, TestCluster, analyst_header, read_answer, send_raw, wait_for};

const IDLE: usize = 10_000;
/// Fewer than the kernel keeps until the node takes them.
const CONNECTED_AT_ONCE: usize = 500;
const SLOW_HEADS: usize = 50;
const SLOW_BODIES: usize = 20;
/// Open files of the story besides its connections.
const OTHER_FILES: u64 = 200;
/// How long the good client may wait for one answer while the crowd is there.
const GOOD_WITHIN: Duration = Duration::from_secs(2);
/// Adds and lookups of the good client.
const GOOD_ROUNDS: usize = 100;
/// What the node may hold more than before while the crowd is there, in bytes.
const GROWTH_MAX: u64 = 96 << 20;
/// What it may hold more than before when the crowd is gone: what the allocator keeps for the next one.
const LEFT_MAX: u64 = 64 << 20;
/// The node waits 30 s for a head, and as long for a body.
const GONE_WITHIN: Duration = Duration::from_secs(45);

/// As many open files as the system lets us have.
fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let enough = maximum.is_none_or(|files| files > IDLE as u64 + OTHER_FILES);
    assert!(enough, "ten thousand connections need as many open files; the hard limit is {maximum:?}");
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(GONE_WITHIN)).unwrap();
    stream
}

/// A connection that has said this, and says no more.
fn said(address: &str, text: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn head(credentials: &str, more: &str) -> String {
    format!(
        "POST /ip/add HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{credentials}content-type: text/plain\r\n{more}\r\n"
    )
}

/// A body in pieces without an end, until the node has had enough.
fn endless(address: &str, credentials: &str) -> Option<Answer> {
    let mut stream = said(address, &head(credentials, "transfer-encoding: chunked\r\n"));
    let piece = [b"10000\r\n".as_slice(), &[b'#'; 0x1_0000], b"\r\n"].concat();
    while stream.write_all(&piece).is_ok() {}
    read_answer(&mut stream)
}

/// The longest that an add or a lookup took.
fn good_client(client: &Client) -> Duration {
    let rounds = (0..GOOD_ROUNDS).map(|number| {
        let address = format!("45.1.0.{number}");
        let started = Instant::now();
        client.post("/ip/add", &json!({"ip": address})).expect(201);
        let added = started.elapsed();
        let started = Instant::now();
        client.get(&format!("/ip/{address}")).expect(200);
        added.max(started.elapsed())
    });
    rounds.max().unwrap()
}

/// Whether the other side has hung up; does not wait.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 64]);
    match read {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn a_crowd_that_is_idle_slow_or_endless_hurts_nobody() {
    raise_open_files();
    let cluster = TestCluster::start_with(1, &["--body-max-mib", "8"]);
    let node = &cluster.nodes[0];
    let address = node.http_address();
    // What is asked for the first time is built up and kept.
    cluster.analyst(0).post("/ip/add", &json!({"ip": "45.2.0.1"})).expect(201);
    assert_eq!(endless(&address, "").map_or(401, |answer| answer.status), 401);
    let (resident, files) = (node.resident_bytes(), node.open_files());

    let mut idle = Vec::new();
    while idle.len() < IDLE {
        idle.extend((0..CONNECTED_AT_ONCE).map(|_| connect(&address)));
        wait_for("the node has taken them in", GONE_WITHIN, || {
            (node.open_files() > idle.len()).then_some(())
        });
    }
    let slow_head = "GET /ip/all HTTP/1.1\r\nx-slow: ";
    let mut heads: Vec<TcpStream> = (0..SLOW_HEADS).map(|_| said(&address, slow_head)).collect();
    let slow_body = head(&analyst_header(), "content-length: 1000\r\n") + "45.3.0.";
    let mut bodies: Vec<TcpStream> = (0..SLOW_BODIES).map(|_| said(&address, &slow_body)).collect();

    let (slowest, endless) = thread::scope(|scope| {
        let endless = scope.spawn(|| endless(&address, &analyst_header()));
        (good_client(&cluster.analyst(0)), endless.join().unwrap())
    });
    assert!(slowest < GOOD_WITHIN, "the good client waited {slowest:?}");
    assert!(endless.is_none_or(|answer| answer.status == 413), "a body is not read for ever");
    let grown = node.resident_bytes().saturating_sub(resident);
    assert!(grown < GROWTH_MAX, "the node holds {} MiB more than before", grown >> 20);
    assert!(node.open_files() > IDLE, "the crowd is still there");

    // Neither a slow head nor a silent connection is waited for longer than their time.
    let mut trickle = || {
        heads.iter_mut().for_each(|stream| drop(stream.write_all(b"x")));
        (node.open_files() <= files + SLOW_BODIES).then_some(())
    };
    wait_for("the node lets the silent and the slow go", GONE_WITHIN, &mut trickle);
    assert!(idle.iter_mut().all(is_closed));
    for body in &mut bodies {
        let answer = read_answer(body).unwrap().expect(408);
        assert!(answer.message().contains("in time"), "{answer:?}");
    }
    let counted =
        format!("stockade_requests_total{{route=\"/{{kind}}/add\",status=\"408\"}} {SLOW_BODIES}\n");
    let metrics = node.anonymous().get("/metrics").expect(200);
    assert!(metrics.text().contains(&counted), "{counted} is not in {}", metrics.text());
    wait_for("the node is as small as before", GONE_WITHIN, || {
        let left = node.resident_bytes().saturating_sub(resident);
        (left < LEFT_MAX && node.open_files() <= files).then_some(())
    });
    assert_eq!(
        cluster.analyst(0).get("/ip/all?format=txt").expect(200).text().lines().count(),
        GOOD_ROUNDS + 1
    );
}

#[test]
fn the_connection_idle_longest_gives_way() {
    const MOST: usize = 40;
    let cluster = TestCluster::start_with(1, &["--connections-max", "40"]);
    let address = cluster.nodes[0].http_address();
    let mut idle: Vec<TcpStream> = (0..MOST).map(|_| connect(&address)).collect();
    // Each needs a place of its own, and gets it.
    for _ in 0..5 {
        cluster.analyst(0).get("/ip/all").expect(200);
    }
    wait_for("the oldest is gone", GOOD_WITHIN, || is_closed(&mut idle[0]).then_some(()));
    assert!(!is_closed(&mut idle[MOST - 1]), "the youngest is not");

    // Requests under way are not given up: whoever comes then is told so.
    let slow_body = head(&analyst_header(), "content-length: 1000\r\n") + "45.3.0.";
    let mut busy = Vec::new();
    let turned_away = wait_for("all places are taken", GONE_WITHIN, || {
        busy.push(said(&address, &slow_body));
        send_raw(&address, b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n")
            .filter(|answer| answer.status == 503)
    });
    assert_eq!(turned_away.header("retry-after"), Some("1"));
    assert!(turned_away.message().contains("connections"));
}
