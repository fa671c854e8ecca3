//! The standards in types: parse, validate, build, render.
//!
//! Nothing here reads a clock, a network, a disk or a random number generator: their
//! values come in as arguments. The one exception is [`jose::SigningKey::generate`],
//! whose randomness never leaves the cryptographic library.
//!
//! - [`jose`]: signing keys, key sets, signed tokens
//! - [`oauth`]: the authorization and token endpoints as parsers and rules
//! - [`oidc`]: discovery, the claims of our tokens, validation of foreign ID tokens
//! - [`saml`]: requests, answers and metadata: signatures, encryption and every check of a SAML sign-in
//! - [`EmailAddress`] and [`Domain`]: what decides which organization a person belongs to
//! - [`causes!`]: tables of the reasons why a sign-in fails
//! - [`json`]: the one reader of JSON that strangers send
//! - [`name`]: names that people read, and the characters that they must not have
//! - [`Trace`]: what was checked at a login, for the people who repair it

#![warn(missing_docs)]

mod cause;
mod domain;
mod email;
mod encoding;
pub mod jose;
pub mod json;
pub mod name;
pub mod oauth;
pub mod oidc;
pub mod saml;
mod timestamp;
pub mod trace;

pub use domain::{Domain, DomainError};
pub use email::{EmailAddress, EmailAddressError};
pub use timestamp::Timestamp;
pub use trace::Trace;
