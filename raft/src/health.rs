//! Which members answer, as far as the leader knows; and which learner may take the place of a dead voter.

use std::time::{Duration, Instant};

use openraft::ServerState;
use parking_lot::Mutex;

use crate::status::{Member, MemberRole};
use crate::types::Metrics;

/// A learner this many entries behind is not made a voter.
pub(crate) const PROMOTE_LAG_MAX: u64 = 1000;

/// Since when this node leads: so long it may not have heard from a member without meaning anything.
#[derive(Default)]
pub(crate) struct Leading(Mutex<Option<(u64, Instant)>>);

impl Leading {
    /// How long this node has led in the present term; `None` when it does not lead.
    pub(crate) fn leading_for(&self, metrics: &Metrics) -> Option<Duration> {
        let mut since = self.0.lock();
        if metrics.state != ServerState::Leader {
            *since = None;
            return None;
        }
        match *since {
            Some((term, at)) if term == metrics.current_term => Some(at.elapsed()),
            _ => {
                *since = Some((metrics.current_term, Instant::now()));
                Some(Duration::ZERO)
            }
        }
    }
}

/// The voter that has been silent longest, if for `after`, and the caught-up learner to take its place.
pub(crate) fn replacement(members: &[Member], after: Duration, end: u64) -> Option<(u64, u64)> {
    let silent = |member: &Member| Duration::from_millis(member.last_heard_ms.unwrap_or(0));
    let dead = members
        .iter()
        .filter(|member| member.role == MemberRole::Voter && member.healthy == Some(false))
        .filter(|member| silent(member) >= after)
        .max_by_key(|member| member.last_heard_ms)?;
    let spare = members
        .iter()
        .filter(|member| member.role == MemberRole::Learner && member.healthy == Some(true))
        .filter(|member| is_caught_up(member, end))
        .max_by_key(|member| member.matched)?;
    Some((dead.id, spare.id))
}

/// Near enough to the end of the log to become a voter.
pub(crate) fn is_caught_up(member: &Member, end: u64) -> bool {
    member.matched.unwrap_or(0) + PROMOTE_LAG_MAX >= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Address;

    fn member(id: u64, role: MemberRole, matched: u64, heard: Option<u64>) -> Member {
        Member {
            id,
            role,
            leader: id == 1,
            address: Address::default(),
            matched: Some(matched),
            last_heard_ms: heard,
            healthy: heard.map(|ms| ms < 2400),
        }
    }

    #[test]
    fn only_a_voter_that_is_silent_long_enough_gives_way_to_a_caught_up_learner() {
        use MemberRole::{Learner, Voter};
        // A third voter and a learner: the log each has, and how long it is silent; who is replaced by whom.
        let rows = [
            ("all are there", (5000, Some(10)), (5000, Some(10)), None),
            ("the voter is dead", (100, Some(60_000)), (5000, Some(10)), Some((3, 4))),
            ("not for long enough", (5000, Some(30_000)), (5000, Some(10)), None),
            ("the learner is dead too", (100, Some(60_000)), (5000, Some(90_000)), None),
            ("the learner is far behind", (100, Some(60_000)), (1000, Some(10)), None),
            ("nobody knows yet", (100, None), (5000, Some(10)), None),
        ];
        for (why, third, learner, replaced) in rows {
            let members = [
                member(1, Voter, 5000, Some(0)),
                member(2, Voter, 5000, Some(10)),
                member(3, Voter, third.0, third.1),
                member(4, Learner, learner.0, learner.1),
            ];
            assert_eq!(replacement(&members, Duration::from_secs(60), 5000), replaced, "{why}");
        }
    }
}
