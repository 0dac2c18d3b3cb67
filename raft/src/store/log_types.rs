//! Our types in `raft-log`, and how they are written there.

use std::io::{self, Read, Write};

use openraft::storage::IOFlushed;
use raft_log::codeq::{Decode, Encode};
use raft_log::{Callback, Types};
use tokio::sync::oneshot;

use crate::codec::{self, Content};
use crate::form;
use crate::types::TypeConfig;

/// The longest encoded value of ours in the log.
const RECORD_BYTES_MAX: u32 = codec::VALUE_BYTES_MAX as u32;

/// About what an entry takes in memory.
pub(super) fn payload_bytes(payload: &form::Payload) -> usize {
    match payload {
        form::Payload::Blank => 0,
        form::Payload::Batch(bytes) => bytes.len(),
        form::Payload::Membership(_) => 1024,
    }
}

/// The types of our log in `raft-log`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogTypes;

impl Types for LogTypes {
    type LogId = StoredLogId;
    type LogPayload = StoredPayload;
    type Vote = StoredVote;
    type Callback = Flushed;
    type UserData = String;

    fn log_index(id: &StoredLogId) -> u64 {
        id.0.index
    }

    fn payload_size(payload: &StoredPayload) -> u64 {
        payload_bytes(&payload.0) as u64
    }
}

/// Who waits for a flush.
pub(super) enum Flushed {
    Raft(IOFlushed<TypeConfig>),
    Signal(oneshot::Sender<io::Result<()>>),
}

impl Callback for Flushed {
    fn send(self, result: io::Result<()>) {
        match self {
            Flushed::Raft(callback) => callback.io_completed(result),
            // The one who waited may have gone; the flush is done all the same.
            Flushed::Signal(sender) => drop(sender.send(result)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
/// The id of an entry.
pub(crate) struct StoredLogId(pub(super) form::LogId);

impl Encode for StoredLogId {
    fn encode<W: Write>(&self, mut to: W) -> io::Result<usize> {
        let form::LogId { term, node, index } = self.0;
        Ok(term.encode(&mut to)? + node.encode(&mut to)? + index.encode(&mut to)?)
    }
}

impl Decode for StoredLogId {
    fn decode<R: Read>(mut from: R) -> io::Result<StoredLogId> {
        let term = u64::decode(&mut from)?;
        let node = u64::decode(&mut from)?;
        Ok(StoredLogId(form::LogId { term, node, index: u64::decode(&mut from)? }))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
/// The vote.
pub(crate) struct StoredVote(pub(super) form::Vote);

/// Leaders of one term are not ordered among each other, as openraft has it: a committed vote is above the
/// others of its leader.
impl PartialOrd for StoredVote {
    fn partial_cmp(&self, other: &StoredVote) -> Option<std::cmp::Ordering> {
        let key = |vote: &form::Vote| (vote.term, vote.node, vote.committed);
        Some(key(&self.0).cmp(&key(&other.0)))
    }
}

impl Encode for StoredVote {
    fn encode<W: Write>(&self, mut to: W) -> io::Result<usize> {
        let form::Vote { term, node, committed } = self.0;
        Ok(term.encode(&mut to)? + node.encode(&mut to)? + u8::from(committed).encode(&mut to)?)
    }
}

impl Decode for StoredVote {
    fn decode<R: Read>(mut from: R) -> io::Result<StoredVote> {
        let term = u64::decode(&mut from)?;
        let node = u64::decode(&mut from)?;
        Ok(StoredVote(form::Vote { term, node, committed: u8::decode(&mut from)? != 0 }))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
/// What an entry carries.
pub(crate) struct StoredPayload(pub(super) form::Payload);

impl Encode for StoredPayload {
    fn encode<W: Write>(&self, mut to: W) -> io::Result<usize> {
        let bytes = codec::encode(Content::LogPayload, &self.0)?;
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        to.write_all(&len.to_be_bytes())?;
        to.write_all(&bytes)?;
        Ok(4 + bytes.len())
    }
}

impl Decode for StoredPayload {
    fn decode<R: Read>(mut from: R) -> io::Result<StoredPayload> {
        let len = u32::decode(&mut from)?;
        if len > RECORD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a log payload of {len} bytes")));
        }
        let mut bytes = vec![0; len as usize];
        from.read_exact(&mut bytes)?;
        Ok(StoredPayload(codec::decode(Content::LogPayload, &bytes)?))
    }
}
