//! Identifiers: a prefix for the kind, and 21 decimal digits that sort by time.
//!
//! See `docs/decisions/identifiers.md`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use genkan_protocol::Timestamp;

/// The longest identifier that is read, in bytes. Validators of the SDKs stop at 32 as well.
pub const MAX_LEN: usize = 32;

const DIGITS: usize = 21;
const NODE_BITS: u32 = 15;
const SEQUENCE_BITS: u32 = 12;

/// A text is not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier that starts with {expected}")]
pub struct ParseIdError {
    expected: &'static str,
}

/// A kind of identifier.
pub trait Id: Sized {
    /// The prefixes that are accepted. New identifiers get the first.
    const PREFIXES: &'static [&'static str];

    /// Parses an identifier: a prefix and digits, at most [`MAX_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// [`ParseIdError`] if the text is anything else.
    fn parse(text: &str) -> Result<Self, ParseIdError>;

    /// The identifier as text.
    fn as_str(&self) -> &str;
}

fn is_well_formed(text: &str, prefixes: &[&str]) -> bool {
    let are_digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_LEN
        && prefixes
            .iter()
            .any(|prefix| text.strip_prefix(prefix).is_some_and(are_digits))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $first:literal $(| $other:literal)*;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses an identifier: its prefix and digits, at most [`MAX_LEN`] bytes.
            ///
            /// # Errors
            ///
            /// [`ParseIdError`] if the text is anything else.
            pub fn parse(text: &str) -> Result<Self, ParseIdError> {
                if is_well_formed(text, Self::PREFIXES) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseIdError { expected: Self::PREFIXES[0] })
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            const PREFIXES: &'static [&'static str] = &[$first $(, $other)*];

            fn parse(text: &str) -> Result<Self, ParseIdError> {
                Self::parse(text)
            }

            fn as_str(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl<'a> From<&'a $name> for genkan_db::Value<'a> {
            fn from(id: &'a $name) -> Self {
                Self::Text(&id.0)
            }
        }
    )*};
}

ids! {
    /// The environment: one instance of Genkan.
    EnvironmentId "env_";
    /// A signing key: the `kid` of a token.
    KeyId "snk_";
    /// A client. The prefix shows people its kind. The store reads the kind from the row.
    ClientId "skc_" | "prd_skc_" | "webc_" | "spac_" | "ntvc_" | "m2m_" | "m2morg_";
    /// A secret of a client (its name, not its value).
    SecretId "sks_";
    OrganizationId "org_";
    DomainId "dom_";
    ConnectionId "conn_";
    /// A permission to come with another subject.
    RelinkPermissionId "rlk_";
    RoleId "role_";
    PermissionId "perm_";
    UserId "usr_";
    /// A login in progress.
    InteractionId "lri_";
    /// A signed-in browser: the `sid` of a token.
    SessionId "ses_";
    /// A running process.
    NodeId "node_";
    GrantId "grt_";
    EventId "evt_";
    /// The trace of a failed login, as its error page names it.
    TraceId "err_";
    ConnectionTestId "test_";
    /// An access token: its `jti`.
    TokenId "tkn_";
    BackChannelLogoutId "bcl_";
    /// A mail that waits for its delivery.
    MailId "mail_";
    /// A passkey.
    CredentialId "cred_";
    /// A way into the admin portal (its name, not its address).
    PortalLinkId "lnk_";
    /// A certificate of a SAML provider.
    CertificateId "cer_";
    /// A directory: a company's source of people and groups.
    DirectoryId "dir_";
    DirectorySecretId "sec_";
    DirectoryUserId "diruser_";
    DirectoryGroupId "dirgroup_";
    /// An opaque token of an organization or a user (its name, not its value).
    ApiTokenId "apit_";
    /// A server for which tokens are requested.
    ResourceId "res_";
}

/// Makes identifiers that are unique across nodes and sort by time.
///
/// Within a process they always increase. If the clock steps back, or if a millisecond has used up its
/// 4,096 numbers, the generator runs ahead of the clock.
#[derive(Debug)]
pub struct Generator {
    node: u16,
    /// Milliseconds and sequence of the last identifier, as one number.
    last: AtomicU64,
}

impl Generator {
    /// A generator with a random node number.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn random() -> Self {
        let mut node = [0; 2];
        aws_lc_rs::rand::fill(&mut node).expect("the operating system has randomness");
        Self::with_node(u16::from_le_bytes(node))
    }

    /// A generator with this node number, of which 15 bits are used.
    pub const fn with_node(node: u16) -> Self {
        Self {
            node: node & ((1 << NODE_BITS) - 1),
            last: AtomicU64::new(0),
        }
    }

    /// The next identifier of kind `I`, with the first of its prefixes.
    pub fn next<I: Id>(&self, now: Timestamp) -> I {
        self.next_with_prefix(I::PREFIXES[0], now)
    }

    /// The next identifier of kind `I`, with one of its prefixes.
    ///
    /// # Panics
    ///
    /// If `prefix` is none of `I::PREFIXES`.
    pub fn next_with_prefix<I: Id>(&self, prefix: &str, now: Timestamp) -> I {
        let number = self.next_number(now);
        I::parse(&format!("{prefix}{number:0DIGITS$}"))
            .expect("the prefix belongs to this kind of identifier")
    }

    /// 42 bits of milliseconds since 1970, 15 of node, 12 of sequence.
    fn next_number(&self, now: Timestamp) -> u128 {
        let millis = u64::try_from(now.as_micros().div_euclid(1000)).unwrap_or(0) & ((1 << 42) - 1);
        let at_least = millis << SEQUENCE_BITS;
        let step = |last: u64| at_least.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(step(last)))
            .expect("the update always gives a number");
        let number = step(last);
        let (millis, sequence) = (number >> SEQUENCE_BITS, number & ((1 << SEQUENCE_BITS) - 1));
        (u128::from(millis) << (NODE_BITS + SEQUENCE_BITS))
            | (u128::from(self.node) << SEQUENCE_BITS)
            | u128::from(sequence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    #[test]
    fn an_identifier_is_its_prefix_and_21_digits() {
        let ids = Generator::with_node(7);
        let user: UserId = ids.next(NOW);
        assert_eq!(user.as_str(), "usr_240920821760000028672");
        // Validators of the SDKs require user ids of 19 to 25 characters.
        assert_eq!(user.as_str().len(), 25);
        assert_eq!(UserId::parse(user.as_str()), Ok(user));
    }

    #[test]
    fn the_first_and_the_last_moment_have_21_digits() {
        let first: UserId = Generator::with_node(0).next(Timestamp::from_secs(0));
        assert_eq!(first.as_str(), "usr_000000000000000000001");
        let last_milli = Timestamp::from_micros(((1 << 42) - 1) * 1000);
        let last: UserId = Generator::with_node(u16::MAX).next(last_milli);
        assert_eq!(last.as_str().len(), 25);
        assert!(last > first);
    }

    #[test]
    fn identifiers_sort_by_time_across_nodes() {
        let (one, other) = (Generator::with_node(9), Generator::with_node(1));
        let earlier: UserId = one.next(NOW);
        let later: UserId = other.next(NOW + std::time::Duration::from_millis(1));
        assert!(earlier < later);
    }

    #[test]
    fn a_clock_that_steps_back_does_not() {
        let ids = Generator::with_node(3);
        let before: UserId = ids.next(NOW);
        let after: UserId = ids.next(NOW - std::time::Duration::from_secs(3600));
        assert!(before < after);
    }

    #[test]
    fn one_millisecond_gives_more_than_its_share() {
        let ids = Generator::with_node(3);
        let made: HashSet<UserId> = (0..10_000).map(|_| ids.next(NOW)).collect();
        assert_eq!(made.len(), 10_000);
    }

    #[test]
    fn threads_never_get_the_same_identifier() {
        let ids = Generator::with_node(3);
        let made: Vec<UserId> = std::thread::scope(|scope| {
            let work: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..5_000).map(|_| ids.next(NOW)).collect::<Vec<_>>()))
                .collect();
            work.into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn only_a_prefix_and_digits_are_read() {
        for text in ["usr_1", "usr_1234567890123456789", "usr_240920821760000028672"] {
            assert_eq!(UserId::parse(text).unwrap().to_string(), text);
        }
        let too_long = format!("usr_{}", "1".repeat(29));
        for text in [
            "", "usr_", "usr_1a", "org_1", "usr_１", "usr_-1", "usr_+1", " usr_1", "usr_1\n", "USR_1",
            &too_long,
        ] {
            assert!(UserId::parse(text).is_err(), "{text:?}");
        }
        assert!(serde_json::from_str::<UserId>("\"org_1\"").is_err());
        assert!(ClientId::parse("prd_skc_240920821760000028672").is_ok());
    }

    #[test]
    fn a_client_is_named_by_its_kind() {
        let id: ClientId = Generator::with_node(0).next_with_prefix("spac_", NOW);
        assert!(id.as_str().starts_with("spac_"));
    }
}
