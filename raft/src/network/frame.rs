//! One frame: `u32` length, then the envelope of a `Frame`. A frame of another cluster, or for another node,
//! is refused by whoever reads it.

use std::io;

use bytes::Bytes;
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

use crate::codec::{self, Content};

/// The longest frame, in bytes: a full append of the largest batches fits.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;
/// The longest frame of a peer that has not proved who it is.
pub(crate) const STRANGER_FRAME_BYTES_MAX: usize = 512;

/// Between which nodes of which cluster a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) cluster_id: [u8; 16],
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// A message with its route and the number that ties a reply to its request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frame<M> {
    pub(crate) route: Route,
    pub(crate) number: u64,
    pub(crate) message: M,
}

impl Route {
    /// The way back.
    pub(crate) fn back(self) -> Route {
        Route { from: self.to, to: self.from, ..self }
    }
}

/// The codec of frames, both ways.
pub(crate) fn frames() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(FRAME_BYTES_MAX).new_codec()
}

/// The bytes of a frame, without the length.
pub(crate) fn encode<M: Serialize>(frame: &Frame<M>) -> io::Result<Bytes> {
    codec::encode(Content::Frame, frame).map(Bytes::from)
}

/// Reads a frame, and refuses one that took another route.
pub(crate) fn decode<M: serde::de::DeserializeOwned>(bytes: &[u8], route: Route) -> io::Result<Frame<M>> {
    let frame: Frame<M> = codec::decode(Content::Frame, bytes)?;
    if frame.route != route {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of another cluster or node"));
    }
    Ok(frame)
}

/// Writes queued frames until the queue or the connection ends; what waits goes out in one flush.
pub(crate) async fn write_queue(
    write: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
) -> io::Result<()> {
    let mut frames = FramedWrite::new(write, frames());
    while let Some(bytes) = queue.recv().await {
        frames.feed(bytes).await?;
        while let Ok(more) = queue.try_recv() {
            frames.feed(more).await?;
        }
        SinkExt::<Bytes>::flush(&mut frames).await?;
    }
    Ok(())
}

/// Writes one small value before the connection is trusted.
pub(crate) async fn write_plain<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    let bytes = codec::encode(Content::Frame, value)?;
    to.write_u32(u32::try_from(bytes.len()).map_err(io::Error::other)?).await?;
    to.write_all(&bytes).await?;
    to.flush().await
}

/// Reads one small value before the connection is trusted.
pub(crate) async fn read_plain<T: serde::de::DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    let len = from.read_u32().await? as usize;
    if len > STRANGER_FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a first message too long for a peer"));
    }
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes).await?;
    codec::decode(Content::Frame, &bytes)
}
