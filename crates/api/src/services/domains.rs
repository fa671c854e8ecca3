//! Domains of organizations.

use genkan_contract::scalekit::v1::domains::domain_service_server::{DomainService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl DomainService for Api {}
