//! All settings of a node in one struct: flags before environment before settings file before defaults, and
//! checked before a port is bound.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

/// The Raft core tells of every vote and snapshot at the level info: too much for an operator.
const LOG_DEFAULT: &str = "info,openraft=warn";

/// How a node runs. Every flag has an environment variable and a key in the settings file.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Flags {
    /// A TOML file with any of these settings, named as the flags are
    #[arg(long, env = "STOCKADE_SETTINGS", value_name = "FILE")]
    #[serde(skip)]
    settings: Option<PathBuf>,
    /// Where everything is kept [default: ./data]
    #[arg(long, env = "STOCKADE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the HTTP API listens [default: 127.0.0.1:5000]
    #[arg(long, env = "STOCKADE_HTTP", value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where the other nodes of the cluster are listened to [default: 127.0.0.1:5001]
    #[arg(long, env = "STOCKADE_PEERS", value_name = "ADDR")]
    peers: Option<SocketAddr>,
    /// The URL at which others reach the HTTP API [default: from --http]
    #[arg(long, env = "STOCKADE_ADVERTISE_HTTP", value_name = "URL")]
    advertise_http: Option<String>,
    /// The host:port at which other nodes reach this one [default: from --peers]
    #[arg(long, env = "STOCKADE_ADVERTISE_PEERS", value_name = "HOST:PORT")]
    advertise_peers: Option<String>,
    /// On an empty data directory: join the cluster that one of these nodes belongs to
    #[arg(long, env = "STOCKADE_JOIN", value_name = "URL", num_args = 1.., value_delimiter = ',')]
    join: Option<Vec<String>>,
    /// Join as a learner, which has the list but no vote, and stay one
    #[arg(long, env = "STOCKADE_LEARNER", num_args = 0..=1, default_missing_value = "true")]
    learner: Option<bool>,
    /// With --join, on an empty data directory: form one cluster once this many empty nodes see each other
    #[arg(long, env = "STOCKADE_EXPECT", value_name = "N")]
    expect: Option<usize>,
    /// Seconds a write waits for a majority before it is answered 503 [default: 10]
    #[arg(long, env = "STOCKADE_WRITE_TIMEOUT", value_name = "SECONDS")]
    write_timeout: Option<u64>,
    /// Seconds a report waits for a majority before this node's disk takes it and it is answered 202 [default: 2]
    #[arg(long, env = "STOCKADE_ACCEPT_AFTER", value_name = "SECONDS")]
    accept_after: Option<u64>,
    /// Reports that may wait for a majority on this node's disk, in MiB; beyond it they are answered 507 [default: 64]
    #[arg(long, env = "STOCKADE_PENDING_MAX_MIB", value_name = "MIB")]
    pending_max_mib: Option<u64>,
    /// Hours the oldest of them may wait before further ones are answered 503 [default: 168]
    #[arg(long, env = "STOCKADE_PENDING_MAX_HOURS", value_name = "HOURS")]
    pending_max_hours: Option<u64>,
    /// Log entries between two snapshots [default: 100000]
    #[arg(long, env = "STOCKADE_SNAPSHOT_AFTER", value_name = "ENTRIES")]
    snapshot_after: Option<u64>,
    /// Log entries kept behind a snapshot for nodes that lag [default: 100000]
    #[arg(long, env = "STOCKADE_LOG_KEEP", value_name = "ENTRIES")]
    log_keep: Option<u64>,
    /// Page cache of the list on disk, in MiB [default: 32]
    #[arg(long, env = "STOCKADE_SLED_CACHE_MIB", value_name = "MIB")]
    sled_cache_mib: Option<u64>,
    /// MiB of the disk to be left free: with less this node only reads; 0 to never look [default: 64]
    #[arg(long, env = "STOCKADE_DISK_RESERVE_MIB", value_name = "MIB")]
    disk_reserve_mib: Option<u64>,
    /// Largest request body, in MiB [default: 64]
    #[arg(long, env = "STOCKADE_BODY_MAX_MIB", value_name = "MIB")]
    body_max_mib: Option<usize>,
    /// Connections of clients at once; beyond it the one idle longest is closed [default: 16384]
    #[arg(long, env = "STOCKADE_CONNECTIONS_MAX", value_name = "N")]
    connections_max: Option<usize>,
    /// Where the list is answered for in DNS, over UDP and TCP (RFC 5782); needs --dnsbl-zone [default: nowhere]
    #[arg(long, env = "STOCKADE_DNSBL", value_name = "ADDR", num_args = 1.., value_delimiter = ',')]
    dnsbl: Option<Vec<SocketAddr>>,
    /// The zone it is asked under, such as bl.example.org
    #[arg(long, env = "STOCKADE_DNSBL_ZONE", value_name = "ZONE")]
    dnsbl_zone: Option<String>,
    /// The names of that zone's servers, for its NS records [default: ns. and the zone]
    #[arg(long, env = "STOCKADE_DNSBL_NS", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    dnsbl_ns: Option<Vec<String>>,
    /// Seconds for which resolvers may keep that something is listed [default: 60]
    #[arg(long, env = "STOCKADE_DNSBL_TTL", value_name = "SECONDS")]
    dnsbl_ttl: Option<u32>,
    /// Seconds for which they may keep that it is not [default: 60]
    #[arg(long, env = "STOCKADE_DNSBL_NEGATIVE_TTL", value_name = "SECONDS")]
    dnsbl_negative_ttl: Option<u32>,
    /// Answers in DNS a second to one network of clients, a /24 or a /56; 0 for no limit [default: 1000]
    #[arg(long, env = "STOCKADE_DNSBL_RATE", value_name = "N")]
    dnsbl_rate: Option<u32>,
    /// Where imports may read files; without it none do
    #[arg(long, env = "STOCKADE_IMPORTS_DIR", value_name = "DIR")]
    imports_dir: Option<PathBuf>,
    /// Let imports be fetched from loopback and private addresses, as of a MISP in this network
    #[arg(long, env = "STOCKADE_IMPORTS_PRIVATE", num_args = 0..=1, default_missing_value = "true")]
    imports_private: Option<bool>,
    /// Threads that serve requests, beside the one on which the nodes agree [default: one a core]
    #[arg(long, env = "STOCKADE_THREADS", value_name = "N")]
    threads: Option<usize>,
    /// What is logged, as tracing filters have it: `info`, `warn,raft=debug` [default: info, and openraft only warnings]
    #[arg(long, env = "STOCKADE_LOG", value_name = "FILTER")]
    log: Option<String>,
}

/// The settings of a node, whole and checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) peers: SocketAddr,
    pub(crate) advertise_http: Option<String>,
    pub(crate) advertise_peers: Option<String>,
    pub(crate) join: Vec<String>,
    pub(crate) learner: bool,
    pub(crate) expect: Option<usize>,
    pub(crate) write_timeout: Duration,
    pub(crate) accept_after: Duration,
    pub(crate) pending_bytes_max: u64,
    pub(crate) pending_age_max: Duration,
    pub(crate) snapshot_after_entries: u64,
    pub(crate) log_keep_entries: u64,
    pub(crate) sled_cache_bytes: u64,
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) body_bytes_max: usize,
    pub(crate) connections_max: usize,
    pub(crate) dnsbl: Vec<SocketAddr>,
    pub(crate) dnsbl_zone: Option<String>,
    pub(crate) dnsbl_ns: Vec<String>,
    pub(crate) dnsbl_ttl: u32,
    pub(crate) dnsbl_negative_ttl: u32,
    pub(crate) dnsbl_rate: u32,
    pub(crate) imports_dir: Option<PathBuf>,
    pub(crate) imports_private: bool,
    pub(crate) threads: usize,
    pub(crate) log: String,
}

impl Settings {
    /// Joins flags (and environment, which clap has read into them) with the settings file and defaults.
    pub(crate) fn resolve(flags: Flags) -> Result<Settings, String> {
        let file = match &flags.settings {
            Some(path) => read_file(path)?,
            None => Flags::default(),
        };
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = Settings {
            data: flags.data.or(file.data).unwrap_or_else(|| "data".into()),
            http: flags.http.or(file.http).unwrap_or(local(5000)),
            peers: flags.peers.or(file.peers).unwrap_or(local(5001)),
            advertise_http: flags.advertise_http.or(file.advertise_http),
            advertise_peers: flags.advertise_peers.or(file.advertise_peers),
            join: flags.join.or(file.join).unwrap_or_default().iter().map(|url| trimmed(url)).collect(),
            learner: flags.learner.or(file.learner).unwrap_or(false),
            expect: flags.expect.or(file.expect),
            write_timeout: Duration::from_secs(flags.write_timeout.or(file.write_timeout).unwrap_or(10)),
            accept_after: Duration::from_secs(flags.accept_after.or(file.accept_after).unwrap_or(2)),
            pending_bytes_max: flags.pending_max_mib.or(file.pending_max_mib).unwrap_or(64) << 20,
            pending_age_max: Duration::from_secs(
                flags.pending_max_hours.or(file.pending_max_hours).unwrap_or(168).saturating_mul(3600),
            ),
            snapshot_after_entries: flags.snapshot_after.or(file.snapshot_after).unwrap_or(100_000),
            log_keep_entries: flags.log_keep.or(file.log_keep).unwrap_or(100_000),
            sled_cache_bytes: flags.sled_cache_mib.or(file.sled_cache_mib).unwrap_or(32) << 20,
            disk_reserve_bytes: flags.disk_reserve_mib.or(file.disk_reserve_mib).unwrap_or(64) << 20,
            body_bytes_max: flags.body_max_mib.or(file.body_max_mib).unwrap_or(64) << 20,
            connections_max: flags.connections_max.or(file.connections_max).unwrap_or(16_384),
            dnsbl: flags.dnsbl.or(file.dnsbl).unwrap_or_default(),
            dnsbl_zone: flags.dnsbl_zone.or(file.dnsbl_zone),
            dnsbl_ns: flags.dnsbl_ns.or(file.dnsbl_ns).unwrap_or_default(),
            dnsbl_ttl: flags.dnsbl_ttl.or(file.dnsbl_ttl).unwrap_or(60),
            dnsbl_negative_ttl: flags.dnsbl_negative_ttl.or(file.dnsbl_negative_ttl).unwrap_or(60),
            dnsbl_rate: flags.dnsbl_rate.or(file.dnsbl_rate).unwrap_or(1000),
            imports_dir: flags.imports_dir.or(file.imports_dir),
            imports_private: flags.imports_private.or(file.imports_private).unwrap_or(false),
            threads: flags.threads.or(file.threads).unwrap_or(cores),
            log: flags.log.or(file.log).unwrap_or_else(|| LOG_DEFAULT.into()),
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        let not_zero = [
            ("write-timeout", self.write_timeout.as_secs()),
            ("snapshot-after", self.snapshot_after_entries),
            ("sled-cache-mib", self.sled_cache_bytes),
            ("body-max-mib", self.body_bytes_max as u64),
            ("connections-max", self.connections_max as u64),
            ("threads", self.threads as u64),
        ];
        for (name, value) in not_zero {
            if value == 0 {
                return Err(format!("--{name} must be at least 1"));
            }
        }
        if !self.dnsbl.is_empty() && self.dnsbl_zone.is_none() {
            return Err("--dnsbl needs --dnsbl-zone with the zone that the list is asked under".into());
        }
        if self.expect.is_some() && self.join.is_empty() {
            return Err("--expect needs --join with the URLs of the other nodes".into());
        }
        if let Some(expect) = self.expect.filter(|expect| *expect < self.join.len()) {
            let urls = self.join.len();
            return Err(format!(
                "--expect {expect} is less than the {urls} nodes of --join: two clusters might form"
            ));
        }
        for url in self.join.iter().chain(&self.advertise_http) {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(format!("`{url}` is not a URL such as http://10.0.0.7:5000"));
            }
        }
        match &self.advertise_peers {
            Some(address)
                if address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) =>
            {
                Err(format!("--advertise-peers `{address}` is not host:port"))
            }
            _ => Ok(()),
        }
    }
}

fn trimmed(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}

fn read_file(path: &Path) -> Result<Flags, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = std::env::temp_dir().join(format!("stockade-settings-{}", std::process::id()));
        fs::write(&dir, "write-timeout = 3\nlog-keep = 7\n").unwrap();
        let flags = Flags { settings: Some(dir.clone()), log_keep: Some(9), ..Flags::default() };
        let settings = Settings::resolve(flags).unwrap();
        fs::remove_file(dir).unwrap();
        assert_eq!(settings.write_timeout, Duration::from_secs(3));
        assert_eq!(settings.log_keep_entries, 9);
        assert_eq!(settings.snapshot_after_entries, 100_000);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let rows = [
            (Flags { expect: Some(3), ..Flags::default() }, "--expect needs --join"),
            (
                Flags {
                    expect: Some(1),
                    join: Some(vec!["http://a".into(), "http://b".into()]),
                    ..Flags::default()
                },
                "two clusters might form",
            ),
            (
                Flags { dnsbl: Some(vec![SocketAddr::from(([127, 0, 0, 1], 53))]), ..Flags::default() },
                "--dnsbl needs --dnsbl-zone",
            ),
            (Flags { threads: Some(0), ..Flags::default() }, "--threads"),
            (
                Flags { join: Some(vec!["node1:5000".into()]), ..Flags::default() },
                "`node1:5000` is not a URL",
            ),
            (Flags { advertise_peers: Some("node1".into()), ..Flags::default() }, "not host:port"),
        ];
        for (flags, message) in rows {
            let error = Settings::resolve(flags).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn the_example_file_parses_and_holds_the_defaults() {
        let text = include_str!("../../deploy/settings.toml");
        let uncommented: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("#: "))
            .map(|line| format!("{line}\n"))
            .collect();
        let file: Flags = toml::from_str(&uncommented).unwrap();
        let defaults = Settings::resolve(Flags::default()).unwrap();
        assert_eq!(file.write_timeout, Some(defaults.write_timeout.as_secs()));
        assert_eq!(file.snapshot_after, Some(defaults.snapshot_after_entries));
        let named = toml::from_str::<toml::Table>(&uncommented).unwrap().len();
        assert_eq!(file.disk_reserve_mib, Some(defaults.disk_reserve_bytes >> 20));
        assert_eq!(file.dnsbl_rate, Some(defaults.dnsbl_rate));
        assert_eq!(named, 28, "every setting is explained there");
    }
}
