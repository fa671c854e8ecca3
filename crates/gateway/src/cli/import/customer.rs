//! A line about a user in the file of one organization.
//!
//! A customer wrote it, and the operator does not know every name in it. So it can reach as far as a claim
//! and no further: see the doors of `docs/decisions/proof.md`.

use genkan_db::Tx;
use genkan_store::membership::{self, ProvisioningMethod};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, Stamp, admission, domain};
use serde::Deserialize;

use super::apply::{Author, Outcome, Row, RowError};
use super::user::{Place, UserRow, find_organization, join, rejected};

#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct CustomerRow(pub(super) UserRow);

impl Row for CustomerRow {
    const COLUMNS: &[&str] = UserRow::COLUMNS;

    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, author: Author<'_>) -> Result<Outcome, RowError> {
        let Some(organization_id) = author.organization_id else {
            return rejected("the file is of no organization");
        };
        let row = &self.0;
        if row.external_id.is_some() || !row.metadata.is_empty() {
            // An application may recognize its people by these, and trust their values.
            return rejected("external_id and metadata are your application's to say, and not a customer's");
        }
        let email = row.address()?;
        let roles = self.roles(tx, organization_id).await?;
        let owner = domain::find_organization_for(tx, email.domain()).await?;
        let is_of_another = owner.is_some_and(|owner| owner != *organization_id);
        let (id, outcome) = match user::find_by_email(tx, &email).await? {
            Some(known) => {
                let mut user = known.clone();
                row.apply(&mut user);
                let changed = user != known;
                let is_member = membership::find(tx, organization_id, &known.id).await?.is_some();
                let is_elsewhere =
                    is_of_another || admission::has_own(tx, Some(organization_id), &known.id).await?;
                if is_elsewhere && !is_member {
                    return rejected(format!("{email} is not this organization's alone: {INVITE}"));
                }
                if is_elsewhere && changed {
                    return rejected(format!(
                        "{email} is not this organization's alone, so its file does not change their profile"
                    ));
                }
                if changed {
                    user::update(tx, at, &user).await?;
                }
                (known.id, Outcome::Unchanged.and(changed))
            }
            None if is_of_another => {
                return rejected(format!(
                    "the domain of {email} is another organization's: {INVITE}"
                ));
            }
            None => {
                let mut user = User::new(at.id(), email, at.now);
                row.apply(&mut user);
                user::insert(tx, at, &user).await?;
                (user.id, Outcome::Created)
            }
        };
        // The file says that they proved their address. This is stored, and proves nothing.
        let place = Place {
            organization_id,
            method: ProvisioningMethod::File,
        };
        Ok(outcome.and(join(tx, at, &id, (place, &roles)).await?))
    }
}

const INVITE: &str = "invite them with `genkan user invite`";

impl CustomerRow {
    /// The roles of the line in the organization. It may name no other organization.
    async fn roles(
        &self,
        tx: &mut Tx<'_>,
        organization_id: &OrganizationId,
    ) -> Result<Vec<String>, RowError> {
        let row = &self.0;
        let mut roles = row.roles.clone();
        let several = row.memberships.iter().map(|row| &row.organization);
        for name in row.organization.iter().chain(several) {
            if find_organization(tx, name).await? != *organization_id {
                return rejected(format!(
                    "the file is of one organization, and the line names \"{name}\""
                ));
            }
        }
        roles.extend(row.memberships.iter().flat_map(|row| row.roles.iter().cloned()));
        roles.sort_unstable();
        roles.dedup();
        Ok(roles)
    }
}
