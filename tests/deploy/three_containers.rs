//! Three containers: the talk's setup, as its compose file starts it.

use std::time::Duration;

use serde_json::json;
use stockade_tests::{Client, TOKEN, wait_for};

use crate::compose::Compose;

fn user(compose: &Compose, service: &str) -> Client {
    compose.client(service).basic("pts2021", "SecretPW")
}

#[test]
fn three_containers_keep_one_list() {
    let compose = Compose::up();
    let [first, second, third] = <[String; 3]>::try_from(compose.services.clone()).expect("three services");
    for service in [&first, &second, &third] {
        compose.wait_ready(service);
    }

    // The talk's lines through one.
    let account = json!({"username": "pts2021", "password": "SecretPW"});
    compose.client(&first).registration(TOKEN).post("/user/register", &account).expect(201);
    let body = json!({"ip": "45.146.164.110", "comment": "Bad guy"});
    user(&compose, &first).post("/ip/add", &body).expect(201);
    let index = user(&compose, &first).post("/ip/add", &body).expect(200).index();

    // The list from another.
    let path = format!("/ip/all?fields=value&format=csv&min_index={index}");
    assert_eq!(user(&compose, &second).get(&path).expect(200).text(), "45.146.164.110\n");

    // One is killed; the others go on, and it catches up when it is back.
    compose.run(&["kill", &third]);
    let add = json!({"ip": "185.143.223.11"});
    let added = wait_for("writes go on", Duration::from_secs(10), || {
        let sent = user(&compose, &second).request("POST", "/ip/add").json(&add).try_send().ok()?;
        matches!(sent.status, 200 | 201).then_some(sent)
    });
    compose.run(&["start", &third]);
    compose.wait_ready(&third);
    let path = format!("/ip/all?fields=value&format=csv&min_index={}", added.index());
    assert_eq!(user(&compose, &third).get(&path).expect(200).text(), "45.146.164.110\n185.143.223.11\n");
}
