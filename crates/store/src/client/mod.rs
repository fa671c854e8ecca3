//! Clients: applications that ask for tokens.
//!
//! Source: RFC 6749 §2.

mod secret;

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use genkan_protocol::jose::Algorithm;

use crate::event::{self, Entry};
use crate::refresh_token::Rotation;
use crate::row::{Columns, json, secs, words};
use crate::{ClientId, Error, Page, SessionId, Stamp, Timestamp, environment};

pub use secret::{ClientSecret, MAX_ACTIVE_SECRETS, add_secret, delete_secret, secrets};

words! {
    /// What an application is, and so whether it can keep a secret.
    pub enum Kind {
        /// Runs on a server and authenticates itself.
        WebApp = "WEB_APP",
        /// Runs in a browser: public.
        Spa = "SPA",
        /// Runs on a device: public.
        Native = "NTV",
    }
}

impl Kind {
    /// The prefix of new client identifiers of this kind.
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::WebApp => "webc_",
            Self::Spa => "spac_",
            Self::Native => "ntvc_",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    pub kind: Kind,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub back_channel_logout_uris: Vec<String>,
    pub initiate_login_uri: Option<String>,
    /// Development: any loopback address and port is a redirect URI.
    pub any_loopback_redirect: bool,
    pub enforce_pkce: bool,
    /// A confidential client may redeem a code without its secret if the code
    /// is bound to a PKCE challenge.
    pub secret_optional_with_pkce: bool,
    /// See [`Client::rotation`].
    pub strict_refresh_rotation: bool,
    /// `name` and `email` in access tokens, if the scopes were granted.
    pub profile_in_access_token: bool,
    /// Whether its own tokens open the management API.
    pub management_access: bool,
    pub token_algorithm: Algorithm,
    /// `None`: the environment's.
    pub access_token_lifetime: Option<Duration>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Client {
    /// A client with safe defaults: no addresses, no liberties, RS256, which
    /// every SDK verifies.
    pub const fn new(id: ClientId, name: String, kind: Kind, now: Timestamp) -> Self {
        Self {
            id,
            name,
            kind,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            back_channel_logout_uris: Vec::new(),
            initiate_login_uri: None,
            any_loopback_redirect: false,
            enforce_pkce: false,
            secret_optional_with_pkce: false,
            strict_refresh_rotation: false,
            // Applications written for Scalekit greet people from their access token.
            profile_in_access_token: true,
            management_access: false,
            token_algorithm: Algorithm::Rs256,
            access_token_lifetime: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it cannot keep a secret (RFC 6749 §2.1).
    pub const fn is_public(&self) -> bool {
        match self.kind {
            Kind::WebApp => false,
            Kind::Spa | Kind::Native => true,
        }
    }

    /// Whether an authorization request must carry a PKCE challenge.
    pub const fn requires_pkce(&self) -> bool {
        self.is_public() || self.enforce_pkce
    }

    /// How its refresh tokens rotate. RFC 9700 §2.2.2 asks rotation of public
    /// clients; a confidential one is bound by its authentication, and common
    /// applications keep presenting their first token.
    pub const fn rotation(&self) -> Rotation {
        match (self.is_public(), self.strict_refresh_rotation) {
            (true, _) => Rotation::StrictWithGrace,
            (false, true) => Rotation::Strict,
            (false, false) => Rotation::Family,
        }
    }
}

macro_rules! columns {
    () => {
        "c.id, c.name, c.kind, c.redirect_uris, c.post_logout_redirect_uris, c.back_channel_logout_uris,
         c.initiate_login_uri, c.any_loopback_redirect, c.enforce_pkce, c.secret_optional_with_pkce,
         c.strict_refresh_rotation, c.profile_in_access_token, c.management_access, c.token_algorithm,
         c.access_token_lifetime_secs, c.created_at, c.updated_at"
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Client, Error> {
    Ok(Client {
        id: columns.id()?,
        name: columns.text()?,
        kind: columns.parsed("clients.kind", str::parse)?,
        redirect_uris: columns.json("clients.redirect_uris")?,
        post_logout_redirect_uris: columns.json("clients.post_logout_redirect_uris")?,
        back_channel_logout_uris: columns.json("clients.back_channel_logout_uris")?,
        initiate_login_uri: columns.optional_text()?,
        any_loopback_redirect: columns.bool()?,
        enforce_pkce: columns.bool()?,
        secret_optional_with_pkce: columns.bool()?,
        strict_refresh_rotation: columns.bool()?,
        profile_in_access_token: columns.bool()?,
        management_access: columns.bool()?,
        token_algorithm: columns.parsed("clients.token_algorithm", str::parse)?,
        access_token_lifetime: columns.optional_seconds()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn read_row(row: &Row) -> Result<Client, Error> {
    read(&mut Columns::of(row))
}

/// Adds a client.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, client: &Client) -> Result<(), Error> {
    let redirect_uris = json(&client.redirect_uris);
    let post_logout_redirect_uris = json(&client.post_logout_redirect_uris);
    let back_channel_logout_uris = json(&client.back_channel_logout_uris);
    let algorithm = client.token_algorithm.to_string();
    tx.exec(
        "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
            initiate_login_uri, any_loopback_redirect, enforce_pkce, secret_optional_with_pkce,
            strict_refresh_rotation, profile_in_access_token, management_access, token_algorithm,
            access_token_lifetime_secs, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        p![
            &client.id,
            &client.name,
            client.kind.as_str(),
            &redirect_uris,
            &post_logout_redirect_uris,
            &back_channel_logout_uris,
            client.initiate_login_uri.as_deref(),
            client.any_loopback_redirect,
            client.enforce_pkce,
            client.secret_optional_with_pkce,
            client.strict_refresh_rotation,
            client.profile_in_access_token,
            client.management_access,
            &algorithm,
            client.access_token_lifetime.map(secs),
            client.created_at.as_micros(),
            client.updated_at.as_micros(),
        ],
    )
    .await?;
    event::record(tx, at, Entry::new(event::Kind::ClientCreated).client(&client.id)).await?;
    environment::touch(tx).await
}

/// Finds a client.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &ClientId) -> Result<Option<Client>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM clients c WHERE c.id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read_row).transpose()
}

/// Finds a client and its secrets, expired ones too, in one round trip.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_with_secrets(
    tx: &mut Tx<'_>,
    id: &ClientId,
) -> Result<Option<(Client, Vec<ClientSecret>)>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                ", s.id, s.secret_hash, s.suffix, s.created_at, s.expires_at
                 FROM clients c LEFT JOIN client_secrets s ON s.client_id = c.id
                WHERE c.id = $1 ORDER BY s.id"
            ),
            p![id],
        )
        .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let client = read_row(first)?;
    let secrets = rows
        .iter()
        .filter_map(|row| secret::read_joined(row, id).transpose());
    Ok(Some((client, secrets.collect::<Result<_, _>>()?)))
}

/// Lists clients, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<ClientId>) -> Result<Vec<Client>, Error> {
    // Their prefixes differ, so their identifiers alone do not sort by time.
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM clients c
                 WHERE CAST($1 AS TEXT) IS NULL
                    OR (c.created_at, c.id) < (SELECT a.created_at, a.id FROM clients a WHERE a.id = $1)
                 ORDER BY c.created_at DESC, c.id DESC LIMIT $2"
            ),
            p![page.edge(), page.limit()],
        )
        .await?;
    rows.iter().map(read_row).collect()
}

/// Replaces everything but the identifier, the kind and the time of creation.
///
/// # Errors
///
/// [`Error::Stale`] if it was deleted, or changed since `client` was read
/// (told by `updated_at`).
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, client: &Client) -> Result<(), Error> {
    let redirect_uris = json(&client.redirect_uris);
    let post_logout_redirect_uris = json(&client.post_logout_redirect_uris);
    let back_channel_logout_uris = json(&client.back_channel_logout_uris);
    let algorithm = client.token_algorithm.to_string();
    let changed = tx
        .exec(
            "UPDATE clients SET name = $2, redirect_uris = $3, post_logout_redirect_uris = $4,
                back_channel_logout_uris = $5, initiate_login_uri = $6, any_loopback_redirect = $7,
                enforce_pkce = $8, secret_optional_with_pkce = $9, strict_refresh_rotation = $10,
                profile_in_access_token = $11, management_access = $12, token_algorithm = $13,
                access_token_lifetime_secs = $14, updated_at = $15
              WHERE id = $1 AND updated_at = $16",
            p![
                &client.id,
                &client.name,
                &redirect_uris,
                &post_logout_redirect_uris,
                &back_channel_logout_uris,
                client.initiate_login_uri.as_deref(),
                client.any_loopback_redirect,
                client.enforce_pkce,
                client.secret_optional_with_pkce,
                client.strict_refresh_rotation,
                client.profile_in_access_token,
                client.management_access,
                &algorithm,
                client.access_token_lifetime.map(secs),
                at.after(client.updated_at).as_micros(),
                client.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    event::record(tx, at, Entry::new(event::Kind::ClientUpdated).client(&client.id)).await?;
    environment::touch(tx).await
}

/// The redirect URIs of all clients: whoever answers browsers across origins
/// allows theirs.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn all_redirect_uris(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let rows = tx.all("SELECT redirect_uris FROM clients", p![]).await?;
    let mut all = Vec::new();
    for row in &rows {
        let uris: Vec<String> = Columns::of(row).json("clients.redirect_uris")?;
        all.extend(uris);
    }
    Ok(all)
}

/// Where a login that began elsewhere is sent: the address of the oldest
/// client that has registered one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn initiate_login_uri(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let row = tx
        .opt(
            "SELECT initiate_login_uri FROM clients WHERE initiate_login_uri IS NOT NULL
              ORDER BY created_at, id LIMIT 1",
            p![],
        )
        .await?;
    row.map_or(Ok(None), |row| Columns::of(&row).optional_text())
}

/// The clients that a session has signed in to.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_session(tx: &mut Tx<'_>, session_id: &SessionId) -> Result<Vec<Client>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM clients c WHERE c.id IN (SELECT client_id FROM grants WHERE session_id = $1)"
            ),
            p![session_id],
        )
        .await?;
    rows.iter().map(read_row).collect()
}

/// Deletes a client with its secrets and grants, so that none of its refresh
/// tokens lives on. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ClientId) -> Result<bool, Error> {
    if tx.exec("DELETE FROM clients WHERE id = $1", p![id]).await? == 0 {
        return Ok(false);
    }
    event::record(tx, at, Entry::new(event::Kind::ClientDeleted).client(id)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
