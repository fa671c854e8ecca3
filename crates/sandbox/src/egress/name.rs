//! Host names and host patterns, and texts that only look like one.
//!
//! Source: RFC 1123 §2.1 for names; WHATWG URL "ends in a number" for texts that a
//! resolver or a URL parser would take for an address.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::denial::{Reason, shown};

/// A host that may be reached, as manifests write it: a name, or `*.` and a
/// suffix for exactly one label more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    wildcard: bool,
    /// Lowercase, without `*.`.
    name: String,
}

/// Why a text is no host pattern. The message is for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl HostPattern {
    /// Reads `api.example.com` or `*.example.com`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong: `**`, a `*` elsewhere, a wildcard
    /// over a whole top-level domain, an address, a name of one label, a name
    /// in another script than ASCII.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::parse_operator(text)?;
        if pattern.name.contains('.') {
            return Ok(pattern);
        }
        Err(PatternError(format!(
            "`{}` has one label only; such names are local ones, which only an operator can grant",
            shown(text)
        )))
    }

    /// Like [`HostPattern::parse`], but takes names of one label (`localhost`), too.
    pub(crate) fn parse_operator(text: &str) -> Result<Self, PatternError> {
        let lower = text.trim().to_ascii_lowercase();
        let (wildcard, name) = match lower.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, lower.as_str()),
        };
        let refuse = |why: &str| Err(PatternError(format!("`{}` {why}", shown(text))));
        if lower.starts_with("**") {
            return refuse("covers any depth of subdomains; write `*.` for exactly one label");
        }
        if name.contains('*') || lower == "*" {
            return refuse(
                "has a `*` where none may be; it stands only for the first label, as in `*.example.com`",
            );
        }
        if name.contains("://") || name.contains('/') {
            return refuse("is a URL; write the host alone, as in `api.example.com`");
        }
        if !text.is_ascii() {
            return refuse("is not ASCII; write an international name in its `xn--` form");
        }
        match check_name(name) {
            Ok(()) => {}
            Err(Reason::IpLiteral) => return refuse("is an address; only names can be granted"),
            Err(_) => return refuse("is not a host name"),
        }
        if wildcard && !name.contains('.') {
            return refuse("would cover a whole top-level domain; name at least two labels after `*.`");
        }
        if wildcard && suffix(name) == Some(psl::Type::Icann) {
            return refuse("would cover every name that is sold under this suffix; name the owner’s, too");
        }
        Ok(Self {
            wildcard,
            name: name.to_owned(),
        })
    }

    /// Whether the wildcard covers names of unrelated people, such as those under
    /// `github.io`. Shops and sites of a plugin's own users may have such names, so
    /// it is no mistake.
    pub fn covers_strangers(&self) -> bool {
        self.wildcard && suffix(&self.name).is_some()
    }

    /// Whether the pattern covers a name, which [`normalize`] returned.
    pub fn matches(&self, host: &str) -> bool {
        if !self.wildcard {
            return host == self.name;
        }
        host.strip_suffix(&self.name)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }

    /// Whether the pattern begins with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The name, or the suffix after `*.`; lowercase.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        f.write_str(&self.name)
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

/// What kind of public suffix a lowercase name is, if it is one.
///
/// Source: the Public Suffix List, <https://publicsuffix.org>.
fn suffix(name: &str) -> Option<psl::Type> {
    let suffix = psl::suffix(name.as_bytes())?;
    (suffix.as_bytes().len() == name.len())
        .then(|| suffix.typ())
        .flatten()
}

/// The lowercase form of a host that a plugin asks for.
///
/// # Errors
///
/// [`Reason::IpLiteral`] for an address in any form that a resolver takes,
/// [`Reason::BadName`] for a text that is no ASCII host name, such as one with a
/// trailing dot.
pub fn normalize(host: &str) -> Result<String, Reason> {
    let lower = host.to_ascii_lowercase();
    check_name(&lower)?;
    Ok(lower)
}

/// Whether a lowercase text is a host name.
fn check_name(name: &str) -> Result<(), Reason> {
    if is_address(name) {
        return Err(Reason::IpLiteral);
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(Reason::BadName);
    }
    Ok(())
}

/// Whether a URL parser or `inet_aton` would take a lowercase text for an
/// address: `127.1`, `2130706433`, `0177.0.0.1`, `0x7f.1`, `[::1]`, `::1%lo`.
fn is_address(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches([']', '.']);
    let without_zone = bare.split('%').next().unwrap_or_default();
    if without_zone.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    let last = bare.rsplit('.').next().unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_hex = |text: &str| {
        text.strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    is_number(last) || is_hex(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wildcard_is_exactly_one_label() {
        let pattern = HostPattern::parse("*.ScaleKit.com").unwrap();
        assert_eq!(pattern.to_string(), "*.scalekit.com");
        assert!(pattern.matches("foo.scalekit.com"));
        for other in [
            "scalekit.com",
            "a.b.scalekit.com",
            ".scalekit.com",
            "fooscalekit.com",
            "foo.scalekit.com.evil.com",
            "evil-scalekit.com",
        ] {
            assert!(!pattern.matches(other), "{other}");
        }
    }

    #[test]
    fn a_wildcard_over_names_of_strangers_is_known() {
        let covers = |text: &str| HostPattern::parse(text).unwrap().covers_strangers();
        for text in [
            "*.github.io",
            "*.myshopify.com",
            "*.s3.amazonaws.com",
            "*.workers.dev",
        ] {
            assert!(covers(text), "{text}");
        }
        for text in [
            "*.scalekit.com",
            "*.acme.co.uk",
            "*.acme.github.io",
            "acme.github.io",
            "*.acme.test",
        ] {
            assert!(!covers(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_only_itself() {
        let pattern = HostPattern::parse("api.example.com").unwrap();
        assert!(pattern.matches("api.example.com"));
        assert!(!pattern.matches("x.api.example.com"));
        assert!(!pattern.matches("example.com"));
    }

    #[test]
    fn what_is_too_wide_or_no_name_is_refused_with_a_sentence() {
        for (text, part) in [
            ("**.example.com", "any depth"),
            ("*", "where none may be"),
            ("*.*.com", "where none may be"),
            ("a*.example.com", "where none may be"),
            ("a.*.example.com", "where none may be"),
            ("*.com", "top-level domain"),
            ("*.co.uk", "sold under this suffix"),
            ("*.Com.AU", "sold under this suffix"),
            ("*.k12.ca.us", "sold under this suffix"),
            ("localhost", "one label"),
            ("https://example.com", "URL"),
            ("bücher.example", "xn--"),
            ("127.0.0.1", "address"),
            ("*.0.0.1", "address"),
            ("[::1]", "address"),
            ("example.com.", "not a host name"),
            ("example..com", "not a host name"),
            ("-a.example.com", "not a host name"),
            ("example.com:443", "not a host name"),
            ("user@example.com", "not a host name"),
            ("", "not a host name"),
        ] {
            let error = HostPattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(HostPattern::parse("xn--bcher-kva.example").is_ok());
        assert!(HostPattern::parse_operator("localhost").is_ok());
    }

    #[test]
    fn an_address_is_known_in_every_form() {
        for text in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0177.0.0.1",
            "017700000001",
            "0x7f000001",
            "0x7f.0.0.1",
            "0X7F.1",
            "127.0.0.1.",
            "127.0.0.1..",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]",
            "::ffff:7f00:1",
            "fe80::1%eth0",
            "[fe80::1%25eth0]",
            "a.b.1",
            "x.0x",
        ] {
            assert_eq!(normalize(text), Err(Reason::IpLiteral), "{text}");
        }
        for text in [
            "a b.example",
            "a@b.example",
            "a.example:80",
            "a.example/",
            "a.example\0",
            "ａ.example",
            "a..example",
            "a.example.",
            "a_b.example",
        ] {
            assert_eq!(normalize(text), Err(Reason::BadName), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_pattern_reads_itself(text in ".{0,80}") {
            if let Ok(pattern) = HostPattern::parse(&text) {
                prop_assert_eq!(HostPattern::parse(&pattern.to_string()).unwrap(), pattern);
            }
            let _ = normalize(&text);
        }

        #[test]
        fn an_ipv4_address_is_never_a_name(address: u32) {
            let ip = std::net::Ipv4Addr::from(address);
            for text in [ip.to_string(), address.to_string(), format!("{address:#x}"), format!("0{address:o}")] {
                prop_assert_eq!(normalize(&text), Err(Reason::IpLiteral));
            }
        }

        #[test]
        fn a_wildcard_matches_one_label_more_and_nothing_else(label in "[a-z0-9]{1,10}", deeper in "[a-z]{1,5}") {
            let pattern = HostPattern::parse("*.example.com").unwrap();
            let one = format!("{label}.example.com");
            let two = format!("{deeper}.{label}.example.com");
            prop_assert!(pattern.matches(&one));
            prop_assert!(!pattern.matches(&two));
        }
    }
}
