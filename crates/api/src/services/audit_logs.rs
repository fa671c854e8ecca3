//! The sign-in log.

use genkan_contract::scalekit::v1::auditlogs::audit_logs_service_server::{AuditLogsService, SERVICE_NAME};
use genkan_contract::scalekit::v1::auditlogs::{
    AuthLogRequest, ConnectionDetails, ListAuthLogRequest, ListAuthLogResponse,
};
use genkan_protocol::EmailAddress;
use genkan_store::auth_log::{self, AuthLog, Filter, Status};
use genkan_store::{ClientId, EnvironmentId, OrganizationId, environment};
use tonic::{Request, Response};

use crate::paging::{self, Sizes};
use crate::{Answer, Api, Error, render};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl AuditLogsService for Api {
    async fn list_auth_requests(&self, request: Request<ListAuthLogRequest>) -> Answer<ListAuthLogResponse> {
        let (call, message) = self.accept(request);
        let now = call.now;
        let page = paging::request(message.page_size, &message.page_token, Sizes::USUAL)?;
        let Some(filter) = filter(&message)? else {
            return Ok(Response::new(ListAuthLogResponse::default()));
        };
        let (rows, environment_id) = self
            .read(async |tx| {
                let rows = auth_log::list(tx, &filter, now, &page).await?;
                Ok((rows, environment::get(tx).await?.id))
            })
            .await?;
        let list = format!("auth_logs {filter:?}");
        let total_size = self
            .total(&list, async |tx, limit| {
                Ok(auth_log::count(tx, &filter, now, limit).await?)
            })
            .await?;
        let paged = paging::answer(&page, rows, |log| &log.id);
        Ok(Response::new(ListAuthLogResponse {
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
            total_size,
            auth_requests: paged
                .rows
                .into_iter()
                .map(|log| entry(log, &environment_id))
                .collect(),
        }))
    }
}

/// The filter of a request; `None` if no sign-in can match it.
fn filter(message: &ListAuthLogRequest) -> Result<Option<Filter>, Error> {
    let unknown = |_| Error::invalid("status", "must be INITIATED, PENDING, SUCCESS or FAILURE");
    let mut filter = Filter {
        statuses: message
            .status
            .iter()
            .map(|word| word.to_ascii_uppercase().parse::<Status>())
            .collect::<Result<_, _>>()
            .map_err(unknown)?,
        since: render::moment("start_time", message.start_time.as_ref())?,
        until: render::moment("end_time", message.end_time.as_ref())?,
        ..Filter::default()
    };
    // A malformed address or identifier matches nobody.
    if !message.email.is_empty() {
        let Ok(email) = EmailAddress::parse(&message.email) else {
            return Ok(None);
        };
        filter.email = Some(email);
    }
    if !message.client_id.is_empty() {
        let Ok(client_id) = ClientId::parse(&message.client_id) else {
            return Ok(None);
        };
        filter.client_id = Some(client_id);
    }
    if !message.resource_id.is_empty() {
        let Ok(organization_id) = OrganizationId::parse(&message.resource_id) else {
            return Ok(None);
        };
        filter.organization_id = Some(organization_id);
    }
    // Connected accounts belong to agent tools, which Genkan has none of.
    Ok(message.connected_account_identifier.is_empty().then_some(filter))
}

fn entry(log: AuthLog, environment_id: &EnvironmentId) -> AuthLogRequest {
    let organization_id = log.organization_id.map(String::from).unwrap_or_default();
    let connection_id = log.connection_id.map(String::from).unwrap_or_default();
    let connection_type = log.connection_kind.unwrap_or_default();
    let connection_provider = log.connection_provider.unwrap_or_default();
    let details = ConnectionDetails {
        connection_id: connection_id.clone(),
        organization_id: organization_id.clone(),
        connection_type: connection_type.clone(),
        connection_provider: connection_provider.clone(),
    };
    AuthLogRequest {
        environment_id: environment_id.to_string(),
        auth_request_id: log.id.to_string(),
        email: log.email.unwrap_or_default(),
        status: log.status.as_str().to_owned(),
        timestamp: Some(render::time(log.created_at)),
        connection_details: if connection_id.is_empty() {
            Vec::new()
        } else {
            vec![details]
        },
        workflow: "LOGIN".to_owned(),
        client_id: log.client_id.to_string(),
        client_name: log.client_name.unwrap_or_default(),
        client_type: log.client_kind.unwrap_or_default(),
        organization_id,
        connection_id,
        connection_type,
        connection_provider,
        ..AuthLogRequest::default()
    }
}
