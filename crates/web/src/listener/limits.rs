//! Time and size limits on every stage of a connection.

use std::time::Duration;

/// The limits of one listener. The defaults suit production; tests shorten them.
///
/// Every stage of a connection has a limit, so no client can hold a socket by doing
/// nothing, or by doing something very slowly.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From accepting a connection until its protocol is known: the TLS
    /// handshake and the HTTP/2 preface included.
    pub greeting: Duration,
    /// From the first byte of an HTTP/1 request head to its last.
    pub head: Duration,
    /// Size of a request head: request line and headers, or the HTTP/2 header list.
    pub head_bytes: u32,
    /// Longest silence within a request body.
    pub body_idle: Duration,
    /// From the request head to the end of the request body.
    pub body: Duration,
    /// Size of a request body. A route may change it for itself with
    /// [`BodyLimit`](super::BodyLimit).
    pub body_bytes: u64,
    /// Bytes of request bodies that are held at once, of all clients; one client
    /// may hold an eighth. 0 means no limit.
    pub bodies_in_flight: u64,
    /// From the request head to the response head. Longer than [`body`](Self::body),
    /// so that a slow client is told so.
    pub answer: Duration,
    /// From the request head to the end of the response. If a client does not read its
    /// response, the connection ends.
    pub exchange: Duration,
    /// How long an HTTP/1 connection may wait for its next request. Longer than
    /// the 60 seconds that load balancers keep theirs, so that they close first.
    pub idle: Duration,
    /// How long an HTTP/2 connection may live without a request, however often it pings.
    pub idle_http2: Duration,
    /// Silence after which an HTTP/2 peer is asked for a sign of life …
    pub ping_interval: Duration,
    /// … and how long it may take to give one.
    pub ping_timeout: Duration,
    /// Concurrent requests of one HTTP/2 connection.
    pub streams: u32,
    /// Requests that one HTTP/2 connection may abandon within ten seconds before
    /// they were answered; more is the "rapid reset" attack (CVE-2023-44487).
    pub abandoned: u32,
    /// Open connections. More are closed at once, never queued.
    pub connections: usize,
    /// Open connections of one client: an IPv4 address or an IPv6 /64. The operator's
    /// proxies are exempt. `None` if clients may come through a proxy that is not configured.
    pub connections_per_client: Option<usize>,
    /// How long requests in flight may take to finish at shutdown.
    pub drain: Duration,
}

/// Descriptors that stay free for the database, files and outbound calls.
const RESERVED_FILES: u64 = 256;

impl Limits {
    /// Raises the process's limit of open files as far as it may go, and lowers
    /// [`connections`](Self::connections) to what then fits: a flood of
    /// connections must not keep the database from opening its files.
    #[must_use]
    pub fn within_open_files(mut self) -> Self {
        if let Some(files) = raise_open_files() {
            let room = usize::try_from(files.saturating_sub(RESERVED_FILES).max(16)).unwrap_or(usize::MAX);
            if room < self.connections {
                tracing::info!(
                    files,
                    connections = room,
                    "the limit of open files bounds the connections"
                );
                self.connections = room;
            }
        }
        self
    }
}

#[cfg(unix)]
fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(not(unix))]
fn raise_open_files() -> Option<u64> {
    None
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            head: Duration::from_secs(15),
            head_bytes: 32 * 1024,
            body_idle: Duration::from_secs(15),
            body: Duration::from_secs(60),
            body_bytes: 2 * 1024 * 1024,
            bodies_in_flight: 256 * 1024 * 1024,
            answer: Duration::from_secs(90),
            exchange: Duration::from_secs(120),
            idle: Duration::from_secs(75),
            idle_http2: Duration::from_secs(600),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            streams: 128,
            abandoned: 200,
            connections: 10_000,
            connections_per_client: None,
            drain: Duration::from_secs(25),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        let limits = Limits {
            connections: usize::MAX,
            ..Limits::default()
        }
        .within_open_files();
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap();
        assert!(u64::try_from(limits.connections).unwrap() <= files - RESERVED_FILES);
    }
}
