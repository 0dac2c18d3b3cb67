//! Questions and answers over connections: each message with its length before it (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Shared, answer};
use crate::server::connections::Place;

/// A client says or takes something within this, or is gone.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Between two tries when no connection can be accepted, as when files have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections on one socket until `end` turns true, and waits for the answers under way.
pub(super) async fn run(shared: Arc<Shared>, number: usize, mut end: watch::Receiver<bool>) {
    let Some((_, listener)) = shared.sockets.get(number) else { return };
    let mut tasks = JoinSet::new();
    let told = end.clone();
    let mut ending = std::pin::pin!(async { drop(end.wait_for(|end| *end).await) });
    loop {
        tokio::select! {
            biased;
            () = &mut ending => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    // All places taken by answers under way: the client tries again.
                    let Some(place) = shared.connections.enter() else { continue };
                    tasks.spawn(converse(shared.clone(), stream, client, place, told.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn converse(
    shared: Arc<Shared>,
    mut stream: TcpStream,
    client: SocketAddr,
    place: Place,
    mut end: watch::Receiver<bool>,
) {
    let mut ending = std::pin::pin!(async { drop(end.wait_for(|end| *end).await) });
    loop {
        let question = tokio::select! {
            biased;
            () = &mut ending => return,
            () = place.has_to_leave() => return,
            question = timeout(IDLE_MAX, receive(&mut stream)) => question,
        };
        let Ok(Ok(question)) = question else { return };
        let _busy = place.busy();
        shared.counters.asked_over_tcp();
        let wait = shared.limit.wait(client.ip());
        if !wait.is_zero() {
            shared.counters.delayed();
            tokio::select! {
                () = &mut ending => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
        let Some((response, _)) = shared.answer(&question).await else { return };
        let Some(bytes) = answer::write(&response, usize::from(u16::MAX)) else { return };
        if !matches!(timeout(IDLE_MAX, send(&mut stream, &bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut question = vec![0; usize::from(length)];
    stream.read_exact(&mut question).await?;
    Ok(question)
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await
}
