//! Proofs: how a person shows who they are, and what a session stores about it.
//!
//! Source: RFC 8176 §2 (the words of `amr`), OIDC Core §2 (`amr`, `auth_time`). `docs/decisions/proof.md`
//! says what each proof may open.

use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};

use crate::row::Columns;
use crate::{ConnectionId, CredentialId, DirectoryId, Error, Timestamp, UserId};

/// How a person shows who they are.
///
/// The variants have no field in common, so serde distinguishes them by their fields. The first variant was
/// always stored like this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Proof {
    /// The provider of a connection knows them.
    Connection {
        connection_id: ConnectionId,
        /// The provider's permanent identifier of the person.
        subject: String,
    },
    /// They have read the mail of this address, because they know the code or the link in it.
    Email { address: EmailAddress },
    /// They have the passkey that this user registered.
    Passkey {
        credential_id: CredentialId,
        user_id: UserId,
    },
    /// A directory says that they are its people. No browser is involved.
    Directory { directory_id: DirectoryId },
}

impl Proof {
    /// The connection that they came through.
    pub const fn connection_id(&self) -> Option<&ConnectionId> {
        match self {
            Self::Connection { connection_id, .. } => Some(connection_id),
            Self::Email { .. } | Self::Passkey { .. } | Self::Directory { .. } => None,
        }
    }

    /// The provider's identifier of the person.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Connection { subject, .. } => Some(subject),
            Self::Email { .. } | Self::Passkey { .. } | Self::Directory { .. } => None,
        }
    }
}

/// A method of a proof, as a session stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// At the provider of a connection.
    Connection,
    /// By a code or a link that was mailed.
    Mail,
    Passkey {
        /// The key cannot leave its authenticator (Web Authentication Level 3 §6.1.3, BE).
        device_bound: bool,
        /// The authenticator verified the person, by a PIN or a finger (§6.1, UV).
        user_verified: bool,
    },
}

/// A passkey with a verified user counts as two factors.
const MULTIPLE_FACTORS: &str = "mfa";

impl Method {
    /// The word of RFC 8176 §2. A connection has none: what a provider says about its own methods is not
    /// repeated.
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::Connection => None,
            Self::Mail => Some("otp"),
            Self::Passkey {
                device_bound: true, ..
            } => Some("hwk"),
            Self::Passkey {
                device_bound: false, ..
            } => Some("swk"),
        }
    }

    const fn has_multiple_factors(self) -> bool {
        matches!(
            self,
            Self::Passkey {
                user_verified: true,
                ..
            }
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct ProofRecord {
    #[serde(flatten)]
    method: Method,
    /// The time of the proof. `None` if the provider does not say it, so the age of the proof is unknown.
    at: Option<Timestamp>,
}

/// The proofs of one sign-in, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proofs(Vec<ProofRecord>);

impl Proofs {
    pub fn one(method: Method, at: Option<Timestamp>) -> Self {
        Self(vec![ProofRecord { method, at }])
    }

    /// The stored form of a proof that was given at `at`. Of a passkey it assumes the weakest kind. A
    /// directory starts no session.
    pub fn of(proof: &Proof, at: Option<Timestamp>) -> Self {
        match proof {
            Proof::Connection { .. } => Self::one(Method::Connection, at),
            Proof::Email { .. } => Self::one(Method::Mail, at),
            Proof::Passkey { .. } => {
                let method = Method::Passkey {
                    device_bound: false,
                    user_verified: false,
                };
                Self::one(method, at)
            }
            Proof::Directory { .. } => Self::default(),
        }
    }

    /// When the person signed in (`auth_time`): the time of the first proof. A further proof does not say
    /// who they are, so it does not make the sign-in newer.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.0.first().and_then(|proved| proved.at)
    }

    /// The words of `amr` besides the connection. Each word comes once. If there were several factors,
    /// `mfa` comes last.
    pub fn words(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        for word in self.0.iter().filter_map(|proved| proved.method.word()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if self.0.iter().any(|proved| proved.method.has_multiple_factors()) {
            words.push(MULTIPLE_FACTORS);
        }
        words
    }

    /// The proofs as they count at `now`. If a provider's clock is ahead of ours, the proof is no newer
    /// than the arrival.
    pub(crate) fn arrived_at(&self, now: Timestamp) -> Self {
        let arrived = |proved: &ProofRecord| ProofRecord {
            at: proved.at.map(|at| at.min(now)),
            ..*proved
        };
        Self(self.0.iter().map(arrived).collect())
    }

    /// Reads the columns `proofs` and `auth_time`. A row from before there was a list has one proof, by its
    /// connection.
    pub(crate) fn read(
        columns: &mut Columns<'_>,
        column: &'static str,
        connection_id: Option<&ConnectionId>,
    ) -> Result<Self, Error> {
        let (listed, auth_time) = (columns.optional_json(column)?, columns.optional_time()?);
        Ok(match (listed, connection_id) {
            (Some(listed), _) => listed,
            (None, Some(_)) => Self::one(Method::Connection, auth_time),
            (None, None) => Self::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(method: Method, secs: i64) -> ProofRecord {
        ProofRecord {
            method,
            at: Some(Timestamp::from_secs(secs)),
        }
    }

    const fn passkey(device_bound: bool, user_verified: bool) -> Method {
        Method::Passkey {
            device_bound,
            user_verified,
        }
    }

    #[test]
    fn a_list_says_what_was_done_in_the_words_of_the_standard() {
        let cases: [(&[Method], &[&str]); 8] = [
            (&[], &[]),
            (&[Method::Connection], &[]),
            (&[Method::Mail], &["otp"]),
            (&[Method::Connection, Method::Mail], &["otp"]),
            (&[Method::Mail, Method::Mail], &["otp"]),
            // A touch alone is one factor.
            (&[passkey(true, false)], &["hwk"]),
            (&[passkey(false, true)], &["swk", "mfa"]),
            (&[passkey(true, true), Method::Mail], &["hwk", "otp", "mfa"]),
        ];
        for (methods, words) in cases {
            let list = Proofs(methods.iter().map(|method| at(*method, 1)).collect());
            assert_eq!(list.words(), words, "{methods:?}");
        }
    }

    #[test]
    fn the_time_of_the_first_proof_counts_and_does_not_lie_ahead() {
        let silent = Proofs::one(Method::Connection, None);
        assert_eq!((silent.auth_time(), Proofs::default().auth_time()), (None, None));
        let later = Proofs(vec![silent.0[0], at(Method::Mail, 20)]);
        assert_eq!(later.auth_time(), None, "nobody knows when they signed in");
        let list = Proofs(vec![
            at(Method::Connection, 10),
            at(Method::Mail, 20),
            silent.0[0],
        ]);
        assert_eq!(list.auth_time(), Some(Timestamp::from_secs(10)));
        let arrived = list.arrived_at(Timestamp::from_secs(5));
        assert_eq!(arrived.auth_time(), Some(Timestamp::from_secs(5)));
        assert_eq!(arrived.0[1], at(Method::Mail, 5));
    }

    #[test]
    fn a_list_is_stored_as_it_will_always_be_read() {
        let list = Proofs(vec![
            at(Method::Connection, 1),
            at(Method::Mail, 2),
            at(passkey(true, false), 3),
            ProofRecord {
                method: Method::Connection,
                at: None,
            },
        ]);
        let text = r#"[{"method":"connection","at":1000000},{"method":"mail","at":2000000},{"method":"passkey","device_bound":true,"user_verified":false,"at":3000000},{"method":"connection","at":null}]"#;
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        assert_eq!(serde_json::from_str::<Proofs>(text).unwrap(), list);
        // An unknown method proves nothing.
        assert!(serde_json::from_str::<Proofs>(r#"[{"method":"oracle","at":1}]"#).is_err());
    }

    #[test]
    fn a_proof_is_stored_as_it_will_always_be_read() {
        let cases = [
            (
                Proof::Connection {
                    connection_id: ConnectionId::parse("conn_000000000000000000001").unwrap(),
                    subject: "s".to_owned(),
                },
                r#"{"connection_id":"conn_000000000000000000001","subject":"s"}"#,
            ),
            (
                Proof::Email {
                    address: EmailAddress::parse("ada@acme.test").unwrap(),
                },
                r#"{"address":"ada@acme.test"}"#,
            ),
            (
                Proof::Passkey {
                    credential_id: CredentialId::parse("cred_000000000000000000001").unwrap(),
                    user_id: UserId::parse("usr_000000000000000000001").unwrap(),
                },
                r#"{"credential_id":"cred_000000000000000000001","user_id":"usr_000000000000000000001"}"#,
            ),
            (
                Proof::Directory {
                    directory_id: DirectoryId::parse("dir_000000000000000000001").unwrap(),
                },
                r#"{"directory_id":"dir_000000000000000000001"}"#,
            ),
        ];
        for (proof, text) in cases {
            assert_eq!(serde_json::to_string(&proof).unwrap(), text);
            assert_eq!(serde_json::from_str::<Proof>(text).unwrap(), proof);
        }
        for half in [
            r#"{"subject":"s"}"#,
            r#"{"user_id":"usr_000000000000000000001"}"#,
            "{}",
        ] {
            assert!(serde_json::from_str::<Proof>(half).is_err(), "{half}");
        }
    }
}
