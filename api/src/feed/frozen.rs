//! What a frozen feed shows, kept on disk: the bytes, behind a line that tells whether they are whole. A file that
//! is cut must not become a firewall's table.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use raft::blocklist::{Frozen, NamedFeed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rendered::Body;

/// The first line of a file.
#[derive(Deserialize, Serialize)]
struct Head {
    count: usize,
    truncated: usize,
    skipped: usize,
    sha256: String,
}

/// Where they are, under the data directory.
pub(super) fn directory(data: &Path) -> PathBuf {
    data.join("feeds")
}

/// The name says which freeze it belongs to, so that the next one finds nothing old.
pub(super) fn file_name(feed: &NamedFeed, frozen: &Frozen) -> String {
    format!("{}-{}-{}", frozen.index, frozen.found, feed.name)
}

pub(super) fn write(path: &Path, body: &Body) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let head = Head {
        count: body.count,
        truncated: body.truncated,
        skipped: body.skipped,
        sha256: hex::encode(Sha256::digest(&body.bytes)),
    };
    // No name of a kept file begins like this.
    let unfinished = directory.join("unfinished");
    let mut file = File::create(&unfinished)?;
    serde_json::to_writer(&mut file, &head)?;
    file.write_all(b"\n")?;
    file.write_all(&body.bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}

pub(super) fn read(path: &Path) -> io::Result<Body> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
    let mut bytes = fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
    let bytes = bytes.split_off(end + 1);
    if hex::encode(Sha256::digest(&bytes)) != head.sha256 {
        return Err(damaged());
    }
    Ok(Body { skipped: head.skipped, ..Body::new(bytes, head.count, head.truncated) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feeds").join("7-5-office");
        assert!(read(&path).is_err(), "nothing is there");
        let body = Body::new(b"192.0.2.1\n192.0.2.2\n".to_vec(), 2, 1);
        write(&path, &body).unwrap();
        let kept = read(&path).unwrap();
        assert_eq!((kept.bytes, kept.etag), (body.bytes.clone(), body.etag.clone()));
        assert_eq!((kept.count, kept.truncated), (2, 1));

        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path).is_err(), "cut after {length} bytes");
        }
    }
}
