//! Who did what, the same on every node; and taking it back.

use serde_json::{Value, json};
use std::time::Duration;
use stockade_tests::{TestCluster, wait_for};

/// `account action value detail` of each line.
fn told(lines: &Value) -> Vec<String> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = lines.as_array().expect("an array").iter();
    lines
        .map(|line| {
            let words = ["account", "action", "value", "detail"].map(|name| text(line, name));
            words.join(" ").trim_end().to_owned()
        })
        .collect()
}

#[test]
fn every_node_tells_who_did_what() {
    let mut cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    let analyst = cluster.analyst(0);
    let begin = analyst.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201).index() - 1;
    cluster.client(1, "sensor").post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(200);
    let comment = json!({"comment": "scanner"});
    analyst.request("PATCH", "/ip/198.51.100.1").json(&comment).send().expect(200);
    cluster.client(2, "sensor").post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
    analyst.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
    analyst.post("/allow/add", &json!({"ip": "198.51.100.1"})).expect(201);
    analyst.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(409);
    let index = analyst.post("/ip/add", &json!({"ip": "203.0.113.1", "ttl": 1})).expect(201).index();
    wait_for("the entry expires", Duration::from_secs(10), || {
        (cluster.analyst(0).get("/ip/203.0.113.1").status == 404).then_some(())
    });
    cluster.wait_level();
    cluster.wait_applied(index);

    let expected = [
        "analyst listed 198.51.100.1",
        "analyst changed 198.51.100.1 comment",
        "sensor withdrawn 198.51.100.1",
        "analyst removed 198.51.100.1",
        "analyst allowed 198.51.100.1",
        "analyst listed 203.0.113.1",
        " expired 203.0.113.1",
    ];
    let mut texts = Vec::new();
    for node in &cluster.nodes {
        let audit = node.operator().get(&format!("/admin/audit?since={begin}")).expect(200);
        assert_eq!(told(&audit.json()), expected);
        let first = &audit.json()[0];
        assert_eq!((&first["index"], &first["type"]), (&json!(begin + 1), &json!("ip")));
        assert_eq!(first["address"], "127.0.0.1");
        texts.push(audit.text().to_owned());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "the same on every node");

    // Of one value, for everybody who may read; by account and action; a page at a time.
    let history = cluster.client(1, "sensor").get("/ip/198.51.100.1/history").expect(200);
    assert_eq!(told(&history.json()), expected[..5]);
    analyst.get("/ip/198.51.100.77/history").expect(404);
    let operator = cluster.nodes[1].operator();
    let filtered = operator.get(&format!("/admin/audit?since={begin}&account=sensor")).expect(200);
    assert_eq!(told(&filtered.json()), [expected[2]]);
    let filtered = operator.get(&format!("/admin/audit?since={begin}&action=allowed")).expect(200);
    assert_eq!(told(&filtered.json()), [expected[4]]);
    let page = operator.get(&format!("/admin/audit?since={begin}&limit=2")).expect(200).json();
    assert_eq!(told(&page), expected[..2]);
    let next = page[1]["index"].as_u64().expect("an index");
    let rest = operator.get(&format!("/admin/audit?since={next}")).expect(200).json();
    assert_eq!(told(&rest), expected[2..]);
    operator.get("/admin/audit?action=dance").expect(400);
    analyst.get("/admin/audit").expect(403);
}

#[test]
fn what_one_of_many_listed_is_taken_back() {
    let mut cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    let (mad, analyst) = (cluster.client(1, "sensor"), cluster.analyst(0));
    analyst.post("/ip/add", &json!({"ip": "198.51.100.1", "source": "soc"})).expect(201);
    let before = mad.post("/ip/add", &json!({"ip": "198.51.100.2", "source": "web01"})).expect(201).index();
    let lines: String = (0..2000).map(|n| format!("45.0.{}.{}\n", n / 256, n % 256)).collect();
    mad.request("POST", "/ip/add?source=web01").body("text/plain", lines.as_bytes()).send().expect(200);
    analyst.post("/ip/add", &json!({"ip": "45.0.0.7", "source": "soc"})).expect(200);
    let index = mad.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(200).index();

    // First looked at, then done, on another node.
    let operator = cluster.nodes[2].operator();
    cluster.wait_applied(index);
    let asked = |dry_run: bool| json!({"account": "sensor", "since": before, "dry_run": dry_run});
    let would = operator.post("/admin/undo", &asked(true)).expect(200).json();
    assert_eq!((&would["removed"], &would["withdrawn"]), (&json!(1999), &json!(1)));
    assert_eq!(would["values"].as_array().map(Vec::len), Some(1000));
    cluster.analyst(2).get("/ip/45.0.0.8").expect(200);
    let done = operator.post("/admin/undo", &asked(false)).expect(200);
    assert_eq!((&done.json()["removed"], &done.json()["withdrawn"]), (&json!(1999), &json!(1)));
    cluster.wait_applied(done.index());
    for number in 0..3 {
        let list = cluster.analyst(number).get("/ip/all?format=txt").expect(200);
        assert_eq!(list.text(), "45.0.0.7\n198.51.100.1\n198.51.100.2\n", "node {number}");
    }
    let sightings = cluster.analyst(1).get("/ip/45.0.0.7/sightings").expect(200).json();
    assert_eq!(sightings.as_array().map(Vec::len), Some(1), "{sightings}");

    // By source, and by the label of an import.
    let undone = operator.post("/admin/undo", &json!({"source": "web01"})).expect(200).json();
    assert_eq!(undone["removed"], 1);
    let import = analyst.request("POST", "/ip/add?import=feodo-11&source=feodo");
    import.body("text/plain", "203.0.113.1\n203.0.113.2\n198.51.100.1\n").send().expect(200);
    let undone = operator.post("/admin/undo", &json!({"import": "feodo-11"})).expect(200).json();
    assert_eq!(undone["values"], json!(["203.0.113.1", "203.0.113.2"]), "what was listed before stays");
    for (body, status) in
        [(json!({}), 422), (json!({"account": "a", "source": "b"}), 422), (json!({"acount": "a"}), 400)]
    {
        operator.post("/admin/undo", &body).expect(status).message();
    }
    analyst.post("/admin/undo", &json!({"account": "sensor"})).expect(403);
    cluster.same_list_everywhere();
}
