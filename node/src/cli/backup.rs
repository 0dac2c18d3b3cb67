//! `stockade backup`: all of the list in a file, which has its name once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::{As, Client, Connection, Download};
use super::{Ended, output};

/// A backup has to arrive within this.
const ARRIVES_WITHIN: Duration = Duration::from_secs(3600);
/// Bytes taken from the node at once.
const PART_BYTES: usize = 1 << 16;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Into this file, which is replaced once the whole backup has arrived and was read through
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let client = Client::with_try_timeout(&self.connection, ARRIVES_WITHIN);
        let download = client.download("/admin/backup", As::Operator)?;
        let mut partial = self.file.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let kept = keep(download, &partial, &self.file);
        if kept.is_err() {
            // What there is of it is of no use, and may not be there at all.
            drop(fs::remove_file(&partial));
        }
        let (entries, index) = kept?;
        output::line(&format!("{entries} entries at index {index} are in {}", self.file.display()))?;
        Ok(Ended::Done)
    }
}

/// Takes it in, reads it through, and gives it its name.
fn keep(mut download: Download, partial: &Path, path: &Path) -> Result<(usize, u64), String> {
    let problem = |error: io::Error| format!("{}: {error}", partial.display());
    let length = download.length.ok_or("the node does not say how long the backup is")?;
    let mut options = OpenOptions::new();
    // It holds the accounts.
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(partial).map_err(problem)?;
    let bar = progress(length);
    let mut part = vec![0; PART_BYTES];
    let mut arrived = 0;
    loop {
        let count =
            download.body.read(&mut part).map_err(|error| format!("the backup was cut short: {error}"))?;
        if count == 0 {
            break;
        }
        file.write_all(&part[..count]).map_err(problem)?;
        arrived += count as u64;
        bar.set_position(arrived);
    }
    bar.finish_and_clear();
    if arrived != length {
        return Err(format!("the backup was cut short: {arrived} of {length} bytes have arrived"));
    }
    file.sync_all().map_err(problem)?;
    let found = raft::CheckedBackup::open(partial).map_err(|error| error.to_string())?;
    fs::rename(partial, path).map_err(problem)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(problem)?;
    Ok((found.entries(), found.index()))
}

fn progress(bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}
