//! base64url without padding, in the one canonical form.
//!
//! Source: RFC 7515 §2 and appendix C, RFC 4648 §3.5 and §5.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes, refusing padding, white space, the standard alphabet and trailing
/// bits that are not zero.
///
/// RFC 4648 §3.5: if several texts decode to the same octets, one token has several
/// spellings, and an attacker can evade a list of revoked or replayed tokens.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
