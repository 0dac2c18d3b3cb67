//! When imports are run: on the leader alone, one after the other, as they are due or asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use raft::blocklist::Import;
use tokio::time::Instant;

use super::profile::Profile;
use super::report::Report;
use super::run::{self, Broken, leads};
use crate::app::{App, now};

/// Between two looks at what is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What the list did not take is tried again after this.
const UNWRITTEN_PAUSE: Duration = Duration::from_secs(5);

/// Runs until the node stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut paused: BTreeMap<Arc<str>, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.cluster.closing() => return,
        }
        paused.retain(|_, until| *until > Instant::now());
        let Some(import) = due(&app, &paused) else { continue };
        let name = import.name.clone();
        let broken = tokio::select! {
            ended = run::run(&app, import) => ended.err(),
            // What was said is in the log; the next leader says the rest.
            () = app.cluster.closing() => return,
        };
        match broken {
            None => {}
            Some(Broken::Off) => {
                tracing::info!(import = %name, "a run was broken off; whoever leads begins anew")
            }
            Some(Broken::Unwritten(error)) => {
                tracing::warn!(import = %name, error, "a run was broken off; it begins anew");
                paused.insert(name, Instant::now() + UNWRITTEN_PAUSE);
            }
        }
    }
}

/// The import that has waited longest.
fn due(app: &App, paused: &BTreeMap<Arc<str>, Instant>) -> Option<Arc<Import>> {
    let decided = app.cluster.decided();
    let waiting = decided.list.imports().filter(|import| !paused.contains_key(&import.name));
    let waiting = waiting.filter_map(|import| {
        // A profile that a newer build has put may say what this one does not know: the run says so.
        let next = match Profile::of(import) {
            Ok(profile) => Report::of(import).next(&profile),
            Err(_) if import.run.is_empty() => Some(import.changed),
            Err(_) => None,
        };
        let at = [import.asked, next].into_iter().flatten().min()?;
        (at <= now()).then_some((at, import))
    });
    let (_, import) = waiting.min_by_key(|(at, _)| *at)?;
    leads(app).then(|| import.clone())
}
