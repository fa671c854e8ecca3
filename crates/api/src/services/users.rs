//! Users and memberships.

use genkan_contract::scalekit::v1::users::user_service_server::{SERVICE_NAME, UserService};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl UserService for Api {}
