//! API tokens: every way a device can send one, on every node, until it is revoked.

use serde_json::json;
use stockade_tests::TestCluster;

#[test]
fn a_token_opens_every_node_in_every_form_until_it_is_revoked() {
    let cluster = TestCluster::start(3);

    // Made on one node; its text is shown once.
    let made = cluster.analyst(0).post("/user/analyst/tokens", &json!({"name": "firewall"})).expect(201);
    let token = made.json()["token"].as_str().expect("the token's text").to_owned();
    cluster.wait_applied(made.index());
    let user = cluster.analyst(0).get("/user/analyst").expect(200);
    assert!(user.text().contains("firewall"), "the name is kept: {user:?}");
    assert!(!user.text().contains(&token), "the text is not: {user:?}");

    let clients = |number: usize| {
        let anonymous = cluster.nodes[number].anonymous();
        [
            anonymous.clone().bearer(&token),
            anonymous.clone().header_identity("x-api-key", token.clone()),
            anonymous.clone().basic("analyst", &token),
        ]
    };
    for number in 0..3 {
        for client in clients(number) {
            client.get("/ip/all").expect(200);
            client.post("/ip/add", &json!({"ip": "198.51.100.1"}));
        }
    }
    let entry = cluster.analyst(0).get("/ip/198.51.100.1?fields=sighting,account&consistency=linearizable");
    assert_eq!(entry.expect(200).json(), json!([{"account": "analyst", "sighting": 8}]));

    // Revoked on another node.
    let index = cluster.analyst(1).delete("/user/analyst/tokens/firewall").expect(200).index();
    cluster.wait_applied(index);
    for number in 0..3 {
        for client in clients(number) {
            client.get("/ip/all").expect(401);
        }
        cluster.analyst(number).get("/ip/all").expect(200);
    }
}
