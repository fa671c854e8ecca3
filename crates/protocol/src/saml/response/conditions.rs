//! For whom and how long an assertion holds.
//!
//! Source: SAML 2.0 Core §2.5.1.

use std::time::Duration;

use super::checks::{
    AUDIENCE, CLOCK, CONDITIONS, Checks, Failed, ISSUE_INSTANT, NOT_BEFORE, NOT_ON_OR_AFTER, duration, moment,
};
use super::confirmation::time;
use super::content::{collapsed, shown};
use super::{Content, PendingRequest};
use crate::Timestamp;
use crate::saml::Cause;
use crate::saml::names::ASSERTION;
use crate::saml::signature::Signed;

/// An assertion counts no longer, whatever it claims: so long we remember that it was used.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// One that nobody asked for counts no longer. Entra ID claims an hour.
const LONGEST_UNSOLICITED: Duration = Duration::from_secs(600);
/// A difference of the clocks that is worth a note.
const CLOCK_DIFFERS: Duration = Duration::from_secs(30);

/// The times of an assertion that holds.
pub(super) struct Times {
    pub(super) issue_instant: Timestamp,
    pub(super) not_on_or_after: Timestamp,
}

/// Check 36.
pub(super) fn check(
    content: &Content<'_>,
    confirmed_until: Timestamp,
    checks: &mut Checks<'_>,
) -> Result<Times, Cause> {
    let conditions = content.assertion.child(ASSERTION, "Conditions");
    let issue_instant = match issue_instant(content) {
        Ok(instant) => instant,
        Err(failed) => return Err(checks.fail(ISSUE_INSTANT, &failed)),
    };
    let now = content.expected.now;
    checks.pass(ISSUE_INSTANT, moment(issue_instant, now));
    note_clock(issue_instant, now, checks);
    checks.record(NOT_BEFORE, not_before(content, conditions))?;
    let end = match not_on_or_after(content, conditions, issue_instant, confirmed_until) {
        Ok(end) => end,
        Err(failed) => return Err(checks.fail(NOT_ON_OR_AFTER, &failed)),
    };
    checks.pass(NOT_ON_OR_AFTER, moment(end, now));
    checks.record(AUDIENCE, audience(content, conditions))?;
    checks.record(CONDITIONS, known(conditions))?;
    Ok(Times {
        issue_instant,
        not_on_or_after: end,
    })
}

/// Core §2.3.3 demands it. From a far future it would prolong what is counted from it.
fn issue_instant(content: &Content<'_>) -> Result<Timestamp, Failed> {
    let expected = content.expected;
    let issued = time(content.assertion.attribute("IssueInstant").unwrap_or_default())?;
    if expected.now + expected.skew < issued {
        return Err(too_early(issued, content));
    }
    Ok(issued)
}

fn note_clock(issued: Timestamp, now: Timestamp, checks: &mut Checks<'_>) {
    let difference = now.since(issued).max(issued.since(now));
    if difference > CLOCK_DIFFERS {
        let sentence = Cause::ClockDiffers.sentence();
        checks.note(
            CLOCK,
            format!("{sentence} The assertion was issued at {}.", moment(issued, now)),
        );
    }
}

fn too_early(start: Timestamp, content: &Content<'_>) -> Failed {
    let (now, skew) = (content.expected.now, content.expected.skew);
    Failed::new(
        Cause::AssertionNotYetValid,
        format!(
            "a time before {}, or up to {} after it",
            now.to_rfc3339(),
            duration(skew)
        ),
        moment(start, now),
    )
}

/// Core §2.5.1.2.
fn not_before(content: &Content<'_>, conditions: Option<Signed<'_>>) -> Result<String, Failed> {
    let expected = content.expected;
    let Some(start) = conditions.and_then(|conditions| conditions.attribute("NotBefore")) else {
        return Ok("none".to_owned());
    };
    let start = time(start)?;
    if expected.now + expected.skew < start {
        return Err(too_early(start, content));
    }
    Ok(moment(start, expected.now))
}

/// Core §2.5.1.2: the earliest of the ends, and of our own.
fn not_on_or_after(
    content: &Content<'_>,
    conditions: Option<Signed<'_>>,
    issue_instant: Timestamp,
    confirmed_until: Timestamp,
) -> Result<Timestamp, Failed> {
    let expected = content.expected;
    let longest = match content.request {
        PendingRequest::Unsolicited => LONGEST_UNSOLICITED,
        PendingRequest::Solicited { .. } => LONGEST,
    };
    let mut end = confirmed_until.min(issue_instant + longest);
    if let Some(claimed) = conditions.and_then(|conditions| conditions.attribute("NotOnOrAfter")) {
        end = end.min(time(claimed)?);
    }
    if expected.now >= end + expected.skew {
        return Err(Failed::new(
            Cause::AssertionExpired,
            format!(
                "a time after {}, or up to {} before it",
                expected.now.to_rfc3339(),
                duration(expected.skew)
            ),
            moment(end, expected.now),
        ));
    }
    Ok(end)
}

/// Core §2.5.1.4: each restriction must name us; Profiles §4.1.4.2 demands one.
fn audience(content: &Content<'_>, conditions: Option<Signed<'_>>) -> Result<String, Failed> {
    let entity_id = content.expected.entity_id;
    let restrictions = conditions.into_iter();
    let restrictions =
        restrictions.flat_map(|conditions| conditions.children_named(ASSERTION, "AudienceRestriction"));
    let mut found = false;
    for restriction in restrictions {
        found = true;
        let audiences: Vec<String> = restriction
            .children_named(ASSERTION, "Audience")
            .map(|audience| {
                audience
                    .text()
                    .map_or_else(|_| "an element".to_owned(), |text| collapsed(&text).to_owned())
            })
            .collect();
        if audiences.iter().any(|audience| audience == entity_id) {
            continue;
        }
        // OneLogin sends the name of a field that is empty.
        let is_placeholder = |audience: &String| audience.starts_with('{') && audience.ends_with('}');
        let cause = if audiences.iter().any(is_placeholder) {
            Cause::AudiencePlaceholder
        } else {
            Cause::AudienceMismatch
        };
        let received = audiences.join(", ");
        return Err(Failed::new(cause, entity_id, shown(&received)));
    }
    if found {
        Ok(entity_id.to_owned())
    } else {
        Err(Failed::missing(Cause::AudienceMissing, entity_id))
    }
}

/// Core §2.5.1: an assertion with a condition that is not understood does not hold.
/// OneTimeUse is what we do anyway, and ProxyRestriction is about assertions that we do not make.
fn known(conditions: Option<Signed<'_>>) -> Result<String, Failed> {
    let mut names = Vec::new();
    for condition in conditions.into_iter().flat_map(Signed::children) {
        match (condition.namespace(), condition.local_name()) {
            (ASSERTION, "AudienceRestriction") => {}
            (ASSERTION, name @ ("OneTimeUse" | "ProxyRestriction")) => names.push(name),
            (_, name) => {
                return Err(Failed::new(
                    Cause::ConditionUnknown,
                    "AudienceRestriction, OneTimeUse or ProxyRestriction",
                    name,
                ));
            }
        }
    }
    Ok(if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    })
}
