//! Connections: an organization's way to an identity provider.

mod address;
mod change;
mod check;
pub mod claims;
pub mod domains;
mod edit;
mod held;
pub mod hosted_domain;
pub mod key;
mod list;
mod oidc;
mod others;
mod row;
mod rules;
mod saml;
mod service_provider;
mod settings;
mod source;

use genkan_db::{Tx, p};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::event::shape::{self, connection_columns};
use crate::event::{self, Entry, Object};
use crate::organization::other_ways;
use crate::row::{Columns, json, words};
use crate::seal::{OpenError, SealContext};
use crate::{
    ConnectionId, Error, InstanceKey, OrganizationId, Provider, Secret, Stamp, Timestamp, conflict,
    environment, session,
};

pub use address::{Endpoint, path};
pub use change::{Attributes, Change, ChangeEffect, ChangeError, MAX_SECRET_BYTES, NewSecret, apply};
pub use claims::RolesFrom;
pub use edit::Edit;
pub(crate) use held::{find_held, hold_alone};
pub use list::{
    Filter, ListedConnection, count, enabled_for_organization, list, list_for_organization, search,
};
pub use oidc::{OidcChange, OidcSettings, TokenAuthType};
pub use others::AT_PROVIDER;
use row::{COLUMNS, read};
pub(crate) use row::{columns, read_columns};
pub use rules::{ConfigurationType, EmailTrust, Mistake, WITHOUT_TLS};
pub use saml::{NameIdFormat, RequestBinding, SamlCertificate, SamlChange, SamlSettings, SigningOption};
pub use service_provider::ServiceProvider;
pub use settings::{Common, Kind, Protocol, ProtocolChange, Settings};
pub use source::{AttributeSource, attribute_sources, without_source};

words! {
    /// The progress of setting up a connection.
    pub enum Status {
        /// Nothing was entered.
        Draft = "DRAFT",
        /// Something is missing, see [`Connection::missing`].
        InProgress = "IN_PROGRESS",
        /// It can be enabled.
        Completed = "COMPLETED",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    /// `None`: of the whole environment.
    pub organization_id: Option<OrganizationId>,
    pub provider: Provider,
    pub name: String,
    pub enabled: bool,
    /// A person for whom the organization's domains vouch gets an account at the first login.
    pub jit_provisioning: bool,
    /// The profile follows the provider at every login.
    pub sync_profile: bool,
    pub settings: Settings,
    /// Our secret at the provider, see [`seal_client_secret`].
    pub client_secret_sealed: Option<Vec<u8>>,
    /// The application's name for it.
    pub key_id: Option<String>,
    /// The text of a button that leads there.
    pub ui_button_title: Option<String>,
    /// It signs in only the domains that were assigned to it, see [`domains`].
    pub assigned_domains_only: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

fn place(id: &ConnectionId) -> SealContext<'_> {
    SealContext {
        column: "connections.client_secret",
        id: id.as_str(),
    }
}

/// Seals our secret at the provider of connection `id`.
pub fn seal_client_secret(key: &InstanceKey, id: &ConnectionId, secret: &Secret) -> Vec<u8> {
    key.seal(place(id), secret.expose().as_bytes())
}

impl Connection {
    /// A new connection: disabled, with the default settings.
    pub fn new(
        at: Stamp<'_>,
        organization_id: Option<OrganizationId>,
        provider: Provider,
        settings: Settings,
    ) -> Self {
        Self {
            id: at.id(),
            organization_id,
            provider,
            name: provider.title().to_owned(),
            enabled: false,
            jit_provisioning: true,
            sync_profile: true,
            settings,
            client_secret_sealed: None,
            key_id: None,
            ui_button_title: None,
            assigned_domains_only: false,
            created_at: at.now,
            updated_at: at.now,
        }
    }

    /// The protocol of the connection.
    pub fn kind(&self) -> Kind {
        self.settings.kind()
    }

    /// Deletes our secret if this change of `before` would send it elsewhere without bringing it again.
    /// Otherwise a person who may change a connection, but may not read the secret, could have it sent to
    /// themselves. Says whether it did.
    fn forget_secret_that_would_follow(&mut self, before: &Self) -> bool {
        let follows = self.client_secret_sealed.is_some()
            // A newly sealed secret differs, even if its value is the same.
            && self.client_secret_sealed == before.client_secret_sealed
            && self.settings.sends_secret_elsewhere(&before.settings);
        if follows {
            self.client_secret_sealed = None;
        }
        follows
    }

    /// Our secret at the provider, if it was entered.
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

async fn changed(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: event::Kind,
    id: &ConnectionId,
    organization_id: Option<&OrganizationId>,
) -> Result<(), Error> {
    let now = shape::Connection::find(tx, id).await?.ok_or(Error::Stale)?;
    if let Some(organization_id) = organization_id.filter(|_| now.enabled) {
        other_ways::close(tx, at, organization_id).await?;
    }
    let entry = Entry::new(kind).organization(organization_id).connection(id);
    event::record(tx, at, entry.object(Object::of(&now))).await?;
    environment::touch(tx).await
}

/// Rules that the caller has checked before, to give a better message.
fn refuse_unfit(connection: &Connection) -> Result<(), Error> {
    // Whether plain HTTP is allowed here is checked at every use.
    if connection.check(true).is_err() {
        return Err(Error::Conflict(conflict::CONNECTION_INVALID));
    }
    if connection.enabled && !connection.missing().is_empty() {
        return Err(Error::Conflict(conflict::CONNECTION_INCOMPLETE));
    }
    Ok(())
}

/// Adds a connection.
///
/// # Errors
///
/// - [`conflict::CONNECTION_ATTRIBUTE`] if it maps an attribute that is neither ours nor registered.
/// - [`conflict::CONNECTION_REDIRECT`], [`conflict::CONNECTION_ENTITY_ID`] or
///   [`conflict::CONNECTION_ASSERTION_URL`] if it names what no application or another connection has.
/// - [`conflict::CONNECTION_INVALID`] if [`Connection::check`] refuses it.
/// - [`conflict::CONNECTION_INCOMPLETE`] if it is enabled and something is missing.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, connection: &Connection) -> Result<(), Error> {
    refuse_unfit(connection)?;
    source::refuse_unknown(tx, connection, None).await?;
    others::refuse_unfit(tx, connection, None).await?;
    let settings = json(&connection.settings);
    tx.exec(
        "INSERT INTO connections (id, organization_id, kind, provider, name, enabled, jit_provisioning,
            sync_profile, settings, client_secret_sealed, key_id, ui_button_title, assigned_domains_only,
            status, created_at, updated_at, idp_entity_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
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
            connection.key_id.as_deref(),
            connection.ui_button_title.as_deref(),
            connection.assigned_domains_only,
            connection.status().as_str(),
            connection.created_at.as_micros(),
            connection.updated_at.as_micros(),
            others::provider(connection),
        ],
    )
    .await?;
    let organization_id = connection.organization_id.as_ref();
    let kind = event::Kind::OrganizationSsoCreated;
    changed(tx, at, kind, &connection.id, organization_id).await
}

/// Finds a connection of any owner.
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

/// Finds a connection of an organization, or with `None` one of the whole environment.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_of(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    id: &ConnectionId,
) -> Result<Option<Connection>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM connections WHERE id = $1
                   AND (organization_id = $2 OR (organization_id IS NULL AND CAST($2 AS TEXT) IS NULL))"
            ),
            p![id, organization_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Replaces everything but the identifier, the organization, the kind, the assigned domains and the
/// creation time.
///
/// Another provider may use the same subjects for other people. So if the issuer or entity id changes, the
/// connection's identities are deleted, and people are found by their address again. Our secret is deleted
/// too, unless the change brings it, see [`Connection::forget_secret_that_would_follow`].
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`conflict::CONNECTION_CERTIFICATE`] if it names another key of ours that may not sign.
/// - As [`insert`].
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, connection: &Connection) -> Result<(), Error> {
    hold_alone(tx, &connection.id).await?;
    let before = find(tx, &connection.id).await?.ok_or(Error::Stale)?;
    if before.updated_at != connection.updated_at {
        return Err(Error::Stale);
    }
    let mut connection = connection.clone();
    connection.forget_secret_that_would_follow(&before);
    key::check_choice(tx, &connection, &before).await?;
    let rules = connection.settings.protocol.rules_mut();
    let is_other_authority = before.settings.protocol.rules().authority() != rules.authority();
    if is_other_authority {
        rules.meet_another_authority();
    }
    let connection = &connection;
    refuse_unfit(connection)?;
    source::refuse_unknown(tx, connection, Some(&before)).await?;
    others::refuse_unfit(tx, connection, Some(&before)).await?;
    let settings = json(&connection.settings);
    let updated = tx
        .exec(
            "UPDATE connections SET provider = $3, name = $4, enabled = $5, jit_provisioning = $6,
                sync_profile = $7, settings = $8, client_secret_sealed = $9, key_id = $10,
                ui_button_title = $11, status = $12, updated_at = $13, idp_entity_id = $15
              WHERE id = $1 AND kind = $2 AND updated_at = $14",
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
                connection.key_id.as_deref(),
                connection.ui_button_title.as_deref(),
                connection.status().as_str(),
                at.after(connection.updated_at).as_micros(),
                connection.updated_at.as_micros(),
                others::provider(connection),
            ],
        )
        .await?;
    if updated == 0 {
        return Err(Error::Stale);
    }
    if is_other_authority {
        tx.exec(
            "DELETE FROM identities WHERE connection_id = $1",
            p![&connection.id],
        )
        .await?;
    }
    let organization_id = connection.organization_id.as_ref();
    let kind = event::Kind::OrganizationSsoUpdated;
    changed(tx, at, kind, &connection.id, organization_id).await
}

/// The result of [`enable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnableOutcome {
    /// People can sign in through it. It may have been enabled before.
    Enabled,
    /// These fields must be entered first.
    Incomplete(Vec<&'static str>),
    /// This cannot work, although nothing is missing.
    Unfit(Mistake),
    /// There is no such connection.
    Unknown,
}

/// Lets people sign in through a connection, if nothing is missing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn enable(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ConnectionId) -> Result<EnableOutcome, Error> {
    let Some(connection) = find(tx, id).await? else {
        return Ok(EnableOutcome::Unknown);
    };
    let missing = connection.missing();
    if !missing.is_empty() {
        return Ok(EnableOutcome::Incomplete(missing));
    }
    if let Err(mistake) = connection.settings.protocol.rules().check_use() {
        return Ok(EnableOutcome::Unfit(mistake));
    }
    set_enabled(tx, at, id, true).await?;
    Ok(EnableOutcome::Enabled)
}

/// Stops sign-ins through a connection, also those under way. Sessions stay, see
/// [`session::end_all_for_connection`]. Says whether it was enabled.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn disable(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ConnectionId) -> Result<bool, Error> {
    set_enabled(tx, at, id, false).await
}

async fn set_enabled(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &ConnectionId,
    enabled: bool,
) -> Result<bool, Error> {
    // Before the change: later sign-ins wait for it, and it waits for the sign-ins under way.
    hold_alone(tx, id).await?;
    let row = tx
        .opt(
            // `updated_at` always changes, so that an editor who read it as enabled cannot enable it again.
            "UPDATE connections SET enabled = $2,
                updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END
              WHERE id = $1 AND enabled <> $2 RETURNING organization_id",
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

/// Deletes a connection with its identities, and ends the sessions that began there, because nobody vouches
/// for them any more. Users stay. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ConnectionId) -> Result<bool, Error> {
    session::end_all_for_connection(tx, at, id).await?;
    let row = tx
        .opt(
            concat!(
                "DELETE FROM connections WHERE id = $1 RETURNING organization_id, ",
                connection_columns!()
            ),
            p![id],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let mut columns = Columns::of(&row);
    let organization_id: Option<OrganizationId> = columns.optional_id()?;
    let before = shape::Connection::read(&mut columns)?;
    let entry = Entry::new(event::Kind::OrganizationSsoDeleted)
        .organization(organization_id.as_ref())
        .connection(id);
    event::record(tx, at, entry.object(Object::of(&before))).await?;
    environment::touch(tx).await?;
    Ok(true)
}

/// Data that the application stores with a connection. Genkan does not read it.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such connection.
pub async fn context(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<Map<String, Value>, Error> {
    let row = tx
        .opt("SELECT context FROM connections WHERE id = $1", p![id])
        .await?
        .ok_or(Error::Stale)?;
    Columns::of(&row).json("connections.context")
}

/// Replaces the data that the application stores with a connection.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such connection.
pub async fn set_context(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &ConnectionId,
    context: &Map<String, Value>,
) -> Result<(), Error> {
    let row = tx
        .opt(
            "UPDATE connections SET context = $2 WHERE id = $1 RETURNING organization_id",
            p![id, &json(context)],
        )
        .await?
        .ok_or(Error::Stale)?;
    let organization_id = Columns::of(&row).optional_id()?;
    let kind = event::Kind::OrganizationSsoUpdated;
    changed(tx, at, kind, id, organization_id.as_ref()).await
}
