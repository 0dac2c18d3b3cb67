//! What of a list can be asked for, in which order, and page by page; the same on every node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stockade_tests::{Answer, Cli, Client, TestCluster, wait_for};

const NETWORK: &str = "198.51.100.0/24";
const FIRST: &str = "203.0.113.7";
const SECOND: &str = "203.0.113.9";
const SIX: &str = "2001:db8::7";

/// Four entries, written through every node by two accounts. They were listed in the order of the names above;
/// then the first was sighted once, by another source, and the second twice.
fn filled() -> TestCluster {
    let mut cluster = TestCluster::start(3);
    cluster.register("probe", "sensor");
    let add = |node: usize, account: &str, value: &str, source: &str, tags: Value, status: u16| {
        let body = json!({"ip": value, "source": source, "tags": tags});
        let index = cluster.client(node, account).post("/ip/add", &body).expect(status).index();
        cluster.wait_applied(index);
        let written = SystemTime::now();
        wait_for("the clock has moved by a millisecond", Duration::from_secs(5), || {
            (written.elapsed().unwrap_or_default() > Duration::from_millis(1)).then_some(())
        });
    };
    add(0, "analyst", NETWORK, "firewall", json!([]), 201);
    add(1, "analyst", FIRST, "ids-1", json!(["scan", "ssh"]), 201);
    add(2, "probe", SECOND, "ids-2", json!(["scan"]), 201);
    add(0, "probe", SIX, "ids-1", json!(["ssh"]), 201);
    add(2, "probe", FIRST, "ids-2", json!([]), 200);
    add(0, "probe", SECOND, "ids-2", json!([]), 200);
    add(1, "probe", SECOND, "ids-2", json!([]), 200);
    cluster.wait_level();
    cluster
}

#[test]
fn every_filter_and_every_order_is_the_same_on_every_node() {
    let cluster = filled();
    let rows: [(&str, &[&str]); 26] = [
        ("", &[NETWORK, FIRST, SECOND, SIX]),
        ("family=4", &[NETWORK, FIRST, SECOND]),
        ("family=6", &[SIX]),
        ("min_sightings=0", &[NETWORK, FIRST, SECOND, SIX]),
        ("min_sightings=1", &[FIRST, SECOND]),
        ("min_sightings=2", &[SECOND]),
        ("min_sightings=3", &[]),
        ("min_sources=2", &[FIRST]),
        ("seen_within=1h", &[NETWORK, FIRST, SECOND, SIX]),
        ("tag=scan", &[FIRST, SECOND]),
        ("tag=scan,ssh", &[FIRST, SECOND, SIX]),
        ("tag=scan&tag=ssh", &[FIRST, SECOND, SIX]),
        ("tag=other", &[]),
        ("source=ids-1", &[FIRST, SIX]),
        ("source=ids-2", &[FIRST, SECOND]),
        ("added_by=probe", &[SECOND, SIX]),
        ("added_by=analyst&tag=ssh&min_sources=2&seen_within=1d", &[FIRST]),
        ("added_by=analyst&tag=ssh&min_sources=2&family=6", &[]),
        ("sort=value", &[NETWORK, FIRST, SECOND, SIX]),
        ("sort=-value", &[SIX, SECOND, FIRST, NETWORK]),
        ("sort=time_added", &[NETWORK, FIRST, SECOND, SIX]),
        ("sort=-time_added", &[SIX, SECOND, FIRST, NETWORK]),
        ("sort=time_updated", &[NETWORK, SIX, FIRST, SECOND]),
        ("sort=-time_updated&limit=2", &[SECOND, FIRST]),
        ("sort=sighting", &[NETWORK, SIX, FIRST, SECOND]),
        ("sort=-sighting", &[SECOND, FIRST, NETWORK, SIX]),
    ];
    for (query, expected) in rows {
        for number in 0..3 {
            let answer = cluster.analyst(number).get(&format!("/ip/all?format=txt&{query}")).expect(200);
            let found: Vec<&str> = answer.text().lines().filter(|line| !line.is_empty()).collect();
            assert_eq!(found, expected, "{query} on node {number}");
            assert_eq!(answer.header("stockade-count"), Some(expected.len().to_string().as_str()), "{query}");
        }
    }
    // Of other kinds, no family.
    cluster.analyst(0).post("/domain/add", &json!({"domain": "example.org", "tags": "scan"})).expect(201);
    assert_eq!(cluster.analyst(0).get("/domain/all?format=txt&tag=scan").expect(200).text(), "example.org\n");
    assert_eq!(cluster.analyst(0).get("/domain/all?format=txt&family=4").expect(200).text(), "\n");
}

#[test]
fn what_was_not_seen_lately_falls_out_though_nothing_changes() {
    let cluster = filled();
    let client = cluster.analyst(1);
    wait_for("only what is sighted again and again was seen lately", Duration::from_secs(30), || {
        client.post("/ip/add", &json!({"ip": SIX})).expect(200);
        let lately = client.get("/ip/all?format=txt&seen_within=2s").expect(200);
        (lately.text() == format!("{SIX}\n")).then_some(())
    });
    wait_for("nothing was seen lately, and the list stands still", Duration::from_secs(30), || {
        let lately = client.get("/ip/all?format=txt&seen_within=2s").expect(200);
        (lately.text() == "\n").then_some(())
    });
}

#[test]
fn what_makes_no_sense_is_a_400_that_names_it() {
    let cluster = filled();
    let client = cluster.analyst(0);
    let cursor = |query: &str| {
        let answer = client.get(&format!("/ip/all?limit=1&{query}")).expect(200);
        answer.header("stockade-cursor").unwrap_or_default().to_owned()
    };
    let (by_value, by_time) = (cursor("sort=value"), cursor("sort=-time_added"));
    let rows = [
        ("min_sightings=few", "`few` is not a whole number"),
        ("min_sources=-1", "`-1` is not a whole number"),
        ("seen_within=yesterday", "`yesterday` is not a duration such as 24h"),
        ("tag=", "tag `` is not a tag"),
        ("source=", "source `` is not a name"),
        ("added_by=", "added_by `` is not a name"),
        ("sort=comment", "allowed: value, time_added, time_updated, sighting"),
        ("min_sighting=1", "parameter `min_sighting` is not known"),
        ("cursor=", "is not one that a node gave out"),
        ("cursor=abc", "cursor `abc` is not one that a node gave out"),
        (&format!("cursor={by_value}&sort=-value"), "belongs to the sort `value`"),
        (&format!("cursor={by_time}"), "belongs to the sort `-time_added`"),
        (&format!("cursor={by_value}&sort=sighting"), "sort `sighting` has no pages"),
        (&format!("cursor={by_value}&sort=-time_updated"), "sort `-time_updated` has no pages"),
    ];
    for (query, expected) in rows {
        let message = client.get(&format!("/ip/all?{query}")).expect(400).message();
        assert!(message.contains(expected), "{query}: {message}");
    }
    let message = client.get(&format!("/domain/all?cursor={by_value}")).expect(400).message();
    assert!(message.contains("belongs to the kind `ip`, and `domain` was asked for"), "{message}");
}

#[test]
fn a_page_says_how_to_get_the_next_one() {
    let cluster = filled();
    let get = |node: usize, path: &str| cluster.analyst(node).get(path).expect(200);
    let first = get(0, "/ip/all?format=txt&family=4&limit=2");
    assert_eq!(first.text(), format!("{NETWORK}\n{FIRST}\n"));
    assert_eq!(first.header("stockade-truncated"), Some("1"));
    let cursor = first.header("stockade-cursor").unwrap();
    let link = format!("</ip/all?format=txt&family=4&limit=2&cursor={cursor}>; rel=\"next\"");
    assert_eq!(first.header("link"), Some(link.as_str()));
    // The same on another node, from memory, and in a 304: there may be more behind the same bytes now.
    let etag = first.header("etag").unwrap();
    for node in [1, 1, 2] {
        let same = get(node, "/ip/all?format=txt&family=4&limit=2");
        let unchanged = cluster.analyst(node).request("GET", "/ip/all?format=txt&family=4&limit=2");
        let unchanged = unchanged.header("if-none-match", etag).send().expect(304);
        for name in ["stockade-cursor", "link", "stockade-truncated", "stockade-count", "etag"] {
            assert_eq!(same.header(name), first.header(name), "{name}");
            assert_eq!(unchanged.header(name), first.header(name), "{name}");
        }
    }
    let second = get(2, &next(&first).unwrap());
    assert_eq!(second.text(), format!("{SECOND}\n"));
    for name in ["stockade-truncated", "stockade-cursor", "link"] {
        assert_eq!(second.header(name), None, "{name} on the last page");
    }
    // The top of an order that has no pages.
    let top = get(1, "/ip/all?format=txt&sort=-sighting&limit=1");
    assert_eq!((top.text(), top.header("stockade-truncated")), (format!("{SECOND}\n").as_str(), Some("3")));
    assert_eq!((top.header("stockade-cursor"), top.header("link")), (None, None));
}

/// The target of the link to the next page.
fn next(answer: &Answer) -> Option<String> {
    let (target, _) = answer.header("link")?.strip_prefix('<')?.split_once('>')?;
    Some(target.to_owned())
}

#[test]
fn pages_from_every_node_in_turn_neither_repeat_nor_drop_while_the_list_changes() {
    let mut cluster = TestCluster::start(3);
    // What stays, in three bulks, so that many were added at one moment; between them what comes and goes.
    let host = |number: u32| format!("45.100.{}.{}", number / 256, number % 256);
    let kept: Vec<String> = (0..120).map(|number| host(2 * number)).collect();
    for (node, part) in kept.chunks(40).enumerate() {
        cluster.analyst(node).post("/ip/add", &json!(part)).expect(200);
        cluster.wait_level();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<Client> = (0..3).map(|number| cluster.analyst(number)).collect();
    let others = {
        let (stop, clients) = (stop.clone(), clients.clone());
        thread::spawn(move || {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                for number in 0..24 {
                    let client = &clients[number as usize % 3];
                    let passing = host(2 * (number * 5 + round % 5) + 1);
                    client.post("/ip/add", &json!({ "ip": passing }));
                    client.post("/ip/add", &json!({ "ip": host(2 * number) }));
                    if number % 2 == 0 {
                        client.post("/ip/delete", &json!({ "ip": passing }));
                    }
                }
                round += 1;
            }
        })
    };
    for order in ["value", "-value", "time_added", "-time_added"] {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let query = format!("/ip/all?format=txt&limit=7&sort={order}");
        let mut path = query.clone();
        let mut pages = 0;
        loop {
            let page = clients[pages % 3].get(&path).expect(200);
            for value in page.text().lines().filter(|line| !line.is_empty()) {
                *seen.entry(value.to_owned()).or_default() += 1;
            }
            pages += 1;
            assert!(pages < 1000, "the pages in the order of {order} do not end");
            let Some(cursor) = page.header("stockade-cursor") else { break };
            // The next page is of a list that has changed since this one.
            path = format!("{query}&cursor={cursor}&min_index={}", page.index() + 1);
        }
        assert!(pages > 17, "{pages} pages in the order of {order}");
        for value in &kept {
            assert_eq!(seen.get(value), Some(&1), "{value} in the order of {order}");
        }
        if order.ends_with("value") {
            assert!(seen.values().all(|times| *times == 1), "{order}: {seen:?}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    others.join().unwrap();
}

#[test]
fn an_export_from_a_shell_takes_the_same_filters() {
    let cluster = filled();
    let cli = Cli::of(&cluster.nodes[2], "analyst");
    let rows: [(&[&str], &[&str]); 9] = [
        (&[], &[NETWORK, FIRST, SECOND, SIX]),
        (&["--family", "6"], &[SIX]),
        (&["--min-sightings", "1", "--min-sources", "2"], &[FIRST]),
        (&["--seen-within", "1h", "--added-by", "probe"], &[SECOND, SIX]),
        (&["--tag", "scan", "--tag", "ssh"], &[FIRST, SECOND, SIX]),
        (&["--tag", "scan,ssh", "--source", "ids-2"], &[FIRST, SECOND]),
        (&["--sort", "-sighting", "--limit", "2"], &[SECOND, FIRST]),
        (&["--sort=-value", "--family", "4"], &[SECOND, FIRST, NETWORK]),
        (&["--source", "nobody & co"], &[]),
    ];
    for (flags, expected) in rows {
        let ran = cli.run(&[&["export"], flags].concat()).expect(0);
        let found: Vec<&str> = ran.output.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(found, expected, "{flags:?}");
    }
    let wrong = cli.run(&["export", "--sort", "comment"]).expect(2);
    assert!(wrong.errors.contains("sort `comment` is not known"), "{wrong:?}");
    let help = cli.run(&["export", "--help"]).expect(0).output;
    for flag in [
        "family",
        "min-sightings",
        "min-sources",
        "seen-within",
        "tag",
        "source",
        "added-by",
        "sort",
        "limit",
    ] {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
    }
}
