//! Connections: ways to identity providers, of organizations and of the environment.

pub(super) mod change;
mod links;
mod list;
mod oidc;
mod render;
mod saml;
mod settings;
mod words;

use genkan_contract::scalekit::v1::connections::connection_service_server::{
    ConnectionService, SERVICE_NAME,
};
use genkan_contract::scalekit::v1::connections::*;
use genkan_db::Tx;
use genkan_store::connection::{self, Connection as StoredConnection, domains};
use genkan_store::connection_test::{self, Status as TestStatus};
use genkan_store::domain::Domain;
use genkan_store::{
    ConnectionId, ConnectionTestId, EnvironmentId, OrganizationId, Secret, environment, organization,
};
use tonic::{Request, Response};

use crate::{Answer, Api, Error, id, render as shared};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

/// The owner of the connection of a call.
#[derive(Debug, Clone)]
enum Owner {
    Organization(OrganizationId),
    Environment,
}

impl Owner {
    /// The organization in a field. If it does not exist, nothing is found.
    fn organization(text: &str) -> Result<Self, Error> {
        Ok(Self::Organization(id("organization", text)?))
    }

    /// The owner in a field that is empty for connections of the environment.
    fn either(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            Ok(Self::Environment)
        } else {
            Self::organization(text)
        }
    }

    const fn id(&self) -> Option<&OrganizationId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::Environment => None,
        }
    }
}

/// A connection with what its message shows.
struct ConnectionView {
    connection: StoredConnection,
    domains: Vec<Domain>,
    environment_id: EnvironmentId,
}

impl ConnectionView {
    async fn of(tx: &mut Tx<'_>, connection: StoredConnection) -> Result<Self, Error> {
        Ok(Self {
            domains: domains::served_by(tx, &connection).await?,
            environment_id: environment::get(tx).await?.id,
            connection,
        })
    }
}

/// The organization, or a refusal.
async fn require_organization(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<String, Error> {
    let found = organization::find(tx, id).await?;
    let organization = found.ok_or_else(|| Error::not_found("organization"))?;
    Ok(organization.display_name)
}

/// The owner's connection, or a refusal.
async fn require(tx: &mut Tx<'_>, owner: &Owner, id: &ConnectionId) -> Result<StoredConnection, Error> {
    let found = connection::find_of(tx, owner.id(), id).await?;
    found.ok_or_else(|| Error::not_found("connection"))
}

impl Api {
    async fn show_connection(&self, owner: Owner, text: &str) -> Answer<GetConnectionResponse> {
        let id = id("connection", text)?;
        let shown = self
            .read(async |tx| {
                let connection = require(tx, &owner, &id).await?;
                ConnectionView::of(tx, connection).await
            })
            .await?;
        Ok(Response::new(GetConnectionResponse {
            connection: Some(render::connection(self, &shown)),
        }))
    }
}

#[tonic::async_trait]
impl ConnectionService for Api {
    async fn create_environment_connection(
        &self,
        request: Request<CreateEnvironmentConnectionRequest>,
    ) -> Answer<CreateConnectionResponse> {
        let (call, message) = self.accept(request);
        if message.flags.is_some_and(|flags| flags.is_app) {
            return Err(Error::invalid(
                "flags.is_app",
                "cannot be set: connections that agents act through are not served by this version of Genkan",
            )
            .into());
        }
        self.create(&call, Owner::Environment, message.connection).await
    }

    async fn create_connection(
        &self,
        request: Request<CreateConnectionRequest>,
    ) -> Answer<CreateConnectionResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        self.create(&call, owner, message.connection).await
    }

    async fn assign_domains_to_connection(
        &self,
        request: Request<AssignDomainsToConnectionRequest>,
    ) -> Answer<AssignDomainsToConnectionResponse> {
        let (call, message) = self.accept(request);
        let connection = self.assign_domains(&call, message).await?;
        Ok(Response::new(AssignDomainsToConnectionResponse {
            connection: Some(connection),
        }))
    }

    async fn get_environment_connection(
        &self,
        request: Request<GetEnvironmentConnectionRequest>,
    ) -> Answer<GetConnectionResponse> {
        let (_, message) = self.accept(request);
        self.show_connection(Owner::Environment, &message.connection_id)
            .await
    }

    async fn get_connection(&self, request: Request<GetConnectionRequest>) -> Answer<GetConnectionResponse> {
        let (_, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        self.show_connection(owner, &message.id).await
    }

    async fn list_connections(
        &self,
        request: Request<ListConnectionsRequest>,
    ) -> Answer<ListConnectionsResponse> {
        let (_, message) = self.accept(request);
        let connections = self.list_some(message).await?;
        Ok(Response::new(ListConnectionsResponse { connections }))
    }

    async fn list_organization_connections(
        &self,
        request: Request<ListOrganizationConnectionsRequest>,
    ) -> Answer<ListOrganizationConnectionsResponse> {
        let (_, message) = self.accept(request);
        let filter = connection::Filter::default();
        let found = self
            .search_connections(filter, message.page_size, &message.page_token)
            .await?;
        Ok(Response::new(ListOrganizationConnectionsResponse {
            next_page_token: found.next_page_token,
            total_size: found.total,
            prev_page_token: found.prev_page_token,
            connections: found.connections,
        }))
    }

    async fn search_organization_connections(
        &self,
        request: Request<SearchOrganizationConnectionsRequest>,
    ) -> Answer<SearchOrganizationConnectionsResponse> {
        let (_, message) = self.accept(request);
        let filter = list::filter(&message)?;
        let found = self
            .search_connections(filter, message.page_size, &message.page_token)
            .await?;
        Ok(Response::new(SearchOrganizationConnectionsResponse {
            next_page_token: found.next_page_token,
            total_size: found.total,
            prev_page_token: found.prev_page_token,
            connections: found.connections,
        }))
    }

    async fn update_environment_connection(
        &self,
        request: Request<UpdateEnvironmentConnectionRequest>,
    ) -> Answer<UpdateConnectionResponse> {
        let (call, message) = self.accept(request);
        let update = settings::Update::of(message.connection, message.update_mask)?;
        self.update(&call, Owner::Environment, &message.connection_id, update)
            .await
    }

    async fn update_connection(
        &self,
        request: Request<UpdateConnectionRequest>,
    ) -> Answer<UpdateConnectionResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        let update = settings::Update::of(message.connection, message.update_mask)?;
        self.update(&call, owner, &message.id, update).await
    }

    async fn delete_environment_connection(
        &self,
        request: Request<DeleteEnvironmentConnectionRequest>,
    ) -> Answer<()> {
        let (call, message) = self.accept(request);
        self.delete(&call, &Owner::Environment, &message.connection_id)
            .await
    }

    async fn delete_connection(&self, request: Request<DeleteConnectionRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        self.delete(&call, &owner, &message.id).await
    }

    async fn enable_environment_connection(
        &self,
        request: Request<ToggleEnvironmentConnectionRequest>,
    ) -> Answer<ToggleConnectionResponse> {
        let (call, message) = self.accept(request);
        self.toggle(&call, &Owner::Environment, &message.connection_id, true)
            .await
    }

    async fn enable_connection(
        &self,
        request: Request<ToggleConnectionRequest>,
    ) -> Answer<ToggleConnectionResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        self.toggle(&call, &owner, &message.id, true).await
    }

    async fn disable_environment_connection(
        &self,
        request: Request<ToggleEnvironmentConnectionRequest>,
    ) -> Answer<ToggleConnectionResponse> {
        let (call, message) = self.accept(request);
        self.toggle(&call, &Owner::Environment, &message.connection_id, false)
            .await
    }

    async fn disable_connection(
        &self,
        request: Request<ToggleConnectionRequest>,
    ) -> Answer<ToggleConnectionResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.organization_id)?;
        self.toggle(&call, &owner, &message.id, false).await
    }

    async fn create_connection_test(
        &self,
        request: Request<CreateConnectionTestRequest>,
    ) -> Answer<CreateConnectionTestResponse> {
        let (call, message) = self.accept(request);
        let connection_id: ConnectionId = id("connection", &message.connection_id)?;
        let (at, word) = (call.at(), Secret::generate());
        let (test_id, hash): (ConnectionTestId, _) = (at.id(), word.sha256());
        let (connection, expires_at) = self
            .tx(async |tx| {
                let found = connection::find(tx, &connection_id).await?;
                let connection = found.ok_or_else(|| Error::not_found("connection"))?;
                let expires_at = connection_test::insert(tx, &test_id, &connection_id, &hash, at.now).await?;
                Ok((connection, expires_at))
            })
            .await?;
        Ok(Response::new(CreateConnectionTestResponse {
            test_request_id: test_id.to_string(),
            test_uri: links::test_link(self, &connection, &word),
            expire_time: Some(shared::time(expires_at)),
        }))
    }

    async fn get_connection_test_result(
        &self,
        request: Request<GetConnectionTestResultRequest>,
    ) -> Answer<GetConnectionTestResultResponse> {
        let (_, message) = self.accept(request);
        let connection_id: ConnectionId = id("connection", &message.connection_id)?;
        let test_id: ConnectionTestId = id("test request", &message.test_request_id)?;
        let test = self
            .read(async |tx| {
                let found = connection_test::find(tx, &connection_id, &test_id).await?;
                found.ok_or_else(|| Error::not_found("test request"))
            })
            .await?;
        let status = match test.status {
            TestStatus::Pending => TestResultStatus::Pending,
            TestStatus::Success => TestResultStatus::Success,
            TestStatus::Failure => TestResultStatus::Failure,
        };
        let (error, description, details) = match test.failure {
            None => (None, None, None),
            Some(failure) => (
                Some(failure.error),
                Some(failure.description),
                Some(failure.details.to_string()),
            ),
        };
        Ok(Response::new(GetConnectionTestResultResponse {
            status: status.into(),
            user_info: test
                .user_info
                .map(|user_info| serde_json::Value::from(user_info).to_string()),
            error,
            error_description: description,
            error_details: details,
        }))
    }

    async fn list_app_connections(
        &self,
        request: Request<ListAppConnectionsRequest>,
    ) -> Answer<ListAppConnectionsResponse> {
        let (_, message) = self.accept(request);
        if !message.page_token.is_empty() {
            return Err(Error::invalid("page_token", "is not one that Genkan issued").into());
        }
        // There are no connections of agents, and none can be created.
        Ok(Response::new(ListAppConnectionsResponse::default()))
    }

    async fn get_connection_context(
        &self,
        request: Request<GetConnectionContextRequest>,
    ) -> Answer<GetConnectionContextResponse> {
        let (_, message) = self.accept(request);
        let owner = Owner::either(&message.organization_id)?;
        let id = id("connection", &message.connection_id)?;
        let context = self
            .read(async |tx| {
                let connection = require(tx, &owner, &id).await?;
                Ok(connection::context(tx, &connection.id).await?)
            })
            .await?;
        Ok(Response::new(GetConnectionContextResponse {
            context: Some(shared::structure(&context)),
        }))
    }

    async fn update_connection_context(
        &self,
        request: Request<UpdateConnectionContextRequest>,
    ) -> Answer<()> {
        let (call, message) = self.accept(request);
        let owner = Owner::either(&message.organization_id)?;
        let id = id("connection", &message.connection_id)?;
        let context = change::context("context", message.context)?;
        self.tx(async |tx| {
            let connection = require(tx, &owner, &id).await?;
            Ok(connection::set_context(tx, call.at(), &connection.id, &context).await?)
        })
        .await?;
        Ok(Response::new(()))
    }
}
