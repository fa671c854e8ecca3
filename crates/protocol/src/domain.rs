//! Domain names of organizations.
//!
//! Source: RFC 1034 §3.5, RFC 5890 §2.3 (A-labels), RFC 5321 §4.5.3.1.2.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Host;

/// A domain name in the form that routing compares: lower case, internationalized
/// labels as A-labels (`xn--…`), no final dot.
///
/// Two domains are equal when their texts are. A sub-domain is another domain.
///
/// ```
/// use genkan_protocol::Domain;
///
/// assert_eq!(Domain::parse("Bücher.Example").unwrap().as_str(), "xn--bcher-kva.example");
/// assert!(Domain::parse("localhost").is_err());
/// assert!(Domain::parse("127.0.0.1").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a text is not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Fewer than 4 characters, or more than 253.
    #[error("a domain name has 4 to 253 characters")]
    Length,
    /// An IP address is not a domain of mail addresses.
    #[error("an IP address is not a domain name")]
    Address,
    /// Only one label, as in `localhost`.
    #[error("a domain name has a dot, such as example.com")]
    NoDot,
    /// Characters or labels that no domain name has.
    #[error("the labels of a domain name are letters, digits and hyphens, at most 63 of them")]
    Syntax,
}

impl Domain {
    /// Parses and normalizes a domain name.
    ///
    /// # Errors
    ///
    /// A [`DomainError`] that says what a domain name looks like.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        // The host parser of the WHATWG decodes percent-escapes first. An attacker
        // could use them to spell another organization's domain.
        if text.contains('%') {
            return Err(DomainError::Syntax);
        }
        // U-labels may be longer than the A-labels they become, but not by this much.
        if text.len() > 1024 {
            return Err(DomainError::Length);
        }
        let ascii = match Host::parse(text) {
            Ok(Host::Domain(ascii)) => ascii,
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(DomainError::Address),
            Err(_) => return Err(DomainError::Syntax),
        };
        if !(4..=253).contains(&ascii.len()) {
            return Err(DomainError::Length);
        }
        if !ascii.split('.').all(is_ldh_label) {
            return Err(DomainError::Syntax);
        }
        if !ascii.contains('.') {
            return Err(DomainError::NoDot);
        }
        Ok(Self(ascii))
    }

    /// Parses a domain name that somebody else sends, who may want it to be taken for another.
    ///
    /// # Errors
    ///
    /// As [`Domain::parse`], and [`DomainError::Syntax`] if a letter beyond ASCII becomes an ASCII letter, a dot
    /// or nothing (UTS #46 §4): `ａcme.test` would be `acme.test`.
    pub(crate) fn parse_as_written(text: &str) -> Result<Self, DomainError> {
        let is_another = |c: char| match Host::parse(&format!("a{c}.test")) {
            Ok(Host::Domain(alone)) => !alone.starts_with("xn--"),
            // Some letters stand beside their own kind only: the whole name decides.
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => false,
        };
        if text.chars().any(|c| !c.is_ascii() && is_another(c)) {
            return Err(DomainError::Syntax);
        }
        Self::parse(text)
    }

    /// The normalized text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 1034 §3.5 with RFC 1123 §2.1: letters, digits and inner hyphens.
pub(crate) fn is_ldh_label(label: &str) -> bool {
    let ldh = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    matches!(label.len(), 1..=63)
        && label.bytes().all(ldh)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;

    fn try_from(text: String) -> Result<Self, DomainError> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_domain_has_one_text() {
        for (text, domain) in [
            ("example.com", "example.com"),
            ("EXAMPLE.Com", "example.com"),
            ("a.co", "a.co"),
            ("3m.example", "3m.example"),
            ("玄関.example", "xn--dckm7dm.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("example。com", "example.com"),
            ("ｅｘａｍｐｌｅ.com", "example.com"),
        ] {
            let parsed = Domain::parse(text);
            if text.starts_with('玄') {
                assert!(parsed.unwrap().as_str().starts_with("xn--"));
            } else {
                assert_eq!(parsed.unwrap().as_str(), domain, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        use DomainError as Error;
        let long_label = format!("{}.example", "a".repeat(64));
        let long = format!("{}example", "abcdefgh.".repeat(28));
        for (text, error) in [
            ("", Error::Syntax),
            ("a.b", Error::Length),
            ("com", Error::Length),
            ("localhost", Error::NoDot),
            ("invalid-domain-name", Error::NoDot),
            ("127.0.0.1", Error::Address),
            ("0x7f.1", Error::Address),
            ("2130706433", Error::Address),
            ("[::1]", Error::Address),
            ("example.com.", Error::Syntax),
            (".example.com", Error::Syntax),
            ("example..com", Error::Syntax),
            ("-example.com", Error::Syntax),
            ("example-.com", Error::Syntax),
            ("exam_ple.com", Error::Syntax),
            ("exam ple.com", Error::Syntax),
            ("example.com/", Error::Syntax),
            ("example.com:443", Error::Syntax),
            ("user@example.com", Error::Syntax),
            ("*.example.com", Error::Syntax),
            ("ex%61mple.com", Error::Syntax),
            ("example.com\0", Error::Syntax),
            ("example.com\n", Error::Syntax),
            ("evil.example／.example.com", Error::Syntax),
            ("xn--a.example", Error::Syntax),
            (&long_label, Error::Syntax),
            (&long, Error::Length),
            (&"a".repeat(2000), Error::Length),
        ] {
            assert_eq!(Domain::parse(text), Err(error), "{text}");
        }
    }
}
