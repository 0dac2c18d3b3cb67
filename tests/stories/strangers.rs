//! Who does not belong to the cluster is refused, and disturbs nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{TOKEN, TestCluster, copy_directory, wait_for};

const WITHIN: Duration = Duration::from_secs(15);

/// Sends some bytes to the peers' port; gives whether the node hung up.
fn hangs_up(address: &str, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    // A node may hang up while it is still being written to.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn garbage_on_the_peers_port_is_dropped() {
    let mut cluster = TestCluster::start(3);
    let target = cluster.leader();
    let address = cluster.nodes[target].peers_address();
    let noise: Vec<u8> = (0u32..100_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let rows: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", // Somebody's port scanner.
        &[0xff; 64],                          // A length of four gigabytes, if it is one.
        &[0; 64],                             // A length of nothing.
        &noise,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // The beginning of TLS.
    ];
    for row in rows {
        assert!(hangs_up(&address, row), "the node keeps listening to {:?}", &row[..row.len().min(8)]);
    }
    // Silence is no harm either: a connection that says nothing, while the cluster works.
    let _silent = TcpStream::connect(&address).unwrap();
    for number in 0..3 {
        cluster.analyst(number).post("/ip/add", &json!({"ip": format!("198.51.100.{number}")})).expect(201);
    }
    cluster.same_list_everywhere();
}

#[test]
fn a_node_of_another_cluster_is_refused() {
    let mut ours = TestCluster::start(3);
    let theirs = {
        let mut theirs = TestCluster::start(1);
        theirs.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.66"})).expect(201);
        assert!(theirs.nodes[0].terminate().success());
        theirs
    };
    let follower = ours.followers()[0];
    let others: Vec<usize> = (0..3).filter(|&number| number != follower).collect();
    ours.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);

    // Its disk is swapped with that of a node of another cluster.
    assert!(ours.nodes[follower].terminate().success());
    let (data, own) = (ours.nodes[follower].data(), ours.nodes[follower].data().with_extension("own"));
    fs::rename(&data, &own).unwrap();
    copy_directory(&theirs.nodes[0].data(), &data).unwrap();
    ours.nodes[follower].start();
    let foreign = wait_for("the foreign node answers", WITHIN, || ours.nodes[follower].status());
    let status = ours.nodes[others[0]].status().unwrap();
    assert_ne!(foreign["cluster_id"], status["cluster_id"]);

    // Neither list gets anything of the other.
    for host in 2..20 {
        ours.analyst(others[host % 2])
            .post("/ip/add", &json!({"ip": format!("198.51.100.{host}")}))
            .expect(201);
    }
    let list = ours.analyst(others[0]).get("/ip/all?format=txt").expect(200);
    assert!(!list.text().contains("203.0.113.66"));
    let strange =
        ours.nodes[follower].anonymous().registration(TOKEN).get("/admin/status").expect(200).json();
    assert_eq!(strange["cluster_id"], foreign["cluster_id"]);
    assert_eq!(ours.analyst(follower).get("/ip/all?format=txt").expect(200).text(), "203.0.113.66\n");

    // With its own disk it is welcome, and catches up.
    ours.nodes[follower].kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&own, &data).unwrap();
    ours.nodes[follower].start_ready();
    ours.same_list_everywhere();
}

#[test]
fn a_founder_that_lost_its_disk_disturbs_nobody() {
    let mut cluster = TestCluster::start(3);
    for host in 1..=10 {
        cluster.analyst(0).post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    cluster.wait_level();
    let status = cluster.nodes[1].status().unwrap();

    // Without --join it founds a cluster of its own, at the address of a member.
    cluster.nodes[0].kill();
    cluster.nodes[0].wipe();
    cluster.nodes[0].start_ready();
    let stranger = wait_for("it answers", WITHIN, || cluster.nodes[0].status());
    assert_ne!(stranger["cluster_id"], status["cluster_id"]);

    wait_for("the others go on", WITHIN, || {
        let sent = cluster
            .analyst(1)
            .request("POST", "/ip/add")
            .json(&json!({"ip": "203.0.113.1"}))
            .try_send()
            .ok()?;
        matches!(sent.status, 200 | 201).then_some(())
    });
    for host in 11..=20 {
        cluster.analyst(2).post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    let count = |number: usize| {
        let list = cluster.analyst(number).get("/ip/all?format=txt&consistency=linearizable").expect(200);
        list.text().lines().count()
    };
    assert_eq!((count(1), count(2)), (21, 21));
}
