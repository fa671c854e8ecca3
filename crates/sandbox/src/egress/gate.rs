//! The egress of one call: it checks, dials, counts, and remembers refusals.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::budget::{Budget, Connection};
use super::{Denial, Egress, Reason, normalize};
use crate::Limits;

/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many of a name's addresses are tried.
const MOST_ATTEMPTS: usize = 3;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not allowed; the gate has recorded it.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// Allowed, but the host does not answer.
    #[error("the host cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
}

/// The egress of one call. Clones share its counters.
#[derive(Debug, Clone)]
pub struct Gate {
    egress: Arc<Egress>,
    budget: Arc<Budget>,
}

impl Gate {
    /// The gate of a new call.
    pub fn new(egress: Arc<Egress>, limits: &Limits) -> Self {
        Self {
            egress,
            budget: Arc::new(Budget::new(limits)),
        }
    }

    /// The plugin's grants.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Connects to a granted host: checks name and port, resolves once, and
    /// dials the addresses that were checked.
    ///
    /// # Errors
    ///
    /// [`DialError::Denied`], which is recorded, too; [`DialError::Unreachable`].
    pub async fn dial(&self, host: &str, port: u16) -> Result<Connection, DialError> {
        let dialled = self.try_dial(host, port).await;
        if let Err(DialError::Denied(denial)) = &dialled {
            self.record(denial.clone());
        }
        dialled
    }

    async fn try_dial(&self, host: &str, port: u16) -> Result<Connection, DialError> {
        let deny = |reason| Denial::new(host, Some(port), reason);
        let grant = self.egress.check(host, port)?;
        let permit = self.budget.connection().map_err(deny)?;
        let name = normalize(host).map_err(deny)?;
        let addresses = self.egress.resolve(grant, &name).await?;
        let mut failure = io::Error::from(io::ErrorKind::TimedOut);
        for address in addresses.into_iter().take(MOST_ATTEMPTS) {
            let connect = TcpStream::connect(SocketAddr::new(address, port));
            match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
                Ok(Ok(stream)) => {
                    // Small writes of a handshake must not wait for each other.
                    stream.set_nodelay(true).map_err(DialError::Unreachable)?;
                    return Ok(Connection::new(
                        stream,
                        name,
                        port,
                        Arc::clone(&self.budget),
                        permit,
                    ));
                }
                Ok(Err(error)) => failure = error,
                Err(_) => {}
            }
        }
        Err(DialError::Unreachable(failure))
    }

    /// Remembers an attempt that another part refused.
    pub fn record(&self, denial: Denial) {
        self.budget.denials.record(denial);
    }

    /// Remembers an attempt by host, port and reason.
    pub fn deny(&self, host: &str, port: Option<u16>, reason: Reason) -> Denial {
        let denial = Denial::new(host, port, reason);
        self.record(denial.clone());
        denial
    }

    /// The refused attempts until now; the list is empty afterwards.
    pub fn take_denials(&self) -> Vec<Denial> {
        self.budget.denials.take()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::egress::{Grant, Resolver, TrustRoots};

    /// Gives one answer after the other; the last one stays.
    #[derive(Debug)]
    struct Answers(Vec<Vec<&'static str>>, AtomicUsize);

    #[async_trait]
    impl Resolver for Answers {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let turn = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
            Ok(self.0[turn].iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl Resolver for Silent {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    fn gate(grant: Grant, answers: Vec<Vec<&'static str>>, limits: &Limits) -> Gate {
        let resolver = Arc::new(Answers(answers, AtomicUsize::new(0)));
        let egress = Egress::new(vec![grant], TrustRoots::public(), resolver);
        Gate::new(Arc::new(egress), limits)
    }

    async fn reason(gate: &Gate, port: u16) -> Reason {
        match gate.dial("app.example.com", port).await {
            Err(DialError::Denied(denial)) => denial.reason,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_granted_name_that_resolves_to_a_private_address_is_refused() {
        let private: &[&[&str]] = &[
            &["127.0.0.1"],
            &["169.254.169.254"],
            &["::1"],
            &["::ffff:10.0.0.1"],
            &["64:ff9b::7f00:1"],
            &["1.1.1.1", "10.0.0.1"],
            &["2606:4700::1111", "fd00::1"],
        ];
        for answer in private {
            let gate = gate(
                Grant::package("*.example.com").unwrap(),
                vec![answer.to_vec()],
                &Limits::default(),
            );
            let reason = reason(&gate, 443).await;
            assert!(matches!(reason, Reason::NotPublic(_)), "{answer:?}: {reason:?}");
            assert_eq!(gate.take_denials().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_per_connection_and_bound_anew_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let grant = Grant::operator(&format!("app.example.com:{port}"), true).unwrap();
        let answers = vec![vec!["127.0.0.1"], vec!["169.254.169.254"]];
        let gate = gate(grant, answers, &Limits::default());
        let connection = gate.dial("APP.example.com", port).await.unwrap();
        assert_eq!(connection.host(), "app.example.com");
        assert!(matches!(reason(&gate, port).await, Reason::NotPublic(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_does_not_answer_is_given_up() {
        let egress = Egress::new(
            vec![Grant::package("*.example.com").unwrap()],
            TrustRoots::public(),
            Arc::new(Silent),
        );
        let gate = Gate::new(Arc::new(egress), &Limits::default());
        assert_eq!(reason(&gate, 443).await, Reason::Dns);
    }

    #[tokio::test]
    async fn bytes_and_connections_end_at_the_budget() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let grant = Grant::operator(&format!("app.example.com:{port}"), true).unwrap();
        let limits = Limits {
            received_bytes: 1000,
            sent_bytes: 100,
            connections: 1,
            ..Limits::default()
        };
        let gate = gate(grant, vec![vec!["127.0.0.1"]], &limits);
        let mut connection = gate.dial("app.example.com", port).await.unwrap();
        assert_eq!(reason(&gate, port).await, Reason::Connections);

        let (mut peer, _) = listener.accept().await.unwrap();
        connection.write_all(&[0; 100]).await.unwrap();
        assert!(connection.write_all(&[0]).await.is_err());
        peer.write_all(&[0; 1001]).await.unwrap();
        let mut all = Vec::new();
        assert!(connection.read_to_end(&mut all).await.is_err());
        assert!(all.len() <= 1000);

        drop(connection);
        assert!(gate.dial("app.example.com", port).await.is_ok());
        let reasons: Vec<_> = gate.take_denials().into_iter().map(|d| d.reason).collect();
        assert_eq!(reasons, [Reason::Connections, Reason::Bytes]);
    }

    #[tokio::test]
    async fn a_host_that_does_not_answer_is_no_denial() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let grant = Grant::operator(&format!("app.example.com:{port}"), true).unwrap();
        let gate = gate(grant, vec![vec!["127.0.0.1"]], &Limits::default());
        let dialled = gate.dial("app.example.com", port).await;
        assert!(matches!(dialled, Err(DialError::Unreachable(_))));
        assert!(gate.take_denials().is_empty());
    }
}
