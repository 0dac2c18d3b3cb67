//! The files of `deploy/sensors`, run as they are.

mod programs;
mod report;

use std::time::Duration;

use serde_json::Value;
use stockade_tests::{Sensor, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

fn urls(cluster: &TestCluster) -> Vec<String> {
    cluster.nodes.iter().map(stockade_tests::Node::url).collect()
}

/// A cluster, and a sensor that knows all its nodes.
fn scene(nodes: usize) -> (TestCluster, Sensor) {
    let cluster = TestCluster::start(nodes);
    cluster.register("sensor", "sensor");
    let sensor = Sensor::new(&urls(&cluster), "sensor");
    (cluster, sensor)
}

/// The entry of an address, or null.
fn entry(cluster: &TestCluster, node: usize, value: &str) -> Value {
    let path = format!("/ip/{value}?fields=value,comment,source,sighting,expires");
    let answer = cluster.analyst(node).get(&path);
    if answer.status == 404 { Value::Null } else { answer.expect(200).json()[0].clone() }
}

#[track_caller]
fn wait_listed(cluster: &TestCluster, value: &str) -> Value {
    wait_for(&format!("{value} is listed"), WITHIN, || {
        Some(entry(cluster, 0, value)).filter(|entry| !entry.is_null())
    })
}

#[track_caller]
fn wait_gone(cluster: &TestCluster, value: &str) {
    wait_for(&format!("{value} is withdrawn"), WITHIN, || entry(cluster, 0, value).is_null().then_some(()));
}
