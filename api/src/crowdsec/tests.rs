//! What bouncers get, as rows: the decisions of a list, what is news between two lists, and what usage metrics say.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use raft::Picture;
use raft::blocklist::{Network, Observable, Operation, Patch, Report, Timestamp};

use super::bouncer::{takes_at_most, takes_ranges};
use super::cursors::{CURSORS_MAX, Cursors, Mark, Marks};
use super::decision::{Decision, FLOOR_SECONDS, Seconds, announced};
use super::delta::Question;
use super::filter::{Asked, Filter};
use super::usage;
use crate::list::samples::{Desk, NOW, ip};

const DAY: i64 = 24 * 3600;

/// A list that changes, and the pictures of it.
#[derive(Default)]
struct Lab {
    desk: Desk,
    index: u64,
}

impl Lab {
    fn run(&mut self, operation: Operation) {
        self.desk.run(0, "anna", operation);
        self.index += 1;
    }

    fn add(&mut self, value: &str, ttl_seconds: Option<i64>, comment: &str) {
        let report = Report {
            value: ip(value),
            comment: comment.into(),
            source: "ids".into(),
            ttl: ttl_seconds,
            tags: [].into(),
            seen: None,
        };
        self.run(Operation::Add(vec![report]));
    }

    fn delete(&mut self, value: &str) {
        self.desk.delete(value);
        self.index += 1;
    }

    fn allow(&mut self, value: &str) {
        self.desk.allow(value);
        self.index += 1;
    }

    fn unallow(&mut self, value: &str) {
        self.run(Operation::AllowDelete(vec![ip(value)]));
    }

    fn picture(&self) -> Arc<Picture> {
        let mut picture = Picture::default();
        (picture.list, picture.index) = (self.desk.list.clone(), self.index);
        Arc::new(picture)
    }

    /// Where a bouncer is that was told of this list.
    fn mark(&self) -> Mark {
        Mark { index: self.index, time: NOW, picture: Some(self.picture()) }
    }

    fn marks(&self) -> Marks {
        Marks { before: self.mark(), last: self.mark() }
    }
}

/// A bouncer that takes networks.
fn question(query: &str) -> Question {
    let asked = Asked::read(Some(query)).unwrap();
    let startup = asked.get("startup") == Some("true");
    Question {
        filter: Filter::read(&asked).unwrap(),
        ranges: true,
        max: None,
        firewall: false,
        startup,
        now: NOW,
    }
}

/// The firewall bouncer.
fn firewall() -> Question {
    Question { ranges: false, firewall: true, ..question("") }
}

fn texts(values: impl Iterator<Item = Network>) -> Vec<String> {
    values.map(|value| value.to_string()).collect()
}

#[track_caller]
fn check(question: &Question, lab: &Lab, marks: Option<&Marks>, new: &[&str], deleted: &[&str]) {
    let picture = lab.picture();
    let news = question.answer(&picture, marks);
    assert_eq!(texts(news.new.iter().map(|(value, _)| *value)), new, "new");
    assert_eq!(texts(news.deleted.iter().copied()), deleted, "deleted");
    let both = news.new.iter().any(|(value, _)| news.deleted.contains(value));
    assert!(question.firewall || !both, "a value in both arrays");
}

#[test]
fn a_duration_is_in_whole_seconds_and_always_ends_in_them() {
    let rows = [
        (0, "0s"),
        (12, "12s"),
        (3596, "59m56s"),
        (4 * 3600, "4h0m0s"),
        (10_796, "2h59m56s"),
        (596 * 3600, "596h0m0s"),
        (-1, "-1s"),
        (-3601, "-1h0m1s"),
    ];
    for (seconds, text) in rows {
        assert_eq!(Seconds(seconds).to_string(), text, "{seconds}");
    }
}

#[test]
fn a_ban_is_announced_for_a_day_at_least_and_596_hours_at_most() {
    let rows = [
        (Some(60), FLOOR_SECONDS),
        (Some(-60), FLOOR_SECONDS),
        (Some(2 * DAY), 2 * DAY),
        (Some(90 * DAY), 596 * 3600),
        (None, 596 * 3600),
    ];
    for (left, expected) in rows {
        assert_eq!(announced(left.map(|left| NOW.plus_seconds(left)), NOW), expected, "{left:?}");
    }
    assert_eq!(announced(Some(Timestamp::MAX), Timestamp(i64::MIN)), 596 * 3600);
}

#[test]
fn a_decision_has_all_its_fields() {
    let mut lab = Lab::default();
    lab.add("192.0.2.1", Some(10_796 + DAY), "ssh brute force");
    lab.add("2001:DB8:0::/64", None, "line\none\u{7}");
    lab.add("198.51.100.0/24", None, "");
    let written = |value: &str| {
        let Observable::Ip(network) = ip(value) else { panic!() };
        let entry = lab.desk.list.get(&ip(value)).unwrap();
        serde_json::to_string(&Decision::of(network, entry, NOW)).unwrap()
    };
    let rows = [
        (
            "192.0.2.1",
            r#"{"id":1,"origin":"stockade","type":"ban","scope":"Ip","value":"192.0.2.1","duration":"26h59m56s","scenario":"ssh brute force"}"#,
        ),
        (
            "2001:db8::/64",
            r#"{"id":2,"origin":"stockade","type":"ban","scope":"Range","value":"2001:db8::/64","duration":"596h0m0s","scenario":"line one "}"#,
        ),
        (
            "198.51.100.0/24",
            r#"{"id":3,"origin":"stockade","type":"ban","scope":"Range","value":"198.51.100.0/24","duration":"596h0m0s","scenario":"stockade"}"#,
        ),
    ];
    for (value, expected) in rows {
        assert_eq!(written(value), expected);
    }
    let Observable::Ip(network) = ip("192.0.2.1") else { panic!() };
    let ended = serde_json::to_string(&Decision::ended(network, u64::MAX)).unwrap();
    let expected = r#"{"id":9223372036854775807,"origin":"stockade","type":"ban","scope":"Ip","value":"192.0.2.1","duration":"-1s","scenario":"stockade"}"#;
    assert_eq!(ended, expected);
}

#[test]
fn what_is_asked_for_is_what_is_answered() {
    let mut lab = Lab::default();
    lab.add("192.0.2.1", None, "ssh brute force");
    lab.add("198.51.100.0/24", None, "port scan");
    let (both, host, range): (&[&str], &[&str], &[&str]) =
        (&["198.51.100.0/24", "192.0.2.1"], &["192.0.2.1"], &["198.51.100.0/24"]);
    let rows = [
        ("startup=true", both),
        ("startup=true&scopes=Ip%2CRange", both),
        ("startup=true&scopes=ip", host),
        ("startup=true&scope=RANGE", range),
        ("startup=true&scopes=country,as", &[]),
        ("startup=true&scopes=&origins=&scenarios_containing=", both),
        ("startup=true&origins=stockade", both),
        ("startup=true&origins=CAPI,lists", &[]),
        ("startup=true&type=Ban", both),
        ("startup=true&type=captcha", &[]),
        ("startup=true&scenarios_containing=http,SSH", host),
        ("startup=true&scenarios_not_containing=ssh,http", range),
        ("startup=true&value=192.0.2.1", host),
        ("startup=true&ip=198.51.100.7", range),
        ("startup=true&range=198.51.100.128/25", range),
        ("startup=true&range=192.0.2.0/24", &[]),
        ("startup=true&range=192.0.2.0/24&contains=false", host),
        ("startup=true&community_pull=false&additional_pull=false&dedup=false&other=1", both),
    ];
    for (query, expected) in rows {
        eprintln!("{query}");
        check(&question(query), &lab, None, expected, &[]);
    }
    for query in ["ip=notanip", "range=10.0.0.1/8", "ip=%ff"] {
        let read = Asked::read(Some(query)).and_then(|asked| Filter::read(&asked));
        assert!(read.is_err(), "{query}");
    }
}

#[test]
fn a_delta_holds_what_came_and_what_went() {
    let mut lab = Lab::default();
    lab.add("192.0.2.1", None, "a");
    lab.add("192.0.2.2", None, "b");
    let marks = lab.marks();
    check(&question(""), &lab, Some(&marks), &[], &[]);
    lab.add("192.0.2.3", None, "c");
    lab.delete("192.0.2.1");
    check(&question(""), &lab, Some(&marks), &["192.0.2.3"], &["192.0.2.1"]);
    // A sighting changes nothing for a firewall.
    lab.add("192.0.2.2", None, "b");
    check(&question(""), &lab, Some(&marks), &["192.0.2.3"], &["192.0.2.1"]);
    // Of whom only the index is known, he is told of it.
    let by_index = |mark: &Mark| Mark { picture: None, ..mark.clone() };
    let indexed = Marks { before: by_index(&marks.before), last: by_index(&marks.last) };
    check(&question(""), &lab, Some(&indexed), &["192.0.2.2", "192.0.2.3"], &["192.0.2.1"]);
    // What is not known, or starts, gets all, and all that has gone.
    check(&question(""), &lab, None, &["192.0.2.2", "192.0.2.3"], &["192.0.2.1"]);
    check(&question("startup=true"), &lab, Some(&marks), &["192.0.2.2", "192.0.2.3"], &["192.0.2.1"]);
}

#[test]
fn an_answer_is_right_whether_or_not_the_one_before_has_arrived() {
    let mut lab = Lab::default();
    lab.add("192.0.2.1", None, "a");
    let before = lab.mark();
    lab.delete("192.0.2.1");
    lab.add("192.0.2.2", None, "b");
    let marks = Marks { before, last: lab.mark() };
    check(&question(""), &lab, Some(&marks), &["192.0.2.2"], &["192.0.2.1"]);
    // Removed and back: whoever heard of the removal has to hear of the return.
    lab.add("192.0.2.1", None, "a");
    lab.delete("192.0.2.2");
    check(&question(""), &lab, Some(&marks), &["192.0.2.1"], &["192.0.2.2"]);
}

#[test]
fn longer_is_news_and_shorter_is_not() {
    let mut lab = Lab::default();
    let hours = |hours: i64| Some(hours * 3600);
    lab.add("192.0.2.1", hours(2), "a");
    lab.add("192.0.2.2", hours(200), "b");
    let marks = lab.marks();
    lab.add("192.0.2.1", hours(4), "a");
    lab.add("192.0.2.2", hours(100), "b");
    check(&question(""), &lab, Some(&marks), &["192.0.2.1"], &[]);
    // Four hours are within the day that it was announced for.
    check(&firewall(), &lab, Some(&marks), &["192.0.2.1"], &[]);
    // Beyond that day the firewall has to begin the ban again: it would skip what it has.
    lab.add("192.0.2.1", hours(40), "a");
    check(&question(""), &lab, Some(&marks), &["192.0.2.1"], &[]);
    check(&firewall(), &lab, Some(&marks), &["192.0.2.1"], &["192.0.2.1"]);
    let before = Mark { picture: None, ..marks.before.clone() };
    let indexed = Marks { last: before.clone(), before };
    check(&firewall(), &lab, Some(&indexed), &["192.0.2.1", "192.0.2.2"], &["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn what_is_allowed_is_ended_and_comes_back() {
    let mut lab = Lab::default();
    lab.add("192.0.2.0/30", None, "a");
    lab.add("198.51.100.1", None, "b");
    let marks = lab.marks();
    lab.allow("192.0.2.1");
    lab.allow("198.51.100.1");
    let pieces = ["192.0.2.2/31", "192.0.2.0"];
    check(&question(""), &lab, Some(&marks), &pieces, &["192.0.2.0/30", "198.51.100.1"]);
    check(&question(""), &lab, None, &pieces, &["192.0.2.0/30", "198.51.100.1"]);
    check(&firewall(), &lab, Some(&marks), &[], &["192.0.2.1", "198.51.100.1"]);
    let marks = lab.marks();
    lab.unallow("192.0.2.1");
    lab.unallow("198.51.100.1");
    check(&question(""), &lab, Some(&marks), &["192.0.2.0/30", "198.51.100.1"], &pieces);
    check(&firewall(), &lab, Some(&marks), &["192.0.2.1", "198.51.100.1"], &[]);
}

#[test]
fn networks_are_written_out_for_a_firewall_that_takes_none() {
    let mut lab = Lab::default();
    lab.add("192.0.2.0/30", None, "a");
    lab.add("192.0.2.1", Some(60), "b");
    lab.add("198.51.0.0/16", None, "too wide");
    lab.add("2001:db8::/126", None, "c");
    let v4 = ["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let v6 = ["2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"];
    let all: Vec<&str> = v4.into_iter().chain(v6).collect();
    check(&firewall(), &lab, None, &all, &[]);
    let (picture, question) = (lab.picture(), firewall());
    let news = question.answer(&picture, None);
    assert_eq!(news.too_wide, 1);
    let of_both = news.new.iter().find(|(value, _)| value.to_string() == "192.0.2.1").unwrap();
    assert_eq!(&*of_both.1.comment, "a", "the entry that holds longer");

    // An address that another entry still blocks does not end.
    let marks = lab.marks();
    lab.delete("192.0.2.1");
    check(&firewall(), &lab, Some(&marks), &[], &[]);
    lab.add("192.0.2.1", None, "b");
    lab.delete("192.0.2.0/30");
    check(&firewall(), &lab, Some(&marks), &[], &["192.0.2.0", "192.0.2.2", "192.0.2.3"]);

    let rows = [
        ("crowdsec-firewall-bouncer/-", "/v1/decisions/stream", false),
        ("crowdsec-firewall-bouncer/v0.0.34", "/crowdsec/v1/decisions/stream", false),
        ("crowdsec-firewall-bouncer/-", "/crowdsec/ranges/v1/decisions/stream", true),
        ("crowdsec-custom-bouncer/-", "/v1/decisions/stream", true),
        ("", "/v1/decisions/stream", true),
    ];
    for (agent, path, ranges) in rows {
        assert_eq!(takes_ranges(agent, path), ranges, "{agent} {path}");
    }
}

#[test]
fn a_firewall_that_takes_so_many_has_those_reported_last() {
    let two = Question { max: Some(2), ..question("") };
    let mut lab = Lab::default();
    let report = |lab: &mut Lab, hours_ago: i64, value: &str| {
        lab.desk.add(hours_ago * 3600, "anna", value, "ids", &[]);
        lab.index += 1;
    };
    for (hours_ago, value) in [(9, "192.0.2.1"), (8, "192.0.2.2"), (7, "192.0.2.3")] {
        report(&mut lab, hours_ago, value);
    }
    check(&two, &lab, None, &["192.0.2.2", "192.0.2.3"], &["192.0.2.1"]);
    let starts = Question { max: Some(2), ..question("startup=true") };
    check(&starts, &lab, None, &["192.0.2.2", "192.0.2.3"], &[]);
    assert_eq!(two.answer(&lab.picture(), None).beyond, 1);
    let marks = lab.marks();
    check(&two, &lab, Some(&marks), &[], &[]);
    // What is reported again comes in, and makes room.
    report(&mut lab, 6, "192.0.2.1");
    check(&two, &lab, Some(&marks), &["192.0.2.1"], &["192.0.2.2"]);
    // What goes lets another one in.
    let marks = lab.marks();
    lab.delete("192.0.2.3");
    check(&two, &lab, Some(&marks), &["192.0.2.2"], &["192.0.2.3"]);

    let rows = [
        ("/v1/decisions/stream", Ok(None)),
        ("/crowdsec/max/20000/v1/decisions/stream", Ok(Some(20_000))),
        ("/crowdsec/ranges/max/7/v1/decisions/stream", Ok(Some(7))),
        ("/crowdsec/max/0/v1/decisions/stream", Err(())),
        ("/crowdsec/max/many/v1/decisions/stream", Err(())),
    ];
    for (path, expected) in rows {
        assert_eq!(takes_at_most(path).map_err(drop), expected, "{path}");
    }
}

#[test]
fn of_what_was_reported_in_one_millisecond_the_log_tells_which_is_last() {
    let two = Question { max: Some(2), ..question("") };
    let mut lab = Lab::default();
    for value in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        lab.add(value, None, "");
    }
    check(&two, &lab, None, &["192.0.2.2", "192.0.2.3"], &["192.0.2.1"]);
    let marks = lab.marks();
    lab.add("192.0.2.1", None, "");
    check(&two, &lab, Some(&marks), &["192.0.2.1"], &["192.0.2.2"]);
}

#[test]
fn a_comment_that_is_not_asked_for_any_more_ends_the_decision() {
    let mut lab = Lab::default();
    lab.add("192.0.2.1", None, "ssh");
    let marks = lab.marks();
    let patch = Patch { value: ip("192.0.2.1"), comment: Some("http".into()), tags: None, expires: None };
    lab.run(Operation::Patch(patch));
    check(&question("scenarios_containing=ssh"), &lab, Some(&marks), &[], &["192.0.2.1"]);
    check(&question("scenarios_containing=http"), &lab, Some(&marks), &["192.0.2.1"], &[]);
}

#[test]
fn within_a_week_everything_lasting_is_announced_again_once() {
    let mut lab = Lab::default();
    for last in 1..=100 {
        lab.add(&format!("192.0.2.{last}"), None, "for ever");
    }
    lab.add("198.51.100.1", Some(3600), "for an hour");
    let picture = lab.picture();
    let mut marks = lab.marks();
    let mut told = Vec::new();
    for hour in 1..=7 * 24 {
        let question = Question { now: NOW.plus_seconds(hour * 3600), ..firewall() };
        let news = question.answer(&picture, Some(&marks));
        let new: BTreeSet<Network> = news.new.iter().map(|(value, _)| *value).collect();
        assert_eq!(new, news.deleted, "the firewall begins them anew");
        assert!(new.len() < 20, "a part of the list at a time: {}", new.len());
        told.extend(new);
        marks.before.time = question.now;
    }
    let once: BTreeSet<&Network> = told.iter().collect();
    assert_eq!((told.len(), once.len()), (100, 100));
}

#[test]
fn a_cursor_is_the_answer_before_the_last() {
    let cursors = Cursors::default();
    let start = Instant::now();
    let mark = |index: u64| Mark { index, time: NOW, picture: Some(Arc::default()) };
    let known =
        |bouncer: u8| cursors.marks(&[bouncer; 32]).map(|marks| (marks.before.index, marks.last.index));
    assert_eq!(known(1), None);
    // Told all without having asked: it gets all once more.
    cursors.told([1; 32], mark(5), false, start);
    assert_eq!(known(1), None);
    cursors.told([1; 32], mark(6), false, start);
    assert_eq!(known(1), Some((5, 6)));
    // Whoever asks for all asks again when it was lost.
    cursors.told([1; 32], mark(9), true, start);
    assert_eq!(known(1), Some((9, 9)));
    cursors.told([1; 32], mark(11), false, start);
    assert_eq!(known(1), Some((9, 11)));

    // A list is not kept for those who do not come.
    let late = start + Duration::from_secs(901);
    cursors.told([2; 32], mark(12), true, late);
    let marks = cursors.marks(&[1; 32]).unwrap();
    assert!(marks.before.picture.is_none() && marks.last.picture.is_none());
    assert!(cursors.marks(&[2; 32]).unwrap().last.picture.is_some());

    for number in 0..CURSORS_MAX as u64 {
        let mut key = [9; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        cursors.told(key, mark(20), true, late + Duration::from_secs(1));
    }
    assert_eq!(cursors.count(), CURSORS_MAX);
    assert_eq!((known(1), known(2)), (None, None), "the oldest have gone");
}

#[test]
fn usage_metrics_are_read_as_bouncers_send_them() {
    let sample = r#"{"remediation_components":[{"type":"crowdsec-firewall-bouncer","version":"v0.0.34","os":{"name":"debian","version":"12","family":"debian"},"feature_flags":[],"utc_startup_timestamp":1700000000,"metrics":[{"meta":{"window_size_seconds":900,"utc_now_timestamp":1700000900},"items":[{"name":"dropped","value":42,"unit":"packet","labels":{"origin":"stockade","ip_type":"ipv4"}},{"name":"dropped","value":8,"unit":"packet","labels":{"origin":"stockade","ip_type":"ipv6"}},{"name":"active_decisions","value":3,"unit":"ip"}]}]}],"log_processors":null}"#;
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(sample.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    for (body, gzip) in [(sample.as_bytes(), false), (&packed, true)] {
        let said = usage::read(body, gzip).unwrap().unwrap();
        assert_eq!((&*said.component, &*said.version), ("crowdsec-firewall-bouncer", "v0.0.34"));
        let figures: Vec<_> = said.figures.iter().map(|one| (&*one.name, &*one.unit, one.value)).collect();
        assert_eq!(figures, [("dropped", "packet", 50.0), ("active_decisions", "ip", 3.0)]);
    }
    for nothing in ["{}", r#"{"remediation_components":null}"#, r#"{"remediation_components":[]}"#] {
        assert_eq!(usage::read(nothing.as_bytes(), false).unwrap(), None, "{nothing}");
    }
    let bomb = {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&vec![b' '; 8 << 20]).unwrap();
        packer.finish().unwrap()
    };
    let refused: [(&[u8], bool); 5] =
        [(b"", false), (b"7", false), (b"{", false), (sample.as_bytes(), true), (&bomb, true)];
    for (body, gzip) in refused {
        assert!(usage::read(body, gzip).is_err(), "{}", String::from_utf8_lossy(&body[..body.len().min(20)]));
    }
}

/// Hosts and networks around each other, so that all that can overlap does.
const VALUES: [&str; 9] = [
    "192.0.2.0/29",
    "192.0.2.0/30",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.5",
    "198.51.100.0/31",
    "198.51.100.1",
    "2001:db8::/127",
    "2001:db8::1",
];

proptest! {
    /// Whatever happens to the list, and whichever answer is lost: whoever gets the next one has the list.
    #[test]
    fn an_answer_that_arrives_brings_a_bouncer_up_to_date(
        steps in vec((0..6_u8, 0..VALUES.len(), 0..3_i64, 0..8_u8), 1..60),
        is_firewall in any::<bool>(),
        max in 0..5_usize,
    ) {
        let max = (max > 0).then_some(max);
        let question = Question { max, ..if is_firewall { firewall() } else { question("") } };
        let mut lab = Lab::default();
        let mut held: BTreeSet<Network> = BTreeSet::new();
        let mut marks = lab.marks();
        let mut arrived = true;
        for (what, value, days, luck) in steps {
            let value = VALUES[value];
            match what {
                0..=2 => lab.add(value, Some(days * 2 * DAY), "a"),
                3 => lab.delete(value),
                4 => lab.allow(value),
                _ => lab.unallow(value),
            }
            let picture = lab.picture();
            // Now and then the lists are not kept any more, or the node is another one.
            if luck == 0 {
                marks.before.picture = None;
                marks.last.picture = None;
            }
            let news = question.answer(&picture, Some(&marks).filter(|_| luck != 1));
            // One answer may be lost, and not two in a row.
            let arrives = luck != 2 || !arrived;
            arrived = arrives;
            if arrives {
                held.retain(|value| !news.deleted.contains(value));
                held.extend(news.new.iter().map(|(value, _)| *value));
                let all = question.answer(&picture, None).new;
                let expected: BTreeSet<Network> = all.iter().map(|(value, _)| *value).collect();
                // Pieces of a network that was cut are known from the lists that a node has kept alone; a
                // bouncer that comes from elsewhere may hold them a while longer, within what was listed.
                prop_assert!(expected.is_subset(&held), "{held:?} lacks some of {expected:?}");
                prop_assert!(max.is_none_or(|max| expected.len() <= max));
                if luck > 1 {
                    prop_assert_eq!(&held, &expected);
                }
                held = expected;
            }
            marks = Marks { before: marks.last, last: lab.mark() };
        }
    }
}
