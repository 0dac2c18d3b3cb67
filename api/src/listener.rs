//! One listening socket for two routers, one after the other: the waiting room, then the API.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// Between two tries when no connection can be accepted, as when files have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// A handle on a listening socket; the socket closes with the last one.
#[derive(Clone)]
pub struct SharedListener(pub Arc<TcpListener>);

impl Listener for SharedListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection ended at once");
                    }
                    return (stream, address);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The address a request comes from, for handlers.
#[derive(Clone, Copy)]
pub struct ClientAddress(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, SharedListener>> for ClientAddress {
    fn connect_info(stream: IncomingStream<'_, SharedListener>) -> ClientAddress {
        ClientAddress(*stream.remote_addr())
    }
}
