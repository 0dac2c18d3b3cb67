//! Who this node is, in small files of their own: written once, whole, and fsynced before they count.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::cluster::Identity;
use crate::codec::{self, Content};

const IDENTITY: &str = "identity";
const INCARNATION: &str = "incarnation";
/// Here while a backup is being restored: what is in the directory is no node yet.
const RESTORING: &str = "restoring";

/// The identity in a data directory; `None` when there is none yet.
pub(crate) fn read_identity(data: &Path) -> io::Result<Option<Identity>> {
    if data.join(RESTORING).exists() {
        let why = "a backup was being restored here and is not whole: remove the directory and restore again";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    match fs::read(data.join(IDENTITY)) {
        Ok(bytes) => codec::decode(Content::Identity, &bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps an identity; an existing one is never replaced.
pub(crate) fn write_identity(data: &Path, identity: &Identity) -> io::Result<()> {
    if read_identity(data)?.is_some() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "this node belongs to a cluster already"));
    }
    fs::create_dir_all(data)?;
    // First: an identity that comes without it was put there by somebody, and may have voted elsewhere.
    replace(data, INCARNATION, b"0\n")?;
    replace(data, IDENTITY, &codec::encode(Content::Identity, identity)?)
}

/// From now on the directory holds no node, until all of one is there.
pub(crate) fn begin_restoring(data: &Path) -> io::Result<()> {
    fs::create_dir_all(data)?;
    replace(data, RESTORING, b"")
}

/// Makes the directory the node that has been restored in it.
pub(crate) fn finish_restoring(data: &Path, identity: &Identity) -> io::Result<()> {
    replace(data, INCARNATION, b"0\n")?;
    replace(data, IDENTITY, &codec::encode(Content::Identity, identity)?)?;
    fs::remove_file(data.join(RESTORING))?;
    File::open(data)?.sync_all()
}

/// The last incarnation of this node's outbox: 0 when it has never started, `None` when that is not known.
pub(crate) fn last_incarnation(data: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(data.join(INCARNATION)) {
        Ok(text) => {
            let number = text.trim().parse::<u64>();
            number.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the next incarnation of this node's outbox: a number that no earlier run has used.
pub(crate) fn next_incarnation(data: &Path) -> io::Result<u64> {
    let last = last_incarnation(data)?.unwrap_or(0);
    let spent =
        || io::Error::new(io::ErrorKind::InvalidData, format!("there is no incarnation after {last}"));
    let next = last.checked_add(1).ok_or_else(spent)?;
    replace(data, INCARNATION, format!("{next}\n").as_bytes())?;
    Ok(next)
}

/// Writes a file so that after a crash there is the old one or the new one.
pub(crate) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = dir.join(format!("{name}.partial"));
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, dir.join(name))?;
    File::open(dir)?.sync_all()
}
