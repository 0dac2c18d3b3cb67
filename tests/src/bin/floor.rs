//! The least a replicated add can cost, to measure against: HTTP, JSON, and one file a process that is flushed for many
//! adds at once. Three processes, answered when two have flushed. No list, no terms, no elections, no accounts.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use clap::Parser;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

type Failure = Box<dyn Error + Send + Sync>;

/// Adds of one batch.
const BATCH_MAX: usize = 4096;
/// Requests, and acknowledgements, that wait for the one task that counts them.
const WAITING_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 64 << 20;

/// One process of the floor: with --http the one that is written to, else one that follows.
#[derive(Parser)]
struct Arguments {
    /// Where adds come in
    #[arg(long)]
    http: Option<String>,
    /// host:port of those who follow
    #[arg(long, num_args = 1..)]
    followers: Vec<String>,
    /// Where a follower listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// The file
    #[arg(long)]
    data: PathBuf,
}

/// An add on its way.
struct Add {
    body: Bytes,
    done: oneshot::Sender<()>,
}

/// A batch as it is sent and written: its length, then its bytes.
type Frame = Bytes;

/// One that flushes batches has flushed so many.
type Flushed = (usize, u64);

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match &arguments.http {
        Some(http) => lead(http, &arguments),
        None => follow(&arguments),
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn lead(http: &str, arguments: &Arguments) -> Result<(), Failure> {
    let (flushed, acknowledgements) = mpsc::channel(WAITING_MAX);
    let mut disks = vec![own_disk(&arguments.data, flushed.clone())?];
    for (number, follower) in arguments.followers.iter().enumerate() {
        disks.push(other_disk(follower, number + 1, flushed.clone())?);
    }
    let (adds, waiting) = mpsc::channel(WAITING_MAX);
    tokio::spawn(commit(waiting, acknowledgements, disks));
    let app = Router::new()
        .route("/ip/add", post(add))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(adds);
    let listener = tokio::net::TcpListener::bind(http).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn add(State(adds): State<mpsc::Sender<Add>>, body: Bytes) -> (StatusCode, &'static str) {
    if !is_valid(&body) {
        return (StatusCode::UNPROCESSABLE_ENTITY, r#"{"message":"not an address"}"#);
    }
    let (done, answer) = oneshot::channel();
    // Either fails only when the task has ended.
    if adds.send(Add { body, done }).await.is_err() || answer.await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"no majority"}"#);
    }
    (StatusCode::CREATED, r#"{"message":"added"}"#)
}

/// One JSON object with an address, or a line an address.
fn is_valid(body: &[u8]) -> bool {
    if body.first() == Some(&b'{') {
        let object: Option<Value> = serde_json::from_slice(body).ok();
        return object.is_some_and(|object| object["ip"].as_str().is_some_and(is_address));
    }
    str::from_utf8(body).is_ok_and(|lines| lines.lines().all(is_address))
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Numbers the batches, hands them to every disk, and answers those that a majority has flushed.
async fn commit(
    mut adds: mpsc::Receiver<Add>,
    mut acknowledgements: mpsc::Receiver<Flushed>,
    disks: Vec<blocking::Sender<Frame>>,
) {
    let mut flushed = vec![0; disks.len()];
    let mut answered = 0;
    let mut waiting: VecDeque<Vec<oneshot::Sender<()>>> = VecDeque::new();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            biased;
            Some((disk, number)) = acknowledgements.recv() => {
                flushed[disk] = number;
                let mut sorted = flushed.clone();
                sorted.sort_unstable();
                // So many disks have at least this.
                let majority = sorted[(disks.len() - 1) / 2];
                while answered < majority {
                    answered += 1;
                    for done in waiting.pop_front().into_iter().flatten() {
                        // Who has hung up needs no answer.
                        let _ = done.send(());
                    }
                }
            }
            1.. = adds.recv_many(&mut batch, BATCH_MAX) => {
                let (frame, done) = framed(&mut batch);
                waiting.push_back(done);
                disks.iter().for_each(|disk| drop(disk.send(frame.clone())));
            }
            else => return,
        }
    }
}

fn framed(batch: &mut Vec<Add>) -> (Frame, Vec<oneshot::Sender<()>>) {
    let bytes: usize = batch.iter().map(|add| add.body.len()).sum();
    let mut frame = Vec::with_capacity(4 + bytes);
    frame.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
    let done = batch
        .drain(..)
        .map(|add| {
            frame.extend_from_slice(&add.body);
            add.done
        })
        .collect();
    (frame.into(), done)
}

/// A thread that writes what has come, and flushes it once.
fn own_disk(data: &Path, flushed: mpsc::Sender<Flushed>) -> Result<blocking::Sender<Frame>, Failure> {
    let (frames, coming) = blocking::channel::<Frame>();
    let mut file = opened(data)?;
    thread::spawn(move || {
        let mut number = 0;
        while let Ok(first) = coming.recv() {
            for frame in [first].into_iter().chain(coming.try_iter()) {
                if file.write_all(&frame).is_err() {
                    return;
                }
                number += 1;
            }
            if file.sync_data().is_err() || flushed.blocking_send((0, number)).is_err() {
                return;
            }
        }
    });
    Ok(frames)
}

/// Two threads for a follower's: one sends frames, one hears how many are flushed.
fn other_disk(
    follower: &str,
    disk: usize,
    flushed: mpsc::Sender<Flushed>,
) -> Result<blocking::Sender<Frame>, Failure> {
    let (frames, coming) = blocking::channel::<Frame>();
    let mut stream = TcpStream::connect(follower)?;
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    thread::spawn(move || {
        while let Ok(first) = coming.recv() {
            let together: Vec<Frame> = [first].into_iter().chain(coming.try_iter()).collect();
            if stream.write_all(&together.concat()).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let mut number = [0; 8];
        while answers.read_exact(&mut number).is_ok() {
            if flushed.blocking_send((disk, u64::from_be_bytes(number))).is_err() {
                return;
            }
        }
    });
    Ok(frames)
}

/// Writes what the leader sends, flushes once for all that has come, and says how many batches that makes.
fn follow(arguments: &Arguments) -> Result<(), Failure> {
    let mut file = opened(&arguments.data)?;
    let (mut stream, _) = TcpListener::bind(&arguments.listen)?.accept()?;
    stream.set_nodelay(true)?;
    let mut frames = BufReader::with_capacity(1 << 20, stream.try_clone()?);
    let (mut number, mut frame, mut together) = (0_u64, Vec::new(), Vec::new());
    loop {
        together.clear();
        // The first one is waited for, and whatever has come with it is taken too.
        while together.is_empty() || !frames.buffer().is_empty() {
            let mut length = [0; 4];
            frames.read_exact(&mut length)?;
            frame.resize(u32::from_be_bytes(length) as usize, 0);
            frames.read_exact(&mut frame)?;
            together.extend_from_slice(&length);
            together.extend_from_slice(&frame);
            number += 1;
        }
        file.write_all(&together)?;
        file.sync_data()?;
        stream.write_all(&number.to_be_bytes())?;
    }
}

fn opened(data: &Path) -> Result<File, Failure> {
    Ok(OpenOptions::new().create(true).append(true).open(data)?)
}
