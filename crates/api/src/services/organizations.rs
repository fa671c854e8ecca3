//! Organizations.

use genkan_contract::scalekit::v1::organizations::organization_service_server::{
    OrganizationService, SERVICE_NAME,
};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl OrganizationService for Api {}
