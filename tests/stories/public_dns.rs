//! A real public list of 62,745 addresses, through one node of three, while the leader is killed.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use stockade_tests::{Cli, TestCluster, wait_for, workspace};

/// The package that carries the list, pinned so that the number below stays true.
const PACKAGE: &str = "pymispwarninglists==1.7.0";
const LIST: &str = "pymispwarninglists/data/misp-warninglists/lists/public-dns-v4/list.json";
const ADDRESSES: usize = 62_745;
const IMPORTED_WITHIN: Duration = Duration::from_secs(45);

/// The addresses in numeric order; fetched once, kept under `target/`.
fn public_list() -> Vec<Ipv4Addr> {
    let kept = workspace().join("target/test-data");
    let file = kept.join("public-dns-v4.json");
    if !file.exists() {
        fs::create_dir_all(&kept).unwrap();
        let wheel = download(&kept);
        let unpacked = kept.join("unpacked");
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked));
        fs::copy(unpacked.join(LIST), &file).unwrap();
        fs::remove_dir_all(&unpacked).unwrap();
    }
    let parsed: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let values = parsed["list"].as_array().expect("the package's list is an array");
    let sorted: BTreeSet<Ipv4Addr> =
        values.iter().map(|value| value.as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(sorted.len(), ADDRESSES);
    sorted.into_iter().collect()
}

fn download(into: &PathBuf) -> PathBuf {
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(into)
        .arg(PACKAGE));
    let mut files = fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|end| end == "whl")).expect("pip has downloaded a wheel")
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn count(cluster: &TestCluster, number: usize) -> Option<usize> {
    let head = cluster.analyst(number).request("HEAD", "/ip/all?format=txt").try_send().ok()?;
    head.header("stockade-count")?.parse().ok()
}

/// Every node exports exactly these addresses, in this order, in every format.
#[track_caller]
fn check_exports(cluster: &mut TestCluster, addresses: &[Ipv4Addr]) {
    cluster.wait_level();
    let expected: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
    for number in 0..3 {
        let get = |format: &str| {
            let answer =
                cluster.analyst(number).get(&format!("/ip/all?fields=value&format={format}")).expect(200);
            answer.text().to_owned()
        };
        let csv = get("csv");
        assert!(csv.lines().eq(expected.iter().map(String::as_str)), "csv of node {number}");
        let json: Value = serde_json::from_str(&get("json")).unwrap();
        let values = json.as_array().unwrap().iter().map(|entry| entry["value"].as_str().unwrap());
        assert!(values.eq(expected.iter().map(String::as_str)), "json of node {number}");
        let xml = get("xml");
        let values = xml.split("<value>").skip(1).map(|rest| rest.split("</value>").next().unwrap());
        assert!(values.eq(expected.iter().map(String::as_str)), "xml of node {number}");
    }
}

#[track_caller]
fn check_sightings(cluster: &TestCluster, sighting: u64) {
    for number in 0..3 {
        let list = cluster.analyst(number).get("/ip/all?fields=sighting&format=csv").expect(200);
        let expected = sighting.to_string();
        let wrong = list.text().lines().filter(|line| *line != expected).count();
        assert_eq!(wrong, 0, "on node {number}, {wrong} addresses do not count {sighting} sightings");
        assert_eq!(list.text().lines().count(), ADDRESSES);
    }
}

#[test]
fn a_public_list_is_imported_exactly_once_while_the_leader_is_killed() {
    let addresses = public_list();
    let mut cluster = TestCluster::start(3);
    let (leader, through) = (cluster.leader(), cluster.followers()[0]);
    let file = cluster.nodes[0].data().with_file_name("public-dns-v4.txt");
    // As a feed has it: in no order.
    let shuffled: String =
        (0..ADDRESSES).map(|n| format!("{}\n", addresses[n * 7_919 % ADDRESSES])).collect();
    fs::write(&file, shuffled).unwrap();
    let file = file.to_str().unwrap();

    // The import goes through a follower; the leader dies in the middle of it.
    let cli = Cli::of(&cluster.nodes[through], "analyst");
    let mut import = cli.command(&["import", file]);
    let mut import =
        import.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the import has begun", IMPORTED_WITHIN, || (count(&cluster, through)? > 0).then_some(()));
    assert!(import.try_wait().unwrap().is_none(), "the import was over before the leader could be killed");
    cluster.nodes[leader].kill();
    let ended = wait_for("the import ends", IMPORTED_WITHIN, || import.try_wait().unwrap());
    let output = import.wait_with_output().unwrap();
    assert!(ended.success(), "{ended}: {}", String::from_utf8_lossy(&output.stderr));
    cluster.nodes[leader].start_ready();
    check_exports(&mut cluster, &addresses);
    check_sightings(&cluster, 0);

    // The second import is one sighting more for each.
    let again = cli.run(&["import", file]).expect(0);
    drop(again);
    check_exports(&mut cluster, &addresses);
    check_sightings(&cluster, 1);
    cluster.same_list_everywhere();
}
