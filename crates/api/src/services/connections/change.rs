//! Creating, changing, opening, closing and deleting connections.

use genkan_contract::scalekit::v1::connections::{
    AssignDomainsToConnectionRequest, Connection as WireConnection, CreateConnection,
    CreateConnectionResponse, ToggleConnectionResponse, UpdateConnectionResponse,
};
use genkan_store::connection::domains::{self, AssignOutcome};
use genkan_store::connection::{
    self, Change, ChangeError, Connection, Edit, EnableOutcome, Kind, Mistake, Settings,
};
use genkan_store::{ConnectionId, DomainId, OrganizationId, Provider};
use serde_json::{Map, Value};
use tonic::Response;

use super::{ConnectionView, Owner, oidc, render, require, require_organization, saml, settings, words};
use crate::error::Violation;
use crate::{Answer, Api, Call, Error, id, render as shared};

/// The most JSON that an application may keep with one connection.
const MAX_CONTEXT_BYTES: usize = 16 * 1024;

/// The JSON that the application keeps with the connection.
pub(in crate::services) fn context(
    field: &str,
    context: Option<prost_types::Struct>,
) -> Result<Map<String, Value>, Error> {
    let context = context.map(shared::json_object).unwrap_or_default();
    if Value::from(context.clone()).to_string().len() > MAX_CONTEXT_BYTES {
        return Err(Error::invalid(
            field,
            &format!("is longer than {MAX_CONTEXT_BYTES} bytes"),
        ));
    }
    Ok(context)
}

/// The name that the field of a mistake has in the message.
fn field(kind: Kind, mistake: &Mistake) -> String {
    let (place, name) = match (mistake.in_settings, mistake.field) {
        (false, name) => ("connection", name),
        // The message has one map for all attributes.
        (true, "groups_claim" | "roles_claim") => ("connection", "attribute_mapping"),
        (true, name) => (settings::field(kind), name),
    };
    format!("{place}.{name}")
}

/// Why a change was refused, with the field names of the messages.
fn refused(kind: Kind, refused: ChangeError) -> Error {
    match refused {
        ChangeError::Mistakes(mistakes) => {
            let violation = |mistake: &Mistake| Violation {
                field: field(kind, mistake),
                description: mistake.reason.clone(),
                constraint: String::new(),
            };
            Error::violations(mistakes.iter().map(violation).collect())
        }
        ChangeError::OtherKind(other) => Error::invalid(
            settings::field(other),
            &format!("does not fit: this is a {kind} connection"),
        ),
        ChangeError::SecretWouldFollow => Error::precondition(
            "the connection is enabled, and its client secret is not sent to another issuer, discovery endpoint or \
             token endpoint, nor without TLS, unless the same request brings it: add oidc_config.client_secret, or \
             disable the connection first",
        ),
        ChangeError::Incomplete(missing) => incomplete(kind, &missing),
    }
}

/// The missing fields, with the names of the messages.
fn incomplete(kind: Kind, missing: &[&str]) -> Error {
    let place = settings::field(kind).trim_start_matches("connection.");
    let fields: Vec<String> = missing.iter().map(|field| format!("{place}.{field}")).collect();
    Error::precondition(format!(
        "the connection is not complete: enter {} before it is enabled",
        fields.join(", ")
    ))
}

impl Api {
    pub(super) async fn create(
        &self,
        call: &Call<'_>,
        owner: Owner,
        wanted: Option<CreateConnection>,
    ) -> Answer<CreateConnectionResponse> {
        let wanted = wanted.ok_or_else(|| Error::required("connection"))?;
        let kind = words::kind("connection.type", wanted.r#type)?
            .ok_or_else(|| Error::required("connection.type"))?;
        let provider = words::provider(wanted.provider, &wanted.provider_key)?
            .ok_or_else(|| Error::required("connection.provider"))?;
        let context = context("connection.context", wanted.context)?;
        let mut connection = Connection::new(call.at(), owner.id().cloned(), provider, Settings::new(kind));
        // The simulator is a provider that is already set up.
        if let Some(simulator) = self
            .host()
            .simulator()
            .filter(|_| provider == Provider::IdpSimulator)
        {
            oidc::complete(&mut connection, simulator, self.instance_key());
        }
        let change = Change {
            name: Edit::of_text(Some(wanted.name)),
            key_id: Edit::of_text(wanted.key_id),
            ..Change::default()
        };
        connection::apply(&mut connection, &change, call.at(), self.host().is_development())
            .map_err(|why| refused(kind, why))?;
        let shown = self
            .tx(async |tx| {
                if let Some(organization_id) = owner.id() {
                    require_organization(tx, organization_id).await?;
                }
                connection::insert(tx, call.at(), &connection).await?;
                if !context.is_empty() {
                    connection::set_context(tx, call.at(), &connection.id, &context).await?;
                }
                ConnectionView::of(tx, connection.clone()).await
            })
            .await?;
        Ok(Response::new(CreateConnectionResponse {
            connection: Some(render::connection(self, &shown)),
        }))
    }

    pub(super) async fn update(
        &self,
        call: &Call<'_>,
        owner: Owner,
        text: &str,
        update: settings::Update,
    ) -> Answer<UpdateConnectionResponse> {
        let id = id("connection", text)?;
        let http_allowed = self.host().is_development();
        let metadata = self.read_metadata(call, &owner, &id, &update).await?;
        let shown = self
            .tx_read_committed(async |tx| {
                let mut connection = require(tx, &owner, &id).await?;
                let mut change = settings::change(&connection, &update, self.instance_key())?;
                saml::add_metadata(&mut change, metadata.as_deref());
                connection::apply(&mut connection, &change, call.at(), http_allowed)
                    .map_err(|why| refused(connection.kind(), why))?;
                let updating = connection::update(tx, call.at(), &connection).await;
                updating.map_err(saml::not_updated)?;
                let connection = require(tx, &owner, &id).await?;
                ConnectionView::of(tx, connection).await
            })
            .await?;
        Ok(Response::new(UpdateConnectionResponse {
            connection: Some(render::connection(self, &shown)),
        }))
    }

    /// The document at the address of metadata that an update enters. Everything else is checked before, so
    /// a change that is refused requests nothing.
    async fn read_metadata(
        &self,
        call: &Call<'_>,
        owner: &Owner,
        id: &ConnectionId,
        update: &settings::Update,
    ) -> Result<Option<String>, Error> {
        let Some(url) = saml::entered_metadata_url(&update.message) else {
            return Ok(None);
        };
        let mut connection = self.read(async |tx| require(tx, owner, id).await).await?;
        let change = settings::change(&connection, update, self.instance_key())?;
        let insecure_http = change
            .insecure_http
            .unwrap_or(connection.settings.common.insecure_http);
        match connection::apply(&mut connection, &change, call.at(), self.host().is_development()) {
            // The document may bring what is missing.
            Ok(_) | Err(ChangeError::Incomplete(_)) => {}
            Err(why) => return Err(refused(connection.kind(), why)),
        }
        let reading = self.host().fetch_metadata(url, insecure_http).await;
        reading.map(Some).map_err(saml::unreadable)
    }

    pub(super) async fn toggle(
        &self,
        call: &Call<'_>,
        owner: &Owner,
        text: &str,
        enabled: bool,
    ) -> Answer<ToggleConnectionResponse> {
        let id = id("connection", text)?;
        self.tx(async |tx| {
            let connection = require(tx, owner, &id).await?;
            if !enabled {
                connection::disable(tx, call.at(), &id).await?;
                return Ok(());
            }
            match connection::enable(tx, call.at(), &id).await? {
                EnableOutcome::Enabled => Ok(()),
                EnableOutcome::Incomplete(missing) => Err(incomplete(connection.kind(), &missing)),
                EnableOutcome::Unfit(mistake) => {
                    Err(refused(connection.kind(), ChangeError::Mistakes(vec![mistake])))
                }
                EnableOutcome::Unknown => Err(Error::not_found("connection")),
            }
        })
        .await?;
        Ok(Response::new(ToggleConnectionResponse {
            enabled,
            error_message: None,
        }))
    }

    pub(super) async fn delete(&self, call: &Call<'_>, owner: &Owner, text: &str) -> Answer<()> {
        let id = id("connection", text)?;
        self.tx_read_committed(async |tx| {
            let connection = require(tx, owner, &id).await?;
            connection::delete(tx, call.at(), &connection.id).await?;
            Ok(())
        })
        .await?;
        // The clients of the ended sessions must be told.
        self.host().wake_jobs();
        Ok(Response::new(()))
    }

    pub(super) async fn assign_domains(
        &self,
        call: &Call<'_>,
        message: AssignDomainsToConnectionRequest,
    ) -> Result<WireConnection, Error> {
        let organization_id: OrganizationId = id("organization", &message.organization_id)?;
        let connection_id: ConnectionId = id("connection", &message.connection_id)?;
        let wanted: Vec<DomainId> = message
            .domain_ids
            .iter()
            .map(|text| id("domain", text))
            .collect::<Result<_, _>>()?;
        let owner = Owner::Organization(organization_id.clone());
        let shown = self
            .tx(async |tx| {
                require(tx, &owner, &connection_id).await?;
                let assigning =
                    domains::assign(tx, call.at(), &organization_id, &connection_id, &wanted).await?;
                if let AssignOutcome::UnknownDomain(_) = assigning {
                    return Err(Error::not_found("domain"));
                }
                let connection = require(tx, &owner, &connection_id).await?;
                ConnectionView::of(tx, connection).await
            })
            .await?;
        Ok(render::connection(self, &shown))
    }
}
