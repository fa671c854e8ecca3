//! OpenID Connect: discovery, the claims of our tokens, the validation of
//! identity providers' answers.
//!
//! Source: OpenID Connect Core 1.0, Discovery 1.0, Back-Channel Logout 1.0,
//! RFC 9207 (issuer identification).

mod authorization_response;
mod cause;
pub mod claims;
mod discovery;
mod hash;
pub mod id_token;
pub mod userinfo;

pub use authorization_response::{
    AuthorizationResponse, AuthorizationResponseError, IssuerError, ProviderError, ResponseOutcome,
};
pub use cause::Cause;
pub use claims::{
    AccessToken, CustomClaims, IdToken, Identity, IdpInitiatedLogin, LogoutToken, Profile, UserInfo,
};
pub use discovery::{DiscoveryError, ProviderMetadata, issuer_of, well_known_url};
pub use hash::left_half;
pub use id_token::{ExpectedNonce, IdTokenError};
