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
    let rows = tx
        .all(
            "SELECT id, settings FROM connections WHERE kind = $1 AND id <> $2",
            p![Kind::Saml.as_str(), id],
        )
        .await?;
    for row in &rows {
        let mut columns = Columns::of(row);
        let other_id: ConnectionId = columns.id()?;
        let other: Settings = columns.json("connections.settings")?;
        let Protocol::Saml(other) = &other.protocol else {
            continue;
        };
        let is_one_provider =
            settings.idp_entity_id.is_some() && settings.idp_entity_id == other.idp_entity_id;
        let theirs = [&other.sp_entity_id, &other.sp_assertion_url];
        for ((value, endpoint, conflict), theirs) in entered.into_iter().zip(theirs) {
            let Some(value) = value else { continue };
            let is_address = value.ends_with(&path(Kind::Saml, &other_id, endpoint));
            if is_address || (is_one_provider && theirs.as_ref() == Some(value)) {
                return Err(Error::Conflict(conflict));
            }
        }
    }
    Ok(())
}
