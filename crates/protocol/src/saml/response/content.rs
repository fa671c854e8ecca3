//! Who made an answer, for whom, and to which request.
//!
//! Source: SAML 2.0 Core §2.3.3, §2.2.5, §3.2.2; Bindings §3.5.5.2; Profiles §4.1.4.2.

use super::checks::{ASSERTION_FORM, Checks, DESTINATION, Failed, ISSUER, REQUEST, RESPONSE_SIGNATURE};
use super::{Content, Expected, PendingRequest};
use crate::saml::document::{Element, TextError};
use crate::saml::names::{ASSERTION, ENTITY};
use crate::saml::signature::Signed;
use crate::saml::{Cause, response::envelope};

/// So much of the identifier of a request is shown, in characters.
const MAX_SHOWN: usize = 12;

/// Checks 31 to 34: the identifier of the assertion, and its issuer.
pub(super) fn check(content: &Content<'_>, checks: &mut Checks<'_>) -> Result<(String, String), Cause> {
    let id = match form(content.assertion) {
        Ok(id) => id,
        Err(failed) => return Err(checks.fail(ASSERTION_FORM, &failed)),
    };
    checks.pass(ASSERTION_FORM, &id);
    checks.record(ISSUER, issuers(content))?;
    checks.record(DESTINATION, destination(content))?;
    let request = request(content.response, content.request, content.expected);
    checks.record(REQUEST, request)?;
    Ok((id, content.expected.idp_entity_id.to_owned()))
}

/// Core §2.3.3: the parts that may stand once, and an identifier, by which a replay is recognised.
fn form(assertion: Signed<'_>) -> Result<String, Failed> {
    envelope::version(assertion.attribute("Version"))?;
    let malformed = |received| {
        let expected = "an ID, one Issuer, one Subject, and Conditions once at most";
        Failed::new(Cause::ResponseMalformed, expected, received)
    };
    for part in ["Issuer", "Subject", "Conditions"] {
        assertion
            .only(ASSERTION, part)
            .map_err(|_| malformed(format!("{part} more than once")))?;
    }
    let id = assertion.attribute("ID").filter(|id| !id.is_empty());
    id.map(ToOwned::to_owned)
        .ok_or_else(|| malformed("no ID".to_owned()))
}

/// Profiles §4.1.4.2: the Assertion must name its issuer; the Response does so, if it is signed.
fn issuers(content: &Content<'_>) -> Result<String, Failed> {
    let expected = content.expected.idp_entity_id;
    let of_assertion = content.assertion.child(ASSERTION, "Issuer");
    let of_assertion = of_assertion.ok_or_else(|| Failed::missing(Cause::IssuerMissing, expected))?;
    issuer(&of_assertion.text(), of_assertion.attribute("Format"), expected)?;
    if let Some(of_response) = content.response.child(ASSERTION, "Issuer") {
        issuer(&of_response.text(), of_response.attribute("Format"), expected).map_err(|failed| Failed {
            received: format!("in the Response: {}", failed.received),
            ..failed
        })?;
    }
    Ok(expected.to_owned())
}

/// Core §2.2.5, §8.3.6: an entity id, compared exactly.
fn issuer(text: &Result<String, TextError>, format: Option<&str>, expected: &str) -> Result<(), Failed> {
    let mismatch = |received: &str| Err(Failed::new(Cause::IssuerMismatch, expected, received));
    if let Some(format) = format.filter(|format| *format != ENTITY) {
        return mismatch(&format!("a name in the format {format}"));
    }
    match text.as_deref().map(collapsed) {
        Ok(text) if text == expected => Ok(()),
        Ok(text) => mismatch(text),
        Err(TextError) => mismatch("an element"),
    }
}

/// XML Schema Part 2 §3.2.17: white space around a URI is no part of it.
pub(super) fn collapsed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Core §3.2.2; Bindings §3.5.5.2: a signed message must name its destination, or it
/// could be carried on to another. It is compared with the configured address, never
/// with the one of the HTTP request, which the proxy or the sender decides.
fn destination(content: &Content<'_>) -> Result<String, Failed> {
    let acs = content.expected.acs_url;
    match content.response.attribute("Destination") {
        Some(destination) if destination == acs => Ok(acs.to_owned()),
        Some(destination) => Err(Failed::new(Cause::DestinationMismatch, acs, shown(destination))),
        None if content.is_response_signed => Err(Failed::missing(Cause::DestinationMissing, acs)),
        None => Ok("none, and the response is not signed".to_owned()),
    }
}

/// The identifier of a request, cut: while the request lives it is a secret of the browser that began it.
pub(super) fn identifier(id: &str) -> String {
    let cut: String = id.chars().take(MAX_SHOWN).collect();
    match cut.len() {
        0 => shown(id).to_owned(),
        length if length < id.len() => format!("{cut}…"),
        _ => cut,
    }
}

/// A value that may be empty.
pub(super) fn shown(value: &str) -> &str {
    if value.is_empty() { "an empty value" } else { value }
}

/// Check 34, first: a private key must not work for strangers, so the answer has to be
/// to a live request before anything is decrypted.
pub(super) fn request_before_decryption(
    response: Element<'_>,
    pending: PendingRequest<'_>,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<(), Cause> {
    const NAME: &str = "Request, before decryption";
    match request(response, pending, expected) {
        Ok(note) => {
            checks.pass(NAME, note);
            Ok(())
        }
        Err(failed) => Err(checks.fail_within(NAME, &failed, (RESPONSE_SIGNATURE, &[]))),
    }
}

/// Profiles §4.1.4.3: the answer is to our request, or to none.
fn request(
    response: Element<'_>,
    pending: PendingRequest<'_>,
    expected: &Expected<'_>,
) -> Result<String, Failed> {
    match (pending, response.attribute("InResponseTo")) {
        (PendingRequest::Solicited { id }, Some(named)) if named == id => Ok(identifier(id)),
        (PendingRequest::Solicited { id }, Some(named)) => Err(Failed::new(
            Cause::InResponseToMismatch,
            identifier(id),
            identifier(named),
        )),
        (PendingRequest::Solicited { id }, None) => {
            Err(Failed::missing(Cause::InResponseToMissing, identifier(id)))
        }
        (PendingRequest::Unsolicited, Some(named)) => Err(Failed::new(
            Cause::RequestUnknown,
            "a request of this connection",
            identifier(named),
        )),
        (PendingRequest::Unsolicited, None) if expected.allow_unsolicited => {
            Ok("none: the sign-in was begun at the provider".to_owned())
        }
        (PendingRequest::Unsolicited, None) => Err(Failed::new(
            Cause::UnsolicitedNotAllowed,
            "an answer to a request of ours",
            "a sign-in that was begun at the provider",
        )),
    }
}
