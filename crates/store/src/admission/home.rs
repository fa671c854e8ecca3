//! Whose people somebody is: the organization that has the domain of their
//! address may say how they are called, and no other.

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use super::{Profile, Refusal};
use crate::connection::{self, Connection, EmailTrust, Settings};
use crate::user::User;
use crate::{Error, OrganizationId, Timestamp, UserId, domain, user};

/// An address that a connection may speak for.
#[derive(Debug, Clone)]
pub(super) struct Vouched {
    pub(super) email: EmailAddress,
    /// Its domain was shown to be the organization's, and not only claimed.
    pub(super) is_proved: bool,
}

/// The address of a profile, if the connection may speak for it.
pub(super) async fn vouch(
    tx: &mut Tx<'_>,
    connection: &Connection,
    profile: &Profile,
) -> Result<Result<Vouched, Refusal>, Error> {
    let Some(email) = &profile.email else {
        return Ok(Err(Refusal::EmailMissing));
    };
    let Some(is_proved) = speaks_for(tx, connection, email).await? else {
        return Ok(Err(Refusal::EmailNotTrusted));
    };
    let trust = match &connection.settings {
        Settings::Oidc(settings) => settings.email_trust(),
        // SAML knows no unverified addresses.
        Settings::Saml(_) => EmailTrust::NotDoubted,
    };
    // An employee who can enter any address at the provider must not become a colleague.
    let counts = match trust {
        EmailTrust::Verified => profile.email_verified == Some(true),
        EmailTrust::NotDoubted => profile.email_verified != Some(false),
        EmailTrust::Any => true,
    };
    if !counts {
        return Ok(Err(Refusal::EmailNotVerified));
    }
    Ok(Ok(Vouched {
        email: email.clone(),
        is_proved,
    }))
}

/// Whether a connection speaks for an address, and if so, whether its domain is proved.
pub(super) async fn speaks_for(
    tx: &mut Tx<'_>,
    connection: &Connection,
    email: &EmailAddress,
) -> Result<Option<bool>, Error> {
    let owner = domain::find_owner(tx, email.domain()).await?;
    // A connection of the whole environment belongs to no organization, so no domain vouches for it.
    let Some(owner) =
        owner.filter(|owner| Some(&owner.organization_id) == connection.organization_id.as_ref())
    else {
        return Ok(None);
    };
    let may_vouch = connection::domains::may_vouch(tx, connection, email.domain()).await?;
    Ok(may_vouch.then_some(owner.is_proved))
}

/// Whether a user belongs to another organization than the connection's, or is
/// invited there. An invitation that has expired counts for nothing.
pub(super) async fn belongs_elsewhere(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user_id: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let own: Option<&OrganizationId> = connection.organization_id.as_ref();
    let row = tx
        .opt(
            "SELECT organization_id FROM memberships
              WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR organization_id <> $2)
                AND (status <> 'PENDING_INVITE' OR expires_at > $3) LIMIT 1",
            p![user_id, own, now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// What of a profile a user takes over from a connection.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The verified address that the user should have now.
    pub(super) email: Option<EmailAddress>,
    /// Name, picture and the like.
    pub(super) names: bool,
}

/// What a user takes over: nothing unless this organization is their home, which
/// means that the connection speaks for the address that they have, by a domain
/// that is proved if they belong elsewhere too.
///
/// An address changes only from one such address to another, and never to
/// somebody else's.
pub(super) async fn followed(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user: &User,
    vouched: Option<&Vouched>,
    now: Timestamp,
) -> Result<Followed, Error> {
    let Some(vouched) = vouched else {
        return Ok(Followed::default());
    };
    let Some(is_proved) = speaks_for(tx, connection, &user.email).await? else {
        return Ok(Followed::default());
    };
    let all_proved = is_proved && vouched.is_proved;
    if !all_proved && belongs_elsewhere(tx, connection, &user.id, now).await? {
        return Ok(Followed::default());
    }
    let is_same = vouched.email == user.email;
    let may_change = connection.sync_profile && user::find_by_email(tx, &vouched.email).await?.is_none();
    Ok(Followed {
        email: (is_same || may_change).then(|| vouched.email.clone()),
        names: connection.sync_profile,
    })
}
