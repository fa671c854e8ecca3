//! Whether the browser that brings an assertion may use it.
//!
//! Source: SAML 2.0 Core §2.4.1; Profiles §4.1.4.2, §4.1.4.3.

use super::checks::{CONFIRMATION, Checks, Failed, moment};
use super::content::{identifier, shown};
use super::{Content, PendingRequest};
use crate::Timestamp;
use crate::saml::names::{ASSERTION, BEARER};
use crate::saml::signature::Signed;
use crate::saml::{Cause, date_time};

/// A confirmation that holds.
struct Confirmed {
    until: Timestamp,
    /// Profiles §4.1.4.2 forbids it, and it may hold all the same.
    has_not_before: bool,
}

/// Check 35: until when one of the confirmations holds.
pub(super) fn check(content: &Content<'_>, checks: &mut Checks<'_>) -> Result<Timestamp, Cause> {
    match confirm(content) {
        Ok(confirmed) => {
            let until = moment(confirmed.until, content.expected.now);
            checks.pass(CONFIRMATION, format!("bearer, until {until}"));
            if confirmed.has_not_before {
                checks.note(
                    CONFIRMATION,
                    "it has a NotBefore, which the standard does not allow there",
                );
            }
            Ok(confirmed.until)
        }
        Err(failed) => Err(checks.fail(CONFIRMATION, &failed)),
    }
}

fn confirm(content: &Content<'_>) -> Result<Confirmed, Failed> {
    let subject = content.assertion.child(ASSERTION, "Subject");
    let subject = subject.ok_or_else(|| {
        Failed::missing(
            Cause::NameIdMissing,
            "a Subject with a NameID and its confirmation",
        )
    })?;
    let all: Vec<Signed<'_>> = subject.children_named(ASSERTION, "SubjectConfirmation").collect();
    if all.is_empty() {
        return Err(Failed::missing(Cause::ConfirmationMissing, BEARER));
    }
    let is_bearer = |confirmation: &&Signed<'_>| confirmation.attribute("Method") == Some(BEARER);
    let outcomes: Vec<Result<Confirmed, Failed>> = all
        .iter()
        .filter(is_bearer)
        .map(|confirmation| bearer(*confirmation, content))
        .collect();
    if outcomes.is_empty() {
        let methods = all
            .iter()
            .map(|confirmation| confirmation.attribute("Method").unwrap_or("no method"));
        let methods: Vec<&str> = methods.collect();
        return Err(Failed::new(
            Cause::ConfirmationNotBearer,
            BEARER,
            methods.join(", "),
        ));
    }
    let (mut held, mut failures) = (None::<Confirmed>, Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(confirmed) if held.as_ref().is_none_or(|held| held.until < confirmed.until) => {
                held = Some(confirmed);
            }
            Ok(_) => {}
            Err(failed) => failures.push(failed),
        }
    }
    match (held, failures.len()) {
        (Some(held), _) => Ok(held),
        (None, 1) => Err(failures.swap_remove(0)),
        (None, _) => {
            let pairs = failures.iter();
            let expected: Vec<&str> = pairs.clone().map(|failed| failed.expected.as_str()).collect();
            let received: Vec<String> = pairs
                .map(|failed| format!("{}: {}", failed.cause.code(), failed.received))
                .collect();
            Err(Failed::new(
                Cause::ConfirmationNoneHolds,
                expected.join("; "),
                received.join("; "),
            ))
        }
    }
}

/// Profiles §4.1.4.2: recipient, end and request, all of one confirmation.
fn bearer(confirmation: Signed<'_>, content: &Content<'_>) -> Result<Confirmed, Failed> {
    let expected = content.expected;
    let (now, acs) = (expected.now, expected.acs_url);
    let data = confirmation.child(ASSERTION, "SubjectConfirmationData");
    let attribute = |name| data.and_then(|data| data.attribute(name));
    match attribute("Recipient") {
        Some(recipient) if recipient == acs => {}
        Some(recipient) => return Err(Failed::new(Cause::RecipientMismatch, acs, shown(recipient))),
        None => return Err(Failed::missing(Cause::RecipientMissing, acs)),
    }
    let end = attribute("NotOnOrAfter")
        .ok_or_else(|| Failed::missing(Cause::ConfirmationExpiryMissing, "a time NotOnOrAfter"))?;
    let until = time(end)?;
    // "Not on or after": at that moment it is over.
    if now >= until + expected.skew {
        return Err(Failed::new(
            Cause::AssertionExpired,
            format!("an end after {}", now.to_rfc3339()),
            moment(until, now),
        ));
    }
    let not_before = attribute("NotBefore").map(time).transpose()?;
    if let Some(start) = not_before.filter(|start| now + expected.skew < *start) {
        return Err(Failed::new(
            Cause::AssertionNotYetValid,
            format!("a start before {}", now.to_rfc3339()),
            moment(start, now),
        ));
    }
    match (content.request, attribute("InResponseTo")) {
        (PendingRequest::Solicited { id }, Some(named)) if named == id => {}
        (PendingRequest::Solicited { id }, Some(named)) => {
            return Err(Failed::new(
                Cause::InResponseToMismatch,
                identifier(id),
                identifier(named),
            ));
        }
        (PendingRequest::Solicited { id }, None) => {
            return Err(Failed::missing(Cause::InResponseToMissing, identifier(id)));
        }
        // An assertion that answers a request was taken out of its answer.
        (PendingRequest::Unsolicited, Some(named)) => {
            return Err(Failed::new(
                Cause::InResponseToMismatch,
                "no request, as in the Response",
                identifier(named),
            ));
        }
        (PendingRequest::Unsolicited, None) => {}
    }
    Ok(Confirmed {
        until,
        has_not_before: not_before.is_some(),
    })
}

/// A moment with a zone.
pub(super) fn time(text: &str) -> Result<Timestamp, Failed> {
    let malformed = || {
        Failed::new(
            Cause::TimeMalformed,
            "a time like 2026-11-29T18:39:39Z",
            shown(text),
        )
    };
    date_time::parse(text).ok_or_else(malformed)
}
