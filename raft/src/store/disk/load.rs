//! Reading the list out of sled: the ground, with the changes after it in place of what they changed.

use std::fs;
use std::io;
use std::path::Path;

use super::DiskMark;
use super::changes::{self, StoredChange};
use super::layout::{self, Ground, Place};
use super::packing;
use crate::blocklist::{List, Record};
use crate::codec::{self, Content};
use crate::store::damage::Unopened;
use crate::store::digest::StateDigest;
use crate::store::keys;

/// What was found.
pub(super) struct Loaded {
    pub(super) db: sled::Db,
    pub(super) mark: DiskMark,
    pub(super) list: List,
    pub(super) place: Place,
    /// Changes since the ground.
    pub(super) changed: u64,
}

/// Opens sled and nothing more.
pub(super) fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, Unopened> {
    // sled refuses to open beside a snapshot of its own that a crash left unfinished (sled#1527).
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(".generating")) {
            fs::remove_file(path)?;
        }
    }
    Ok(sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None).open()?)
}

/// Opens sled and reads the whole list. What its digest does not bear out is damage.
pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<Loaded, Unopened> {
    let db = open_sled(dir, cache_bytes)?;
    let mark = db.get(layout::MARK)?;
    let Some(mark) = mark.map(|bytes| codec::decode::<DiskMark>(Content::DiskMark, &bytes)).transpose()?
    else {
        return if db.is_empty() { Ok(Loaded::empty(db)) } else { Err(damaged("it has no mark")) };
    };
    let ground = db.get(layout::GROUND)?;
    let ground = ground.map(|bytes| codec::decode(Content::Ground, &bytes)).transpose()?.unwrap_or_default();
    let mut loaded = Loaded { mark, ..Loaded::empty(db) };
    loaded.place =
        Place { ground, last_generation: loaded.last_generation()?, next_change: ground.first_change };
    let blocks = loaded.read_changes()?;
    let changes = loaded.changes_in(&blocks)?;
    let mut reading = Reading { changes, list: List::default(), digest: StateDigest::default() };
    if ground.generation == 0 {
        for item in loaded.db.range(Ground::records()) {
            reading.take(&item?.1)?;
        }
    } else {
        for item in loaded.db.range(ground.blocks()) {
            layout::read_block(&item?.1)?.iter().try_for_each(|stored| reading.take(stored))?;
        }
    }
    reading.take_new()?;
    if loaded.mark.digest != reading.digest {
        return Err(damaged("its records are not those that were written"));
    }
    loaded.list = reading.list;
    Ok(loaded)
}

impl Loaded {
    /// An empty list in an empty sled.
    pub(super) fn empty(db: sled::Db) -> Loaded {
        Loaded { db, mark: DiskMark::default(), list: List::default(), place: Place::default(), changed: 0 }
    }

    /// The last generation of which there is a block.
    fn last_generation(&self) -> Result<u32, Unopened> {
        let last = self.db.range(Ground::all_blocks()).next_back().transpose()?;
        Ok(last.map_or(Some(0), |(key, _)| layout::block_generation(&key)).unwrap_or_default())
    }

    /// The blocks of what was changed since the ground, in this order.
    fn read_changes(&mut self) -> Result<Vec<Vec<u8>>, Unopened> {
        let mut blocks = Vec::new();
        for item in self.db.range(self.place.ground.changes()) {
            let (key, value) = item?;
            let number = layout::change_number(&key);
            self.place.next_change =
                number.ok_or_else(|| damaged("a key is none of its own"))?.saturating_add(1);
            blocks.push(packing::unpack(&value)?.into_owned());
        }
        Ok(blocks)
    }

    /// What is in these blocks.
    fn changes_in<'b>(&mut self, blocks: &'b [Vec<u8>]) -> io::Result<Changes<'b>> {
        let mut all = Vec::new();
        for block in blocks {
            all.extend(changes::read(block)?);
        }
        self.changed = all.len() as u64;
        Ok(Changes::of(all))
    }
}

/// The last state of every key that was changed since the ground.
#[derive(Default)]
struct Changes<'b> {
    /// In the order of the keys.
    last: Vec<StoredChange<'b>>,
    /// Which of them are in the ground, too.
    in_ground: Vec<bool>,
}

impl<'b> Changes<'b> {
    fn of(all: Vec<StoredChange<'b>>) -> Changes<'b> {
        let last = changes::last_of_each(all);
        Changes { in_ground: vec![false; last.len()], last }
    }

    /// What became of a key of the ground, if it was changed.
    fn take(&mut self, key: &[u8]) -> Option<Option<&'b [u8]>> {
        let at = self.last.binary_search_by(|change| change.key.cmp(key)).ok()?;
        self.in_ground[at] = true;
        Some(self.last[at].record)
    }

    /// The records whose keys are not in the ground.
    fn into_new(self) -> impl Iterator<Item = &'b [u8]> {
        let all = self.last.into_iter().zip(self.in_ground);
        all.filter(|(_, in_ground)| !in_ground).filter_map(|(change, _)| change.record)
    }
}

/// The list while it is read.
struct Reading<'b> {
    list: List,
    digest: StateDigest,
    /// What is yet to take its place.
    changes: Changes<'b>,
}

impl Reading<'_> {
    /// Takes a record of the ground, or what it was changed to.
    fn take(&mut self, stored: &[u8]) -> io::Result<()> {
        let record: Record = codec::decode(Content::Record, stored)?;
        if self.changes.last.is_empty() {
            self.put(record, stored);
            return Ok(());
        }
        match self.changes.take(&keys::record(&record.key())) {
            None => self.put(record, stored),
            Some(None) => {}
            Some(Some(changed)) => self.put(codec::decode(Content::Record, changed)?, changed),
        }
        Ok(())
    }

    /// Takes what is not in the ground at all.
    fn take_new(&mut self) -> io::Result<()> {
        for stored in std::mem::take(&mut self.changes).into_new() {
            self.put(codec::decode(Content::Record, stored)?, stored);
        }
        Ok(())
    }

    fn put(&mut self, record: Record, stored: &[u8]) {
        self.digest.put(stored);
        self.list.restore(record);
    }
}

fn damaged(why: &str) -> Unopened {
    Unopened::Damaged(why.into())
}
