//! Connections of type SAML, from outside.
//!
//! Source: SAML Profiles §4.1; SAML Security and Privacy Considerations §6.

mod attacks;
mod decryption;
mod failed;
mod field;
mod initiated;
mod people;
pub(crate) mod provider;
mod sign_in;
mod simulator;
mod unsigned;
