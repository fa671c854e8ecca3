//! What login pages and bring-your-own-login applications call.

use genkan_contract::scalekit::v1::auth::auth_service_server::{AuthService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl AuthService for Api {}
