//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, StatusCode, Version, header};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::body::{BodyLimit, RequestBody};
use super::budget::{Allowance, Budget};
use super::forwarded::{PeerInfo, TrustedProxies};
use super::host;
use super::limits::Limits;
use super::pace::{InFlight, Pace, Protocol, Verdict};
use super::sniff;
use super::tls::TlsPolicy;
use super::wire::Wire;

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct ListenerState {
    pub(super) router: Router,
    pub(super) tls: Option<TlsPolicy>,
    pub(super) proxies: TrustedProxies,
    pub(super) limits: Arc<Limits>,
    /// Bytes of request bodies that are held now.
    pub(super) bodies: Arc<Budget>,
    /// Finish what is in flight, take nothing new.
    pub(super) draining: CancellationToken,
}

/// Why a connection ended without finishing in good order.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("the client did not say in time what it speaks")]
    Silent,
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("HTTP failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Cut(&'static str),
}

/// Serves one accepted connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    addr: SocketAddr,
    shared: &Arc<ListenerState>,
) -> Result<(), ConnectionError> {
    // Answers are small and complete; waiting to fill a segment only delays them.
    stream.set_nodelay(true)?;
    let deadline = Instant::now() + shared.limits.greeting;
    let greeting = timeout_at(deadline, greet(stream, shared.tls.as_ref()));
    let greeting = tokio::select! {
        greeting = greeting => greeting.map_err(|_| ConnectionError::Silent)??,
        // There is no request yet, so there is nothing to finish.
        () = shared.draining.cancelled() => return Ok(()),
    };
    // Boxed, so that a connection that has said nothing yet is small.
    match greeting {
        Greeting::Plain(stream, protocol, sniffed) => {
            let peer = PeerInfo { addr, tls: false };
            Box::pin(talk(stream, protocol, sniffed, peer, shared)).await
        }
        Greeting::Tls(stream, protocol, sniffed) => {
            let peer = PeerInfo { addr, tls: true };
            Box::pin(talk(*stream, protocol, sniffed, peer, shared)).await
        }
        Greeting::Refused => Ok(()),
    }
}

enum Greeting {
    Plain(TcpStream, Protocol, Bytes),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>, Protocol, Bytes),
    /// Answered already.
    Refused,
}

/// Finds out what the client speaks.
async fn greet(mut stream: TcpStream, policy: Option<&TlsPolicy>) -> io::Result<Greeting> {
    let Some(policy) = policy else {
        let (protocol, sniffed) = sniff::protocol(&mut stream).await?;
        return Ok(Greeting::Plain(stream, protocol, sniffed));
    };
    if sniff::speaks_tls(&stream).await? {
        let handshake = Box::pin(async { policy.tls().acceptor().accept(stream).await });
        let mut stream = Box::new(handshake.await?);
        // ALPN decides (RFC 9113 §3.2): a client that chose HTTP/2 must begin it now.
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            let (protocol, sniffed) = sniff::protocol(&mut stream).await?;
            if protocol == Protocol::Http1 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "ALPN said h2, the client did not",
                ));
            }
            return Ok(Greeting::Tls(stream, protocol, sniffed));
        }
        return Ok(Greeting::Tls(stream, Protocol::Http1, Bytes::new()));
    }
    match policy {
        TlsPolicy::BesidePlain(_) => {
            let (protocol, sniffed) = sniff::protocol(&mut stream).await?;
            Ok(Greeting::Plain(stream, protocol, sniffed))
        }
        TlsPolicy::Only(_) => {
            refuse_plain_text(stream).await?;
            Ok(Greeting::Refused)
        }
    }
}

/// Tells a client that speaks plain text to a TLS port what is wrong. There is no
/// redirect: it would have to believe the `Host` header.
async fn refuse_plain_text(stream: TcpStream) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
        content-type: text/plain; charset=utf-8\r\n\
        content-length: 53\r\n\
        connection: close\r\n\r\n\
        This port speaks TLS: write https:// instead of http:";
    let pace = Arc::new(Pace::new(Protocol::Http1, Arc::default()));
    let mut wire = Wire::new(stream, Bytes::new(), pace);
    wire.write_all(ANSWER).await?;
    wire.shutdown().await
}

/// Speaks HTTP until the connection ends.
async fn talk<S>(
    stream: S,
    protocol: Protocol,
    sniffed: Bytes,
    peer: PeerInfo,
    shared: &Arc<ListenerState>,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let pace = Arc::new(Pace::new(protocol, Arc::clone(limits)));
    let io = TokioIo::new(Wire::new(stream, sniffed, Arc::clone(&pace)));
    let caller = Caller {
        peer,
        pace: Arc::clone(&pace),
        shared: Arc::clone(shared),
    };
    let service = service_fn(move |request| answer(caller.clone(), request));
    match protocol {
        Protocol::Http1 => {
            let head_bytes = usize::try_from(limits.head_bytes).unwrap_or(usize::MAX);
            let connection = http1::Builder::new()
                // Pace measures the head from its first byte, and idling apart from it.
                .header_read_timeout(None)
                .max_header_size(head_bytes)
                .max_buf_size(head_bytes.max(64 * 1024))
                .serve_connection(io, service);
            drive(connection, &pace, &shared.draining).await
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(Streams {
                limit: limits.exchange,
            })
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.head_bytes)
            .initial_stream_window_size(256 * 1024)
            // A peer may send this much before it is read; no budget counts it.
            .initial_connection_window_size(256 * 1024)
            .max_pending_accept_reset_streams(20)
            // Streams that the peer made us reset (CVE-2025-8671).
            .max_local_error_reset_streams(256)
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout)
            .serve_connection(io, service);
            drive(connection, &pace, &shared.draining).await
        }
    }
}

/// Runs the streams of an HTTP/2 connection, each for as long as an exchange may take.
///
/// The limit is here because nothing else limits it: if a client opens no window, its
/// response waits inside hyper.
#[derive(Debug, Clone, Copy)]
struct Streams {
    limit: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        tokio::spawn(timeout(self.limit, stream));
    }
}

/// Polls a connection to its end and keeps its time.
async fn drive<C>(connection: C, pace: &Pace, draining: &CancellationToken) -> Result<(), ConnectionError>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut alarm = pin!(sleep_until(Instant::now()));
    let mut draining = pin!(draining.cancelled());
    let mut drains = false;
    let mut goodbye: Option<Instant> = None;
    std::future::poll_fn(|cx: &mut Context<'_>| {
        if !drains && draining.as_mut().poll(cx).is_ready() {
            drains = true;
            connection.as_mut().graceful_shutdown();
        }
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(ConnectionError::from));
            }
            let now = Instant::now();
            let until = match pace.verdict(now) {
                Verdict::Until(until) => until,
                Verdict::Cut(reason) => return Poll::Ready(Err(ConnectionError::Cut(reason))),
                Verdict::Idle => match goodbye {
                    None => {
                        goodbye = Some(now + pace.goodbye());
                        connection.as_mut().graceful_shutdown();
                        // The connection learns of it only when polled.
                        continue;
                    }
                    Some(until) if now >= until => {
                        return Poll::Ready(Err(ConnectionError::Cut("the idle peer did not close")));
                    }
                    Some(until) => until,
                },
            };
            // An alarm that rings early costs one look; setting it anew costs more.
            if until < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(until);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Who asks, on which connection.
#[derive(Debug, Clone)]
struct Caller {
    peer: PeerInfo,
    pace: Arc<Pace>,
    shared: Arc<ListenerState>,
}

/// Answers one request.
async fn answer(
    caller: Caller,
    request: Request<Incoming>,
) -> Result<http::Response<AnswerBody>, Infallible> {
    let mut in_flight = caller.pace.begin();
    let ListenerState {
        router,
        proxies,
        limits,
        bodies,
        ..
    } = &*caller.shared;
    let version = request.version();
    let (mut parts, body) = request.into_parts();

    if let Some(fault) = host::fault(&parts) {
        in_flight.answered();
        let response = apologize(StatusCode::BAD_REQUEST, fault, version);
        return Ok(response.map(|body| AnswerBody {
            body,
            _in_flight: in_flight,
        }));
    }
    let source = proxies.introduce(caller.peer, &mut parts);
    let limit = BodyLimit::new(limits.body_bytes, Allowance::new(bodies, source));
    parts.extensions.insert(limit.clone());
    let body = match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(RequestBody::new(body, limit.clone(), limits)),
    };

    let expects = parts.headers.contains_key(header::EXPECT);
    let request = Request::from_parts(parts, body);
    let handled = AssertUnwindSafe(router.clone().call(request)).catch_unwind();
    let mut response = match timeout(limits.answer, handled).await {
        Ok(Ok(Ok(response))) => explain(response, &limit, version),
        Ok(Err(_panic)) => {
            tracing::error!("a request's handler panicked");
            apologize(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here.\n",
                version,
            )
        }
        Err(_) => {
            tracing::error!("a request took too long and was given up");
            let text = "This took longer than it may. Please try again.\n";
            apologize(StatusCode::SERVICE_UNAVAILABLE, text, version)
        }
    };
    if version < Version::HTTP_2 && !may_carry_more(&limit, expects).await {
        close(&mut response, version);
    }
    in_flight.answered();
    Ok(response.map(|body| AnswerBody {
        body,
        _in_flight: in_flight,
    }))
}

/// Whether another request may follow on the connection: only if this one was read whole.
///
/// Otherwise the response says so (RFC 9112 §9.6). Without that, the client would send its
/// next request into a closing connection and could not know its outcome.
async fn may_carry_more(limit: &BodyLimit, expects: bool) -> bool {
    match limit.take_rest() {
        None => !limit.is_broken(),
        // Reading would invite the body (RFC 9110 §10.1.1), and it comes or does not.
        Some(_) if expects || limit.is_broken() => false,
        Some(rest) => rest.skip().await,
    }
}

/// Bodies in flight end within seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// If the request's body was cut short and the handler failed, the status says why.
fn explain(mut response: Response, limit: &BodyLimit, version: Version) -> Response {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if let (Some(status), true) = (limit.fault(), failed) {
        *response.status_mut() = status;
        // It may be the plain answer of an extractor that read the body.
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        close(&mut response, version);
    }
    response
}

fn apologize(status: StatusCode, text: &'static str, version: Version) -> Response {
    let mut response = (status, text).into_response();
    close(&mut response, version);
    response
}

/// Ends the connection after this response. In HTTP/2 it carries other requests,
/// and has no such header (RFC 9113 §8.2.2).
fn close(response: &mut Response, version: Version) {
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A response body; its request is in flight until the last byte was taken.
struct AnswerBody {
    body: Body,
    _in_flight: InFlight,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
