//! A frame is what one flush brings to the disk: all of it or nothing.
//!
//! Frame: a head of 16 bytes, four `u32`, which are a magic number, the length of the body, the CRC-32 of the body, and
//! the CRC-32 of the three before and of the frame's position in the log; then the body. Integers are big-endian. Frames
//! begin at multiples of 16, so no head lies in two sectors; `FILL` brings the body to such a multiple, so no frame ends
//! in zeros. A file has its full length from the start, and zeros where nothing was written yet.
//!
//! A frame is begun when the one before it is on the disk. So after a crash the last one may lack some of its sectors,
//! which are zeros then, and nothing stands behind it: that is a torn end, and nobody was told of what is in it. All
//! else that is not whole is damage. A damaged frame would pass for a torn one only if a whole sector of it had been
//! zeros from the start.

use crate::store::log::record::FILL;

/// Head and alignment of a frame.
pub(super) const HEAD_BYTES: usize = 16;
const MAGIC: [u8; 4] = [0x5D, b'L', b'O', 1];
/// What a disk writes as a whole, or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// What stands at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A frame with this body.
    Whole(&'a [u8]),
    /// Nothing was written here, or the file ends.
    Nothing,
    /// A frame of which some sectors are missing.
    Torn,
    /// Anything else.
    Damaged,
}

/// Makes a frame of `bytes`, whose first 16 are kept free for the head, for a position in the log.
pub(super) fn seal(bytes: &mut Vec<u8>, position: u64) {
    bytes.resize(bytes.len().next_multiple_of(HEAD_BYTES), FILL);
    let body = &bytes[HEAD_BYTES..];
    let (len, sum) = (body.len() as u32, crc32fast::hash(body));
    bytes[..HEAD_BYTES].copy_from_slice(&head(len, sum, position));
}

/// Looks at a place of a file, whose first byte is at `base` in the log.
pub(super) fn find(file: &[u8], base: u64, at: usize) -> Found<'_> {
    let Some(found) = file.get(at..at + HEAD_BYTES) else { return Found::Nothing };
    if found == [0; HEAD_BYTES] {
        return Found::Nothing;
    }
    let Some((len, sum)) = lengths(found, base + at as u64) else { return Found::Damaged };
    let Some(frame) = file.get(at..at + HEAD_BYTES + len) else { return Found::Damaged };
    let body = &frame[HEAD_BYTES..];
    if crc32fast::hash(body) == sum {
        return Found::Whole(body);
    }
    let (begun, rest) = frame.split_at((SECTOR_BYTES - at % SECTOR_BYTES).min(frame.len()));
    let missing = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    if missing(begun) || rest.chunks(SECTOR_BYTES).any(missing) { Found::Torn } else { Found::Damaged }
}

/// Whether the head of a frame stands anywhere from a place on.
pub(super) fn any_from(file: &[u8], base: u64, at: usize) -> bool {
    (at..file.len().saturating_sub(HEAD_BYTES - 1))
        .step_by(HEAD_BYTES)
        .any(|at| lengths(&file[at..at + HEAD_BYTES], base + at as u64).is_some())
}

fn head(len: u32, sum: u32, position: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&len.to_be_bytes());
    head[8..12].copy_from_slice(&sum.to_be_bytes());
    let mut own = crc32fast::Hasher::new();
    own.update(&head[..12]);
    own.update(&position.to_be_bytes());
    head[12..].copy_from_slice(&own.finalize().to_be_bytes());
    head
}

/// The length of the body and its checksum, if this is the head of a frame at this position.
fn lengths(found: &[u8], position: u64) -> Option<(usize, u32)> {
    if found[..4] != MAGIC {
        return None;
    }
    let number =
        |from: usize| u32::from_be_bytes([found[from], found[from + 1], found[from + 2], found[from + 3]]);
    let (len, sum) = (number(4), number(8));
    (found == head(len, sum, position)).then_some((len as usize, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 4096;
    const AT: usize = 480;

    /// A file with a frame that goes over two borders of sectors.
    fn written() -> (Vec<u8>, usize) {
        let mut frame = vec![0; HEAD_BYTES];
        frame.extend((0..700).map(|number| 1 + (number % 200) as u8));
        seal(&mut frame, BASE + AT as u64);
        let end = AT + frame.len();
        let mut file = vec![0; 2048];
        file[AT..end].copy_from_slice(&frame);
        (file, end)
    }

    #[test]
    fn a_frame_is_found_where_it_was_written_and_nowhere_else() {
        let (file, end) = written();
        assert_eq!(end % HEAD_BYTES, 0);
        let Found::Whole(body) = find(&file, BASE, AT) else { panic!("it is whole") };
        assert_eq!((body.len(), &body[..2], body.last()), (end - AT - HEAD_BYTES, &[1, 2][..], Some(&FILL)));
        assert_eq!(find(&file, BASE, 0), Found::Nothing);
        assert_eq!(find(&file, BASE, end), Found::Nothing);
        assert_eq!(find(&file, BASE, file.len()), Found::Nothing);
        assert_eq!(find(&file, 0, AT), Found::Damaged, "of another file");
        assert!(any_from(&file, BASE, 0) && any_from(&file, BASE, AT));
        assert!(!any_from(&file, BASE, AT + HEAD_BYTES) && !any_from(&file, 0, 0));
    }

    #[test]
    fn each_flipped_bit_is_damage() {
        let (mut file, end) = written();
        for bit in AT * 8..end * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find(&file, BASE, AT), Found::Damaged, "bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
        file.truncate(end - 1);
        assert_eq!(find(&file, BASE, AT), Found::Damaged, "a file that is too short");
    }

    #[test]
    fn any_sectors_that_are_missing_are_a_torn_end() {
        let (whole, end) = written();
        let sectors = [AT..512, 512..1024, 1024..end];
        for missing in 1_u8..8 {
            let mut file = whole.clone();
            for (number, sector) in sectors.iter().enumerate() {
                if missing & (1 << number) != 0 {
                    file[sector.clone()].fill(0);
                }
            }
            let expected = if missing & 1 == 0 { Found::Torn } else { Found::Nothing };
            assert_eq!(find(&file, BASE, AT), expected, "sectors {missing:03b}");
        }
    }
}
