//! What one call may send, receive and hold open, and the stream that counts it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Denial, Denials, Reason};
use crate::Limits;

/// The counters of one call.
#[derive(Debug)]
pub(super) struct Budget {
    received_left: AtomicU64,
    sent_left: AtomicU64,
    connections: Arc<Semaphore>,
    pub(super) denials: Denials,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            received_left: AtomicU64::new(limits.received_bytes),
            sent_left: AtomicU64::new(limits.sent_bytes),
            connections: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            denials: Denials::default(),
        }
    }

    pub(super) fn connection(&self) -> Result<OwnedSemaphorePermit, Reason> {
        let permit = Arc::clone(&self.connections).try_acquire_owned();
        permit.map_err(|_| Reason::Connections)
    }
}

/// Takes `count` from the rest. If the rest is too small, takes all of it and returns false.
fn take(left: &AtomicU64, count: usize) -> bool {
    let count = count as u64;
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        Some(left.saturating_sub(count))
    })
    .is_ok_and(|before| before >= count)
}

/// A connection to a granted host. It counts its bytes, TLS included, against
/// the budget of the call. If the budget is used up, it ends with an error.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    port: u16,
    budget: Arc<Budget>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        host: String,
        port: u16,
        budget: Arc<Budget>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            stream,
            host,
            port,
            budget,
            _permit: permit,
        }
    }

    /// The name that was dialled; lowercase.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn used_up(&self) -> io::Error {
        let denial = Denial::new(&self.host, Some(self.port), Reason::Bytes);
        self.budget.denials.record(denial.clone());
        io::Error::other(denial)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        if take(&self.budget.received_left, count) {
            return Poll::Ready(Ok(()));
        }
        buf.set_filled(before);
        Poll::Ready(Err(self.used_up()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.budget.sent_left.load(Ordering::Relaxed) < data.len() as u64 {
            return Poll::Ready(Err(self.used_up()));
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, data))?;
        take(&self.budget.sent_left, count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
