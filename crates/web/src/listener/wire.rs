//! The transport beneath a connection: replays what was sniffed, reports to the
//! connection's [`Pace`], and closes so that the last response arrives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pace::Pace;

/// Unread bytes that are swallowed while closing.
const FAREWELL_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    sniffed: Bytes,
    pace: Arc<Pace>,
    closing: Closing,
}

#[derive(Debug, Clone, Copy)]
enum Closing {
    /// Not yet, and whether the peer has closed its side.
    No {
        eof: bool,
    },
    /// Our side is shut; this much may still be swallowed.
    Draining {
        left: usize,
    },
    Done,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, sniffed: Bytes, pace: Arc<Pace>) -> Self {
        Self {
            stream,
            sniffed,
            pace,
            closing: Closing::No { eof: false },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.sniffed.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        } else {
            let len = this.sniffed.len().min(buffer.remaining());
            buffer.put_slice(&this.sniffed[..len]);
            this.sniffed.advance(len);
        }
        if buffer.filled().len() > before {
            this.pace.received();
        } else if buffer.remaining() > 0 {
            this.closing = Closing::No { eof: true };
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Shuts our side, then swallows what the peer still sends until it closes.
    ///
    /// Closing a socket with unread bytes resets it, and a reset destroys a
    /// response that the peer has not read yet: without this, "413" would reach
    /// only clients that look while they send. RFC 9112 §9.6 describes it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.closing {
                Closing::No { eof } => {
                    // From here the farewell limit runs, also for the shutdown itself.
                    this.pace.said_farewell();
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    this.closing = if eof {
                        Closing::Done
                    } else {
                        Closing::Draining { left: FAREWELL_BYTES }
                    };
                }
                Closing::Draining { left } => {
                    let mut bytes = [0; 8 * 1024];
                    let mut buffer = ReadBuf::new(&mut bytes);
                    let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer));
                    let len = buffer.filled().len();
                    this.closing = match read {
                        Ok(()) if len > 0 && len < left => Closing::Draining { left: left - len },
                        Ok(()) | Err(_) => Closing::Done,
                    };
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
