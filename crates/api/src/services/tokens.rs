//! API tokens.

use genkan_contract::scalekit::v1::tokens::api_token_service_server::{ApiTokenService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl ApiTokenService for Api {}
