//! The listener: one address for browsers, REST and gRPC, in HTTP/1.1 and
//! HTTP/2, with and without TLS.
//!
//! It has its own accept loop, because no library limits every stage of a connection:
//! hyper-util's protocol detection waits for ever on half an HTTP/2 preface, and
//! `axum::serve` sets no timers.

mod admission;
mod body;
mod budget;
mod connection;
mod forwarded;
mod host;
mod limits;
mod pace;
mod sniff;
mod source;
mod tls;
mod wire;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::body::BodyLimit;
pub use self::forwarded::{ClientIp, ForwardedHeader, PeerInfo, TrustedProxies};
pub use self::limits::Limits;
pub use self::source::Source;
pub use self::tls::{Tls, TlsError, TlsPolicy, install_crypto_provider};

use self::admission::Admission;
use self::budget::Budget;
use self::connection::ListenerState;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// A bound address, not yet served.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    proxies: TrustedProxies,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that did not finish in time and were cut.
    pub cut: usize,
}

impl Listener {
    /// Binds `addr`; port 0 takes a free one.
    ///
    /// `localhost` means `127.0.0.1` to some programs and `::1` to others, so a
    /// loopback address brings the other one along if the machine has it.
    /// `[::]` takes IPv4 as well.
    ///
    /// # Errors
    ///
    /// If `addr` itself cannot be bound. Call it within a tokio runtime.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let first = bind(addr)?;
        let port = first.local_addr()?.port();
        let mut sockets = vec![first];
        if let Some(twin) = loopback_twin(addr.ip()) {
            let twin = SocketAddr::new(twin, port);
            match bind(twin) {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    tracing::warn!(%twin, "another program listens here: `localhost` may reach it instead");
                }
                Err(error) => tracing::debug!(%twin, %error, "not listening here"),
            }
        }
        Ok(Self {
            sockets,
            proxies: TrustedProxies::default(),
        })
    }

    /// Believes these proxies' headers about the client's address.
    #[must_use]
    pub fn trusting(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The address, with the port that was chosen.
    ///
    /// # Errors
    ///
    /// If the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Serves until `shutdown` resolves, then lets requests in flight finish for
    /// [`Limits::drain`].
    ///
    /// Without `tls` the port speaks plain text: behind a proxy, or in tests.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<TlsPolicy>,
        limits: Limits,
        shutdown: impl Future<Output = ()>,
    ) -> DrainReport {
        let draining = CancellationToken::new();
        let cut = CancellationToken::new();
        let connections = TaskTracker::new();
        let admission = Admission::new(limits.connections, limits.connections_per_client);
        let drain = limits.drain;
        let shared = Arc::new(ListenerState {
            router,
            tls,
            proxies: self.proxies,
            bodies: Budget::new(limits.bodies_in_flight),
            limits: Arc::new(limits),
            draining: draining.clone(),
        });
        let door = Door {
            shared,
            admission,
            connections: connections.clone(),
            cut: cut.clone(),
        };
        let accepting = TaskTracker::new();
        for socket in self.sockets {
            accepting.spawn(door.clone().accept_all(socket));
        }
        drop(door);

        shutdown.await;
        draining.cancel();
        accepting.close();
        accepting.wait().await;
        connections.close();
        if timeout(drain, connections.wait()).await.is_ok() {
            return DrainReport { cut: 0 };
        }
        let left = connections.len();
        tracing::warn!(connections = left, "cut connections that did not finish in time");
        cut.cancel();
        connections.wait().await;
        DrainReport { cut: left }
    }
}

/// Lets connections in.
#[derive(Debug, Clone)]
struct Door {
    shared: Arc<ListenerState>,
    admission: Arc<Admission>,
    connections: TaskTracker,
    cut: CancellationToken,
}

impl Door {
    async fn accept_all(self, socket: TcpListener) {
        let mut full = LogThrottle::default();
        let mut broken = LogThrottle::default();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.shared.draining.cancelled() => return,
            };
            let (stream, addr) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_the_clients_loss(&error) => continue,
                Err(error) => {
                    // Mostly "too many open files". Trying again at once would spin.
                    broken.log(|| tracing::error!(%error, "cannot accept connections"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            let is_proxy = self.shared.proxies.trusts(addr.ip());
            let Some(seat) = self.admission.admit(addr.ip(), is_proxy) else {
                // Dropping the stream closes it: a queue would only hide the flood.
                full.log(|| tracing::warn!(%addr, "refused a connection: too many are open"));
                continue;
            };
            let Self { shared, cut, .. } = self.clone();
            self.connections.spawn(async move {
                let _seat = seat;
                let served = cut
                    .run_until_cancelled(connection::serve(stream, addr, &shared))
                    .await;
                if let Some(Err(failure)) = served {
                    tracing::debug!(%addr, %failure, "a connection failed");
                }
            });
        }
    }
}

/// Logs the first of many like events, and then one every ten seconds.
#[derive(Debug, Default)]
struct LogThrottle {
    last: Option<Instant>,
}

impl LogThrottle {
    fn log(&mut self, log: impl FnOnce()) {
        if self
            .last
            .is_none_or(|last| last.elapsed() > Duration::from_secs(10))
        {
            self.last = Some(Instant::now());
            log();
        }
    }
}

/// Whether the error is of one connection, not of the listening socket.
fn is_the_clients_loss(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
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
        let only_ipv6 = !addr.ip().is_unspecified();
        socket.set_only_v6(only_ipv6)?;
    }
    // A restart must not wait for old connections to expire. (On Windows the
    // option means something else and is not needed.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
