//! The state of one call: its limits, its output, its egress.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::http::Hooks;
use crate::egress::Gate;
use crate::{Call, Limits};

/// Why the host ended a call. It travels through Wasmtime as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    #[error("more memory than allowed")]
    Memory,
    #[error("more output than allowed")]
    Output,
    /// Not a failure: the plugin said that it is done.
    #[error("exit {0}")]
    Exit(i32),
}

/// The store of one call.
pub(super) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    table: ResourceTable,
    pub(super) limiter: Limiter,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

impl State {
    /// The state of a call; `is_bundle` when the JavaScript engine runs.
    pub(super) fn new(call: &Call<'_>, limits: &Limits, gate: Gate, is_bundle: bool) -> Self {
        const RANDOM_BYTES_AT_ONCE: u64 = 1 << 20;
        // Each may be a set of headers, or a body with unsent bytes.
        const MOST_RESOURCES: usize = 1024;
        const LONGEST_HEADERS: usize = 64 << 10;
        let stdout = Output::new(limits.output_bytes);
        let stderr = Output::new(limits.output_bytes);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(stdout.clone())
            .stderr(stderr.clone())
            .max_random_size(RANDOM_BYTES_AT_ONCE)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        // A bundle gets its environment as an argument.
        if !is_bundle {
            for (name, value) in call.env {
                wasi.env(name, value.expose());
            }
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(LONGEST_HEADERS);
        Self {
            wasi: wasi.build(),
            http,
            hooks: Hooks::new(gate, limits, is_bundle),
            table,
            limiter: Limiter::new(limits.memory_bytes),
            stdout,
            stderr,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

/// Counts the memory of all instances of a call together.
pub(super) struct Limiter {
    left: u64,
    pub(super) used: u64,
}

impl Limiter {
    const MOST_TABLE_ELEMENTS: usize = 1 << 20;

    fn new(memory_bytes: u64) -> Self {
        Self {
            left: memory_bytes,
            used: 0,
        }
    }

    fn take(&mut self, bytes: u64) -> wasmtime::Result<bool> {
        self.left = self.left.checked_sub(bytes).ok_or(Stop::Memory)?;
        self.used += bytes;
        Ok(true)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.take(desired.saturating_sub(current) as u64)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > Self::MOST_TABLE_ELEMENTS {
            return Err(Stop::Memory.into());
        }
        self.take((desired.saturating_sub(current) * size_of::<usize>()) as u64)
    }

    fn instances(&self) -> usize {
        256
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

/// Standard output or error: kept up to a limit, past which the call ends.
#[derive(Debug, Clone)]
pub(super) struct Output {
    limit: usize,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Output {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Arc::default(),
        }
    }

    /// Adds to the output.
    ///
    /// # Errors
    ///
    /// [`Stop::Output`] when there would be more than the limit.
    pub(super) fn push(&self, more: &[u8]) -> Result<(), Stop> {
        let mut bytes = self.bytes.lock();
        if more.len() > self.limit - bytes.len() {
            return Err(Stop::Output);
        }
        bytes.extend_from_slice(more);
        Ok(())
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which plugins cannot import.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes).map_err(|stop| StreamError::Trap(stop.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        const PERMIT: usize = 64 << 10;
        Ok(PERMIT)
    }
}
