//! Makes a person from the attributes of an assertion.
//!
//! SAML gives attributes no names of its own, and each product has others. An attribute that the connection
//! does not name is looked for under the names that products use.
//!
//! Source: SAML Core §2.7.3; the attribute profiles of SAML Profiles §8 for names with `urn:oid:`.

use std::collections::{BTreeMap, BTreeSet};

use genkan_protocol::saml::{self, Assertion, NameIdFormat};
use genkan_protocol::{EmailAddress, EmailAddressError, Trace, name};
use genkan_store::admission::{Profile, Roles};
use genkan_store::connection::{AttributeSource, Common, Kind, attribute_sources};
use genkan_store::user_attribute::UserAttribute;
use serde_json::{Map, Value};

use crate::connections::cause::Cause;
use crate::connections::custom::{self, CustomAttributes, MissingAttribute, ProviderValue, Vocabulary};

/// The word with which a connection names the subject's identifier as a source.
pub(super) const NAME_ID: &str = "NameID";

/// Further groups are cut off, because an access token must fit into a header.
const MAX_GROUPS: usize = 200;

/// The names of products for each of our attributes.
const NAMES: &[(&str, &[&str])] = &[
    (
        "email",
        &[
            "email",
            "mail",
            "Email",
            "emailaddress",
            "emailAddress",
            "EmailAddress",
            "email_address",
            "User.email",
            "user.email",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "http://schemas.xmlsoap.org/claims/EmailAddress",
            "urn:oid:0.9.2342.19200300.100.1.3",
            "urn:oid:1.2.840.113549.1.9.1",
            "urn:mace:dir:attribute-def:mail",
        ],
    ),
    (
        "given_name",
        &[
            "given_name",
            "givenname",
            "givenName",
            "firstName",
            "firstname",
            "first_name",
            "FirstName",
            "User.FirstName",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
            "urn:oid:2.5.4.42",
            "urn:mace:dir:attribute-def:givenName",
        ],
    ),
    (
        "family_name",
        &[
            "family_name",
            "surname",
            "sn",
            "familyName",
            "lastName",
            "lastname",
            "last_name",
            "LastName",
            "User.LastName",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
            "urn:oid:2.5.4.4",
            "urn:mace:dir:attribute-def:sn",
        ],
    ),
    (
        // Not `…/identity/claims/name`: in Entra that is the user principal name.
        "name",
        &[
            "name",
            "displayName",
            "displayname",
            "display_name",
            "cn",
            "http://schemas.microsoft.com/identity/claims/displayname",
            "http://schemas.xmlsoap.org/claims/CommonName",
            "urn:oid:2.16.840.1.113730.3.1.241",
            "urn:oid:2.5.4.3",
            "urn:mace:dir:attribute-def:displayName",
        ],
    ),
    (
        "preferred_username",
        &[
            "preferred_username",
            "username",
            "uid",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
            "urn:oid:0.9.2342.19200300.100.1.1",
        ],
    ),
    (
        "locale",
        &["locale", "preferredLanguage", "urn:oid:2.16.840.1.113730.3.1.39"],
    ),
    ("email_verified", &["email_verified", "emailVerified"]),
    ("picture", &["picture"]),
];

/// Names under which products send groups and roles. They are not read, because the administrator of a
/// provider decides about them; see `docs/decisions/claims.md`.
const LISTS: &[(&str, &str, &[&str])] = &[
    (
        "groups",
        "Groups",
        &[
            "groups",
            "memberOf",
            "Group",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    ),
    (
        "roles",
        "Roles",
        &[
            "roles",
            "Role",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
        ],
    ),
];

/// The result of the mapping.
#[derive(Debug)]
pub(super) struct MappedIdentity {
    pub(super) email: EmailAddress,
    pub(super) profile: Profile,
    /// `None`: the groups stay.
    pub(super) groups: Option<Vec<String>>,
    pub(super) roles: Roles,
}

/// Why the attributes do not make a person.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MappingError {
    #[error("the attribute {sources} with the e-mail address is missing")]
    Missing { sources: String },
    #[error("the attribute {source_name} is not an e-mail address: {why}")]
    Malformed {
        source_name: String,
        text: String,
        why: EmailAddressError,
    },
    /// Nobody can tell which of them is the person's.
    #[error("there are several e-mail addresses")]
    Ambiguous { found: Vec<String> },
    #[error(transparent)]
    Attribute(#[from] MissingAttribute),
}

/// The attribute of each of ours, as the connection says.
#[derive(Debug, Clone, Copy)]
pub(in crate::connections) struct Mapping<'a> {
    pub(super) common: &'a Common,
    /// The registered custom attributes.
    pub(super) attributes: &'a [UserAttribute],
}

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    word: "attribute",
    missing: Cause::Saml(saml::Cause::MandatoryAttributeMissing),
    malformed: Cause::Saml(saml::Cause::MandatoryAttributeMalformed),
};

type Attributes = BTreeMap<String, Vec<String>>;

impl<'a> Mapping<'a> {
    /// The attribute that the connection names for one of ours.
    fn named(self, attribute: &str) -> Option<&'a str> {
        self.common.attribute_mapping.get(attribute).map(String::as_str)
    }

    /// The provider's names for one of our attributes, in the order in which they are looked for.
    fn sources(self, attribute: &str) -> Vec<&'a str> {
        if let Some(named) = self.named(attribute) {
            return vec![named];
        }
        let known = NAMES.iter().find(|(known, _)| *known == attribute);
        known.map_or_else(Vec::new, |(_, names)| names.to_vec())
    }

    /// Our attribute for one of the provider's, for people who look at them.
    pub(in crate::connections) fn becomes(self, source: &str) -> Option<&'static str> {
        let mapped = |attribute| self.sources(attribute).contains(&source);
        Some(match source {
            _ if mapped("email") => "the e-mail",
            _ if mapped("name") => "the name",
            _ if mapped("given_name") => "the given name",
            _ if mapped("family_name") => "the family name",
            _ if mapped("preferred_username") => "the user name",
            _ if self.named("groups") == Some(source) => "the groups",
            _ if self.named("roles") == Some(source) => "the roles",
            _ if self.custom_sources().any(|custom| custom.name == Some(source)) => "a custom attribute",
            NAME_ID => "the subject",
            _ => return None,
        })
    }

    /// Applies the mapping. The resulting groups and roles are written into the trace.
    ///
    /// # Errors
    ///
    /// [`MappingError`] if there is no usable e-mail address, more than one, or no value of a required attribute.
    pub(super) fn apply(
        self,
        assertion: &Assertion,
        trace: &mut Trace,
    ) -> Result<MappedIdentity, MappingError> {
        let email = self.email(assertion)?;
        trace.pass("E-mail address", email.as_str());
        let text = |attribute: &str| {
            let sources = self.sources(attribute);
            let values = sources.iter().find_map(|source| values(assertion, source))?;
            clean(values.first()?)
        };
        let (given_name, family_name) = (text("given_name"), text("family_name"));
        let whole = |(given, family): (&String, &String)| format!("{given} {family}");
        let joined = given_name.as_ref().zip(family_name.as_ref()).map(whole);
        Ok(MappedIdentity {
            profile: Profile {
                email: Some(email.clone()),
                // SAML has no word for it. Anything but a clear `true` is a doubt.
                email_verified: text("email_verified").map(|text| text.eq_ignore_ascii_case("true")),
                name: text("name").or(joined),
                given_name,
                family_name,
                picture: text("picture").filter(|url| url.starts_with("https://")),
                locale: text("locale"),
                preferred_username: text("preferred_username"),
                custom_attributes: self.custom(assertion, trace)?,
            },
            email,
            groups: self.groups(assertion, trace),
            roles: self.roles(assertion, trace),
        })
    }

    fn custom(self, assertion: &Assertion, trace: &mut Trace) -> Result<CustomAttributes, MissingAttribute> {
        let find = |name: &str| match values(assertion, name) {
            Some(values) => ProviderValue::Value(values.into()),
            // An assertion comes whole, so nothing is unknown.
            None => ProviderValue::Absent,
        };
        custom::read(self.custom_sources(), find, (VOCABULARY.word, trace))
    }

    /// The SAML attributes of the registered custom attributes.
    fn custom_sources(self) -> impl Iterator<Item = AttributeSource<'a>> {
        attribute_sources(self.attributes, Kind::Saml, self.common)
    }

    /// The one e-mail address. If an assertion has two, the person could have entered one of them there
    /// and be somebody else by it, so neither counts.
    fn email(self, assertion: &Assertion) -> Result<EmailAddress, MappingError> {
        let sources = self.sources("email");
        let mut found: BTreeSet<String> = BTreeSet::new();
        let mut first = None;
        for source in &sources {
            for text in values(assertion, source).unwrap_or_default() {
                let text = text.trim();
                if text.is_empty() {
                    continue;
                }
                let email = EmailAddress::parse(text).map_err(|why| MappingError::Malformed {
                    source_name: (*source).to_owned(),
                    text: text.to_owned(),
                    why,
                })?;
                found.insert(email.as_str().to_owned());
                first.get_or_insert(email);
            }
        }
        if found.len() > 1 {
            return Err(MappingError::Ambiguous {
                found: found.into_iter().collect(),
            });
        }
        let by_name_id = || {
            let is_address = assertion.name_id.format.as_deref() == Some(NameIdFormat::Email.uri());
            let may = is_address && self.named("email").is_none();
            may.then(|| EmailAddress::parse(assertion.name_id.value.trim()).ok())?
        };
        first.or_else(by_name_id).ok_or_else(|| MappingError::Missing {
            sources: match self.named("email") {
                Some(named) => named.to_owned(),
                None => "email".to_owned(),
            },
        })
    }

    fn groups(self, assertion: &Assertion, trace: &mut Trace) -> Option<Vec<String>> {
        let Some(source) = self.named("groups") else {
            tell_unused(assertion, "groups", trace);
            return Some(Vec::new());
        };
        if values(assertion, source).is_none() && assertion.has_unlisted_groups() {
            trace.pass_over(
                "Groups",
                "stay as they were: the person has more groups than the provider sends (groups_overage). In Entra, \
                 open Attributes & Claims, edit the group claim and choose “Groups assigned to the application”",
            );
            return None;
        }
        let names = listed(assertion, source, ("Groups", trace));
        if !names.is_empty() && names.iter().all(|name| is_identifier(name)) {
            trace.pass_over(
                "Groups",
                "are identifiers and no names. In Entra, open Attributes & Claims, edit the group claim and choose \
                 another source attribute, such as “Cloud-only group display names”",
            );
        }
        Some(names)
    }

    fn roles(self, assertion: &Assertion, trace: &mut Trace) -> Roles {
        match self.named("roles") {
            Some(source) => Roles::Are(listed(assertion, source, ("Roles", trace))),
            None => {
                tell_unused(assertion, "roles", trace);
                Roles::Silent
            }
        }
    }
}

/// Whether a group is named by a number that only its directory knows, as in Entra (RFC 9562 §4).
fn is_identifier(name: &str) -> bool {
    let parts: Vec<usize> = name.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && name
            .bytes()
            .all(|octet| octet.is_ascii_hexdigit() || octet == b'-')
}

/// The values of a source: an attribute, or the subject's identifier. The word is the subject's, also where
/// an attribute has this name: a person may be able to choose the value of an attribute.
fn values(assertion: &Assertion, source: &str) -> Option<Vec<String>> {
    if source.eq_ignore_ascii_case(NAME_ID) {
        return Some(vec![assertion.name_id.value.clone()]);
    }
    let values = assertion.attributes.get(source)?;
    (!values.is_empty()).then(|| values.clone())
}

/// The names in an attribute. An absent attribute means that there are none: that is how providers say so.
fn listed(assertion: &Assertion, source: &str, (what, trace): (&str, &mut Trace)) -> Vec<String> {
    let Some(values) = values(assertion, source) else {
        trace.pass(what, format!("none: there is no attribute {source}"));
        return Vec::new();
    };
    let names: BTreeSet<String> = values
        .into_iter()
        .filter(|name| !name.is_empty() && name.len() <= 255)
        .take(MAX_GROUPS)
        .collect();
    trace.pass(what, format!("{} in the attribute {source}", names.len()));
    names.into_iter().collect()
}

/// Notes in the trace an attribute that nobody reads, but that somebody may expect to count.
fn tell_unused(assertion: &Assertion, attribute: &str, trace: &mut Trace) {
    for (_, what, names) in LISTS.iter().filter(|(known, ..)| *known == attribute) {
        if let Some(name) = names
            .iter()
            .find(|name| assertion.attributes.contains_key(**name))
        {
            let note =
                format!("the attribute {name} is not used: the connection names no attribute for them");
            trace.pass_over(*what, note);
        }
    }
}

/// Names are shown on pages and put into tokens, so they must be short and one line.
fn clean(text: &str) -> Option<String> {
    let clean: String = name::clean(text.trim()).chars().take(255).collect();
    (!clean.is_empty()).then_some(clean)
}

/// The names of all attributes that came, for the people who map them.
pub(super) fn names(attributes: &Attributes) -> String {
    match attributes.is_empty() {
        true => "none at all".to_owned(),
        false => attributes
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// All that the provider said, for people who look at the identity.
pub(super) fn merged(assertion: &Assertion) -> Map<String, Value> {
    let one_or_many = |values: &Vec<String>| match values.as_slice() {
        [one] => Value::from(one.as_str()),
        many => Value::from(many),
    };
    let mut all: Map<String, Value> = assertion
        .attributes
        .iter()
        .map(|(name, values)| (name.clone(), one_or_many(values)))
        .collect();
    let subject = Value::from(assertion.name_id.value.as_str());
    all.insert(NAME_ID.to_owned(), subject);
    all
}
