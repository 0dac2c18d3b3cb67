//! How the last run of an import went: kept in the list as JSON, so that every node tells the same, and the next leader
//! knows what is due.

use raft::blocklist::{Import, Timestamp};
use serde::{Deserialize, Serialize};

use super::profile::Profile;

/// After a failed run the next one comes at the latest after this many seconds, doubled with each failure.
const RETRY_SECONDS: i64 = 60;
/// The longest word on a failure, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// How a run ended, or that it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// There was none.
    #[default]
    Never,
    /// It is under way, or was broken off and begins again.
    Running,
    /// The list is in step with the feed.
    Done,
    /// The feed is the same as before.
    Unchanged,
    /// The feed has grown or shrunk too much, and waits for an admin.
    Held,
    /// The feed could not be had, or not be read. The list stays.
    Failed,
}

/// What is kept of runs. Times in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) ending: Ending,
    /// The node that ran it.
    pub(crate) node: u64,
    pub(crate) started: i64,
    pub(crate) ended: i64,
    /// When the list was last in step with the feed.
    pub(crate) succeeded: Option<i64>,
    /// Values of the feed then.
    pub(crate) values: u64,
    /// How many of them stood on the list for it.
    pub(crate) claimed: u64,
    pub(crate) added: u64,
    /// New for the import, listed already: a sighting.
    pub(crate) sighted: u64,
    pub(crate) renewed: u64,
    pub(crate) withdrawn: u64,
    /// Values that must not be listed.
    pub(crate) refused: u64,
    /// Lines that hold no value.
    pub(crate) malformed: u64,
    /// The first reason of these.
    pub(crate) remark: Option<String>,
    /// Values of a feed that waits for an admin.
    pub(crate) held: Option<u64>,
    pub(crate) failures: u32,
    pub(crate) error: Option<String>,
    /// What to ask the server with: is it still the same? None while a run is under way.
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) digest: Option<String>,
}

impl Report {
    /// Of an import; what a newer build wrote and this one does not read counts as nothing.
    pub(crate) fn of(import: &Import) -> Report {
        serde_json::from_str(&import.run).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// When the next run is due; `None` is when somebody asks for it.
    pub(super) fn next(&self, profile: &Profile) -> Option<Timestamp> {
        let every = match self.ending {
            Ending::Never | Ending::Running => return Some(Timestamp(0)),
            Ending::Failed => {
                let pause = RETRY_SECONDS << self.failures.saturating_sub(1).min(20);
                profile.every.map_or(pause, |every| pause.min(every))
            }
            _ => profile.every?,
        };
        Some(Timestamp(self.ended).plus_seconds(every))
    }

    /// The report after a run that has failed: what was known before stays.
    pub(super) fn failed(self, error: &str) -> Report {
        let failures = self.failures.saturating_add(1);
        let error = error.chars().take(ERROR_CHARS_MAX).collect();
        Report { ending: Ending::Failed, failures, error: Some(error), ..self }
    }
}

/// What `/metrics` tells of an import: name, help and value.
pub(crate) fn figures(import: &Import) -> [(&'static str, &'static str, f64); 4] {
    let report = Report::of(import);
    let succeeded = report.succeeded.map_or(0.0, |ms| ms as f64 / 1000.0);
    let held = f64::from(u8::from(report.ending == Ending::Held));
    [
        (
            "import_succeeded_timestamp_seconds",
            "When the list was last in step with the feed; 0 is never.",
            succeeded,
        ),
        ("import_values", "Values that the feed named then.", report.values as f64),
        ("import_held", "1 while the feed waits for an admin, because it has changed too much.", held),
        ("import_failures", "Runs that have failed since one did not.", f64::from(report.failures)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_run_is_tried_again_sooner_and_then_less_and_less_often() {
        let profile = |every: &str| {
            let text = format!("{{\"file\":\"x\"{every}}}");
            Profile::parse("x", text.as_bytes()).unwrap()
        };
        let report = |ending, failures| Report { ending, failures, ended: 1_000, ..Report::default() };
        let hourly = ",\"every\":\"1h\"";
        for (ending, failures, every, seconds) in [
            (Ending::Never, 0, "", Some(-1)),
            (Ending::Running, 0, hourly, Some(-1)),
            (Ending::Done, 0, hourly, Some(3600)),
            (Ending::Held, 0, hourly, Some(3600)),
            (Ending::Unchanged, 0, "", None),
            (Ending::Failed, 1, hourly, Some(60)),
            (Ending::Failed, 3, hourly, Some(240)),
            (Ending::Failed, 99, hourly, Some(3600)),
        ] {
            let next = report(ending, failures).next(&profile(every));
            assert_eq!(
                next,
                seconds.map(|seconds| Timestamp(1_000 + seconds * 1000)),
                "{ending:?} {failures}"
            );
        }
    }
}
