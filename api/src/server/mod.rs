//! The HTTP server: one listening socket for two sites, one after the other (the waiting room, then the API),
//! and the limits that keep slow, endless and too many clients from hurting the others.

mod answering;
mod arriving;
mod connection;
pub(crate) mod connections;
mod refusing;
mod threads;
mod together;
mod turns;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use arriving::Share;

use arriving::Bodies;
use connection::Connection;
use connections::Connections;
use threads::Threads;

use crate::site::Site;

/// Between two tries when no connection can be accepted, as when files have run out.
const PAUSE: Duration = Duration::from_millis(100);
/// A client that takes nothing of an answer for so long is gone.
const UNREAD_MAX: Duration = Duration::from_secs(60);

/// The address a request comes from, for handlers.
#[derive(Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) SocketAddr);

/// A listening socket and what all its connections share; the socket closes with the last handle.
#[derive(Clone)]
pub struct Server {
    listener: Arc<TcpListener>,
    threads: Arc<Threads>,
    connections: Arc<Connections>,
    bodies: Arc<Bodies>,
}

impl Server {
    /// Serves so many connections at once on so many threads, and holds bodies of this length at least.
    pub fn new(
        listener: TcpListener,
        threads: usize,
        connections_max: usize,
        body_bytes_max: usize,
    ) -> io::Result<Server> {
        Ok(Server {
            listener: Arc::new(listener),
            threads: Arc::new(Threads::start(threads)?),
            connections: Arc::new(Connections::new(connections_max)),
            bodies: Arc::new(Bodies::new(body_bytes_max)),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves a site until `end` turns true or its sender goes away; then takes no new connections, and ends
    /// when the requests under way have been answered.
    pub async fn run(&self, site: Site, mut end: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let mut ending = std::pin::pin!(async { drop(end.wait_for(|end| *end).await) });
        loop {
            tokio::select! {
                biased;
                () = &mut ending => break,
                Some(_) = tasks.join_next() => {}
                (stream, address) = self.accept() => {
                    let Some(place) = self.connections.enter() else {
                        turn_away(&stream);
                        continue;
                    };
                    let (site, bodies) = (site.clone(), self.bodies.clone());
                    let connection = Arc::new(Connection { address, site, place, bodies });
                    let (seat, thread) = self.threads.seat();
                    let served = async move {
                        // A socket belongs to the runtime that waits for it.
                        if let Ok(stream) = TcpStream::from_std(stream) {
                            connection.serve(stream, &seat).await;
                        }
                    };
                    tasks.spawn_on(served, thread);
                }
            }
        }
        self.connections.dismiss();
        while tasks.join_next().await.is_some() {}
    }

    async fn accept(&self) -> (std::net::TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let unread = u32::try_from(UNREAD_MAX.as_millis()).unwrap_or(u32::MAX);
                    let set = stream.set_nodelay(true);
                    let set = set.and_then(|()| Ok(set_tcp_user_timeout(&stream, unread)?));
                    match set.and_then(|()| stream.into_std()) {
                        Ok(stream) => return (stream, address),
                        Err(error) => tracing::debug!(%error, "a connection ended at once"),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Answers without having read anything: every place is taken by a request that is being answered.
fn turn_away(mut stream: &std::net::TcpStream) {
    let sentence = "this node has as many connections as it serves at once";
    let text = refusing::in_bytes(StatusCode::SERVICE_UNAVAILABLE, "retry-after: 1\r\n", sentence);
    // A new connection takes a few hundred bytes at once, or is gone.
    drop(stream.write(&text));
}
