//! Runs one program in one virtual machine, for openneko.
//!
//! Reads an order (JSON) from standard input, passes the program's output on,
//! and says on standard error, after a last zero byte, how it ended (JSON).
//! The machine's only way out is the proxy that the order names: openneko's
//! own, which decides what may be reached. `--diagnose` tells whether this
//! computer can run such machines at all.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use microsandbox::sandbox::{RlimitResource, SecurityProfile};
use microsandbox::{ExecEvent, MicrosandboxError, NetworkPolicy, Sandbox, setup};
use serde::{Deserialize, Serialize};

/// The longest order: arguments and environment are limited by openneko.
const LONGEST_ORDER: u64 = 16 << 20;

/// What is to run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The name of the machine, which no other has.
    name: String,
    /// An OCI image, or a directory (a path) that is the root.
    image: String,
    /// A directory that is shown at `/sandbox`, read-only.
    directory: PathBuf,
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    memory_mib: u32,
    cpu_seconds: u64,
    /// How long the machine may exist.
    seconds: u64,
    network: Network,
}

/// The way out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    dns: SocketAddr,
    socks: SocketAddr,
    /// Names that are granted; their suffixes are granted in `suffixes`. Wider
    /// than the grants, which the proxy applies to the letter.
    names: Vec<String>,
    suffixes: Vec<String>,
    ports: Vec<u16>,
}

/// How it ended.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Exit(i32),
    /// The machine or the program did not start.
    Failed {
        reason: String,
        fix: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = if std::env::args().nth(1).as_deref() == Some("--diagnose") {
        diagnose().unwrap_or(Ended::Exit(0))
    } else {
        match read_order() {
            Ok(order) => run(order).await,
            Err(error) => Ended::Failed {
                reason: format!("the order cannot be read: {error}"),
                fix: "Install the openneko-microvm that belongs to this openneko.".to_owned(),
            },
        }
    };
    let mut last = vec![0];
    let written = serde_json::to_writer(&mut last, &ended).map_err(std::io::Error::from);
    match written.and_then(|()| std::io::stderr().write_all(&last)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_order() -> Result<Order, std::io::Error> {
    let mut text = Vec::new();
    std::io::stdin().take(LONGEST_ORDER).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// What is missing on this computer, as far as can be seen without a boot.
fn diagnose() -> Option<Ended> {
    let problem = setup::diagnose().problems.into_iter().next()?;
    let commands = problem.fix.map(|fix| {
        let lines: Vec<String> = fix.commands.iter().map(setup::FixCommand::display).collect();
        format!("{}: {}", fix.description, lines.join(" && "))
    });
    Some(Ended::Failed {
        reason: problem.headline,
        fix: commands.unwrap_or_else(|| problem.hints.join(" ")),
    })
}

async fn run(order: Order) -> Ended {
    let sandbox = match boot(&order).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            // What can be seen explains more than what went wrong.
            return diagnose().unwrap_or_else(|| Ended::Failed {
                reason: format!("the virtual machine did not start: {error}"),
                fix: "See `msb doctor`, and that this computer can run virtual machines (/dev/kvm)."
                    .to_owned(),
            });
        }
    };
    let ended = execute(&sandbox, order)
        .await
        .unwrap_or_else(|error| Ended::Failed {
            reason: format!("the virtual machine does not answer: {error}"),
            fix: "See `msb doctor`.".to_owned(),
        });
    // It is ephemeral and has a longest life of its own, should this fail.
    drop(sandbox.kill().await);
    ended
}

async fn boot(order: &Order) -> Result<Sandbox, MicrosandboxError> {
    let network = &order.network;
    let policy = NetworkPolicy::builder().default_deny().egress(|rule| {
        rule.tcp()
            .ports(network.ports.iter().copied())
            .allow_domains(network.names.iter().map(String::as_str))
            .allow_domain_suffixes(network.suffixes.iter().map(String::as_str))
    });
    let policy = policy.build().map_err(MicrosandboxError::from)?;
    let directory = order.directory.clone();
    let builder = Sandbox::builder(order.name.as_str())
        .cpus(1)
        .memory(order.memory_mib)
        .ephemeral(true)
        .max_duration(order.seconds)
        .security(SecurityProfile::Restricted)
        .quiet_logs()
        .disable_metrics_sample()
        .volume("/sandbox", |mount| mount.bind(directory).readonly())
        .network(|settings| {
            settings
                .policy(policy)
                // Names have addresses of 198.18.0.0/15, which looks like an attack.
                .dns(|dns| dns.rebind_protection(false).nameservers([network.dns]))
                .trust_host_cas(false)
        })
        .proxy(|proxy| proxy.socks5(network.socks.to_string()));
    let builder = if order.image.starts_with('/') {
        builder.image(PathBuf::from(&order.image))
    } else {
        builder.image(order.image.as_str())
    };
    debug_assert!(matches!(network.socks.ip(), IpAddr::V4(_)));
    builder.create().await
}

/// Runs the program and passes its output on as it comes.
async fn execute(sandbox: &Sandbox, order: Order) -> Result<Ended, MicrosandboxError> {
    let mut argv = order.argv.into_iter();
    let program = argv.next().unwrap_or_default();
    let timeout = Duration::from_secs(order.seconds);
    let mut handle = sandbox
        .exec_stream_with(program, |options| {
            options
                .args(argv)
                .envs(order.env)
                .cwd("/sandbox")
                .timeout(timeout)
                .stdin_null()
                .rlimit(RlimitResource::Cpu, order.cpu_seconds)
                .rlimit(RlimitResource::Core, 0)
        })
        .await?;
    let mut stdout = std::io::stdout();
    let mut stderr = std::io::stderr();
    while let Some(event) = handle.recv().await {
        let written = match event {
            ExecEvent::Stdout(bytes) => stdout.write_all(&bytes).and_then(|()| stdout.flush()),
            ExecEvent::Stderr(bytes) => stderr.write_all(&bytes),
            ExecEvent::Exited { code } => return Ok(Ended::Exit(code)),
            ExecEvent::Failed(failed) => {
                return Ok(Ended::Failed {
                    reason: format!("the program did not start in the machine: {}", failed.message),
                    fix: "Choose an image that has Node.js, and that fits this computer's processor."
                        .to_owned(),
                });
            }
            ExecEvent::Started { .. } | ExecEvent::StdinError(_) => Ok(()),
        };
        // openneko reads no more: the limit of output is reached.
        if written.is_err() {
            break;
        }
    }
    Ok(Ended::Failed {
        reason: "the program ended without saying how".to_owned(),
        fix: "See `msb doctor`.".to_owned(),
    })
}
