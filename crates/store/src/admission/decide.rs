//! Decides whom a proof would let in, and writes nothing.

use genkan_db::Tx;
use genkan_protocol::EmailAddress;

use super::home::has_own;
use super::known::{self, OrganizationFacts};
use super::vouch::{self, VouchedAddress};
use super::{Claim, Recognition, Refusal};
use crate::connection::{Connection, hosted_domain};
use crate::identity::relink;
use crate::membership::{self, Capacity, Membership, Status};
use crate::proof::Proof;
use crate::session_policy::SessionPolicy;
use crate::user::{self, User};
use crate::{ConnectionId, CredentialId, Error, Timestamp, UserId, webauthn};

/// Whether the decision lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A sign-in, through an enabled connection.
    SignIn,
    /// A test of a connection, which may be disabled. It lets nobody in.
    Rehearsal,
}

pub(super) struct Admission {
    pub(super) connection: Connection,
    /// The provider's identifier of the person.
    pub(super) subject: String,
    pub(super) person: Person,
    /// The address that the provider sent, if the provider may vouch for it.
    pub(super) vouched: Option<VouchedAddress>,
    pub(super) standing: Standing,
    /// The membership that they had in the organization before.
    pub(super) membership: Option<Membership>,
    /// The organization's free places, if they are to take one.
    pub(super) room: Option<Capacity>,
    /// The organization's own limits for sessions.
    pub(super) policy: Option<SessionPolicy>,
}

impl Admission {
    pub(super) fn recognition(self) -> Recognition {
        Recognition {
            user: match self.person {
                Person::Known(user) | Person::Linked(user) => Some(user),
                Person::New(_) => None,
            },
            organization_id: self.connection.organization_id,
        }
    }
}

/// The person's membership in the organization of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Also if they arrive through a connection of the whole environment.
    Member,
    /// With an open invitation.
    Invited,
    /// With an invitation that was not accepted. They are treated like a stranger.
    InvitedOnce,
    Stranger,
    Inactive,
}

pub(super) enum Person {
    /// Found by connection and subject.
    Known(User),
    /// Found by the address.
    Linked(User),
    New(EmailAddress),
}

impl Person {
    fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Known(user) | Self::Linked(user) => Some(&user.id),
            Self::New(_) => None,
        }
    }
}

/// Decides and writes nothing.
pub(super) async fn decide(
    tx: &mut Tx<'_>,
    claim: &Claim,
    mode: Mode,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, Error> {
    match &claim.proof {
        Proof::Connection {
            connection_id,
            subject,
        } => by_connection(tx, claim, (connection_id, subject), (mode, now)).await,
        // The rules for these are in place already, but no page accepts them yet.
        Proof::Email { address } => {
            let claimed = claim.profile.email.as_ref().unwrap_or(address);
            let vouched = vouch::by_mail(tx, address, claimed).await?;
            Ok(Err(vouched.err().unwrap_or(Refusal::NoWayIn)))
        }
        Proof::Passkey {
            credential_id,
            user_id,
        } => by_passkey(tx, credential_id, user_id).await.map(Err),
        Proof::Directory { directory_id } => {
            let vouched = vouch::by_directory(tx, directory_id, &claim.profile).await?;
            Ok(Err(vouched.err().unwrap_or(Refusal::NoWayIn)))
        }
    }
}

/// A passkey names its own user. A company's own sign-in goes before it, as for everybody.
async fn by_passkey(
    tx: &mut Tx<'_>,
    credential_id: &CredentialId,
    user_id: &UserId,
) -> Result<Refusal, Error> {
    let Some(user) = user::find(tx, user_id).await? else {
        return Ok(Refusal::NotProvisioned);
    };
    let keys = webauthn::list_for_user(tx, user_id).await?;
    if !keys.iter().any(|key| key.id == *credential_id) {
        return Ok(Refusal::NotProvisioned);
    }
    if user.disabled {
        return Ok(Refusal::Disabled);
    }
    let led = vouch::leads_elsewhere(tx, &user.email).await?;
    Ok(led.unwrap_or(Refusal::NoWayIn))
}

async fn by_connection(
    tx: &mut Tx<'_>,
    claim: &Claim,
    (connection_id, subject): (&ConnectionId, &str),
    (mode, now): (Mode, Timestamp),
) -> Result<Result<Admission, Refusal>, Error> {
    // Read here and not from a cache, because a connection that was just disabled must not let anybody in.
    let (connection, known) = known::by_subject(tx, connection_id, subject).await?;
    let Some(connection) = connection.filter(|connection| connection.enabled || mode == Mode::Rehearsal)
    else {
        return Ok(Err(Refusal::ConnectionNotActive));
    };
    let hosted = hosted_domain::look(tx, &connection, &claim.attributes).await?;
    if hosted.is_some_and(|hosted| hosted.is_refused) {
        return Ok(Err(Refusal::HostedDomainForeign));
    }
    let company = match &connection.organization_id {
        Some(id) => {
            let about = (claim.profile.email.as_ref(), known.as_ref().map(|user| &user.id));
            known::company(tx, &connection, id, about).await?
        }
        None => None,
    };
    let vouched = match &company {
        Some(company) => vouch::by_company(&connection, &claim.profile, company),
        None => vouch::by_connection(tx, &connection, &claim.profile).await?,
    };
    let (membership, policy) = match company {
        Some(OrganizationFacts {
            membership, policy, ..
        }) => (membership, policy),
        None => (None, None),
    };
    let person = match find_person(tx, &connection, &vouched, known).await? {
        Ok(person) => person,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let membership = match (&connection.organization_id, &person) {
        (Some(organization_id), Person::Linked(user)) => {
            membership::find(tx, organization_id, &user.id).await?
        }
        _ => membership,
    };
    let standing = match &person {
        Person::Known(user) | Person::Linked(user) if user.disabled => Standing::Inactive,
        // If a person arrives through a connection of the whole environment, no membership is needed.
        Person::Known(_) | Person::Linked(_) if connection.organization_id.is_none() => Standing::Member,
        Person::Known(_) | Person::Linked(_) => standing(membership.as_ref(), now),
        Person::New(_) => Standing::Stranger,
    };
    let may_join = connection.jit_provisioning && vouched.is_ok();
    match standing {
        Standing::Inactive => return Ok(Err(Refusal::Disabled)),
        Standing::InvitedOnce | Standing::Stranger if !may_join => {
            return Ok(Err(Refusal::NotProvisioned));
        }
        Standing::Member | Standing::Invited | Standing::InvitedOnce | Standing::Stranger => {}
    }
    let room = match &connection.organization_id {
        Some(id) if standing != Standing::Member => {
            Some(membership::room(tx, id, person.user_id(), now).await?)
        }
        _ => None,
    };
    if room.is_some_and(|room| !room.is_left) {
        return Ok(Err(Refusal::OrganizationFull));
    }
    if let Person::Linked(user) = &person {
        let known = relink::subjects(tx, connection_id, &user.id).await?;
        if known.iter().any(|known| known == subject) {
            // It was not there a moment ago, so at the same time they sign in elsewhere for the first time.
            return Err(tx.begin_anew().into());
        }
        if !known.is_empty() && !relink::is_permitted(tx, connection_id, &user.id, now).await? {
            return Ok(Err(Refusal::SubjectChanged { known }));
        }
    }
    Ok(Ok(Admission {
        subject: subject.to_owned(),
        connection,
        person,
        vouched: vouched.ok(),
        standing,
        membership,
        room,
        policy,
    }))
}

/// Finds the user: by the identity at the connection, else by an address that the connection may vouch for.
async fn find_person(
    tx: &mut Tx<'_>,
    connection: &Connection,
    vouched: &Result<VouchedAddress, Refusal>,
    known: Option<User>,
) -> Result<Result<Person, Refusal>, Error> {
    let person = match known {
        Some(user) => Person::Known(user),
        None => match vouched {
            Ok(vouched) => match user::find_by_email_held(tx, &vouched.email).await? {
                // A claimed domain vouches only for users who have nothing of their own.
                Some(user)
                    if !vouched.is_proved
                        && has_own(tx, connection.organization_id.as_ref(), &user.id).await? =>
                {
                    return Ok(Err(Refusal::DomainNotProved));
                }
                Some(user) => Person::Linked(user),
                None => Person::New(vouched.email.clone()),
            },
            Err(refusal) => return Ok(Err(refusal.clone())),
        },
    };
    if let (Person::Known(user), None) = (&person, &connection.organization_id)
        && let Some(led) = vouch::leads_elsewhere(tx, &user.email).await?
    {
        return Ok(Err(led));
    }
    Ok(Ok(person))
}

fn standing(membership: Option<&Membership>, now: Timestamp) -> Standing {
    match membership.map(|membership| membership.status_at(now)) {
        None => Standing::Stranger,
        Some(Status::Active) => Standing::Member,
        Some(Status::Inactive) => Standing::Inactive,
        Some(Status::PendingInvite) => Standing::Invited,
        Some(Status::InviteExpired) => Standing::InvitedOnce,
    }
}
