//! What a connection reads of its provider's claims: which hold groups and roles,
//! and which e-mail addresses count.
//!
//! Whoever administers a provider decides what it says, so nothing that gives
//! rights is read from a claim that nobody named. See `docs/decisions/claims.md`.

use genkan_db::{Tx, p};

use super::{EmailTrust, OidcSettings};
use crate::row::Columns;
use crate::{ConnectionId, Error};

/// Where a person's roles are read, and what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolesFrom<'a> {
    /// Gives and takes back.
    Named(&'a str),
    /// Takes back what it once gave.
    Unnamed(&'a str),
    /// The provider has no say.
    Nowhere,
}

/// The claim that was read for roles where none was named.
const UNNAMED_ROLES: &str = "roles";

impl OidcSettings {
    /// The claim that lists a person's groups, if one is named.
    pub fn groups_from(&self) -> Option<&str> {
        self.groups_claim.as_deref().filter(|claim| !claim.is_empty())
    }

    /// Where a person's roles are read.
    pub fn roles_from(&self) -> RolesFrom<'_> {
        match self.roles_claim.as_deref() {
            Some(claim) if !claim.is_empty() => RolesFrom::Named(claim),
            _ if self.unnamed_roles_claim => RolesFrom::Unnamed(UNNAMED_ROLES),
            _ => RolesFrom::Nowhere,
        }
    }

    /// Names the claim with the groups, or none: then nobody has groups by this
    /// connection from their next sign-in on.
    pub fn name_groups(&mut self, claim: Option<&str>) {
        self.groups_claim = claim.filter(|claim| !claim.is_empty()).map(str::to_owned);
        self.groups_claim_by_upgrade = false;
    }

    /// Names the claim with the roles, or none any more: then what a claim gave is
    /// taken back at the next sign-in. See [`Self::keep_roles`] for the other way.
    pub fn name_roles(&mut self, claim: Option<&str>) {
        let gave = self.roles_from() != RolesFrom::Nowhere;
        self.roles_claim = claim.filter(|claim| !claim.is_empty()).map(str::to_owned);
        self.unnamed_roles_claim = self.roles_claim.is_none() && gave;
    }

    /// The provider has no say in roles. What a claim gave stays until people take it.
    pub fn keep_roles(&mut self) {
        self.roles_claim = None;
        self.unnamed_roles_claim = false;
    }

    /// Which of its e-mail addresses count. A doubt wins if both are set.
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

/// What upgrades have left to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Connections that read groups from the claim that an upgrade named.
    pub groups_by_upgrade: i64,
    /// Connections whose unnamed roles claim gives nothing any more.
    pub unnamed_roles: i64,
    /// What providers gave where such a connection is: taken back as people sign in.
    pub given: Vec<Given>,
}

/// A role that people have from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub connection_id: ConnectionId,
    pub role: String,
    pub members: i64,
}

/// How many of [`Undecided::given`] are read.
const MAX_GIVEN: i64 = 100;

/// What upgrades have left to decide about claims.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn undecided(tx: &mut Tx<'_>) -> Result<Undecided, Error> {
    // The settings are compact JSON, where an unescaped quote stands around names only.
    let counts = tx
        .opt(
            r#"SELECT COUNT(CASE WHEN settings LIKE '%"groups_claim_by_upgrade":true%' THEN 1 END),
                      COUNT(CASE WHEN settings LIKE '%"unnamed_roles_claim":true%' THEN 1 END)
                 FROM connections WHERE kind = 'OIDC'"#,
            p![],
        )
        .await?;
    let Some(counts) = counts else {
        return Ok(Undecided::default());
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
        Ok(Given {
            connection_id: columns.id()?,
            role: columns.text()?,
            members: columns.int()?,
        })
    };
    Ok(Undecided {
        groups_by_upgrade: counts.int()?,
        unnamed_roles: counts.int()?,
        given: rows.iter().map(read).collect::<Result<_, Error>>()?,
    })
}
