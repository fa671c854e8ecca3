//! The one shape of XML signature that SAML has.
//!
//! Source: XML-DSig Core (Second Edition), SAML 2.0 Core §5.4.

mod algorithm;
mod keys;
mod sign;
mod signed;
mod verify;

pub use algorithm::{AlgorithmPolicy, SignatureMethod};
pub use keys::{KeyError, SigningError, SigningKey, VerificationKey};
pub use signed::{Signed, Verified};
pub use verify::{SignatureError, verify, verify_query};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

#[cfg(test)]
mod tests;
