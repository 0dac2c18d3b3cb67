//! The stored bytes of what came after the first form of the log: enums grow at their end, so an older
//! variant keeps its number. Never change these lines.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fixtures::{ip, report};
use crate::blocklist::{
    Allow, ClusterSettings, Growth, GrowthBrake, Kind, NewAllow, Operation, Patch, Record, Timestamp,
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
        ..ClusterSettings::default()
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
    check(&Operation::PutSettings(settings()), "0901102018300101780107010afb201c");
    check(&Operation::PutNodeAddresses { node: 2, addresses }, "0a020100c0000207");
    check(&Operation::Expire, "0b");
    check(
        &Operation::Sight(vec![report("192.0.2.1")]),
        "0c010000c00002012007426164206775790c3139382e35312e3130302e39000000",
    );
    check(&Operation::Patch(patch), "0d0000c00002012001037373680101047363616e0100");
    check(&Operation::AllowAdd(vec![allow]), "0e010000c000020018066f6666696365");
    check(&Operation::AllowDelete(vec![ip("192.0.2.0/24")]), "0f010000c000020018");
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
    check(&Record::Settings(settings()), "0501102018300101780107010afb201c");
    check(
        &Record::NodeAddresses(2, ["2001:db8::7".parse().unwrap()].into()),
        "0602010120010db8000000000000000000000007",
    );
    check(&Record::Allow(allow.into()), "070000c000020018066f666669636504616e6e610a03");
    check(&Record::Tombstone(ip("192.0.2.1"), 9), "080000c00002012009");
    check(&Record::FeedFloor(Kind::Domain, 9), "090109");
    check(&Record::Growth(Growth { since: Timestamp(5), entries: 6, added: 7 }), "0a0a0607");
}
