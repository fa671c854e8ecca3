//! The log of a running server, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use tracing_subscriber::util::TryInitError;

use crate::config::{Log, LogFormat};

/// Sends the process's log messages to standard error, by the settings in `log`.
///
/// # Errors
///
/// If the process already has a log.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder().parse_lossy(log.level.as_str());
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(io::stderr);
            // The layer itself obeys NO_COLOR.
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
