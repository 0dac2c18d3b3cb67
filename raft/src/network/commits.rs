//! When a follower is told what is committed. The entries that come next tell it at no cost; a message of its own costs
//! both nodes as much as an entry does. So it waits for those for a moment, unless the follower waits for a write of
//! its own.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use tokio::time::{Instant, timeout_at};

use crate::types::{LogId, TypeConfig};

/// A follower knows what is committed at most so much later than the leader can tell it.
const TOLD_WITHIN: Duration = Duration::from_millis(2);

type Append = AppendEntriesRequest<TypeConfig>;

/// The next request to send to a follower. One without entries is left out when another one follows it soon, which says
/// all that it says; openraft takes the answer to a later one for that of all before it.
pub(super) async fn next_append(
    appends: &mut (impl Stream<Item = Append> + Unpin),
    is_awaited: impl Fn(Option<LogId>) -> bool,
) -> Option<Append> {
    let mut append = appends.next().await?;
    let until = Instant::now() + TOLD_WITHIN;
    while append.entries.is_empty() && !is_awaited(append.leader_commit) {
        match timeout_at(until, appends.next()).await {
            Ok(Some(next)) => append = next,
            // A stream that ends after it was opened for this one.
            Ok(None) | Err(_) => break,
        }
    }
    Some(append)
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, BoxStream, Fuse};
    use openraft::entry::RaftEntry;
    use openraft::testing::log_id;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;
    use crate::types::{EncodedBatch, Entry, Vote};

    fn append(committed: u64, entries: u64) -> Append {
        let id = |index| log_id::<TypeConfig>(1, 1, index);
        let entry = |index| Entry::new_normal(id(index), EncodedBatch(vec![b'a'].into()));
        AppendEntriesRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: Some(id(committed)),
            entries: (committed + 1..=committed + entries).map(entry).collect(),
            leader_commit: Some(id(committed)),
        }
    }

    /// A stream that may not be asked again after its end, as openraft's.
    fn appends() -> (UnboundedSender<Append>, Fuse<BoxStream<'static, Append>>) {
        let (sender, receiver) = unbounded_channel();
        let received = stream::unfold(receiver, async |mut receiver| {
            let append = receiver.recv().await?;
            Some((append, receiver))
        });
        (sender, received.boxed().fuse())
    }

    async fn next(appends: &mut Fuse<BoxStream<'static, Append>>, awaited: bool) -> Option<(u64, usize)> {
        let append = next_append(appends, |_| awaited).await?;
        Some((append.leader_commit?.index, append.entries.len()))
    }

    #[tokio::test]
    async fn a_commit_goes_with_the_entries_that_follow_it() {
        let (sender, mut appends) = appends();
        for (committed, entries) in [(1, 0), (2, 0), (2, 3), (3, 1)] {
            sender.send(append(committed, entries)).unwrap();
        }
        assert_eq!(next(&mut appends, false).await, Some((2, 3)));
        assert_eq!(next(&mut appends, false).await, Some((3, 1)));
        drop(sender);
        assert_eq!(next(&mut appends, false).await, None);
    }

    #[tokio::test]
    async fn a_commit_that_nothing_follows_is_told_soon() {
        let (sender, mut appends) = appends();
        let began = Instant::now();
        sender.send(append(1, 0)).unwrap();
        assert_eq!(next(&mut appends, false).await, Some((1, 0)));
        assert!(began.elapsed() >= TOLD_WITHIN, "it did not wait for what may follow");
        sender.send(append(2, 0)).unwrap();
        drop(sender);
        assert_eq!(next(&mut appends, false).await, Some((2, 0)));
        assert_eq!(next(&mut appends, false).await, None);
    }

    #[tokio::test]
    async fn a_commit_that_is_awaited_is_told_at_once() {
        let (sender, mut appends) = appends();
        for (committed, entries) in [(1, 0), (1, 1)] {
            sender.send(append(committed, entries)).unwrap();
        }
        assert_eq!(next(&mut appends, true).await, Some((1, 0)));
        assert_eq!(next(&mut appends, true).await, Some((1, 1)));
    }
}
