//! What happens when a person arrives from an identity provider.
//!
//! The danger is a provider that speaks for people who are not its own. An
//! organization's administrator controls what its provider says, so a provider
//! is believed about an e-mail address only if the address lies in a domain of
//! the same organization. See `docs/decisions/account-linking.md`.

use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use serde_json::{Map, Value};

use super::{find_user, remember};
use crate::connection::{self, Connection, Settings};
use crate::event::{self, Entry, Kind};
use crate::membership::{self, Assigned, Joining, ProvisioningMethod, Status};
use crate::user::{self, User};
use crate::{ConnectionId, Error, OrganizationId, Stamp, Timestamp, UserId, domain, role};

/// Somebody whom an identity provider has authenticated.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub connection_id: ConnectionId,
    /// How the provider calls them, for ever.
    pub subject: String,
    pub profile: Profile,
    /// `None` if the connection has no such claim: then nothing changes.
    pub groups: Option<Vec<String>>,
    /// Names of roles; unknown ones are left out. `None` as for the groups.
    pub roles: Option<Vec<String>>,
    /// What the provider said, for people who look at the identity.
    pub attributes: Map<String, Value>,
}

/// Who the provider says they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub email: Option<EmailAddress>,
    /// `Some(false)`: the provider itself says that nobody has checked it.
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub picture: Option<String>,
    pub locale: Option<String>,
}

/// What became of an arrival. All but [`Outcome::SignedIn`] changed nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    SignedIn {
        user: Box<User>,
        /// The organization of the connection.
        organization_id: Option<OrganizationId>,
        user_created: bool,
        membership_created: bool,
    },
    /// The connection was switched off or deleted meanwhile.
    ConnectionNotActive,
    /// The user may not sign in, or not to this organization.
    Disabled,
    /// A first login, and the provider sent no e-mail address.
    EmailMissing,
    /// A first login, and the provider itself doubts the address; see
    /// [`connection::OidcSettings::trust_unverified_email`].
    EmailNotVerified,
    /// A first login, and the address lies outside the organization's domains.
    /// Whether a user has it is not told: a provider could ask for any address.
    EmailNotTrusted,
    /// The person has no account, or does not belong to the organization, and
    /// the connection makes neither.
    NotProvisioned,
    /// The organization has as many members as it may.
    OrganizationFull,
}

/// Finds, links or creates the user of an arrival.
///
/// 1. Who is known by connection and subject is that user, whatever the address.
/// 2. Otherwise the user with that address is linked, and
/// 3. otherwise a user is created if the connection does so (JIT provisioning);
///    both only if the address lies in a domain of the connection's organization.
///
/// Membership in that organization is created likewise, and an invited member
/// becomes an active one: nobody knows better than the organization's own
/// provider that they are who was invited. Two first logins of one
/// person at the same time make one user.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn arrive(tx: &mut Tx<'_>, at: Stamp<'_>, arrival: &Arrival) -> Result<Outcome, Error> {
    match decide(tx, arrival, at.now).await? {
        Decision::Admit(admission) => admit(tx, at, arrival, *admission).await,
        Decision::Refuse(outcome) => Ok(outcome),
    }
}

enum Decision {
    Admit(Box<Admission>),
    Refuse(Outcome),
}

struct Admission {
    connection: Connection,
    person: Person,
    /// The address that the provider sent, if it may speak for it.
    vouched_email: Option<EmailAddress>,
    standing: Standing,
}

/// What a person is in the organization of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Also somebody who arrives through a connection of the whole environment.
    Member,
    /// With an invitation that waits.
    Invited,
    /// With an invitation that came to nothing: as a stranger.
    InvitedOnce,
    Stranger,
    Inactive,
}

enum Person {
    /// By connection and subject.
    Known(User),
    /// By the address.
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
async fn decide(tx: &mut Tx<'_>, arrival: &Arrival, now: Timestamp) -> Result<Decision, Error> {
    // Read here and not taken from a cache: a connection that was just switched
    // off must not let anybody in.
    let connection = connection::find(tx, &arrival.connection_id).await?;
    let Some(connection) = connection.filter(|connection| connection.enabled) else {
        return Ok(Decision::Refuse(Outcome::ConnectionNotActive));
    };
    let vouched_email = vouch(tx, &connection, &arrival.profile).await?;
    let person = match find_user(tx, &arrival.connection_id, &arrival.subject).await? {
        Some(user) => Person::Known(user),
        None => match &vouched_email {
            Ok(email) => match user::find_by_email(tx, email).await? {
                Some(user) => Person::Linked(user),
                None => Person::New(email.clone()),
            },
            Err(refusal) => return Ok(Decision::Refuse(refusal.clone())),
        },
    };
    let standing = match &person {
        Person::Known(user) | Person::Linked(user) if user.disabled => Standing::Inactive,
        Person::Known(user) | Person::Linked(user) => standing(tx, &connection, &user.id, now).await?,
        Person::New(_) => Standing::Stranger,
    };
    let may_join = connection.jit_provisioning && vouched_email.is_ok();
    match standing {
        Standing::Inactive => return Ok(Decision::Refuse(Outcome::Disabled)),
        Standing::InvitedOnce | Standing::Stranger if !may_join => {
            return Ok(Decision::Refuse(Outcome::NotProvisioned));
        }
        Standing::Member | Standing::Invited | Standing::InvitedOnce | Standing::Stranger => {}
    }
    if let Some(organization_id) = &connection.organization_id
        && standing != Standing::Member
        && !membership::has_room(tx, organization_id, person.user_id(), now).await?
    {
        return Ok(Decision::Refuse(Outcome::OrganizationFull));
    }
    Ok(Decision::Admit(Box::new(Admission {
        connection,
        person,
        vouched_email: vouched_email.ok(),
        standing,
    })))
}

/// The address of a profile, if the connection may speak for it.
async fn vouch(
    tx: &mut Tx<'_>,
    connection: &Connection,
    profile: &Profile,
) -> Result<Result<EmailAddress, Outcome>, Error> {
    let Some(email) = &profile.email else {
        return Ok(Err(Outcome::EmailMissing));
    };
    let owner = domain::find_organization_for(tx, email.domain()).await?;
    // A connection of the whole environment belongs to no organization, so no domain vouches for it.
    if owner.is_none() || owner != connection.organization_id {
        return Ok(Err(Outcome::EmailNotTrusted));
    }
    if !connection::domains::may_vouch(tx, connection, email.domain()).await? {
        return Ok(Err(Outcome::EmailNotTrusted));
    }
    let trusts_unverified = match &connection.settings {
        Settings::Oidc(settings) => settings.trust_unverified_email,
        // SAML knows no unverified addresses.
        Settings::Saml(_) => false,
    };
    // An employee who can enter any address at the provider must not become a colleague.
    if profile.email_verified == Some(false) && !trusts_unverified {
        return Ok(Err(Outcome::EmailNotVerified));
    }
    Ok(Ok(email.clone()))
}

/// Somebody who arrives through a connection of the whole environment needs no membership.
async fn standing(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user_id: &UserId,
    now: Timestamp,
) -> Result<Standing, Error> {
    let Some(organization_id) = &connection.organization_id else {
        return Ok(Standing::Member);
    };
    let membership = membership::find(tx, organization_id, user_id).await?;
    Ok(match membership.map(|membership| membership.status_at(now)) {
        None => Standing::Stranger,
        Some(Status::Active) => Standing::Member,
        Some(Status::Inactive) => Standing::Inactive,
        Some(Status::PendingInvite) => Standing::Invited,
        Some(Status::InviteExpired) => Standing::InvitedOnce,
    })
}

/// Makes whoever may be one an active member. Says whether that is new.
async fn join(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    standing: Standing,
) -> Result<bool, Error> {
    match standing {
        Standing::Stranger => {
            let joining = Joining::new(organization_id, user_id, ProvisioningMethod::JustInTime);
            membership::create(tx, at, &joining).await?;
            Ok(true)
        }
        Standing::Invited | Standing::InvitedOnce => {
            membership::activate(tx, at, organization_id, user_id).await?;
            Ok(false)
        }
        Standing::Member | Standing::Inactive => Ok(false),
    }
}

async fn admit(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    arrival: &Arrival,
    admission: Admission,
) -> Result<Outcome, Error> {
    let Admission {
        connection,
        person,
        vouched_email,
        standing,
    } = admission;
    let (is_known, user_created) = match &person {
        Person::Known(_) => (true, false),
        Person::Linked(_) => (false, false),
        Person::New(_) => (false, true),
    };
    let user = match person {
        Person::Known(user) | Person::Linked(user) => {
            let email = verified_email(tx, &connection, &user, vouched_email).await?;
            let names = connection.sync_profile.then_some(&arrival.profile);
            follow_profile(tx, at, user, email, names).await?
        }
        Person::New(email) => create_user(tx, at, email, &arrival.profile).await?,
    };
    let organization_id = connection.organization_id.as_ref();
    let mut membership_created = false;
    if let Some(organization_id) = organization_id {
        membership_created = join(tx, at, organization_id, &user.id, standing).await?;
        follow_claims(tx, at, organization_id, &user.id, arrival).await?;
    }
    remember(tx, at, arrival, &user.id).await?;
    if !is_known {
        let entry = Entry::new(Kind::UserIdentityLinked)
            .user(&user.id)
            .organization(organization_id);
        event::record(tx, at, entry.with("connection_id", connection.id.as_str())).await?;
    }
    Ok(Outcome::SignedIn {
        user: Box::new(user),
        membership_created,
        user_created,
        organization_id: connection.organization_id,
    })
}

async fn create_user(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    email: EmailAddress,
    profile: &Profile,
) -> Result<User, Error> {
    let mut user = User::new(at.id(), email, at.now);
    user.email_verified = true;
    take_over_names(&mut user, profile);
    user::insert(tx, at, &user).await?;
    event::record(tx, at, Entry::new(Kind::UserSignup).user(&user.id)).await?;
    Ok(user)
}

/// What the provider leaves out stays as it was.
fn take_over_names(user: &mut User, profile: &Profile) {
    let pairs = [
        (&mut user.name, &profile.name),
        (&mut user.given_name, &profile.given_name),
        (&mut user.family_name, &profile.family_name),
        (&mut user.picture, &profile.picture),
        (&mut user.locale, &profile.locale),
    ];
    for (ours, theirs) in pairs {
        if theirs.is_some() {
            ours.clone_from(theirs);
        }
    }
}

/// The verified address that a user should have after this login, if that is known.
///
/// An address changes only from one that the organization vouches for (it is
/// its employee) to another such one, and never to somebody else's.
async fn verified_email(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user: &User,
    vouched: Option<EmailAddress>,
) -> Result<Option<EmailAddress>, Error> {
    let Some(email) = vouched else { return Ok(None) };
    if email == user.email {
        return Ok(Some(email));
    }
    let owner = domain::find_organization_for(tx, user.email.domain()).await?;
    let is_own_employee = owner.is_some() && owner == connection.organization_id;
    let may_change =
        connection.sync_profile && is_own_employee && user::find_by_email(tx, &email).await?.is_none();
    Ok(may_change.then_some(email))
}

/// Brings a user up to date with what the provider said.
async fn follow_profile(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    user: User,
    email: Option<EmailAddress>,
    names: Option<&Profile>,
) -> Result<User, Error> {
    let mut followed = user.clone();
    if let Some(email) = email {
        followed.email = email;
        followed.email_verified = true;
    }
    if let Some(profile) = names {
        take_over_names(&mut followed, profile);
    }
    if followed == user {
        return Ok(user);
    }
    user::update(tx, at, &followed).await?;
    if followed.email != user.email {
        event::record(tx, at, Entry::new(Kind::UserEmailChanged).user(&user.id)).await?;
    }
    user::find(tx, &user.id).await?.ok_or(Error::Stale)
}

/// Groups and roles are the provider's to give and to take back.
async fn follow_claims(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    arrival: &Arrival,
) -> Result<(), Error> {
    if let Some(groups) = &arrival.groups {
        membership::set_groups(tx, organization_id, user_id, groups).await?;
    }
    if let Some(names) = &arrival.roles {
        let mut names = names.clone();
        let known = role::names(tx, organization_id).await?;
        names.retain(|name| known.contains(name));
        let assigned = Assigned {
            names: &names,
            by_provider: true,
        };
        membership::replace_roles(tx, at, organization_id, user_id, assigned).await?;
    }
    Ok(())
}
