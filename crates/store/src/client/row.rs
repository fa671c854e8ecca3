//! Rows of clients.

use genkan_db::{Row, Tx, p};

use super::{Client, Owner};
use crate::event::{self, Entry, Kind};
use crate::row::{Columns, json, secs};
use crate::{ClientId, Error, Stamp, conflict, environment};

macro_rules! columns {
    () => {
        "c.id, c.name, c.kind, c.redirect_uris, c.post_logout_redirect_uris, c.back_channel_logout_uris,
         c.initiate_login_uri, c.any_loopback_redirect, c.enforce_pkce, c.secret_optional_with_pkce,
         c.strict_refresh_rotation, c.profile_in_access_token, c.management_access, c.token_algorithm,
         c.access_token_lifetime_secs, c.created_at, c.updated_at, c.organization_id, c.resource_id,
         c.description, c.scope, c.audience, c.custom_claims, c.grant_types, c.introspect_all"
    };
}
pub(super) use columns;

/// The number of columns of a client. In a join the columns of its secret follow.
pub(super) const COLUMNS: usize = 25;

pub(super) fn read(row: &Row) -> Result<Client, Error> {
    let mut columns = Columns::of(row);
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
        owner: match (columns.optional_id()?, columns.optional_id()?) {
            (None, None) => Owner::Environment,
            (Some(organization_id), None) => Owner::Organization(organization_id),
            (None, Some(resource_id)) => Owner::Resource(resource_id),
            (Some(_), Some(_)) => return Err(Error::Corrupt("clients.resource_id")),
        },
        description: columns.text()?,
        scope: columns.parsed("clients.scope", str::parse)?,
        audience: columns.json("clients.audience")?,
        custom_claims: columns.json("clients.custom_claims")?,
        grant_types: columns.json("clients.grant_types")?,
        introspect_all: columns.bool()?,
    })
}

/// The columns that are rendered as text first.
struct TextColumns {
    redirect_uris: String,
    post_logout_redirect_uris: String,
    back_channel_logout_uris: String,
    algorithm: String,
    scope: String,
    audience: String,
    custom_claims: String,
    grant_types: String,
}

impl TextColumns {
    fn of(client: &Client) -> Self {
        Self {
            redirect_uris: json(&client.redirect_uris),
            post_logout_redirect_uris: json(&client.post_logout_redirect_uris),
            back_channel_logout_uris: json(&client.back_channel_logout_uris),
            algorithm: client.token_algorithm.to_string(),
            scope: client.scope.to_string(),
            audience: json(&client.audience),
            custom_claims: json(&client.custom_claims),
            grant_types: json(&client.grant_types),
        }
    }
}

/// The entry of an event about a client.
pub(super) fn entry(kind: Kind, client: &Client) -> Entry<'_> {
    Entry::new(kind)
        .client(&client.id)
        .organization(client.owner.organization_id())
}

/// Adds a client.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, client: &Client) -> Result<(), Error> {
    let rendered = TextColumns::of(client);
    tx.exec(
        "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
            initiate_login_uri, any_loopback_redirect, enforce_pkce, secret_optional_with_pkce,
            strict_refresh_rotation, profile_in_access_token, management_access, token_algorithm,
            access_token_lifetime_secs, created_at, updated_at, organization_id, resource_id, description, scope,
            audience, custom_claims, grant_types, introspect_all)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            $22, $23, $24, $25)",
        p![
            &client.id,
            &client.name,
            client.kind.as_str(),
            &rendered.redirect_uris,
            &rendered.post_logout_redirect_uris,
            &rendered.back_channel_logout_uris,
            client.initiate_login_uri.as_deref(),
            client.any_loopback_redirect,
            client.enforce_pkce,
            client.secret_optional_with_pkce,
            client.strict_refresh_rotation,
            client.profile_in_access_token,
            client.management_access,
            &rendered.algorithm,
            client.access_token_lifetime.map(secs),
            client.created_at.as_micros(),
            client.updated_at.as_micros(),
            client.owner.organization_id(),
            client.owner.resource_id(),
            &client.description,
            &rendered.scope,
            &rendered.audience,
            &rendered.custom_claims,
            &rendered.grant_types,
            client.introspect_all,
        ],
    )
    .await?;
    event::record(tx, at, entry(Kind::ClientCreated, client)).await?;
    environment::touch(tx).await
}

/// Finds a client, whoever owns it.
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
    row.as_ref().map(read).transpose()
}

/// Finds a client of one owner. A client of another owner is not found.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_owned(tx: &mut Tx<'_>, owner: &Owner, id: &ClientId) -> Result<Option<Client>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM clients c
                 WHERE c.id = $1
                   AND COALESCE(c.organization_id, '') = COALESCE(CAST($2 AS TEXT), '')
                   AND COALESCE(c.resource_id, '') = COALESCE(CAST($3 AS TEXT), '')"
            ),
            p![id, owner.organization_id(), owner.resource_id()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Replaces everything but the identifier, the kind, the owner and the creation time.
///
/// # Errors
///
/// [`Error::Stale`] if it was deleted, or changed since `client` was read (as `updated_at` shows).
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, client: &Client) -> Result<(), Error> {
    let rendered = TextColumns::of(client);
    let changed = tx
        .exec(
            "UPDATE clients SET name = $2, redirect_uris = $3, post_logout_redirect_uris = $4,
                back_channel_logout_uris = $5, initiate_login_uri = $6, any_loopback_redirect = $7,
                enforce_pkce = $8, secret_optional_with_pkce = $9, strict_refresh_rotation = $10,
                profile_in_access_token = $11, management_access = $12, token_algorithm = $13,
                access_token_lifetime_secs = $14, updated_at = $15, description = $17, scope = $18,
                audience = $19, custom_claims = $20, grant_types = $21, introspect_all = $22
              WHERE id = $1 AND updated_at = $16",
            p![
                &client.id,
                &client.name,
                &rendered.redirect_uris,
                &rendered.post_logout_redirect_uris,
                &rendered.back_channel_logout_uris,
                client.initiate_login_uri.as_deref(),
                client.any_loopback_redirect,
                client.enforce_pkce,
                client.secret_optional_with_pkce,
                client.strict_refresh_rotation,
                client.profile_in_access_token,
                client.management_access,
                &rendered.algorithm,
                client.access_token_lifetime.map(secs),
                at.after(client.updated_at).as_micros(),
                client.updated_at.as_micros(),
                &client.description,
                &rendered.scope,
                &rendered.audience,
                &rendered.custom_claims,
                &rendered.grant_types,
                client.introspect_all,
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    event::record(tx, at, entry(Kind::ClientUpdated, client)).await?;
    environment::touch(tx).await
}

/// Deletes a client with its secrets and grants, so that its refresh tokens end as well. Says whether there
/// was one.
///
/// # Errors
///
/// [`conflict::DEFAULT_CLIENT`] if it was created with the environment.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ClientId) -> Result<bool, Error> {
    let Some(client) = find(tx, id).await? else {
        return Ok(false);
    };
    if client.is_default() {
        return Err(Error::Conflict(conflict::DEFAULT_CLIENT));
    }
    tx.exec("DELETE FROM clients WHERE id = $1", p![id]).await?;
    event::record(tx, at, entry(Kind::ClientDeleted, &client)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
