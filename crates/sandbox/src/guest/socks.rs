//! DNS and SOCKS 5 on this machine's loopback device, for an engine whose network
//! stack can use them.
//!
//! Source: RFC 1928. Only CONNECT to an IPv4 address is served, because the DNS
//! server gives out nothing else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use super::Guest;
use crate::egress::{Gate, Reason};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const SUCCEEDED: u8 = 0;
const NOT_ALLOWED: u8 = 2;

/// How long a client may take to name its target.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// The egress of one call; it ends when dropped.
///
/// Another program on this machine may find the port. It reaches only the plugin's
/// hosts, under the plugin's budget.
#[derive(Debug)]
pub struct Proxy {
    pub dns: SocketAddr,
    pub socks: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts to serve.
    ///
    /// # Errors
    ///
    /// The sockets could not be made.
    pub async fn start(gate: &Gate) -> io::Result<Self> {
        let guest = Guest::new(gate);
        let dns = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let socks = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (dns_address, socks_address) = (dns.local_addr()?, socks.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(answer(dns, guest.clone()));
        tasks.spawn(accept(socks, guest));
        Ok(Self {
            dns: dns_address,
            socks: socks_address,
            _tasks: tasks,
        })
    }
}

async fn answer(socket: UdpSocket, guest: Guest) {
    let mut query = [0; 512];
    while let Ok((length, client)) = socket.recv_from(&mut query).await {
        if let Some(answer) = guest.answer_dns(&query[..length]) {
            // A client that went away needs no answer.
            drop(socket.send_to(&answer, client).await);
        }
    }
}

async fn accept(listener: TcpListener, guest: Guest) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                connections.spawn(connection(stream, guest.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, guest: Guest) {
    let Ok(Ok((address, port))) = timeout(REQUEST_TIME, request(&mut stream)).await else {
        return;
    };
    let name = match address {
        IpAddr::V4(address) => guest.name(address),
        IpAddr::V6(_) => None,
    };
    let Some(name) = name else {
        guest
            .gate
            .deny(&address.to_string(), Some(port), Reason::IpLiteral);
        drop(reply(&mut stream, NOT_ALLOWED).await);
        return;
    };
    if let Err(denial) = guest.gate.egress().check(&name, port) {
        guest.gate.record(denial);
        drop(reply(&mut stream, NOT_ALLOWED).await);
        return;
    }
    if reply(&mut stream, SUCCEEDED).await.is_ok() {
        guest.serve(stream, &name, port).await;
    }
}

/// Reads the target of a client.
async fn request(stream: &mut TcpStream) -> io::Result<(IpAddr, u16)> {
    let unusable = || io::Error::from(io::ErrorKind::InvalidData);
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await?;
    if greeting[0] != VERSION || !methods.contains(&NO_AUTHENTICATION) {
        return Err(unusable());
    }
    stream.write_all(&[VERSION, NO_AUTHENTICATION]).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    if head[..2] != [VERSION, CONNECT] || head[3] != IPV4 {
        reply(stream, NOT_ALLOWED).await?;
        return Err(unusable());
    }
    let mut address = [0; 4];
    stream.read_exact(&mut address).await?;
    let port = stream.read_u16().await?;
    Ok((IpAddr::V4(Ipv4Addr::from(address)), port))
}

async fn reply(stream: &mut TcpStream, code: u8) -> io::Result<()> {
    stream
        .write_all(&[VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0])
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Limits;
    use crate::egress::{Denial, Egress, Grant, SystemResolver, TrustRoots};

    fn gate() -> Gate {
        let grants = vec![Grant::package("*.example.com").unwrap()];
        let egress = Egress::new(grants, TrustRoots::public(), Arc::new(SystemResolver));
        Gate::new(Arc::new(egress), &Limits::default())
    }

    async fn lookup(proxy: &Proxy, labels: &[&str]) -> Vec<u8> {
        let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, 1, 0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&query, proxy.dns).await.unwrap();
        let mut answer = vec![0; 512];
        let length = socket.recv(&mut answer).await.unwrap();
        answer.truncate(length);
        answer
    }

    async fn connect(proxy: &Proxy, address: [u8; 4], port: u16, say: &[u8]) -> (u8, Vec<u8>) {
        let mut stream = TcpStream::connect(proxy.socks).await.unwrap();
        stream.write_all(&[5, 1, 0, 5, 1, 0, 1]).await.unwrap();
        stream.write_all(&address).await.unwrap();
        stream.write_u16(port).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        drop(stream.write_all(say).await);
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
        (answer[3], rest)
    }

    #[tokio::test]
    async fn only_a_name_that_was_looked_up_and_is_granted_is_served() {
        let gate = gate();
        let proxy = Proxy::start(&gate).await.unwrap();
        assert_eq!(lookup(&proxy, &["evil", "example", "net"]).await[3], 0x83);
        let answer = lookup(&proxy, &["app", "example", "com"]).await;
        assert_eq!(answer[answer.len() - 4..], [198, 18, 0, 1]);
        assert_eq!(connect(&proxy, [127, 0, 0, 1], 443, b"").await.0, NOT_ALLOWED);
        assert_eq!(connect(&proxy, [198, 18, 0, 1], 80, b"").await.0, NOT_ALLOWED);
        let (code, rest) = connect(&proxy, [198, 18, 0, 1], 443, b"GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!((code, rest.len()), (SUCCEEDED, 0));
        assert_eq!(
            gate.take_denials(),
            [
                Denial::new("evil.example.net", None, Reason::NotGranted),
                Denial::new("127.0.0.1", Some(443), Reason::IpLiteral),
                Denial::new("app.example.com", Some(80), Reason::Port),
                Denial::new("app.example.com", Some(443), Reason::NotTls),
            ]
        );
    }
}
