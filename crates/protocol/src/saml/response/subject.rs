//! The name of a person, and what else is said of them.
//!
//! Source: SAML 2.0 Core §2.2.2, §2.2.3, §2.7.3, §8.3.

use std::collections::BTreeMap;

use super::Content;
use super::checks::{ATTRIBUTES, Checks, Failed, GROUPS, NAME_ID, NAME_ID_FORMAT};
use crate::name;
use crate::saml::assertion::{NameId, is_groups_link};
use crate::saml::names::ASSERTION;
use crate::saml::signature::Signed;
use crate::saml::{Cause, NameIdFormat};

/// The longest name, in characters. Core §8.3.7 gives persistent ones 256.
const MAX_NAME: usize = 1024;
const XML_SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Check 38.
pub(super) fn check(content: &Content<'_>, checks: &mut Checks<'_>) -> Result<NameId, Cause> {
    let name = match name_id(content.assertion) {
        Ok(name) => name,
        Err(failed) => return Err(checks.fail(NAME_ID, &failed)),
    };
    checks.pass(NAME_ID, &name.value);
    checks.record(NAME_ID_FORMAT, usable(&name, content))?;
    if let (Some(requested), Some(format)) = (content.expected.requested_name_id, name.format.as_deref())
        && requested != NameIdFormat::Unspecified
        && requested.uri() != format
    {
        checks.note(
            NAME_ID_FORMAT,
            format!("the connection asks for {}", requested.uri()),
        );
    }
    Ok(name)
}

fn name_id(assertion: Signed<'_>) -> Result<NameId, Failed> {
    let malformed = |received: &str| Failed::new(Cause::NameIdMalformed, "one NameID with a text", received);
    let subject = assertion.child(ASSERTION, "Subject");
    let name = match subject.map(|subject| subject.only(ASSERTION, "NameID")) {
        Some(Ok(Some(name))) => name,
        Some(Err(_)) => return Err(malformed("several")),
        Some(Ok(None)) | None => {
            let other = subject.into_iter().flat_map(Signed::children);
            let other = other
                .map(Signed::local_name)
                .find(|name| matches!(*name, "BaseID" | "EncryptedID"));
            return Err(Failed::new(
                Cause::NameIdMissing,
                "one NameID",
                other.unwrap_or("none"),
            ));
        }
    };
    let value = name.text().map_err(|_| malformed("an element in it"))?;
    // A name that differs from another only by what nobody sees would be a trap.
    if value.trim().is_empty() {
        return Err(malformed("an empty one"));
    }
    if value.trim() != value {
        return Err(malformed(&format!("white space around {:?}", value.trim())));
    }
    if value.chars().any(char::is_control) {
        return Err(malformed("control characters in it"));
    }
    // A space of another width looks like a space; the Braille pattern without dots is one to the eye.
    let is_space = |c: char| (c.is_whitespace() && c != ' ') || c == '\u{2800}';
    if value.chars().any(|c| name::is_invisible(c) || is_space(c)) {
        return Err(malformed("characters in it that nobody sees"));
    }
    if value.chars().nth(MAX_NAME).is_some() {
        return Err(malformed(&format!("more than {MAX_NAME} characters")));
    }
    let attribute = |attribute| name.attribute(attribute).map(ToOwned::to_owned);
    Ok(NameId {
        value,
        format: attribute("Format"),
        name_qualifier: attribute("NameQualifier"),
        sp_name_qualifier: attribute("SPNameQualifier"),
    })
}

/// Core §8.3.7, §8.3.8: whether the name will mean the same person next time, here.
fn usable(name: &NameId, content: &Content<'_>) -> Result<String, Failed> {
    let expected = content.expected;
    let format = name.format.as_deref().unwrap_or(NameIdFormat::Unspecified.uri());
    let is_transient = format == NameIdFormat::Transient.uri();
    if is_transient && expected.requested_name_id != Some(NameIdFormat::Transient) {
        return Err(Failed::new(Cause::NameIdTransient, "a name that stays", format));
    }
    if let Some(other) = name.sp_name_qualifier.as_deref()
        && other != expected.entity_id
    {
        return Err(Failed::new(Cause::NameIdForOtherParty, expected.entity_id, other));
    }
    // Core §8.3.7: two providers behind one may give the same name to two people.
    if let Some(other) = name.name_qualifier.as_deref()
        && format == NameIdFormat::Persistent.uri()
        && other != expected.idp_entity_id
    {
        return Err(Failed::new(
            Cause::NameIdForOtherParty,
            format!("a name by {}", expected.idp_entity_id),
            format!("a name by {other}"),
        ));
    }
    Ok(format.to_owned())
}

/// Core §2.7.3: the attributes by name. An attribute that comes several times has the
/// values of all; one without a value stays, so that people see that it was empty.
pub(super) fn attributes(content: &Content<'_>, checks: &mut Checks<'_>) -> BTreeMap<String, Vec<String>> {
    let statements = content.assertion.children_named(ASSERTION, "AttributeStatement");
    let (mut found, mut friendly) = (BTreeMap::new(), BTreeMap::new());
    let mut unread = Vec::new();
    for attribute in statements.flat_map(Signed::children) {
        let Some(name) = attribute
            .attribute("Name")
            .filter(|_| attribute.is(ASSERTION, "Attribute"))
        else {
            unread.push(attribute.local_name());
            continue;
        };
        let values: Vec<String> = attribute
            .children_named(ASSERTION, "AttributeValue")
            .filter(|value| !matches!(value.attribute_in(XML_SCHEMA_INSTANCE, "nil"), Some("true" | "1")))
            // An element in a value, as eduPersonTargetedID has, is no text to map.
            .filter_map(|value| value.text().inspect_err(|_| unread.push(name)).ok())
            .filter(|value| !value.trim().is_empty())
            .collect();
        if let Some(friendly_name) = attribute.attribute("FriendlyName") {
            let all: &mut Vec<String> = friendly.entry(friendly_name.to_owned()).or_default();
            all.extend(values.iter().cloned());
        }
        let all: &mut Vec<String> = found.entry(name.to_owned()).or_default();
        all.extend(values);
    }
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    checks.pass(
        ATTRIBUTES,
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        },
    );
    if !unread.is_empty() {
        checks.note(
            ATTRIBUTES,
            format!("not read, because they are no text: {}", unread.join(", ")),
        );
    }
    if names.iter().any(|name| is_groups_link(name)) {
        checks.note(GROUPS, Cause::GroupsOverage.sentence());
    }
    // A friendly name is for people; it serves as a second key where no attribute has that name.
    for (name, values) in friendly {
        found.entry(name).or_insert(values);
    }
    found
}
