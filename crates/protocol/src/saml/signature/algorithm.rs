//! The algorithms of signatures: our table, which no message can widen.
//!
//! Source: RFC 9231 §2.2, §2.3; XML-DSig §6.2, §6.4; SAML 2.0 Core §5.4.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, VerificationAlgorithm};

/// What a connection accepts beyond the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlgorithmPolicy {
    /// SHA-1, which can be made to collide. Only if a connection says so by name.
    pub sha1: bool,
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SignatureMethod {
    RsaSha1,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
}

/// The types of key that the table of algorithms knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
}

impl SignatureMethod {
    const ALL: [Self; 7] = [
        Self::RsaSha1,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
    ];

    /// Its identifier.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha1 => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
            Self::EcdsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        }
    }

    /// The method of an identifier, if this policy allows it. There is no entry for HMAC,
    /// so no public key can be taken for a secret.
    pub(super) fn find(uri: &str, policy: AlgorithmPolicy) -> Option<Self> {
        Self::ALL
            .into_iter()
            .filter(|method| policy.sha1 || *method != Self::RsaSha1)
            .find(|method| method.uri() == uri)
    }

    /// The verifier for a kind of key. RFC 9231 §2.3.6 takes the two numbers of ECDSA side by side.
    pub(super) fn verifier(self, key: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, key) {
            (Self::RsaSha1, KeyKind::Rsa) => Some(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            (Self::RsaSha256, KeyKind::Rsa) => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            (Self::RsaSha384, KeyKind::Rsa) => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Self::RsaSha512, KeyKind::Rsa) => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            (Self::EcdsaSha256, KeyKind::P256) => Some(&signature::ECDSA_P256_SHA256_FIXED),
            (Self::EcdsaSha384, KeyKind::P384) => Some(&signature::ECDSA_P384_SHA384_FIXED),
            (Self::EcdsaSha256, KeyKind::P521) => Some(&signature::ECDSA_P521_SHA256_FIXED),
            (Self::EcdsaSha384, KeyKind::P521) => Some(&signature::ECDSA_P521_SHA384_FIXED),
            (Self::EcdsaSha512, KeyKind::P521) => Some(&signature::ECDSA_P521_SHA512_FIXED),
            _ => None,
        }
    }
}

/// The digest of an identifier, if this policy allows it.
pub(super) fn find_digest(uri: &str, policy: AlgorithmPolicy) -> Option<&'static digest::Algorithm> {
    match uri {
        "http://www.w3.org/2000/09/xmldsig#sha1" if policy.sha1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        "http://www.w3.org/2001/04/xmlenc#sha256" => Some(&digest::SHA256),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Some(&digest::SHA384),
        "http://www.w3.org/2001/04/xmlenc#sha512" => Some(&digest::SHA512),
        _ => None,
    }
}
