//! The exports that are kept, those that were asked for last. Each is written once a change, whoever asks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use raft::Picture;

use super::recipe::Recipe;
use super::whole::Export;
use crate::error::ApiError;

/// Exports kept.
const EXPORTS_MAX: usize = 256;
/// Bytes kept, all exports together.
pub(super) const BYTES_MAX: u64 = 256 << 20;
/// Longer lists are written on a thread that may take its time.
const INLINE_MAX: usize = 2_000;

/// Which list an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The one that was asked about; nothing of a later change may show.
    Exactly,
    /// That one or a later one.
    OrLater,
}

/// What is kept, by what it is.
#[derive(Default)]
pub(crate) struct Exports(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    by_key: HashMap<Key, Slot>,
    /// Counts uses, to know which was last.
    uses: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The list that all nodes have, or with what waits on this one on top.
    Recipe(Arc<Recipe>, OnTop),
    /// Bytes that were made otherwise, and stay what they are.
    Named(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum OnTop {
    Nothing,
    Pending,
}

struct Slot {
    export: Option<Arc<Export>>,
    /// Held by the one who writes it.
    turn: Arc<tokio::sync::Mutex<()>>,
    use_number: u64,
    used: Instant,
}

impl Exports {
    /// The list of a picture in this form. At most one request writes it; the others wait for that one. Where a later
    /// list does, it writes the newest: so whoever waits finds it written, however many changes have come meanwhile.
    pub(crate) async fn get(
        &self,
        recipe: &Arc<Recipe>,
        picture: Arc<Picture>,
        moment: Moment,
        newest: impl FnOnce() -> Arc<Picture>,
    ) -> Result<Arc<Export>, ApiError> {
        if !recipe.query.is_worth_keeping() {
            return write(recipe, None, picture).await;
        }
        let on_top = if picture.pending > 0 { OnTop::Pending } else { OnTop::Nothing };
        let key = Key::Recipe(recipe.clone(), on_top);
        let fits = |known: &Arc<Export>| known.is_of(recipe, &picture, moment);
        if let Some(known) = self.known(&key).filter(fits) {
            return Ok(known);
        }
        let turn = self.turn(&key);
        let _turn = turn.lock().await;
        if let Some(known) = self.known(&key).filter(fits) {
            return Ok(known);
        }
        let picture = match (moment, on_top) {
            (Moment::OrLater, OnTop::Nothing) => later(picture, newest()),
            _ => picture,
        };
        let earlier = self.known(&Key::Recipe(recipe.clone(), OnTop::Nothing));
        let earlier = earlier.filter(|known| known.version <= picture.index);
        let export = write(recipe, earlier, picture).await?;
        self.put(key, export.clone());
        Ok(export)
    }

    /// What was kept under a name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Export>> {
        self.known(&Key::Named(name.to_owned()))
    }

    /// Keeps bytes under a name that says all that decides them.
    pub(crate) fn put_named(&self, name: String, export: Arc<Export>) {
        self.put(Key::Named(name), export);
    }

    /// The recipes of kept lists that somebody asked for lately, with what is kept.
    pub(super) fn used_within(&self, time: Duration) -> Vec<(Arc<Recipe>, Arc<Export>)> {
        let slots = self.0.lock();
        let recent = slots.by_key.iter().filter(|(_, slot)| slot.used.elapsed() <= time);
        let kept = recent.filter_map(|(key, slot)| match key {
            Key::Recipe(recipe, OnTop::Nothing) => Some((recipe.clone(), slot.export.clone()?)),
            _ => None,
        });
        kept.collect()
    }

    /// Lets go what was not used for longest, until the rest is within the limits.
    pub(super) fn trim(&self) {
        let mut slots = self.0.lock();
        let kept = |slot: &Slot| slot.export.as_ref().map_or(0, |export| export.bytes_kept());
        let mut bytes: u64 = slots.by_key.values().map(kept).sum();
        while bytes > BYTES_MAX || slots.by_key.len() > EXPORTS_MAX {
            let oldest = slots.by_key.iter().min_by_key(|(_, slot)| slot.use_number);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            bytes -= slots.by_key.remove(&key).as_ref().map_or(0, kept);
        }
    }

    fn known(&self, key: &Key) -> Option<Arc<Export>> {
        self.0.lock().used(key)?.export.clone()
    }

    fn turn(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        self.0.lock().slot(key).turn.clone()
    }

    fn put(&self, key: Key, export: Arc<Export>) {
        {
            let mut slots = self.0.lock();
            let slot = slots.slot(&key);
            // One who asked about an earlier list exactly takes nothing from the others.
            if slot.export.as_ref().is_none_or(|known| known.version <= export.version || known.pending > 0) {
                slot.export = Some(export);
            }
        }
        self.trim();
    }
}

impl Slots {
    fn used(&mut self, key: &Key) -> Option<&mut Slot> {
        self.uses += 1;
        let slot = self.by_key.get_mut(key)?;
        slot.use_number = self.uses;
        slot.used = Instant::now();
        Some(slot)
    }

    fn slot(&mut self, key: &Key) -> &mut Slot {
        self.uses += 1;
        let fresh = || Slot { export: None, turn: Arc::default(), use_number: 0, used: Instant::now() };
        let slot = self.by_key.entry(key.clone()).or_insert_with(fresh);
        slot.use_number = self.uses;
        slot
    }
}

fn later(one: Arc<Picture>, other: Arc<Picture>) -> Arc<Picture> {
    if other.index > one.index { other } else { one }
}

async fn write(
    recipe: &Arc<Recipe>,
    earlier: Option<Arc<Export>>,
    picture: Arc<Picture>,
) -> Result<Arc<Export>, ApiError> {
    let recipe = recipe.clone();
    // Few networks can be many hosts.
    let short = picture.list.count(recipe.query.kind) <= INLINE_MAX && !recipe.query.narrow.expands();
    let work = move || match earlier {
        Some(earlier) => recipe.rewrite(&earlier, &picture),
        None => recipe.write(&picture),
    };
    let export = match short {
        true => work(),
        false => tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| raft::Error::Stopped("the list could not be rendered".into()))?,
    };
    Ok(Arc::new(export))
}

#[cfg(test)]
mod tests {
    use raft::blocklist::Kind;

    use super::*;
    use crate::export::tests::recipe;
    use crate::list::samples::Desk;

    #[tokio::test]
    async fn whoever_waits_gets_the_newest_list_which_is_written_once() {
        let (mut desk, exports) = (Desk::default(), Exports::default());
        let recipe = recipe(Kind::Ip, "format=txt").unwrap();
        let pictures = [1, 2, 3].map(|number| {
            desk.add(10, "anna", &format!("198.51.100.{number}"), "ids", &[]);
            let mut picture = Picture::default();
            (picture.list, picture.index) = (desk.list.clone(), number);
            Arc::new(picture)
        });
        let get = |asked: usize, moment| {
            exports.get(&recipe, pictures[asked].clone(), moment, || pictures[2].clone())
        };
        let turn = exports.turn(&Key::Recipe(recipe.clone(), OnTop::Nothing));
        let held = turn.lock().await;
        let later = |asked| get(asked, Moment::OrLater);
        let (first, second, third, ()) = tokio::join!(later(0), later(1), later(2), async { drop(held) });
        let (first, second, third) = (first.ok().unwrap(), second.ok().unwrap(), third.ok().unwrap());
        assert_eq!((first.version, first.count), (3, 3));
        assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &third));
        let exactly = get(0, Moment::Exactly).await.ok().unwrap();
        assert_eq!((exactly.version, exactly.count), (1, 1), "nothing of a later change shows");
    }
}
