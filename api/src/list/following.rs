//! What followers of a list get: the changes of one kind since an index, as JSON, and the wait for the next ones.
//!
//! Who waits is told of changes at moments that are the same for all, and at most one in [`PAUSE`]. Followers ask
//! again from the index of the moment they were told, so at the next one nearly all of them ask the same, and what
//! they get is written once. Nobody is shown a moment that was before he asked.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use raft::blocklist::Kind;
use raft::{Cluster, Picture};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::ApiError;
use crate::format::{Field, Row, Shape, object};

/// Longer lists are written on a thread that may take its time.
const INLINE_MAX: usize = 2_000;
/// Between two moments: changes of this time come together, and those who wait for one kind cost little while
/// another one is busy.
const PAUSE: Duration = Duration::from_millis(100);
/// So many answers are kept of one moment; one more is written for who asks for it alone.
const ANSWERS_MAX: usize = 64;

/// The moments that all followers of a node share.
#[derive(Default)]
pub(crate) struct Following {
    latest: tokio::sync::Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    taken: Option<Instant>,
    moment: Weak<Moment>,
}

/// The list as it was at one moment, and what has been written of its changes.
pub(super) struct Moment {
    pub(super) picture: Arc<Picture>,
    answers: Mutex<HashMap<Asked, Arc<OnceCell<Bytes>>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    kind: Kind,
    since: u64,
    fields: Vec<Field>,
}

impl Following {
    /// The first moment from now on at which something of this kind has changed after `since`; none when the node
    /// stops.
    pub(super) async fn changed(&self, cluster: &Cluster, kind: Kind, since: u64) -> Option<Arc<Moment>> {
        tokio::select! {
            biased;
            () = cluster.closing() => None,
            moment = self.next_change(cluster, kind, since) => Some(moment),
        }
    }

    async fn next_change(&self, cluster: &Cluster, kind: Kind, since: u64) -> Arc<Moment> {
        loop {
            let moment = self.moment(|| cluster.applied_index(), || cluster.picture()).await;
            if moment.picture.list.last_changed(kind) > since {
                return moment;
            }
            let index = moment.picture.index;
            // Whoever waits would else keep all that is replaced meanwhile.
            drop(moment);
            cluster.moved_beyond(index).await;
        }
    }

    /// A moment that is not before now.
    async fn moment(&self, applied: impl Fn() -> u64, picture: impl Fn() -> Arc<Picture>) -> Arc<Moment> {
        let now = applied();
        let mut latest = self.latest.lock().await;
        if let Some(moment) = latest.moment.upgrade().filter(|moment| moment.picture.index >= now) {
            return moment;
        }
        if let Some(taken) = latest.taken {
            sleep_until(taken + PAUSE).await;
        }
        let moment = Arc::new(Moment::of(picture()));
        *latest = Latest { taken: Some(Instant::now()), moment: Arc::downgrade(&moment) };
        // Those who come a little later find it still there.
        let kept = moment.clone();
        tokio::spawn(async move {
            sleep(PAUSE).await;
            drop(kept);
        });
        moment
    }
}

impl Moment {
    pub(super) fn of(picture: Arc<Picture>) -> Moment {
        Moment { picture, answers: Mutex::default() }
    }

    /// `{"index":…,"added":[…],"removed":[…]}` on one line, which ends.
    pub(super) async fn changes(&self, kind: Kind, since: u64, fields: &[Field]) -> Result<Bytes, ApiError> {
        let asked = Asked { kind, since, fields: fields.to_vec() };
        let answer = self.answer(&asked);
        answer.get_or_try_init(|| write(self.picture.clone(), asked)).await.cloned()
    }

    /// Where the answer is, or is to be put.
    fn answer(&self, asked: &Asked) -> Arc<OnceCell<Bytes>> {
        let mut answers = self.answers.lock();
        if let Some(answer) = answers.get(asked) {
            return answer.clone();
        }
        let answer = Arc::<OnceCell<Bytes>>::default();
        if answers.len() < ANSWERS_MAX {
            answers.insert(asked.clone(), answer.clone());
        }
        answer
    }
}

async fn write(picture: Arc<Picture>, asked: Asked) -> Result<Bytes, ApiError> {
    if picture.list.count(asked.kind) <= INLINE_MAX {
        return render(&picture, asked);
    }
    tokio::task::spawn_blocking(move || render(&picture, asked))
        .await
        .map_err(|_| raft::Error::Stopped("the changes could not be written".into()))?
}

fn render(picture: &Picture, asked: Asked) -> Result<Bytes, ApiError> {
    let Asked { kind, since, fields } = asked;
    let feed = picture.list.changes_since(kind, since).map_err(|gone| {
        let oldest = gone.oldest;
        ApiError::Gone(format!(
            "the changes since {since} are not kept any more, only those since {oldest}; take the whole list \
             again, and follow from its Stockade-Index"
        ))
    })?;
    let shape = Shape { fields, ..Shape::default() };
    let mut out = format!("{{\"index\":{},\"added\":[", picture.index).into_bytes();
    for (at, line) in feed.added.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        object(&Row { value: line.value, entry: line.entry }, &shape, &mut out);
    }
    out.extend(b"],\"removed\":");
    let removed: Vec<String> = feed.removed.iter().map(ToString::to_string).collect();
    serde_json::to_writer(&mut out, &removed).expect("texts are JSON");
    out.extend(b"}\n");
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A list of which only the index moves.
    #[derive(Default)]
    struct Moving(AtomicU64);

    impl Moving {
        fn to(&self, index: u64) -> &Moving {
            self.0.store(index, Ordering::Relaxed);
            self
        }

        fn picture(&self) -> Arc<Picture> {
            let mut picture = Picture::default();
            picture.index = self.0.load(Ordering::Relaxed);
            Arc::new(picture)
        }

        async fn moment(&self, following: &Following) -> Arc<Moment> {
            following.moment(|| self.0.load(Ordering::Relaxed), || self.picture()).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_share_a_moment_and_none_is_before_the_question() {
        let (following, list) = (Following::default(), Moving::default());
        let start = Instant::now();
        let first = list.to(5).moment(&following).await;
        let again = list.moment(&following).await;
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!((first.picture.index, start.elapsed()), (5, Duration::ZERO), "the first comes at once");

        // The list moves on while they wait: they are told of that as well.
        list.to(6);
        let later = async {
            sleep(PAUSE / 2).await;
            list.to(7);
        };
        let (one, other, ()) = tokio::join!(list.moment(&following), list.moment(&following), later);
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!((one.picture.index, start.elapsed()), (7, PAUSE));

        // Who gives up holds up nobody.
        list.to(8);
        let impatient = tokio::time::timeout(PAUSE / 4, list.moment(&following)).await;
        assert!(impatient.is_err(), "it is not time");
        let next = list.moment(&following).await;
        assert_eq!((next.picture.index, start.elapsed()), (8, PAUSE * 2));

        // After a while nobody keeps the list as it was.
        let kept = Arc::downgrade(&next);
        drop((first, again, one, other, next));
        sleep(PAUSE * 2).await;
        assert_eq!(kept.strong_count(), 0);
        let start = Instant::now();
        assert_eq!(list.to(9).moment(&following).await.picture.index, 9);
        assert_eq!(start.elapsed(), Duration::ZERO, "after a quiet time it comes at once");
    }

    #[tokio::test]
    async fn what_many_ask_is_written_once() {
        let moment = Moment::of(Moving::default().to(3).picture());
        let (one, other) = tokio::join!(
            moment.changes(Kind::Ip, 1, &[Field::Value]),
            moment.changes(Kind::Ip, 1, &[Field::Value])
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one, &b"{\"index\":3,\"added\":[],\"removed\":[]}\n"[..]);
        assert_eq!(one.as_ptr(), other.as_ptr());
        let differs = [
            moment.changes(Kind::Ip, 2, &[Field::Value]).await,
            moment.changes(Kind::Domain, 1, &[Field::Value]).await,
            moment.changes(Kind::Ip, 1, &[]).await,
        ];
        assert!(differs.iter().all(|answer| answer.as_ref().unwrap().as_ptr() != one.as_ptr()));

        // What is kept has a bound, and those beyond it are answered.
        for since in 0..2 * ANSWERS_MAX as u64 {
            assert!(moment.changes(Kind::Hash, since, &[]).await.is_ok());
        }
        assert_eq!(moment.answers.lock().len(), ANSWERS_MAX);
        assert_eq!(moment.changes(Kind::Ip, 1, &[Field::Value]).await.unwrap().as_ptr(), one.as_ptr());
    }
}
