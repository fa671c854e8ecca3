//! The operator's rules: who may enter, and with which role.

use std::collections::{BTreeMap, BTreeSet};

use crate::web::identity::Identity;

/// The rules of a deployment. The default admits everybody whom the plugin
/// signs in, and makes nobody an admin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Organizations of the provider that may enter; with none, any. When set,
    /// a person without an organization is refused.
    pub allowed_organizations: BTreeSet<String>,
    /// E-mail domains that may enter, in lower case; with none, any.
    pub allowed_domains: BTreeSet<String>,
    /// Groups that make an admin, in lower case, by their organization: each company
    /// names its groups as it likes.
    pub admin_groups: BTreeMap<String, BTreeSet<String>>,
    /// Whether groups decide the role at every sign-in, and not only at the first.
    pub roles_follow_groups: bool,
    /// Whether an e-mail address that the provider did not verify may link to an
    /// existing user.
    pub link_unverified_email: bool,
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

/// Why a person whom the provider signed in may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    OrganizationNotAllowed,
    DomainNotAllowed,
    /// The provider has not verified the address, and the address decides whether the
    /// person may enter, or which user they are.
    EmailNotVerified,
    /// The address belongs to a user with another subject.
    EmailTaken,
    Disabled,
    /// Too many sessions began within one second.
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
    /// Whether the rules let a person in, new or known.
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
            // If a plugin says nothing about verification, the address counts, as it
            // always did. If it says "not verified", the address does not count.
            if identity.email_verified == Some(false) {
                return Err(Refusal::EmailNotVerified);
            }
        }
        Ok(())
    }

    /// Whether people of every company at the provider may enter.
    pub fn admits_every_organization(&self) -> bool {
        self.allowed_organizations.is_empty()
    }

    /// The role that a person's groups give in their organization.
    pub fn role(&self, identity: &Identity) -> Role {
        let named = identity
            .org_id
            .as_ref()
            .and_then(|org_id| self.admin_groups.get(org_id));
        let is_admin = named.is_some_and(|named| {
            let mut groups = identity.groups.iter();
            groups.any(|group| named.contains(&group.to_lowercase()))
        });
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
    fn a_group_makes_an_admin_whatever_its_case_where_the_rule_names_its_organization() {
        let owners = ["owners".to_owned(), "admin".to_owned()].into();
        let rules = Rules {
            admin_groups: [("org_1".to_owned(), owners)].into(),
            ..Rules::default()
        };
        let role = |rules: &Rules, org_id: Option<&str>, group: &str| {
            rules.role(&Identity {
                org_id: org_id.map(str::to_owned),
                groups: vec!["Everyone".to_owned(), group.to_owned()],
                ..ada()
            })
        };
        assert_eq!(role(&rules, Some("org_1"), "Owners"), Role::Admin);
        assert_eq!(role(&rules, Some("org_1"), "ADMIN"), Role::Admin);
        assert_eq!(role(&rules, Some("org_1"), "administrators"), Role::Member);
        for org_id in [None, Some("org_2"), Some("ORG_1"), Some("")] {
            assert_eq!(role(&rules, org_id, "owners"), Role::Member, "{org_id:?}");
        }
        for group in ["admin", "admins", "owners"] {
            assert_eq!(
                role(&Rules::default(), Some("org_1"), group),
                Role::Member,
                "{group}"
            );
        }
    }
}
