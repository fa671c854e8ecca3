//! Who may come in and as what: the operator's rules.

use std::collections::BTreeSet;

use crate::web::identity::Identity;

/// The rules of a deployment. The default admits everybody whom the plugin names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Organizations of the provider that may enter; with none, any. When set,
    /// a person without an organization is refused.
    pub allowed_organizations: BTreeSet<String>,
    /// E-mail domains that may enter, in lower case; with none, any.
    pub allowed_domains: BTreeSet<String>,
    /// Groups that make an admin, in lower case.
    pub admin_groups: BTreeSet<String>,
    /// Whether groups decide the role at every sign-in, and not at the first alone.
    pub roles_follow_groups: bool,
    /// Whether a user who is here already may be claimed by an e-mail address
    /// that the provider did not verify.
    pub link_unverified_email: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            allowed_organizations: BTreeSet::new(),
            allowed_domains: BTreeSet::new(),
            admin_groups: ["admin", "admins", "owners"].map(str::to_owned).into(),
            roles_follow_groups: false,
            link_unverified_email: false,
        }
    }
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Admin,
    Member,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The role of a word, if it is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }
}

/// Why somebody whom the provider vouches for may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    OrganizationNotAllowed,
    DomainNotAllowed,
    /// The address decides whether the person may enter, or whose account it
    /// is, and the provider has not verified it.
    EmailNotVerified,
    /// The address belongs to somebody whom the provider calls otherwise.
    EmailTaken,
    Disabled,
    /// More sessions than seconds.
    TooManySessions,
}

impl Refusal {
    /// The code in the address of the sign-in page and in the audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrganizationNotAllowed => "organization_not_allowed",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::EmailNotVerified => "email_not_verified",
            Self::EmailTaken => "email_taken",
            Self::Disabled => "user_disabled",
            Self::TooManySessions => "too_many_sessions",
        }
    }
}

impl Rules {
    /// Whether the rules let a person in, whoever they are here.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admit(&self, identity: &Identity) -> Result<(), Refusal> {
        if !self.allowed_organizations.is_empty() {
            let is_allowed = identity
                .org_id
                .as_ref()
                .is_some_and(|org_id| self.allowed_organizations.contains(org_id));
            if !is_allowed {
                return Err(Refusal::OrganizationNotAllowed);
            }
        }
        if !self.allowed_domains.is_empty() {
            if !self.allowed_domains.contains(&identity.email_domain()) {
                return Err(Refusal::DomainNotAllowed);
            }
            // A plugin that knows nothing of verification is believed, as it
            // always was; one that says "not verified" is believed as well.
            if identity.email_verified == Some(false) {
                return Err(Refusal::EmailNotVerified);
            }
        }
        Ok(())
    }

    /// The role that a person's groups give.
    pub fn role(&self, groups: &[String]) -> Role {
        let is_admin = groups
            .iter()
            .any(|group| self.admin_groups.contains(&group.to_lowercase()));
        if is_admin { Role::Admin } else { Role::Member }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Identity {
        Identity {
            sub: "s1".to_owned(),
            email: "Ada@Acme.Test".to_owned(),
            name: None,
            org_id: Some("org_1".to_owned()),
            groups: Vec::new(),
            email_verified: None,
        }
    }

    #[test]
    fn without_rules_everybody_enters() {
        assert_eq!(Rules::default().admit(&ada()), Ok(()));
    }

    #[test]
    fn an_organization_that_is_not_listed_is_refused_and_so_is_none() {
        let rules = Rules {
            allowed_organizations: ["org_1".to_owned()].into(),
            ..Rules::default()
        };
        assert_eq!(rules.admit(&ada()), Ok(()));
        for org_id in [None, Some("org_2"), Some(""), Some("ORG_1"), Some("org_1 ")] {
            let eve = Identity {
                org_id: org_id.map(str::to_owned),
                ..ada()
            };
            assert_eq!(
                rules.admit(&eve),
                Err(Refusal::OrganizationNotAllowed),
                "{org_id:?}"
            );
        }
    }

    #[test]
    fn a_domain_is_compared_whole_and_without_case() {
        let rules = Rules {
            allowed_domains: ["acme.test".to_owned()].into(),
            ..Rules::default()
        };
        assert_eq!(rules.admit(&ada()), Ok(()));
        for email in [
            "ada@evil.test",
            "ada@acme.test.evil.test",
            "ada@notacme.test",
            "ada@sub.acme.test",
            "ada@acme.test@evil.test",
        ] {
            let eve = Identity {
                email: email.to_owned(),
                ..ada()
            };
            assert_eq!(rules.admit(&eve), Err(Refusal::DomainNotAllowed), "{email}");
        }
        let unverified = Identity {
            email_verified: Some(false),
            ..ada()
        };
        assert_eq!(rules.admit(&unverified), Err(Refusal::EmailNotVerified));
    }

    #[test]
    fn a_group_makes_an_admin_whatever_its_case() {
        let rules = Rules::default();
        let role = |group: &str| rules.role(&["Everyone".to_owned(), group.to_owned()]);
        assert_eq!(role("Owners"), Role::Admin);
        assert_eq!(role("ADMIN"), Role::Admin);
        assert_eq!(role("administrators"), Role::Member);
        assert_eq!(rules.role(&[]), Role::Member);
    }
}
