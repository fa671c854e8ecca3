//! `at_hash` and `c_hash`: which access token and code belong to an ID token.
//!
//! Source: OIDC Core §3.1.3.6 and §3.3.2.11.

use aws_lc_rs::digest;

use crate::encoding::base64url;
use crate::jose::SignatureAlgorithm;

/// The left half of the hash of a token or code, in base64url, by the hash of
/// the algorithm that signs the ID token.
///
/// ```
/// use genkan_protocol::{jose::Algorithm, oidc::left_half};
///
/// // The access token and at_hash of the example in OIDC Core appendix A.3.
/// let at_hash = left_half(Algorithm::Rs256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
/// assert_eq!(at_hash, "77QmUPtjPfzWtF2AnpK9RQ");
/// ```
pub fn left_half(algorithm: impl Into<SignatureAlgorithm>, value: &str) -> String {
    let hash = digest::digest(algorithm.into().digest(), value.as_bytes());
    let hash = hash.as_ref();
    base64url(&hash[..hash.len() / 2])
}
