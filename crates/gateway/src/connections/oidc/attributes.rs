//! Makes a person from a provider's claims.
//!
//! Source: OIDC Core §5.1 for the default names.

use genkan_protocol::oidc;
use genkan_protocol::oidc::userinfo::{has_unlisted_groups, is_kept_elsewhere};
use genkan_protocol::{EmailAddress, EmailAddressError, Trace, name};
use genkan_store::admission::{Profile, Roles};
use genkan_store::connection::{AttributeSource, Common, Kind, OidcSettings, RolesFrom, attribute_sources};
use genkan_store::user_attribute::UserAttribute;
use serde_json::{Map, Value};

use crate::connections::cause::Cause;
use crate::connections::custom::{self, CustomAttributes, MissingAttribute, ProviderValue, Vocabulary};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    word: "claim",
    missing: Cause::Oidc(oidc::Cause::MandatoryAttributeMissing),
    malformed: Cause::Oidc(oidc::Cause::MandatoryAttributeMalformed),
};

/// Further groups are cut off, because an access token must fit into a header.
const MAX_GROUPS: usize = 200;

/// The claims of a provider about a person, by document.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    pub id_token: Map<String, Value>,
    pub userinfo: Userinfo,
}

/// The result of the userinfo endpoint.
#[derive(Debug, Clone, Default)]
pub enum Userinfo {
    /// There is none, or the ID token contains everything.
    #[default]
    NotAsked,
    /// It was needed, but its answer cannot be used.
    Unread,
    Read(Map<String, Value>),
}

/// A claim, and the claim that says whether it is verified. One without the other means nothing (OIDC Core
/// §5.1).
const PAIRS: [(&str, &str); 2] = [
    ("email", "email_verified"),
    ("phone_number", "phone_number_verified"),
];

impl Documents {
    /// The ID token comes first, because it is signed.
    fn iter(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let userinfo = match &self.userinfo {
            Userinfo::Read(userinfo) => Some(userinfo),
            Userinfo::NotAsked | Userinfo::Unread => None,
        };
        std::iter::once(&self.id_token).chain(userinfo)
    }

    /// The claim from the first document that has it. `null` counts as absent.
    fn find(&self, claim: &str) -> Option<&Value> {
        self.iter().find_map(|document| said(document, claim))
    }

    /// All claims together, for people who look at them. Here, too, a value and its flag come from the same
    /// document.
    pub fn merged(&self) -> Map<String, Value> {
        let mut all = self.id_token.clone();
        let Userinfo::Read(userinfo) = &self.userinfo else {
            return all;
        };
        for (value, flag) in PAIRS {
            if said(&all, value).is_none() {
                all.remove(value);
                all.remove(flag);
            } else {
                all.entry(flag).or_insert(Value::Null);
            }
        }
        for (name, value) in userinfo {
            all.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        for (_, flag) in PAIRS {
            if all.get(flag).is_some_and(Value::is_null) {
                all.remove(flag);
            }
        }
        all
    }
}

/// OIDC Core §5.3.2: an absent claim should be left out, but is sometimes `null`.
fn said<'a>(document: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    document.get(claim).filter(|value| !value.is_null())
}

/// The result of the mapping.
#[derive(Debug)]
pub struct MappedIdentity {
    pub email: EmailAddress,
    pub profile: Profile,
    /// `None`: the groups stay.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
}

/// Why the claims do not make a person.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    #[error("the claim {claim} with the e-mail address is missing")]
    EmailMissing { claim: String },
    #[error("the claim {claim} is not an e-mail address: {why}")]
    EmailMalformed {
        claim: String,
        text: String,
        why: EmailAddressError,
    },
    #[error(transparent)]
    Attribute(#[from] MissingAttribute),
}

/// The claim of each attribute, as the connection says.
#[derive(Debug, Clone, Copy)]
pub struct Mapping<'a> {
    pub common: &'a Common,
    pub settings: &'a OidcSettings,
    /// The registered custom attributes.
    pub attributes: &'a [UserAttribute],
}

impl<'a> Mapping<'a> {
    /// The claim for one of our attributes. By default the standard's name.
    pub fn claim(self, attribute: &'a str) -> &'a str {
        let mapping = &self.common.attribute_mapping;
        mapping.get(attribute).map_or(attribute, String::as_str)
    }

    /// The claims with groups and roles, if the connection reads any.
    fn lists(self) -> impl Iterator<Item = &'a str> {
        let roles = match self.settings.roles_from() {
            RolesFrom::Named(claim) | RolesFrom::Unnamed(claim) => Some(claim),
            RolesFrom::Nowhere => None,
        };
        self.settings.groups_from().into_iter().chain(roles)
    }

    /// Our attribute for a claim, for people who look at the claims.
    pub fn becomes(self, name: &str) -> Option<&'static str> {
        let mapped = |attribute| self.claim(attribute) == name;
        Some(match name {
            "sub" => "the subject",
            _ if mapped("email") => "the e-mail",
            _ if mapped("name") => "the name",
            _ if mapped("given_name") => "the given name",
            _ if mapped("family_name") => "the family name",
            _ if mapped("preferred_username") => "the user name",
            _ if Some(name) == self.settings.groups_from() => "the groups",
            _ if Some(name) == self.settings.roles_claim.as_deref() => "the roles",
            _ if self.sources().any(|source| source.name == Some(name)) => "a custom attribute",
            _ => return None,
        })
    }

    /// Whether the ID token lacks something that the userinfo endpoint may have. OIDC Core §5.3 does not
    /// require to ask it.
    pub fn is_incomplete(self, id_token: &Map<String, Value>) -> bool {
        let is_open = |claim: &str| said(id_token, claim).is_none();
        let is_nameless = is_open(self.claim("name"))
            && (is_open(self.claim("given_name")) || is_open(self.claim("family_name")));
        is_open(self.claim("email"))
            // The userinfo may say whether an address is verified.
            || is_open("email_verified")
            || is_nameless
            || self.common.attribute_mapping.values().any(|claim| is_open(claim))
            || self.sources().filter_map(|source| source.name).any(is_open)
            || self.lists().any(is_open)
    }

    /// The claims of the registered custom attributes.
    fn sources(self) -> impl Iterator<Item = AttributeSource<'a>> {
        attribute_sources(self.attributes, Kind::Oidc, self.common)
    }

    fn custom(self, documents: &Documents, trace: &mut Trace) -> Result<CustomAttributes, MissingAttribute> {
        let find = |claim: &str| match documents.find(claim) {
            Some(value) => ProviderValue::Value(value.clone()),
            None if documents
                .iter()
                .any(|document| is_kept_elsewhere(document, claim))
                || matches!(documents.userinfo, Userinfo::Unread) =>
            {
                ProviderValue::Unknown(Cause::Oidc(oidc::Cause::UserInfoRetrieveFailed))
            }
            None => ProviderValue::Absent,
        };
        custom::read(self.sources(), find, (VOCABULARY.word, trace))
    }

    /// Applies the mapping. The resulting groups and roles are written into the trace.
    ///
    /// # Errors
    ///
    /// [`MappingError`] if there is no usable e-mail address, or no value of a required attribute.
    pub fn apply(self, documents: &Documents, trace: &mut Trace) -> Result<MappedIdentity, MappingError> {
        let (email, email_verified) = self.email(documents)?;
        trace.pass("E-mail address", email.as_str());
        let text = |attribute| text(documents.find(self.claim(attribute))?);
        Ok(MappedIdentity {
            profile: Profile {
                email: Some(email.clone()),
                email_verified,
                name: text("name"),
                given_name: text("given_name"),
                family_name: text("family_name"),
                picture: text("picture").filter(|url| url.starts_with("https://")),
                locale: text("locale"),
                preferred_username: text("preferred_username"),
                custom_attributes: self.custom(documents, trace)?,
            },
            email,
            groups: self.groups(documents, trace),
            roles: self.roles(documents, trace),
        })
    }

    /// The address, and whether it is verified, both from the same document.
    ///
    /// But if any document says that the address is not verified, that counts, unless it is about another
    /// address.
    fn email(self, documents: &Documents) -> Result<(EmailAddress, Option<bool>), MappingError> {
        let claim = self.claim("email");
        let missing = || MappingError::EmailMissing {
            claim: claim.to_owned(),
        };
        let address = |document| said(document, claim).and_then(Value::as_str).map(str::trim);
        let document = documents
            .iter()
            .find(|document| said(document, claim).is_some())
            .ok_or_else(missing)?;
        let text = address(document).ok_or_else(missing)?;
        let email = EmailAddress::parse(text).map_err(|why| MappingError::EmailMalformed {
            claim: claim.to_owned(),
            text: text.to_owned(),
            why,
        })?;
        // The flag is about the claim `email`, not about another claim that a connection reads instead.
        let verified = verified(document).filter(|verified| claim == "email" || !verified);
        if verified == Some(true) {
            return Ok((email, verified));
        }
        let is_other = |address: &str| EmailAddress::parse(address).is_ok_and(|other| other != email);
        let is_doubted = documents.iter().any(|document| {
            self::verified(document) == Some(false) && !address(document).is_some_and(is_other)
        });
        Ok((email, if is_doubted { Some(false) } else { verified }))
    }

    fn groups(self, documents: &Documents, trace: &mut Trace) -> Option<Vec<String>> {
        let Some(claim) = self.settings.groups_from() else {
            tell_unused(documents, "Groups", "groups", trace);
            return Some(Vec::new());
        };
        let is_overage = documents.iter().any(has_unlisted_groups);
        listed(documents, claim, is_overage, ("Groups", trace))
    }

    fn roles(self, documents: &Documents, trace: &mut Trace) -> Roles {
        match self.settings.roles_from() {
            RolesFrom::Named(claim) => {
                listed(documents, claim, false, ("Roles", trace)).map_or(Roles::Silent, Roles::Are)
            }
            RolesFrom::Unnamed(claim) => {
                let found = listed(documents, claim, false, ("Roles", &mut Trace::default()));
                trace.pass_over(
                    "Roles",
                    "the connection names no claim for them: none is given, and what a claim gave before is taken back",
                );
                found.map_or(Roles::Silent, Roles::AtMost)
            }
            RolesFrom::Nowhere => {
                tell_unused(documents, "Roles", "roles", trace);
                Roles::Silent
            }
        }
    }
}

/// Notes in the trace a claim that nobody reads, but that somebody may expect to count.
fn tell_unused(documents: &Documents, what: &str, claim: &str, trace: &mut Trace) {
    if documents.find(claim).is_some() {
        let note = format!("the claim {claim} is not used: the connection names no claim for them");
        trace.pass_over(what, note);
    }
}

/// The names in a claim. An absent claim means that there are none. `None` if this is unknown, and then the
/// person keeps what they have.
fn listed(
    documents: &Documents,
    claim: &str,
    is_overage: bool,
    (what, trace): (&str, &mut Trace),
) -> Option<Vec<String>> {
    if let Some(value) = documents.find(claim) {
        let Some(names) = names(value) else {
            let note = format!("the claim {claim} is no list of names, so there are none");
            trace.pass_over(what, note);
            return Some(Vec::new());
        };
        trace.pass(what, format!("{} in the claim {claim}", names.len()));
        return Some(names);
    }
    if is_overage
        || documents
            .iter()
            .any(|document| is_kept_elsewhere(document, claim))
    {
        let note = format!(
            "stay as they were: the person has too many for a token, and the claim {claim} only refers to them"
        );
        trace.pass_over(what, note);
        return None;
    }
    if matches!(documents.userinfo, Userinfo::Unread) {
        let note =
            format!("stay as they were: the claim {claim} is not in the ID token, and userinfo is unread");
        trace.pass_over(what, note);
        return None;
    }
    trace.pass(what, format!("none: there is no claim {claim}"));
    Some(Vec::new())
}

/// Whether the provider has verified the address. `None` if it does not say.
fn verified(claims: &Map<String, Value>) -> Option<bool> {
    match claims.get("email_verified")? {
        Value::Bool(verified) => Some(*verified),
        // Some providers send text, contrary to OIDC Core §5.1. Anything but a clear `true` counts as not
        // verified.
        Value::String(text) => Some(text == "true"),
        Value::Null => None,
        _ => Some(false),
    }
}

/// Names are shown on pages and put into tokens, so they must be short and one line.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let clean: String = name::clean(text).chars().take(255).collect();
    (!clean.is_empty()).then_some(clean)
}

/// One name or several. `None` if it is neither.
fn names(value: &Value) -> Option<Vec<String>> {
    let found = match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect(),
        _ => return None,
    };
    let mut bounded: Vec<String> = found
        .into_iter()
        .filter(|name| !name.is_empty() && name.len() <= 255)
        .take(MAX_GROUPS)
        .collect();
    bounded.sort_unstable();
    bounded.dedup();
    Some(bounded)
}

#[cfg(test)]
mod tests;
