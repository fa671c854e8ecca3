//! Settings of a SAML connection that name what belongs to others: the address of an application, and what
//! another connection is called at its provider.

use genkan_db::{Tx, p};

use super::{Connection, Endpoint, Kind, Protocol, SamlSettings, Settings, path};
use crate::row::Columns;
use crate::{ConnectionId, Error, client, conflict};

/// Refuses settings that lead to nobody, or are those of another connection, unless they were there `before`.
///
/// An application may forget its address later. So the address is looked up again when it is used.
pub(super) async fn refuse_unfit(
    tx: &mut Tx<'_>,
    connection: &Connection,
    before: Option<&Connection>,
) -> Result<(), Error> {
    let Some(settings) = connection.settings.as_saml() else {
        return Ok(());
    };
    let before = before.and_then(|before| before.settings.as_saml());
    let redirect = |settings: &SamlSettings| settings.default_redirect_uri.clone();
    if let Some(uri) = redirect(settings)
        && before.and_then(redirect).as_ref() != Some(&uri)
        && client::login_start(tx, Some(&uri)).await?.is_none()
    {
        return Err(Error::Conflict(conflict::CONNECTION_REDIRECT));
    }
    let own = |settings: &SamlSettings| {
        (
            settings.sp_entity_id.clone(),
            settings.sp_assertion_url.clone(),
            settings.idp_entity_id.clone(),
        )
    };
    let is_entered = settings.sp_entity_id.is_some() || settings.sp_assertion_url.is_some();
    if is_entered && before.map(own) != Some(own(settings)) {
        refuse_names_of_others(tx, &connection.id, settings).await?;
    }
    Ok(())
}

/// The provider of a SAML connection, by which its row is found. Empty if none is entered.
pub(super) fn provider(connection: &Connection) -> Option<&str> {
    let settings = connection.settings.as_saml()?;
    Some(settings.idp_entity_id.as_deref().unwrap_or_default())
}

/// A company that moves to Genkan may have had one name for all its customers, so two connections may share one.
/// But not to one provider: an assertion for the one would be an assertion for the other.
async fn refuse_names_of_others(
    tx: &mut Tx<'_>,
    id: &ConnectionId,
    settings: &SamlSettings,
) -> Result<(), Error> {
    let entered = [
        (
            &settings.sp_entity_id,
            Endpoint::Entity,
            conflict::CONNECTION_ENTITY_ID,
        ),
        (
            &settings.sp_assertion_url,
            Endpoint::Callback,
            conflict::CONNECTION_ASSERTION_URL,
        ),
    ];
    for (value, endpoint, conflict) in &entered {
        if let Some(value) = value
            && is_address_of_another(tx, id, (value.as_str(), *endpoint)).await?
        {
            return Err(Error::Conflict(conflict));
        }
    }
    let Some(provider) = &settings.idp_entity_id else {
        return Ok(());
    };
    for other in at_provider(tx, id, provider).await? {
        let theirs = [&other.sp_entity_id, &other.sp_assertion_url];
        for ((value, _, conflict), theirs) in entered.iter().zip(theirs) {
            if value.is_some() && *value == theirs {
                return Err(Error::Conflict(conflict));
            }
        }
    }
    Ok(())
}

/// `true` if another connection has this text as its address, at any host.
async fn is_address_of_another(
    tx: &mut Tx<'_>,
    id: &ConnectionId,
    (value, endpoint): (&str, Endpoint),
) -> Result<bool, Error> {
    let named = value
        .split('/')
        .filter_map(|segment| ConnectionId::parse(segment).ok())
        .find(|named| named != id && value.ends_with(&path(Kind::Saml, named, endpoint)));
    let Some(named) = named else { return Ok(false) };
    let row = tx
        .opt(
            "SELECT 1 FROM connections WHERE id = $1 AND kind = $2",
            p![&named, Kind::Saml.as_str()],
        )
        .await?;
    Ok(row.is_some())
}

/// The settings of the connections to the provider `$1` but `$2`, and of rows of earlier versions, whose provider
/// has no column. The kind is written out so that the index serves, which has SAML connections alone.
pub const AT_PROVIDER: &str =
    "SELECT settings FROM connections WHERE kind = 'SAML' AND idp_entity_id = $1 AND id <> $2
     UNION ALL
     SELECT settings FROM connections WHERE kind = 'SAML' AND idp_entity_id IS NULL AND id <> $2";

/// The other connections to a provider.
async fn at_provider(tx: &mut Tx<'_>, id: &ConnectionId, provider: &str) -> Result<Vec<SamlSettings>, Error> {
    let rows = tx.all(AT_PROVIDER, p![provider, id]).await?;
    let mut others = Vec::with_capacity(rows.len());
    for row in &rows {
        let settings: Settings = Columns::of(row).json("connections.settings")?;
        // A row of an earlier version may have any provider.
        if let Protocol::Saml(settings) = settings.protocol
            && settings.idp_entity_id.as_deref() == Some(provider)
        {
            others.push(settings);
        }
    }
    Ok(others)
}
