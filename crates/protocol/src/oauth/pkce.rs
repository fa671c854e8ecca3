//! Proof Key for Code Exchange: the code is worthless without the verifier.
//!
//! Source: RFC 7636, RFC 9700 §2.1.1. Only `S256`: with `plain` the challenge,
//! which stands in the browser's history, is the verifier (RFC 9700 §2.1.1).

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::encoding::{base64url, from_base64url};

/// The hash of a verifier, as the client sends it with its request.
///
/// ```
/// use genkan_protocol::oauth::{CodeChallenge, CodeVerifier};
///
/// // RFC 7636 appendix B.
/// let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
/// let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
/// assert!(challenge.verify(&verifier));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeChallenge(String);

/// The secret that the client keeps until it redeems the code.
#[derive(Clone)]
pub struct CodeVerifier(Zeroizing<String>);

/// Why a challenge or verifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// RFC 7636 §4.2.
    #[error("the code_challenge must be the 43 characters of a SHA-256 hash in base64url")]
    Challenge,
    /// RFC 7636 §4.1.
    #[error("the code_verifier must be 43 to 128 characters of A-Z a-z 0-9 - . _ ~")]
    Verifier,
}

impl CodeChallenge {
    /// Parses a challenge of the method `S256`.
    ///
    /// # Errors
    ///
    /// [`PkceError::Challenge`] if it is not base64url of 32 octets (RFC 7636 §4.2).
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        let is_hash = from_base64url(text).is_some_and(|hash| hash.len() == 32);
        is_hash.then(|| Self(text.to_owned())).ok_or(PkceError::Challenge)
    }

    /// Whether the challenge was made of this verifier, in constant time (RFC 7636 §4.6).
    pub fn verify(&self, verifier: &CodeVerifier) -> bool {
        let computed = verifier.challenge();
        constant_time::verify_slices_are_equal(computed.0.as_bytes(), self.0.as_bytes()).is_ok()
    }

    /// The 43 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CodeVerifier {
    /// Parses a verifier.
    ///
    /// # Errors
    ///
    /// [`PkceError::Verifier`] if it is not 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        let unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        let fits = (43..=128).contains(&text.len()) && text.bytes().all(unreserved);
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
            .ok_or(PkceError::Verifier)
    }

    /// Makes the verifier of a request of ours, from random octets (RFC 7636 §4.1).
    pub fn from_random(octets: [u8; 32]) -> Self {
        let octets = Zeroizing::new(octets);
        Self(Zeroizing::new(base64url(octets.as_slice())))
    }

    /// The challenge of the method `S256` (RFC 7636 §4.2).
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(base64url(
            digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref(),
        ))
    }

    /// The verifier itself, to be sent to the token endpoint or sealed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CodeChallenge {
    type Error = PkceError;

    fn try_from(text: String) -> Result<Self, PkceError> {
        Self::parse(&text)
    }
}

impl From<CodeChallenge> for String {
    fn from(challenge: CodeChallenge) -> Self {
        challenge.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_standard_verifies() {
        // RFC 7636 appendix B.
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = CodeVerifier::from_random(octets);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            verifier.challenge().as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn the_challenge_is_not_its_own_verifier() {
        // The downgrade to `plain`: presenting the challenge itself.
        let challenge = CodeVerifier::from_random([7; 32]).challenge();
        assert!(!challenge.verify(&CodeVerifier::parse(challenge.as_str()).unwrap()));
    }

    #[test]
    fn lengths_and_alphabets_are_those_of_the_standard() {
        for good in [
            "a".repeat(43),
            "~".repeat(128),
            format!("-._~{}", "Z9".repeat(20)),
        ] {
            assert!(CodeVerifier::parse(&good).is_ok(), "{good}");
        }
        for bad in [
            "".to_owned(),
            "a".repeat(42),
            "a".repeat(129),
            format!("{}+", "a".repeat(43)),
            format!("{}é", "a".repeat(43)),
            format!("{} ", "a".repeat(43)),
        ] {
            assert_eq!(
                CodeVerifier::parse(&bad).unwrap_err(),
                PkceError::Verifier,
                "{bad}"
            );
        }
        let good = CodeVerifier::from_random([1; 32]).challenge().to_string();
        for bad in [
            "".to_owned(),
            good[1..].to_owned(),
            format!("{good}="),
            format!("{good}A"),
            good.replace(&good[..1], "+"),
            format!("{}B", &good[..42]),
        ] {
            assert_eq!(CodeChallenge::parse(&bad), Err(PkceError::Challenge), "{bad}");
        }
    }

    #[test]
    fn a_verifier_stays_out_of_logs() {
        assert_eq!(
            format!("{:?}", CodeVerifier::from_random([1; 32])),
            "CodeVerifier(…)"
        );
    }
}
