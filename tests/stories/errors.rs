//! Errors: the right status, always JSON, always with a message to act on.

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, TestCluster};

#[track_caller]
fn check(answer: Answer, status: u16, words: &[&str]) {
    let answer = answer.expect(status);
    let given = answer.header("content-type").unwrap_or_default();
    assert!(given.starts_with("application/json"), "an error of type {given}");
    let message = answer.message();
    for word in words {
        assert!(message.contains(word), "`{message}` should name `{word}`");
    }
}

#[test]
fn every_error_is_json_with_a_message() {
    let cluster = TestCluster::start_with(1, &["--body-max-mib", "1"]);
    let client = cluster.analyst(0);
    let add =
        |content_type: &str, body: &str| client.request("POST", "/ip/add").body(content_type, body).send();

    check(client.get("/nothing/here"), 404, &[]);
    check(client.get("/ip/198.51.100.1"), 404, &["198.51.100.1"]);
    check(client.delete("/ip/add"), 405, &[]);
    check(client.request("PUT", "/user/register").send(), 405, &[]);
    check(add("image/png", "x"), 415, &["image/png"]);
    check(add("application/json", "{\"ip\":"), 400, &[]);
    check(add("application/json", "{}"), 422, &["ip"]);
    check(client.get("/ip/all?format=pdf"), 400, &["pdf", "json", "csv", "xml", "txt"]);
    check(client.get("/ip/all?fields=value,colour"), 400, &["colour", "value", "sighting", "comment"]);
    check(client.get("/ip/all?limit=many"), 400, &["many"]);
    check(client.get("/ip/all?min_index=soon"), 400, &["soon"]);
    check(client.post("/ip/delete", &json!({"ip": "198.51.100.1"})), 404, &["198.51.100.1"]);

    let large = vec![b' '; 1024 * 1024 + 1];
    let sent =
        client.request("POST", "/ip/add").header("expect", "100-continue").body("application/json", large);
    check(sent.send(), 413, &["1"]);

    // None of it stopped the node.
    client.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
}

#[track_caller]
fn refused(client: &Client, value: &str, words: &[&str]) {
    check(client.post("/ip/add", &json!({"ip": value})), 422, words);
}

#[test]
fn what_is_no_address_is_refused() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);

    refused(&client, "10.0.0.300", &["address `10.0.0.300` is not valid"]);
    refused(&client, "45.146.164.0110", &["45.146.164.0110"]); // Octal to some, decimal to others.
    refused(&client, "45.146.164", &["45.146.164"]);
    refused(&client, "fe80::1%eth0", &["fe80::1%eth0"]);
    refused(&client, "45.146.164.110/33", &["45.146.164.110/33"]);
    refused(&client, "2001:db8::/129", &["2001:db8::/129"]);
    refused(&client, "198.51.100.7/24", &["198.51.100.0/24"]); // Names what was probably meant.
    refused(&client, "evil.example.com", &["evil.example.com"]);

    // An IPv4 address in IPv6 clothes is the IPv4 address.
    client.post("/ip/add", &json!({"ip": "::ffff:198.51.100.9"})).expect(201);
    client.post("/ip/add", &json!({"ip": "198.51.100.9"})).expect(200);
    assert_eq!(client.get("/ip/all?format=txt").expect(200).text(), "198.51.100.9\n");
}

#[test]
fn what_must_never_be_listed_is_refused() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);

    // Never: the machine itself, the link, groups, what is reserved.
    let never =
        ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "::", "::1", "fe80::1", "ff02::1"];
    // Never by default: the inside of a network.
    let private = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1"];
    for value in never.into_iter().chain(private) {
        refused(&client, value, &[value]);
    }
    // In other clothes: NAT64 and 6to4 of the machine itself.
    refused(&client, "64:ff9b::7f00:1", &["64:ff9b::7f00:1"]);
    refused(&client, "2002:7f00:1::", &["2002:7f00:1::"]);
    // Too wide.
    refused(&client, "45.0.0.0/8", &["45.0.0.0/8"]);
    refused(&client, "2001:d00::/24", &["2001:d00::/24"]);

    // One bad line of many is refused alone; nothing of it is listed.
    let lines = "127.0.0.1\n198.51.100.1\n10.0.0.1\n";
    let told = client.request("POST", "/ip/add").body("text/plain", lines).send().json();
    assert_eq!((&told["added"], told["refused"].as_array().map(Vec::len)), (&json!(1), Some(2)), "{told}");
    assert_eq!(client.get("/ip/all?format=txt").expect(200).text(), "198.51.100.1\n");
}

#[test]
fn a_wrong_credential_is_401_and_nothing_else_is() {
    let cluster = TestCluster::start(1);
    let body: Value = json!({"ip": "198.51.100.1"});
    let anonymous = cluster.nodes[0].anonymous();
    let clients = [
        anonymous.clone(),
        anonymous.clone().basic("analyst", "wrong"),
        anonymous.clone().basic("nobody", "SecretPW"),
        anonymous.clone().basic("", ""),
        anonymous.clone().bearer("wrong"),
        anonymous.clone().header_identity("x-api-key", "wrong".to_owned()),
        anonymous.clone().header_identity("authorization", "Basic ???".to_owned()),
    ];
    for client in &clients {
        for answer in [client.get("/ip/all"), client.post("/ip/add", &body)] {
            let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
            check(answer, 401, &[]);
            assert!(challenge.starts_with("Basic"), "the challenge is `{challenge}`");
        }
    }
    // The registration token registers; it is not guessed.
    let account = json!({"username": "eve", "password": "SecretPW"});
    for client in [anonymous.clone(), anonymous.clone().registration("wrong")] {
        let answer = client.post("/user/register", &account);
        check(answer, 401, &[]);
    }
    let again = json!({"username": "analyst", "password": "AnotherPW"});
    check(cluster.nodes[0].operator().post("/user/register", &again), 409, &["analyst"]);
    cluster.analyst(0).get("/ip/all").expect(200);
}
