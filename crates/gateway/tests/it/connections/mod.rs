//! Upstream identity providers, from outside: right, wrong and hostile.

mod accounts;
mod attributes;
mod causes;
mod claims;
mod endpoints;
mod faults;
mod form_post;
mod keys;
mod misbehaviour;
mod mix_up;
mod provider_error;
mod pushed;
mod requests;
pub(crate) mod saml;
mod saml_metadata;
mod whose_word;
