//! What a plugin may reach: one decision for every engine.
//!
//! The name must be granted. The port, the name in TLS and the resolved addresses
//! are checked. The connection goes to the very address that was checked, so
//! another answer of DNS changes nothing.
//!
//! [`Egress`] belongs to a plugin, [`Gate`] to one call of it: the gate counts
//! bytes and connections, and remembers refusals.

mod budget;
mod denial;
mod gate;
mod name;
mod resolver;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use genkan_net::{is_private, is_public};
use rustls::ClientConfig;

pub use budget::Connection;
#[cfg(feature = "jail")]
pub(crate) use denial::shown;
pub use denial::{Denial, Denials, Reason};
pub use gate::{DialError, Gate};
pub use name::{HostPattern, PatternError, normalize};
pub use resolver::{Resolver, SystemResolver};
pub use tls::{Hello, TrustError, TrustRoots, is_certificate_error};

/// The port of HTTPS: the only one that packages can ask for.
pub const HTTPS: u16 = 443;

/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// More addresses than any honest name has.
const MOST_ADDRESSES: usize = 64;

/// One host pattern and how it may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub host: HostPattern,
    /// 443, unless an operator named another.
    pub port: u16,
    /// Whether the name may resolve to a private address: only an operator grants that.
    pub allow_private: bool,
}

impl Grant {
    /// A host of a package's `permissions`: a host pattern, port 443.
    ///
    /// # Errors
    ///
    /// See [`HostPattern::parse`].
    pub fn package(host: &str) -> Result<Self, PatternError> {
        Ok(Self {
            host: HostPattern::parse(host)?,
            port: HTTPS,
            allow_private: false,
        })
    }

    /// A host that an operator grants: a host pattern, and optionally `:port`.
    ///
    /// A name of one label, such as `localhost`, needs `allow_private`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the text.
    pub fn operator(text: &str, allow_private: bool) -> Result<Self, PatternError> {
        let (host, port) = match text.trim().rsplit_once(':') {
            Some((host, port)) if !host.contains([':', '[']) => (host, parse_port(port)?),
            _ => (text, HTTPS),
        };
        let host = if allow_private {
            HostPattern::parse_operator(host)?
        } else {
            HostPattern::parse(host)?
        };
        Ok(Self {
            host,
            port,
            allow_private,
        })
    }

    /// Whether a name may have this address.
    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || (self.allow_private && is_private(address))
    }
}

/// Digits only: `u16::from_str` takes `+443`, too.
fn parse_port(text: &str) -> Result<u16, PatternError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(PatternError::new(format!(
            "`{}` is not a port; write a number from 1 to 65535",
            denial::shown(text)
        ))),
    }
}

/// The grants of one plugin, with the roots and the resolver to reach them.
#[derive(Debug, Clone)]
pub struct Egress {
    grants: Vec<Grant>,
    resolver: Arc<dyn Resolver>,
    tls: Arc<ClientConfig>,
}

impl Egress {
    /// Only `grants` may be reached, and over TLS only servers for which `roots` vouch.
    pub fn new(grants: Vec<Grant>, roots: TrustRoots, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            grants,
            resolver,
            tls: roots.client_config(),
        }
    }

    /// Everything that is granted.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// How to speak TLS to granted hosts: HTTP/1.1, the roots of [`Egress::new`].
    pub fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// Finds the grant that covers a host and port, in any spelling of the host.
    ///
    /// # Errors
    ///
    /// Why it is refused: no name, not granted, or granted with another port.
    pub fn check(&self, host: &str, port: u16) -> Result<&Grant, Denial> {
        let deny = |reason| Denial::new(host, Some(port), reason);
        let name = normalize(host).map_err(deny)?;
        let mut reason = Reason::NotGranted;
        let mut found: Option<&Grant> = None;
        for grant in self.grants.iter().filter(|grant| grant.host.matches(&name)) {
            reason = Reason::Port;
            // A host may be granted twice; then the operator's grant counts.
            if grant.port == port && found.is_none_or(|found| !found.allow_private) {
                found = Some(grant);
            }
        }
        found.ok_or_else(|| deny(reason))
    }

    /// The name in lowercase, if it is granted with any port. DNS answers need it.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn check_name(&self, host: &str) -> Result<String, Denial> {
        let name = normalize(host).map_err(|reason| Denial::new(host, None, reason))?;
        if self.grants.iter().any(|grant| grant.host.matches(&name)) {
            return Ok(name);
        }
        Err(Denial::new(host, None, Reason::NotGranted))
    }

    /// Resolves a granted name, once.
    ///
    /// # Errors
    ///
    /// [`Reason::Dns`] without an answer in time; [`Reason::NotPublic`] if any of
    /// the addresses is not allowed. An honest name has none of these, and if we
    /// picked the good ones, an attacker could choose the moment.
    pub async fn resolve(&self, grant: &Grant, host: &str) -> Result<Vec<IpAddr>, Denial> {
        let deny = |reason| Denial::new(host, Some(grant.port), reason);
        let name = normalize(host).map_err(deny)?;
        let answer = tokio::time::timeout(RESOLVE_TIMEOUT, self.resolver.resolve(&name)).await;
        let Ok(Ok(mut addresses)) = answer else {
            return Err(deny(Reason::Dns));
        };
        if addresses.is_empty() || addresses.len() > MOST_ADDRESSES {
            return Err(deny(Reason::Dns));
        }
        if let Some(&address) = addresses.iter().find(|&&address| !grant.allows(address)) {
            return Err(deny(Reason::NotPublic(address)));
        }
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(grants: Vec<Grant>) -> Egress {
        Egress::new(grants, TrustRoots::public(), Arc::new(SystemResolver))
    }

    #[test]
    fn a_package_has_port_443_and_an_operator_any() {
        let grants = vec![
            Grant::package("*.scalekit.com").unwrap(),
            Grant::operator("auth.acme.com:8443", false).unwrap(),
            Grant::operator("localhost:9000", true).unwrap(),
        ];
        let egress = egress(grants);
        assert!(egress.check("Foo.Scalekit.com", 443).is_ok());
        assert!(egress.check("auth.acme.com", 8443).is_ok());
        assert!(egress.check("localhost", 9000).unwrap().allow_private);
        let reason = |host, port| egress.check(host, port).unwrap_err().reason;
        assert_eq!(reason("foo.scalekit.com", 80), Reason::Port);
        assert_eq!(reason("auth.acme.com", 443), Reason::Port);
        assert_eq!(reason("scalekit.com", 443), Reason::NotGranted);
        assert_eq!(reason("2130706433", 443), Reason::IpLiteral);
        assert_eq!(reason("user@foo.scalekit.com", 443), Reason::BadName);
        assert_eq!(egress.check_name("AUTH.acme.com").unwrap(), "auth.acme.com");
        assert_eq!(
            egress.check_name("data.evil.com").unwrap_err().reason,
            Reason::NotGranted
        );
    }

    #[test]
    fn what_an_operator_adds_to_a_granted_host_counts() {
        let grants = vec![
            Grant::package("auth.acme.com").unwrap(),
            Grant::operator("auth.acme.com", true).unwrap(),
            Grant::package("*.acme.com").unwrap(),
        ];
        assert!(egress(grants).check("auth.acme.com", 443).unwrap().allow_private);
    }

    #[test]
    fn a_grant_that_makes_no_sense_is_refused() {
        for text in [
            "a.example:0",
            "a.example:65536",
            "a.example:+443",
            "a.example:",
            "a.example:x",
            "[::1]:443",
            "::1",
            "localhost",
            "127.0.0.1:80",
        ] {
            assert!(Grant::operator(text, false).is_err(), "{text}");
        }
        assert!(Grant::operator("127.0.0.1:80", true).is_err());
        assert_eq!(Grant::operator("a.example", false).unwrap().port, HTTPS);
    }
}
