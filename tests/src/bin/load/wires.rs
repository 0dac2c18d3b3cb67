//! Long lines between sites: a proxy in front of each target, which passes everything on later.

use std::io::{self, Read};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use stockade_tests::{Line, Proxy};

use crate::Failure;

#[derive(Args)]
pub(crate) struct Wires {
    /// Each way
    #[arg(long, default_value_t = 25)]
    delay_ms: u64,
    /// host:port
    #[arg(required = true)]
    targets: Vec<String>,
}

impl Wires {
    pub(crate) fn run(self) -> Result<Value, Failure> {
        let line = Line { delay: Duration::from_millis(self.delay_ms), ..Line::default() };
        let proxies: Vec<Proxy> = self.targets.iter().map(|target| Proxy::start(target)).collect();
        for proxy in &proxies {
            proxy.set(line, line);
            println!("{}", proxy.address());
        }
        io::stdin().read_to_end(&mut Vec::new())?;
        Ok(json!({ "targets": proxies.len() }))
    }
}
