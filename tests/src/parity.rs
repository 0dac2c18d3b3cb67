//! Whether every format of one node holds the same values.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::Client;

/// A value and its sightings.
type Entry = (String, u64);

/// Checks it, and gives how many there are. Nothing may be written meanwhile.
#[track_caller]
pub fn same_values_in_every_format(client: &Client) -> usize {
    let text = |format: &str| {
        let path = format!("/ip/all?fields=value,sighting&format={format}");
        client.get(&path).expect(200).text().to_owned()
    };
    let json: BTreeSet<Entry> =
        serde_json::from_str::<Vec<Value>>(&text("json")).expect("an array").iter().map(entry).collect();
    let ndjson =
        text("ndjson").lines().map(|line| entry(&serde_json::from_str(line).expect("JSON"))).collect();
    let csv = text("csv").lines().skip(1).map(row).collect();
    let xml = text("xml").split("<entry>").skip(1).map(element).collect();
    for (format, entries) in [("ndjson", &ndjson), ("csv", &csv), ("xml", &xml)] {
        assert!(json == *entries, "{format} and json hold different entries");
    }
    let lines = client.get("/ip/all?format=txt").expect(200).text().to_owned();
    let txt: BTreeSet<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    assert!(
        json.iter().map(|(value, _)| value.as_str()).collect::<BTreeSet<_>>() == txt,
        "txt and json differ"
    );
    json.len()
}

fn entry(entry: &Value) -> Entry {
    let value = entry["value"].as_str().expect("an entry has a value");
    (value.to_owned(), entry["sighting"].as_u64().expect("an entry has its sightings"))
}

fn row(row: &str) -> Entry {
    let (value, sighting) = row.split_once(',').expect("two columns");
    (value.to_owned(), sighting.parse().expect("a number"))
}

fn element(element: &str) -> Entry {
    let inside = |tag: &str| {
        let (_, rest) = element.split_once(&format!("<{tag}>")).expect("an element for each field");
        rest.split_once("</").expect("it is closed").0.to_owned()
    };
    (inside("value"), inside("sighting").parse().expect("a number"))
}
