//! From a list to its export, and from an export to that of a later list.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use raft::Picture;
use raft::blocklist::{Cuts, Entry, Exporting, Observable};

use super::chunk::{Chunk, begins_chunk};
use super::whole::{Around, Export};
use crate::format::{Format, Frame, Row, Shape, Totals};
use crate::list::{Page, Query};

/// All that decides the bytes, the list aside.
pub(crate) struct Recipe {
    pub(crate) query: Query,
    pub(crate) format: &'static dyn Format,
    pub(crate) shape: Shape,
    /// Of all that: a kept list is looked for by it on each request.
    hash: u64,
}

impl Recipe {
    pub(crate) fn new(query: Query, format: &'static dyn Format, shape: Shape) -> Recipe {
        let mut hasher = DefaultHasher::new();
        (format.name(), &shape, &query).hash(&mut hasher);
        Recipe { query, format, shape, hash: hasher.finish() }
    }

    /// The list in this form.
    pub(crate) fn write(&self, picture: &Picture) -> Export {
        let list = &picture.list;
        if !self.is_by_chunk() {
            return self.write_as_one(picture);
        }
        let exporting = list.exporting(self.query.kind, |entry| self.query.filter.wants(entry));
        let chunks = self.chunks(&exporting, None, None).into();
        Export::new(chunks, |totals| Around { cuts: exporting.cuts, ..self.around(totals, picture) })
    }

    /// The same, from an export in this form of an earlier list of the same log.
    pub(super) fn rewrite(&self, old: &Export, picture: &Picture) -> Export {
        let list = &picture.list;
        let kind = self.query.kind;
        let touched = match list.lines_touched_since(kind, old.version) {
            Ok(touched) if self.is_by_chunk() && !old.chunks.is_empty() => touched,
            _ => return self.write(picture),
        };
        let wanted = |entry: &Entry| self.query.filter.wants(entry);
        let exporting = match touched.cuts {
            true => list.exporting(kind, wanted),
            false => list.exporting_with(kind, wanted, old.cuts.clone()),
        };
        let runs = old.chunks.runs(touched.lines.iter()).into_iter().rev();
        let first = |at: usize| old.chunks.get(at).map(|chunk| &chunk.first);
        let replaced = runs.map(|place| {
            let from = first(place.start).filter(|_| place.start > 0);
            let written = self.chunks(&exporting, from, first(place.end));
            (place, written)
        });
        let chunks = old.chunks.with_replaced(replaced);
        Export::new(chunks, |totals| Around { cuts: exporting.cuts, ..self.around(totals, picture) })
    }

    /// Whether a change of some entries changes the text of those alone.
    pub(super) fn is_by_chunk(&self) -> bool {
        self.query.is_by_row() && self.format.is_by_row(self.query.kind)
    }

    /// The chunks of the rows from one value on and before another one.
    fn chunks<W: Fn(&Entry) -> bool>(
        &self,
        exporting: &Exporting<'_, W>,
        from: Option<&Observable>,
        to: Option<&Observable>,
    ) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for line in exporting.between(from, to) {
            if begins_chunk(&line.value) && !rows.is_empty() {
                chunks.extend(self.chunk(&mut rows));
            }
            rows.push(Row { value: line.value, entry: line.entry });
        }
        chunks.extend(self.chunk(&mut rows));
        chunks
    }

    fn chunk(&self, rows: &mut Vec<Row<'_>>) -> Option<Chunk> {
        let first = rows.first()?.value.clone();
        let narrowed = Cell::new(0);
        rows.retain(|row| self.query.narrow.keeps(row, &narrowed));
        Some(self.written(first, rows, &self.shape, narrowed.get()))
    }

    /// Rows written down, without those that the format cannot hold.
    fn written(&self, first: Observable, rows: &mut Vec<Row<'_>>, shape: &Shape, skipped: usize) -> Chunk {
        let found = rows.len();
        rows.retain(|row| self.format.holds(&row.value, shape));
        let skipped = skipped + found - rows.len();
        let mut totals = Totals::default();
        let with_newest = self.format.says_newest(shape);
        let mut parts = [Vec::new(), Vec::new()];
        for row in rows.drain(..) {
            let part = self.format.part(&row);
            totals.add(part, &row, with_newest);
            parts[part].push(row);
        }
        let texts = parts.map(|rows| {
            let mut text = Vec::new();
            if !rows.is_empty() {
                self.format.lines(&mut rows.into_iter(), shape, &mut text);
                text.shrink_to_fit();
            }
            text
        });
        Chunk::new(first, texts, totals, skipped)
    }

    fn write_as_one(&self, picture: &Picture) -> Export {
        let Page { mut rows, truncated, skipped, next } = self.query.page(&picture.list);
        let first = rows.first().map(|row| row.value.clone());
        let shape = self.shape_of(picture);
        let chunk = first.map(|first| self.written(first, &mut rows, &shape, skipped));
        let skipped = chunk.as_ref().map_or(skipped, |chunk| chunk.skipped);
        let next = next.map(|cursor| cursor.not_beyond(picture.index).encode());
        let around = |totals: &Totals| Around { truncated, next, ..self.around(totals, picture) };
        let mut export = Export::new(Vec::from_iter(chunk).into(), around);
        export.skipped = skipped;
        export
    }

    /// As of this picture: a row that stands alone says nothing of the list's version, all of them together may.
    fn shape_of(&self, picture: &Picture) -> Shape {
        Shape { version: picture.list.last_changed(self.query.kind), ..self.shape.clone() }
    }

    fn around(&self, totals: &Totals, picture: &Picture) -> Around {
        let shape = self.shape_of(picture);
        let frame = |place: Frame| {
            let mut out = Vec::new();
            if place != Frame::Middle || self.format.splits_families() {
                self.format.frame(place, totals, &shape, &mut out);
            }
            Bytes::from(out)
        };
        Around {
            frames: [Frame::Head, Frame::Middle, Frame::Foot].map(frame),
            separator: self.format.separator(),
            truncated: 0,
            next: None,
            cuts: Cuts::default(),
            version: shape.version,
            modified: picture.list.modified(self.query.kind).filter(|_| picture.pending == 0),
            index: picture.index,
            pending: picture.pending,
            is_kept: self.query.is_worth_keeping(),
        }
    }
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Recipe) -> bool {
        self.format.name() == other.format.name() && self.shape == other.shape && self.query == other.query
    }
}

impl Eq for Recipe {}

impl Hash for Recipe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}
