//! What a frozen feed shows, kept on disk: the bytes, behind a line that tells whether they are whole. A file that
//! is cut must not become a firewall's table.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use raft::blocklist::{Frozen, NamedFeed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::export::Export;

/// The first line of a file.
#[derive(Deserialize, Serialize)]
struct Head {
    count: usize,
    truncated: usize,
    skipped: usize,
    sha256: String,
    /// The digest that is its ETag; files of earlier versions have none.
    #[serde(default)]
    etag: Option<String>,
}

/// Where they are, under the data directory.
pub(super) fn directory(data: &Path) -> PathBuf {
    data.join("feeds")
}

/// The name says which freeze it belongs to, so that the next one finds nothing old.
pub(super) fn file_name(feed: &NamedFeed, frozen: &Frozen) -> String {
    format!("{}-{}-{}", frozen.index, frozen.found, feed.name)
}

pub(super) fn write(path: &Path, export: &Export) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut digest = Sha256::new();
    export.plain().for_each(|piece| digest.update(piece));
    let head = Head {
        count: export.count,
        truncated: export.truncated,
        skipped: export.skipped,
        sha256: hex::encode(digest.finalize()),
        etag: Some(export.digest.clone()),
    };
    // No name of a kept file begins like this.
    let unfinished = directory.join("unfinished");
    let mut file = File::create(&unfinished)?;
    serde_json::to_writer(&mut file, &head)?;
    file.write_all(b"\n")?;
    export.plain().try_for_each(|piece| file.write_all(piece))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}

pub(super) fn read(path: &Path) -> io::Result<Export> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
    let mut bytes = fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
    let bytes = bytes.split_off(end + 1);
    if hex::encode(Sha256::digest(&bytes)) != head.sha256 {
        return Err(damaged());
    }
    let mut export = Export::of_bytes(bytes, head.count, head.truncated);
    export.skipped = head.skipped;
    if let Some(digest) = head.etag {
        export.set_digest(digest);
    }
    Ok(export)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feeds").join("7-5-office");
        assert!(read(&path).is_err(), "nothing is there");
        let bytes = b"192.0.2.1\n192.0.2.2\n";
        let mut export = Export::of_bytes(bytes.to_vec(), 2, 1);
        // As it is of an export that was written in chunks.
        export.set_digest("0123456789abcdef".to_owned());
        write(&path, &export).unwrap();
        let kept = read(&path).unwrap();
        assert_eq!(kept.plain().collect::<Vec<_>>(), [&bytes[..]]);
        assert_eq!(kept.digest, export.digest, "the ETag stays");
        assert_eq!((kept.count, kept.truncated), (2, 1));

        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path).is_err(), "cut after {length} bytes");
        }
    }
}
