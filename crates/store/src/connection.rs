//! Connections: an organization's way to an identity provider.

use std::collections::BTreeMap;

use genkan_db::{Row, Tx, p};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::event::{self, Entry};
use crate::page::page_rows;
use crate::row::{Columns, json, words};
use crate::seal::{OpenError, Place};
use crate::{ConnectionId, Error, InstanceKey, OrganizationId, Page, Secret, Stamp, Timestamp, environment};

words! {
    /// The protocol that is spoken.
    pub enum Kind {
        Oidc = "OIDC",
    }
}

words! {
    /// The product at the other end: for logos, hints and guides.
    pub enum Provider {
        Okta = "OKTA",
        Google = "GOOGLE",
        MicrosoftAd = "MICROSOFT_AD",
        Auth0 = "AUTH0",
        OneLogin = "ONELOGIN",
        PingIdentity = "PING_IDENTITY",
        JumpCloud = "JUMPCLOUD",
        Adfs = "ADFS",
        Custom = "CUSTOM",
        /// The simulator of `genkan dev`.
        IdpSimulator = "IDP_SIMULATOR",
    }
}

words! {
    /// How we authenticate at the provider's token endpoint.
    pub enum TokenAuthType {
        /// `client_secret_basic`
        BasicAuth = "BASIC_AUTH",
        /// `client_secret_post`
        UrlParams = "URL_PARAMS",
    }
}

/// How to speak to the provider; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Settings {
    #[serde(rename = "OIDC")]
    Oidc(OidcSettings),
}

impl Settings {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Oidc(_) => Kind::Oidc,
        }
    }
}

/// An OpenID Provider: by discovery, or each endpoint by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcSettings {
    /// Compared as text with `iss`.
    pub issuer: String,
    /// Where the metadata are, if not below the issuer.
    pub discovery_endpoint: Option<String>,
    pub authorize_uri: Option<String>,
    pub token_uri: Option<String>,
    pub user_info_uri: Option<String>,
    pub jwks_uri: Option<String>,
    /// What we are called there.
    pub client_id: String,
    pub scopes: Vec<String>,
    pub token_auth_type: TokenAuthType,
    pub pkce_enabled: bool,
    /// From our attribute (`email`, `given_name`, …) to their claim.
    #[serde(default)]
    pub attribute_mapping: BTreeMap<String, String>,
    pub groups_claim: Option<String>,
    pub roles_claim: Option<String>,
    /// Development: the provider may be reached without TLS.
    #[serde(default)]
    pub insecure_http: bool,
    /// Accept an e-mail address that the provider itself marks as unverified.
    /// Safe only where people cannot enter their own address at the provider.
    #[serde(default)]
    pub trust_unverified_email: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    /// `None`: of the whole environment.
    pub organization_id: Option<OrganizationId>,
    pub provider: Provider,
    pub name: String,
    pub enabled: bool,
    /// People whom the organization's domains vouch for get an account at their first login.
    pub jit_provisioning: bool,
    /// The profile follows the provider at every login.
    pub sync_profile: bool,
    pub settings: Settings,
    /// Our secret there, see [`seal_client_secret`].
    pub client_secret_sealed: Option<Vec<u8>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

fn place(id: &ConnectionId) -> Place<'_> {
    Place {
        column: "connections.client_secret",
        id: id.as_str(),
    }
}

/// Seals our secret at the provider of connection `id`.
pub fn seal_client_secret(key: &InstanceKey, id: &ConnectionId, secret: &Secret) -> Vec<u8> {
    key.seal(place(id), secret.expose().as_bytes())
}

impl Connection {
    /// The protocol that is spoken.
    pub const fn kind(&self) -> Kind {
        self.settings.kind()
    }

    /// Our secret at the provider, if there is one.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key.
    pub fn open_client_secret(&self, key: &InstanceKey) -> Result<Option<Secret>, OpenError> {
        let Some(sealed) = &self.client_secret_sealed else {
            return Ok(None);
        };
        let mut bytes: Zeroizing<Vec<u8>> = key.open(place(&self.id), sealed)?;
        let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| OpenError)?;
        Ok(Some(Secret::from_presented(text)))
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, provider, name, enabled, jit_provisioning, sync_profile, settings,
         client_secret_sealed, created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<Connection, Error> {
    let mut columns = Columns::of(row);
    Ok(Connection {
        id: columns.id()?,
        organization_id: columns.optional_id()?,
        provider: columns.parsed("connections.provider", str::parse)?,
        name: columns.text()?,
        enabled: columns.bool()?,
        jit_provisioning: columns.bool()?,
        sync_profile: columns.bool()?,
        settings: columns.json("connections.settings")?,
        client_secret_sealed: columns.optional_bytes()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

async fn changed(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: event::Kind,
    id: &ConnectionId,
    organization_id: Option<&OrganizationId>,
) -> Result<(), Error> {
    let entry = Entry::new(kind)
        .organization(organization_id)
        .with("connection_id", id.as_str());
    event::record(tx, at, entry).await?;
    environment::touch(tx).await
}

/// Adds a connection.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, connection: &Connection) -> Result<(), Error> {
    let settings = json(&connection.settings);
    tx.exec(
        "INSERT INTO connections (id, organization_id, kind, provider, name, enabled, jit_provisioning,
            sync_profile, settings, client_secret_sealed, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        p![
            &connection.id,
            connection.organization_id.as_ref(),
            connection.kind().as_str(),
            connection.provider.as_str(),
            &connection.name,
            connection.enabled,
            connection.jit_provisioning,
            connection.sync_profile,
            &settings,
            connection.client_secret_sealed.as_ref(),
            connection.created_at.as_micros(),
            connection.updated_at.as_micros(),
        ],
    )
    .await?;
    let organization_id = connection.organization_id.as_ref();
    changed(
        tx,
        at,
        event::Kind::OrganizationSsoCreated,
        &connection.id,
        organization_id,
    )
    .await
}

/// Finds a connection.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<Option<Connection>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM connections WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Lists connections, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<ConnectionId>) -> Result<Vec<Connection>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM connections WHERE TRUE"),
        []
    );
    rows.iter().map(read).collect()
}

/// All connections of an organization, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
) -> Result<Vec<Connection>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM connections WHERE organization_id = $1 ORDER BY id"
            ),
            p![organization_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The connections by which people of an organization can sign in, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn enabled_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
) -> Result<Vec<Connection>, Error> {
    let mut connections = list_for_organization(tx, organization_id).await?;
    connections.retain(|connection| connection.enabled);
    Ok(connections)
}

/// Replaces everything but the identifier, the organization, the kind and the
/// time of creation.
///
/// # Errors
///
/// [`Error::Stale`] if it was deleted, or changed since it was read.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, connection: &Connection) -> Result<(), Error> {
    let settings = json(&connection.settings);
    let updated = tx
        .exec(
            "UPDATE connections SET provider = $3, name = $4, enabled = $5, jit_provisioning = $6,
                sync_profile = $7, settings = $8, client_secret_sealed = $9, updated_at = $10
              WHERE id = $1 AND kind = $2 AND updated_at = $11",
            p![
                &connection.id,
                connection.kind().as_str(),
                connection.provider.as_str(),
                &connection.name,
                connection.enabled,
                connection.jit_provisioning,
                connection.sync_profile,
                &settings,
                connection.client_secret_sealed.as_ref(),
                at.after(connection.updated_at).as_micros(),
                connection.updated_at.as_micros(),
            ],
        )
        .await?;
    if updated == 0 {
        return Err(Error::Stale);
    }
    let organization_id = connection.organization_id.as_ref();
    changed(
        tx,
        at,
        event::Kind::OrganizationSsoUpdated,
        &connection.id,
        organization_id,
    )
    .await
}

/// Opens or closes a connection. Says whether that changed anything.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_enabled(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &ConnectionId,
    enabled: bool,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "UPDATE connections SET enabled = $2, updated_at = $3 WHERE id = $1 AND enabled <> $2
             RETURNING organization_id",
            p![id, enabled, at.now.as_micros()],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let organization_id = Columns::of(&row).optional_id()?;
    let kind = if enabled {
        event::Kind::OrganizationSsoEnabled
    } else {
        event::Kind::OrganizationSsoDisabled
    };
    changed(tx, at, kind, id, organization_id.as_ref()).await?;
    Ok(true)
}

/// Deletes a connection and the identities it knew. Users and their sessions
/// stay. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ConnectionId) -> Result<bool, Error> {
    let row = tx
        .opt(
            "DELETE FROM connections WHERE id = $1 RETURNING organization_id",
            p![id],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let organization_id = Columns::of(&row).optional_id()?;
    changed(
        tx,
        at,
        event::Kind::OrganizationSsoDeleted,
        id,
        organization_id.as_ref(),
    )
    .await?;
    Ok(true)
}
