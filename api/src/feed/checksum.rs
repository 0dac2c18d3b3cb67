//! Checksums of a feed, as `md5sum` and `sha256sum` write and check them. Some firewalls look at the MD5 first and
//! take the list only when it has changed.

use md5::Md5;
use raft::blocklist::DIGEST_SUFFIXES;
use sha2::{Digest, Sha256};

use crate::export::Export;

/// One way to sum up a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    Md5,
    Sha256,
}

impl Checksum {
    pub(super) const ALL: [Checksum; 2] = [Checksum::Md5, Checksum::Sha256];

    /// What the name of the file ends in.
    pub(super) fn suffix(self) -> &'static str {
        DIGEST_SUFFIXES[self as usize]
    }

    /// The file that holds the checksum of another one.
    pub(super) fn of(self, export: &Export, file: &str) -> Export {
        let sum = match self {
            Checksum::Md5 => summed::<Md5>(export),
            Checksum::Sha256 => summed::<Sha256>(export),
        };
        Export::of_bytes(format!("{sum}  {file}\n").into_bytes(), export.count, export.truncated)
    }
}

fn summed<D: Digest>(export: &Export) -> String {
    let mut digest = D::new();
    export.plain().for_each(|piece| digest.update(piece));
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_the_usual_programs_do() {
        let export = Export::of_bytes(b"abc".to_vec(), 1, 0);
        let rows = [
            (Checksum::Md5, "900150983cd24fb0d6963f7d28e17f72  a.txt\n"),
            (Checksum::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.txt\n"),
        ];
        for (checksum, expected) in rows {
            let sum = checksum.of(&export, "a.txt");
            assert_eq!(sum.plain().collect::<Vec<_>>(), [expected], "{checksum:?}");
        }
    }
}
