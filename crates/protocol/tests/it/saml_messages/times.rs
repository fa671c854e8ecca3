//! The edges of time: what clocks may differ, exactly.

use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_protocol::saml::idp::Protection;
use genkan_protocol::saml::{Cause, PendingRequest};

use super::{Connection, NOW, SKEW, response, signed_after, signed_with, signing_key};

const MICROSECOND: Duration = Duration::from_micros(1);

/// The outcome at a time.
fn at(xml: &str, now: Timestamp) -> Result<(), Cause> {
    let mut connection = Connection::new();
    connection.now = now;
    connection.take_xml(xml).0.map(|_| ())
}

#[test]
fn an_assertion_holds_from_its_start_less_the_skew() {
    // Row 34: AD FS is a second ahead.
    let xml = signed_after(|xml| xml);
    assert_eq!(at(&xml, NOW - SKEW), Ok(()));
    assert_eq!(
        at(&xml, NOW - SKEW - MICROSECOND),
        Err(Cause::AssertionNotYetValid)
    );
    // NotBefore alone.
    let later = signed_with(
        r#"NotBefore="2026-11-29T12:00:00Z""#,
        r#"NotBefore="2026-11-29T12:03:00Z""#,
    );
    assert_eq!(at(&later, NOW), Ok(()));
    assert_eq!(at(&later, NOW - MICROSECOND), Err(Cause::AssertionNotYetValid));
}

#[test]
fn an_assertion_is_over_at_its_end_and_the_skew() {
    let xml = signed_after(|xml| xml);
    let end = NOW + Duration::from_secs(300) + SKEW;
    assert_eq!(at(&xml, end - MICROSECOND), Ok(()));
    assert_eq!(at(&xml, end), Err(Cause::AssertionExpired));
}

#[test]
fn each_of_the_two_ends_counts() {
    let of_both = r#"NotOnOrAfter="2026-11-29T12:05:00Z""#;
    let ended = r#"NotOnOrAfter="2026-11-29T11:57:00Z""#;
    let first = signed_after(|xml| xml.replacen(of_both, ended, 1));
    let second = signed_after(|xml| {
        let (head, tail) = xml.rsplit_once(of_both).unwrap();
        format!("{head}{ended}{tail}")
    });
    for xml in [first, second] {
        assert_eq!(at(&xml, NOW - MICROSECOND), Ok(()));
        assert_eq!(at(&xml, NOW), Err(Cause::AssertionExpired));
    }
}

#[test]
fn offsets_and_fractions_of_a_second_are_understood() {
    let start = r#"NotBefore="2026-11-29T12:00:00Z""#;
    for (text, first) in [
        ("2026-11-29T12:00:00.500Z", NOW + Duration::from_millis(500)),
        (
            "2026-11-29T12:00:00.123456789012Z",
            NOW + Duration::from_micros(123_456),
        ),
        ("2026-11-29T14:00:00+02:00", NOW),
        ("2026-11-29T06:30:00-05:30", NOW),
    ] {
        let xml = signed_with(start, &format!(r#"NotBefore="{text}""#));
        assert_eq!(at(&xml, first - SKEW), Ok(()), "{text}");
        assert_eq!(
            at(&xml, first - SKEW - MICROSECOND),
            Err(Cause::AssertionNotYetValid),
            "{text}"
        );
    }
    for text in [
        "2026-11-29T12:00:00",
        "2026-11-29",
        "",
        "now",
        "2026-11-29T12:00:00.1234567890123Z",
    ] {
        let xml = signed_with(start, &format!(r#"NotBefore="{text}""#));
        assert_eq!(at(&xml, NOW), Err(Cause::TimeMalformed), "{text}");
    }
}

#[test]
fn a_connection_may_allow_no_difference_at_all() {
    let mut connection = Connection::new();
    connection.skew = Duration::ZERO;
    let xml = signed_after(|xml| xml);
    connection.take_xml(&xml).0.unwrap();
    connection.now = NOW - MICROSECOND;
    assert_eq!(
        connection.take_xml(&xml).0.unwrap_err(),
        Cause::AssertionNotYetValid
    );
}

#[test]
fn an_assertion_counts_no_longer_than_a_day_whatever_it_claims() {
    let long = signed_with(
        r#"NotOnOrAfter="2026-11-29T12:05:00Z""#,
        r#"NotOnOrAfter="2036-11-29T12:05:00Z""#,
    );
    let end = NOW + Duration::from_secs(24 * 3_600);
    assert_eq!(at(&long, end + SKEW - MICROSECOND), Ok(()));
    assert_eq!(at(&long, end + SKEW), Err(Cause::AssertionExpired));
    let kept_until = Connection::new().take_xml(&long).0.unwrap().not_on_or_after;
    assert_eq!(kept_until, end);
    // Nor can it be issued tomorrow, to live longer.
    let tomorrow =
        signed_after(|xml| xml.replace(r#"IssueInstant="2026-11-29"#, r#"IssueInstant="2026-11-30"#));
    assert_eq!(at(&tomorrow, NOW), Err(Cause::AssertionNotYetValid));
}

#[test]
fn an_unsolicited_assertion_counts_ten_minutes_although_entra_claims_an_hour() {
    let mut response = response();
    response.in_response_to = None;
    response.not_on_or_after = NOW + Duration::from_secs(3_600);
    let key = signing_key("idp");
    let protection = Protection {
        assertion_key: Some(&key),
        ..Protection::default()
    };
    let xml = response.render(&protection).unwrap();
    let mut connection = Connection::new();
    connection.pending = PendingRequest::Unsolicited;
    connection.allow_unsolicited = true;
    let end = NOW + Duration::from_secs(600);
    connection.now = end + SKEW - MICROSECOND;
    assert_eq!(connection.take_xml(&xml).0.unwrap().not_on_or_after, end);
    connection.now = end + SKEW;
    assert_eq!(connection.take_xml(&xml).0.unwrap_err(), Cause::AssertionExpired);
}

#[test]
fn a_forced_sign_in_may_be_older_than_the_request_by_the_skew() {
    let xml = signed_after(|xml| xml);
    let mut connection = Connection::new();
    connection.force_authn_since = Some(NOW + SKEW);
    connection.take_xml(&xml).0.unwrap();
    connection.force_authn_since = Some(NOW + SKEW + MICROSECOND);
    assert_eq!(
        connection.take_xml(&xml).0.unwrap_err(),
        Cause::AuthenticationTooOld
    );
}

#[test]
fn of_several_statements_the_newest_sign_in_and_the_earliest_end_count() {
    let statement = |instant: &str, end: &str, index: &str| {
        format!(
            r#"<saml:AuthnStatement AuthnInstant="{instant}" SessionNotOnOrAfter="{end}" SessionIndex="{index}"/>"#
        )
    };
    let all = format!(
        "{}{}{}<saml:AuthnStatement ",
        statement("2026-11-29T10:00:00Z", "2026-11-29T18:00:00Z", "old"),
        statement("2026-11-29T12:01:00Z", "2026-11-29T20:00:00Z", "new"),
        statement("2026-11-29T11:00:00Z", "2026-11-29T19:00:00Z", "middle"),
    );
    let xml = signed_with("<saml:AuthnStatement ", &all);
    let assertion = Connection::new().take_xml(&xml).0.unwrap();
    assert_eq!(assertion.session_index.as_deref(), Some("new"));
    assert_eq!(assertion.authn_instant, NOW + Duration::from_secs(60));
    assert_eq!(
        assertion.session_ends_at,
        Some(NOW + Duration::from_secs(6 * 3_600))
    );
}
