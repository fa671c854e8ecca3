//! The only egress of a guest: one HTTP request, sent by the host.
//!
//! It is HTTPS to granted hosts, on a connection of its own, with HTTP/1.1 and
//! the host's trust roots. Redirects are answers like others. `Host` comes from
//! the URL, and a guest cannot set it, so name, TLS and header agree.
//!
//! Source: wasi:http 0.2.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::uri::Scheme;
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::Limits;
use crate::egress::{Connection, DialError, Gate, HTTPS, Reason, is_certificate_error};

/// How long a server may take for its side of TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Header bytes of an answer.
const LONGEST_HEAD: usize = 64 << 10;

/// The status that tells a bundle that a request failed: the JavaScript engine would end
/// the call on an error.
const FAILED: u16 = 599;
const FAILURE: HeaderName = HeaderName::from_static("x-openneko-failure");

type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

/// The limits and the gate of a call's requests.
pub(super) struct Hooks {
    gate: Gate,
    /// No answer is longer; the gate counts all of them together.
    longest_answer: u64,
    /// Bytes of requests that may still be read from a bundle, all together:
    /// they are in memory until they are sent.
    to_send: Arc<AtomicU64>,
    is_bundle: bool,
}

impl Hooks {
    pub(super) fn new(gate: Gate, limits: &Limits, is_bundle: bool) -> Self {
        Self {
            gate,
            longest_answer: limits.received_bytes,
            to_send: Arc::new(AtomicU64::new(limits.sent_bytes)),
            is_bundle,
        }
    }
}

impl WasiHttpHooks for Hooks {
    // `authority` refuses it, too; an unknown scheme needs no log line.
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    // A server that misbehaves is the plugin's business, not a warning of ours.
    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        tracing::debug!(%error, "a request of a plugin failed");
        ErrorCode::HttpProtocolError
    }

    // A component can have a thousand requests open, whose bodies are in memory.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        16 << 10
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let gate = self.gate.clone();
        let options = options.unwrap_or_default();
        if !self.is_bundle {
            return Box::new(async move {
                let exchange = send(&gate, request, options).await?;
                let worker = exchange.worker;
                Ok((exchange.response, Box::new(worker.join()) as _))
            });
        }
        let (to_send, longest_answer) = (Arc::clone(&self.to_send), self.longest_answer);
        Box::new(async move {
            let answer = match read_whole(&gate, request, &to_send).await {
                Ok(request) => send(&gate, request, options).await,
                Err(error) => Err(error),
            };
            let answer = match answer {
                Ok(exchange) => collect(exchange, longest_answer).await,
                Err(error) => Err(error),
            };
            let response = answer.unwrap_or_else(|error| failure(&error));
            Ok((response, Box::new(async { Ok(()) }) as _))
        })
    }
}

/// Reads a bundle's request to its end. The JavaScript engine gives up the call if the
/// host does not, or if the host breaks off an answer. So it gets only whole answers
/// or a failure.
async fn read_whole(
    gate: &Gate,
    request: Request<WasiBody>,
    to_send: &AtomicU64,
) -> Result<Request<WasiBody>, Error> {
    let (head, mut body) = request.into_parts();
    let mut bytes = BytesMut::new();
    let mut is_too_long = false;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let count = data.len() as u64;
        let taken = to_send.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(count)
        });
        is_too_long |= taken.is_err();
        if !is_too_long {
            bytes.extend_from_slice(&data);
        }
    }
    if is_too_long {
        let host = head.uri.host().unwrap_or_default();
        gate.deny(host, head.uri.port_u16(), Reason::Bytes);
        return Err(Error::HttpRequestBodySize(None));
    }
    Ok(Request::from_parts(head, whole(bytes.freeze())))
}

struct Exchange {
    response: Response<WasiBody>,
    worker: Worker,
}

/// Drives a connection; ends with the guest's interest in it.
struct Worker(JoinHandle<Result<(), hyper::Error>>);

impl Worker {
    async fn join(mut self) -> Result<(), Error> {
        // An error reaches the guest through the answer's body.
        let _ = (&mut self.0).await;
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send(
    gate: &Gate,
    mut request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Exchange, Error> {
    let (host, port) = authority(gate, request.uri())?;
    if request.method() == Method::CONNECT {
        gate.deny(&host, Some(port), Reason::Protocol);
        return Err(Error::HttpRequestMethodInvalid);
    }
    let connect = connect(gate, &host, port);
    let stream = within(options.connect_timeout, connect)
        .await
        .ok_or(Error::ConnectionTimeout)??;

    // RFC 9112 §3.2.1: a server, unlike a proxy, gets only the path.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);

    let mut builder = http1::Builder::new();
    builder.max_buf_size(LONGEST_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let worker = Worker(tokio::spawn(connection));
    let answer = within(options.first_byte_timeout, sender.send_request(request)).await;
    let mut response = answer.ok_or(Error::ConnectionReadTimeout)??;
    response.headers_mut().remove(FAILURE);
    Ok(Exchange {
        response: response.map(|body| body.map_err(Error::from).boxed_unsync()),
        worker,
    })
}

/// Waits for a future; without a limit, for ever, because the call has its own.
async fn within<F: Future>(limit: Option<Duration>, work: F) -> Option<F::Output> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// Host and port of a URL, if its form is allowed.
fn authority(gate: &Gate, uri: &Uri) -> Result<(String, u16), Error> {
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let host = authority.host();
    if uri.scheme() != Some(&Scheme::HTTPS) {
        gate.deny(host, authority.port_u16(), Reason::PlainHttp);
        return Err(Error::HttpRequestDenied);
    }
    let port = authority.port_u16().unwrap_or(HTTPS);
    // Anything else in the authority, such as a user name, is there to mislead.
    let is_plain = authority.as_str() == host || authority.as_str() == format!("{host}:{port}");
    if !is_plain {
        gate.deny(authority.as_str(), None, Reason::BadName);
        return Err(Error::HttpRequestDenied);
    }
    Ok((host.to_owned(), port))
}

async fn connect(gate: &Gate, host: &str, port: u16) -> Result<TlsStream<Connection>, Error> {
    let connection = gate.dial(host, port).await.map_err(|error| match error {
        DialError::Denied(denial) => match denial.reason {
            Reason::Dns => Error::DnsError {
                rcode: None,
                info_code: None,
            },
            Reason::Connections => Error::ConnectionLimitReached,
            _ => Error::HttpRequestDenied,
        },
        DialError::Unreachable(_) => Error::ConnectionRefused,
    })?;
    let name = connection.host().to_owned();
    let name = name.try_into().map_err(|_| Error::TlsProtocolError)?;
    let handshake = TlsConnector::from(gate.egress().tls()).connect(name, connection);
    match tokio::time::timeout(TLS_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if is_certificate_error(&error) => {
            gate.deny(host, Some(port), Reason::Certificate);
            Err(Error::TlsCertificateError)
        }
        Ok(Err(_)) => Err(Error::TlsProtocolError),
        Err(_) => Err(Error::ConnectionTimeout),
    }
}

/// Reads the whole answer, so a bundle sees all of it or a failure.
async fn collect(exchange: Exchange, longest: u64) -> Result<Response<WasiBody>, Error> {
    let (head, body) = exchange.response.into_parts();
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    let body = http_body_util::Limited::new(body, longest).collect().await;
    let bytes = body.map_err(|_| Error::ConnectionTerminated)?.to_bytes();
    Ok(Response::from_parts(head, whole(bytes)))
}

fn whole(bytes: Bytes) -> WasiBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A failure as the answer that the bundle's `fetch` understands.
fn failure(error: &Error) -> Response<WasiBody> {
    let reason = match error {
        Error::HttpRequestDenied | Error::HttpRequestMethodInvalid | Error::HttpRequestUriInvalid => "denied",
        Error::DnsError { .. } => "dns",
        Error::ConnectionRefused | Error::ConnectionLimitReached => "unreachable",
        Error::ConnectionTimeout | Error::ConnectionReadTimeout => "timeout",
        Error::TlsCertificateError | Error::TlsProtocolError => "tls",
        _ => "terminated",
    };
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(FAILED).expect("599 is a status");
    response
        .headers_mut()
        .insert(FAILURE, HeaderValue::from_static(reason));
    response
}

#[cfg(test)]
mod tests;
