//! What has to be said so that the list is in step with a feed, and whether the feed has changed too much for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::blocklist::{List, Observable, Timestamp};

use super::profile::Profile;

/// What an import stands behind on the list, with the time at which each entry leaves it.
pub(super) type Claims = BTreeMap<Observable, Option<Timestamp>>;

/// What is to be claimed, anew or again, and what is to be withdrawn.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) claimed: Vec<(Observable, Arc<str>)>,
    pub(super) withdrawn: Vec<Observable>,
}

/// What this account stands behind.
pub(super) fn claims(list: &List, profile: &Profile, account: &str) -> Claims {
    let own = list.entries(profile.kind).filter(|entry| entry.is_reported_for(account));
    own.map(|entry| (entry.value.clone(), entry.expires().copied())).collect()
}

/// Between what is on the list and what the feed names. What is there already is claimed again only where less than half
/// of its time is left.
pub(super) fn between(
    claims: &Claims,
    values: &BTreeMap<Observable, Arc<str>>,
    is_due: impl Fn(Option<Timestamp>) -> bool,
) -> Difference {
    let wanted = values.iter().filter(|(value, _)| claims.get(*value).is_none_or(|expires| is_due(*expires)));
    let withdrawn = claims.keys().filter(|value| !values.contains_key(*value));
    Difference {
        claimed: wanted.map(|(value, comment)| (value.clone(), comment.clone())).collect(),
        withdrawn: withdrawn.cloned().collect(),
    }
}

/// Whether so many values may take the place of so many: within the shares that the profile allows.
pub(super) fn is_allowed(profile: &Profile, before: u64, now: u64) -> bool {
    let share = |percent: u32| before.saturating_mul(u64::from(percent)) / 100;
    let most = before.saturating_add(share(profile.growth_percent));
    let least = before.saturating_sub(share(profile.shrink_percent));
    (least..=most).contains(&now)
}

#[cfg(test)]
mod tests {
    use raft::blocklist::Kind;

    use super::*;

    fn ip(text: &str) -> Observable {
        Observable::parse(Kind::Ip, text).unwrap()
    }

    #[test]
    fn only_what_differs_or_is_due_is_said() {
        let claims = Claims::from([
            (ip("192.0.2.1"), None),
            (ip("192.0.2.2"), Some(Timestamp(5))),
            (ip("192.0.2.3"), Some(Timestamp(9))),
            (ip("192.0.2.4"), None),
        ]);
        let named = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.5"];
        let values = named.map(|value| (ip(value), "x".into())).into();
        let difference = between(&claims, &values, |expires| expires.is_some_and(|at| at < Timestamp(7)));
        let claimed: Vec<_> = difference.claimed.iter().map(|(value, _)| value.clone()).collect();
        assert_eq!(claimed, [ip("192.0.2.2"), ip("192.0.2.5")]);
        assert_eq!(difference.withdrawn, [ip("192.0.2.4")]);
    }

    #[test]
    fn a_feed_may_change_within_its_shares() {
        let text = br#"{"file":"x","allowed_growth_percent":20,"allowed_shrink_percent":10}"#;
        let profile = Profile::parse("x", text).unwrap();
        for (before, now, allowed) in [
            (100, 100, true),
            (100, 120, true),
            (100, 121, false),
            (100, 90, true),
            (100, 89, false),
            (1, 2, false),
            (u64::MAX, u64::MAX, true),
        ] {
            assert_eq!(is_allowed(&profile, before, now), allowed, "{before} {now}");
        }
    }
}
