//! A whole list in one form, as chunks and the frames around them.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use axum::http::HeaderValue;
use bytes::Bytes;
use crc32fast::Hasher;
use raft::Picture;
use raft::blocklist::{Cuts, Timestamp};
use sha2::{Digest, Sha256};

use super::chunk::{Chunk, digest};
use super::chunks::{Chunks, PARTS, Sum};
use super::coding::{Coding, Deflated, GZIP_HEAD, gzip_foot, zstd_frame};
use super::kept::Moment;
use super::recipe::Recipe;
use crate::format::Totals;

/// An answer in one format, whole.
pub(crate) struct Export {
    pub(super) chunks: Chunks,
    /// What the list that was written left out.
    pub(super) cuts: Cuts,
    /// What stands before the first part, between the two, and at the end; nothing in the middle of one part.
    frames: [Bytes; 3],
    /// What stands between two chunks of a part.
    separator: Bytes,
    /// A digest of what it holds: the same on every node, and after a change that the bytes do not show.
    pub(crate) digest: String,
    /// Entries in it.
    pub(crate) count: usize,
    /// Entries that `limit` left out.
    pub(crate) truncated: usize,
    /// Entries that cannot be had in the form that was asked for.
    pub(crate) skipped: usize,
    /// The cursor to go on with.
    pub(crate) next: Option<String>,
    /// Bytes, not compressed.
    pub(super) length: u64,
    /// The last change of the list that it holds.
    pub(super) version: u64,
    /// When that was, where it is known to the second, and as a header has it.
    pub(super) modified: Option<(SystemTime, HeaderValue)>,
    /// The `ETag` in each coding, in the order of `Coding::ALL`.
    tags: [HeaderValue; 3],
    /// The log index that it was written at.
    pub(super) index: u64,
    /// Reports in it that no other node has.
    pub(super) pending: u64,
    /// Whether others will ask for the same.
    pub(super) is_kept: bool,
    gzip: OnceLock<Pieces>,
    zstd: OnceLock<Pieces>,
}

/// The compressed bytes of an answer, in the order in which they are sent. What is not compressed has none of them: it
/// lies in the chunks, and to count it up for each change would cost as much as the list has chunks.
struct Pieces {
    bytes: Vec<Bytes>,
    length: u64,
}

/// A place in an answer.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// Of the frames and the parts in turn, which one.
    stretch: usize,
    /// Of the chunks in that part, or of compressed pieces.
    number: usize,
    /// Whether the next chunk has to be set apart from the one before it.
    separated: bool,
}

/// What an export has besides its chunks.
pub(super) struct Around {
    pub(super) frames: [Bytes; 3],
    pub(super) separator: &'static str,
    pub(super) truncated: usize,
    pub(super) next: Option<String>,
    pub(super) cuts: Cuts,
    pub(super) version: u64,
    pub(super) modified: Option<Timestamp>,
    pub(super) index: u64,
    pub(super) pending: u64,
    pub(super) is_kept: bool,
}

impl Export {
    /// Chunks, and frames that follow from what is in them.
    pub(super) fn new(chunks: Chunks, around: impl FnOnce(&Totals) -> Around) -> Export {
        let Sum { totals, skipped, texts, mut length } = chunks.sum();
        let mut digests = Sha256::new();
        chunks.digests().for_each(|digest| digests.update(digest));
        let Around { frames, separator, truncated, next, cuts, version, modified, index, pending, is_kept } =
            around(&totals);
        for frame in &frames {
            length += frame.len() as u64;
            digests.update(digest(frame));
        }
        for texts in texts {
            length += separator.len() as u64 * u64::saturating_sub(texts, 1);
        }
        let digest = hex::encode(&digests.finalize()[..16]);
        Export {
            chunks,
            cuts,
            frames,
            separator: Bytes::from_static(separator.as_bytes()),
            tags: Coding::ALL.map(|coding| tag(&digest, coding)),
            digest,
            count: totals.count(),
            truncated,
            skipped,
            next,
            length,
            version,
            modified: modified.and_then(date),
            index,
            pending,
            is_kept,
            gzip: OnceLock::new(),
            zstd: OnceLock::new(),
        }
    }

    /// Bytes that hold so many entries, and were not made of chunks here.
    pub(crate) fn of_bytes(bytes: Vec<u8>, count: usize, truncated: usize) -> Export {
        let around = |_: &Totals| Around {
            frames: [bytes.into(), Bytes::new(), Bytes::new()],
            separator: "",
            truncated,
            next: None,
            cuts: Cuts::default(),
            version: 0,
            modified: None,
            index: 0,
            pending: 0,
            is_kept: true,
        };
        let mut export = Export::new(Chunks::default(), around);
        export.count = count;
        export
    }

    /// Whether this is the list of a picture, in the form that it was written in.
    pub(super) fn is_of(&self, recipe: &Recipe, picture: &Picture, moment: Moment) -> bool {
        let version = picture.list.last_changed(recipe.query.kind);
        match (picture.pending, moment) {
            (0, Moment::Exactly) => self.version == version,
            (0, Moment::OrLater) => self.version >= version,
            (pending, _) => (self.index, self.pending) == (picture.index, pending),
        }
    }

    /// The log index that an answer with it reflects, to one who asked about the list at this index.
    pub(crate) fn at_least(&self, index: u64) -> u64 {
        if self.pending > 0 { index } else { index.max(self.version) }
    }

    /// All of it, in pieces that are shared with everybody else.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &Bytes> {
        self.coded(Coding::Identity)
    }

    /// The same in any coding.
    pub(super) fn coded(&self, coding: Coding) -> impl Iterator<Item = &Bytes> {
        self.coded_from(coding, Place::default()).map(|(piece, _)| piece)
    }

    /// What there is from a place on, none of it empty, each with the place behind it.
    pub(super) fn coded_from(&self, coding: Coding, place: Place) -> impl Iterator<Item = (&Bytes, Place)> {
        let pieces = self.pieces(coding);
        let plain = pieces.is_none().then(|| self.plain_from(place));
        let coded = pieces.map(|pieces| {
            let numbered = (place.number + 1..).zip(&pieces.bytes[place.number..]);
            numbered.map(move |(number, piece)| (piece, Place { number, ..place }))
        });
        plain.into_iter().flatten().chain(coded.into_iter().flatten())
    }

    fn plain_from(&self, place: Place) -> impl Iterator<Item = (&Bytes, Place)> {
        self.sequence_from(place).map(|(piece, behind)| {
            let bytes = match piece {
                Piece::Frame(frame) => frame,
                Piece::Separator => &self.separator,
                Piece::Text(chunk, part) => chunk.texts[part].plain(),
            };
            (bytes, behind)
        })
    }

    /// How many bytes all of it has in this coding.
    pub(super) fn length_in(&self, coding: Coding) -> u64 {
        self.pieces(coding).map_or(self.length, |pieces| pieces.length)
    }

    /// Whether nothing is left to do for an answer in this coding.
    pub(super) fn is_ready_in(&self, coding: Coding) -> bool {
        match coding {
            Coding::Identity => true,
            Coding::Gzip => self.gzip.get().is_some(),
            Coding::Zstd => self.zstd.get().is_some(),
        }
    }

    fn pieces(&self, coding: Coding) -> Option<&Pieces> {
        match coding {
            Coding::Identity => None,
            Coding::Gzip => Some(self.gzip.get_or_init(|| self.gzip_pieces())),
            Coding::Zstd => Some(self.zstd.get_or_init(|| self.zstd_pieces())),
        }
    }

    /// Gives it the digest that it had before it was written to disk.
    pub(crate) fn set_digest(&mut self, digest: String) {
        if digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.tags = Coding::ALL.map(|coding| tag(&digest, coding));
            self.digest = digest;
        }
    }

    /// A strong tag: other bytes, other tag (RFC 9110, section 8.8.3.3).
    pub(super) fn tag(&self, coding: Coding) -> &HeaderValue {
        &self.tags[coding as usize]
    }

    /// Bytes that it keeps in memory, as far as they are known.
    pub(super) fn bytes_kept(&self) -> u64 {
        let coded = [&self.gzip, &self.zstd].into_iter().filter_map(OnceLock::get);
        self.length + coded.map(|pieces| pieces.length).sum::<u64>()
    }

    fn zstd_pieces(&self) -> Pieces {
        let separator = zstd_frame(&self.separator);
        let coded = self.sequence().map(|piece| match piece {
            Piece::Frame(frame) => zstd_frame(frame),
            Piece::Separator => separator.clone(),
            Piece::Text(chunk, part) => chunk.texts[part].zstd().clone(),
        });
        let mut bytes: Vec<Bytes> = coded.collect();
        if bytes.is_empty() {
            // Nothing is a frame too.
            bytes.push(zstd_frame(&[]));
        }
        Pieces::new(bytes)
    }

    fn gzip_pieces(&self) -> Pieces {
        let separator = Deflated::stored(&self.separator);
        let mut bytes = vec![Bytes::from_static(&GZIP_HEAD)];
        let mut sum = Hasher::new();
        let mut add = |deflated: &Deflated| {
            bytes.push(deflated.bytes.clone());
            sum.combine(&deflated.sum);
        };
        for piece in self.sequence() {
            match piece {
                Piece::Frame(frame) => add(&Deflated::stored(frame)),
                Piece::Separator => add(&separator),
                Piece::Text(chunk, part) => add(chunk.texts[part].deflated()),
            }
        }
        bytes.push(gzip_foot(sum, self.length));
        Pieces::new(bytes)
    }

    /// What the file is made of, in its order; nothing of it is empty.
    fn sequence(&self) -> impl Iterator<Item = Piece<'_>> {
        self.sequence_from(Place::default()).map(|(piece, _)| piece)
    }

    /// The same from a place on, each with the place behind it.
    fn sequence_from(&self, mut place: Place) -> impl Iterator<Item = (Piece<'_>, Place)> {
        let mut chunks = self.chunks.starting_at(place.number).peekable();
        let stretches = self.frames.len() + PARTS;
        std::iter::from_fn(move || {
            while place.stretch < stretches {
                let part = place.stretch / 2;
                if place.stretch.is_multiple_of(2) {
                    place = place.next_stretch();
                    chunks = self.chunks.starting_at(0).peekable();
                    if !self.frames[part].is_empty() {
                        return Some((Piece::Frame(&self.frames[part]), place));
                    }
                    continue;
                }
                let Some(chunk) = chunks.peek().copied() else {
                    place = place.next_stretch();
                    continue;
                };
                if place.separated && chunk.lengths[part] > 0 {
                    place.separated = false;
                    return Some((Piece::Separator, place));
                }
                chunks.next();
                place.number += 1;
                if chunk.lengths[part] > 0 {
                    place.separated = !self.separator.is_empty();
                    return Some((Piece::Text(chunk, part), place));
                }
            }
            None
        })
    }
}

impl Place {
    fn next_stretch(self) -> Place {
        Place { stretch: self.stretch + 1, ..Place::default() }
    }
}

impl Pieces {
    fn new(bytes: Vec<Bytes>) -> Pieces {
        let length = bytes.iter().map(|piece| piece.len() as u64).sum();
        Pieces { bytes, length }
    }
}

fn tag(digest: &str, coding: Coding) -> HeaderValue {
    let text = match coding.word() {
        None => format!("\"{digest}\""),
        Some(word) => format!("\"{digest}-{word}\""),
    };
    HeaderValue::try_from(text).expect("hex digits and a word are a header's value")
}

fn date(modified: Timestamp) -> Option<(SystemTime, HeaderValue)> {
    let since = u64::try_from(modified.0).ok()?;
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))?;
    Some((moment, HeaderValue::try_from(httpdate::fmt_http_date(moment)).ok()?))
}

enum Piece<'e> {
    Frame(&'e Bytes),
    Separator,
    Text(&'e Chunk, usize),
}
