//! Signing keys, key sets and signed tokens.
//!
//! Source: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (JWA), RFC 7519 (JWT),
//! RFC 8037 (Ed25519), RFC 8725 (best current practice).
//!
//! Not supported, on purpose: encryption (RFC 7516), symmetric algorithms, the
//! JSON serialization, detached and unencoded payloads (RFC 7797), keys that
//! travel in the token (`jwk`, `jku`, `x5c`, `x5u`).

mod algorithm;
mod jwk_set;
mod jwt;
mod signing_key;

pub use algorithm::{Algorithm, SignatureAlgorithm, UnknownAlgorithm};
pub use jwk_set::{IgnoredKey, JwkSet, JwkSetError};
pub use jwt::{Header, JwtError, Verified, verify};
pub use signing_key::{KeyError, SigningKey};
