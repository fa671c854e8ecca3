//! Applications, machine clients, resources, and their secrets.

use genkan_contract::scalekit::v1::clients::client_service_server::{ClientService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl ClientService for Api {}
