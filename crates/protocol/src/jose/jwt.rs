//! Verification of signed tokens.
//!
//! Source: RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3.

use serde_json::{Map, Value};

use super::jwk_set::{Key, MAX_KID_BYTES};
use super::{JwkSet, SignatureAlgorithm};
use crate::encoding::from_base64url;
use crate::json;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token whose signature is valid. Nothing else was checked: not the issuer, the
/// audience or the lifetime.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The header, which the signature covers.
    pub header: Header,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// The header parameters that mean something here (RFC 7515 §4.1).
///
/// Keys and addresses of keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are
/// ignored: a token must not choose the key that verifies it (RFC 8725 §3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The algorithm, which fits the key that verified.
    pub alg: SignatureAlgorithm,
    /// The name of the key.
    pub kid: Option<String>,
    /// The kind of token.
    pub typ: Option<String>,
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// More than 64 KiB.
    #[error("the token is larger than 64 KiB")]
    TooLong,
    /// Not three parts of canonical base64url, of which two are JSON objects.
    #[error("the token is not a signed JWT: {0}")]
    Malformed(&'static str),
    /// An algorithm that is unknown, or not allowed here. `none` and the
    /// symmetric ones never are.
    #[error("the algorithm {alg:?} is not allowed")]
    AlgorithmNotAllowed {
        /// What the header says, cut to a length for people.
        alg: String,
    },
    /// The header demands an extension that is not understood (RFC 7515 §4.1.11).
    #[error("the token demands an extension that is not supported")]
    CriticalHeader,
    /// No key has the name: the issuer may have rotated its keys, so fetch
    /// them again, once, and not too often.
    #[error("no key named {kid:?} is published")]
    UnknownKey {
        /// The `kid` of the header; `None` if it has none and not exactly one key fits.
        kid: Option<String>,
    },
    /// The key of that name is made for another algorithm.
    #[error("the key named in the token is not made for the algorithm {alg}")]
    KeyMismatch {
        /// What the header says.
        alg: SignatureAlgorithm,
    },
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
}

/// Verifies the signature of a token, and only that.
///
/// `allowed` names the issuer's algorithms. It adds no support for others: `none` and
/// the symmetric algorithms do not exist here.
///
/// # Errors
///
/// A [`JwtError`]; on [`JwtError::UnknownKey`] the caller may fetch the keys again.
///
/// Source: RFC 7515 §5.2, RFC 8725 §3.1.
pub fn verify(token: &str, keys: &JwkSet, allowed: &[&str]) -> Result<Verified, JwtError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwtError::TooLong);
    }
    // RFC 7515 §7.1: three parts. RFC 7516 §9: five would be an encrypted token.
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwtError::Malformed("it does not have three parts"));
    };
    let message = &token[..header.len() + 1 + claims.len()];
    let decode = |part| from_base64url(part).ok_or(JwtError::Malformed("a part is not canonical base64url"));
    let header = parse_header(&decode(header)?, allowed)?;
    let signature = decode(signature)?;

    let key = choose(keys, &header)?;
    key.iter()
        .any(|key| {
            let verifier = key.verifier(header.alg);
            verifier.is_some_and(|verifier| verifier.verify_sig(message.as_bytes(), &signature).is_ok())
        })
        .then_some(())
        .ok_or(JwtError::Signature)?;

    // Only now is anything believed (RFC 8725 §3.2).
    let claims = json::object(&decode(claims)?)
        .map_err(|_| JwtError::Malformed("the claims are not a JSON object"))?;
    Ok(Verified { header, claims })
}

fn parse_header(bytes: &[u8], allowed: &[&str]) -> Result<Header, JwtError> {
    let header = json::object(bytes).map_err(|_| JwtError::Malformed("the header is not a JSON object"))?;
    // RFC 7515 §4.1.11: an unknown critical extension is refused, and we know none.
    // RFC 7797 §6: `b64` would change what the signature covers.
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(JwtError::CriticalHeader);
    }
    let text = |name: &str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(JwtError::Malformed("a header parameter is not a string")),
    };
    // RFC 7515 §4.1.1: `alg` must be present.
    let alg = text("alg")?.ok_or(JwtError::Malformed("the header has no \"alg\""))?;
    let refused = || JwtError::AlgorithmNotAllowed {
        alg: crate::trace::printable(&alg),
    };
    if !allowed.contains(&alg.as_str()) {
        return Err(refused());
    }
    let alg = alg.parse().map_err(|_| refused())?;
    let kid = text("kid")?;
    // `kid` is only compared, never used as a path or a query; long ones are not kept.
    if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
        return Err(JwtError::Malformed("the \"kid\" is too long"));
    }
    Ok(Header {
        alg,
        kid,
        typ: text("typ")?,
    })
}

/// The keys that may have signed: all keys of that name, or the only one that fits.
///
/// RFC 7517 §4.5 allows one name for several keys of different types.
fn choose<'a>(keys: &'a JwkSet, header: &Header) -> Result<Vec<&'a Key>, JwtError> {
    let named: Vec<&Key> = match &header.kid {
        Some(kid) => keys
            .keys()
            .iter()
            .filter(|key| key.kid.as_ref() == Some(kid))
            .collect(),
        None => keys.keys().iter().collect(),
    };
    let known = !named.is_empty();
    let fitting: Vec<&Key> = named
        .into_iter()
        .filter(|key| key.verifier(header.alg).is_some())
        .collect();
    match (&header.kid, fitting.len()) {
        (Some(_), 0) if known => Err(JwtError::KeyMismatch { alg: header.alg }),
        (Some(kid), 0) => Err(JwtError::UnknownKey {
            kid: Some(kid.clone()),
        }),
        (Some(_), _) | (None, 1) => Ok(fitting),
        // OIDC Core §10.1: without a name, exactly one key must fit.
        (None, _) => Err(JwtError::UnknownKey { kid: None }),
    }
}
