//! What the stories in here need: settings of a node in a directory, a report, and patience.

use std::path::Path;
use std::time::Duration;

use raft::blocklist::{Actor, Command, Kind, Observable, Operation, Report, Role, Timestamp};
use raft::{Address, Settings};
use tokio::net::TcpListener;

pub(crate) async fn settings(dir: &Path) -> (Settings, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = listener.local_addr().unwrap().to_string();
    let settings = Settings {
        data: dir.to_path_buf(),
        address: Address { http: format!("http://{peers}"), peers },
        write_timeout: Duration::from_secs(10),
        snapshot_after_entries: 1000,
        log_keep_entries: 100,
        accept_after: Duration::from_secs(2),
        pending_bytes_max: 1 << 20,
        pending_age_max: Duration::from_secs(3600),
        sled_cache_bytes: 1 << 20,
        disk_reserve_bytes: 0,
    };
    (settings, listener)
}

pub(crate) fn add(value: &str) -> Command {
    let report = Report {
        value: Observable::parse(Kind::Ip, value).unwrap(),
        comment: "seen".into(),
        source: "sensor".into(),
        ttl: None,
        tags: Default::default(),
        seen: None,
    };
    let actor = Actor { account: "anna".into(), role: Role::Analyst, address: "192.0.2.7".into() };
    Command::new(Timestamp(1000), actor, Operation::Add(vec![report]))
}

pub(crate) async fn until(reason: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "waited too long for {reason}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
