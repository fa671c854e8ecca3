//! Identity providers.

use genkan_contract::scalekit::v1::connections::connection_service_server::{
    ConnectionService, SERVICE_NAME,
};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl ConnectionService for Api {}
