//! Promises that every history keeps: however commands are cut into batches, sent again or stored and
//! restored, the list is the same.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::fixtures::{Desk, actor, batch, command, ip, report};
use crate::blocklist::{
    Change, ClusterSettings, Command, GrowthBrake, ImportRun, Kind, List, NewAllow, Observable, Once,
    Operation, Outcome, Patch, Profile, Record, RecordKey, Report, Role, Timestamp, Token, Undo, Whose,
};

/// Few values, so that commands meet.
fn observable() -> impl Strategy<Value = Observable> {
    let others = [
        Observable::Domain("bad.example".into()),
        Observable::Username("root".into()),
        Observable::Url("http://bad.example/".into()),
    ];
    let texts = ["192.0.2.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::/32", "2001:db8::1"];
    let all: Vec<Observable> = texts.into_iter().map(ip).chain(others).collect();
    proptest::sample::select(all)
}

fn any_report() -> impl Strategy<Value = Report> {
    let ttl = prop_oneof![Just(None), (-5..50i64).prop_map(Some)];
    let seen = prop_oneof![Just(None), (0..90i64).prop_map(|second| Some(Timestamp(second * 1000)))];
    (observable(), 0..40u8, ttl, seen, any::<bool>()).prop_map(|(value, source, ttl, seen, tagged)| Report {
        value,
        source: format!("source-{source}").into(),
        comment: format!("comment {source}").into(),
        ttl,
        seen,
        tags: if tagged { [format!("tag-{source}").into()].into() } else { [].into() },
    })
}

/// Few names, so that commands repeat each other.
fn once() -> impl Strategy<Value = Option<Once>> {
    let once = (0..3u8, 0..2u32, 0..2u8)
        .prop_map(|(key, part, request)| Some(Once { key: [key; 16], part, request: [request; 16] }));
    prop_oneof![5 => Just(None), 1 => once]
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = || proptest::sample::select(vec!["root", "pts2021", "ossec1", "not valid"]);
    let role = || proptest::sample::select(Role::ALL.to_vec());
    prop_oneof![
            8 => vec(any_report(), 0..4).prop_map(Operation::Add),
            3 => vec(observable(), 0..3).prop_map(Operation::Delete),
            2 => (name(), role()).prop_map(|(name, role)| Operation::CreateAccount {
                username: name.into(),
                password_hash: "$argon2id$".into(),
                role,
            }),
            1 => (name(), role()).prop_map(|(name, role)| Operation::UpdateAccount {
                username: name.into(),
                password_hash: None,
                role: Some(role),
            }),
            1 => name().prop_map(|name| Operation::DeleteAccount(name.into())),
            1 => (name(), 0..4u8).prop_map(|(name, byte)| Operation::PutToken {
                username: name.into(),
                token: Token { name: format!("t{byte}").into(), digest: [byte; 32], created: Timestamp(0) },
            }),
            1 => (name(), 0..4u8).prop_map(|(name, byte)| Operation::DeleteToken {
                username: name.into(),
                name: format!("t{byte}").into(),
            }),
            1 => (any::<bool>(), 20..28u8).prop_map(|(allow_private, widest_v4)| {
                Operation::PutSettings(ClusterSettings {
     allow_private,
     widest_v4,
     growth_brake: Some(GrowthBrake { share_percent: 10, window_seconds: 20 }),
    ..ClusterSettings::default() })
            }),
            1 => (0..3u64, 0..3u8).prop_map(|(node, last)| Operation::PutNodeAddresses {
                node,
                addresses: (1..last).map(|last| IpAddr::from([192, 0, 2, last])).collect(),
            }),
            2 => Just(Operation::Expire),
            2 => vec(any_report(), 0..3).prop_map(Operation::Sight),
            2 => (observable(), any::<bool>(), 0..90i64).prop_map(|(value, forever, second)| Operation::Patch(Patch {
                value,
                comment: Some("corrected".into()),
                tags: forever.then(|| ["new".into()].into()),
                expires: Some((!forever).then_some(Timestamp(second * 1000))),
            })),
            1 => observable().prop_map(|value| {
                Operation::AllowAdd(vec![NewAllow { comment: "why".into(), value }])
            }),
            1 => vec(observable(), 1..3).prop_map(Operation::AllowDelete),
            1 => Just(Operation::Found { cluster_id: [1; 16], peer_secret: [2; 32] }),
            1 => (0..4u32).prop_map(Operation::RaiseVersion),
            1 => (0..2u8, name()).prop_map(|(number, mapping)| Operation::PutHook {
                name: format!("hook-{number}").into(),
                mapping: mapping.into(),
            }),
            1 => (0..2u8).prop_map(|number| Operation::DeleteHook(format!("hook-{number}").into())),
            1 => (0..2u8, name()).prop_map(|(number, profile)| Operation::PutImport {
                name: format!("import-{number}").into(),
                profile: profile.into(),
            }),
            1 => (0..2u8).prop_map(|number| Operation::DeleteImport(format!("import-{number}").into())),
            1 => (0..2u8, proptest::option::of(0..9u64)).prop_map(|(number, approved)| Operation::AskImport {
                name: format!("import-{number}").into(),
                approved,
            }),
            2 => (0..2u8, 0..100i64, any::<bool>()).prop_map(|(number, second, ended)| {
                Operation::NoteImport(ImportRun {
                    name: format!("import-{number}").into(),
                    changed: Timestamp(second * 1000),
                    started: Timestamp(second * 1000),
                    ended,
                    run: "{}".into(),
                    deed: "ran".into(),
                })
            }),
            2 => vec(any_report(), 1..4).prop_map(|reports| Operation::Claim { label: "feed".into(), reports }),
            1 => vec(observable(), 0..3).prop_map(Operation::Withdraw),
            1 => any::<u8>().prop_map(|byte| Operation::AllocateNode { join_key: [byte; 16] }),
            2 => (vec(any_report(), 1..4), 0..2u8).prop_map(|(reports, label)| Operation::Import {
                label: format!("feed-{label}").into(),
                reports,
            }),
            1 => (0..3u8, 0..2u8, 0..9u64).prop_map(|(whose, number, since)| Operation::Undo(Undo {
                whose: match whose {
                    0 => Whose::Account("ossec1".into()),
                    1 => Whose::Source(format!("source-{number}").into()),
                    _ => Whose::Import(format!("feed-{number}").into()),
                },
                since,
                after: None,
            })),
            2 => (0..2u8, proptest::option::of(0..20u32), any::<bool>()).prop_map(|(name, freeze_percent, domains)| {
                let kind = if domains { Kind::Domain } else { Kind::Ip };
                let (query, format, description) = ("".into(), "txt".into(), "".into());
                let feed = Profile { kind, query, format, description, freeze_percent };
                Operation::PutFeed { name: format!("feed-{name}").into(), feed }
            }),
            1 => (0..2u8).prop_map(|name| Operation::DeleteFeed(format!("feed-{name}").into())),
            1 => (0..2u8).prop_map(|name| Operation::PublishFeed(format!("feed-{name}").into())),
        ]
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Command>> {
    let account = proptest::sample::select(vec!["", "root", "pts2021", "ossec1"]);
    let role =
        proptest::sample::select(vec![Role::Reader, Role::Sensor, Role::Analyst, Role::Admin, Role::Admin]);
    let one = (0..100i64, account, role, operation(), once()).prop_map(
        |(second, account, role, operation, once)| Command {
            once,
            ..command(second, actor(account, role), operation)
        },
    );
    vec(one, 1..60)
}

/// Applies a history in batches of these sizes, all at one index, and returns what came of each command.
fn apply_in(list: &mut List, history: &[Command], sizes: &[usize]) -> Vec<Option<Outcome>> {
    let mut outcomes = Vec::new();
    let mut sizes = sizes.iter().cycle();
    let mut rest = history;
    while !rest.is_empty() {
        let (now, later) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
        let first = (history.len() - rest.len()) as u64 + 1;
        outcomes.extend(list.apply(7, &batch(first, now.to_vec())).outcomes);
        rest = later;
    }
    outcomes
}

proptest! {
    #[test]
    fn any_cut_into_batches_gives_the_same_list(history in history(), sizes in vec(1..9usize, 1..9)) {
        let (mut whole, mut cut) = (List::default(), List::default());
        let outcomes = apply_in(&mut whole, &history, &[history.len()]);
        prop_assert_eq!(apply_in(&mut cut, &history, &sizes), outcomes);
        prop_assert_eq!(cut.records().collect::<Vec<_>>(), whole.records().collect::<Vec<_>>());
    }

    #[test]
    fn what_comes_twice_late_or_too_early_counts_once(
        history in history(),
        sent in vec((0..60usize, 1..20usize), 0..80),
    ) {
        let mut once = List::default();
        apply_in(&mut once, &history, &[history.len()]);
        let mut list = List::default();
        // Anything in any order, then all of it from the start, as a forwarder does that lost its way.
        for (from, count) in sent.into_iter().chain([(0, history.len())]) {
            let from = from.min(history.len() - 1);
            let to = (from + count).min(history.len());
            let done = list.origin(1).map_or(0, |mark| mark.sequence as usize);
            let applied = list.apply(7, &batch(from as u64 + 1, history[from..to].to_vec()));
            prop_assert_eq!(applied.rejected, from > done);
            if !applied.rejected {
                prop_assert_eq!(applied.outcomes.iter().flatten().count(), to.saturating_sub(done));
            }
        }
        prop_assert_eq!(list, once);
    }

    #[test]
    fn records_and_changes_both_lead_to_the_list(history in history(), sizes in vec(1..9usize, 1..9)) {
        let mut list = List::default();
        let mut stored: BTreeMap<RecordKey, Record> = BTreeMap::new();
        let mut rest = history.as_slice();
        let mut sizes = sizes.iter().cycle();
        let mut first = 1;
        for index in 1.. {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            let rest_before = list.rest();
            let applied = list.apply(index, &batch(first, now.to_vec()));
            let keys: Vec<&RecordKey> = applied.changes.iter().map(|change| &change.key).collect();
            proptest::prop_assert!(keys.is_sorted_by(|a, b| a < b), "a key twice: {:?}", keys);
            for Change { key, before, record } in applied.changes {
                prop_assert_eq!(before.record(&key, &rest_before), stored.get(&key).cloned(), "{:?} before", key);
                match record {
                    Some(record) => stored.insert(key, record),
                    None => stored.remove(&key),
                };
            }
            first += now.len() as u64;
            rest = later;
        }
        prop_assert_eq!(stored.values().cloned().collect::<Vec<_>>(), list.records().collect::<Vec<_>>());

        let mut restored = List::default();
        list.records().for_each(|record| restored.restore(record));
        prop_assert_eq!(&restored, &list);
        // What is derived is restored too: the two go on alike.
        let next = |list: &mut List| list.apply(999, &batch(first, history.clone()));
        prop_assert_eq!(next(&mut restored), next(&mut list));
        prop_assert_eq!(restored, list);
    }
}

#[test]
fn a_record_that_is_restored_again_takes_the_place_of_the_first() {
    let mut desk = Desk::default();
    desk.add(1, report("192.0.2.1"));
    let mut list = desk.list.clone();
    desk.list.records().for_each(|record| list.restore(record));
    assert_eq!(list, desk.list, "all of it counts once");

    let mut other = Desk::default();
    other.run(1, actor("joe", Role::Analyst), Operation::Add(vec![report("192.0.2.1")]));
    other.list.records().for_each(|record| list.restore(record));
    let counts = ["pts2021", "joe"].map(|account| list.count_by_account(account));
    assert_eq!((counts, list.count(Kind::Ip)), ([0, 1], 1));
}
