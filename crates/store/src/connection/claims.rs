//! Which claims a connection reads: the claims with groups and roles, and the e-mail addresses that count.
//!
//! The administrator of a provider decides what it says. So rights are read only from a claim that somebody
//! has named. See `docs/decisions/claims.md`.

use genkan_db::{Tx, p};

use super::{EmailTrust, OidcSettings};
use crate::row::Columns;
use crate::{ConnectionId, Error};

/// The claim with a person's roles, and what it may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolesFrom<'a> {
    /// Gives roles and takes them back.
    Named(&'a str),
    /// Takes back roles that it gave earlier.
    Unnamed(&'a str),
    /// The provider decides about no roles.
    Nowhere,
}

/// The claim from which roles were read if none was named.
const UNNAMED_ROLES: &str = "roles";

impl OidcSettings {
    /// The claim with a person's groups, if one is named.
    pub fn groups_from(&self) -> Option<&str> {
        self.groups_claim.as_deref().filter(|claim| !claim.is_empty())
    }

    /// The claim with a person's roles.
    pub fn roles_from(&self) -> RolesFrom<'_> {
        match self.roles_claim.as_deref() {
            Some(claim) if !claim.is_empty() => RolesFrom::Named(claim),
            _ if self.unnamed_roles_claim => RolesFrom::Unnamed(UNNAMED_ROLES),
            _ => RolesFrom::Nowhere,
        }
    }

    /// Names the claim with the groups. With `None`, people lose the groups of this connection at their
    /// next sign-in.
    pub fn name_groups(&mut self, claim: Option<&str>) {
        self.groups_claim = claim.filter(|claim| !claim.is_empty()).map(str::to_owned);
        self.groups_claim_by_upgrade = false;
    }

    /// Names the claim with the roles. With `None`, roles from the claim are taken back at the next
    /// sign-in. [`Self::keep_roles`] does the opposite.
    pub fn name_roles(&mut self, claim: Option<&str>) {
        let gave = self.roles_from() != RolesFrom::Nowhere;
        self.roles_claim = claim.filter(|claim| !claim.is_empty()).map(str::to_owned);
        self.unnamed_roles_claim = self.roles_claim.is_none() && gave;
    }

    /// The provider decides about no roles any more. Roles that a claim gave stay until a person removes
    /// them.
    pub fn keep_roles(&mut self) {
        self.roles_claim = None;
        self.unnamed_roles_claim = false;
    }

    /// Which of its e-mail addresses count. If both settings are set, the stricter one holds.
    pub const fn email_trust(&self) -> EmailTrust {
        match (self.only_verified_email, self.trust_unverified_email) {
            (true, _) => EmailTrust::Verified,
            (false, false) => EmailTrust::NotDoubted,
            (false, true) => EmailTrust::Any,
        }
    }

    /// Decides which of its e-mail addresses count.
    pub const fn set_email_trust(&mut self, trust: EmailTrust) {
        self.only_verified_email = matches!(trust, EmailTrust::Verified);
        self.trust_unverified_email = matches!(trust, EmailTrust::Any);
    }
}

/// The settings about which an operator must decide after an upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeDecisions {
    /// Connections that read groups from a claim which an upgrade named.
    pub groups_by_upgrade: i64,
    /// Connections that have no roles claim and therefore give no roles any more.
    pub unnamed_roles: i64,
    /// Roles that such connections gave. They are taken back as people sign in.
    pub given: Vec<ProviderRole>,
}

/// A role that people have from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRole {
    pub connection_id: ConnectionId,
    pub role: String,
    pub members: i64,
}

/// How many entries of [`UpgradeDecisions::given`] are read.
const MAX_GIVEN: i64 = 100;

/// Reads what an operator must decide about claims after an upgrade.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn undecided(tx: &mut Tx<'_>) -> Result<UpgradeDecisions, Error> {
    // The settings are compact JSON, in which unescaped quotes surround only names and values.
    let counts = tx
        .opt(
            r#"SELECT COUNT(CASE WHEN settings LIKE '%"groups_claim_by_upgrade":true%' THEN 1 END),
                      COUNT(CASE WHEN settings LIKE '%"unnamed_roles_claim":true%' THEN 1 END)
                 FROM connections WHERE kind = 'OIDC'"#,
            p![],
        )
        .await?;
    let Some(counts) = counts else {
        return Ok(UpgradeDecisions::default());
    };
    let mut counts = Columns::of(&counts);
    let rows = tx
        .all(
            r#"SELECT c.id, r.name, COUNT(*) FROM connections c
                 JOIN membership_roles mr ON mr.organization_id = c.organization_id AND mr.by_provider
                 JOIN roles r ON r.id = mr.role_id
                WHERE c.kind = 'OIDC' AND c.settings LIKE '%"unnamed_roles_claim":true%'
                GROUP BY c.id, r.name ORDER BY c.id, r.name LIMIT $1"#,
            p![MAX_GIVEN],
        )
        .await?;
    let read = |row| {
        let mut columns = Columns::of(row);
        Ok(ProviderRole {
            connection_id: columns.id()?,
            role: columns.text()?,
            members: columns.int()?,
        })
    };
    Ok(UpgradeDecisions {
        groups_by_upgrade: counts.int()?,
        unnamed_roles: counts.int()?,
        given: rows.iter().map(read).collect::<Result<_, Error>>()?,
    })
}
