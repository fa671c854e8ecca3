//! Sign-in by a mailed code or link.

use genkan_contract::scalekit::v1::auth::passwordless::passwordless_service_server::{
    PasswordlessService, SERVICE_NAME,
};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl PasswordlessService for Api {}
