//! How anything of ours becomes bytes: bincode in an envelope of magic, kind and version, so that what was
//! written by another version, or is something else altogether, is refused and never misread.

use std::io;

use bincode::Options;
use serde::{Deserialize, Serialize};

/// The first byte of everything.
const MAGIC: u8 = 0x5D;
/// The most bytes one value may decode to.
pub(crate) const VALUE_BYTES_MAX: u64 = 64 << 20;

/// What an envelope holds, and in which version. A changed struct takes the next version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Content {
    Batch = 1,
    Record = 2,
    DiskMark = 3,
    Identity = 4,
    SnapshotHeader = 5,
    LogPayload = 6,
    Frame = 7,
    Pending = 8,
    Ground = 9,
    Block = 10,
    Changes = 11,
    Packed = 12,
}

const VERSION: u8 = 1;
/// Magic, kind and version.
const ENVELOPE_BYTES: usize = 3;
/// Room for most values.
const TYPICAL_BYTES: usize = 192;

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(VALUE_BYTES_MAX)
}

/// Writes a value into its envelope.
pub(crate) fn encode<T: Serialize>(content: Content, value: &T) -> io::Result<Vec<u8>> {
    encode_sized(content, value, TYPICAL_BYTES)
}

/// The same with room for so many bytes from the start.
pub(crate) fn encode_sized<T: Serialize>(content: Content, value: &T, bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bytes);
    encode_into(&mut bytes, content, value)?;
    Ok(bytes)
}

/// The same, in place of what the buffer holds.
pub(crate) fn encode_into<T: Serialize>(bytes: &mut Vec<u8>, content: Content, value: &T) -> io::Result<()> {
    bytes.clear();
    encode_behind(bytes, content, value)
}

/// The same, behind what the buffer holds.
pub(crate) fn encode_behind<T: Serialize>(
    bytes: &mut Vec<u8>,
    content: Content,
    value: &T,
) -> io::Result<()> {
    let before = bytes.len();
    bytes.extend_from_slice(&[MAGIC, content as u8, VERSION]);
    // With a limit bincode would go through the value twice, the first time to see how long it gets.
    options().with_no_limit().serialize_into(&mut *bytes, value).map_err(io::Error::other)?;
    let encoded = bytes.len() - before;
    if encoded as u64 > ENVELOPE_BYTES as u64 + VALUE_BYTES_MAX {
        return Err(io::Error::other(format!("a {content:?} of {encoded} bytes")));
    }
    Ok(())
}

/// Whether this is an envelope of such a value, of whatever version.
pub(crate) fn is(content: Content, bytes: &[u8]) -> bool {
    bytes.starts_with(&[MAGIC, content as u8])
}

/// Reads a value out of its envelope; anything unexpected is `InvalidData`.
pub(crate) fn decode<'b, T: Deserialize<'b>>(content: Content, bytes: &'b [u8]) -> io::Result<T> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    match bytes {
        [MAGIC, kind, VERSION, payload @ ..] if *kind == content as u8 => {
            options().deserialize(payload).map_err(|error| invalid(format!("{content:?}: {error}")))
        }
        [MAGIC, kind, version, ..] if *kind == content as u8 => {
            Err(invalid(format!("{content:?} of version {version}, this program reads {VERSION}")))
        }
        _ => Err(invalid(format!("not a {content:?}"))),
    }
}
