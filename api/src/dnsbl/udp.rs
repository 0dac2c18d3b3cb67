//! Questions and answers as single datagrams.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::sync::watch;

use super::answer::Received;
use super::limit::Turn;
use super::{Shared, answer};

/// The longest question that is looked at; one question fits with much to spare.
const QUESTION_BYTES_MAX: usize = 4096;
/// Between two tries when nothing can be received.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers on one socket until `end` turns true.
pub(super) async fn run(shared: Arc<Shared>, number: usize, mut end: watch::Receiver<bool>) {
    let Some((socket, _)) = shared.sockets.get(number) else { return };
    let mut bytes = vec![0; QUESTION_BYTES_MAX];
    let mut ending = std::pin::pin!(async { drop(end.wait_for(|end| *end).await) });
    loop {
        let received = tokio::select! {
            biased;
            () = &mut ending => return,
            received = socket.recv_from(&mut bytes) => received,
        };
        let (length, client) = match received {
            Ok((_, client)) if client.port() == 0 => continue,
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "cannot receive a question");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        shared.counters.asked_over_udp();
        let turn = shared.limit.turn(client.ip());
        if turn == Turn::Drop {
            shared.counters.dropped();
            continue;
        }
        let question = &bytes[..length];
        let answer = match turn {
            Turn::Truncate => {
                shared.counters.truncated();
                come_over_tcp(question)
            }
            _ => shared.answer(question).await,
        };
        let Some((response, bytes_max)) = answer else { continue };
        let Some(bytes) = answer::write(&response, bytes_max) else { continue };
        // A client that is gone is none to care about.
        drop(socket.send_to(&bytes, client).await);
    }
}

/// Only a question that can be read gets this answer.
fn come_over_tcp(question: &[u8]) -> Option<(Message, usize)> {
    match answer::read(question) {
        Received::Query(query) => Some((answer::come_over_tcp(&query), answer::DATAGRAM_MIN)),
        _ => None,
    }
}
