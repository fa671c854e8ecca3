//! What happened.

use genkan_contract::scalekit::v1::events::events_service_server::{EventsService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl EventsService for Api {}
