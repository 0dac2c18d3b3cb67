//! How anything of ours becomes bytes: bincode in an envelope of magic, kind and version, so that what was
//! written by another version, or is something else altogether, is refused and never misread.

use std::io;

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

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

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(VALUE_BYTES_MAX)
}

/// Writes a value into its envelope.
pub(crate) fn encode<T: Serialize>(content: Content, value: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![MAGIC, content as u8, VERSION];
    options().serialize_into(&mut bytes, value).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Whether this is an envelope of such a value, of whatever version.
pub(crate) fn is(content: Content, bytes: &[u8]) -> bool {
    bytes.starts_with(&[MAGIC, content as u8])
}

/// Reads a value out of its envelope; anything unexpected is `InvalidData`.
pub(crate) fn decode<T: DeserializeOwned>(content: Content, bytes: &[u8]) -> io::Result<T> {
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
