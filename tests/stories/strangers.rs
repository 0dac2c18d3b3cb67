//! Who does not belong to the cluster is refused, and disturbs nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Load, Node, PASSWORD, TOKEN, TestCluster, copy_directory, wait_for};

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

#[test]
fn a_wiped_node_does_not_come_back_under_its_old_id() {
    let mut cluster = TestCluster::start(3);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    cluster.nodes[2].kill();
    let (data, kept) = (cluster.nodes[2].data(), cluster.nodes[2].data().with_extension("kept"));
    fs::rename(&data, &kept).unwrap();

    // Somebody puts parts of it into an empty directory; its votes are not among them.
    for parts in [&["identity"][..], &["identity", "incarnation"], &["identity", "incarnation", "list"]] {
        fs::create_dir_all(&data).unwrap();
        for part in parts {
            let (from, to) = (kept.join(part), data.join(part));
            match from.is_dir() {
                true => copy_directory(&from, &to).unwrap(),
                false => fs::copy(from, to).map(drop).unwrap(),
            }
        }
        cluster.nodes[2].start();
        assert!(!cluster.nodes[2].wait_ended(WITHIN).success(), "{parts:?}");
        let told = cluster.nodes[2].log();
        assert!(told.contains("data directory and let the node join again"), "{parts:?}: {told}");
        cluster.nodes[2].wipe();
    }
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.2"})).expect(201);

    // With all of it, it is itself.
    fs::rename(&kept, &data).unwrap();
    cluster.nodes[2].start_ready();
    cluster.same_list_everywhere();
}

#[test]
fn a_node_that_claims_the_address_of_another_is_not_believed() {
    let mut cluster = TestCluster::start(3);
    let (leader, followers) = (cluster.leader(), cluster.followers());
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let peers: Vec<String> = followers.iter().map(|&number| cluster.nodes[number].peers_address()).collect();
    let load = Load::start_trying(2, &urls, "analyst", PASSWORD, 2);

    // Each says that it is where the other one is.
    for (&number, other) in followers.iter().zip([&peers[1], &peers[0]]) {
        assert!(cluster.nodes[number].terminate().success());
        cluster.nodes[number].set_arguments(&["--advertise-peers", other]);
        cluster.nodes[number].start_ready();
        let id = cluster.nodes[number].id();
        wait_for("the leader finds another node there", WITHIN, || {
            cluster.nodes[number].log().contains(&format!("node {id} is not at {other}")).then_some(())
        });
        let applied = |number: usize| cluster.nodes[number].status()?["applied_index"].as_u64();
        let end = wait_for("the leader says where it stands", WITHIN, || applied(leader));
        wait_for("it has caught up", WITHIN, || (applied(number)? >= end).then_some(()));
    }
    let ledger = load.stop();
    assert_eq!(ledger.failed, Vec::<String>::new(), "the cluster works on under the addresses it knew");
    let status = cluster.nodes[followers[0]].status().unwrap();
    for (&number, own) in followers.iter().zip(&peers) {
        let id = cluster.nodes[number].id();
        let mut members = status["members"].as_array().unwrap().iter();
        assert_eq!(members.find(|member| member["id"] == id).unwrap()["address"]["peers"], **own);
    }
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(0).get("/ip/all?fields=value,sighting").expect(200).json());
}

#[test]
fn two_nodes_that_exchange_their_ports_find_each_other_again() {
    let mut cluster = TestCluster::start_with(3, &["--write-timeout", "3"]);
    let leader = cluster.leader();
    let [one, two] = cluster.followers()[..] else { panic!("two follow") };
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 2);
    let swap = |cluster: &mut TestCluster| {
        for number in [one, two] {
            assert!(cluster.nodes[number].terminate().success());
        }
        let (low, high) = (one.min(two), one.max(two));
        let (left, right) = cluster.nodes.split_at_mut(high);
        left[low].exchange_peers_ports(&mut right[0]);
        for number in [one, two] {
            cluster.nodes[number].start();
        }
    };
    swap(&mut cluster);

    // Whoever is called under the name of another one says so, and takes nothing.
    let (one_id, two_id) = (cluster.nodes[one].id(), cluster.nodes[two].id());
    wait_for("each is taken for the other, and says who it is", WITHIN, || {
        let says = |number: usize, own: u64, other: u64| {
            cluster.nodes[number].log().contains(&format!("this is node {own}, not node {other}"))
        };
        (says(one, one_id, two_id) && says(two, two_id, one_id)).then_some(())
    });
    cluster.analyst(leader).get("/ip/all?format=txt").expect(200);

    // They say where they are, are found there, and the cluster keeps it.
    works_again(&cluster, one, "203.0.113.1");
    wait_for("the members are where they say", WITHIN, || {
        let status = cluster.nodes[leader].status()?;
        let is_at = |number: usize, id: u64| {
            let mut members = status["members"].as_array()?.iter();
            let place = &members.find(|member| member["id"] == id)?["address"]["peers"];
            (*place == cluster.nodes[number].peers_address()).then_some(())
        };
        is_at(one, one_id).and_then(|()| is_at(two, two_id))
    });

    // Back where they were.
    swap(&mut cluster);
    works_again(&cluster, two, "203.0.113.2");
    for number in 0..3 {
        cluster.nodes[number].wait_ready();
    }
    let ledger = load.stop();
    for value in ["203.0.113.1", "203.0.113.2"] {
        cluster.analyst(two).post("/ip/delete", &json!({"ip": value})).expect(200);
    }
    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

#[track_caller]
fn works_again(cluster: &TestCluster, number: usize, value: &str) {
    wait_for("writes work again", WITHIN, || {
        let sent = cluster.analyst(number).request("POST", "/ip/add").json(&json!({"ip": value}));
        matches!(sent.try_send().ok()?.status, 200 | 201).then_some(())
    });
}
