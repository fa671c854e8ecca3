//! What a plugin may reach: one decision for every engine.
//!
//! A name is granted or it is not; the port, the name in TLS and the resolved
//! addresses are checked, and the connection goes to the very address that
//! was checked, so that a name cannot be bound anew in between.

use std::net::IpAddr;

/// A host that may be reached, as manifests write it: a name, or `*.` and a
/// suffix for exactly one label more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    pub(crate) wildcard: bool,
    /// Lowercase, without `*.`.
    pub(crate) name: String,
}

/// One host pattern and how it may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub host: HostPattern,
    /// 443, unless an operator named another.
    pub port: u16,
    /// Whether the name may resolve to a private address: only an operator grants that.
    pub allow_private: bool,
}

/// The grants of one plugin, with what is needed to reach them.
#[derive(Debug)]
pub struct Egress {
    pub(crate) grants: Vec<Grant>,
}

/// An attempt that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What the plugin asked for, cut to a readable length and without control characters.
    pub host: String,
    pub port: Option<u16>,
    pub reason: Reason,
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
