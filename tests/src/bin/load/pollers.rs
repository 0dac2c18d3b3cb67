//! Firewalls that fetch the list again and again with the ETag they have, and followers that wait for changes.

use std::time::{Duration, Instant};

use clap::Args;
use hyper::StatusCode;
use hyper::header::{ETAG, IF_NONE_MATCH};
use serde::Deserialize;
use serde_json::{Value, json};
use stockade_tests::{Connection, skip_body};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout_at};

use crate::Failure;
use crate::figures::Figures;
use crate::http::{Account, read};

/// Between two waits of a follower, which would else ask as fast as changes come.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args, Clone)]
pub(crate) struct Pollers {
    /// host:port of the node
    #[arg(long)]
    from: String,
    #[arg(long, default_value_t = 2000)]
    pollers: u32,
    #[arg(long, default_value_t = 200)]
    followers: u32,
    /// Seconds between two polls of one firewall
    #[arg(long, default_value_t = 10.0)]
    every: f64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[arg(long, default_value = "/ip/all?fields=value&format=txt")]
    list: String,
    #[command(flatten)]
    account: Account,
}

/// What one of them has seen.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    unchanged: u64,
    bytes: usize,
    errors: u64,
}

/// What a follower looks at. What it would do with the changes costs its own machine, not the one that is measured.
#[derive(Deserialize)]
struct Changes {
    index: u64,
}

impl Pollers {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.seconds);
        let (mut pollers, mut followers) = (JoinSet::new(), JoinSet::new());
        for number in 0..self.pollers {
            pollers.spawn(self.clone().poll(number, until));
        }
        for _ in 0..self.followers {
            followers.spawn(self.clone().follow(until));
        }
        let polls = gather(pollers, began).await;
        Ok(json!({ "polls": polls, "waits": gather(followers, began).await }))
    }

    async fn poll(self, number: u32, until: Instant) -> Seen {
        let mut seen = Seen::default();
        let every = Duration::from_secs_f64(self.every);
        let mut turns = interval_at(tokio::time::Instant::now() + every * number / self.pollers, every);
        let (mut connection, mut etag) = (None, None);
        loop {
            let Ok(due) = timeout_at(until.into(), turns.tick()).await else { return seen };
            let due = due.into_std();
            // A turn that is missed is made up for at once, but not beyond the end.
            if due >= until {
                return seen;
            }
            match self.fetch(&mut connection, &mut etag, &mut seen).await {
                Ok(()) => seen.latencies.push(due.elapsed()),
                Err(_) => (seen.errors, connection) = (seen.errors + 1, None),
            }
        }
    }

    async fn fetch(
        &self,
        connection: &mut Option<Connection>,
        etag: &mut Option<String>,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let open = self.opened(connection).await?;
        let header = etag.as_deref().map(|etag| (IF_NONE_MATCH.as_str(), etag));
        let response = open.get(&self.list, header).await?;
        match response.status() {
            StatusCode::OK => {
                let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
                *etag = tag.map(str::to_owned);
            }
            StatusCode::NOT_MODIFIED => seen.unchanged += 1,
            status => return Err(format!("a poll was answered {status}").into()),
        }
        seen.bytes += skip_body(response).await?;
        Ok(())
    }

    async fn follow(self, until: Instant) -> Seen {
        let (mut seen, mut connection, mut since) = (Seen::default(), None, None);
        let mut turns = interval_at(tokio::time::Instant::now(), PAUSE);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if Instant::now() >= until {
                return seen;
            }
            let began = Instant::now();
            // Nothing may come until the end; such a wait is no answer.
            let Ok(waited) = timeout_at(until.into(), self.wait(&mut connection, since, &mut seen)).await
            else {
                return seen;
            };
            match waited {
                Ok(index) => {
                    since = Some(index);
                    seen.latencies.push(began.elapsed());
                }
                Err(_) => (seen.errors, connection) = (seen.errors + 1, None),
            }
        }
    }

    /// One long poll from an index, or from the present one; the next index.
    async fn wait(
        &self,
        connection: &mut Option<Connection>,
        since: Option<u64>,
        seen: &mut Seen,
    ) -> Result<u64, Failure> {
        let open = self.opened(connection).await?;
        let Some(since) = since else {
            let response = open.get("/ip/all?limit=1&format=txt", None).await?;
            let index =
                response.headers().get("stockade-index").ok_or("no Stockade-Index")?.to_str()?.parse()?;
            skip_body(response).await?;
            return Ok(index);
        };
        let response = open.get(&format!("/ip/changes?since={since}&wait=30s"), None).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("a follower was answered {}", response.status()).into());
        }
        let body = read(response).await?;
        seen.bytes += body.len();
        Ok(serde_json::from_slice::<Changes>(&body)?.index)
    }

    async fn opened<'a>(
        &self,
        connection: &'a mut Option<Connection>,
    ) -> Result<&'a mut Connection, Failure> {
        if connection.is_none() {
            *connection = Some(self.account.connect(&self.from).await?);
        }
        Ok(connection.as_mut().expect("it was opened above"))
    }
}

async fn gather(mut tasks: JoinSet<Seen>, began: Instant) -> Value {
    let (mut figures, mut unchanged, mut bytes) = (Figures::default(), 0, 0);
    while let Some(Ok(seen)) = tasks.join_next().await {
        figures.latencies.extend(seen.latencies);
        figures.errors += seen.errors;
        unchanged += seen.unchanged;
        bytes += seen.bytes;
    }
    figures.latencies.sort_unstable();
    let mut report = figures.report(began.elapsed());
    report["unchanged"] = json!(unchanged);
    report["bytes"] = json!(bytes);
    report
}
