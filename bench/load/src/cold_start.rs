//! From the start of a process to its first token, and the memory it then keeps.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::http::{Connection, encode, get, post};
use crate::process::{cpu_seconds, memory_kib};
use crate::target::{Target, path_of};

/// A server that is not ready by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Args {
    /// The file that describes the server, for its first token
    #[arg(long, required_unless_present = "ready")]
    target: Option<PathBuf>,
    /// The path of the token endpoint: discovery would cost time
    #[arg(long, default_value = "/oauth/token")]
    token_path: String,
    /// A URL that answers 200 as soon as the server is ready, in place of a token
    #[arg(long, conflicts_with = "target")]
    ready: Option<String>,
    /// The server and its arguments
    #[arg(required = true, last = true)]
    command: Vec<String>,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let (address, request) = question(&args)?;
    let started = Instant::now();
    let mut server = Command::new(&args.command[0])
        .args(&args.command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let measured = first_answer(&address, &request, started).await;
    let measured = match measured {
        Ok(first_answer) => {
            let cpu = cpu_seconds(server.id())?;
            // What the start allocated and freed has then been given back, or never will be.
            tokio::time::sleep(Duration::from_secs(2)).await;
            memory_kib(server.id()).map(|memory| (first_answer, cpu, memory))
        }
        Err(failure) => Err(failure),
    };
    server.kill()?;
    server.wait()?;
    let (first_answer, cpu, (resident, anonymous)) = measured?;
    println!(
        "{}",
        json!({
            "first_answer_ms": first_answer.as_secs_f64() * 1000.0,
            "cpu_ms": cpu * 1000.0,
            "resident_mib": resident as f64 / 1024.0,
            "anonymous_mib": anonymous as f64 / 1024.0,
        })
    );
    Ok(())
}

/// Whom to ask, and what.
fn question(args: &Args) -> Result<(String, Vec<u8>), Failure> {
    if let Some(url) = &args.ready {
        let path = path_of(url);
        let address = url.trim_start_matches("http://").trim_end_matches(path);
        return Ok((address.to_owned(), get(address, path, "")));
    }
    let target = Target::read(args.target.as_deref().ok_or("--target is missing")?)?;
    let client = target.client("ES256")?;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        client.id,
        encode(&client.secret)
    );
    Ok((
        target.address().to_owned(),
        post(target.address(), &args.token_path, &form),
    ))
}

async fn first_answer(address: &str, request: &[u8], started: Instant) -> Result<Duration, Failure> {
    loop {
        match Connection::open(address).await {
            Ok(mut connection) => {
                connection.exchange(request).await?.expect(200)?;
                return Ok(started.elapsed());
            }
            Err(_) if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(failure) => return Err(failure),
        }
    }
}
