//! The mail server: its address, and how the connection is protected.

use std::fmt;

use genkan_protocol::EmailAddress;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::setting::{Setting, single};
use super::url::{unescaped, without_password};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte (RFC 8314 §3.3).
    Tls,
    /// TLS after a greeting without TLS. The server must offer it (RFC 3207).
    StartTls,
    /// No TLS: on this machine, or in a network that the operator trusts.
    Plain,
}

/// `smtps://user:password@host:465` or `smtp://user:password@host:587`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl(Url);

impl SmtpUrl {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "Write \"smtps://user:password@smtp.example.com\", or smtp:// for a server that \
                               begins in the clear and demands STARTTLS.";
        let url = Url::parse(text).map_err(|_| EXAMPLE.to_owned())?;
        let has_rest = !matches!(url.path(), "" | "/") || url.fragment().is_some();
        let host = url.host_str().unwrap_or_default();
        if !matches!(url.scheme(), "smtps" | "smtp") || host.is_empty() || has_rest {
            return Err(EXAMPLE.to_owned());
        }
        if !matches!(url.query(), None | Some("tls=none" | "tls=starttls")) {
            return Err("After the ? only tls=none or tls=starttls can stand.".to_owned());
        }
        if url.query().is_some() && url.scheme() == "smtps" {
            return Err("Write smtp:// before a ?tls=…; smtps:// is TLS from the first byte.".to_owned());
        }
        if (url.password().is_some()) && url.username().is_empty() {
            return Err("Write the user before the password: smtps://user:password@host.".to_owned());
        }
        let url = Self(url);
        if url.security() == SmtpSecurity::Plain && url.user().is_some() && !url.is_loopback() {
            return Err("Leave tls=none out: the password would cross the network in the clear.".to_owned());
        }
        Ok(url)
    }

    /// A name, or an address without brackets.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, by default the protocol's own.
    pub fn port(&self) -> u16 {
        self.0.port().unwrap_or(match self.security() {
            SmtpSecurity::Tls => 465,
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Plain => 25,
        })
    }

    pub fn security(&self) -> SmtpSecurity {
        match self.0.scheme() {
            "smtps" => SmtpSecurity::Tls,
            _ => match self.0.query() {
                Some("tls=none") => SmtpSecurity::Plain,
                None if self.is_loopback() => SmtpSecurity::Plain,
                _ => SmtpSecurity::StartTls,
            },
        }
    }

    /// The user name, unescaped.
    pub fn user(&self) -> Option<String> {
        let user = Some(self.0.username()).filter(|user| !user.is_empty())?;
        Some(unescaped(user))
    }

    /// The password, unescaped.
    pub fn password(&self) -> Option<Zeroizing<String>> {
        self.0
            .password()
            .map(|password| Zeroizing::new(unescaped(password)))
    }

    fn is_loopback(&self) -> bool {
        match Host::parse(self.0.host_str().unwrap_or_default()) {
            Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Ok(Host::Ipv4(address)) => address.is_loopback(),
            Ok(Host::Ipv6(address)) => address.is_loopback(),
            Err(_) => false,
        }
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(self.0.as_str()))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Setting for SmtpUrl {
    const EXPECTED: &'static str = "the address of a mail server";

    fn parse(items: &[String]) -> Result<Self, String> {
        Self::parse(single(items))
    }

    fn redact(item: &str) -> String {
        without_password(item)
    }
}

impl Setting for EmailAddress {
    const EXPECTED: &'static str = "an e-mail address";

    fn parse(items: &[String]) -> Result<Self, String> {
        Self::parse(single(items))
            .map_err(|error| format!("Write one such as \"login@example.com\": {error}."))
    }
}

/// The name of a sender beside their address: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderName(String);

impl SenderName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for SenderName {
    const EXPECTED: &'static str = "a name";

    fn parse(items: &[String]) -> Result<Self, String> {
        let name = single(items).trim();
        let is_one_line =
            !name.is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
        is_one_line
            .then(|| Self(name.to_owned()))
            .ok_or_else(|| "Write 1 to 100 characters on one line.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SmtpUrl {
        SmtpUrl::parse(text).unwrap()
    }

    #[test]
    fn the_scheme_says_how_the_way_is_protected() {
        for (text, security, port) in [
            ("smtps://mail.example.com", SmtpSecurity::Tls, 465),
            ("smtp://mail.example.com", SmtpSecurity::StartTls, 587),
            ("smtp://mail.example.com:2525", SmtpSecurity::StartTls, 2525),
            ("smtp://relay.internal:25?tls=none", SmtpSecurity::Plain, 25),
            ("smtp://localhost:1025", SmtpSecurity::Plain, 1025),
            ("smtp://[::1]", SmtpSecurity::Plain, 25),
            ("smtp://localhost?tls=starttls", SmtpSecurity::StartTls, 587),
            ("smtps://localhost", SmtpSecurity::Tls, 465),
        ] {
            let url = parse(text);
            assert_eq!((url.security(), url.port()), (security, port), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_unescaped() {
        for (text, user, password) in [
            ("smtps://ada:s3cret@h", "ada", Some("s3cret")),
            (
                "smtps://ada%40example.com:p%3A%2F%40%25@h",
                "ada@example.com",
                Some("p:/@%"),
            ),
            ("smtps://a+b:c+d%20e=f&g@h", "a+b", Some("c+d e=f&g")),
            ("smtps://apikey@h", "apikey", None),
        ] {
            let url = parse(text);
            assert_eq!(url.user().as_deref(), Some(user), "{text}");
            assert_eq!(
                url.password().as_ref().map(|text| text.as_str()),
                password,
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_never_crosses_a_network_in_the_clear() {
        assert!(SmtpUrl::parse("smtp://u:p@relay.internal?tls=none").is_err());
        assert!(SmtpUrl::parse("smtp://u:p@localhost").is_ok());
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for text in [
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtp:mail",
            "smtps://h/path",
            "smtps://h?tls=none",
            "smtp://h?tls=opportunistic",
            "smtps://:p@h",
            "smtps://h#x",
        ] {
            assert!(SmtpUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let url = parse("smtps://ada:s3cret@mail.example.com");
        let shown = format!(
            "{url} {url:?} {}",
            SmtpUrl::redact("smtps://ada:s3cret@mail.example.com")
        );
        assert!(
            shown.contains("smtps://ada:***@mail.example.com") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
