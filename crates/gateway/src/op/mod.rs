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
