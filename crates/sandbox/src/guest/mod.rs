//! The network of a guest that makes its own system calls: names have addresses
//! that exist nowhere, and the host dials instead of the guest.
//!
//! A granted name gets an address of 198.18.0.0/15 (RFC 2544). A connection to it
//! must begin with a ClientHello for the granted name; then the host dials and
//! passes the bytes on.

mod dns;
mod hidden;
mod names;
#[cfg(feature = "microvm")]
mod socks;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use self::names::Names;
use crate::egress::{Gate, Hello, Reason};

#[cfg(feature = "microvm")]
pub use socks::Proxy;

/// How long a client may take for its ClientHello.
const HELLO_TIME: Duration = Duration::from_secs(5);

/// Connections whose ClientHello has not arrived yet.
const MOST_STRANGERS: usize = 32;

/// The names and connections of one call.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) gate: Gate,
    names: Arc<Names>,
    strangers: Arc<Semaphore>,
}

impl Guest {
    pub(crate) fn new(gate: &Gate) -> Self {
        Self {
            gate: gate.clone(),
            names: Arc::default(),
            strangers: Arc::new(Semaphore::new(MOST_STRANGERS)),
        }
    }

    /// Answers a DNS query itself; nothing is ever forwarded.
    pub(crate) fn answer_dns(&self, query: &[u8]) -> Option<Vec<u8>> {
        let Some(question) = dns::Question::read(query) else {
            self.gate.deny("a DNS server", Some(53), Reason::Protocol);
            return None;
        };
        let address = match self.gate.egress().check_name(&question.name) {
            Ok(name) => self.names.address(&name),
            Err(denial) => {
                self.gate.record(denial);
                None
            }
        };
        Some(question.answer(address))
    }

    /// The granted name that has an address.
    pub(crate) fn name(&self, address: Ipv4Addr) -> Option<String> {
        self.names.name(address)
    }

    /// Serves a connection to a granted name until it ends.
    pub(crate) async fn serve(&self, mut stream: TcpStream, name: &str, port: u16) {
        let passed = async {
            let Ok(stranger) = self.strangers.try_acquire() else {
                self.gate.deny(name, Some(port), Reason::Connections);
                return None;
            };
            let hello = self.read_hello(&mut stream, name, port).await?;
            // From here on the budget of the gate counts.
            drop(stranger);
            let mut host = self.gate.dial(name, port).await.ok()?;
            host.write_all(&hello).await.ok()?;
            copy_bidirectional(&mut stream, &mut host).await.ok()
        };
        if passed.await.is_none() {
            // A reset, not an orderly end.
            drop(stream.set_zero_linger());
        }
    }

    /// Reads the ClientHello, if it asks for `name`.
    async fn read_hello(&self, stream: &mut TcpStream, name: &str, port: u16) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = async {
            loop {
                match Hello::read(&bytes) {
                    Hello::Complete { server_name } => {
                        let same = server_name.as_deref() == Some(name) && !hidden::hides_its_name(&bytes);
                        return (!same).then_some(Reason::TlsName);
                    }
                    Hello::Broken => return Some(Reason::NotTls),
                    Hello::Partial => {}
                }
                let room = Hello::LONGEST.saturating_sub(bytes.len()) as u64;
                match (&mut *stream).take(room).read_buf(&mut bytes).await {
                    Ok(0) | Err(_) => return Some(Reason::NotTls),
                    Ok(_) => {}
                }
            }
        };
        let refused = tokio::time::timeout(HELLO_TIME, read).await;
        match refused.unwrap_or(Some(Reason::NotTls)) {
            None => Some(bytes),
            Some(reason) => {
                self.gate.deny(name, Some(port), reason);
                None
            }
        }
    }
}
