//! Signature algorithms: the two we sign with and those we verify.
//!
//! Source: RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};
use serde::{Deserialize, Serialize};

/// An algorithm that Genkan signs with.
///
/// ```
/// use genkan_protocol::jose::Algorithm;
///
/// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
/// assert_eq!(Algorithm::Rs256.to_string(), "RS256");
/// assert!("none".parse::<Algorithm>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: the default, the only one that every SDK verifies.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256: small tokens, some fifteen times faster to sign.
    #[serde(rename = "ES256")]
    Es256,
}

/// An algorithm that Genkan verifies: what identity providers sign with.
///
/// There is no `none` and no `HS256` to choose, so no token can choose it
/// (RFC 8725 §3.1 and §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones of RFC 7518 §3.1")]
pub enum SignatureAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// Ed25519 under its old name (RFC 8037 §3.1) or its new one (RFC 9864 §2.2).
    EdDsa,
}

/// The name of an algorithm that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature algorithm is not supported")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// The registered name (RFC 7518 §3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            _ => Err(UnknownAlgorithm),
        }
    }
}

/// The type of key that an algorithm needs (RFC 7518 §3.1, "kty").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl SignatureAlgorithm {
    pub(super) const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The registered name (RFC 7518 §3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) const fn key_type(self) -> KeyType {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyType::Rsa,
            Self::Es256 => KeyType::P256,
            Self::Es384 => KeyType::P384,
            Self::EdDsa => KeyType::Ed25519,
        }
    }

    /// The parameters for an RSA key. RFC 7518 §3.3: at least 2048 bits.
    pub(super) fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }

    /// The verifier for a key on a curve. RFC 7518 §3.4: the signature is the
    /// two numbers side by side, not DER.
    pub(super) fn curve(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Some(&signature::ED25519),
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => None,
        }
    }

    /// The hash inside the algorithm: what `at_hash` and `c_hash` use (OIDC
    /// Core §3.1.3.6). Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::EdDsa => &digest::SHA512,
        }
    }
}

impl From<Algorithm> for SignatureAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256 => Self::Rs256,
            Algorithm::Es256 => Self::Es256,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    /// Names are case-sensitive (RFC 7515 §4.1.1): `NONE`, `rs256` and friends
    /// are unknown.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        // RFC 9864 §2.2 gives Ed25519 a name of its own.
        if name == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnknownAlgorithm)
    }
}
