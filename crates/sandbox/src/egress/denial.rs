//! Refused attempts, and the list of them for a call.

use std::fmt;
use std::net::IpAddr;

use parking_lot::Mutex;

/// An attempt that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Denial {
    /// The host that the plugin asked for, cut to a readable length and without control characters.
    pub host: String,
    pub port: Option<u16>,
    pub reason: Reason,
}

impl Denial {
    /// A denial of a host as the plugin wrote it.
    pub fn new(host: &str, port: Option<u16>, reason: Reason) -> Self {
        Self {
            host: shown(host),
            port,
            reason,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why an attempt was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    #[error("the host is not granted")]
    NotGranted,
    #[error("the port is not granted")]
    Port,
    #[error("plain HTTP is never allowed")]
    PlainHttp,
    #[error("an address in place of a name")]
    IpLiteral,
    #[error("not a host name")]
    BadName,
    #[error("the name resolves to {0}, which is not a public address")]
    NotPublic(IpAddr),
    #[error("the name does not resolve")]
    Dns,
    #[error("TLS asks for another name")]
    TlsName,
    #[error("the server's certificate is not valid for the name")]
    Certificate,
    #[error("not TLS")]
    NotTls,
    #[error("the answer sends the plugin to another host")]
    Redirect,
    #[error("too many connections at once")]
    Connections,
    #[error("too many bytes")]
    Bytes,
    #[error("this protocol is not allowed")]
    Protocol,
}

/// The refused attempts of one call: each once, and at most [`Denials::MOST`].
#[derive(Debug, Default)]
pub struct Denials(Mutex<Vec<Denial>>);

impl Denials {
    /// How many different attempts are remembered. More would say nothing new about
    /// the plugin.
    pub const MOST: usize = 64;

    /// Remembers an attempt unless the same is there already.
    pub fn record(&self, denial: Denial) {
        let mut list = self.0.lock();
        if list.len() < Self::MOST && !list.contains(&denial) {
            tracing::debug!(host = denial.host, port = denial.port, reason = %denial.reason, "denied");
            list.push(denial);
        }
    }

    /// The attempts in the order they were made; the list is empty afterwards.
    pub fn take(&self) -> Vec<Denial> {
        std::mem::take(&mut self.0.lock())
    }
}

/// A text of unknown origin for a message: short, printable ASCII.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut out: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_has_nothing_twice() {
        let denials = Denials::default();
        for i in 0..1000 {
            denials.record(Denial::new(
                &format!("h{}.example", i / 2),
                Some(443),
                Reason::NotGranted,
            ));
        }
        let list = denials.take();
        assert_eq!(list.len(), Denials::MOST);
        assert_eq!(list[0].to_string(), "h0.example:443: the host is not granted");
        assert_eq!(list[1].host, "h1.example");
        assert!(denials.take().is_empty());
    }

    #[test]
    fn a_denied_host_cannot_write_on_the_terminal() {
        let denial = Denial::new(
            &format!("a\x1b[2J\n\u{202e}{}", "x".repeat(500)),
            None,
            Reason::BadName,
        );
        assert!(
            denial.host.bytes().all(|b| b.is_ascii_graphic()),
            "{}",
            denial.host
        );
        assert!(denial.host.len() <= 103);
    }
}
