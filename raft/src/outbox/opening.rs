//! How an outbox goes on where the last run of the node ended.

use super::{Limits, Outbox};
use crate::blocklist::{List, Origin};
use crate::cluster::Settings;
use crate::error::Error;
use crate::recovery::{broken, take_incarnation};
use crate::store::PendingFile;

impl Outbox {
    /// Opens the outbox. What an earlier run has kept goes on under its numbers; else the outbox is a new one.
    pub(crate) fn open(settings: &Settings, node: u64, list: &List) -> Result<Outbox, Error> {
        let data = &settings.data;
        let limits = Limits {
            bytes_max: settings.pending_bytes_max,
            age_max: settings.pending_age_max,
            accept_after: settings.accept_after,
        };
        let broken_pending = broken("the pending reports");
        let (mut file, mut kept) = PendingFile::open(data).map_err(&broken_pending)?;
        let mark = list.origin(node);
        if let (Some(first), Some(mark)) = (kept.first(), mark)
            && first.incarnation < mark.incarnation
        {
            // A later run of this node has written: this file is older than the rest, and its numbers are used up.
            drop(file);
            let aside = PendingFile::set_aside(data).map_err(&broken_pending)?;
            tracing::error!(path = %aside.display(), "the pending reports are of an earlier run; they were set aside");
            (file, kept) = PendingFile::open(data).map_err(&broken_pending)?;
        }
        let incarnation = match kept.first() {
            Some(first) => first.incarnation,
            None => take_incarnation(data)?,
        };
        if !kept.is_empty() {
            tracing::info!(commands = kept.len(), "reports of the last run still wait for a majority");
        }
        let outbox = Outbox::new(Origin { node, incarnation }, limits, file, kept);
        outbox.overtaken(list);
        Ok(outbox)
    }
}
