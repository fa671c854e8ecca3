//! The private keys that sign our tokens.
//!
//! Source: RFC 7515 §5.1, RFC 7517 §4, RFC 7518 §6, RFC 5958 (PKCS#8).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Algorithm;
use crate::encoding::base64url;

/// A private key with the name under which its public half is published.
///
/// The key is kept parsed: parsing an RSA key costs more than a signature.
///
/// ```
/// use genkan_protocol::jose::{self, Algorithm, JwkSet, SigningKey};
///
/// let (key, _pkcs8) = SigningKey::generate("snk_1".into(), Algorithm::Es256)?;
/// let token = key.sign("JWT", &serde_json::json!({ "sub": "usr_1" }))?;
///
/// let published = JwkSet::from_signing_keys([&key]);
/// let verified = jose::verify(&token, &published, &["ES256"]).unwrap();
/// assert_eq!(verified.claims["sub"], "usr_1");
/// # Ok::<(), genkan_protocol::jose::KeyError>(())
/// ```
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// Why a key cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library could not make a key.
    #[error("a signing key could not be generated")]
    Generate,
    /// The bytes are not a PKCS#8 private key of this algorithm, or it is too weak.
    #[error("the bytes are not a private key for {0}")]
    Rejected(Algorithm),
    /// The cryptographic library could not sign.
    #[error("the token could not be signed")]
    Sign,
    /// The claims are not a JSON object.
    #[error("the claims are not a JSON object")]
    Claims(#[source] Option<serde_json::Error>),
}

impl SigningKey {
    /// Makes a new key, and the PKCS#8 document to be sealed and stored.
    ///
    /// RSA keys have 2048 bits: the SDKs verify every token, and the keys rotate.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generate`] if the cryptographic library fails.
    pub fn generate(kid: String, algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), KeyError> {
        let (pair, pkcs8) = match algorithm {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
                let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError::Generate)?;
                let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
                (Pair::Rsa(pair), pkcs8)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| KeyError::Generate)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
                let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
                (Pair::P256(pair), pkcs8)
            }
        };
        Ok((Self { kid, pair }, pkcs8))
    }

    /// Reads a key from the PKCS#8 document of [`SigningKey::generate`].
    ///
    /// # Errors
    ///
    /// [`KeyError::Rejected`] if the document is of another algorithm, damaged,
    /// or an RSA key of fewer than 2048 bits (RFC 7518 §3.3).
    pub fn from_pkcs8(kid: String, algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let rejected = || KeyError::Rejected(algorithm);
        let pair = match algorithm {
            // The library refuses RSA keys of fewer than 2048 bits.
            Algorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(der).map_err(|_| rejected())?),
            Algorithm::Es256 => Pair::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| rejected())?,
            ),
        };
        Ok(Self { kid, pair })
    }

    /// The name under which the public key is published.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::Rs256,
            Pair::P256(_) => Algorithm::Es256,
        }
    }

    /// The public key as an entry of the key set at `/keys`.
    ///
    /// Source: RFC 7517 §4, RFC 7518 §6.2.1 (`x`, `y`) and §6.3.1 (`n`, `e`).
    pub fn public_jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({
                    "use": "sig",
                    "kty": "RSA",
                    "kid": self.kid,
                    "alg": Algorithm::Rs256,
                    "n": base64url(n.big_endian_without_leading_zero()),
                    "e": base64url(e.big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => {
                // SEC 1 §2.3.3: 0x04, then x and y, each of the length of the field.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({
                    "use": "sig",
                    "kty": "EC",
                    "kid": self.kid,
                    "alg": Algorithm::Es256,
                    "crv": "P-256",
                    "x": base64url(x),
                    "y": base64url(y),
                })
            }
        }
    }

    /// Signs claims into a token in the compact serialization (RFC 7515 §7.1).
    ///
    /// `typ` goes into the header: `JWT`, or a type of its own if a token of one kind
    /// must not pass for another (RFC 8725 §3.11).
    ///
    /// # Errors
    ///
    /// [`KeyError::Claims`] if the claims do not serialize to a JSON object,
    /// [`KeyError::Sign`] if the cryptographic library fails.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = Header {
            alg: self.algorithm(),
            kid: &self.kid,
            typ,
        };
        let header = serde_json::to_vec(&header).map_err(|source| KeyError::Claims(Some(source)))?;
        let claims = serde_json::to_vec(claims).map_err(|source| KeyError::Claims(Some(source)))?;
        // RFC 7519 §3: the claims are a JSON object.
        if claims.first() != Some(&b'{') {
            return Err(KeyError::Claims(None));
        }
        let mut token = format!("{}.{}", base64url(&header), base64url(&claims));
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }
}

/// RFC 7515 §4.1: the three parameters that our tokens have.
#[derive(Serialize)]
struct Header<'a> {
    alg: Algorithm,
    kid: &'a str,
    typ: &'a str,
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
            Self::P256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// Shows the name of the key and nothing of its content.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
