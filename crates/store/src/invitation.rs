//! Invitations: a link by e-mail that makes a person an active member of an organization.
//!
//! The link counts once, and only while the invited address is the user's. A person who opens it has read
//! the mail, so it verifies the address. It signs nobody in.

use std::time::Duration;

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use crate::event::{self, Entry, Kind};
use crate::mail::{self, Letter, Mail};
use crate::membership::{self, Membership, NewMember};
use crate::row::Columns;
use crate::{
    Error, InstanceKey, OrganizationId, Secret, SecretHash, Stamp, Timestamp, UserId, conflict, user,
};

/// How long a person has to accept.
pub const LIFETIME: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// The newest invitation of a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    /// The address that it was sent to.
    pub email: EmailAddress,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub resent_at: Option<Timestamp>,
    pub resent_count: u32,
    pub accepted_at: Option<Timestamp>,
}

impl Invitation {
    /// Whether it can be accepted at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && now < self.expires_at
    }
}

macro_rules! columns {
    () => {
        "invitations.organization_id, invitations.user_id, invitations.email, invitations.created_at,
         invitations.expires_at, invitations.resent_at, invitations.resent_count, invitations.accepted_at"
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Invitation, Error> {
    Ok(Invitation {
        organization_id: columns.id()?,
        user_id: columns.id()?,
        email: columns.parsed("invitations.email", EmailAddress::parse)?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        resent_at: columns.optional_time()?,
        resent_count: u32::try_from(columns.int()?).unwrap_or(u32::MAX),
        accepted_at: columns.optional_time()?,
    })
}

/// Makes a user a pending member and queues the mail that asks them to accept. The services and the command
/// line both invite through this function.
///
/// # Errors
///
/// As [`membership::create`].
pub async fn send(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    joining: &NewMember<'_>,
) -> Result<Membership, Error> {
    let token = Secret::generate();
    let membership = invite(tx, at, joining, &token.sha256(), LIFETIME).await?;
    enqueue_mail(tx, at, key, &token).await?;
    Ok(membership)
}

/// Gives an invitation a new link and queues a mail with it, see [`resend`].
///
/// # Errors
///
/// As [`resend`].
pub async fn send_again(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    (organization_id, user_id): (&OrganizationId, &UserId),
) -> Result<Invitation, Error> {
    let token = Secret::generate();
    let invitation = resend(tx, at, organization_id, user_id, (&token.sha256(), LIFETIME)).await?;
    enqueue_mail(tx, at, key, &token).await?;
    Ok(invitation)
}

async fn enqueue_mail(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    token: &Secret,
) -> Result<(), Error> {
    let shown = find_by_token(tx, &token.sha256()).await?.ok_or(Error::Stale)?;
    let mail = Mail {
        to: shown.invitation.email,
        letter: Letter::Invitation {
            organization: shown.organization_name,
            inviter: shown.inviter_email,
            token: token.expose().to_owned(),
        },
        expires_at: shown.invitation.expires_at,
    };
    mail::enqueue(tx, at, key, &mail).await?;
    Ok(())
}

/// Makes a user a pending member, with an invitation whose link has the hash `token`.
///
/// # Errors
///
/// As [`membership::create`].
pub async fn invite(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &NewMember<'_>,
    token: &SecretHash,
    lifetime: Duration,
) -> Result<Membership, Error> {
    let expires_at = at.now + lifetime;
    let membership = membership::insert_pending(tx, at, joining, expires_at).await?;
    let user = user::find(tx, joining.user_id).await?.ok_or(Error::Stale)?;
    tx.exec(
        "INSERT INTO invitations (organization_id, user_id, token_hash, email, created_at, expires_at, resent_count)
         VALUES ($1, $2, $3, $4, $5, $6, 0)",
        p![
            joining.organization_id,
            joining.user_id,
            token,
            user.email.as_str(),
            at.now.as_micros(),
            expires_at.as_micros(),
        ],
    )
    .await?;
    let object = membership::object(tx, joining.organization_id, joining.user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationInvitation)
        .organization(joining.organization_id)
        .user(joining.user_id)
        .object(object);
    event::record(tx, at, entry).await?;
    Ok(membership)
}

/// Gives the invitation of a pending member a new link with the hash `token`, and its whole lifetime again,
/// even if it had expired. Older links become invalid.
///
/// It goes only to the invited address. If somebody renamed the user meanwhile, the new address is not the
/// one that was invited.
///
/// # Errors
///
/// - [`Error::Stale`] if the user has no open invitation.
/// - [`conflict::INVITATION_ADDRESS`] if they have another address now, see [`moved`].
/// - [`conflict::ORGANIZATION_FULL`] if it had expired and its place is taken.
pub async fn resend(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    (token, lifetime): (&SecretHash, Duration),
) -> Result<Invitation, Error> {
    let expires_at = at.now + lifetime;
    if !membership::reopen(tx, at, organization_id, user_id, expires_at).await? {
        return Err(Error::Stale);
    }
    if moved(tx, organization_id, user_id).await?.is_some() {
        return Err(Error::Conflict(conflict::INVITATION_ADDRESS));
    }
    let row = tx
        .opt(
            concat!(
                "UPDATE invitations SET token_hash = $3, expires_at = $4, resent_at = $5,
                    resent_count = resent_count + 1
                  WHERE organization_id = $1 AND user_id = $2 AND accepted_at IS NULL RETURNING ",
                columns!()
            ),
            p![
                organization_id,
                user_id,
                token,
                expires_at.as_micros(),
                at.now.as_micros(),
            ],
        )
        .await?
        .ok_or(Error::Stale)?;
    let invitation = read(&mut Columns::of(&row))?;
    let object = membership::object(tx, organization_id, user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationInvitation)
        .organization(organization_id)
        .user(user_id)
        .with("resent_count", invitation.resent_count)
        .object(object);
    event::record(tx, at, entry).await?;
    Ok(invitation)
}

/// Finds the invitation of a membership.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Option<Invitation>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM invitations WHERE organization_id = $1 AND user_id = $2"
            ),
            p![organization_id, user_id],
        )
        .await?;
    row.map(|row| read(&mut Columns::of(&row))).transpose()
}

/// An invitation whose person has another address now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    pub invited: EmailAddress,
    pub now: EmailAddress,
}

/// Says whether the person of an open invitation has another address than the invited one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn moved(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Option<AddressChange>, Error> {
    let row = tx
        .opt(
            "SELECT i.email, u.email FROM invitations i JOIN users u ON u.id = i.user_id
              WHERE i.organization_id = $1 AND i.user_id = $2 AND i.accepted_at IS NULL AND i.email <> u.email",
            p![organization_id, user_id],
        )
        .await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(AddressChange {
            invited: columns.parsed("invitations.email", EmailAddress::parse)?,
            now: columns.parsed("users.email", EmailAddress::parse)?,
        })
    })
    .transpose()
}

/// The data of an invitation that its link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationDetails {
    pub invitation: Invitation,
    pub organization_name: String,
    /// The person who invites, if they are an active member whose address is proved, by themselves or by an
    /// organization of theirs. A name that an API client merely wrote is not shown, because it could be
    /// anybody's.
    pub inviter_email: Option<EmailAddress>,
    /// The invited address is not the user's any more, so the invitation cannot be accepted.
    pub has_moved: bool,
}

/// Finds the invitation of a link, open or not.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_token(tx: &mut Tx<'_>, token: &SecretHash) -> Result<Option<InvitationDetails>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                ", o.display_name,
                   (SELECT u.email FROM users u JOIN memberships i ON i.user_id = u.id
                     WHERE u.email = LOWER(m.inviter_email) AND u.email_verified AND NOT u.disabled
                       AND i.organization_id = invitations.organization_id AND i.status = 'ACTIVE'
                       AND (u.email_proved_at IS NOT NULL OR EXISTS (
                             SELECT 1 FROM domains d JOIN memberships a ON a.organization_id = d.organization_id
                              WHERE a.user_id = u.id AND a.status = 'ACTIVE' AND d.kind = 'ORGANIZATION_DOMAIN'
                                AND d.status = 'VERIFIED' AND d.proved_by IS NOT NULL
                                AND u.email LIKE '%@' || d.domain))),
                   EXISTS (SELECT 1 FROM users u WHERE u.id = invitations.user_id AND u.email <> invitations.email)
                   FROM invitations
                   JOIN organizations o ON o.id = invitations.organization_id
                   JOIN memberships m ON m.organization_id = invitations.organization_id
                    AND m.user_id = invitations.user_id
                  WHERE invitations.token_hash = $1"
            ),
            p![token],
        )
        .await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(InvitationDetails {
            invitation: read(&mut columns)?,
            organization_name: columns.text()?,
            inviter_email: columns.optional_parsed("users.email", EmailAddress::parse)?,
            has_moved: columns.bool()?,
        })
    })
    .transpose()
}

/// Accepts the invitation of a link: the membership becomes active, and the address verified. `None` if the
/// link is unknown, used or expired, or the user has another address now. If several requests come at once,
/// one succeeds.
///
/// # Errors
///
/// [`conflict::ORGANIZATION_FULL`] if the organization's limit was lowered meanwhile. The link stays valid
/// then.
pub async fn accept(tx: &mut Tx<'_>, at: Stamp<'_>, token: &SecretHash) -> Result<Option<Invitation>, Error> {
    // One statement decides. A person who can read an address that is no longer the user's is not the user.
    let row = tx
        .opt(
            concat!(
                "UPDATE invitations SET accepted_at = $2
                  WHERE token_hash = $1 AND accepted_at IS NULL AND expires_at > $2
                    AND email = (SELECT u.email FROM users u WHERE u.id = invitations.user_id) RETURNING ",
                columns!()
            ),
            p![token, at.now.as_micros()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let invitation = read(&mut Columns::of(&row))?;
    membership::activate(tx, at, &invitation.organization_id, &invitation.user_id).await?;
    user::prove_email(tx, at, &invitation.email).await?;
    Ok(Some(invitation))
}
