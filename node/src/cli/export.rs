//! `stockade export`

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::client::{As, Client, Connection, encode};
use super::entries::Kind;
use super::{Ended, output};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    kind: Kind,
    /// What this feed shows, and as it shows it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "format", "fields", "Filters"])]
    feed: Option<String>,
    /// json, xml, csv, txt or ndjson
    #[arg(long, default_value = "txt")]
    format: String,
    /// The fields, separated by commas: value,comment,source,sighting,time_added,…
    #[arg(long)]
    fields: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Into this file, which is replaced once the whole list has arrived
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which entries, in which order. The node judges the values, so that they mean here what they mean there.
#[derive(Args)]
pub(super) struct Filters {
    /// Only this family of addresses: 4 or 6
    #[arg(long)]
    family: Option<String>,
    /// Only what was sighted at least so often after it was listed
    #[arg(long, value_name = "N")]
    min_sightings: Option<String>,
    /// Only what at least so many different sources reported
    #[arg(long, value_name = "N")]
    min_sources: Option<String>,
    /// Only what was listed or sighted within this time, by the clock of the node: 30m, 24h, 7d
    #[arg(long, value_name = "DURATION")]
    seen_within: Option<String>,
    /// Only what has this label; given several times, or with commas: any of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only what this source reported, the first one or a later one
    #[arg(long)]
    source: Option<String>,
    /// Only what this account listed
    #[arg(long, value_name = "ACCOUNT")]
    added_by: Option<String>,
    /// In the order of value, time_added, time_updated or sighting; with - before it, the other way round
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,
    /// At most so many, the first ones in that order
    #[arg(long, value_name = "N")]
    limit: Option<String>,
}

impl Filters {
    /// Adds a query parameter for each one given.
    pub(super) fn append_to(&self, path: &mut String) {
        let single = [
            ("family", &self.family),
            ("min_sightings", &self.min_sightings),
            ("min_sources", &self.min_sources),
            ("seen_within", &self.seen_within),
            ("source", &self.source),
            ("added_by", &self.added_by),
            ("sort", &self.sort),
            ("limit", &self.limit),
        ];
        let single = single.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in single.chain(self.tags.iter().map(|tag| ("tag", tag))) {
            path.push_str(&format!("&{name}={}", encode(value)));
        }
    }
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let list = Client::new(&self.connection).get(&self.path(), As::Account)?.success()?.body;
        let Some(file) = self.output else {
            output::bytes(&list)?;
            return Ok(Ended::Done);
        };
        let partial = file.with_extension("partial");
        let problem = |error: std::io::Error| format!("{}: {error}", file.display());
        fs::write(&partial, &list).map_err(problem)?;
        fs::rename(&partial, &file).map_err(problem)?;
        Ok(Ended::Done)
    }

    fn path(&self) -> String {
        if let Some(feed) = &self.feed {
            return format!("/feed/{}", encode(feed));
        }
        let mut path = format!("/{}/all?format={}", self.kind.kind, encode(&self.format));
        if let Some(fields) = &self.fields {
            path.push_str(&format!("&fields={}", encode(fields)));
        }
        self.filters.append_to(&mut path);
        path
    }
}
