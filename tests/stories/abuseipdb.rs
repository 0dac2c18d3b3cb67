//! What speaks to AbuseIPDB speaks to the list, with another host name and an API token as its key.

use std::fs;
use std::process::Command;

use serde_json::json;
use stockade_tests::{TestCluster, run};

#[test]
fn reports_checks_and_the_blacklist() {
    let cluster = TestCluster::start(1);
    cluster.register("sensor", "sensor");
    let made =
        cluster.client(0, "sensor").post("/user/sensor/tokens", &json!({"name": "abuseipdb"})).expect(201);
    let key = made.json()["token"].as_str().unwrap().to_owned();
    let url = cluster.nodes[0].url();

    // The line of fail2ban's own action.d/abuseipdb.conf, but for the host name.
    let action = fs::read_to_string("/etc/fail2ban/action.d/abuseipdb.conf").unwrap();
    let line = action.lines().find(|line| line.starts_with("actionban = ")).unwrap();
    let line = line.trim_start_matches("actionban = ").replace("https://api.abuseipdb.com", &url);
    assert!(line.contains(&url), "{line}");
    let line = line.replace("<abuseipdb_apikey>", &key).replace("<abuseipdb_category>", "18,22");
    let line = line.replace("<lgm>", "").replace("<ip>", "203.0.113.5").replace("<matches>", "a log line");
    let mut command = Command::new("sh");
    command.args(["-c", &line.replace("<fid>", "203.0.113.5")]);
    let told = run(command, "").expect(0);
    assert!(told.output.contains("\"abuseConfidenceScore\":100"), "{line}: {told:?}");

    let client = cluster.nodes[0].anonymous().header_identity("key", key);
    let entry = client.get("/ip/203.0.113.5?fields=tags,account").expect(200);
    assert!(entry.text().contains("abuseipdb-18") && entry.text().contains("abuseipdb-22"), "{entry:?}");
    let form = |text: &str| {
        client.request("POST", "/api/v2/report").body("application/x-www-form-urlencoded", text).send()
    };
    let told = form(
        "ip=2001%3Adb8%3A%3A5&categories=15&comment=ssh+scan&timestamp=2026-11-20T05%3A00%3A00%2B00%3A00",
    );
    assert_eq!(told.expect(200).json()["data"]["ipAddress"], "2001:db8::5");
    form("ip=127.0.0.1&categories=15").expect(422);
    form("ip=nonsense&categories=15").expect(422);
    form("categories=15").expect(422);
    form("ip=203.0.113.9&colour=red").expect(400);

    let check = |ip: &str| {
        client.get(&format!("/api/v2/check?ipAddress={ip}&maxAgeInDays=90&verbose")).expect(200).json()["data"].clone()
    };
    let listed = check("203.0.113.5");
    assert_eq!(
        (&listed["abuseConfidenceScore"], &listed["totalReports"]),
        (&json!(100), &json!(1)),
        "{listed}"
    );
    assert!(listed["lastReportedAt"].as_str().unwrap().ends_with("+00:00"), "{listed}");
    assert_eq!(check("203.0.113.6")["abuseConfidenceScore"], 0);
    client.get("/api/v2/check").expect(422);

    let list = client.get("/api/v2/blacklist?confidenceMinimum=90").expect(200).json();
    assert_eq!(list["data"][0]["ipAddress"], "203.0.113.5");
    assert_eq!(client.get("/api/v2/blacklist?plaintext").expect(200).text(), "203.0.113.5\n2001:db8::5\n");
    let plain = client.request("GET", "/api/v2/blacklist?ipVersion=6").header("accept", "text/plain").send();
    assert_eq!(plain.expect(200).text(), "2001:db8::5\n");

    // Whom the list must never block has no score.
    cluster.analyst(0).post("/allow/add", &json!({"ip": "203.0.113.5", "comment": "our own"})).expect(201);
    let allowed = check("203.0.113.5");
    assert_eq!(
        (&allowed["abuseConfidenceScore"], &allowed["isWhitelisted"]),
        (&json!(0), &json!(true)),
        "{allowed}"
    );
    assert_eq!(client.get("/api/v2/blacklist?plaintext").expect(200).text(), "2001:db8::5\n");
    cluster.nodes[0]
        .anonymous()
        .header_identity("key", "stk_wrong".into())
        .get("/api/v2/blacklist")
        .expect(401);
}
