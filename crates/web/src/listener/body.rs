//! Request bodies with a size limit and two time limits.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, timeout};

use super::budget::Allowance;
use super::limits::Limits;

/// How large the body of this request may be; found in the request's extensions.
///
/// A route that needs another limit than [`Limits::body_bytes`] sets it before
/// it reads. (Axum's own extractors have a second limit, `DefaultBodyLimit`.)
#[derive(Debug, Clone)]
pub struct BodyLimit(Arc<BodyState>);

#[derive(Debug)]
struct BodyState {
    limit: AtomicU64,
    fault: AtomicU8,
    /// What the request holds of the budget for bodies, until it is answered.
    allowance: Allowance,
    /// What the handler left unread.
    rest: Mutex<Option<Incoming>>,
}

impl BodyLimit {
    pub(super) fn new(bytes: u64, allowance: Allowance) -> Self {
        Self(Arc::new(BodyState {
            limit: AtomicU64::new(bytes),
            fault: AtomicU8::new(0),
            allowance,
            rest: Mutex::new(None),
        }))
    }

    /// Sets the limit, in bytes.
    pub fn set(&self, bytes: u64) {
        self.0.limit.store(bytes, Ordering::Relaxed);
    }

    /// Lowers the limit to so many bytes, unless it is lower already.
    pub fn at_most(&self, bytes: u64) {
        self.0.limit.fetch_min(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    fn fail(&self, fault: BodyError) -> BodyError {
        let code = match fault {
            BodyError::TooLarge => 1,
            BodyError::TooSlow => 2,
            BodyError::Broken(_) => 3,
            BodyError::NoRoom => 4,
        };
        self.0.fault.store(code, Ordering::Relaxed);
        fault
    }

    /// Takes what the handler left of the body, if it left anything.
    pub(super) fn take_rest(&self) -> Option<UnreadBody> {
        self.0.rest.lock().take().map(UnreadBody)
    }

    /// Whether the body was cut short, for whatever reason.
    pub(super) fn is_broken(&self) -> bool {
        self.0.fault.load(Ordering::Relaxed) != 0
    }

    /// Whether the body was longer than it may be.
    pub fn is_exceeded(&self) -> bool {
        self.fault() == Some(StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// The status that says why the body was cut short, if it was.
    pub(super) fn fault(&self) -> Option<StatusCode> {
        match self.0.fault.load(Ordering::Relaxed) {
            1 => Some(StatusCode::PAYLOAD_TOO_LARGE),
            2 => Some(StatusCode::REQUEST_TIMEOUT),
            4 => Some(StatusCode::SERVICE_UNAVAILABLE),
            _ => None,
        }
    }
}

/// Why a request body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is too large")]
    TooLarge,
    #[error("the request body came too slowly")]
    TooSlow,
    #[error("too many request bodies are under way")]
    NoRoom,
    #[error("the request body broke off")]
    Broken(#[source] hyper::Error),
}

/// The unread rest of a request that was answered early, such as one refused by its head.
/// The connection can carry the next request only after it.
pub(super) struct UnreadBody(Incoming);

impl UnreadBody {
    const MOST: usize = 64 * 1024;
    /// Enough for a client that sends at once, also on a busy machine.
    const WAIT: Duration = Duration::from_millis(200);

    /// Reads to the end if it is near. Returns whether it was.
    pub(super) async fn skip(mut self) -> bool {
        let read = async {
            let mut left = Self::MOST;
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut self.0).poll_frame(cx)).await {
                let len = frame.ok()?.data_ref().map_or(0, Bytes::len);
                left = left.checked_sub(len)?;
            }
            Some(())
        };
        matches!(timeout(Self::WAIT, read).await, Ok(Some(())))
    }
}

/// A request body that obeys [`Limits`].
pub(super) struct RequestBody {
    /// Until it has ended.
    body: Option<Incoming>,
    limit: BodyLimit,
    received: u64,
    idle: Duration,
    ends: Instant,
    /// Set up only when the client keeps us waiting.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, limit: BodyLimit, limits: &Limits) -> Self {
        let ends = Instant::now() + limits.body;
        Self {
            body: Some(body),
            limit,
            received: 0,
            idle: limits.body_idle,
            ends,
            alarm: None,
        }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (ends, idle) = (self.ends, self.idle);
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends.min(Instant::now() + idle))));
        alarm.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        // A declared length is refused before `100 Continue` invites the body.
        let declared = this.received.saturating_add(body.size_hint().lower());
        if declared > this.limit.get() {
            return Poll::Ready(Some(Err(this.limit.fail(BodyError::TooLarge))));
        }
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
            ready!(this.poll_alarm(cx));
            return Poll::Ready(Some(Err(this.limit.fail(BodyError::TooSlow))));
        };
        // Something came: the idle limit starts anew at the next wait.
        this.alarm = None;
        let Some(frame) = frame else {
            this.body = None;
            return Poll::Ready(None);
        };
        let frame = frame.map_err(|error| this.limit.fail(BodyError::Broken(error)))?;
        let len = frame.data_ref().map_or(0, Bytes::len);
        this.received = this
            .received
            .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if this.received > this.limit.get() {
            return Poll::Ready(Some(Err(this.limit.fail(BodyError::TooLarge))));
        }
        let room = this
            .limit
            .0
            .allowance
            .frame(u64::try_from(len).unwrap_or(u64::MAX));
        if room.is_err() {
            return Poll::Ready(Some(Err(this.limit.fail(BodyError::NoRoom))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let ended = SizeHint::with_exact(0);
        self.body.as_ref().map_or(ended, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(rest) = self.body.take() {
            *self.limit.0.rest.lock() = Some(rest);
        }
    }
}
