//! The OpenID Provider, one file per endpoint.

pub mod authorize;
pub mod discovery;
pub mod end_session;
pub mod introspect;
pub mod jwks;
pub mod ready;
pub mod revoke;
pub mod token;
pub mod userinfo;

/// A sample of every page of the provider.
#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    end_session::samples()
}
