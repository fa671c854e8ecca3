//! Writes the changes of an admission.

use genkan_db::Tx;
use genkan_protocol::EmailAddress;

use super::decide::{Admission, Person, Standing};
use super::vouch::VouchedAddress;
use super::{AdmittedPerson, Claim, Profile, Refusal, Roles, home};
use crate::connection::Connection;
use crate::event::{self, Entry, Kind, Object, shape};
use crate::identity::{self, relink};
use crate::membership::{self, AssignedRoles, Capacity, Membership, NewMember, ProvisioningMethod};
use crate::user::{self, User};
use crate::{ConnectionId, Error, OrganizationId, RelinkPermissionId, Stamp, UserId, role};

/// Makes the person an active member, if they may be one. Returns the object for an event if the membership
/// is new.
async fn join(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    (standing, room): (Standing, Option<Capacity>),
) -> Result<Option<Object>, Error> {
    match (standing, room) {
        (Standing::Stranger, Some(room)) => {
            let joining = NewMember::new(organization_id, user_id, ProvisioningMethod::JustInTime);
            let (_, object) = membership::take_place(tx, at, &joining, room).await?;
            Ok(Some(object))
        }
        (Standing::Invited | Standing::InvitedOnce, _) => {
            membership::activate(tx, at, organization_id, user_id).await?;
            Ok(None)
        }
        (Standing::Stranger | Standing::Member | Standing::Inactive, _) => Ok(None),
    }
}

/// Writes what was decided. It refuses only if another transaction has used something up meanwhile.
pub(super) async fn settle(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    claim: &Claim,
    admission: Admission,
) -> Result<Result<AdmittedPerson, Refusal>, Error> {
    let Admission {
        connection,
        subject,
        person,
        vouched,
        standing,
        membership,
        room,
        policy,
    } = admission;
    let mut relinked = None;
    if let Person::Linked(user) = &person {
        relinked = match relink(tx, at, &connection.id, user).await? {
            Ok(relinked) => relinked,
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    let (is_known, user_created) = match &person {
        Person::Known(_) => (true, false),
        Person::Linked(_) => (false, false),
        Person::New(_) => (false, true),
    };
    let user = match person {
        // This is the usual case, and then no further statement is needed.
        Person::Known(user) | Person::Linked(user)
            if is_up_to_date(&user, &connection, vouched.as_ref(), &claim.profile) =>
        {
            user
        }
        Person::Known(user) | Person::Linked(user) => {
            let followed = home::followed(tx, &connection, &user, vouched.as_ref()).await?;
            let names = followed.names.then_some(&claim.profile);
            follow_profile(tx, at, user, followed.email, names).await?
        }
        Person::New(email) => create_user(tx, at, email, &claim.profile).await?,
    };
    let organization_id = connection.organization_id.as_ref();
    let mut joined = None;
    if let Some(organization_id) = organization_id {
        joined = join(tx, at, organization_id, &user.id, (standing, room)).await?;
        follow_claims(tx, at, (organization_id, &user.id), claim, membership.as_ref()).await?;
    }
    let membership_created = joined.is_some();
    if user_created {
        // Read again, because groups and roles may have changed since they joined.
        let joined = joined.filter(|_| is_silent(claim));
        record_signup(tx, at, &user.id, (organization_id, joined)).await?;
    }
    let seen = identity::IdentityClaim {
        connection_id: &connection.id,
        subject: &subject,
        attributes: &claim.attributes,
    };
    identity::remember(tx, at, seen, &user.id).await?;
    if !is_known {
        let kind = match relinked {
            Some(_) => Kind::UserIdentityRelinked,
            None => Kind::UserIdentityLinked,
        };
        let mut entry = Entry::new(kind)
            .user(&user.id)
            .organization(organization_id)
            .connection(&connection.id);
        if let Some(permission_id) = &relinked {
            entry = entry.with("permission_id", permission_id.as_str());
        }
        event::record(tx, at, entry).await?;
    }
    Ok(Ok(AdmittedPerson {
        user,
        connection,
        user_created,
        membership_created,
        session_policy: policy,
    }))
}

/// Uses a permission to link a person whom the connection knows by another subject. It is not needed if the
/// connection knows no subject of them. Changes nothing if it refuses.
async fn relink(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
    user: &User,
) -> Result<Result<Option<RelinkPermissionId>, Refusal>, Error> {
    let known = relink::subjects(tx, connection_id, &user.id).await?;
    if known.is_empty() {
        return Ok(Ok(None));
    }
    let used = relink::use_permission(tx, at, connection_id, &user.id).await?;
    Ok(match used {
        Some(permission_id) => Ok(Some(permission_id)),
        None => Err(Refusal::SubjectChanged { known }),
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
    match user::insert(tx, at, &user).await {
        // Nobody had the address a moment ago, so the same person signs in elsewhere at this moment.
        Err(Error::Conflict(_)) => Err(tx.begin_anew().into()),
        inserted => inserted.map(|()| user),
    }
}

/// Whether a claim says nothing about groups and roles.
fn is_silent(claim: &Claim) -> bool {
    claim.groups.as_ref().is_none_or(Vec::is_empty) && claim.roles == Roles::Silent
}

/// Records the first sign-in of a person, with the organization that they signed in to.
async fn record_signup(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    user_id: &UserId,
    (organization_id, joined): (Option<&OrganizationId>, Option<Object>),
) -> Result<(), Error> {
    let object = match (joined, organization_id) {
        (Some(object), _) => object,
        (None, Some(organization_id)) => membership::object(tx, organization_id, user_id).await?,
        (None, None) => Object::of(&shape::User::find(tx, user_id).await?.ok_or(Error::Stale)?),
    };
    let entry = Entry::new(Kind::UserSignup)
        .user(user_id)
        .organization(organization_id);
    event::record(tx, at, entry.object(object)).await
}

/// If the provider leaves a name out, the name stays. Custom attributes follow in both directions.
fn take_over_names(user: &mut User, profile: &Profile) {
    let pairs = [
        (&mut user.name, &profile.name),
        (&mut user.given_name, &profile.given_name),
        (&mut user.family_name, &profile.family_name),
        (&mut user.locale, &profile.locale),
        (&mut user.preferred_username, &profile.preferred_username),
    ];
    for (ours, theirs) in pairs {
        // A name that cannot be stored is skipped, so that the sign-in goes on.
        if let Some(text) = theirs.as_deref().filter(|text| user::is_fit(text)) {
            *ours = Some(text.to_owned());
        }
    }
    if let Some(picture) = profile
        .picture
        .as_deref()
        .filter(|text| user::is_fit_address(text))
    {
        user.picture = Some(picture.to_owned());
    }
    for (key, value) in &profile.custom_attributes {
        user::set_attribute(user, key, value.as_deref());
    }
}

/// Whether taking over everything would change nothing about the user.
fn is_up_to_date(
    user: &User,
    connection: &Connection,
    vouched: Option<&VouchedAddress>,
    profile: &Profile,
) -> bool {
    let Some(vouched) = vouched else {
        return true;
    };
    let mut followed = User {
        email: vouched.email.clone(),
        email_verified: true,
        ..user.clone()
    };
    if connection.sync_profile {
        take_over_names(&mut followed, profile);
    }
    followed == *user
}

/// Takes over what the provider said about the user.
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

/// Takes over groups and roles, which the provider may give and take back.
async fn follow_claims(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    (organization_id, user_id): (&OrganizationId, &UserId),
    claim: &Claim,
    was: Option<&Membership>,
) -> Result<(), Error> {
    if let Some(groups) = &claim.groups
        && was.is_none_or(|was| was.groups != *groups)
    {
        membership::set_groups(tx, organization_id, user_id, groups).await?;
    }
    match &claim.roles {
        Roles::Silent => Ok(()),
        Roles::Are(names) => {
            let mut names = names.clone();
            let allowed = role::names_for_providers(tx, organization_id).await?;
            names.retain(|name| allowed.contains(name));
            let assigned = AssignedRoles {
                names: &names,
                by_provider: true,
            };
            membership::replace_roles(tx, at, organization_id, user_id, assigned).await
        }
        Roles::AtMost(names) => membership::limit_roles(tx, at, organization_id, user_id, names).await,
    }
}
