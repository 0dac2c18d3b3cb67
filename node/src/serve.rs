//! One node, from start to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiSettings, Dnsbl, DnsblSettings, Server};
use raft::{Address, Cluster};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::formation::{self, Formed};

use crate::settings::Settings;
use crate::{agreement, data, open_files, telemetry};

/// Requests under way have this long to end once the node is told to stop, and as long again once it has.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const ACCEPT_QUEUE: u32 = 4096;

/// Runs a node until it is told to stop, or cannot go on.
pub(crate) fn serve(settings: Settings) -> Result<ExitCode, String> {
    telemetry::start(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let result = runtime.block_on(run(settings));
    // A blocked thread, as one that asks another node, must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn run(settings: Settings) -> Result<ExitCode, String> {
    let _lock = data::lock(&settings.data)?;
    let token = data::registration_token(&settings.data)?;
    let http = bind(settings.http)?;
    let peers = bind(settings.peers)?;
    let dnsbl = listen_for_dns(&settings).await?;
    let address = Address {
        peers: settings.advertise_peers.clone().unwrap_or(reachable(&peers)?),
        http: settings.advertise_http.clone().unwrap_or(format!("http://{}", reachable(&http)?)),
    };
    let connections_max = open_files::room_for(settings.connections_max);
    let http = Server::new(http, settings.threads, connections_max, settings.body_bytes_max)
        .map_err(|error| format!("cannot start the threads that serve requests: {error}"))?;
    let api = ApiSettings {
        registration_token: token.clone(),
        body_bytes_max: settings.body_bytes_max,
        data: settings.data.clone(),
        dnsbl: dnsbl.clone(),
        imports_dir: settings.imports_dir.clone(),
        imports_private: settings.imports_private,
    };
    let api = Arc::new(api);
    let mut stop = told_to_stop()?;
    // From the first moment on: until the node has a list, it says that it cannot tell.
    let names = dnsbl.clone().map(|dnsbl| {
        let end = stop.clone();
        tokio::spawn(async move { dnsbl.run(end).await })
    });
    let cluster_settings = raft::Settings {
        data: settings.data.clone(),
        address: address.clone(),
        write_timeout: settings.write_timeout,
        accept_after: settings.accept_after,
        pending_bytes_max: settings.pending_bytes_max,
        pending_age_max: settings.pending_age_max,
        snapshot_after_entries: settings.snapshot_after_entries,
        log_keep_entries: settings.log_keep_entries,
        sled_cache_bytes: settings.sled_cache_bytes,
        disk_reserve_bytes: settings.disk_reserve_bytes,
    };
    let known = Cluster::identity(&settings.data).map_err(|error| error.to_string())?;
    let starting = async {
        let mut founded = false;
        if known.is_none() {
            founded = settle(&settings, &cluster_settings, &address, &token, &http, &api).await?;
        } else if !settings.join.is_empty() {
            tracing::info!("this node belongs to a cluster already; --join is not needed any more");
        }
        data::forget_join_key(&settings.data)?;
        let cluster = agreement::start(cluster_settings, peers).await?;
        Ok::<_, String>((cluster, founded))
    };
    let (cluster, founded) = tokio::select! {
        started = starting => started?,
        _ = stop.changed() => return Ok(ExitCode::SUCCESS),
    };
    let shown = if data::token_is_given() { "$REGISTRATION_TOKEN" } else { &token };
    say_ready(&cluster, &address, &http, founded.then_some(shown));
    if let Some(dnsbl) = dnsbl {
        let cluster = cluster.clone();
        tokio::spawn(async move { dnsbl.answer_from(cluster).await });
    }
    let told = stop.clone();
    let ended = serve_api(cluster, api, http, stop).await;
    if let Some(names) = names.filter(|_| *told.borrow()) {
        drop(tokio::time::timeout(DRAIN_TIMEOUT, names).await);
    }
    ended
}

async fn listen_for_dns(settings: &Settings) -> Result<Option<Dnsbl>, String> {
    let Some(zone) = settings.dnsbl_zone.clone().filter(|_| !settings.dnsbl.is_empty()) else {
        return Ok(None);
    };
    let shown = DnsblSettings {
        zone,
        nameservers: settings.dnsbl_ns.clone(),
        ttl: settings.dnsbl_ttl,
        negative_ttl: settings.dnsbl_negative_ttl,
        rate: settings.dnsbl_rate,
    };
    Dnsbl::bind(&settings.dnsbl, &shown).await.map(Some)
}

/// Finds the cluster of an empty node; meanwhile its port answers that it is waiting. True if it founded one.
async fn settle(
    settings: &Settings,
    cluster: &raft::Settings,
    address: &Address,
    token: &str,
    http: &Server,
    api: &Arc<ApiSettings>,
) -> Result<bool, String> {
    let join_key = data::join_key(&settings.data)?;
    let (formed, is_formed) = watch::channel(false);
    let site = api::waiting_site(join_key, api.clone());
    let waiting = http.clone();
    let waiting_room = tokio::spawn(async move { waiting.run(site, is_formed).await });
    let outcome = formation::form(settings, address, join_key, token).await;
    let kept = match outcome {
        Formed::Founder => Cluster::found(cluster).map(|_| true),
        Formed::Member(ticket) => Cluster::accept(cluster, &ticket).map(|()| false),
    };
    formed.send_replace(true);
    waiting_room.await.map_err(|error| error.to_string())?;
    kept.map_err(|error| error.to_string())
}

async fn serve_api(
    cluster: Cluster,
    api: Arc<ApiSettings>,
    http: Server,
    mut stop: watch::Receiver<bool>,
) -> Result<ExitCode, String> {
    let site = api::site(cluster.clone(), api);
    let end = stop.clone();
    let mut serving = tokio::spawn(async move { http.run(site, end).await });
    tokio::select! {
        // First, because being told to stop ends the serving too, and that is no failure.
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        error = cluster.stopped() => {
            tracing::error!(%error, "the node cannot go on");
            return Ok(ExitCode::FAILURE);
        }
        ended = &mut serving => {
            ended.map_err(|error| error.to_string())?;
            return Err("the HTTP server has ended by itself".into());
        }
    }
    tracing::info!("stopping: no new requests; handing over and draining");
    // A request that was taken is carried out, if there is a majority for it: only then the node is stopped.
    let ((), drained) = tokio::join!(cluster.retire(), tokio::time::timeout(DRAIN_TIMEOUT, &mut serving));
    let stopped = cluster.shutdown().await;
    if drained.is_err() && tokio::time::timeout(DRAIN_TIMEOUT, serving).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    stopped.map_err(|error| error.to_string())?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Listens as `TcpListener::bind` does, but for the queue: it has 128 places there, and a crowd that comes at once
/// fills them, so that others wait a second and more until they try again.
fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(ACCEPT_QUEUE)
    };
    listen().map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// `host:port` of a listener as others may reach it: its address, or this machine's name if it has none.
fn reachable(listener: &TcpListener) -> Result<String, String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    if !address.ip().is_unspecified() {
        return Ok(address.to_string());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(|error| error.to_string())?;
    Ok(format!("{}:{}", name.trim(), address.port()))
}

/// Turns true at SIGTERM or SIGINT.
fn told_to_stop() -> Result<watch::Receiver<bool>, String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}

/// One line that says where the node is; for a new cluster, the talk's lines to try.
fn say_ready(cluster: &Cluster, address: &Address, http: &Server, founded_with: Option<&str>) {
    let local = http.local_addr().map_or_else(|_| address.http.clone(), |addr| format!("http://{addr}"));
    let node_id = cluster.status().node_id;
    tracing::info!(node_id, http = %local, peers = %address.peers, "ready");
    let mut text = format!("stockade: node {} ready, http {local}, peers {}\n", node_id, address.peers);
    if let Some(token) = founded_with {
        text.push_str(&format!(
            "\nTry it:\n\
             curl -H \"x-authentication: {token}\" -H 'Content-Type: application/json' \\\n     \
             --data '{{\"username\":\"pts2021\",\"password\":\"SecretPW\"}}' {local}/user/register\n\
             curl --user pts2021:SecretPW -H 'Content-Type: application/json' \\\n     \
             --data '{{\"ip\":\"45.146.164.110\",\"comment\":\"Bad guy\"}}' {local}/ip/add\n\
             curl --user pts2021:SecretPW {local}/ip/45.146.164.110\n\
             curl --user pts2021:SecretPW '{local}/ip/all?fields=value&format=csv'\n\n"
        ));
    }
    // A closed standard error is no reason to stop.
    drop(std::io::stderr().write_all(text.as_bytes()));
}
