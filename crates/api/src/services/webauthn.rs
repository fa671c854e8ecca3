//! Passkeys.

use genkan_contract::scalekit::v1::auth::webauthn::web_authn_service_server::{
    SERVICE_NAME, WebAuthnService,
};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl WebAuthnService for Api {}
