//! Whether every format of one node holds the same values.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::wait::wait_for;

/// The list stands still for so long as the formats take, within this time.
const STILL_WITHIN: Duration = Duration::from_secs(30);

/// A value and its sightings.
type Entry = (String, u64);

/// Checks it at one index, at which nothing waits for a majority, and gives how many there are.
#[track_caller]
pub fn same_values_in_every_format(client: &Client) -> usize {
    let list = |format: &str| {
        let query = if format == "txt" { "" } else { "&fields=value,sighting" };
        let answer = client.get(&format!("/ip/all?format={format}{query}")).expect(200);
        let index = answer.header("stockade-index").expect("every list has its index").to_owned();
        let settled = answer.header("stockade-pending").is_none();
        (settled.then_some(index), answer.text().to_owned())
    };
    let [json, ndjson, csv, xml, txt] = wait_for("every format is of the same index", STILL_WITHIN, || {
        let lists = ["json", "ndjson", "csv", "xml", "txt"].map(list);
        let same = lists.iter().all(|(index, _)| index.is_some() && *index == lists[0].0);
        same.then(|| lists.map(|(_, text)| text))
    });
    let json: BTreeSet<Entry> =
        serde_json::from_str::<Vec<Value>>(&json).expect("an array").iter().map(entry).collect();
    let ndjson = ndjson.lines().map(|line| entry(&serde_json::from_str(line).expect("JSON"))).collect();
    let csv = csv.lines().skip(1).map(row).collect();
    let xml = xml.split("<entry>").skip(1).map(element).collect();
    for (format, entries) in [("ndjson", &ndjson), ("csv", &csv), ("xml", &xml)] {
        assert!(json == *entries, "{format} and json hold different entries");
    }
    let txt: BTreeSet<&str> = txt.lines().filter(|line| !line.is_empty()).collect();
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
