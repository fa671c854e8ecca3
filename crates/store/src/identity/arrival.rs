//! What happens when a person arrives from an identity provider.
//!
//! The danger is a provider that speaks for people who are not its own. An
//! organization's administrator controls what its provider says, so a provider
//! is believed about an e-mail address only if the address lies in a domain of
//! the same organization. See `docs/decisions/account-linking.md`.

use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::home::{self, Vouched, belongs_elsewhere, vouch};
use super::{find_user, relink, remember};
use crate::connection::{self, Connection, hosted_domain};
use crate::event::{self, Entry, Kind};
use crate::membership::{self, Assigned, Joining, ProvisioningMethod, Status};
use crate::user::{self, User};
use crate::{ConnectionId, Error, OrganizationId, RelinkPermissionId, Stamp, Timestamp, UserId, role};

/// Somebody whom an identity provider has authenticated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arrival {
    pub connection_id: ConnectionId,
    /// How the provider calls them, for ever.
    pub subject: String,
    pub profile: Profile,
    /// `None` if the provider could not be asked: then nothing changes.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
    /// What the provider said, for people who look at the identity.
    pub attributes: Map<String, Value>,
}

/// What the provider says about a person's roles. Names that are none, or that
/// it may not give, are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Roles {
    /// Nothing, or it could not be asked: nothing changes.
    Silent,
    /// These are all that it gives.
    Are(Vec<String>),
    /// It gives nothing; what it gave before and does not name here is taken back.
    AtMost(Vec<String>),
}

/// Who the provider says they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub email: Option<EmailAddress>,
    /// `Some(false)`: the provider itself says that nobody has checked it.
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub picture: Option<String>,
    pub locale: Option<String>,
    /// What they are called there in short. Nobody's alone, and no proof of anything
    /// (OIDC Core §5.7). Absent in what an older version kept.
    #[serde(default)]
    pub preferred_username: Option<String>,
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
    /// The person comes from Google with an account of another company, or of none;
    /// see [`connection::hosted_domain`].
    HostedDomainForeign,
    /// The user with this address belongs to another organization too, and nobody
    /// has proved that the address's domain is this organization's.
    DomainNotProved,
    /// The connection knows the user with this address by these subjects, and the
    /// person came with another; see [`relink`].
    SubjectChanged { known: Vec<String> },
    /// The connection was switched off or deleted meanwhile.
    ConnectionNotActive,
    /// The user may not sign in, or not to this organization.
    Disabled,
    /// A first login, and the provider sent no e-mail address.
    EmailMissing,
    /// A first login, and the provider itself doubts the address; see
    /// [`connection::OidcSettings::email_trust`].
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
///    both only if the address lies in a domain of the connection's organization,
///    and who belongs to another organization only if that domain is proved.
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
    match decide(tx, arrival, Door::Open, at.now).await? {
        Decision::Admit(admission) => admit(tx, at, arrival, *admission).await,
        Decision::Refuse(outcome) => Ok(outcome),
    }
}

/// Whom an arrival would sign in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognized {
    /// `None`: a user would be created.
    pub user: Option<Box<User>>,
    pub organization_id: Option<OrganizationId>,
}

/// Says whom [`arrive`] would sign in now, or why nobody. Writes nothing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn recognize(
    tx: &mut Tx<'_>,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<Result<Recognized, Outcome>, Error> {
    decide(tx, arrival, Door::Open, now)
        .await
        .map(Decision::recognized)
}

/// As [`recognize`], also at a connection that is switched off: what a sign-in
/// would come to if it were on.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn rehearse(
    tx: &mut Tx<'_>,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<Result<Recognized, Outcome>, Error> {
    decide(tx, arrival, Door::Rehearsal, now)
        .await
        .map(Decision::recognized)
}

/// Whether anybody comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Through a connection that is switched on.
    Open,
    /// Nobody: a connection is tried, before it is switched on as well.
    Rehearsal,
}

enum Decision {
    Admit(Box<Admission>),
    Refuse(Outcome),
}

impl Decision {
    fn recognized(self) -> Result<Recognized, Outcome> {
        match self {
            Self::Admit(admission) => Ok(Recognized {
                user: match admission.person {
                    Person::Known(user) | Person::Linked(user) => Some(Box::new(user)),
                    Person::New(_) => None,
                },
                organization_id: admission.connection.organization_id,
            }),
            Self::Refuse(outcome) => Err(outcome),
        }
    }
}

struct Admission {
    connection: Connection,
    person: Person,
    /// The address that the provider sent, if it may speak for it.
    vouched: Option<Vouched>,
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
async fn decide(tx: &mut Tx<'_>, arrival: &Arrival, door: Door, now: Timestamp) -> Result<Decision, Error> {
    // Read here and not taken from a cache: a connection that was just switched
    // off must not let anybody in.
    let connection = connection::find(tx, &arrival.connection_id).await?;
    let Some(connection) = connection.filter(|connection| connection.enabled || door == Door::Rehearsal)
    else {
        return Ok(Decision::Refuse(Outcome::ConnectionNotActive));
    };
    let hosted = hosted_domain::look(tx, &connection, &arrival.attributes).await?;
    if hosted.is_some_and(|hosted| hosted.is_refused) {
        return Ok(Decision::Refuse(Outcome::HostedDomainForeign));
    }
    let vouched = vouch(tx, &connection, &arrival.profile).await?;
    let person = match find_user(tx, &arrival.connection_id, &arrival.subject).await? {
        Some(user) => Person::Known(user),
        None => match &vouched {
            Ok(vouched) => match user::find_by_email(tx, &vouched.email).await? {
                // Whoever gave the domain may speak for strangers, and for nobody else's people.
                Some(user)
                    if !vouched.is_proved && belongs_elsewhere(tx, &connection, &user.id, now).await? =>
                {
                    return Ok(Decision::Refuse(Outcome::DomainNotProved));
                }
                Some(user) => Person::Linked(user),
                None => Person::New(vouched.email.clone()),
            },
            Err(refusal) => return Ok(Decision::Refuse(refusal.clone())),
        },
    };
    let standing = match &person {
        Person::Known(user) | Person::Linked(user) if user.disabled => Standing::Inactive,
        Person::Known(user) | Person::Linked(user) => standing(tx, &connection, &user.id, now).await?,
        Person::New(_) => Standing::Stranger,
    };
    let may_join = connection.jit_provisioning && vouched.is_ok();
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
    if let Person::Linked(user) = &person {
        let known = relink::subjects(tx, &arrival.connection_id, &user.id).await?;
        if !known.is_empty() && !relink::is_permitted(tx, &arrival.connection_id, &user.id, now).await? {
            return Ok(Decision::Refuse(Outcome::SubjectChanged { known }));
        }
    }
    Ok(Decision::Admit(Box::new(Admission {
        connection,
        person,
        vouched: vouched.ok(),
        standing,
    })))
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
        vouched,
        standing,
    } = admission;
    let mut relinked = None;
    if let Person::Linked(user) = &person {
        relinked = match relink(tx, at, arrival, user).await? {
            Ok(relinked) => relinked,
            Err(refusal) => return Ok(refusal),
        };
    }
    let (is_known, user_created) = match &person {
        Person::Known(_) => (true, false),
        Person::Linked(_) => (false, false),
        Person::New(_) => (false, true),
    };
    let user = match person {
        Person::Known(user) | Person::Linked(user) => {
            let followed = home::followed(tx, &connection, &user, vouched.as_ref(), at.now).await?;
            let names = followed.names.then_some(&arrival.profile);
            follow_profile(tx, at, user, followed.email, names).await?
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
        let kind = match relinked {
            Some(_) => Kind::UserIdentityRelinked,
            None => Kind::UserIdentityLinked,
        };
        let mut entry = Entry::new(kind)
            .user(&user.id)
            .organization(organization_id)
            .with("connection_id", connection.id.as_str());
        if let Some(permission_id) = &relinked {
            entry = entry.with("permission_id", permission_id.as_str());
        }
        event::record(tx, at, entry).await?;
    }
    Ok(Outcome::SignedIn {
        user: Box::new(user),
        membership_created,
        user_created,
        organization_id: connection.organization_id,
    })
}

/// A permission that lets somebody be linked whom the connection knows by another
/// subject; nothing is needed if it knows them by none. Changes nothing if it refuses.
async fn relink(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    arrival: &Arrival,
    user: &User,
) -> Result<Result<Option<RelinkPermissionId>, Outcome>, Error> {
    let known = relink::subjects(tx, &arrival.connection_id, &user.id).await?;
    if known.is_empty() {
        return Ok(Ok(None));
    }
    let used = relink::use_permission(tx, at, &arrival.connection_id, &user.id).await?;
    Ok(match used {
        Some(permission_id) => Ok(Some(permission_id)),
        None => Err(Outcome::SubjectChanged { known }),
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
        (&mut user.preferred_username, &profile.preferred_username),
    ];
    for (ours, theirs) in pairs {
        if theirs.is_some() {
            ours.clone_from(theirs);
        }
    }
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
    match &arrival.roles {
        Roles::Silent => Ok(()),
        Roles::Are(names) => {
            let mut names = names.clone();
            let allowed = role::names_for_providers(tx, organization_id).await?;
            names.retain(|name| allowed.contains(name));
            let assigned = Assigned {
                names: &names,
                by_provider: true,
            };
            membership::replace_roles(tx, at, organization_id, user_id, assigned).await
        }
        Roles::AtMost(names) => membership::limit_roles(tx, at, organization_id, user_id, names).await,
    }
}
