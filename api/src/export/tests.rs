//! What was kept and brought up to date is what would be written anew, whatever happened to the list: byte for byte
//! and tag for tag, in every format.

use std::io::Read;
use std::sync::Arc;

use axum::http::HeaderMap;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use raft::Picture;
use raft::blocklist::{Kind, NewAllow, Observable, Operation, Report};

use super::coding::Coding;
use super::{Export, Recipe};
use crate::format::{self, Row, Shape};
use crate::list::samples::Desk;
use crate::list::{Page, Rendering};
use crate::parameters::Parameters;

/// Addresses that stand among, in and around each other.
const ADDRESSES: usize = 48;
const DOMAINS: [&str; 12] = [
    "evil.example",
    "a.evil.example",
    "b.a.evil.example",
    "worse.example",
    "www.worse.example",
    "example.org",
    "mail.example.org",
    "x.example.net",
    "y.example.net",
    "z.example.net",
    "one.example.com",
    "two.example.com",
];
/// Questions for lists of addresses, besides every format alone.
const QUERIES: [&str; 16] = [
    "format=txt&family=4",
    "format=nft&family=6&timeout=1h",
    "format=txt&hosts_only=1",
    "format=json&shard=1/3",
    "format=csv&tag=scan",
    "format=csv&fields=value",
    "format=xml&min_sightings=1&fields=value,comment,tags,expires,index",
    "format=txt&comments=inline",
    "format=ipset&comments=inline",
    "format=mikrotik&family=6&comments=inline",
    "format=txt&if_empty=sentinel&tag=scan&min_sources=2",
    "format=txt&limit=7",
    "format=txt&aggregate=1",
    "format=txt&expand=28",
    "format=json&sort=-value",
    "format=rbldnsd&family=6",
];

fn address(number: usize) -> Observable {
    let text = match number % 8 {
        0 => format!("198.51.{}.0/24", number / 8),
        1 => format!("198.51.{}.64/26", number / 8),
        2 => format!("2001:db8:{}::/48", number / 8),
        3 => format!("2001:db8:{}::1", number / 8),
        _ => format!("198.51.{}.{}", number / 8, 63 + number % 8),
    };
    Observable::parse(Kind::Ip, &text).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Add(Observable, &'static str, bool),
    Delete(Observable),
    Allow(Observable),
    Disallow(Observable),
    /// The clock goes on, and what is due leaves.
    Expire,
    /// Somebody asks.
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = || {
        prop_oneof![
            4 => (0..ADDRESSES).prop_map(address),
            1 => select(&DOMAINS[..]).prop_map(|text| Observable::parse(Kind::Domain, text).unwrap()),
        ]
    };
    let comment = select(&["", "ssh scan", "\"; }\n0.0.0.0/0 <x>&,", "=cmd"][..]);
    let step = prop_oneof![
        12 => (value(), comment, any::<bool>()).prop_map(|(value, comment, short)| Step::Add(value, comment, short)),
        5 => value().prop_map(Step::Delete),
        1 => value().prop_map(Step::Allow),
        1 => value().prop_map(Step::Disallow),
        1 => proptest::prelude::Just(Step::Expire),
        4 => proptest::prelude::Just(Step::Look),
    ];
    vec(step, 1..80)
}

/// A list, and how often something was done to it.
#[derive(Default)]
struct World {
    desk: Desk,
    steps: i64,
}

impl World {
    fn run(&mut self, step: &Step) {
        self.steps += 1;
        // Time goes by, from an hour ago on.
        let ago = 3600 - self.steps;
        let operation = match step {
            Step::Add(value, comment, short) => Operation::Add(vec![Report {
                value: value.clone(),
                comment: (*comment).into(),
                source: if *short { "ids-1".into() } else { "ids-2".into() },
                ttl: short.then_some(20),
                tags: if comment.is_empty() { [].into() } else { ["scan".into()].into() },
                seen: None,
            }]),
            Step::Delete(value) => Operation::Delete(vec![value.clone()]),
            Step::Allow(value) => {
                Operation::AllowAdd(vec![NewAllow { value: value.clone(), comment: "".into() }])
            }
            Step::Disallow(value) => Operation::AllowDelete(vec![value.clone()]),
            Step::Expire => Operation::Expire,
            Step::Look => return,
        };
        let account = if matches!(step, Step::Expire) { "" } else { "anna" };
        self.desk.run(ago, account, operation);
    }

    fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        picture.list = self.desk.list.clone();
        picture.index = u64::MAX;
        picture
    }
}

pub(super) fn recipe(kind: Kind, query: &str) -> Option<Arc<Recipe>> {
    let parameters = Parameters::parse(Some(query), &Rendering::WORDS).unwrap();
    Rendering::read(kind, &parameters, &HeaderMap::new()).ok().map(|rendering| rendering.recipe)
}

/// Every format for every kind it holds, and more questions.
fn recipes() -> Vec<Arc<Recipe>> {
    let plain = format::ALL.iter().flat_map(|format| {
        let query = format!("format={}", format.name());
        [Kind::Ip, Kind::Domain].into_iter().filter_map(move |kind| recipe(kind, &query))
    });
    let more = QUERIES.iter().map(|query| recipe(Kind::Ip, query).unwrap());
    plain.chain(more).collect()
}

fn bytes(export: &Export, coding: Coding) -> Vec<u8> {
    let bytes: Vec<u8> = export.coded(coding).flatten().copied().collect();
    assert_eq!(bytes.len() as u64, export.length_in(coding), "the length is known");
    bytes
}

/// The whole list, by nothing that knows of chunks.
fn written_plainly(recipe: &Recipe, picture: &Picture) -> (Vec<u8>, usize, usize) {
    let Page { mut rows, skipped, .. } = recipe.query.page(&picture.list);
    let shape = Shape { version: picture.list.last_changed(recipe.query.kind), ..recipe.shape.clone() };
    let found = rows.len();
    rows.retain(|row: &Row<'_>| recipe.format.holds(&row.value, &shape));
    let (count, mut out) = (rows.len(), Vec::new());
    recipe.format.render(&mut rows.into_iter(), &shape, &mut out);
    (out, count, skipped + found - count)
}

#[track_caller]
fn check(recipe: &Recipe, kept: &Export, picture: &Picture) {
    let anew = recipe.write(picture);
    let text = bytes(kept, Coding::Identity);
    let name = recipe.format.name();
    let (plain, count, skipped) = written_plainly(recipe, picture);
    assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&plain), "{name}");
    assert_eq!(kept.length, text.len() as u64, "{name}");
    assert_eq!((kept.count, kept.skipped), (count, skipped), "{name}");
    assert_eq!(bytes(&anew, Coding::Identity), text, "{name}");
    assert_eq!(anew.digest, kept.digest, "{name}: the same list, the same tag");
    assert_eq!(anew.chunks.len(), kept.chunks.len(), "{name}");
    for coding in [Coding::Gzip, Coding::Zstd] {
        assert_eq!(bytes(&anew, coding), bytes(kept, coding), "{name}: the same bytes in {coding:?}");
    }
    let (zipped, mut found) = (bytes(kept, Coding::Gzip), Vec::new());
    flate2::read::GzDecoder::new(zipped.as_slice()).read_to_end(&mut found).unwrap();
    assert_eq!(found, text, "{name}");
    let zstd = bytes(kept, Coding::Zstd);
    assert_eq!(zstd::stream::decode_all(zstd.as_slice()).unwrap(), text, "{name}");
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]
    #[test]
    fn an_export_brought_up_to_date_is_the_export_written_anew(steps in steps()) {
        let mut world = World::default();
        let recipes = recipes();
        let mut kept: Vec<Export> = recipes.iter().map(|recipe| recipe.write(&world.picture())).collect();
        for step in steps.iter().chain([&Step::Look]) {
            world.run(step);
            if !matches!(step, Step::Look) {
                continue;
            }
            let picture = world.picture();
            for (recipe, export) in recipes.iter().zip(&mut kept) {
                *export = recipe.rewrite(export, &picture);
                check(recipe, export, &picture);
            }
        }
    }
}

#[test]
fn a_change_writes_the_chunk_that_it_is_in_and_no_other() {
    let mut world = World::default();
    for number in 0..ADDRESSES {
        world.run(&Step::Add(address(number), "", false));
    }
    let recipe = recipe(Kind::Ip, "format=txt").unwrap();
    let before = recipe.write(&world.picture());
    assert!(before.chunks.len() > 5, "{} chunks", before.chunks.len());
    world.run(&Step::Delete(address(13)));
    let after = recipe.rewrite(&before, &world.picture());
    let kept = |chunk: &&super::chunk::Chunk| {
        before.chunks.starting_at(0).any(|known| Arc::ptr_eq(&known.texts, &chunk.texts))
    };
    let kept = after.chunks.starting_at(0).filter(kept).count();
    assert!(kept + 2 >= before.chunks.len(), "{kept} of {} are those of before", before.chunks.len());
    assert_ne!(before.digest, after.digest);
    let groups: Vec<_> = before.chunks.digests().collect();
    let known = after.chunks.digests().filter(|digest| groups.contains(digest)).count();
    assert!(known > 1 && known + 2 >= groups.len(), "{known} of {} groups are those of before", groups.len());

    world.run(&Step::Add(address(5), "", false));
    let sighted = recipe.rewrite(&after, &world.picture());
    assert_eq!(sighted.digest, after.digest, "plain lines show no sighting");
}
