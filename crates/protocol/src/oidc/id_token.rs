//! Validation of an identity provider's ID token.
//!
//! Every check is one entry of `CHECKS`. The checks run in that order, and each writes
//! what it expected and what came into the trace. The first failure ends the validation.
//!
//! Source: OIDC Core §2, §3.1.3.7 and §3.1.3.8, RFC 7519 §4.1.

use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use serde_json::{Map, Value};

use super::{Cause, left_half};
use crate::Timestamp;
use crate::jose::Verified;
use crate::trace::{Trace, printable};

/// An ID token is made while the browser waits. If it is older than a day, it comes from
/// a cache, a replay or a clock that is wrong by a day.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);

/// OIDC Core §2: a subject has at most 255 ASCII characters.
const MAX_SUBJECT_BYTES: usize = 255;

/// What an ID token must say.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenExpectations<'a> {
    /// The issuer of the connection.
    pub issuer: &'a str,
    /// Our client id there.
    pub client_id: &'a str,
    /// The nonce that we sent; `None` only where none was sent.
    pub nonce: Option<ExpectedNonce<'a>>,
    /// The present moment.
    pub now: Timestamp,
    /// How far the clocks may be apart.
    pub skew: Duration,
    /// The access token of the same answer, to compare with `at_hash`.
    pub access_token: Option<&'a str>,
    /// The `max_age` that we sent.
    pub max_age: Option<Duration>,
}

/// The nonce of the request, or its stored hash.
#[derive(Debug, Clone, Copy)]
pub enum ExpectedNonce<'a> {
    /// The nonce.
    Plain(&'a str),
    /// Its SHA-256 hash.
    Sha256(&'a [u8]),
}

/// Why an ID token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, received {received}", .cause.code())]
pub struct IdTokenError {
    /// The check that failed.
    pub cause: Cause,
    /// What the check wanted to see.
    pub expected: String,
    /// What it saw, cut to a length for people. Never a nonce or a hash.
    pub received: String,
}

/// A failed check, before it is written into the trace.
struct FailedCheck {
    cause: Cause,
    expected: String,
    received: String,
}

/// The note of a check that passed.
type Note = String;

type CheckFn = fn(&Verified, &IdTokenExpectations<'_>) -> Result<Note, FailedCheck>;

/// The checks in their order. Issuer and audience come first: if a token is not for us,
/// nothing else matters.
const CHECKS: [(&str, CheckFn); 10] = [
    ("Issuer", issuer),
    ("Audience", audience),
    ("Authorized party", authorized_party),
    ("Expiry", expiry),
    ("Time of issue", issued_at),
    ("Not before", not_before),
    ("Nonce", nonce),
    ("Access token hash", access_token_hash),
    ("Time of authentication", authentication_time),
    ("Subject", subject),
];

/// Validates the claims of a token whose signature was verified with the
/// issuer's keys, and returns them.
///
/// # Errors
///
/// [`IdTokenError`] at the first check that fails; the trace then has the rest
/// as not reached.
///
/// Source: OIDC Core §3.1.3.7.
pub fn validate(
    token: &Verified,
    expected: &IdTokenExpectations<'_>,
    trace: &mut Trace,
) -> Result<Map<String, Value>, IdTokenError> {
    let mut checks = CHECKS.iter();
    for (name, check) in checks.by_ref() {
        match check(token, expected) {
            Ok(note) => trace.pass(*name, note),
            Err(FailedCheck {
                cause,
                expected,
                received,
            }) => {
                let received = printable(&received);
                trace.fail(*name, &expected, &received);
                checks.for_each(|(name, _)| trace.not_reached(*name));
                return Err(IdTokenError {
                    cause,
                    expected,
                    received,
                });
            }
        }
    }
    Ok(token.claims.clone())
}

/// OIDC Core §3.1.3.7, step 2: exactly.
fn issuer(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    match token.claims.get("iss").and_then(Value::as_str) {
        Some(iss) if iss == expected.issuer => Ok(iss.to_owned()),
        _ => Err(FailedCheck {
            cause: Cause::IdTokenIssuerMismatch,
            expected: expected.issuer.to_owned(),
            received: shown(token, "iss"),
        }),
    }
}

/// OIDC Core §3.1.3.7, step 3.
fn audience(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    if audiences(token).is_some_and(|audiences| audiences.contains(&expected.client_id)) {
        return Ok(expected.client_id.to_owned());
    }
    Err(FailedCheck {
        cause: Cause::IdTokenAudienceMismatch,
        expected: expected.client_id.to_owned(),
        received: shown(token, "aud"),
    })
}

/// OIDC Core §3.1.3.7, steps 4 and 5: with several audiences the token must
/// say that it was issued to us.
fn authorized_party(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let extra =
        audiences(token).is_some_and(|audiences| audiences.iter().any(|aud| *aud != expected.client_id));
    match token.claims.get("azp") {
        Some(Value::String(azp)) if azp == expected.client_id => Ok(azp.clone()),
        None if !extra => Ok(String::new()),
        _ => Err(FailedCheck {
            cause: Cause::IdTokenAuthorizedPartyMismatch,
            expected: expected.client_id.to_owned(),
            received: shown(token, "azp"),
        }),
    }
}

/// OIDC Core §3.1.3.7, step 9; RFC 7519 §4.1.4: on or after `exp` it is over.
fn expiry(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    match seconds(token, "exp") {
        Some(exp) if expected.now < Timestamp::from_secs(exp) + expected.skew => {
            Ok(moment(exp, expected.now))
        }
        _ => Err(FailedCheck {
            cause: Cause::IdTokenExpired,
            expected: format!("later than {}", expected.now.to_rfc3339()),
            received: shown_time(token, "exp", expected.now),
        }),
    }
}

/// OIDC Core §3.1.3.7, step 10.
fn issued_at(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let latest = expected.now + expected.skew;
    let earliest = expected.now - OLDEST - expected.skew;
    match seconds(token, "iat") {
        Some(iat) if (earliest..=latest).contains(&Timestamp::from_secs(iat)) => {
            Ok(moment(iat, expected.now))
        }
        _ => Err(FailedCheck {
            cause: Cause::IdTokenIssuedAtImplausible,
            expected: format!("about {}", expected.now.to_rfc3339()),
            received: shown_time(token, "iat", expected.now),
        }),
    }
}

/// RFC 7519 §4.1.5.
fn not_before(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let latest = expected.now + expected.skew;
    match (token.claims.contains_key("nbf"), seconds(token, "nbf")) {
        (false, _) => Ok(String::new()),
        (true, Some(nbf)) if Timestamp::from_secs(nbf) <= latest => Ok(moment(nbf, expected.now)),
        (true, _) => Err(FailedCheck {
            cause: Cause::IdTokenNotYetValid,
            expected: format!("not later than {}", expected.now.to_rfc3339()),
            received: shown_time(token, "nbf", expected.now),
        }),
    }
}

/// OIDC Core §3.1.3.7, step 11: the token answers this very login, and was not taken from
/// another one.
fn nonce(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let received = token.claims.get("nonce").and_then(Value::as_str);
    let same = |a: &[u8], b: &[u8]| constant_time::verify_slices_are_equal(a, b).is_ok();
    let agrees = match (expected.nonce, received) {
        (None, _) => true,
        (Some(ExpectedNonce::Plain(sent)), Some(received)) => same(sent.as_bytes(), received.as_bytes()),
        (Some(ExpectedNonce::Sha256(hash)), Some(received)) => same(
            hash,
            digest::digest(&digest::SHA256, received.as_bytes()).as_ref(),
        ),
        (Some(_), None) => false,
    };
    if agrees {
        return Ok(String::new());
    }
    Err(FailedCheck {
        cause: Cause::IdTokenNonceMismatch,
        expected: "the nonce of this login".to_owned(),
        received: if received.is_some() {
            "another nonce"
        } else {
            "no nonce"
        }
        .to_owned(),
    })
}

/// OIDC Core §3.1.3.8: if the claim is there, it must fit.
fn access_token_hash(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let (Some(at_hash), Some(access_token)) = (token.claims.get("at_hash"), expected.access_token) else {
        return Ok(String::new());
    };
    let computed = left_half(token.header.alg, access_token);
    let same = |at_hash: &str| {
        constant_time::verify_slices_are_equal(at_hash.as_bytes(), computed.as_bytes()).is_ok()
    };
    if at_hash.as_str().is_some_and(same) {
        return Ok(String::new());
    }
    Err(FailedCheck {
        cause: Cause::IdTokenAccessTokenHashMismatch,
        expected: "the hash of the access token that came along".to_owned(),
        received: "another hash".to_owned(),
    })
}

/// When the person authenticated at the provider, if it says so. A malformed time, or one
/// in the future, counts as none (OIDC Core §2).
pub fn auth_time(claims: &Map<String, Value>, now: Timestamp, skew: Duration) -> Option<Timestamp> {
    let at = Timestamp::from_secs(number_of_seconds(claims, "auth_time")?);
    (at <= now + skew).then_some(at)
}

/// OIDC Core §3.1.3.7, step 13.
fn authentication_time(token: &Verified, expected: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let Some(max_age) = expected.max_age else {
        let known = auth_time(&token.claims, expected.now, expected.skew);
        return Ok(known.map_or_else(
            || "not told: sign-ins with max_age will fail".to_owned(),
            |at| moment(at.as_secs(), expected.now),
        ));
    };
    if token.claims.get("auth_time").is_none_or(Value::is_null) {
        return Err(FailedCheck {
            cause: Cause::IdTokenAuthenticationTimeMissing,
            expected: format!("an auth_time at most {} seconds ago", max_age.as_secs()),
            received: "no auth_time".to_owned(),
        });
    }
    let latest = expected.now + expected.skew;
    let earliest = expected.now - max_age - expected.skew;
    match seconds(token, "auth_time") {
        Some(at) if (earliest..=latest).contains(&Timestamp::from_secs(at)) => Ok(moment(at, expected.now)),
        _ => Err(FailedCheck {
            cause: Cause::IdTokenAuthenticationTooOld,
            expected: format!("an auth_time at most {} seconds ago", max_age.as_secs()),
            received: shown_time(token, "auth_time", expected.now),
        }),
    }
}

/// OIDC Core §2: the subject finds the user, so it must be present and bounded.
fn subject(token: &Verified, _: &IdTokenExpectations<'_>) -> Result<Note, FailedCheck> {
    let is_plain = |sub: &&str| {
        (1..=MAX_SUBJECT_BYTES).contains(&sub.len())
            && !sub.trim().is_empty()
            && !sub.chars().any(char::is_control)
    };
    match token.claims.get("sub").and_then(Value::as_str).filter(is_plain) {
        Some(sub) => Ok(sub.to_owned()),
        None => Err(FailedCheck {
            cause: Cause::IdTokenSubjectUnusable,
            expected: "a sub of 1 to 255 characters".to_owned(),
            received: shown(token, "sub"),
        }),
    }
}

/// RFC 7519 §4.1.3: one string, or an array of strings and nothing else.
fn audiences(token: &Verified) -> Option<Vec<&str>> {
    match token.claims.get("aud")? {
        Value::String(aud) => Some(vec![aud]),
        Value::Array(auds) => auds.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// RFC 7519 §2: a `NumericDate` may have a fraction, which is ignored here.
fn seconds(token: &Verified, name: &str) -> Option<i64> {
    number_of_seconds(&token.claims, name)
}

fn number_of_seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    /// The year 9999: beyond it a number is no date.
    const LATEST: f64 = 253_402_300_799.0;
    let number = claims
        .get(name)?
        .as_f64()
        .filter(|secs| (0.0..=LATEST).contains(secs))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    Some(number.floor() as i64)
}

/// A claim as the trace shows it.
fn shown(token: &Verified, name: &str) -> String {
    match token.claims.get(name) {
        None => format!("no {name}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A claim that should be a time, as the trace shows it.
fn shown_time(token: &Verified, name: &str, now: Timestamp) -> String {
    seconds(token, name).map_or_else(|| shown(token, name), |secs| moment(secs, now))
}

/// A time, and its distance from now: the first to find it in another log, the second to
/// see what is wrong.
fn moment(secs: i64, now: Timestamp) -> String {
    let moment = Timestamp::from_secs(secs);
    let (ago, ahead) = (now.since(moment).as_secs(), moment.since(now).as_secs());
    let relative = match (ago, ahead) {
        (0, 0) => "now".to_owned(),
        (ago, 0) => format!("{} ago", span(ago)),
        (_, ahead) => format!("in {}", span(ahead)),
    };
    format!("{}, {relative}", moment.to_rfc3339())
}

/// A length of time in its largest whole unit.
fn span(secs: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let unit = UNITS.iter().find(|(unit, _)| secs >= *unit);
    let (unit, name) = unit.unwrap_or(&(1, "second"));
    match secs / unit {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    }
}

impl<'a> From<&'a str> for ExpectedNonce<'a> {
    fn from(nonce: &'a str) -> Self {
        Self::Plain(nonce)
    }
}
