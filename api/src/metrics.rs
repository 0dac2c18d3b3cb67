//! `/metrics` in the Prometheus text format (version 0.0.4), and the counting of requests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;
use raft::blocklist::{Kind, List};
use raft::{Member, MemberRole};

use crate::answer;
use crate::app::App;
use crate::import;

/// Upper bounds of the request duration histogram, in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Requests so far.
#[derive(Default)]
pub(crate) struct Requests(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    by_route: BTreeMap<String, BTreeMap<u16, u64>>,
    by_duration: [u64; BUCKETS.len()],
    seconds: f64,
    total: u64,
}

impl Requests {
    /// Counts one more.
    pub(crate) fn count(&self, route: &str, status: StatusCode, took: Duration) {
        let mut counts = self.0.lock();
        let seconds = took.as_secs_f64();
        counts.total += 1;
        counts.seconds += seconds;
        for (bucket, bound) in counts.by_duration.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
        let status = status.as_u16();
        match counts.by_route.get_mut(route) {
            Some(by_status) => *by_status.entry(status).or_default() += 1,
            None => drop(counts.by_route.insert(route.to_owned(), BTreeMap::from([(status, 1)]))),
        }
    }
}

pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    if let Some(route) = route {
        app.requests.count(route.as_str(), response.status(), started.elapsed());
    }
    response
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Response {
    let mut text = String::new();
    node(&app, &mut text);
    requests(&app.requests.0.lock(), &mut text);
    if let Some(dnsbl) = &app.settings.dnsbl {
        dnsbl.counters().write(&mut text);
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer::body(StatusCode::OK, content_type, text.into())
}

fn gauge(text: &mut String, name: &str, help: &str, value: f64) {
    // A String takes every write.
    let _ = write!(
        text,
        "# HELP stockade_{name} {help}\n# TYPE stockade_{name} gauge\nstockade_{name} {value}\n"
    );
}

fn node(app: &App, text: &mut String) {
    let status = app.cluster.status();
    let picture = app.cluster.picture();
    gauge(text, "node_id", "This node.", status.node_id as f64);
    gauge(text, "is_leader", "1 on the leader.", f64::from(u8::from(status.state == "leader")));
    gauge(text, "leader_id", "The leader, 0 when none is known.", status.leader.unwrap_or(0) as f64);
    gauge(text, "term", "The Raft term.", status.term as f64);
    gauge(text, "members", "Members of the cluster.", status.members.len() as f64);
    if status.state == "leader" {
        let unreachable =
            |member: &&Member| member.role == MemberRole::Voter && member.healthy == Some(false);
        let count = status.members.iter().filter(unreachable).count();
        gauge(
            text,
            "unreachable_voters",
            "Voters not heard of lately; known to the leader only.",
            count as f64,
        );
    }
    gauge(text, "last_log_index", "The last index in the log.", status.last_log_index as f64);
    gauge(text, "committed_index", "The last index known to be committed.", status.committed_index as f64);
    gauge(text, "applied_index", "The last index applied to the list.", status.applied_index as f64);
    gauge(text, "stored_index", "The index of the list on disk.", status.stored_index as f64);
    gauge(text, "snapshot_index", "The last index in a snapshot.", status.snapshot_index as f64);
    gauge(text, "purged_index", "The last index purged from the log.", status.purged_index as f64);
    gauge(text, "outbox_commands", "Writes taken here and not applied yet.", status.outbox_commands as f64);
    let pending = [
        ("pending_commands", "Reports accepted without a majority.", status.pending_commands),
        ("pending_bytes", "The size of the file they are in.", status.pending_bytes),
    ];
    for (name, help, value) in pending {
        gauge(text, name, help, value as f64);
    }
    let oldest = status.pending_oldest_ms.unwrap_or(0) as f64 / 1000.0;
    gauge(text, "pending_oldest_seconds", "How long the oldest of them has waited.", oldest);
    gauge(
        text,
        "read_only",
        "1 while the disk is nearly full and no writes are taken.",
        f64::from(u8::from(status.read_only)),
    );
    gauge(text, "disk_free_bytes", "Bytes free under the data directory.", status.disk_free_bytes as f64);
    gauge(text, "followers", "Requests that wait for changes.", app.followers.count() as f64);
    gauge(text, "bouncers", "CrowdSec bouncers whose place is known here.", app.cursors.count() as f64);
    gauge(
        text,
        "bouncer_networks_left_out",
        "Networks too wide for the last CrowdSec bouncer that takes single addresses only.",
        app.cursors.too_wide() as f64,
    );
    enforced(app, text);
    let lag = app.cluster.lag().map_or(f64::NAN, |lag| lag.as_secs_f64());
    gauge(text, "lag_seconds", "Seconds since a leader was last heard of.", lag);
    gauge(text, "accounts", "Accounts.", picture.list.accounts().count() as f64);
    let frozen = picture.list.feeds().filter(|feed| feed.frozen.is_some()).count();
    gauge(
        text,
        "frozen_feeds",
        "Feeds that show their last good content until an admin says go on.",
        frozen as f64,
    );
    imports(&picture.list, text);
    text.push_str("# HELP stockade_entries Entries of the list.\n# TYPE stockade_entries gauge\n");
    for kind in Kind::ALL {
        let _ = writeln!(text, "stockade_entries{{kind=\"{kind}\"}} {}", picture.list.count(kind));
    }
}

/// The same on every node.
fn imports(list: &List, text: &mut String) {
    let rows: Vec<_> = list.imports().map(|import| (&import.name, import::figures(import))).collect();
    let Some((_, first)) = rows.first() else { return };
    for (at, (name, help, _)) in first.iter().enumerate() {
        let _ = write!(text, "# HELP stockade_{name} {help}\n# TYPE stockade_{name} gauge\n");
        for (import, figures) in &rows {
            let _ = writeln!(text, "stockade_{name}{{import=\"{import}\"}} {}", figures[at].2);
        }
    }
}

/// What bouncers say that they do with the list.
fn enforced(app: &App, text: &mut String) {
    let name = "stockade_bouncer_figure";
    let _ = write!(text, "# HELP {name} The last word of each CrowdSec bouncer.\n# TYPE {name} gauge\n");
    for ((account, address, _), said) in app.consumers.enforced() {
        for figure in said.figures {
            let labels = [
                ("account", &*account),
                ("address", &*address),
                ("component", &*said.component),
                ("name", &*figure.name),
                ("unit", &*figure.unit),
            ];
            let labels = labels.map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).join(",");
            let _ = writeln!(text, "{name}{{{labels}}} {}", figure.value);
        }
    }
}

/// A label's value, which others have chosen.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn requests(counts: &Counts, text: &mut String) {
    text.push_str("# HELP stockade_requests_total Requests.\n# TYPE stockade_requests_total counter\n");
    let by_status = |(route, by_status): (_, &BTreeMap<u16, u64>)| {
        by_status.iter().map(|(status, count)| (route, *status, *count)).collect::<Vec<(&String, _, _)>>()
    };
    for (route, status, count) in counts.by_route.iter().flat_map(by_status) {
        let _ = writeln!(text, "stockade_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
    }
    let name = "stockade_request_duration_seconds";
    let _ = write!(text, "# HELP {name} Time to answer.\n# TYPE {name} histogram\n");
    for (bound, count) in BUCKETS.iter().zip(counts.by_duration) {
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
    }
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {}", counts.total);
    let _ = writeln!(text, "{name}_sum {}\n{name}_count {}", counts.seconds, counts.total);
}
