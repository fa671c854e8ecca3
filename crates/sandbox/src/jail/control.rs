//! The host's side of the conversation with the inner side during a call.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::network::Network;
use super::wire::{self, Report};
use super::{Program, RunnerKind};
use crate::SandboxError;
use crate::egress::Gate;

/// The memory of Node.js itself, TLS included, before the plugin allocates any.
pub(super) const RUNTIME_BYTES: u64 = 96 << 20;

/// How often the memory of a plugin is checked.
const MEMORY_INTERVAL: Duration = Duration::from_millis(20);

/// The longest report.
const REPORT_BYTES: u64 = 16 << 10;

/// Sends the settings, serves the network, watches, and returns the report.
pub(super) async fn converse(
    control: &UnixStream,
    program: &Program,
    settings: &[u8],
    gate: &Gate,
) -> Result<Report, SandboxError> {
    send(control, settings).await.map_err(lost)?;
    let first = receive(control).await.map_err(lost)?;
    if first.tag == wire::REPORT {
        return report(control).await.map_err(lost);
    }
    let network = Network::new(first.fds, &program.ports, gate)
        .map_err(|error| SandboxError::Unavailable(error.to_string()))?;
    let ended = async {
        let message = receive(control).await.map_err(lost)?;
        if message.tag == wire::REPORT {
            return report(control).await.map_err(lost);
        }
        tokio::select! {
            message = receive(control) => match message.map_err(lost)?.tag {
                wire::REPORT => report(control).await.map_err(lost),
                _ => Err(lost(io::ErrorKind::InvalidData.into())),
            },
            error = watch_memory(message.sender, program) => Err(error),
        }
    };
    tokio::select! {
        report = ended => {
            network.look_at_the_rest();
            report
        }
        error = network.serve() => Err(SandboxError::Unavailable(error.to_string())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "maps an error")]
fn lost(error: io::Error) -> SandboxError {
    SandboxError::Unavailable(format!(
        "the jail's helper ended early ({error}); is it the right program?"
    ))
}

async fn send(control: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        control.writable().await?;
        match control.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn receive(control: &UnixStream) -> io::Result<wire::Message> {
    let message = control.async_io(Interest::READABLE, || wire::receive(control.as_fd()));
    message.await?.ok_or(io::ErrorKind::UnexpectedEof.into())
}

/// Ends when the plugin has more in memory than it may.
///
/// The kernel's limit counts reservations, and V8 reserves far more than it uses.
/// This limit counts resident memory.
async fn watch_memory(plugin: Option<Pid>, program: &Program) -> SandboxError {
    let Some(plugin) = plugin else {
        return SandboxError::Unavailable("the kernel does not say which process the plugin is".to_owned());
    };
    let runtime = match program.kind {
        RunnerKind::Native => 0,
        RunnerKind::JsBundle => RUNTIME_BYTES,
    };
    let most = program.limits.memory_bytes.saturating_add(runtime);
    let path = format!("/proc/{}/statm", plugin.as_raw_nonzero());
    let page = rustix::param::page_size() as u64;
    loop {
        tokio::time::sleep(MEMORY_INTERVAL).await;
        // A file of the kernel, which does not block. It is gone after the
        // plugin has ended; then there is nothing to check.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
        if pages.unwrap_or(0_u64).saturating_mul(page) > most {
            return SandboxError::Memory;
        }
    }
}

/// Reads the line of a report.
async fn report(control: &UnixStream) -> io::Result<Report> {
    let mut line = Vec::new();
    let mut bytes = [0; 1024];
    while !line.contains(&b'\n') {
        control.readable().await?;
        let count = match control.try_read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            read => read?,
        };
        if count == 0 || line.len() as u64 > REPORT_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.extend_from_slice(&bytes[..count]);
    }
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line)?)
}
