//! A line that is a user.

use std::collections::BTreeMap;

use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use genkan_store::domain::Giver;
use genkan_store::membership::{self, Joining, ProvisioningMethod};
use genkan_store::organization;
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, Stamp, UserId};
use serde::Deserialize;

use super::apply::{Outcome, Row, RowError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserRow {
    email: String,
    email_verified: Option<bool>,
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    picture: Option<String>,
    locale: Option<String>,
    external_id: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// One membership, as a CSV file has it.
    organization: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    /// Several of them.
    #[serde(default)]
    memberships: Vec<MembershipRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipRow {
    /// The identifier or external id.
    organization: String,
    #[serde(default)]
    roles: Vec<String>,
}

fn rejected<T>(sentence: impl Into<String>) -> Result<T, RowError> {
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

    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, _: Giver) -> Result<Outcome, RowError> {
        let email = match EmailAddress::parse(&self.email) {
            Ok(email) => email,
            Err(error) => return rejected(format!("email \"{}\": {error}", self.email)),
        };
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
            // The system that they come from had the person's proof.
            user::prove_email(tx, at, &proved).await?;
        }
        let one = self
            .organization
            .as_ref()
            .map(|organization| (organization, &self.roles));
        let several = self.memberships.iter().map(|row| (&row.organization, &row.roles));
        for (organization, roles) in one.into_iter().chain(several) {
            if join(tx, at, &id, (organization, roles)).await? && outcome == Outcome::Unchanged {
                outcome = Outcome::Updated;
            }
        }
        Ok(outcome)
    }
}

impl UserRow {
    /// What the line says replaces what was there.
    fn apply(&self, user: &mut User) {
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

/// Makes a user a member with these roles, and says whether that is news.
async fn join(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    user_id: &UserId,
    (organization, roles): (&str, &[String]),
) -> Result<bool, RowError> {
    let Some(organization_id) = find_organization(tx, organization).await? else {
        return rejected(format!("there is no organization \"{organization}\""));
    };
    let Some(before) = membership::find(tx, &organization_id, user_id).await? else {
        let joining = Joining {
            roles,
            ..Joining::new(&organization_id, user_id, ProvisioningMethod::Cli)
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
    membership::set_roles(tx, at, &organization_id, user_id, roles).await?;
    let after = membership::roles_of(tx, &organization_id, user_id).await?;
    refuse_unknown(roles, &after)?;
    Ok(true)
}

/// A role that is left out silently would be found out when somebody cannot work.
fn refuse_unknown(wanted: &[String], given: &[String]) -> Result<(), RowError> {
    match wanted.iter().find(|role| !given.contains(role)) {
        Some(role) => rejected(format!("there is no role \"{role}\"")),
        None => Ok(()),
    }
}

async fn find_organization(tx: &mut Tx<'_>, text: &str) -> Result<Option<OrganizationId>, RowError> {
    if let Ok(id) = OrganizationId::parse(text)
        && organization::exists(tx, &id).await?
    {
        return Ok(Some(id));
    }
    Ok(organization::find_by_external_id(tx, text)
        .await?
        .map(|organization| organization.id))
}
