//! Sets of public keys: our own, and what identity providers publish.
//!
//! Source: RFC 7517 §5, RFC 7518 §6, RFC 8037 §2.

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::KeyType;
use super::{SignatureAlgorithm, SigningKey};
use crate::encoding::from_base64url;

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The most keys that are read. Large providers publish some ten.
const MAX_KEYS: usize = 100;

/// The longest `kid` that is kept, in bytes.
pub(super) const MAX_KID_BYTES: usize = 512;

/// Public keys to verify with.
///
/// Unusable keys are left out, and the set remembers the reason. So a trace can say
/// why a signature had no key (RFC 7517 §5: unknown kinds of keys are to be ignored).
///
/// ```
/// use genkan_protocol::jose::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys":[{"kty":"oct","kid":"shared","k":"c2VjcmV0"}]}"#).unwrap();
/// assert!(!set.contains("shared"));
/// assert_eq!(set.ignored()[0].reason, "the key type is not RSA, EC or OKP");
/// ```
#[derive(Debug, Clone)]
pub struct JwkSet {
    keys: Vec<Key>,
    ignored: Vec<IgnoredKey>,
}

/// A key of the document that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredKey {
    /// Its name, if it has one that can be shown.
    pub kid: Option<String>,
    /// Why, in words for the owner of the key.
    pub reason: &'static str,
}

/// Why a document is not a key set.
#[derive(Debug, thiserror::Error)]
pub enum JwkSetError {
    /// More than 256 KiB.
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// More than 100 keys.
    #[error("the key set has more than 100 keys")]
    TooManyKeys,
    /// Not a JSON object with an array `keys`.
    #[error("the key set is not a JSON object with an array \"keys\"")]
    Syntax(#[source] serde_json::Error),
}

/// A public key, parsed once for each algorithm that it may be used with.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    verifiers: Vec<(SignatureAlgorithm, ParsedPublicKey)>,
}

impl JwkSet {
    /// Reads a JWK Set document.
    ///
    /// # Errors
    ///
    /// A [`JwkSetError`] if the document is not a key set. A single bad key is
    /// not an error: see [`JwkSet::ignored`].
    pub fn parse(document: &[u8]) -> Result<Self, JwkSetError> {
        if document.len() > MAX_BYTES {
            return Err(JwkSetError::TooLarge);
        }
        let document: Document = crate::json::read(document).map_err(JwkSetError::Syntax)?;
        if document.keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let mut set = Self {
            keys: Vec::new(),
            ignored: Vec::new(),
        };
        for jwk in document.keys {
            set.add(jwk);
        }
        Ok(set)
    }

    /// The set of our own public keys, to verify what we signed.
    pub fn from_signing_keys<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        let mut set = Self {
            keys: Vec::new(),
            ignored: Vec::new(),
        };
        for key in keys {
            set.add(key.public_jwk());
        }
        set
    }

    /// Whether a usable key has this name.
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that are not used, and why.
    pub fn ignored(&self) -> &[IgnoredKey] {
        &self.ignored
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    fn add(&mut self, jwk: Value) {
        let kid = jwk
            .get("kid")
            .and_then(Value::as_str)
            .filter(|kid| kid.len() <= MAX_KID_BYTES);
        let kid = kid.map(crate::trace::printable);
        match serde_json::from_value::<Jwk>(jwk)
            .map_err(|_| "a member has the wrong type")
            .and_then(Key::read)
        {
            Ok(key) => self.keys.push(key),
            Err(reason) => self.ignored.push(IgnoredKey { kid, reason }),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a JWK that matter here (RFC 7517 §4, RFC 7518 §6).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<Value>,
}

impl Key {
    /// The parsed key for an algorithm, if the key fits it and may be used for it.
    pub(super) fn verifier(&self, algorithm: SignatureAlgorithm) -> Option<&ParsedPublicKey> {
        self.verifiers
            .iter()
            .find(|(fits, _)| *fits == algorithm)
            .map(|(_, key)| key)
    }

    fn read(jwk: Jwk) -> Result<Self, &'static str> {
        // RFC 7517 §4.2: keys for encryption stand in the same document.
        if jwk.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
            return Err("the key is not for signatures (\"use\")");
        }
        // RFC 7517 §4.3.
        if jwk
            .key_ops
            .as_ref()
            .is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
        {
            return Err("the key is not for verifying (\"key_ops\")");
        }
        // If the private half is published, anybody can sign with the key.
        if jwk.d.is_some() {
            return Err("the private key is published with it");
        }
        if jwk.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err("the \"kid\" is too long");
        }
        let key_type = jwk.key_type()?;
        // RFC 8725 §3.1: a key is used with the algorithm that it was made for.
        let declared = match &jwk.alg {
            Some(alg) => {
                let alg = alg
                    .parse::<SignatureAlgorithm>()
                    .map_err(|_| "the algorithm is not supported (\"alg\")")?;
                if alg.key_type() != key_type {
                    return Err("the algorithm does not fit the key type (\"alg\")");
                }
                Some(alg)
            }
            None => None,
        };
        let mut verifiers = Vec::new();
        for algorithm in SignatureAlgorithm::ALL {
            if algorithm.key_type() == key_type && declared.is_none_or(|declared| declared == algorithm) {
                verifiers.push((algorithm, jwk.verifier(algorithm)?));
            }
        }
        Ok(Self {
            kid: jwk.kid,
            verifiers,
        })
    }
}

impl Jwk {
    fn key_type(&self) -> Result<KeyType, &'static str> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Ok(KeyType::Rsa),
            ("EC", Some("P-256")) => Ok(KeyType::P256),
            ("EC", Some("P-384")) => Ok(KeyType::P384),
            ("OKP", Some("Ed25519")) => Ok(KeyType::Ed25519),
            ("EC" | "OKP", _) => Err("the curve is not P-256, P-384 or Ed25519"),
            _ => Err("the key type is not RSA, EC or OKP"),
        }
    }

    fn verifier(&self, algorithm: SignatureAlgorithm) -> Result<ParsedPublicKey, &'static str> {
        if let Some(parameters) = algorithm.rsa() {
            return self
                .rsa_components()?
                .to_parsed_public_key(parameters)
                .map_err(|_| "not an RSA public key");
        }
        let curve = algorithm.curve().ok_or("the algorithm is not supported")?;
        // The library checks that the point lies on the curve.
        ParsedPublicKey::new(curve, self.point(algorithm.key_type())?).map_err(|_| "not a point of the curve")
    }

    fn rsa_components(&self) -> Result<RsaPublicKeyComponents<Vec<u8>>, &'static str> {
        let n = number(self.n.as_deref()).ok_or("the modulus is not base64url (\"n\")")?;
        let e = number(self.e.as_deref()).ok_or("the exponent is not base64url (\"e\")")?;
        // RFC 7518 §3.3: at least 2048 bits; above 8192 a signature costs too much.
        let bits = n.len() * 8 - n[0].leading_zeros() as usize;
        if !(2048..=8192).contains(&bits) {
            return Err("the modulus does not have 2048 to 8192 bits (RFC 7518 §3.3)");
        }
        // With an even modulus or an exponent of 1 anybody can sign; a huge
        // exponent makes every verification slow.
        let even = |number: &[u8]| number.last().is_none_or(|last| last % 2 == 0);
        if even(&n) || even(&e) || e == [1] || e.len() > 4 {
            return Err("not an RSA public key");
        }
        Ok(RsaPublicKeyComponents { n, e })
    }

    /// The octets of a public key on a curve: SEC 1 §2.3.3, RFC 8037 §2.
    fn point(&self, key_type: KeyType) -> Result<Vec<u8>, &'static str> {
        let length = if key_type == KeyType::P384 { 48 } else { 32 };
        // RFC 7518 §6.2.1.2: the full length of the field, leading zeros included.
        let coordinate = |text: Option<&str>| {
            let octets = text
                .and_then(from_base64url)
                .filter(|octets| octets.len() == length);
            octets.ok_or("a coordinate does not have the length of the curve")
        };
        let mut point = coordinate(self.x.as_deref())?;
        if key_type != KeyType::Ed25519 {
            point.insert(0, 4);
            point.extend(coordinate(self.y.as_deref())?);
        }
        Ok(point)
    }
}

/// A positive number in base64urlUInt (RFC 7518 §2), without leading zeros:
/// some providers send one, against §6.3.1.1.
fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let octets = from_base64url(text?)?;
    let first = octets.iter().position(|octet| *octet != 0)?;
    Some(octets[first..].to_vec())
}
