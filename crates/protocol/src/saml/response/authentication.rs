//! When and how a person signed in at the provider.
//!
//! Source: SAML 2.0 Core §2.7.2; Profiles §4.1.4.2.

use super::Content;
use super::checks::{AUTHN_CONTEXT, AUTHN_INSTANT, AUTHN_STATEMENT, Checks, Failed, SESSION, moment};
use super::confirmation::time;
use super::content::collapsed;
use crate::Timestamp;
use crate::saml::Cause;
use crate::saml::names::ASSERTION;
use crate::saml::signature::Signed;

/// What the statements of authentication say.
pub(super) struct Authentication {
    pub(super) session_index: Option<String>,
    pub(super) session_ends_at: Option<Timestamp>,
    pub(super) instant: Timestamp,
    pub(super) context: Option<String>,
}

/// Check 37.
pub(super) fn check(content: &Content<'_>, checks: &mut Checks<'_>) -> Result<Authentication, Cause> {
    let expected = content.expected;
    let found = match newest(content.assertion) {
        Ok(found) => found,
        Err(failed) => return Err(checks.fail(AUTHN_STATEMENT, &failed)),
    };
    checks.pass(AUTHN_STATEMENT, "");
    checks.record(SESSION, session(&found, content))?;
    let instant = match expected.force_authn_since {
        Some(since) if found.instant + expected.skew < since => Err(Failed::new(
            Cause::AuthenticationTooOld,
            format!("after {}", since.to_rfc3339()),
            moment(found.instant, expected.now),
        )),
        _ => Ok(moment(found.instant, expected.now)),
    };
    checks.record(AUTHN_INSTANT, instant)?;
    let class = found.context.as_deref().unwrap_or_default();
    let context = match expected.requested_context {
        Some(requested) if !requested.admits(class) => Err(Failed::new(
            Cause::NoAuthnContext,
            requested.classes.join(", "),
            if class.is_empty() { "none" } else { class },
        )),
        _ => Ok(class),
    };
    checks.record(AUTHN_CONTEXT, context)?;
    Ok(found)
}

/// Mostly there is one statement. Of several the newest counts, and the earliest end.
fn newest(assertion: Signed<'_>) -> Result<Authentication, Failed> {
    let mut found: Option<Authentication> = None;
    for statement in assertion.children_named(ASSERTION, "AuthnStatement") {
        let instant = time(statement.attribute("AuthnInstant").unwrap_or_default())?;
        let ends_at = statement.attribute("SessionNotOnOrAfter").map(time).transpose()?;
        let before = found.as_ref().and_then(|found| found.session_ends_at);
        let session_ends_at = [before, ends_at].into_iter().flatten().min();
        match &mut found {
            Some(newer) if newer.instant >= instant => newer.session_ends_at = session_ends_at,
            _ => {
                found = Some(Authentication {
                    session_index: statement.attribute("SessionIndex").map(ToOwned::to_owned),
                    session_ends_at,
                    instant,
                    context: class(statement),
                });
            }
        }
    }
    found.ok_or_else(|| Failed::missing(Cause::AuthnStatementMissing, "one AuthnStatement at least"))
}

fn class(statement: Signed<'_>) -> Option<String> {
    let context = statement.child(ASSERTION, "AuthnContext")?;
    let class = context.child(ASSERTION, "AuthnContextClassRef")?.text().ok()?;
    Some(collapsed(&class).to_owned())
}

/// Core §2.7.2: the provider's session ends then, so ours could not begin.
fn session(found: &Authentication, content: &Content<'_>) -> Result<String, Failed> {
    let (now, skew) = (content.expected.now, content.expected.skew);
    match found.session_ends_at {
        None => Ok("has no end".to_owned()),
        Some(end) if now < end + skew => Ok(format!("ends {}", moment(end, now))),
        Some(end) => Err(Failed::new(
            Cause::SessionExpired,
            format!("a session beyond {}", now.to_rfc3339()),
            moment(end, now),
        )),
    }
}
