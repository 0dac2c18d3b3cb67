//! What tests and fuzzers make of bytes.

use crate::store::log::files;
use crate::store::log::frame::{self, HEAD_BYTES, SECTOR_BYTES};
use crate::store::log::record::{Record, State};

/// A record out of these bytes, written once more.
pub(crate) fn again(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let record = Record::take(&mut bytes).ok()??;
    let mut again = Vec::new();
    record.put(&mut again);
    Some(again)
}

/// The first file of a log whose frames have these bodies, with the right checksums.
pub(crate) fn file_of(bodies: &[&[u8]]) -> Vec<u8> {
    let begin = files::first_frame(0, State::default(), 0).len();
    let mut file = vec![0; begin];
    for body in bodies {
        let mut frame = [&[0; HEAD_BYTES], *body].concat();
        frame::seal(&mut frame, file.len() as u64);
        file.extend(frame);
    }
    file.resize((file.len() + 1).next_multiple_of(SECTOR_BYTES), 0);
    let len = file.len() as u64;
    file[..begin].copy_from_slice(&files::first_frame(len, State::default(), 0));
    file
}
