//! One call: writes the order, serves the machine's network, collects the output.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{MicrovmOptions, Program};
use crate::egress::{Denial, Gate};
use crate::guest::Proxy;
use crate::output::collect;
use crate::{Call, CallFailure, CallOutcome, Probe, SandboxError, Usage};

/// The memory of the machine's kernel and agent.
const MACHINE_MIB: u64 = 128;

/// The path of a native plugin inside the machine.
const NATIVE: &str = "/sandbox/plugin";
const BUNDLE: &str = "/sandbox/run.js";
const AUTHORITIES: &str = "/sandbox/extra-authorities.pem";

/// The order that `openneko-microvm` reads.
#[derive(Serialize)]
struct Order<'a> {
    name: String,
    image: &'a str,
    directory: &'a Path,
    argv: Vec<&'a str>,
    env: BTreeMap<&'a str, &'a str>,
    memory_mib: u64,
    cpu_seconds: u64,
    seconds: u64,
    network: Network,
}

#[derive(Serialize)]
struct Network {
    dns: std::net::SocketAddr,
    socks: std::net::SocketAddr,
    names: Vec<String>,
    suffixes: Vec<String>,
    ports: Vec<u16>,
}

/// Its report at the end.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum GuestReport {
    Exit(i32),
    Failed { reason: String, fix: String },
}

/// A call that has no outcome.
pub(super) enum InterruptedCall {
    Error(SandboxError, Vec<Denial>),
    /// There was no machine.
    NotBooted {
        reason: String,
        fix: String,
    },
}

impl InterruptedCall {
    pub(super) fn into_failure(self) -> CallFailure {
        match self {
            Self::Error(error, denials) => CallFailure { error, denials },
            Self::NotBooted { reason, fix } => SandboxError::Unavailable(format!("{reason}. {fix}")).into(),
        }
    }
}

impl From<SandboxError> for InterruptedCall {
    fn from(error: SandboxError) -> Self {
        Self::Error(error, Vec::new())
    }
}

impl From<InterruptedCall> for Probe {
    fn from(stopped: InterruptedCall) -> Self {
        let (reason, fix) = match stopped {
            InterruptedCall::NotBooted { reason, fix } => (reason, fix),
            InterruptedCall::Error(error, _) => (error.to_string(), "See `msb doctor`.".to_owned()),
        };
        Self::Fails { reason, fix }
    }
}

/// Finds what is missing, as far as that is possible without a boot.
pub(super) async fn diagnose(options: &MicrovmOptions) -> Result<(), InterruptedCall> {
    let mut command = command(options);
    command.arg("--diagnose").stdin(Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = match output {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(no_program(options, &error)),
        Err(_) => return Err(SandboxError::Timeout(Duration::from_secs(30)).into()),
    };
    match last_word(&output.stderr).0 {
        Some(GuestReport::Exit(0)) => Ok(()),
        Some(GuestReport::Failed { reason, fix }) => Err(InterruptedCall::NotBooted { reason, fix }),
        _ => Err(SandboxError::Unavailable("openneko-microvm gave no answer".to_owned()).into()),
    }
}

/// Runs one call from beginning to end.
pub(super) async fn run(program: &Program, call: &Call<'_>) -> Result<CallOutcome, InterruptedCall> {
    let started = Instant::now();
    let machine = |error: std::io::Error| InterruptedCall::from(SandboxError::Unavailable(error.to_string()));
    let gate = Gate::new(Arc::clone(&program.egress), &program.limits);
    let proxy = Proxy::start(&gate).await.map_err(machine)?;
    let directory = lay_out(program).map_err(machine)?;
    let order = order(program, call, &proxy, directory.path())?;

    let mut command = command(&program.options);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| no_program(&program.options, &error))?;
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(SandboxError::Unavailable("openneko-microvm has no pipes".to_owned()).into());
    };
    let limit = program.limits.output_bytes;
    let work = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let send = async {
            let sent = stdin.write_all(&order).await;
            drop(stdin);
            sent.map_err(|error| SandboxError::Unavailable(error.to_string()))
        };
        // Room for the program's own report behind the plugin's output.
        let room = limit.saturating_add(16 << 10);
        tokio::try_join!(
            send,
            collect(&mut stdout, &mut out, limit),
            collect(&mut stderr, &mut err, room)
        )?;
        Ok((out, err))
    };
    let finished = tokio::time::timeout(call.timeout, work).await;
    drop(child.kill().await);
    drop(proxy);
    let result = match finished {
        Err(_) => Err(SandboxError::Timeout(call.timeout)),
        Ok(result) => result,
    };
    let denials = gate.take_denials();
    let (stdout, stderr) = result.map_err(|error| InterruptedCall::Error(error, denials.clone()))?;
    let (ended, stderr) = last_word(&stderr);
    match ended {
        Some(GuestReport::Exit(exit)) => Ok(CallOutcome {
            stdout,
            stderr: stderr.to_vec(),
            exit,
            denials,
            usage: Usage {
                wall: started.elapsed(),
                ..Usage::default()
            },
        }),
        Some(GuestReport::Failed { reason, fix }) => Err(InterruptedCall::NotBooted { reason, fix }),
        None => Err(InterruptedCall::Error(
            SandboxError::Crashed("the virtual machine ended".to_owned()),
            denials,
        )),
    }
}

fn command(options: &MicrovmOptions) -> Command {
    let mut command = Command::new(&options.program);
    command
        .env_clear()
        .envs(options.env.iter().map(|(key, value)| (key, value)))
        .kill_on_drop(true);
    command
}

fn no_program(options: &MicrovmOptions, error: &std::io::Error) -> InterruptedCall {
    InterruptedCall::NotBooted {
        reason: format!("{} cannot be started ({error})", options.program.display()),
        fix: "Build it with `cargo build --release` in engines/microvm, and put it beside openneko."
            .to_owned(),
    }
}

/// Splits standard error: the plugin's output and, after the last zero byte, the program's report.
fn last_word(stderr: &[u8]) -> (Option<GuestReport>, &[u8]) {
    match stderr.iter().rposition(|&byte| byte == 0) {
        Some(end) => (serde_json::from_slice(&stderr[end + 1..]).ok(), &stderr[..end]),
        None => (None, stderr),
    }
}

/// A directory with the bytes that were checked, for this call alone.
fn lay_out(program: &Program) -> std::io::Result<Directory> {
    let directory = Directory::new()?;
    let write = |name: &str, mode, bytes: &[u8]| {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(directory.path().join(name))?;
        file.write_all(bytes)
    };
    if program.native {
        write("plugin", 0o555, &program.artifact)?;
    } else {
        write("run.js", 0o444, &program.artifact)?;
        write("package.json", 0o444, b"{\"type\":\"module\"}\n")?;
    }
    if let Some(pem) = &program.options.extra_authorities {
        write("extra-authorities.pem", 0o444, pem.as_bytes())?;
    }
    Ok(directory)
}

fn order(
    program: &Program,
    call: &Call<'_>,
    proxy: &Proxy,
    directory: &Path,
) -> Result<Zeroizing<Vec<u8>>, SandboxError> {
    let mut argv = if program.native {
        vec![NATIVE]
    } else {
        vec!["node", BUNDLE]
    };
    argv.extend([call.method, call.params_json]);
    let mut env: BTreeMap<&str, &str> = BTreeMap::new();
    if program.options.extra_authorities.is_some() {
        env.insert("NODE_EXTRA_CA_CERTS", AUTHORITIES);
        env.insert("OPENNEKO_EXTRA_CA_CERTS", AUTHORITIES);
    }
    env.extend(call.env.iter().map(|(key, value)| (key.as_str(), value.expose())));
    let patterns = program
        .egress
        .grants()
        .iter()
        .map(|grant| (grant.host.to_string(), grant.port));
    let mut network = Network {
        dns: proxy.dns,
        socks: proxy.socks,
        names: Vec::new(),
        suffixes: Vec::new(),
        ports: Vec::new(),
    };
    for (pattern, port) in patterns {
        match pattern.strip_prefix("*.") {
            Some(suffix) => network.suffixes.push(suffix.to_owned()),
            None => network.names.push(pattern),
        }
        if !network.ports.contains(&port) {
            network.ports.push(port);
        }
    }
    let order = Order {
        name: directory
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        image: &program.options.image,
        directory,
        argv,
        env,
        memory_mib: (program.limits.memory_bytes >> 20) + MACHINE_MIB,
        cpu_seconds: program.limits.cpu.as_secs().max(1),
        // A second more than the host waits, so that the host's own time-out is reported.
        seconds: call.timeout.as_secs() + 1,
        network,
    };
    let order = serde_json::to_vec(&order).map_err(|error| SandboxError::Refused(error.to_string()))?;
    Ok(Zeroizing::new(order))
}

/// A directory that only this user can enter and that goes away.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> std::io::Result<Self> {
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| std::io::Error::other("no randomness"))?;
        let name = format!("openneko-{:016x}", u64::from_be_bytes(random));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory that cannot be removed stays among the temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_say_how_it_ended() {
        let (ended, stderr) = last_word(b"\0{\"exit\":0}\0{\"exit\":7}");
        assert!(matches!(ended, Some(GuestReport::Exit(7))));
        assert_eq!(stderr, b"\0{\"exit\":0}");
        assert!(last_word(b"\0{\"exit\":0}\0 nonsense").0.is_none());
        assert!(last_word(b"{\"exit\":0}").0.is_none());
    }

    #[tokio::test]
    async fn without_its_program_the_probe_says_what_to_build() {
        let options = MicrovmOptions {
            program: "/nonexistent/openneko-microvm".into(),
            image: "node:20-alpine".to_owned(),
            extra_authorities: None,
            env: Vec::new(),
        };
        match diagnose(&options).await.err().map(Probe::from) {
            Some(Probe::Fails { reason, fix }) => {
                assert!(reason.contains("cannot be started"), "{reason}");
                assert!(fix.contains("engines/microvm"), "{fix}");
            }
            other => panic!("{other:?}"),
        }
    }
}
