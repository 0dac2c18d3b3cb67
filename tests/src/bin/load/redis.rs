//! `SET` and `WAIT 1` in one write on each connection: durable here, received by one replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Failure;
use crate::figures::Figures;
use crate::values::address;

const FIRST_OCTET: u8 = 110;

#[derive(Args)]
pub(crate) struct Redis {
    /// host:port of the primary
    #[arg(long)]
    to: String,
    #[arg(long, default_value_t = 64)]
    connections: u32,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

impl Redis {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.seconds);
        for _ in 0..self.connections {
            tasks.spawn(write(self.to.clone(), next.clone(), until));
        }
        let figures = Figures::gather(tasks).await?;
        Ok(figures.report(began.elapsed()))
    }
}

async fn write(to: String, next: Arc<AtomicU32>, until: Instant) -> Result<Figures, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut stream, mut figures, mut line) = (BufStream::new(stream), Figures::default(), String::new());
    while Instant::now() < until {
        let key = address(FIRST_OCTET, next.fetch_add(1, Ordering::Relaxed)).to_string();
        let value = r#"{"comment":"bench","sighting":0}"#;
        let request = [command(&["SET", &key, value]), command(&["WAIT", "1", "1000"])].concat();
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        line.clear();
        for _ in 0..2 {
            stream.read_line(&mut line).await?;
        }
        match line.as_str() {
            "+OK\r\n:1\r\n" | "+OK\r\n:2\r\n" => figures.latencies.push(began.elapsed()),
            _ => figures.errors += 1,
        }
    }
    Ok(figures)
}

/// A command as an array of bulk strings.
fn command(words: &[&str]) -> String {
    let parts: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{parts}", words.len())
}
