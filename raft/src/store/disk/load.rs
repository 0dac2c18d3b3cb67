//! Reading the list out of sled: the changes, the last ones first, and then what they have left of the ground. So no
//! more is in memory beside the list than one block, and which keys were changed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::DiskMark;
use super::changes;
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
    let mut reading = Reading::default();
    loaded.read_changes(&mut reading)?;
    if ground.generation == 0 {
        for item in loaded.db.range(Ground::records()) {
            reading.take(&item?.1)?;
        }
    } else {
        for item in loaded.db.range(ground.blocks()) {
            layout::read_block(&item?.1)?.iter().try_for_each(|stored| reading.take(stored))?;
        }
    }
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

    /// Reads what was changed since the ground, from behind.
    fn read_changes(&mut self, reading: &mut Reading) -> Result<(), Unopened> {
        for item in self.db.range(self.place.ground.changes()).rev() {
            let (key, value) = item?;
            let number = layout::change_number(&key).ok_or_else(|| damaged("a key is none of its own"))?;
            self.place.next_change = self.place.next_change.max(number.saturating_add(1));
            let block = packing::unpack(&value)?;
            for change in changes::read(&block)?.iter().rev() {
                self.changed += 1;
                reading.take_change(change.key, change.record)?;
            }
        }
        Ok(())
    }
}

/// The list while it is read.
#[derive(Default)]
struct Reading {
    list: List,
    digest: StateDigest,
    /// The keys that were changed since the ground.
    changed: HashSet<KeyHash>,
}

/// Stands for a key. Two keys with the same would be found by the digest of the list.
type KeyHash = [u8; 16];

impl Reading {
    /// Takes a change after which there are none but those that were taken before.
    fn take_change(&mut self, key: &[u8], record: Option<&[u8]>) -> io::Result<()> {
        let is_last = self.changed.insert(key_hash(key));
        if let Some(stored) = record.filter(|_| is_last) {
            self.put(codec::decode(Content::Record, stored)?, stored);
        }
        Ok(())
    }

    /// Takes a record of the ground, if it was not changed.
    fn take(&mut self, stored: &[u8]) -> io::Result<()> {
        let record: Record = codec::decode(Content::Record, stored)?;
        if self.changed.is_empty() || !self.changed.contains(&key_hash(&keys::record(&record.key()))) {
            self.put(record, stored);
        }
        Ok(())
    }

    fn put(&mut self, record: Record, stored: &[u8]) {
        self.digest.put(stored);
        self.list.restore(record);
    }
}

fn key_hash(key: &[u8]) -> KeyHash {
    let mut hash = KeyHash::default();
    hash.copy_from_slice(&Sha256::digest(key)[..16]);
    hash
}

fn damaged(why: &str) -> Unopened {
    Unopened::Damaged(why.into())
}
