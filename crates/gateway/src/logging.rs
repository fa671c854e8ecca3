//! What is written to standard error while a server runs.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use tracing_subscriber::util::TryInitError;

use crate::config::{Log, LogFormat};

/// Sends the process's log messages to standard error, as `log` says.
///
/// # Errors
///
/// If the process has a log already.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder().parse_lossy(log.level.as_str());
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(io::stderr);
            // The layer itself heeds NO_COLOR.
            let layer = if io::stderr().is_terminal() {
                layer
            } else {
                layer.with_ansi(false)
            };
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(io::stderr);
            registry.with(layer).try_init()
        }
    }
}
