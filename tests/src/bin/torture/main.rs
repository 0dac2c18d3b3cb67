//! Random faults on a cluster under load, for minutes or hours; `scripts/torture` starts it.

#![expect(clippy::print_stdout, reason = "a program whose output is a report")]

mod snapshots;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stockade_tests::{
    Chance, Fault, PASSWORD, Promise, Wired, Witnesses, same_values_in_every_format, wait_for,
};

const HELP: &str = "\
Lets a cluster of real processes suffer random faults under load, and judges what its users saw.

Usage: scripts/torture [--profile faults|snapshots] [--minutes N] [--seed S] [--nodes 3|5] [--sessions N] [--entries N]

  --profile P    faults: random ones; snapshots: as many writes as the nodes take, single ones and twenty at once, over a
                 long list, snapshots and purges all the time, followers that need to be brought up; how long a write
                 waits; every entry's count on every node [default: faults]
  --entries N    snapshots: entries of the list at the start [default: 1000000]
  --minutes N    how long new faults come, fractions too [default: 5]
  --seed S       repeats the faults of an earlier run; the first line says it [default: from the clock]
  --nodes N      voters [default: 3]
  --sessions N   faults: writers and readers [default: two a node]; snapshots: connections that write without a
                 pause, half of them twenty entries at once [default: 256]
  -h, --help     this

The last lines are a summary. Exit code: 0 no finding, 1 a finding (its nodes' data and logs are kept), 2 a wrong flag.
What is tried is STOCKADE_BIN, else the release build, else the debug build: `cargo build --release -p stockade` first.";

/// After a fault ends, writes succeed again within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
/// How long the first write is waited for; a finding is no reason to lose its figure.
const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// Faults between two judgements of all that was seen so far.
const FAULTS_PER_JUDGEMENT: usize = 8;
/// Acknowledgements between two faults.
const SOME_WRITES: usize = 30;
/// Faults that are suffered at the same time.
const AT_ONCE_MAX: u64 = 3;
/// Findings that are printed.
const SHOWN_MAX: usize = 5;

/// What was asked for.
struct Settings {
    lasting: Duration,
    seed: u64,
    nodes: usize,
    sessions: usize,
    profile: Profile,
    entries: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Faults,
    Snapshots,
}

/// What came of it so far.
#[derive(Default)]
struct Summary {
    faults: BTreeMap<String, usize>,
    acknowledged: usize,
    unknown: usize,
    looked_up: usize,
    entries: usize,
    broken: BTreeMap<String, usize>,
    recovery: Vec<Duration>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|word| word == "-h" || word == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let settings = match Settings::parse(&arguments) {
        Ok(settings) => settings,
        Err(reason) => {
            eprintln!("torture: {reason}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if settings.profile == Profile::Snapshots {
        return snapshots::torture(settings.nodes, settings.sessions, settings.entries, settings.lasting);
    }
    println!("seed {}", settings.seed);
    let summary: Arc<Mutex<Summary>> = Arc::default();
    let shared = summary.clone();
    // A thread of its own: when it fails it shows the nodes' logs and keeps their data, and there is a summary still.
    let ended = thread::spawn(move || torture(&settings, &shared)).join();
    let summary = summary.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if ended.is_err() {
        println!(
            "FINDING: the run broke off; the failure, the ends of the logs and where they are kept stand above"
        );
    }
    println!("{summary}");
    match ended.is_ok() && summary.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

impl Settings {
    fn parse(arguments: &[String]) -> Result<Settings, String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut settings = Settings {
            lasting: Duration::from_secs(300),
            seed: since.as_secs(),
            nodes: 3,
            sessions: 0,
            profile: Profile::Faults,
            entries: 1_000_000,
        };
        let mut words = arguments.iter();
        while let Some(flag) = words.next() {
            let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
            let wrong = || format!("`{value}` is no value for {flag}");
            let count = |least: usize, most: usize| {
                value.parse().ok().filter(|count| (least..=most).contains(count)).ok_or_else(wrong)
            };
            match flag.as_str() {
                "--minutes" => {
                    let minutes: f64 = value.parse().map_err(|_| wrong())?;
                    settings.lasting = Duration::try_from_secs_f64(minutes * 60.0).map_err(|_| wrong())?;
                }
                "--seed" => settings.seed = value.parse().map_err(|_| wrong())?,
                "--nodes" => settings.nodes = count(3, 7)?,
                "--entries" => settings.entries = count(1, 16_000_000)?,
                "--profile" => {
                    settings.profile = match value.as_str() {
                        "faults" => Profile::Faults,
                        "snapshots" => Profile::Snapshots,
                        _ => return Err(wrong()),
                    }
                }
                "--sessions" => settings.sessions = count(1, 4096)?,
                _ => return Err(format!("there is no flag {flag}")),
            }
        }
        if settings.sessions == 0 {
            settings.sessions = match settings.profile {
                Profile::Faults => 2 * settings.nodes,
                Profile::Snapshots => 256,
            };
        }
        Ok(settings)
    }
}

fn torture(settings: &Settings, summary: &Mutex<Summary>) {
    let mut chance = Chance::seeded(settings.seed);
    let flags = ["--write-timeout", "3", "--snapshot-after", "200", "--log-keep", "20"];
    let mut wired = Wired::start(settings.nodes, settings.seed, &flags);
    let (urls, sessions) = (wired.urls(), settings.sessions);
    let witnesses = Witnesses::start(&urls, "analyst", PASSWORD, sessions, chance.number());
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < settings.lasting {
        let faults = draw(&mut chance, settings.nodes);
        let lasting = Duration::from_millis(chance.between(100, 6000));
        round += 1;
        println!("{round}: {faults:?} for {lasting:.1?}");
        let before = witnesses.history().acknowledged();
        wait_for("the writers are at work", Duration::from_secs(20), || {
            (witnesses.history().acknowledged() > before + SOME_WRITES).then_some(())
        });
        wired.suffer(&faults, lasting);
        let recovered = witnesses.recovery(RECOVERY_MAX);
        println!("{round}: writes on every node after {recovered:.2?}");
        if recovered > RECOVERED_WITHIN {
            println!(
                "{round}: FINDING: no write on every node within {RECOVERED_WITHIN:?}, but in {recovered:.1?}"
            );
        }
        wired.wait_ready();
        summary.lock().expect("nobody panics with the lock").suffered(&faults, recovered);
        if round % FAULTS_PER_JUDGEMENT == 0 {
            judge(&mut wired, &witnesses, summary);
        }
    }
    judge(&mut wired, &witnesses, summary);
    witnesses.stop();
}

/// One fault or several, but no two of processes.
fn draw(chance: &mut Chance, nodes: usize) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..chance.between(1, AT_ONCE_MAX) {
        let fault = Fault::draw(chance, nodes);
        if !fault.is_of_processes() || !faults.iter().any(Fault::is_of_processes) {
            faults.push(fault);
        }
    }
    faults
}

/// Judges all that was seen; fails with the findings, so that the nodes' data is kept.
fn judge(wired: &mut Wired, witnesses: &Witnesses, summary: &Mutex<Summary>) {
    let _quiet = witnesses.rest();
    wired.cluster.same_list_everywhere();
    let mut findings = Vec::new();
    let mut entries = 0;
    for number in wired.cluster.running() {
        let analyst = wired.cluster.analyst(number);
        let list: Value = analyst.get("/ip/all?fields=value,sighting").expect(200).json();
        findings.extend(witnesses.history().findings(&list));
        entries = same_values_in_every_format(&analyst);
    }
    let mut summary = summary.lock().expect("nobody panics with the lock");
    summary.acknowledged = witnesses.history().acknowledged();
    summary.unknown = witnesses.history().unknown();
    summary.looked_up = witnesses.history().looked_up();
    summary.entries = entries;
    for finding in &findings {
        *summary.broken.entry(format!("{:?}", finding.promise)).or_default() += 1;
    }
    drop(summary);
    for finding in findings.iter().take(SHOWN_MAX) {
        println!("FINDING: {finding}");
    }
    assert!(findings.is_empty(), "promises are broken");
}

impl Summary {
    fn suffered(&mut self, faults: &[Fault], recovered: Duration) {
        for fault in faults {
            *self.faults.entry(fault.name()).or_default() += 1;
        }
        self.recovery.push(recovered);
        self.recovery.sort();
    }

    fn late(&self) -> usize {
        self.recovery.iter().filter(|recovered| **recovered > RECOVERED_WITHIN).count()
    }

    fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.late() == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = |promise: Promise| self.broken.get(&format!("{promise:?}")).copied().unwrap_or(0);
        let faults: Vec<String> = self.faults.iter().map(|(name, count)| format!("{count} {name}")).collect();
        writeln!(f, "faults: {}, in {} rounds", faults.join(", "), self.recovery.len())?;
        writeln!(
            f,
            "checked: {} adds acknowledged, {} unknown, {} lookups, {} entries on every node in every format",
            self.acknowledged, self.unknown, self.looked_up, self.entries
        )?;
        writeln!(
            f,
            "findings: {} losses, {} double counts, {} not linearizable, {} sessions went back, {} lists that differ",
            broken(Promise::NothingLost),
            broken(Promise::CountedOnce),
            broken(Promise::Linearizable),
            broken(Promise::NeverBack),
            broken(Promise::SameAtIndex)
        )?;
        let median = self.recovery.get(self.recovery.len() / 2).copied().unwrap_or_default();
        let worst = self.recovery.last().copied().unwrap_or_default();
        write!(f, "recovery: {median:.2?} median, {worst:.2?} worst, {} later than 5 s", self.late())
    }
}
