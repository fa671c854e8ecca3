//! Listens for browsers: plain HTTP/1.1, on this machine or behind a proxy that
//! speaks TLS.
//!
//! Every stage of a connection has a limit: heads, their size, connections in
//! all and of one address, and the age of a connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::web::client_ip::TrustedProxies;
use crate::web::routes::Peer;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 256;

/// What connections may take up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    /// Of one address. The operator's proxies are exempt.
    pub connections_per_client: usize,
    /// For one request head, waiting included.
    pub head: Duration,
    pub head_bytes: usize,
    pub headers: usize,
    /// After which a connection ends with its present request.
    pub age: Duration,
    /// For requests in flight when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_client: 64,
            head: Duration::from_secs(20),
            head_bytes: 32 << 10,
            headers: 64,
            age: Duration::from_secs(600),
            drain: Duration::from_secs(20),
        }
    }
}

/// A bound address, not yet served.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Listener {
    /// Binds `addr`; port 0 takes a free one.
    ///
    /// `localhost` means `127.0.0.1` to some programs and `::1` to others, so a
    /// loopback address brings the other one along where the machine has it.
    ///
    /// # Errors
    ///
    /// If `addr` itself cannot be bound. Call it within a tokio runtime.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let first = bind(addr)?;
        let port = first.local_addr()?.port();
        let mut sockets = vec![first];
        if let Some(twin) = loopback_twin(addr.ip()) {
            match bind(SocketAddr::new(twin, port)) {
                Ok(socket) => sockets.push(socket),
                Err(error) => tracing::debug!(%twin, %error, "not listening here"),
            }
        }
        Ok(Self { sockets, port })
    }

    /// The port, also if it was chosen by the system.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `stop` is cancelled, then lets requests in flight finish.
    pub async fn serve(
        self,
        router: Router,
        proxies: TrustedProxies,
        limits: Limits,
        stop: CancellationToken,
    ) {
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let door = Arc::new(Door {
            router,
            proxies,
            limits,
            seats: Arc::new(Semaphore::new(limits.connections)),
            clients: Arc::default(),
            stop: stop.clone(),
            cut: cut.clone(),
            connections: connections.clone(),
        });
        let accepting = TaskTracker::new();
        for socket in self.sockets {
            accepting.spawn(Arc::clone(&door).accept_all(socket));
        }
        stop.cancelled().await;
        accepting.close();
        accepting.wait().await;
        connections.close();
        if timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "cut connections that did not finish in time"
            );
            cut.cancel();
            connections.wait().await;
        }
    }
}

struct Door {
    router: Router,
    proxies: TrustedProxies,
    limits: Limits,
    seats: Arc<Semaphore>,
    clients: Arc<Clients>,
    stop: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
}

/// Open connections by address.
#[derive(Debug, Default)]
struct Clients(Mutex<HashMap<IpAddr, usize>>);

/// The place of one connection.
struct Seat {
    _permit: OwnedSemaphorePermit,
    client: Option<(Arc<Clients>, IpAddr)>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((clients, address)) = &self.client else {
            return;
        };
        let mut clients = clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                clients.remove(address);
            }
        }
    }
}

impl Door {
    async fn accept_all(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly "too many open files". Trying again at once would spin.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            // Dropping the stream closes it: a queue would only hide the flood.
            let Some(seat) = self.admit(peer.ip()) else {
                tracing::debug!(%peer, "refused a connection: too many are open");
                continue;
            };
            let door = Arc::clone(&self);
            self.connections.spawn(async move {
                let _seat = seat;
                let cut = door.cut.clone();
                cut.run_until_cancelled(door.serve_one(stream, peer)).await;
            });
        }
    }

    fn admit(&self, address: IpAddr) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        if self.proxies.trusts(address) {
            return Some(Seat {
                _permit: permit,
                client: None,
            });
        }
        let mut clients = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(address).or_default();
        if *count >= self.limits.connections_per_client {
            return None;
        }
        *count += 1;
        Some(Seat {
            _permit: permit,
            client: Some((Arc::clone(&self.clients), address)),
        })
    }

    async fn serve_one(&self, stream: TcpStream, peer: SocketAddr) {
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(self.limits.head_bytes)
            .max_headers(self.limits.headers)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let served = tokio::select! {
            served = &mut connection => served,
            () = ended(&self.stop, self.limits.age) => {
                connection.as_mut().graceful_shutdown();
                match timeout(self.limits.age, connection).await {
                    Ok(served) => served,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection failed");
        }
    }
}

/// The server stops, or a connection has lived long enough.
async fn ended(stop: &CancellationToken, age: Duration) {
    let _ = timeout(age, stop.cancelled()).await;
}

fn loopback_twin(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // A restart must not wait for old connections to expire.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
