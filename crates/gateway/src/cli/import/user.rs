//! A line about a user.

use std::collections::BTreeMap;

use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use genkan_store::membership::{self, NewMember, ProvisioningMethod};
use genkan_store::organization;
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, Stamp, UserId};
use serde::Deserialize;

use super::apply::{Author, Outcome, Row, RowError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserRow {
    pub(super) email: String,
    pub(super) email_verified: Option<bool>,
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    picture: Option<String>,
    locale: Option<String>,
    pub(super) external_id: Option<String>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    /// One membership, from the columns of a CSV file.
    pub(super) organization: Option<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    /// Several memberships.
    #[serde(default)]
    pub(super) memberships: Vec<MembershipRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MembershipRow {
    /// The identifier or external id.
    pub(super) organization: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

pub(super) fn rejected<T>(sentence: impl Into<String>) -> Result<T, RowError> {
    Err(RowError::Rejected(sentence.into()))
}

impl Row for UserRow {
    const COLUMNS: &[&str] = &[
        "email",
        "email_verified",
        "name",
        "given_name",
        "family_name",
        "picture",
        "locale",
        "external_id",
        "organization",
        "roles",
    ];

    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, _: Author<'_>) -> Result<Outcome, RowError> {
        let email = self.address()?;
        let proved = email.clone();
        if self.organization.is_none() && !self.roles.is_empty() {
            return rejected("roles are given in an organization, and the line names none");
        }
        let (id, mut outcome) = match user::find_by_email(tx, &email).await? {
            Some(known) => {
                let mut user = known.clone();
                self.apply(&mut user);
                let changed = user != known;
                if changed {
                    user::update(tx, at, &user).await?;
                }
                (
                    known.id,
                    if changed {
                        Outcome::Updated
                    } else {
                        Outcome::Unchanged
                    },
                )
            }
            None => {
                let mut user = User::new(at.id(), email, at.now);
                self.apply(&mut user);
                user::insert(tx, at, &user).await?;
                (user.id, Outcome::Created)
            }
        };
        if self.email_verified == Some(true) {
            // The person has proved the address to the other system.
            user::prove_email(tx, at, &proved).await?;
        }
        let one = self
            .organization
            .as_ref()
            .map(|organization| (organization, &self.roles));
        let several = self.memberships.iter().map(|row| (&row.organization, &row.roles));
        for (organization, roles) in one.into_iter().chain(several) {
            let organization_id = find_organization(tx, organization).await?;
            let place = Place {
                organization_id: &organization_id,
                method: ProvisioningMethod::Cli,
            };
            outcome = outcome.and(join(tx, at, &id, (place, roles)).await?);
        }
        Ok(outcome)
    }
}

impl UserRow {
    pub(super) fn address(&self) -> Result<EmailAddress, RowError> {
        EmailAddress::parse(&self.email)
            .or_else(|error| rejected(format!("email \"{}\": {error}", self.email)))
    }

    /// Values in the line replace the old ones.
    pub(super) fn apply(&self, user: &mut User) {
        let pairs = [
            (&mut user.name, &self.name),
            (&mut user.given_name, &self.given_name),
            (&mut user.family_name, &self.family_name),
            (&mut user.picture, &self.picture),
            (&mut user.locale, &self.locale),
            (&mut user.external_id, &self.external_id),
        ];
        for (ours, theirs) in pairs {
            if theirs.is_some() {
                ours.clone_from(theirs);
            }
        }
        user.email_verified = self.email_verified.unwrap_or(user.email_verified);
        for (key, value) in &self.metadata {
            user.metadata.insert(key.clone(), value.clone().into());
        }
    }
}

/// The organization that a person joins, and whose word that is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) organization_id: &'a OrganizationId,
    pub(super) method: ProvisioningMethod,
}

/// Makes a user a member with these roles. Says whether they were not one before.
pub(super) async fn join(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    user_id: &UserId,
    (place, roles): (Place<'_>, &[String]),
) -> Result<bool, RowError> {
    let organization_id = place.organization_id;
    let Some(before) = membership::find(tx, organization_id, user_id).await? else {
        let joining = NewMember {
            roles,
            ..NewMember::new(organization_id, user_id, place.method)
        };
        let membership = membership::create(tx, at, &joining).await?;
        refuse_unknown(roles, &membership.roles)?;
        return Ok(true);
    };
    if roles.is_empty()
        || roles.iter().all(|role| before.roles.contains(role)) && roles.len() == before.roles.len()
    {
        return Ok(false);
    }
    membership::set_roles(tx, at, organization_id, user_id, roles).await?;
    let after = membership::roles_of(tx, organization_id, user_id).await?;
    refuse_unknown(roles, &after)?;
    Ok(true)
}

/// If an unknown role were skipped silently, it would be noticed only when the person cannot work.
fn refuse_unknown(wanted: &[String], given: &[String]) -> Result<(), RowError> {
    match wanted.iter().find(|role| !given.contains(role)) {
        Some(role) => rejected(format!("there is no role \"{role}\"")),
        None => Ok(()),
    }
}

/// The organization that a line names by its identifier or external id.
pub(super) async fn find_organization(tx: &mut Tx<'_>, text: &str) -> Result<OrganizationId, RowError> {
    if let Ok(id) = OrganizationId::parse(text)
        && organization::exists(tx, &id).await?
    {
        return Ok(id);
    }
    match organization::find_by_external_id(tx, text).await? {
        Some(organization) => Ok(organization.id),
        None => rejected(format!("there is no organization \"{text}\"")),
    }
}
