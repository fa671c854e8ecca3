//! The host's side of a jail's network: the only one it has.
//!
//! A granted name gets an address of 198.18.0.0/15, which exists nowhere
//! (RFC 2544). Who connects to it is asked for by TLS which name is meant;
//! where that is the granted one, the host dials and passes the bytes on.

mod dns;
mod names;
mod packet;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::names::Names;
use self::packet::Attempt;
use crate::egress::{Gate, Hello, Reason};

/// How long a client may take for its ClientHello.
const HELLO_TIME: Duration = Duration::from_secs(5);

/// Connections that have not yet said whom they want.
const MOST_STRANGERS: usize = 32;

/// The sockets of one jail.
pub(super) struct Network {
    dns: UdpSocket,
    /// Packet sockets: of them only "receive" is used, which all datagram sockets share.
    packets: [UdpSocket; 2],
    listeners: Vec<(u16, TcpListener)>,
    names: Names,
    gate: Gate,
}

impl Network {
    /// Takes the sockets over, in the order in which the inner side makes them.
    pub(super) fn new(fds: Vec<OwnedFd>, ports: &[u16], gate: &Gate) -> io::Result<Self> {
        if fds.len() != 3 + ports.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or(io::Error::from(io::ErrorKind::InvalidData));
        let dns = UdpSocket::from_std(next()?.into())?;
        let packets = [
            UdpSocket::from_std(next()?.into())?,
            UdpSocket::from_std(next()?.into())?,
        ];
        let mut listeners = Vec::new();
        for &port in ports {
            listeners.push((port, TcpListener::from_std(next()?.into())?));
        }
        Ok(Self {
            dns,
            packets,
            listeners,
            names: Names::default(),
            gate: gate.clone(),
        })
    }

    /// Serves until dropped, or a socket fails.
    pub(super) async fn serve(&self) -> io::Error {
        let listeners = async {
            let strangers = Arc::new(Semaphore::new(MOST_STRANGERS));
            let each = self
                .listeners
                .iter()
                .map(|(port, listener)| self.accept(*port, listener, &strangers));
            futures_util::future::select_all(each.map(Box::pin)).await.0
        };
        let stopped: io::Result<Infallible> = tokio::select! {
            stopped = self.answer_dns() => stopped,
            stopped = self.watch(&self.packets[0]) => stopped,
            stopped = self.watch(&self.packets[1]) => stopped,
            stopped = listeners => stopped,
        };
        match stopped {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Reads the packets that nobody has looked at when the plugin ended.
    pub(super) fn look_at_the_rest(&self) {
        for socket in &self.packets {
            let mut headers = [0; packet::HEADERS];
            while let Ok(length) = socket.try_recv(&mut headers) {
                if let Some(attempt) = packet::parse(&headers[..length]) {
                    self.note(&attempt);
                }
            }
        }
    }

    async fn answer_dns(&self) -> io::Result<Infallible> {
        let mut query = [0; 512];
        loop {
            let (length, client) = self.dns.recv_from(&mut query).await?;
            let Some(question) = dns::Question::read(&query[..length]) else {
                self.gate.deny("127.0.0.1", Some(53), Reason::Protocol);
                continue;
            };
            let answer = match self.gate.egress().check_name(&question.name) {
                Ok(name) => self.names.address(&name),
                Err(denial) => {
                    self.gate.record(denial);
                    None
                }
            };
            // A client that went away needs no answer.
            drop(self.dns.send_to(&question.answer(answer), client).await);
        }
    }

    /// Remembers what was tried beside DNS and the listeners.
    async fn watch(&self, socket: &UdpSocket) -> io::Result<Infallible> {
        let mut headers = [0; packet::HEADERS];
        loop {
            let length = socket.recv(&mut headers).await?;
            if let Some(attempt) = packet::parse(&headers[..length]) {
                self.note(&attempt);
            }
        }
    }

    fn note(&self, attempt: &Attempt) {
        let Attempt { to, port, tcp } = *attempt;
        let name = match to {
            IpAddr::V4(address) => self.names.name(address),
            IpAddr::V6(_) => None,
        };
        let listening = port.is_some_and(|port| self.listeners.iter().any(|(open, _)| *open == port));
        let (host, reason) = match name {
            // The listener sees it, and knows better.
            Some(_) if tcp && listening => return,
            Some(name) if tcp => (name, Reason::Port),
            Some(name) => (name, Reason::Protocol),
            None if tcp => (to.to_string(), Reason::IpLiteral),
            None => (to.to_string(), Reason::Protocol),
        };
        self.gate.deny(&host, port, reason);
    }

    async fn accept(
        &self,
        port: u16,
        listener: &TcpListener,
        strangers: &Arc<Semaphore>,
    ) -> io::Result<Infallible> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    self.welcome(port, stream, strangers, &mut connections)?;
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves a connection, unless it is to no granted name.
    fn welcome(
        &self,
        port: u16,
        stream: TcpStream,
        strangers: &Arc<Semaphore>,
        connections: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let name = match stream.local_addr()? {
            SocketAddr::V4(address) => self.names.name(*address.ip()),
            SocketAddr::V6(_) => None,
        };
        // An address that was not given out: `watch` has noted it.
        let Some(name) = name else {
            return stream.set_zero_linger();
        };
        let Ok(stranger) = Arc::clone(strangers).try_acquire_owned() else {
            self.gate.deny(&name, Some(port), Reason::Connections);
            return stream.set_zero_linger();
        };
        let gate = self.gate.clone();
        connections.spawn(async move {
            let mut stream = stream;
            let passed = async {
                let hello = read_hello(&mut stream, &name, port, &gate).await?;
                // From here on the budget of the gate counts.
                drop(stranger);
                let mut host = gate.dial(&name, port).await.ok()?;
                host.write_all(&hello).await.ok()?;
                copy_bidirectional(&mut stream, &mut host).await.ok()
            };
            if passed.await.is_none() {
                // A reset, not an orderly end.
                drop(stream.set_zero_linger());
            }
        });
        Ok(())
    }
}

/// Reads the ClientHello, if it asks for `name`.
async fn read_hello(stream: &mut TcpStream, name: &str, port: u16, gate: &Gate) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            match Hello::read(&bytes) {
                Hello::Complete { server_name } if server_name.as_deref() == Some(name) => return None,
                Hello::Complete { .. } => return Some(Reason::TlsName),
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
    let refused = tokio::time::timeout(HELLO_TIME, read)
        .await
        .unwrap_or(Some(Reason::NotTls));
    match refused {
        None => Some(bytes),
        Some(reason) => {
            gate.deny(name, Some(port), reason);
            None
        }
    }
}
