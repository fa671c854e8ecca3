//! The outside of an answer. It is read before anything is verified, so it can refuse,
//! and say which request is answered, and nothing else.
//!
//! Source: SAML 2.0 Core §3.2.2, §3.3.3.

use super::checks::{ASSERTIONS, Checks, Failed, MESSAGE, STATUS, VERSION};
use crate::saml::Cause;
use crate::saml::document::Element;
use crate::saml::names::{ASSERTION, PROTOCOL, STATUS as STATUS_PREFIX, XML_SIGNATURE};

/// Messages that somebody may post here by mistake.
const OTHER_MESSAGES: [(&str, &str); 5] = [
    (PROTOCOL, "AuthnRequest"),
    (PROTOCOL, "LogoutRequest"),
    (PROTOCOL, "LogoutResponse"),
    (ASSERTION, "Assertion"),
    (ASSERTION, "EncryptedAssertion"),
];

/// Checks 11 to 14.
pub(super) fn check(root: Element<'_>, checks: &mut Checks<'_>) -> Result<(), Cause> {
    checks.record(MESSAGE, message(root))?;
    checks.record(VERSION, version(root.attribute("Version")))?;
    checks.record(STATUS, status(root))?;
    checks.record(ASSERTIONS, assertions(root))
}

/// Core §3.3.3: the children that the schema of a Response has. Their order is not looked at.
fn message(root: Element<'_>) -> Result<&'static str, Failed> {
    let malformed = |received: String| {
        let parts = "a Response with Issuer, Signature, Extensions, one Status and an assertion";
        Err(Failed::new(Cause::ResponseMalformed, parts, received))
    };
    if OTHER_MESSAGES
        .iter()
        .any(|(namespace, name)| root.is(namespace, name))
    {
        return Err(Failed::new(
            Cause::UnexpectedMessage,
            "Response",
            root.local_name(),
        ));
    }
    if !root.is(PROTOCOL, "Response") {
        return malformed(format!(
            "{} in the namespace {:?}",
            root.local_name(),
            root.namespace()
        ));
    }
    if !root.holds_elements_only() {
        return malformed("text between the parts".to_owned());
    }
    let (mut issuers, mut extensions, mut statuses) = (0, 0, 0);
    for child in root.children() {
        match (child.namespace(), child.local_name()) {
            (ASSERTION, "Issuer") => issuers += 1,
            (PROTOCOL, "Extensions") => extensions += 1,
            (PROTOCOL, "Status") => statuses += 1,
            // How many of these there may be is for later checks to say.
            (XML_SIGNATURE, "Signature") | (ASSERTION, "Assertion" | "EncryptedAssertion") => {}
            (namespace, name) => return malformed(format!("{name} in the namespace {namespace:?}")),
        }
    }
    if issuers > 1 || extensions > 1 || statuses != 1 {
        return malformed(format!(
            "{issuers} Issuer, {extensions} Extensions, {statuses} Status"
        ));
    }
    Ok("Response")
}

/// Core §3.2.2, §2.3.3. Other versions have other rules.
pub(super) fn version(received: Option<&str>) -> Result<&str, Failed> {
    match received {
        Some("2.0") => Ok("2.0"),
        other => Err(Failed::new(
            Cause::VersionNotSupported,
            "2.0",
            other.unwrap_or("none"),
        )),
    }
}

/// Core §3.2.2.2. A failure is believed unsigned: it signs nobody in.
fn status(root: Element<'_>) -> Result<&'static str, Failed> {
    let malformed = |received| {
        let expected = "a Status with a StatusCode and its Value";
        Failed::new(Cause::ResponseMalformed, expected, received)
    };
    let status = root
        .child(PROTOCOL, "Status")
        .ok_or_else(|| malformed("no Status"))?;
    let code = status
        .only(PROTOCOL, "StatusCode")
        .map_err(|_| malformed("several StatusCodes"))?
        .ok_or_else(|| malformed("no StatusCode"))?;
    let value = code.attribute("Value").ok_or_else(|| malformed("no Value"))?;
    if value.strip_prefix(STATUS_PREFIX) == Some("Success") {
        return Ok("Success");
    }
    let detail = code
        .child(PROTOCOL, "StatusCode")
        .and_then(|code| code.attribute("Value"));
    let message = status
        .child(PROTOCOL, "StatusMessage")
        .and_then(|message| message.text().ok())
        .filter(|message| !message.trim().is_empty());
    let mut received = short(value).to_owned();
    if let Some(detail) = detail {
        received = format!("{received} / {}", short(detail));
    }
    if let Some(message) = message {
        received = format!("{received}: {}", message.trim());
    }
    let cause = detail
        .and_then(by_code)
        .or_else(|| by_code(value))
        .unwrap_or(Cause::StatusUnknown);
    Err(Failed::new(cause, "Success", received))
}

/// The end of a code of the standard; a whole foreign one.
fn short(code: &str) -> &str {
    code.strip_prefix(STATUS_PREFIX).unwrap_or(code)
}

/// The codes of Core §3.2.2.2 that say what can be done about it.
fn by_code(code: &str) -> Option<Cause> {
    Some(match code.strip_prefix(STATUS_PREFIX)? {
        "AuthnFailed" => Cause::StatusAuthnFailed,
        "InvalidNameIDPolicy" => Cause::StatusInvalidNameIdPolicy,
        "NoAuthnContext" => Cause::NoAuthnContext,
        "NoPassive" => Cause::StatusNoPassive,
        "RequestDenied" => Cause::StatusRequestDenied,
        "Requester" => Cause::StatusRequester,
        "Responder" => Cause::StatusResponder,
        _ => return None,
    })
}

/// With several, one check could be of the first and another of the second.
fn assertions(root: Element<'_>) -> Result<&'static str, Failed> {
    let mut found = root
        .children()
        .filter(|child| child.is(ASSERTION, "Assertion") || child.is(ASSERTION, "EncryptedAssertion"));
    let Some(first) = found.next() else {
        return Err(Failed::missing(Cause::AssertionMissing, "one assertion"));
    };
    match found.count() {
        0 if first.local_name() == "Assertion" => Ok("one"),
        0 => Ok("one, encrypted"),
        more => Err(Failed::new(
            Cause::AssertionCount,
            "one assertion",
            (more + 1).to_string(),
        )),
    }
}
