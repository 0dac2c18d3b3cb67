//! The stored bytes of what came after the first form of the log: enums grow at their end, so an older
//! variant keeps its number. Never change these lines.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fixtures::{ip, report};
use crate::blocklist::{
    Action, Allow, Answer, AnswerKey, Class, ClusterSettings, Deed, Frozen, Given, Growth, GrowthBrake, Hook,
    Import, ImportRun, Kind, Line, Modified, NamedFeed, NewAllow, Operation, Patch, Profile, Published,
    Record, Refusal, Subject, Timestamp, Undo, Whose,
};
use crate::codec::{self, Content};

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, hex: &str) {
    let bytes = codec::encode(Content::Record, value).unwrap();
    assert_eq!(hex::encode(&bytes[3..]), hex, "{value:?}");
    assert_eq!(codec::decode::<T>(Content::Record, &bytes).unwrap(), *value);
}

fn settings() -> ClusterSettings {
    ClusterSettings {
        allow_private: true,
        default_ttl: [(Kind::Domain, 60)].into(),
        sensor_entries_max: Some(7),
        growth_brake: Some(GrowthBrake { share_percent: 10, window_seconds: 3600 }),
        replace_dead_after_seconds: Some(60),
        ..ClusterSettings::default()
    }
}

fn profile() -> Profile {
    Profile {
        kind: Kind::Domain,
        query: "limit=5".into(),
        format: "csv".into(),
        description: "why".into(),
        freeze_percent: Some(20),
    }
}

#[test]
fn operations_keep_their_bytes() {
    let addresses = ["192.0.2.7".parse().unwrap()].into();
    let patch = Patch {
        value: ip("192.0.2.1"),
        comment: Some("ssh".into()),
        tags: Some(["scan".into()].into()),
        expires: Some(None),
    };
    let allow = NewAllow { value: ip("192.0.2.0/24"), comment: "office".into() };
    check(&Operation::PutSettings(settings()), "0901102018300101780107010afb201c013c");
    check(&Operation::PutNodeAddresses { node: 2, addresses }, "0a020100c0000207");
    check(&Operation::Expire, "0b");
    check(
        &Operation::Sight(vec![report("192.0.2.1")]),
        "0c010000c00002012007426164206775790c3139382e35312e3130302e39000000",
    );
    check(&Operation::Patch(patch), "0d0000c00002012001037373680101047363616e0100");
    check(&Operation::AllowAdd(vec![allow]), "0e010000c000020018066f6666696365");
    check(&Operation::AllowDelete(vec![ip("192.0.2.0/24")]), "0f010000c000020018");
    let reports = vec![report("192.0.2.1")];
    check(
        &Operation::Import { label: "feed".into(), reports },
        "100466656564010000c00002012007426164206775790c3139382e35312e3130302e39000000",
    );
    for (whose, hex) in [
        (Whose::Account("a".into()), "1100016107010000c000020120"),
        (Whose::Source("s".into()), "1101017307010000c000020120"),
        (Whose::Import("i".into()), "1102016907010000c000020120"),
    ] {
        check(&Operation::Undo(Undo { whose, since: 7, after: Some(ip("192.0.2.1")) }), hex);
    }
    check(&Operation::RaiseVersion(2), "1202");
    check(
        &Operation::PutFeed { name: "office".into(), feed: profile() },
        "13066f666669636501076c696d69743d3503637376037768790114",
    );
    check(&Operation::DeleteFeed("office".into()), "14066f6666696365");
    check(&Operation::PublishFeed("office".into()), "15066f6666696365");
    check(&Operation::PutHook { name: "hive".into(), mapping: "{}".into() }, "160468697665027b7d");
    check(&Operation::DeleteHook("hive".into()), "170468697665");
    check(&Operation::PutImport { name: "drop".into(), profile: "{}".into() }, "180464726f70027b7d");
    check(&Operation::DeleteImport("drop".into()), "190464726f70");
    check(&Operation::AskImport { name: "drop".into(), approved: Some(9) }, "1a0464726f700109");
    let run = ImportRun {
        name: "drop".into(),
        changed: Timestamp(5),
        started: Timestamp(6),
        ended: true,
        run: "{}".into(),
        deed: "x".into(),
    };
    check(&Operation::NoteImport(run), "1b0464726f700a0c01027b7d0178");
    check(
        &Operation::Claim { label: "feed".into(), reports: vec![report("192.0.2.1")] },
        "1c0466656564010000c00002012007426164206775790c3139382e35312e3130302e39000000",
    );
    check(&Operation::Withdraw(vec![ip("192.0.2.0/24")]), "1d010000c000020018");
}

#[test]
fn records_keep_their_bytes() {
    let allow = Allow {
        value: ip("192.0.2.0/24"),
        comment: "office".into(),
        account: "anna".into(),
        time_added: Timestamp(5),
        prevented: 3,
    };
    check(&Record::Settings(settings().into()), "0501102018300101780107010afb201c013c");
    check(
        &Record::NodeAddresses(2, ["2001:db8::7".parse().unwrap()].into()),
        "0602010120010db8000000000000000000000007",
    );
    check(&Record::Allow(allow.into()), "070000c000020018066f666669636504616e6e610a03");
    check(&Record::Tombstone(ip("192.0.2.1"), 9), "080000c00002012009");
    check(&Record::FeedFloor(Kind::Domain, 9), "090109");
    let growth = Growth { since: Timestamp(5), entries: 6, changed: 7 };
    check(&Record::Growth("anna".into(), growth), "0a04616e6e610a0607");
    let deed = Deed {
        time: Timestamp(5),
        account: "anna".into(),
        address: "10.0.0.7".into(),
        action: Action::Removed,
        subjects: vec![Subject::Value(ip("192.0.2.1")), Subject::Name("x".into())],
        detail: "why".into(),
    };
    check(
        &Record::Audit(Class::Decisions, 9, 1, vec![deed].into()),
        "0b010901010a04616e6e610831302e302e302e370102000000c00002012001017803776879",
    );
    check(&Record::AuditForgotten(Class::Reports, 9), "0c0009");
    let key = AnswerKey { account: "anna".into(), key: [1; 16], part: 2 };
    let refusal = Refusal::KeyReused("no".into());
    let given = Given::Lines(vec![(3, Line::Added), (1, Line::Refused(refusal))]);
    let answer = Answer { request: [2; 16], time: Timestamp(5), given };
    check(
        &Record::Answer(key.clone().into(), answer.into()),
        "0d04616e6e610101010101010101010101010101010102020202020202020202020202020202020a00020300010404026e6f",
    );
    let answer = Answer { request: [2; 16], time: Timestamp(5), given: Given::Done };
    check(
        &Record::Answer(key.into(), answer.into()),
        "0d04616e6e610101010101010101010101010101010102020202020202020202020202020202020a01",
    );
    let feed = NamedFeed {
        name: "office".into(),
        profile: profile(),
        account: "anna".into(),
        changed: Timestamp(5),
        published: Published { index: 9, time: Timestamp(6), count: 7 },
        frozen: Some(Frozen { index: 10, time: Timestamp(7), kept: 8, found: 3 }),
    };
    check(
        &Record::Feed(feed.into()),
        "0e066f666669636501076c696d69743d350363737603776879011404616e6e610a090c07010a0e0803",
    );
    let hook =
        Hook { name: "hive".into(), mapping: "{}".into(), account: "root".into(), changed: Timestamp(5) };
    check(&Record::Hook(hook.into()), "0f0468697665027b7d04726f6f740a");
    let import = Import {
        name: "drop".into(),
        profile: "{}".into(),
        account: "root".into(),
        changed: Timestamp(5),
        asked: Some(Timestamp(6)),
        approved: Some(7),
        run: "[]".into(),
    };
    check(&Record::Import(import.into()), "100464726f70027b7d04726f6f740a010c0107025b5d");
    let modified = Modified::next(None, Timestamp(5_000), false);
    let modified = Modified::next(Some(modified), Timestamp(6_999), false);
    check(&Record::Modified(Kind::Domain, modified), "11010c01");
}

#[test]
fn actions_keep_their_numbers() {
    for (action, number) in Action::ALL.into_iter().zip(0..) {
        let bytes = codec::encode(Content::Record, &action).unwrap();
        assert_eq!(bytes[3..], [number], "{action}");
    }
}
