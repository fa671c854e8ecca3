//! Load for a while, and what it did to the server.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::flow::{Flow, Place, Scenario};
use crate::process::{cpu_seconds, family_cpu_seconds};
use crate::saml::Provider;
use crate::target::{Endpoints, Target};

#[derive(clap::Args)]
pub struct Args {
    /// What to do
    scenario: Scenario,
    /// The file that describes the server
    #[arg(long)]
    target: PathBuf,
    /// The server's process, whose processor time is read
    #[arg(long)]
    pid: u32,
    /// PostgreSQL's first process: its processor time, and that of all it started, is counted too
    #[arg(long)]
    database_pid: Option<u32>,
    /// The organization that people sign in to through the upstream
    #[arg(long)]
    organization: Option<String>,
    /// The folder of `saml-provider`, whose key signs the answers
    #[arg(long)]
    saml_provider: Option<PathBuf>,
    /// The path of the server's own SAML metadata: assertions are encrypted to the key that they name
    #[arg(long)]
    saml_encrypt_for: Option<String>,
    /// ES256 or RS256
    #[arg(long, default_value = "ES256")]
    algorithm: String,
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds that are measured
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Seconds before, in which nothing is
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Requests a second in all, at fixed times; without it each connection goes on at once
    #[arg(long)]
    rate: Option<f64>,
}

/// What the connections share.
#[derive(Default)]
struct Shared {
    latencies_us: RefCell<Vec<u32>>,
    measuring: Cell<bool>,
    stop: Cell<bool>,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::read(&args.target)?;
    let endpoints = Endpoints::discover(&target).await?;
    let provider = match &args.saml_provider {
        Some(folder) => Some(Rc::new(
            Provider::read(folder, &target, args.saml_encrypt_for.as_deref()).await?,
        )),
        None => None,
    };
    let shared = Rc::new(Shared::default());
    let mut flows = Vec::with_capacity(args.connections);
    for number in 0..args.connections {
        let place = Place {
            number,
            connections: args.connections,
            organization: args.organization.as_deref(),
            saml: provider.as_ref(),
        };
        let flow = Flow::prepare(&target, &endpoints, args.scenario, &args.algorithm, place);
        flows.push(flow.await?);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (number, flow) in flows.into_iter().enumerate() {
        let shared = Rc::clone(&shared);
        match args.rate {
            None => tasks.spawn_local(flat_out(flow, shared)),
            Some(rate) => {
                let every = Duration::from_secs_f64(args.connections as f64 / rate);
                let first = Instant::now() + every.mul_f64(number as f64 / args.connections as f64);
                tasks.spawn_local(paced(flow, shared, first, every))
            }
        };
    }

    tokio::time::sleep(Duration::from_secs_f64(args.warmup)).await;
    shared.measuring.set(true);
    let counted = || -> Result<[f64; 3], Failure> {
        let database = args.database_pid.map_or(Ok(0.0), family_cpu_seconds)?;
        Ok([cpu_seconds(args.pid)?, database, cpu_seconds(std::process::id())?])
    };
    let (started, before) = (Instant::now(), counted()?);
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    shared.measuring.set(false);
    let elapsed = started.elapsed().as_secs_f64();
    let after = counted()?;
    let [server, database, own] = [0, 1, 2].map(|index| after[index] - before[index]);
    shared.stop.set(true);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }

    let mut latencies = shared.latencies_us.take();
    latencies.sort_unstable();
    if latencies.is_empty() {
        return Err("nothing was answered in time".into());
    }
    let done = latencies.len() as f64;
    let percentile = |share: f64| f64::from(latencies[((done - 1.0) * share) as usize]) / 1000.0;
    println!(
        "{}",
        json!({
            "done": latencies.len(),
            "per_second": done / elapsed,
            "per_core_second": done / (server + database),
            "cpu_us": server * 1e6 / done,
            "database_cpu_us": database * 1e6 / done,
            "server_busy": server / elapsed,
            "load_busy": own / elapsed,
            "p50_ms": percentile(0.5),
            "p99_ms": percentile(0.99),
        })
    );
    Ok(())
}

async fn flat_out(mut flow: Flow, shared: Rc<Shared>) -> Result<(), Failure> {
    while !shared.stop.get() {
        let started = Instant::now();
        flow.step().await?;
        shared.record(started);
    }
    Ok(())
}

/// Latency counts from when the request was due, so that a slow answer also
/// tells in those that had to wait for it.
async fn paced(mut flow: Flow, shared: Rc<Shared>, first: Instant, every: Duration) -> Result<(), Failure> {
    let mut due = first;
    while !shared.stop.get() {
        // Timers tick in milliseconds; the last one is waited for by looking again.
        if let Some(early) = (due - Duration::from_micros(1500)).checked_duration_since(Instant::now()) {
            tokio::time::sleep(early).await;
        }
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        flow.step().await?;
        shared.record(due);
        due += every;
    }
    Ok(())
}

impl Shared {
    fn record(&self, since: Instant) {
        if self.measuring.get() {
            let micros = u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.latencies_us.borrow_mut().push(micros);
        }
    }
}
