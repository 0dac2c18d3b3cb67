//! What a mapping makes of a body, and which mappings are none.

use proptest::prelude::{any, proptest};
use serde_json::json;

use super::*;

fn defaults() -> Defaults {
    Defaults { comment: "".into(), source: "10.0.0.7".into(), ttl: None, tags: BTreeSet::new() }
}

/// `kind value comment source ttl tags` of each report, or the value and why it is refused.
fn told(mapping: &Value, document: &Value) -> Vec<String> {
    let mapping = Mapping::parse(mapping.to_string().as_bytes()).unwrap();
    let tell = |report: Result<Report, Refused>| match report {
        Ok(report) => {
            let tags: Vec<&str> = report.tags.iter().map(AsRef::as_ref).collect();
            let ttl = report.ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
            let (kind, value) = (report.value.kind(), &report.value);
            format!("{kind} {value} |{}|{}|{ttl}|{}", report.comment, report.source, tags.join(","))
        }
        Err(refused) => format!("refused {}", refused.value),
    };
    mapping.reports(document, &defaults()).into_iter().map(tell).collect()
}

#[test]
fn webhooks_of_known_programs() {
    let crowdsec = json!([{"scenario": "crowdsecurity/ssh-bf", "machine_id": "web01", "source": {"ip": "192.0.2.1"},
        "decisions": [{"duration": "3h59m59.5s", "scope": "Ip", "type": "ban", "value": "192.0.2.1"},
            {"duration": "4h", "scope": "Range", "type": "captcha", "value": "198.51.100.0/24"}]},
        {"scenario": "x", "decisions": null}]);
    let hive3 = json!({"operation": "Creation", "objectType": "case_artifact", "requestId": "r", "details": {
        "dataType": "ip", "data": "192.0.2.2", "ioc": true, "tags": ["c2", "apt"]}, "object": {"_id": "x"}});
    let hive5 = json!({"action": "create", "objectType": "Observable",
        "object": {"dataType": "fqdn", "data": "evil.example", "message": "seen in\na case"},
        "organisation": {"name": "soc"}});
    let alerts = json!({"version": "4", "status": "firing", "alerts": [
        {"status": "firing", "labels": {"ip": "192.0.2.3", "alertname": "ScanDetected"}, "annotations": {}},
        {"status": "resolved", "labels": {"ip": "192.0.2.4", "alertname": "ScanDetected"}},
        {"status": "firing", "labels": {"ip": "no address"}}]});
    let splunk = json!({"sid": "scheduler_1", "search_name": "ssh brute force", "result": {"src_ip": "192.0.2.5", "count": "12"}});
    let suricata = json!({"event_type": "alert", "src_ip": "192.0.2.6", "dest_ip": "10.0.0.1",
        "alert": {"signature_id": 2001, "signature": "ET SCAN", "severity": 1}});
    let cowrie = json!({"eventid": "cowrie.login.failed", "src_ip": "2001:DB8::7", "username": "root", "sensor": "pot1"});
    let rows = [
        (
            json!({"value": "/*/decisions/*/value", "comment": "/*/scenario", "source": ["crowdsec", "/*/machine_id"],
                "ttl": "/*/decisions/*/duration", "filter": {"pointer": "/*/decisions/*/type", "equals": "ban"}}),
            crowdsec,
            vec!["ip 192.0.2.1 |crowdsecurity/ssh-bf|crowdsec/web01|14400|"],
        ),
        (
            json!({"value": "/details/data", "kind": "/details/dataType", "tags": "/details/tags", "filter": [
                {"pointer": "/objectType", "equals": "case_artifact"}, {"pointer": "/details/ioc", "equals": true}]}),
            hive3,
            vec!["ip 192.0.2.2 ||10.0.0.7|-|apt,c2"],
        ),
        (
            json!({"value": "/object/data", "kind": "/object/dataType", "comment": ["TheHive:", "/object/message"],
                "source": "/organisation/name", "filter": {"pointer": "/action", "equals": ["create", "update"]}}),
            hive5,
            vec!["domain evil.example |TheHive: seen in a case|soc|-|"],
        ),
        (
            json!({"value": "/alerts/*/labels/ip", "comment": "/alerts/*/labels/alertname", "ttl": "1d",
                "filter": {"pointer": "/alerts/*/status", "equals": "firing"}}),
            alerts,
            vec!["ip 192.0.2.3 |ScanDetected|10.0.0.7|86400|", "refused no address"],
        ),
        (
            json!({"value": "/result/src_ip", "comment": ["/search_name", "/result/count"], "ttl": 600}),
            splunk,
            vec!["ip 192.0.2.5 |ssh brute force 12|10.0.0.7|600|"],
        ),
        (
            json!({"value": ["/src_ip", "/nowhere"], "comment": ["/alert/signature_id", "/alert/signature"], "tags": ["ids"],
                "filter": {"pointer": "/alert/severity", "equals": [1, 2]}}),
            suricata,
            vec!["ip 192.0.2.6 |2001 ET SCAN|10.0.0.7|-|ids"],
        ),
        (
            json!({"value": "/src_ip", "comment": ["cowrie", "/eventid"], "source": ["cowrie", "/sensor"],
                "filter": {"pointer": "/eventid", "equals": ["cowrie.login.failed", "cowrie.login.success"]}}),
            cowrie,
            vec!["ip 2001:db8::7 |cowrie cowrie.login.failed|cowrie/pot1|-|"],
        ),
        (
            json!({"value": ""}),
            json!(["192.0.2.8", 7, null, " 192.0.2.9 "]),
            vec!["ip 192.0.2.8 ||10.0.0.7|-|", "ip 192.0.2.9 ||10.0.0.7|-|"],
        ),
        (json!({"value": "/a"}), json!({"b": 1}), vec![]),
    ];
    for (mapping, document, expected) in rows {
        assert_eq!(told(&mapping, &document), expected, "{mapping}");
    }
}

#[test]
fn what_is_no_mapping_is_refused_with_the_reason() {
    let rows = [
        (json!({}), "value"),
        (json!([]), "mapping"),
        (json!({"value": []}), "1 to 16"),
        (json!({"value": "src_ip"}), "begins with `/`"),
        (json!({"value": "/ip", "kind": "fruit"}), "neither a kind nor a pointer"),
        (json!({"value": "/ip", "coment": "/x"}), "coment"),
        (json!({"value": "/ip", "ttl": "soon"}), "soon"),
        (json!({"value": "/ip", "comment": "/alerts/*/x"}), "walks more arrays"),
        (json!({"value": "/ip", "filter": {"pointer": "/a"}}), "filter"),
        (json!({"value": "/ip", "filter": {"pointer": "/*/a", "equals": 1}}), "walks more arrays"),
    ];
    for (mapping, part) in rows {
        let error = Mapping::parse(mapping.to_string().as_bytes()).unwrap_err();
        assert!(error.contains(part), "{mapping}: {error}");
    }
}

#[test]
fn times() {
    let rows = [
        ("3600", Some(3600)),
        ("7d", Some(604_800)),
        ("3h59m59.5s", Some(14_400)),
        ("", None),
        ("x", None),
        ("4h é", None),
    ];
    for (text, expected) in rows {
        assert_eq!(ttl(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_mapping_or_an_error(text in any::<String>(), pointer in "[/*~a0]{0,12}", ttl in "[0-9hms.é]{0,9}") {
        drop(Mapping::parse(text.as_bytes()));
        let mapping = json!({"value": pointer, "comment": pointer, "ttl": "/ttl"});
        if let Ok(mapping) = Mapping::parse(mapping.to_string().as_bytes()) {
            let document = json!({"a": [[{"a": text, "0": [text]}]], "ttl": ttl});
            drop(mapping.reports(&document, &defaults()));
        }
    }
}
