//! The host's side of a jail's network: the only one it has.

mod packet;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use self::packet::Attempt;
use crate::egress::{Gate, Reason};
use crate::guest::Guest;

/// The sockets of one jail.
pub(super) struct Network {
    dns: UdpSocket,
    /// Packet sockets: of them only "receive" is used, which all datagram sockets share.
    packets: Vec<UdpSocket>,
    listeners: Vec<(u16, TcpListener)>,
    guest: Guest,
}

impl Drop for Network {
    /// When a packet socket closes, the kernel waits for other processors. That takes
    /// milliseconds, too long for a thread of the runtime.
    fn drop(&mut self) {
        let packets = std::mem::take(&mut self.packets);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(packets));
        }
    }
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
        let packets = vec![
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
            guest: Guest::new(gate),
        })
    }

    /// Serves until dropped, or a socket fails.
    pub(super) async fn serve(&self) -> io::Error {
        let accept = self
            .listeners
            .iter()
            .map(|(port, listener)| self.accept(*port, listener));
        let stopped: io::Result<Infallible> = tokio::select! {
            stopped = self.answer_dns() => stopped,
            stopped = self.watch(&self.packets[0]) => stopped,
            stopped = self.watch(&self.packets[1]) => stopped,
            (stopped, _, _) = futures_util::future::select_all(accept.map(Box::pin)) => stopped,
        };
        match stopped {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Reads the packets that were still unread when the plugin ended.
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
            if let Some(answer) = self.guest.answer_dns(&query[..length]) {
                // A client that went away needs no answer.
                drop(self.dns.send_to(&answer, client).await);
            }
        }
    }

    /// Remembers attempts other than DNS and connections to the listeners.
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
            IpAddr::V4(address) => self.guest.name(address),
            IpAddr::V6(_) => None,
        };
        let listening = port.is_some_and(|port| self.listeners.iter().any(|(open, _)| *open == port));
        let (host, reason) = match name {
            // The listener sees it and knows more.
            Some(_) if tcp && listening => return,
            Some(name) if tcp => (name, Reason::Port),
            Some(name) => (name, Reason::Protocol),
            None if tcp => (to.to_string(), Reason::IpLiteral),
            None => (to.to_string(), Reason::Protocol),
        };
        self.guest.gate.deny(&host, port, reason);
    }

    async fn accept(&self, port: u16, listener: &TcpListener) -> io::Result<Infallible> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => self.welcome(port, accepted?.0, &mut connections)?,
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves a connection if its address belongs to a granted name.
    fn welcome(&self, port: u16, stream: TcpStream, connections: &mut JoinSet<()>) -> io::Result<()> {
        let name = match stream.local_addr() {
            Ok(SocketAddr::V4(address)) => self.guest.name(*address.ip()),
            _ => None,
        };
        let Some(name) = name else {
            // An address that was not given out: `watch` has noted it.
            return stream.set_zero_linger();
        };
        let guest = self.guest.clone();
        connections.spawn(async move { guest.serve(stream, &name, port).await });
        Ok(())
    }
}
