//! Builds organizations with their connections.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use genkan_protocol::Domain as DomainName;
use genkan_store::connection::{self, Connection, EnableOutcome, OidcSettings, Protocol, Settings};
use genkan_store::domain::{self, Domain};
use genkan_store::{
    ConnectionId, ConnectionTestId, Error, OrganizationId, Page, Provider, Secret, Stamp, connection_test,
    event, organization,
};

use crate::world::World;
use crate::{Gateway, IdentityProvider, instance_key};

type Change = Box<dyn FnOnce(&mut Connection) + Send>;

/// An organization that is not stored yet.
pub struct OrganizationBuilder<'a> {
    gateway: &'a Gateway,
    domains: Vec<String>,
    external_id: Option<String>,
    connections: Vec<Plan<'a>>,
}

struct Plan<'a> {
    /// `None`: the gateway's own.
    idp: Option<&'a IdentityProvider>,
    change: Change,
}

impl<'a> OrganizationBuilder<'a> {
    pub(crate) fn new(gateway: &'a Gateway, domain: &str) -> Self {
        Self {
            gateway,
            domains: vec![domain.to_owned()],
            external_id: None,
            connections: Vec::new(),
        }
    }

    /// With another domain.
    #[must_use]
    pub fn domain(mut self, name: &str) -> Self {
        self.domains.push(name.to_owned());
        self
    }

    #[must_use]
    pub fn external_id(mut self, id: &str) -> Self {
        self.external_id = Some(id.to_owned());
        self
    }

    /// With an enabled connection to the gateway's identity provider.
    #[must_use]
    pub fn with_oidc_connection(self) -> Self {
        self.with_connection(|_| {})
    }

    /// As [`Self::with_oidc_connection`], with a change before it is stored.
    #[must_use]
    pub fn with_connection(mut self, change: impl FnOnce(&mut Connection) + Send + 'static) -> Self {
        self.connections.push(Plan {
            idp: None,
            change: Box::new(change),
        });
        self
    }

    /// As [`Self::with_oidc_connection`], with groups and roles from the claims of these names.
    #[must_use]
    pub fn with_claims_named(self) -> Self {
        self.with_settings(|settings| {
            settings.name_groups(Some("groups"));
            settings.name_roles(Some("roles"));
        })
    }

    /// As [`Self::with_connection`], with other OIDC settings.
    #[must_use]
    pub fn with_settings(self, change: impl FnOnce(&mut OidcSettings) + Send + 'static) -> Self {
        self.with_connection(|connection| {
            change(connection.settings.as_oidc_mut().unwrap());
        })
    }

    /// With a connection to another identity provider.
    #[must_use]
    pub fn with_connection_to(mut self, idp: &'a IdentityProvider) -> Self {
        self.connections.push(Plan {
            idp: Some(idp),
            change: Box::new(|_| {}),
        });
        self
    }

    async fn make(self) -> Organization {
        let (gateway, at) = (self.gateway, self.gateway.at());
        let organization = organization::Organization {
            external_id: self.external_id,
            ..organization::Organization::new(at.id(), &self.domains[0], at.now)
        };
        let id = organization.id.clone();
        let mut connections = Vec::new();
        for plan in self.connections {
            let idp = match plan.idp {
                Some(idp) => idp,
                None => gateway.idp().await,
            };
            let mut connection = connection_to(at, idp, id.clone());
            (plan.change)(&mut connection);
            connections.push(connection);
        }
        let domains: Vec<Domain> = self
            .domains
            .iter()
            .map(|name| {
                let name = DomainName::parse(name).unwrap();
                Domain::new(
                    at.id(),
                    id.clone(),
                    name,
                    domain::Kind::OrganizationDomain,
                    at.now,
                )
            })
            .collect();
        gateway
            .tx(async |tx| {
                organization::insert(tx, at, &organization).await?;
                for domain in &domains {
                    domain::insert(tx, at, domain).await?;
                }
                for connection in &connections {
                    connection::insert(tx, at, connection).await?;
                }
                Ok(())
            })
            .await;
        Organization {
            world: Arc::clone(&gateway.world),
            id,
            connections: connections.into_iter().map(|connection| connection.id).collect(),
        }
    }
}

fn connection_to(at: Stamp<'_>, idp: &IdentityProvider, organization_id: OrganizationId) -> Connection {
    let secret = Secret::from_presented(idp.client_secret());
    let mut settings = Settings::from(Protocol::Oidc(OidcSettings {
        issuer: idp.issuer().to_owned(),
        client_id: idp.client_id().to_owned(),
        scopes: Vec::new(),
        ..OidcSettings::default()
    }));
    settings.common.insecure_http = true;
    let mut connection = Connection::new(at, Some(organization_id), Provider::Custom, settings);
    connection.client_secret_sealed = Some(connection::seal_client_secret(
        &instance_key(),
        &connection.id,
        &secret,
    ));
    connection.name = "The company’s sign-in".to_owned();
    connection.enabled = true;
    connection
}

impl<'a> IntoFuture for OrganizationBuilder<'a> {
    type Output = Organization;
    type IntoFuture = Pin<Box<dyn Future<Output = Organization> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

/// An organization whose people sign in.
#[derive(Debug)]
pub struct Organization {
    world: Arc<World>,
    pub id: OrganizationId,
    connections: Vec<ConnectionId>,
}

impl Organization {
    /// Its first connection.
    pub fn connection_id(&self) -> &ConnectionId {
        self.connections
            .first()
            .expect("the organization has a connection")
    }

    /// Its connections, in the order of their creation.
    pub fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    /// Enables or disables its first connection.
    pub async fn set_enabled(&self, enabled: bool) {
        let (at, id) = (self.world.app.at(self.world.app.now()), self.connection_id());
        let changed = self
            .world
            .tx(async |tx| match enabled {
                true => Ok(connection::enable(tx, at, id).await? == EnableOutcome::Enabled),
                false => connection::disable(tx, at, id).await,
            })
            .await;
        assert!(changed, "the connection was so already");
    }

    /// Changes its first connection, as a person who knows its secret.
    pub async fn change_connection(&self, change: impl Fn(&mut Connection)) {
        let (at, id) = (self.world.app.at(self.world.app.now()), self.connection_id());
        self.world
            .tx(async |tx| -> Result<(), Error> {
                let mut connection = connection::find(tx, id).await?.expect("the connection exists");
                if let Some(secret) = connection
                    .open_client_secret(&instance_key())
                    .expect("it is ours")
                {
                    let sealed = connection::seal_client_secret(&instance_key(), &connection.id, &secret);
                    connection.client_secret_sealed = Some(sealed);
                }
                change(&mut connection);
                connection::update(tx, at, &connection).await
            })
            .await;
    }

    /// A link that begins a test of its first connection, as `genkan connection test` makes it.
    pub async fn test_link(&self) -> String {
        let (app, word) = (&self.world.app, Secret::generate());
        let (now, hash) = (app.now(), word.sha256());
        let (id, connection_id) = (app.ids().next::<ConnectionTestId>(now), self.connection_id());
        self.world
            .tx(async |tx| connection_test::insert(tx, &id, connection_id, &hash, now).await)
            .await;
        let path = format!("/sso/v1/oidc/{connection_id}/test?word={}", word.expose());
        app.url(&path)
    }

    /// The kinds of its events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let filter = event::Filter {
            organization_id: Some(self.id.clone()),
            ..event::Filter::default()
        };
        let newest_first = self
            .world
            .tx(async |tx| event::list(tx, &filter, &Page::first(genkan_store::MAX_LIMIT)).await)
            .await;
        newest_first
            .iter()
            .rev()
            .map(|event| event.kind.as_str().to_owned())
            .collect()
    }
}

impl Gateway {
    /// Builds an organization with the domain `domain`.
    pub fn organization(&self, domain: &str) -> OrganizationBuilder<'_> {
        OrganizationBuilder::new(self, domain)
    }
}
