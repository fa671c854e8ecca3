//! What an identity provider says of a person, once it is validated.
//!
//! Source: SAML 2.0 Core §2.3.3.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A validated assertion. It is plain and owned: no XML leaves this module.
///
/// Only [`Answer::validate`](super::Answer::validate) makes one of a message. The caller
/// may store it sealed, so it serializes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// Its identifier: the same assertion must not sign in twice.
    pub id: String,
    /// The provider's entity id.
    pub issuer: String,
    /// The person's name at the provider.
    pub name_id: NameId,
    /// The session at the provider, which a logout names.
    pub session_index: Option<String>,
    /// When that session ends.
    pub session_ends_at: Option<Timestamp>,
    /// When the person signed in there, by the provider's clock.
    pub authn_instant: Timestamp,
    /// How they signed in.
    pub authn_context: Option<String>,
    /// Attributes by name, and by friendly name where no attribute has that name.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// When it was made, by the provider's clock.
    pub issue_instant: Timestamp,
    /// After this time, and what clocks may differ, it is accepted no more.
    pub not_on_or_after: Timestamp,
    /// The request that it answers.
    pub in_response_to: Option<String>,
}

/// A person's name at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameId {
    /// The name.
    pub value: String,
    /// Its format, a URI.
    pub format: Option<String>,
    /// Who gave the name.
    pub name_qualifier: Option<String>,
    /// For whom it was given.
    pub sp_name_qualifier: Option<String>,
}

impl Assertion {
    /// The provider sent no groups, because the person has too many: Entra ID then sends
    /// the address of a list instead. What is known of the groups should stay.
    pub fn has_unlisted_groups(&self) -> bool {
        self.attributes.keys().any(|name| is_groups_link(name))
    }
}

/// The attribute that Entra ID sends instead of more than 150 groups.
pub(super) fn is_groups_link(name: &str) -> bool {
    name.ends_with("/claims/groups.link")
}
