//! Authentication logs.

use genkan_contract::scalekit::v1::auditlogs::audit_logs_service_server::{AuditLogsService, SERVICE_NAME};

use crate::Api;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// What this service leaves unserved, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl AuditLogsService for Api {}
