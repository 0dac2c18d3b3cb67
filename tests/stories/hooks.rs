//! Webhooks: a mapping is made on one node, and any program's JSON is reported through another.

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, TestCluster};

fn put(client: &Client, name: &str, mapping: &Value) -> Answer {
    client.request("PUT", &format!("/admin/hooks/{name}")).json(mapping).send()
}

#[test]
fn any_webhook_becomes_reports() {
    let mut cluster = TestCluster::start(3);
    cluster.register("hive", "sensor");
    cluster.register("reader", "reader");
    let operator = cluster.nodes[0].operator();
    let mapping = json!({"kind": "/object/dataType", "value": "/object/data", "comment": ["TheHive", "/object/message"],
        "source": ["thehive", "/organisation/name"], "tags": "/object/tags", "ttl": "30d",
        "filter": [{"pointer": "/objectType", "equals": "Observable"}, {"pointer": "/action", "equals": "create"}]});
    let index = put(&operator, "thehive", &mapping).expect(200).index();
    cluster.wait_applied(index);

    let event = |action: &str, kind: &str, data: &str| {
        json!({"action": action, "objectType": "Observable", "organisation": {"name": "soc"},
            "object": {"dataType": kind, "data": data, "message": "phishing case 7", "tags": ["c2"]}})
    };
    let hive = cluster.client(1, "hive");
    let told = hive.post("/hook/thehive", &event("create", "ip", "203.0.113.7")).expect(200);
    assert_eq!((&told.json()["added"], &told.json()["refused_total"]), (&json!(1), &json!(0)));
    hive.post("/hook/thehive", &event("create", "domain", "evil.example")).expect(200);
    let entry = hive.get("/ip/203.0.113.7?fields=comment,source,tags,account").expect(200).json()[0].clone();
    let expected = json!({"comment": "TheHive phishing case 7", "source": "thehive/soc", "tags": "c2", "account": "hive"});
    assert_eq!(entry["comment"], expected["comment"]);
    assert_eq!((&entry["source"], &entry["account"]), (&expected["source"], &expected["account"]));
    hive.get("/domain/evil.example").expect(200);

    // Everything else that happens there is heard, and nothing comes of it.
    for nothing in
        [event("update", "ip", "203.0.113.8"), event("create", "filename", "x.exe"), json!({}), json!([])]
    {
        let told = hive.post("/hook/thehive", &nothing).expect(200).json();
        assert_eq!((&told["added"], &told["refused_total"]), (&json!(0), &json!(0)), "{nothing}");
    }
    // What is wrong, or must never be listed, is told by its value.
    let told = hive.post("/hook/thehive", &event("create", "ip", "127.0.0.1")).expect(200).json();
    assert_eq!(
        (&told["refused_total"], &told["refused"][0]["value"]),
        (&json!(1), &json!("127.0.0.1")),
        "{told}"
    );
    // A repeat under a key counts once; a rehearsal not at all.
    for _ in 0..2 {
        let request = hive.request("POST", "/hook/thehive").header("idempotency-key", "r1");
        request.json(&event("create", "ip", "203.0.113.9")).send().expect(200);
    }
    assert_eq!(hive.get("/ip/203.0.113.9?fields=sighting").expect(200).json()[0]["sighting"], 0);
    let told =
        hive.post("/hook/thehive?dry_run=1", &event("create", "ip", "203.0.113.10")).expect(200).json();
    assert_eq!((&told["added"], &told["dry_run"]), (&json!(1), &json!(true)));
    hive.get("/ip/203.0.113.10").expect(404);

    // Lines of JSON are several bodies; what is no JSON is none.
    let lines =
        format!("{}\n{}\n", event("create", "ip", "203.0.113.11"), event("create", "ip", "203.0.113.12"));
    let told = hive.request("POST", "/hook/thehive").body("text/plain", lines).send().expect(200).json();
    assert_eq!(told["added"], 2);
    for body in ["", "no json", "{\"a\":"] {
        hive.request("POST", "/hook/thehive").body("application/json", body).send().expect(400);
    }

    cluster.client(1, "reader").post("/hook/thehive", &json!({})).expect(403);
    cluster.nodes[1].anonymous().post("/hook/thehive", &json!({})).expect(401);
    hive.post("/hook/nobody", &json!({})).expect(404);
    hive.post("/hook/thehive?when=now", &json!({})).expect(400);
    cluster.same_list_everywhere();
}

#[test]
fn hooks_belong_to_admins_and_survive_restarts() {
    let mut cluster = TestCluster::start(1);
    let operator = cluster.nodes[0].operator();
    let analyst = cluster.analyst(0);
    let mapping = json!({"value": "/ip"});
    put(&analyst, "x", &mapping).expect(403);
    analyst.get("/admin/hooks").expect(403);
    let wrong = put(&operator, "x", &json!({"value": "ip"})).expect(422);
    assert!(wrong.message().contains("begins with `/`"), "{wrong:?}");
    put(&operator, "a%20b", &mapping).expect(422);
    put(&operator, "one", &mapping).expect(200);
    put(&operator, "two", &json!({"value": "/src_ip", "ttl": 60})).expect(200);

    // Snapshot or not: the next process has them.
    operator.request("POST", "/admin/snapshot").send().expect(200);
    put(&operator, "one", &json!({"value": "/alerts/*/labels/ip"})).expect(200);
    assert!(cluster.nodes[0].terminate().success());
    cluster.nodes[0].start_ready();
    let hooks = operator.get("/admin/hooks").expect(200).json();
    assert_eq!(hooks["hooks"][0]["name"], "one");
    assert_eq!(hooks["hooks"][0]["mapping"], json!({"value": "/alerts/*/labels/ip"}));
    assert_eq!(hooks["hooks"][1]["url"], "/hook/two");
    assert_eq!(operator.get("/admin/hooks/two").expect(200).json()["mapping"]["ttl"], 60);

    operator.delete("/admin/hooks/two").expect(200);
    operator.delete("/admin/hooks/two").expect(404);
    operator.get("/admin/hooks/two").expect(404);
    analyst.post("/hook/two", &json!({"src_ip": "203.0.113.1"})).expect(404);
    let audit = operator.get("/admin/audit?action=hook_changed").expect(200).text().to_owned();
    assert!(audit.contains("one") && audit.contains("two"), "{audit}");
    assert!(operator.get("/admin/audit?action=hook_deleted").expect(200).text().contains("two"));
}
