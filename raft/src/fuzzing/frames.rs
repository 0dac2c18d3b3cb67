//! What comes in on the peers' port: the handshake, the stream of frames, the messages in them.

use std::io;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Builder;
use tokio_util::codec::Decoder;

use super::chosen;
use crate::cluster::Identity;
use crate::codec::{self, Content};
use crate::network::fuzzed::{self, Frame, Route};
use crate::network::{Reply, Request};

/// The route that the seeds take.
const ROUTE: Route = Route { cluster_id: [7; 16], from: 1, to: 2 };
/// What the two ends of a handshake may say without being read.
const SAID_BYTES_MAX: usize = 4096;

/// A digit for the part, then its bytes. Nobody who does not know the secret gets in, nothing of another route is
/// taken, and a message that is taken is no longer than its bytes and is sent on as it is.
pub fn frames(data: &[u8]) {
    let Some((part, bytes)) = chosen(data) else { return };
    match part % 6 {
        0 => message::<Request>(bytes),
        1 => message::<Reply>(bytes),
        2 => meet(bytes, true),
        3 => meet(bytes, false),
        4 => stream(bytes),
        _ => {
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            let mut from = bytes;
            drop(runtime.block_on(fuzzed::read_plain::<Identity>(&mut from)));
        }
    }
}

fn message<M: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let taken = fuzzed::decode::<M>(bytes, ROUTE);
    assert_eq!(
        taken.is_ok(),
        codec::decode::<Frame<M>>(Content::Frame, bytes).is_ok_and(|frame| frame.route == ROUTE),
        "its own route, and no other"
    );
    let Ok(frame) = taken else { return };
    let sent = fuzzed::encode(&frame).expect("what was read can be sent");
    assert!(sent.len() <= bytes.len(), "{} bytes became {}", bytes.len(), sent.len());
    let again = fuzzed::decode::<M>(&sent, ROUTE).expect("what is sent can be read");
    assert_eq!(fuzzed::encode(&again).expect("it can be sent again"), sent);
}

/// One side of a handshake, with a stranger at the other end.
fn meet(said: &[u8], called: bool) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let entered: io::Result<()> = runtime.block_on(async {
        let (mut stranger, mut here) = tokio::io::duplex(SAID_BYTES_MAX);
        stranger.write_all(&said[..said.len().min(SAID_BYTES_MAX)]).await?;
        stranger.shutdown().await?;
        match called {
            true => fuzzed::answer(&mut here, ROUTE.cluster_id, ROUTE.to, &[1; 32]).await.map(drop),
            false => fuzzed::call(&mut here, ROUTE, &[1; 32]).await,
        }
    });
    assert!(entered.is_err(), "a stranger got in");
}

/// The bytes of a connection after its handshake.
fn stream(bytes: &[u8]) {
    let (mut frames, mut left) = (fuzzed::frames(), BytesMut::from(bytes));
    let mut read = 0;
    while let Ok(Some(frame)) = frames.decode(&mut left) {
        read += 4 + frame.len();
        drop(fuzzed::decode::<Request>(&frame, ROUTE));
    }
    assert!(read <= bytes.len());
}
