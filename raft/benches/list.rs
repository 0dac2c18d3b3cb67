//! What the list costs by itself: no disk, no network, no agreement. `scripts/bench --micro` runs it.

mod support;

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use divan::{Bencher, black_box};
use raft::blocklist::{Kind, Observable};
use support::{Filled, host, report};

const HOSTS: u32 = 1_000_000;
const NETWORKS: u32 = 100_000;
/// Batches between a follower and the list it is close behind.
const BEHIND: u32 = 10;
/// Rows of an export that are written together.
const CHUNK: u32 = 2_048;

/// A million hosts, and a hundred thousand networks of 24 to 29 bits, half of them among the hosts.
static LIST: LazyLock<Filled> = LazyLock::new(|| {
    let mut filled = Filled::default();
    filled.add_hosts(HOSTS, 1);
    for number in 0..NETWORKS {
        filled.add(vec![report(network(number), number, number)]);
    }
    assert_eq!(filled.list.count(Kind::Ip), (HOSTS + NETWORKS) as usize);
    filled
});

fn main() {
    divan::main();
}

/// Networks from 80.0.0.0 on, one in each /24.
fn network(number: u32) -> Observable {
    let prefix = 24 + number % 6;
    parse(Kind::Ip, &format!("{}/{prefix}", Ipv4Addr::from((80 << 24) + (number << 8))))
}

fn parse(kind: Kind, text: &str) -> Observable {
    Observable::parse(kind, text).expect("the benchmarks hold valid values")
}

const TEXTS: [(Kind, &str); 9] = [
    (Kind::Ip, "45.146.164.110"),
    (Kind::Ip, "45.146.164.0/24"),
    (Kind::Ip, "2a02:6b8:0:0:0:0:2:242"),
    (Kind::Domain, "Login.Example-Bank.co.uk"),
    (Kind::Domain, "bücher.example"),
    (Kind::Url, "http://login.example-bank.co.uk/session/index.php?id=17"),
    (Kind::Hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (Kind::Email, "Billing.Office@example-bank.co.uk"),
    (Kind::Username, "administrator"),
];

#[divan::bench(args = TEXTS.map(|(_, text)| text))]
fn parse_one(bencher: Bencher<'_, '_>, text: &str) {
    let kind = TEXTS.iter().find(|(_, known)| *known == text).map_or(Kind::Ip, |(kind, _)| *kind);
    bencher.bench(|| parse(kind, black_box(text)));
}

/// New hosts into the million, by a list of which a still picture is held, as a node holds one.
#[divan::bench(args = [1, 64, 512], sample_count = 50, sample_size = 4)]
fn apply_adds(bencher: Bencher<'_, '_>, adds: u32) {
    let mut first = HOSTS;
    let inputs = move || {
        first += adds;
        let filled = LIST.clone();
        let reports = (first..first + adds).map(|number| report(host(number), number, number)).collect();
        let batch = filled.next_batch(reports);
        (filled, batch)
    };
    bencher.counter(adds).with_inputs(inputs).bench_local_values(|(mut filled, batch)| {
        let applied = filled.list.apply(filled.applied + 1, &batch);
        (filled, applied)
    });
}

/// The entry of a host, and the networks around it.
fn look_up(bencher: Bencher<'_, '_>, value: impl Fn(u32) -> Observable, hits: bool) {
    let list = &LIST.list;
    let values: Vec<Observable> = (0..65_536).map(value).collect();
    let found = |value: &Observable| list.get(value).is_some() || !list.containing(value).is_empty();
    assert!(values.iter().all(|value| found(value) == hits), "the benchmark looks up what it says");
    let mut values = values.iter().cycle();
    bencher.bench_local(move || {
        let value = values.next();
        value.map(|value| (list.get(black_box(value)), list.containing(black_box(value))))
    });
}

#[divan::bench(sample_size = 1000)]
fn look_up_listed_host(bencher: Bencher<'_, '_>) {
    look_up(bencher, |number| host(number.wrapping_mul(12_289) % HOSTS), true);
}

#[divan::bench(sample_size = 1000)]
fn look_up_host_in_listed_network(bencher: Bencher<'_, '_>) {
    let inside = |number: u32| (80 << 24) + ((number.wrapping_mul(12_289) % NETWORKS) << 8) + 3;
    look_up(bencher, move |number| Observable::host(Ipv4Addr::from(inside(number)).into()), true);
}

#[divan::bench(sample_size = 1000)]
fn look_up_unlisted_host(bencher: Bencher<'_, '_>) {
    let outside = |number: u32| (150 << 24) + number.wrapping_mul(251);
    look_up(bencher, move |number| Observable::host(Ipv4Addr::from(outside(number)).into()), false);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn export_all(bencher: Bencher<'_, '_>) {
    let list = &LIST.list;
    bencher
        .counter(HOSTS + NETWORKS)
        .bench(|| list.exported(Kind::Ip).for_each(|line| drop(black_box(line.value))));
}

/// A follower that lacks the last batches, of one add each.
#[divan::bench]
fn changes_since_close_behind(bencher: Bencher<'_, '_>) {
    let mut filled = LIST.clone();
    let since = filled.applied;
    for number in HOSTS..HOSTS + BEHIND {
        filled.add(vec![report(host(number), number, number)]);
    }
    bencher.bench(|| filled.list.changes_since(Kind::Ip, black_box(since)).map(|feed| feed.added.len()));
}

/// What an export that was written before the last batches has to write anew: which lines, and a chunk of them.
#[divan::bench]
fn export_after_a_change(bencher: Bencher<'_, '_>) {
    let mut filled = LIST.clone();
    let since = filled.applied;
    for number in HOSTS..HOSTS + BEHIND {
        filled.add(vec![report(host(number), number, number)]);
    }
    let from = host(HOSTS / 2);
    let exporting = filled.list.exporting(Kind::Ip, |_| true);
    let cuts = exporting.cuts.clone();
    let to = exporting.between(Some(&from), None).nth(CHUNK as usize).map(|line| line.value);
    bencher.counter(CHUNK).bench(|| {
        let touched =
            filled.list.lines_touched_since(Kind::Ip, black_box(since)).map(|touched| touched.lines.len());
        let exporting = filled.list.exporting_with(Kind::Ip, |_| true, cuts.clone());
        exporting.between(Some(&from), to.as_ref()).for_each(|line| drop(black_box(line.value)));
        touched
    });
}
