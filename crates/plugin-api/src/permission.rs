//! The hosts that a plugin may reach, and the values that it gets.

use serde::{Deserialize, Serialize};

use crate::json::Object;
use crate::text::{Invalid, checked_text};

/// What a plugin asks for. Only listed things are allowed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Permissions {
    /// Hosts that may be reached, on port 443.
    #[serde(default)]
    pub network: Vec<HostPattern>,
    /// Values of its environment.
    #[serde(default)]
    pub env: Vec<EnvVar>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// One value of a plugin's environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Its name.
    pub key: EnvKey,
    /// Whether the plugin cannot work without it. Absent means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Whether it must be hidden. Absent means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    /// What to enter, for the person who is asked.
    #[serde(default)]
    pub description: String,
    /// Where the value goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Inject>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

impl EnvVar {
    /// Whether the plugin cannot work without it.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(true)
    }

    /// Whether it is hidden when it is typed.
    pub fn is_secret(&self) -> bool {
        self.secret.unwrap_or(true)
    }
}

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inject {
    /// Into the plugin's environment.
    Box,
    /// Into requests as they leave the sandbox: the plugin sees a placeholder.
    Egress,
}

/// The name of an environment value: `A`-`Z`, `0`-`9` and `_`, up to 64 characters.
///
/// ```
/// use openneko_plugin::permission::EnvKey;
///
/// assert!(EnvKey::parse("SCALEKIT_CLIENT_ID").is_ok());
/// assert!(EnvKey::parse("PATH=/tmp").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvKey(String);

checked_text!(EnvKey);

impl EnvKey {
    fn check(text: &str) -> Result<(), Invalid> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
        if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
            return Ok(());
        }
        Err(Invalid::new(
            "environment key",
            text,
            "it must be UPPER_SNAKE_CASE, 64 characters at most",
        ))
    }
}

/// A host as a package writes it, such as `*.scalekit.com`.
///
/// This is the syntax of the file format, in lower case. It is wider than the
/// grants of a sandbox: `**`, `*.com` and `localhost` are well-formed here, and a
/// sandbox refuses them.
///
/// ```
/// use openneko_plugin::permission::HostPattern;
///
/// assert_eq!(HostPattern::parse("*.Scalekit.com")?.as_str(), "*.scalekit.com");
/// assert!(HostPattern::parse("https://scalekit.com").is_err());
/// assert!(HostPattern::parse("scalekit.com:8443").is_err());
/// # Ok::<(), openneko_plugin::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(String);

crate::text::text_impls!(HostPattern);

impl HostPattern {
    /// Checks the form of `text`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] for a port, a scheme, a path, an underscore, or anything
    /// else that is not part of a host name or a `*`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let lower = text.to_ascii_lowercase();
        let at_the_ends = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'*';
        let inside = |b: u8| at_the_ends(b) || b == b'-' || b == b'.';
        let bytes = lower.as_bytes();
        let well_formed = match bytes {
            [first, middle @ .., last] => {
                at_the_ends(*first) && at_the_ends(*last) && middle.iter().copied().all(inside)
            }
            _ => false,
        };
        if well_formed && bytes.len() <= 253 {
            return Ok(Self(lower));
        }
        Err(Invalid::new(
            "host",
            text,
            "a host name, which may begin with *. and has no port, scheme or path",
        ))
    }

    /// The pattern in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-512 of a package's tarball, written `sha512-` and base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Integrity(String);

checked_text!(Integrity);

impl Integrity {
    fn check(text: &str) -> Result<(), Invalid> {
        let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        match text.strip_prefix("sha512-") {
            Some(rest) if !rest.is_empty() && rest.len() <= 512 && rest.bytes().all(base64) => Ok(()),
            _ => Err(Invalid::new("integrity", text, "sha512- and base64")),
        }
    }

    /// The integrity of a computed digest.
    ///
    /// ```
    /// use openneko_plugin::permission::Integrity;
    ///
    /// let integrity = Integrity::of_digest(&[0xA5; 64]);
    /// assert_eq!(integrity.digest(), Some([0xA5; 64]));
    /// assert_eq!(Integrity::parse("sha512-unknown")?.digest(), None);
    /// # Ok::<(), openneko_plugin::Invalid>(())
    /// ```
    pub fn of_digest(digest: &[u8; 64]) -> Self {
        Self(format!("sha512-{}", crate::base64::encode(digest)))
    }

    /// The digest, if the text holds one: old hosts wrote `sha512-unknown` for
    /// packages that nobody had verified.
    pub fn digest(&self) -> Option<[u8; 64]> {
        crate::base64::decode(self.0.strip_prefix("sha512-")?)?
            .try_into()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_the_pattern_of_the_catalog() {
        for host in [
            "**",
            "*.com",
            "*.*",
            "*x*",
            "a..b",
            "a-.com",
            "localhost",
            "169.254.169.254",
            "1.1",
            "*.scalekit.com",
            "A.B",
        ] {
            assert!(HostPattern::parse(host).is_ok(), "{host}");
        }
        for host in [
            "",
            "*",
            "a",
            "a.com:443",
            "https://a.com",
            "a.com/x",
            "a_b.com",
            "-a.com",
            "a.com.",
            ".a.com",
            "a.com\n",
            "a b",
            "ä.com",
            "[::1]",
        ] {
            assert!(HostPattern::parse(host).is_err(), "{host}");
        }
        assert!(HostPattern::parse(&"a".repeat(254)).is_err());
    }

    #[test]
    fn environment_keys_are_upper_snake_case() {
        for key in ["A", "A1_B", "SCALEKIT_ENVIRONMENT_URL"] {
            assert!(EnvKey::parse(key).is_ok(), "{key}");
        }
        for key in ["", "a", "1A", "_A", "A-B", "A=B", "A\n", "A\0", "Ä"] {
            assert!(EnvKey::parse(key).is_err(), "{key}");
        }
        assert!(EnvKey::parse(&"A".repeat(65)).is_err());
    }

    #[test]
    fn an_integrity_that_is_no_digest_has_none() {
        for text in ["sha512-unknown", "sha512-AAAA", "sha512-=", "sha512-A==="] {
            assert_eq!(Integrity::parse(text).unwrap().digest(), None, "{text}");
        }
        for text in [
            "sha512-",
            "sha256-AAAA",
            "SHA512-AAAA",
            "sha512-a b",
            "sha512-a_b",
            "AAAA",
        ] {
            assert!(Integrity::parse(text).is_err(), "{text}");
        }
        // 64 bytes leave four bits over, which must be zero.
        let spoiled = Integrity::of_digest(&[0; 64]).as_str().replace("A==", "B==");
        assert_eq!(Integrity::parse(&spoiled).unwrap().digest(), None);
    }
}
