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
    /// json, xml, csv, txt or ndjson
    #[arg(long, default_value = "txt")]
    format: String,
    /// The fields, separated by commas: value,comment,source,sighting,time_added,…
    #[arg(long)]
    fields: Option<String>,
    /// Only this family of addresses: 4 or 6
    #[arg(long)]
    family: Option<u8>,
    /// Into this file, which is replaced once the whole list has arrived
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let mut path = format!("/{}/all?format={}", self.kind.kind, encode(&self.format));
        if let Some(fields) = &self.fields {
            path.push_str(&format!("&fields={}", encode(fields)));
        }
        if let Some(family) = self.family {
            path.push_str(&format!("&family={family}"));
        }
        let list = Client::new(&self.connection).get(&path, As::Account)?.success()?.body;
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
}
