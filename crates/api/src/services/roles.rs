//! Roles and permissions.

use genkan_contract::scalekit::v1::roles::roles_service_server::{RolesService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl RolesService for Api {}
