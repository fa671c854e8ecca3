//! The first content of a development environment: an application, a test
//! organization, and its connection to the simulator.

use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_store::client::{self, Client, ClientSecret, MAX_ACTIVE_SECRETS};
use genkan_store::connection::{self, Connection, OidcSettings, Protocol, Settings};
use genkan_store::domain::{self, Claimant, Domain};
use genkan_store::organization::{self, Organization};
use genkan_store::{
    ClientId, ConnectionId, Error, MAX_LIMIT, OrganizationId, Page, Provider, Secret, Stamp, role,
};

use crate::app::App;
use crate::connections::oidc;
use crate::demo::{self, DemoConfig};
use crate::simulator;
use crate::simulator::saml::EncryptionCertificates;

/// The redirect URI of Scalekit's examples.
pub const REDIRECT_URI: &str = "http://localhost:4321/api/auth/callback";

/// Prefix of the default application's identifier.
const DEFAULT_CLIENT: &str = "skc_";
const DEMO_NAME: &str = "Demo application";
/// Genkan's client id at the simulator.
const SIMULATOR_CLIENT_ID: &str = "genkan";
const TEST_DOMAINS: [&str; 2] = ["example.com", "example.org"];

/// The parts that a start needs.
#[derive(Debug)]
pub struct DevelopmentSeed {
    pub client_id: ClientId,
    pub client_secret: Secret,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    simulator_secret: Secret,
    simulator_redirect_uri: String,
    demo_client_id: ClientId,
    demo_secret: Secret,
}

impl DevelopmentSeed {
    /// The settings of the simulator.
    pub fn simulator(
        &self,
        app: &App,
        demo_url: &str,
        encryption: EncryptionCertificates,
    ) -> simulator::Config {
        simulator::Config {
            public_url: app.issuer().to_owned(),
            client_id: SIMULATOR_CLIENT_ID.to_owned(),
            client_secret: self.simulator_secret.expose().to_owned(),
            redirect_uris: vec![self.simulator_redirect_uri.clone()],
            demo_url: Some(demo_url.to_owned()),
            saml: simulator::saml::Config {
                organization_id: Some(self.organization_id.to_string()),
                encryption: Some(encryption),
            },
        }
    }

    /// The settings for other connections to the simulator.
    pub fn simulator_client(&self, app: &App) -> genkan_api::Simulator {
        genkan_api::Simulator {
            issuer: simulator::issuer(app.issuer()),
            client_id: SIMULATOR_CLIENT_ID.to_owned(),
            client_secret: Secret::from_presented(self.simulator_secret.expose()),
        }
    }

    /// The settings of the demo application, which reaches the issuer by `http`.
    pub fn demo(&self, app: &App, demo_url: &str, http: reqwest::Client) -> DemoConfig {
        DemoConfig {
            issuer: app.issuer().to_owned(),
            url: demo_url.to_owned(),
            client_id: self.demo_client_id.to_string(),
            client_secret: self.demo_secret.expose().to_owned(),
            organization_id: self.organization_id.to_string(),
            http,
        }
    }
}

/// Creates missing rows and changes no existing ones: a second start keeps every
/// identifier and secret that an application may hold. `written` is the secret in
/// `dev.env`.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn ensure(app: &App, demo_url: &str, written: Option<Secret>) -> Result<DevelopmentSeed, Error> {
    let at = app.at(app.now());
    let clients = app
        .db()
        .read(async |tx| client::list(tx, &Page::first(MAX_LIMIT)).await)
        .await?;
    let (client_id, client_secret) = default_client(app, at, &clients, written).await?;
    let (demo_client_id, demo_secret) = demo_client(app, at, &clients, demo_url).await?;
    let mut known = connections(app, is_to_simulator).await?;
    // An earlier start made the oldest one; the API made the others.
    let oldest = known.pop();
    let connection = simulator_connection(app, at, oldest).await?;
    let simulator_secret = connection
        .open_client_secret(app.instance_key())
        .ok()
        .flatten()
        .unwrap_or_else(Secret::generate);
    move_along(app, at, known, &simulator_secret).await?;
    Ok(DevelopmentSeed {
        client_id,
        client_secret,
        organization_id: connection.organization_id.clone().ok_or(Error::Stale)?,
        simulator_redirect_uri: oidc::redirect_uri(app, &connection),
        connection_id: connection.id,
        simulator_secret,
        demo_client_id,
        demo_secret,
    })
}

/// A confidential web application with the rights of development.
fn web_app(id: ClientId, name: &str, at: Stamp<'_>) -> Client {
    Client {
        any_loopback_redirect: true,
        // Scalekit's dry-run tool redeems so, with this client.
        secret_optional_with_pkce: true,
        ..Client::new(id, name.to_owned(), client::Kind::WebApp, at.now)
    }
}

fn new_secret(at: Stamp<'_>, client_id: &ClientId) -> (Secret, ClientSecret) {
    let secret = Secret::generate_with_prefix("test_");
    let row = ClientSecret::new(at, client_id, &secret, None);
    (secret, row)
}

async fn default_client(
    app: &App,
    at: Stamp<'_>,
    clients: &[Client],
    written: Option<Secret>,
) -> Result<(ClientId, Secret), Error> {
    if let Some(known) = clients.iter().find(|client| client.is_default()) {
        let secrets = app
            .db()
            .read(async |tx| client::secrets(tx, &known.id).await)
            .await?;
        if let Some(secret) =
            written.filter(|secret| secrets.iter().any(|known| known.hash == secret.sha256()))
        {
            return Ok((known.id.clone(), secret));
        }
        // The file is gone, and the secret with it, so a new one is made.
        let secret = replace_secret(app, at, &known.id).await?;
        return Ok((known.id.clone(), secret));
    }
    let id: ClientId = app.ids().next_with_prefix(DEFAULT_CLIENT, at.now);
    let mut client = web_app(id.clone(), "Development application", at);
    client.redirect_uris = vec![REDIRECT_URI.to_owned()];
    client.post_logout_redirect_uris = vec!["http://localhost:4321".to_owned()];
    client.management_access = true;
    let (secret, row) = new_secret(at, &id);
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            client::insert(tx, at, &client).await?;
            client::add_secret(tx, at, &row).await
        })
        .await?;
    Ok((id, secret))
}

/// Gives a client a new secret; makes room by deleting its oldest.
async fn replace_secret(app: &App, at: Stamp<'_>, id: &ClientId) -> Result<Secret, Error> {
    let (secret, row) = new_secret(at, id);
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            let known = client::secrets(tx, id).await?;
            let surplus = (known.len() + 1).saturating_sub(MAX_ACTIVE_SECRETS);
            for oldest in known.iter().take(surplus) {
                client::delete_secret(tx, at, id, &oldest.id).await?;
            }
            client::add_secret(tx, at, &row).await
        })
        .await?;
    Ok(secret)
}

/// The demo application gets a new secret at every start: nobody else holds it.
async fn demo_client(
    app: &App,
    at: Stamp<'_>,
    clients: &[Client],
    demo_url: &str,
) -> Result<(ClientId, Secret), Error> {
    let known = clients.iter().find(|client| client.name == DEMO_NAME);
    let id = known.map_or_else(
        || app.ids().next_with_prefix("webc_", at.now),
        |client| client.id.clone(),
    );
    let mut client = known
        .cloned()
        .unwrap_or_else(|| web_app(id.clone(), DEMO_NAME, at));
    client.redirect_uris = vec![format!("{demo_url}{}", demo::CALLBACK_PATH)];
    client.post_logout_redirect_uris = vec![demo_url.to_owned()];
    client.back_channel_logout_uris = vec![format!("{demo_url}{}", demo::BACK_CHANNEL_LOGOUT_PATH)];
    client.initiate_login_uri = Some(format!("{demo_url}{}", demo::LOGIN_PATH));
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            match known {
                Some(before) if *before == client => Ok(()),
                Some(_) => client::update(tx, at, &client).await,
                None => client::insert(tx, at, &client).await,
            }
        })
        .await?;
    let secret = replace_secret(app, at, &id).await?;
    Ok((id, secret))
}

/// The connections that `wanted` chooses, newest first.
pub(super) async fn connections(
    app: &App,
    wanted: fn(&Connection) -> bool,
) -> Result<Vec<Connection>, Error> {
    app.db()
        .read(async |tx| {
            let (mut found, mut page) = (Vec::new(), Page::first(MAX_LIMIT));
            loop {
                let rows = connection::list(tx, &page).await?;
                let last = rows.last().map(|connection| connection.id.clone());
                let is_last = rows.len() < MAX_LIMIT as usize;
                found.extend(rows.into_iter().filter(wanted));
                match last {
                    Some(last) if !is_last => page = Page::after(MAX_LIMIT, last),
                    _ => return Ok(found),
                }
            }
        })
        .await
}

/// Moves the other connections to the simulator's present address, after a start under
/// another public URL.
async fn move_along(app: &App, at: Stamp<'_>, others: Vec<Connection>, secret: &Secret) -> Result<(), Error> {
    let issuer = simulator::issuer(app.issuer());
    for mut connection in others {
        let Some(settings) = connection.settings.as_oidc_mut() else {
            continue;
        };
        if settings.issuer == issuer {
            continue;
        }
        settings.issuer.clone_from(&issuer);
        let sealed = connection::seal_client_secret(app.instance_key(), &connection.id, secret);
        connection.client_secret_sealed = Some(sealed);
        app.db()
            .tx_read_committed(async |tx| connection::update(tx, at, &connection).await)
            .await?;
    }
    Ok(())
}

async fn simulator_connection(
    app: &App,
    at: Stamp<'_>,
    known: Option<Connection>,
) -> Result<Connection, Error> {
    let issuer = simulator::issuer(app.issuer());
    if let Some(mut connection) = known {
        let renewed = new_client_secret(app, &connection.id);
        if let Some(settings) = connection.settings.as_oidc_mut() {
            // It is from before claims had to be named, and nobody has named one since.
            let is_old = settings.unnamed_roles_claim;
            let has_moved = settings.issuer != issuer;
            if is_old {
                name_claims(settings);
            }
            if has_moved {
                // The public URL differs from the last start.
                settings.issuer = issuer;
                connection.client_secret_sealed = Some(renewed);
            }
            if is_old || has_moved {
                app.db()
                    .tx_read_committed(async |tx| -> Result<(), Error> {
                        if is_old {
                            let_simulator_give_roles(tx, at).await?;
                        }
                        connection::update(tx, at, &connection).await
                    })
                    .await?;
            }
        }
        return Ok(connection);
    }
    let organization = Organization::new(at.id(), "Test Organization", at.now);
    let connection = connection_to_simulator(app, at, &organization.id, issuer);
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            organization::insert(tx, at, &organization).await?;
            for name in TEST_DOMAINS {
                let name = DomainName::parse(name).expect("the test domains are domains");
                if domain::find_organization_for(tx, &name).await?.is_none() {
                    let kind = domain::Kind::OrganizationDomain;
                    let organization_id = organization.id.clone();
                    let domain = Domain::new(at.id(), organization_id, name, kind, at.now)
                        .claimed_by(Claimant::Developer);
                    domain::insert(tx, at, &domain).await?;
                }
            }
            let_simulator_give_roles(tx, at).await?;
            connection::insert(tx, at, &connection).await
        })
        .await?;
    Ok(connection)
}

/// Names the simulator's claims.
fn name_claims(settings: &mut OidcSettings) {
    settings.name_groups(Some("groups"));
    settings.name_roles(Some("roles"));
}

/// A developer also plays the company's administrator, so the simulator may give the roles
/// that every environment starts with.
async fn let_simulator_give_roles(tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
    for name in ["admin", "member"] {
        if let Some(mut role) = role::find(tx, None, name).await?
            && !role.assignable_by_providers
        {
            role.assignable_by_providers = true;
            role::update(tx, at, &role, None).await?;
        }
    }
    Ok(())
}

/// Whether a connection leads to the simulator; its label does not count.
fn is_to_simulator(connection: &Connection) -> bool {
    let settings = connection.settings.as_oidc();
    connection.provider == Provider::IdpSimulator
        && connection.organization_id.is_some()
        && settings.is_some_and(|settings| settings.client_id == SIMULATOR_CLIENT_ID)
}

fn connection_to_simulator(
    app: &App,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    issuer: String,
) -> Connection {
    let mut settings = OidcSettings {
        issuer,
        client_id: SIMULATOR_CLIENT_ID.to_owned(),
        // The simulator's page begins sign-ins too.
        allow_idp_initiated_login: true,
        ..OidcSettings::default()
    };
    name_claims(&mut settings);
    let settings = Settings::from(Protocol::Oidc(settings));
    let organization_id = Some(organization_id.clone());
    let mut connection = Connection::new(at, organization_id, Provider::IdpSimulator, settings);
    connection.client_secret_sealed = Some(new_client_secret(app, &connection.id));
    connection.enabled = true;
    connection
}

/// A client secret: the simulator takes any.
fn new_client_secret(app: &App, id: &ConnectionId) -> Vec<u8> {
    connection::seal_client_secret(app.instance_key(), id, &Secret::generate())
}
