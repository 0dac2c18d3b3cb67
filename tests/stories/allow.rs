//! The allow list and the cluster's settings: what must never be blocked, on every node, in every export.

use std::fs;

use serde_json::{Value, json};
use stockade_tests::{Cli, TestCluster};

/// A warning list in the shape in which MISP publishes them.
const WARNING_LIST: &str = r#"{
  "description": "CRL Warninglist from threatstop (https://github.com/threatstop/crl-ocsp-whitelist/)",
  "list": [
    "151.101.2.133",
    "151.101.64.0/22",
    "2001:db8:1::/48",
    "10.0.0.1/8"
  ],
  "matching_attributes": [
    "ip-src",
    "ip-dst",
    "domain|ip",
    "ip-src|port",
    "ip-dst|port"
  ],
  "name": "CRL Warninglist",
  "type": "cidr",
  "version": 20260124
}"#;

#[test]
fn an_allowed_address_is_never_listed_and_never_exported() {
    let mut cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    let client = cluster.analyst(0);

    // Listed before it was allowed: a network around it, and itself.
    client.post("/ip/add", &json!({"ip": "203.0.113.0/29"})).expect(201);
    client.post("/ip/add", &json!({"ip": "203.0.113.2"})).expect(201);
    let allow = json!({"ip": "203.0.113.2", "comment": "our resolver"});
    let refused = cluster.client(1, "sensor").post("/allow/add", &allow);
    refused.expect(403).message();
    let index = client.post("/allow/add", &allow).expect(201).index();
    cluster.wait_applied(index);

    // Every export leaves it out; the network is cut around it.
    let left = "203.0.113.0/31\n203.0.113.4/30\n203.0.113.3\n";
    for number in 0..3 {
        assert_eq!(
            cluster.analyst(number).get("/ip/all?format=txt").expect(200).text(),
            left,
            "node {number}"
        );
        let allowed = cluster.analyst(number).get("/allow/203.0.113.2").expect(200);
        assert!(allowed.text().contains("our resolver"), "{allowed:?}");
    }

    // Nobody lists it, nor a network that holds it, nor one inside an allowed network; and they learn why.
    client.post("/allow/add", &json!({"ip": "198.51.100.0/28", "comment": "our office"})).expect(201);
    for (value, reason) in [
        ("203.0.113.2", "our resolver"),
        ("203.0.113.0/24", "our resolver"),
        ("198.51.100.9", "our office"),
        ("198.51.100.8/30", "our office"),
        ("198.51.100.0/24", "our office"),
    ] {
        let message = client.post("/ip/add", &json!({"ip": value})).expect(409).message();
        assert!(message.contains(reason), "{value}: {message}");
    }
    client.post("/ip/add", &json!({"ip": "198.51.100.16"})).expect(201);

    // What was listed was kept, and is exported again when it is not allowed any more.
    let index = client.post("/allow/delete", &json!({"ip": "203.0.113.2"})).expect(200).index();
    cluster.wait_applied(index);
    let list = "203.0.113.0/29\n198.51.100.16\n203.0.113.2\n";
    for number in 0..3 {
        assert_eq!(
            cluster.analyst(number).get("/ip/all?format=txt").expect(200).text(),
            list,
            "node {number}"
        );
    }
    cluster.same_list_everywhere();
}

#[test]
fn private_addresses_are_listed_only_where_an_admin_has_said_so() {
    let cluster = TestCluster::start(3);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "10.0.0.1"})).expect(422);
    cluster
        .analyst(0)
        .request("PUT", "/admin/settings")
        .json(&json!({"allow_private": true}))
        .send()
        .expect(403);

    let change = cluster.nodes[1].operator();
    let changed = change.request("PUT", "/admin/settings").json(&json!({"allow_private": true})).send();
    cluster.wait_applied(changed.expect(200).index());
    for number in 0..3 {
        let settings = cluster.nodes[number].operator().get("/admin/settings").expect(200).json();
        assert_eq!(settings["allow_private"], json!(true), "node {number}");
    }
    cluster.analyst(2).post("/ip/add", &json!({"ip": "10.0.0.1"})).expect(201);
    cluster.analyst(2).post("/ip/add", &json!({"ip": "127.0.0.1"})).expect(422);

    // Taken back, what was listed is in no export any more.
    let changed = change.request("PUT", "/admin/settings").json(&json!({"allow_private": false})).send();
    cluster.wait_applied(changed.expect(200).index());
    assert_eq!(cluster.analyst(0).get("/ip/all?format=txt").expect(200).text(), "\n");
}

#[test]
fn one_bad_line_never_spoils_the_rest_of_an_allow_list() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let add = |query: &str, body: &str| {
        client.request("POST", &format!("/allow/add{query}")).body("text/plain", body).send()
    };

    let lines = "# ours\n198.51.100.0/28 # our office\n2001:db8::53\n10.0.0.1/8\nwww.example.org  our shop\n\
                 https://example.org/login\nops@example.org\n";
    let told = add("?comment=ours", lines).expect(200).json();
    assert_eq!((&told["added"], &told["sighted"]), (&json!(5), &json!(0)), "{told}");
    let refused = &told["refused"];
    assert_eq!((&refused[0]["line"], &refused[0]["value"]), (&json!(4), &json!("10.0.0.1/8")), "{told}");
    assert!(refused[0]["reason"].as_str().is_some_and(|reason| reason.contains("`10.0.0.0/8`")), "{told}");
    assert_eq!(refused.as_array().map(Vec::len), Some(1));

    // Names of users look like nothing and are called so. What is there already is told apart.
    let told = add("?kind=username&comment=people", "backup\nroot\n").expect(200).json();
    assert_eq!(told["added"], json!(2), "{told}");
    let told =
        client.post("/allow/add", &json!(["2001:db8::53", {"domain": "example.net", "comment": "us"}]));
    let told = told.expect(200).json();
    assert_eq!((&told["added"], &told["sighted"]), (&json!(1), &json!(1)), "{told}");

    // The list in every form.
    let text = |path: &str| client.get(path).expect(200).text().to_owned();
    assert_eq!(text("/allow/all?kind=ip&format=txt"), "198.51.100.0/28\n2001:db8::53\n");
    assert_eq!(text("/allow/all?kind=hash&format=txt"), "\n");
    let table = text("/allow/all?kind=domain&format=csv");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows[0], "value,type,comment,account,time_added,prevented");
    assert!(rows[1].starts_with("example.net,domain,us,analyst,"), "{table}");
    assert!(rows[2].starts_with("www.example.org,domain,our shop,analyst,"), "{table}");
    let all = client.get("/allow/all").expect(200).json();
    assert_eq!(all.as_array().map(Vec::len), Some(8), "{all}");
    let head = client.request("HEAD", "/allow/all?format=csv").send().expect(200);
    assert_eq!((head.header("stockade-count"), head.body.len()), (Some("8"), 0));
    for wrong in ["/allow/all?formta=txt", "/allow/all?format=xml", "/allow/all?kind=car"] {
        client.get(wrong).expect(400).message();
    }
    add("?comments=x", "192.0.2.1").expect(400).message();

    // Gone again, many at once; one that was not there is told.
    let told = client.post("/allow/delete", &json!(["example.net", "192.0.2.77", "2001:db8::53"]));
    let told = told.expect(200).json();
    assert_eq!((&told["deleted"], &told["refused"][0]["line"]), (&json!(2), &json!(2)), "{told}");
}

#[test]
fn a_warning_list_protects_what_it_names_on_every_node() {
    let mut cluster = TestCluster::start(3);
    let client = cluster.analyst(0);
    client.post("/ip/add", &json!({"ip": "151.101.0.0/16"})).expect(201);

    let answer =
        cluster.analyst(1).request("POST", "/allow/add").body("application/json", WARNING_LIST).send();
    let index = answer.index();
    let told = answer.expect(200).json();
    assert_eq!((&told["added"], &told["refused_total"]), (&json!(3), &json!(1)), "{told}");
    assert_eq!(told["refused"][0]["line"], json!(4), "{told}");
    cluster.wait_applied(index);
    for number in 0..3 {
        let node = cluster.analyst(number);
        let refused = node.post("/ip/add", &json!({"ip": "151.101.2.133"})).expect(409).message();
        assert!(refused.contains("CRL Warninglist"), "{refused}");
        let export = node.get("/ip/all?format=txt").expect(200).text().to_owned();
        let held: Vec<&str> = export.lines().filter(|line| line.contains("151.101.2.133")).collect();
        assert!(
            held.is_empty() && !export.contains("151.101.0.0/16") && export.lines().count() > 16,
            "{export}"
        );
    }
    // Each of those refusals was counted, whichever node it was tried at.
    cluster.wait_level();
    let prevented = |number: usize| {
        cluster.analyst(number).get("/allow/151.101.2.133").expect(200).json()["prevented"].clone()
    };
    assert_eq!([prevented(0), prevented(1), prevented(2)], [json!(3), json!(3), json!(3)]);

    // Patterns are no values.
    let patterns = json!({"name": "x", "type": "regex", "list": ["/^a/"], "version": 1});
    let message = client.post("/allow/add", &patterns).expect(422).message();
    assert!(message.contains("regex"), "{message}");
    cluster.same_list_everywhere();
}

#[test]
fn a_domain_above_an_allowed_name_is_not_listed() {
    let mut cluster = TestCluster::start(3);
    let client = cluster.analyst(0);
    for domain in ["example.org", "mail.example.org"] {
        client.post("/domain/add", &json!({"domain": domain})).expect(201);
    }
    let hosts = json!({"name": "Our shops", "type": "hostname", "list": [".www.example.org"], "version": 1});
    let index = client.post("/allow/add", &hosts).expect(200).index();
    cluster.wait_applied(index);
    for number in 0..3 {
        let node = cluster.analyst(number);
        let message = node.post("/domain/add", &json!({"domain": "example.org"})).expect(409).message();
        assert_eq!(
            message, "domain `example.org` is on the allow list as `www.example.org`: Our shops",
            "node {number}"
        );
        assert_eq!(node.get("/domain/all?format=txt").expect(200).text(), "mail.example.org\n");
        // The name above is told what keeps it off the list.
        let shown: Value = node.get("/allow/example.org").expect(200).json();
        assert_eq!((&shown["value"], &shown["type"]), (&json!("www.example.org"), &json!("domain")));
    }
    cluster.wait_level();
    let shown = cluster.analyst(2).get("/allow/www.example.org").expect(200).json();
    assert_eq!(shown["prevented"], json!(3), "{shown}");
}

#[test]
fn the_allow_list_is_kept_from_a_shell() {
    let cluster = TestCluster::start(1);
    let cli = Cli::of(&cluster.nodes[0], "analyst");

    cli.run(&["allow", "get", "198.51.100.7"]).expect(1);
    cli.run(&["allow", "add", "198.51.100.7", "example.org", "--comment", "our mail relay"]).expect(0);
    let got = cli.run(&["allow", "get", "198.51.100.7"]).expect(0);
    assert!(got.output.contains("our mail relay"), "{got:?}");
    let wrong = cli.run(&["allow", "add", "10.0.0.1/8"]).expect(2);
    assert!(wrong.errors.contains("10.0.0.0/8"), "{wrong:?}");
    assert!(cli.run(&["add", "198.51.100.7"]).expect(2).errors.contains("our mail relay"));

    // Lines from standard input, a warning list from a file; the refused lines are told, and do no harm.
    let told = cli.run_with_input(
        &["allow", "import", "-", "--comment", "ours"],
        "# x\n198.51.100.8 # printer\n198.51.100.9\n10.0.0.1/8\n",
    );
    assert_eq!((told.code, told.output.as_str()), (0, "2 added, 0 updated, 1 refused\n"), "{told:?}");
    assert!(told.errors.contains("line 4: ") && told.errors.contains("10.0.0.0/8"), "{told:?}");
    let file = cluster.nodes[0].data().with_file_name("warning-list.json");
    fs::write(&file, WARNING_LIST).unwrap();
    let told = cli.run(&["allow", "import", file.to_str().unwrap()]).expect(0);
    assert_eq!(told.output, "3 added, 0 updated, 1 refused\n");
    let patterns = r#"{"name":"x","type":"substring","list":["a"]}"#;
    let refused = cli.run_with_input(&["allow", "import", "-"], patterns).expect(2);
    assert!(refused.errors.contains("substring"), "{refused:?}");

    let list = cli.run(&["allow", "list", "--kind", "ip"]).expect(0);
    let hosts = "151.101.64.0/22\n2001:db8:1::/48\n151.101.2.133\n198.51.100.7\n198.51.100.8\n198.51.100.9\n";
    assert_eq!(list.output, hosts);
    let table = cli.run(&["allow", "list", "--format", "csv"]).expect(0);
    assert!(table.output.contains("198.51.100.8,ip,printer,"), "{table:?}");

    cli.run(&["allow", "delete", "198.51.100.7"]).expect(0);
    cli.run(&["allow", "delete", "198.51.100.7"]).expect(1);
    cli.run(&["add", "198.51.100.7"]).expect(0);
}
