//! Sessions.

use genkan_contract::scalekit::v1::sessions::session_service_server::{SERVICE_NAME, SessionService};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl SessionService for Api {}
