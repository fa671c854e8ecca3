//! The proxy for outgoing calls, and the hosts that are called without it.

use std::fmt;
use std::net::IpAddr;

use genkan_net::Network;
use url::Url;
use zeroize::Zeroizing;

use super::setting::{Form, Setting, single};
use super::url::{unescaped, without_password};

/// `http://user:password@host:port`. The password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "Write \"http://proxy.example.com:3128\", with user:password@ before the host if the \
                               proxy wants them; percent-encode their special characters.";
        let url = Url::parse(text).map_err(|_| EXAMPLE.to_owned())?;
        if url.scheme().starts_with("socks") {
            return Err("Write an http:// proxy: SOCKS is not spoken.".to_owned());
        }
        let has_rest = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || has_rest {
            return Err(EXAMPLE.to_owned());
        }
        if url.password().is_some() && url.username().is_empty() {
            return Err("Write the user before the password: http://user:password@host:port.".to_owned());
        }
        Ok(Self(url))
    }

    /// Without user and password.
    pub fn address(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// A name, or an address without brackets, and the port.
    pub fn host_and_port(&self) -> (&str, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host, self.0.port_or_known_default().unwrap_or(80))
    }

    /// The same, if the proxy is called without TLS.
    pub fn plain_host_and_port(&self) -> Option<(&str, u16)> {
        (self.0.scheme() == "http").then(|| self.host_and_port())
    }

    /// The user and the password, unescaped.
    pub fn credentials(&self) -> Option<(String, Zeroizing<String>)> {
        let user = Some(self.0.username()).filter(|user| !user.is_empty())?;
        let password = self.0.password().unwrap_or_default();
        Some((unescaped(user), Zeroizing::new(unescaped(password))))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_password(self.0.as_str()).trim_end_matches('/'))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Setting for ProxyUrl {
    const EXPECTED: &'static str = "the address of a proxy";

    fn parse(items: &[String]) -> Result<Self, String> {
        Self::parse(single(items))
    }

    fn redact(item: &str) -> String {
        without_password(item)
    }
}

/// Hosts that are called without the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoProxy {
    /// A name and every name below it.
    Domain(String),
    /// An address, or a range of addresses. It applies only to hosts that are written as an address.
    Network(Network),
}

impl NoProxy {
    /// The names and addresses of the loopback interface.
    pub fn this_machine() -> impl Iterator<Item = Self> {
        ["localhost", "127.0.0.0/8", "::1"]
            .into_iter()
            .filter_map(Self::parse)
    }

    pub fn names_domain(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        match self {
            Self::Domain(domain) => name
                .strip_suffix(domain.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            Self::Network(_) => false,
        }
    }

    pub fn names_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(address))
    }

    fn parse(item: &str) -> Option<Self> {
        if let Ok(network) = item.parse() {
            return Some(Self::Network(network));
        }
        // Other programs write a leading dot or `*.` for sub-domains.
        let name = item.trim_start_matches("*.").trim_start_matches('.');
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
        };
        // The form in a URL: in lower case, other scripts encoded.
        let url = Url::parse(&format!("https://{name}")).ok()?;
        let host = url.host_str().filter(|_| is_name(name))?;
        Some(Self::Domain(host.to_owned()))
    }
}

impl Setting for Vec<NoProxy> {
    const FORM: Form = Form::List;
    const EXPECTED: &'static str = "a list of hosts";

    fn parse(items: &[String]) -> Result<Self, String> {
        let host = |item: &String| {
            NoProxy::parse(item).ok_or_else(|| {
                format!(
                    "Write \"{item}\" as a name such as \"corp.example.com\", which stands for the names below it too, \
                     an address, or a network such as \"10.0.0.0/8\"."
                )
            })
        };
        items.iter().map(host).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_proxy_is_never_shown() {
        let url = ProxyUrl::parse("http://svc:S3cr%40t@proxy.acme.test:3128").unwrap();
        let (user, password) = url.credentials().unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("svc", "S3cr@t"));
        assert_eq!(url.address(), "http://proxy.acme.test:3128");
        assert_eq!(url.host_and_port(), ("proxy.acme.test", 3128));
        for shown in [
            format!("{url}"),
            format!("{url:?}"),
            ProxyUrl::redact("http://svc:S3cr@t@proxy.acme.test:3128"),
            ProxyUrl::redact("http://svc:S3cr/t@proxy.acme.test:3128"),
        ] {
            assert!(!shown.contains("S3cr"), "{shown}");
            assert!(shown.contains("proxy.acme.test"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_what_to_write() {
        for wrong in [
            "proxy.acme.test:3128",
            "ftp://proxy.acme.test",
            "http://proxy.acme.test/path",
            "http://proxy.acme.test?x",
            "http://:secret@proxy.acme.test",
            "http://user:pa/ss@proxy.acme.test",
            "socks5://proxy.acme.test:1080",
        ] {
            let remedy = ProxyUrl::parse(wrong).unwrap_err();
            assert!(remedy.starts_with("Write "), "{wrong}: {remedy}");
            assert!(
                !remedy.contains("secret") && !remedy.contains("pa/ss"),
                "{remedy}"
            );
        }
    }

    #[test]
    fn a_name_without_the_proxy_stands_for_the_names_below_it() {
        let names = |item: &str, host: &str| NoProxy::parse(item).unwrap().names_domain(host);
        for item in ["corp.example", ".corp.example", "*.corp.example", "CORP.example"] {
            assert!(names(item, "corp.example"), "{item}");
            assert!(names(item, "idp.corp.example"), "{item}");
            assert!(names(item, "idp.corp.example."), "{item}");
            assert!(!names(item, "notcorp.example"), "{item}");
            assert!(!names(item, "corp.example.evil.test"), "{item}");
        }
        let network = NoProxy::parse("10.0.0.0/8").unwrap();
        assert!(network.names_address("10.1.2.3".parse().unwrap()));
        assert!(!network.names_address("11.1.2.3".parse().unwrap()));
        assert!(!network.names_domain("10.1.2.3.example"));
        for wrong in ["https://corp.example", "corp.example/x", "", "*", "corp example"] {
            assert_eq!(NoProxy::parse(wrong), None, "{wrong}");
        }
    }
}
