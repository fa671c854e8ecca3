//! OAuth 2.0 as parsers and rules, without a server around them.
//!
//! Source: RFC 6749, RFC 6750 (Bearer), RFC 7636 (PKCE), RFC 8252 (native
//! apps), RFC 9700 (security best current practice).

pub mod authorization_request;
pub mod bearer;
pub mod client_authentication;
mod error_code;
mod parameters;
mod pkce;
mod prompt;
pub mod redirect_uri;
mod scope;
mod token_request;

pub use authorization_request::{
    AuthorizationError, AuthorizationRequest, ClientRules, Recipient, ResponseMode,
};
pub use client_authentication::Credentials;
pub use error_code::ErrorCode;
pub use parameters::{Duplicate, Parameters, ParametersError};
pub use pkce::{CodeChallenge, CodeVerifier, PkceError};
pub use prompt::{Prompt, PromptError};
pub use redirect_uri::append_query;
pub use scope::{Scope, ScopeError};
pub use token_request::{TokenRequest, TokenRequestError};
