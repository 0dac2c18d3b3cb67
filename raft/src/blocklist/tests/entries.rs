//! An entry in memory holds what its whole form says.

use std::sync::Arc;

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

use crate::blocklist::sources::Sources;
use crate::blocklist::{Entry, Kind, Observable, Timestamp, WholeEntry};

fn text() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(vec!["", "web01", "anna"]).prop_map(Arc::from)
}

fn whole() -> impl Strategy<Value = WholeEntry> {
    let times = (0..3_i64, 0..3_i64).prop_map(|(added, later)| (Timestamp(added), Timestamp(added + later)));
    let reports = prop::collection::vec((text(), text(), 0..3_i64, text()), 0..4);
    let rare = (any::<bool>(), prop::collection::btree_set(text(), 0..2));
    (times, 0..3_u64, [text(), text(), text(), text()], rare, reports).prop_map(
        |(
            (time_added, time_updated),
            sighting,
            [comment, source, account, import],
            (expires, tags),
            reports,
        )| {
            let mut sources = Sources::default();
            for (name, account, seen, comment) in reports {
                sources.report(&name, &account, Timestamp(seen), comment);
            }
            WholeEntry {
                value: Observable::parse(Kind::Ip, "192.0.2.1").unwrap(),
                time_added,
                time_updated,
                sighting,
                comment,
                source,
                account,
                expires: expires.then_some(time_updated),
                tags,
                sources,
                index: 7,
                listed: 5,
                import,
            }
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_lost(whole in whole()) {
        let entry = Entry::from(whole.clone());
        prop_assert_eq!(WholeEntry::from(&entry), whole.clone());
        let stored_whole = bincode::serialize(&whole).unwrap();
        prop_assert_eq!(bincode::serialize(&entry).unwrap(), stored_whole, "stored as the whole one is");
        prop_assert_eq!(entry.source_count(), whole.sources.len());
        for name in ["", "web01", "anna", "web01 (anna)"] {
            prop_assert_eq!(entry.is_reported_by(name), whole.sources.get(name).is_some());
            prop_assert_eq!(entry.is_reported_for(name), whole.sources.is_of(name));
        }
    }

    #[test]
    fn a_change_is_seen_and_nothing_else(whole in whole(), comment in text()) {
        let mut entry = Entry::from(whole.clone());
        entry.change(|whole| whole.comment = comment.clone());
        prop_assert_eq!(WholeEntry::from(&entry), WholeEntry { comment, ..whole });
    }
}

#[test]
fn one_in_memory_is_small() {
    assert!(size_of::<Entry>() <= 96, "{} bytes", size_of::<Entry>());
}
