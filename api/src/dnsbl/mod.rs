//! The list as a DNS block list (RFC 5782): a listener of a node, for mail servers and for whatever else asks DNS.
//! UDP and TCP take messages in, `question` says what a name asks for, `answer` says what the list knows of it. It
//! never guesses: while the node has no whole list yet, it answers SERVFAIL. hickory-proto reads and writes the
//! messages; its server would bring zones, files and caches that a list in memory has no use for.

mod answer;
mod counters;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod garbage;
mod limit;
mod question;
#[cfg(any(test, fuzzing))]
mod samples;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod zone;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hickory_proto::op::Message;
use raft::{Cluster, Freshness, Picture};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app;
use crate::server::connections::Connections;
use answer::Received;
pub(crate) use counters::Counters;
use limit::Limit;
use zone::Zone;

/// Connections over TCP at once; the one idle longest gives way.
const CONNECTIONS_MAX: usize = 256;
/// Between two tries to learn whether the list is whole.
const PAUSE: Duration = Duration::from_millis(200);

/// How the list is shown in DNS.
pub struct DnsblSettings {
    /// The zone it is asked under.
    pub zone: String,
    /// The names of the zone's servers; none: `ns.` and the zone.
    pub nameservers: Vec<String>,
    /// Seconds that an address or a text may be kept.
    pub ttl: u32,
    /// Seconds that the absence of one may be kept.
    pub negative_ttl: u32,
    /// Answers a second to one network of clients; zero: as many as it asks.
    pub rate: u32,
}

/// The DNS listener of a node. Clones are handles on the same.
#[derive(Clone)]
pub struct Dnsbl(Arc<Shared>);

struct Shared {
    zone: Zone,
    sockets: Vec<(Arc<UdpSocket>, TcpListener)>,
    connections: Arc<Connections>,
    limit: Limit,
    counters: Counters,
    /// Set once the node's list is whole.
    cluster: OnceLock<Cluster>,
}

impl Dnsbl {
    /// Checks the settings, then takes each address for UDP and TCP.
    pub async fn bind(addresses: &[SocketAddr], settings: &DnsblSettings) -> Result<Dnsbl, String> {
        let mut zone = Zone::new(settings)?;
        let mut sockets = Vec::new();
        for address in addresses {
            let failed = |error: std::io::Error| format!("cannot listen on {address}: {error}");
            let udp = UdpSocket::bind(address).await.map_err(failed)?;
            // With port 0 both have the port that UDP was given.
            let tcp = TcpListener::bind(udp.local_addr().map_err(failed)?).await.map_err(failed)?;
            sockets.push((Arc::new(udp), tcp));
        }
        zone.addresses = addresses.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified()).collect();
        Ok(Dnsbl(Arc::new(Shared {
            zone,
            sockets,
            connections: Arc::new(Connections::new(CONNECTIONS_MAX)),
            limit: Limit::new(settings.rate),
            counters: Counters::default(),
            cluster: OnceLock::new(),
        })))
    }

    /// Answers from this node's list as soon as it is whole: at once if the node had one when it started, once the
    /// committed part of its log is applied; else when a leader has said how far the list goes, and it is here.
    pub async fn answer_from(&self, cluster: Cluster) {
        let had_one = cluster.applied_index() > 0;
        loop {
            let freshness = match had_one {
                true => {
                    Freshness { min_index: Some(cluster.status().committed_index), ..Freshness::default() }
                }
                false => Freshness { linearizable: true, ..Freshness::default() },
            };
            if cluster.read(&freshness).await.is_ok() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::info!(zone = %self.0.zone.name, "the list is answered for in DNS");
        // A second call changes nothing.
        drop(self.0.cluster.set(cluster));
    }

    /// Answers until `end` turns true or its sender goes away; what was asked before is still answered.
    pub async fn run(&self, end: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for number in 0..self.0.sockets.len() {
            tasks.spawn(udp::run(self.0.clone(), number, end.clone()));
            tasks.spawn(tcp::run(self.0.clone(), number, end.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

impl Shared {
    /// The list as this node's own lookups show it; none while it is not whole.
    async fn picture(&self) -> Option<Arc<Picture>> {
        self.cluster.get()?.read(&Freshness::default()).await.ok()
    }

    /// The answer to one message, and how large it may be over UDP; none where silence is the answer.
    async fn answer(&self, bytes: &[u8]) -> Option<(Message, usize)> {
        let (response, datagram_max) = match answer::read(bytes) {
            Received::Query(query) => {
                let picture = self.picture().await;
                let response = answer::respond(&self.zone, picture.as_deref(), &query, app::now());
                (response, answer::datagram_max(&query))
            }
            Received::Broken(response) => (response, answer::DATAGRAM_MIN),
            Received::Nothing => return None,
        };
        self.counters.answered(&response);
        Some((response, datagram_max))
    }
}

/// Whose turn it is: the network of a client, which one of them could fill with questions.
fn client_network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address) >> 8),
        IpAddr::V6(address) => (u128::from(address) >> 72) as u64,
    }
}
