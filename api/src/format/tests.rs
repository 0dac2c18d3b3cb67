//! The exact bytes of every format, for nothing, for an entry, and for words that mean harm.

use std::sync::Arc;

use raft::blocklist::{
    Actor, Batch, Command, Entry, Kind, List, Observable, Operation, Origin, Report, Role, Timestamp,
};

use super::{ALL, Field, Row, Shape};

/// Entries of these values, all with one comment.
fn entries(values: &[&str], comment: &str) -> Vec<Arc<Entry>> {
    let report = |value: &&str| Report {
        value: Observable::parse(Kind::Ip, value).unwrap(),
        comment: comment.into(),
        source: "10.0.0.7".into(),
        ttl: None,
        tags: ["a,b".into()].into(),
        seen: None,
    };
    let actor = Actor { account: "anna".into(), role: Role::Analyst, address: "10.0.0.7".into() };
    let operation = Operation::Add(values.iter().map(report).collect());
    let command = Command::new(Timestamp(1_625_292_673_000), actor, operation);
    let origin = Origin { node: 1, incarnation: 1 };
    let mut list = List::default();
    list.apply(4, &Batch { origin, first_sequence: 1, commands: vec![command] });
    list.entries(Kind::Ip).cloned().collect()
}

#[track_caller]
fn check(format: &str, fields: &str, entries: &[Arc<Entry>], expected: &str) {
    let format = ALL.into_iter().find(|known| known.name() == format).unwrap();
    let shape = Shape { fields: Field::parse_list(Some(fields)).unwrap(), ..Shape::default() };
    let mut out = Vec::new();
    format.render(&mut entries.iter().map(Row::from), &shape, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected, "{} {fields}", format.name());
}

#[test]
fn an_empty_list_is_whole_in_every_format() {
    check("csv", "value", &[], "\n");
    check("txt", "", &[], "\n");
    check("csv", "value,comment", &[], "value,comment\n");
    check("json", "", &[], "[]\n");
    check("ndjson", "", &[], "");
    check("xml", "", &[], "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<entries>\n</entries>\n");
}

#[test]
fn an_entry_has_the_fields_and_the_order_of_the_talk() {
    let one = entries(&["45.146.164.110"], "Bad guy");
    let members = "{\"comment\":\"Bad guy\",\"sighting\":0,\"source\":\"10.0.0.7\",\
                   \"time_added\":\"2021-07-03 06:11:13\",\"time_updated\":\"2021-07-03 06:11:13\",\
                   \"type\":\"ip\",\"value\":\"45.146.164.110\"}";
    check("json", "", &one, &format!("[{members}]\n"));
    check("ndjson", "", &one, &format!("{members}\n"));
    check(
        "csv",
        "",
        &one,
        "time_added,time_updated,type,value,sighting,comment,source\n\
         2021-07-03 06:11:13,2021-07-03 06:11:13,ip,45.146.164.110,0,Bad guy,10.0.0.7\n",
    );
    check("json", "sighting", &one, "[{\"sighting\":0}]\n");
    check("txt", "value,index,expires,tags", &one, "45.146.164.110\t4\t\ta,b\n");
    check(
        "json",
        "tags,sources,account,expires",
        &one,
        "[{\"tags\":[\"a,b\"],\"sources\":1,\"account\":\"anna\",\"expires\":null}]\n",
    );
}

#[test]
fn a_list_is_networks_before_hosts_and_ipv4_before_ipv6() {
    let all = entries(&["2001:db8::1", "192.0.2.9", "2001:db8::/48", "198.51.100.0/24", "192.0.2.1"], "");
    let expected = "198.51.100.0/24\n2001:db8::/48\n192.0.2.1\n192.0.2.9\n2001:db8::1\n";
    check("csv", "value", &all, expected);
    check("txt", "", &all, expected);
}

#[test]
fn words_that_mean_harm_stay_words() {
    let evil = entries(&["192.0.2.1"], "=cmd|' /C calc'!A0,\"x\" </entry>]]>&\u{1}");
    check(
        "csv",
        "value,comment",
        &evil,
        "value,comment\n192.0.2.1,\"'=cmd|' /C calc'!A0,\"\"x\"\" </entry>]]>&\u{1}\"\n",
    );
    check("json", "comment", &evil, "[{\"comment\":\"=cmd|' /C calc'!A0,\\\"x\\\" </entry>]]>&\\u0001\"}]\n");
    check(
        "xml",
        "comment",
        &evil,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<entries>\n<entry><comment>=cmd|&apos; /C calc&apos;!A0,\
         &quot;x&quot; &lt;/entry&gt;]]&gt;&amp;</comment></entry>\n</entries>\n",
    );
    let two_lines = entries(&["192.0.2.1"], "one\n0.0.0.0/0\ttwo");
    check("txt", "value,comment", &two_lines, "192.0.2.1\tone 0.0.0.0/0 two\n");
    check("csv", "value,comment", &two_lines, "value,comment\n192.0.2.1,\"one\n0.0.0.0/0\ttwo\"\n");
}
