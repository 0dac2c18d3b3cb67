//! One run of one import: get the feed, and say to the list what has changed in it. Whatever is said is said through the
//! log and may be said again: a run that breaks off, here or because this node leads no more, begins anew and counts
//! nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use raft::blocklist::{
    Actor, Command, Import, ImportRun, Line, Observable, Operation, Outcome, REPORTS_MAX, Report as Said,
    Role, Timestamp,
};

use super::difference::{self, Claims, Difference};
use super::fetch::{self, Allowed, Feed, Fetched};
use super::format::{Reading, Wanted};
use super::profile::Profile;
use super::report::{Ending, Report};
use crate::app::{App, now};

/// Commands under way together.
const COMMANDS_AT_ONCE: usize = 8;
/// Values that one command withdraws: each changes two keys.
const WITHDRAWN_MAX: usize = REPORTS_MAX / 2;

/// Why a run did not end.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is not this node's any more, or the import is another one: whoever it is begins anew.
    Off,
    /// The list did not take it.
    Unwritten(String),
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) app: &'a App,
    pub(super) import: Arc<Import>,
}

/// Runs an import and keeps how that went.
pub(super) async fn run(app: &App, import: Arc<Import>) -> Result<(), Broken> {
    let started = now();
    let before = Report::of(&import);
    let node = app.cluster.status().node_id;
    let begun = Report { node, started: started.0, ..before };
    let run = Run { app, import };
    let report = match run.carry_out(started, begun.clone()).await {
        Ok(report) => report,
        Err(Failure::Feed(error)) => begun.failed(&error),
        Err(Failure::Broken(broken)) => return Err(broken),
    };
    let report = Report { ended: now().0, ..report };
    tracing::info!(import = %run.import.name, ending = ?report.ending, error = report.error, "an import was run");
    run.note(started, true, &report, &deed(&report)).await
}

/// Why there is nothing to be said to the list.
enum Failure {
    /// The feed is to blame.
    Feed(String),
    Broken(Broken),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        Failure::Broken(broken)
    }
}

impl Run<'_> {
    async fn carry_out(&self, started: Timestamp, report: Report) -> Result<Report, Failure> {
        let profile = Arc::new(Profile::of(&self.import).map_err(Failure::Feed)?);
        let picture = self.app.cluster.picture();
        let claims = {
            let (profile, account) = (profile.clone(), account(&self.import.name));
            self.aside(move || difference::claims(&picture.list, &profile, &account)).await?
        };
        // What was taken off the list since is said again only if the feed is read again.
        let known =
            (report.succeeded.is_some() && report.claimed == claims.len() as u64).then(|| report.clone());
        let fetched = {
            let (profile, allowed) = (profile.clone(), self.allowed());
            self.aside(move || fetch::fetch(&profile.place, &allowed, known.as_ref())).await?
        };
        let ttl = self.ttl(&profile);
        let is_due = move |expires: Option<Timestamp>| {
            // Half of the time that is left after a fresh report.
            ttl.is_some_and(|ttl| expires.is_some_and(|at| at < started.plus_seconds(ttl / 2)))
        };
        let (feed, reading) = match fetched.map_err(Failure::Feed)? {
            Fetched::Unchanged => return self.unchanged(&profile, report, &claims, is_due).await,
            Fetched::Feed(feed) => self.read(profile.clone(), feed).await?,
        };
        let count = reading.values.len() as u64;
        if let Some(held) = self.held(&profile, &report, &claims, count) {
            return Ok(Report { ending: Ending::Held, held: Some(held), error: None, failures: 0, ..report });
        }
        let difference = difference::between(&claims, &reading.values, is_due);
        if !(difference.claimed.is_empty() && difference.withdrawn.is_empty()) {
            // Until it has ended nobody may take the list for what the feed was like.
            // What was let pass is what a run that begins anew is measured against.
            let under_way =
                Report { ending: Ending::Running, succeeded: None, values: count, ..report.clone() };
            self.note(started, false, &under_way, "").await?;
        }
        let mut report = Report {
            ending: Ending::Done,
            values: count,
            malformed: reading.malformed_total as u64,
            remark: reading.malformed.first().map(|one| format!("line {}: {}", one.line, one.reason)),
            etag: feed.etag,
            last_modified: feed.last_modified,
            digest: Some(feed.digest),
            ..self.fresh(&report)
        };
        self.bring(&profile, &difference, &mut report).await?;
        self.succeeded(&profile, report).await
    }

    /// The feed is the same: what it names stays for longer where that is due.
    async fn unchanged(
        &self,
        profile: &Arc<Profile>,
        report: Report,
        claims: &Claims,
        is_due: impl Fn(Option<Timestamp>) -> bool,
    ) -> Result<Report, Failure> {
        let due = claims.iter().filter(|(_, expires)| is_due(**expires));
        let claimed = due.map(|(value, _)| (value.clone(), profile.comment.clone())).collect();
        let difference = Difference { claimed, withdrawn: Vec::new() };
        let kept = report.clone();
        let mut report = Report {
            ending: Ending::Unchanged,
            values: kept.values,
            malformed: kept.malformed,
            remark: kept.remark.clone(),
            etag: kept.etag.clone(),
            last_modified: kept.last_modified.clone(),
            digest: kept.digest.clone(),
            ..self.fresh(&kept)
        };
        self.bring(profile, &difference, &mut report).await?;
        self.succeeded(profile, report).await
    }

    /// A report that says nothing of earlier runs.
    fn fresh(&self, report: &Report) -> Report {
        Report { node: report.node, started: report.started, ..Report::default() }
    }

    /// Counts what stands on the list for the import now.
    async fn succeeded(&self, profile: &Arc<Profile>, report: Report) -> Result<Report, Failure> {
        let (picture, profile, account) =
            (self.app.cluster.picture(), profile.clone(), account(&self.import.name));
        let claims = self.aside(move || difference::claims(&picture.list, &profile, &account)).await?;
        Ok(Report { succeeded: Some(now().0), claimed: claims.len() as u64, ..report })
    }

    async fn read(&self, profile: Arc<Profile>, feed: Feed) -> Result<(Feed, Reading), Failure> {
        let read = self.aside(move || {
            let wanted = Wanted { kind: profile.kind, column: profile.column.as_deref() };
            let reading = profile.format.read(&feed.text, wanted)?;
            match reading.values.len() > profile.values_max {
                true => Err(format!("it names more than {} values, `values_max`", profile.values_max)),
                false => Ok((feed, reading)),
            }
        });
        read.await?.map_err(Failure::Feed)
    }

    /// The number of values if it is too far from what was there before, and from what an admin has let pass.
    fn held(&self, profile: &Profile, report: &Report, claims: &Claims, now: u64) -> Option<u64> {
        let before = if report.values > 0 { report.values } else { claims.len() as u64 };
        let is_let_pass =
            self.import.approved.is_some_and(|let_pass| difference::is_allowed(profile, let_pass, now));
        let is_allowed = before == 0 || difference::is_allowed(profile, before, now) || is_let_pass;
        (!is_allowed).then_some(now)
    }

    async fn bring(
        &self,
        profile: &Profile,
        difference: &Difference,
        report: &mut Report,
    ) -> Result<(), Broken> {
        for some in difference.claimed.chunks(REPORTS_MAX * COMMANDS_AT_ONCE) {
            let claims = some.chunks(REPORTS_MAX).map(|some| Operation::Claim {
                label: profile.label.clone(),
                reports: some.iter().map(|(value, comment)| said(profile, value, comment)).collect(),
            });
            self.write(claims.collect(), report).await?;
        }
        for some in difference.withdrawn.chunks(WITHDRAWN_MAX * COMMANDS_AT_ONCE) {
            let withdrawals = some.chunks(WITHDRAWN_MAX).map(|some| Operation::Withdraw(some.to_vec()));
            self.write(withdrawals.collect(), report).await?;
        }
        Ok(())
    }

    async fn write(&self, operations: Vec<Operation>, report: &mut Report) -> Result<(), Broken> {
        if !self.is_ours() {
            return Err(Broken::Off);
        }
        let commands = operations.into_iter().map(|operation| self.command(operation)).collect();
        let written = self.app.cluster.propose_all(commands).await;
        for one in written.map_err(|error| Broken::Unwritten(error.to_string()))? {
            count(one.outcome, report);
        }
        Ok(())
    }

    /// Keeps what is known of this run.
    async fn note(&self, started: Timestamp, ended: bool, report: &Report, deed: &str) -> Result<(), Broken> {
        if !self.is_ours() {
            return Err(Broken::Off);
        }
        let note = ImportRun {
            name: self.import.name.clone(),
            changed: self.import.changed,
            started,
            ended,
            run: report.text().into(),
            deed: deed.into(),
        };
        let written = self.app.cluster.propose(self.command(Operation::NoteImport(note))).await;
        match written.map_err(|error| Broken::Unwritten(error.to_string()))?.outcome {
            Outcome::Refused(_) => Err(Broken::Off),
            _ => Ok(()),
        }
    }

    /// Whether this node leads, and the import is still the one that is run.
    fn is_ours(&self) -> bool {
        let picture = self.app.cluster.picture();
        let known = picture.list.import(&self.import.name).map(|known| known.changed);
        known == Some(self.import.changed) && leads(self.app)
    }

    fn command(&self, operation: Operation) -> Command {
        let actor = Actor { account: account(&self.import.name), role: Role::Admin, address: "".into() };
        Command::new(now(), actor, operation)
    }

    fn ttl(&self, profile: &Profile) -> Option<i64> {
        let picture = self.app.cluster.picture();
        let default = picture.list.settings().default_ttl.get(&profile.kind).copied();
        profile.ttl.or(default).filter(|ttl| *ttl > 0)
    }

    fn allowed(&self) -> Allowed {
        let settings = &self.app.settings;
        Allowed { directory: settings.imports_dir.clone(), private: settings.imports_private }
    }

    /// What takes long is done on a thread that may take its time.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Broken> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Broken::Unwritten(error.to_string()))
    }
}

/// Whether this node leads.
pub(super) fn leads(app: &App) -> bool {
    app.cluster.status().state == "leader"
}

/// The account under which the reports of an import stand. No person's has a slash.
pub(super) fn account(name: &str) -> Arc<str> {
    format!("import/{name}").into()
}

fn said(profile: &Profile, value: &Observable, comment: &Arc<str>) -> Said {
    let comment = if comment.is_empty() { &profile.comment } else { comment };
    let tags: BTreeSet<Arc<str>> = profile.tags.clone();
    Said {
        value: value.clone(),
        comment: comment.clone(),
        source: profile.label.clone(),
        ttl: profile.ttl,
        tags,
        seen: None,
    }
}

fn count(outcome: Outcome, report: &mut Report) {
    let lines = match outcome {
        Outcome::Lines(lines) => lines,
        Outcome::Refused(refusal) => vec![Line::Refused(refusal)],
        _ => Vec::new(),
    };
    for line in lines {
        match line {
            Line::Added => report.added += 1,
            Line::Sighted => report.sighted += 1,
            Line::Updated => report.renewed += 1,
            Line::Deleted | Line::Withdrawn => report.withdrawn += 1,
            Line::Refused(refusal) => {
                report.refused += 1;
                report.remark.get_or_insert_with(|| refusal.to_string());
            }
        }
    }
}

/// What the audit tells of a run; nothing of one that changed nothing, or failed as the one before it did.
fn deed(report: &Report) -> String {
    let Report { added, sighted, withdrawn, refused, values, held, failures, error, .. } = report;
    match report.ending {
        Ending::Done if added + sighted + withdrawn > 0 => {
            format!(
                "{values} values: {added} added, {sighted} sighted, {withdrawn} withdrawn, {refused} refused"
            )
        }
        Ending::Held => format!("held: {} values, and {values} before", held.unwrap_or_default()),
        Ending::Failed if *failures == 1 => format!("failed: {}", error.as_deref().unwrap_or_default()),
        _ => String::new(),
    }
}
