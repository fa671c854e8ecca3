//! One answer for each cause, and both values in the trace.

mod content;
mod message;
mod protection;

use std::collections::BTreeSet;

use genkan_protocol::Trace;
use genkan_protocol::saml::idp::Protection;
use genkan_protocol::saml::response::{READING, VALIDATION};
use genkan_protocol::saml::{Cause, NameIdFormat, PendingRequest, RequiredSignature};
use genkan_protocol::trace::CheckOutcome;

use super::{
    Connection, REQUEST, der, encrypted, form, response, signed_after, signed_with, signing_key,
    verification_key,
};

/// Causes that the gateway finds: they are about the HTTP request, the store, or the person.
const OF_THE_GATEWAY: [Cause; 18] = [
    Cause::ConnectionIncomplete,
    Cause::FormMalformed,
    Cause::RelayStateMismatch,
    Cause::RequestAlreadyUsed,
    Cause::RequestOfOtherConnection,
    Cause::RequestExpired,
    Cause::TooManyDecryptions,
    Cause::BrowserMismatch,
    Cause::AssertionReplayed,
    Cause::MandatoryAttributeMissing,
    Cause::MandatoryAttributeMalformed,
    Cause::EmailMalformed,
    Cause::AttributeAmbiguous,
    // Notes, see `notes`.
    Cause::ClockDiffers,
    Cause::CertificateExpired,
    Cause::GroupsOverage,
    // Only a store knows it, but validation says so too: see `requests_of_nobody`.
    Cause::RequestUnknown,
    Cause::UnsolicitedNotAllowed,
];

/// An answer, the connection that refuses it, and what the trace says.
struct Case {
    cause: Cause,
    form: String,
    connection: Connection,
    expected: &'static str,
    received: &'static str,
}

fn case(cause: Cause, xml: &str, expected: &'static str, received: &'static str) -> Case {
    Case {
        cause,
        form: form(xml),
        connection: Connection::new(),
        expected,
        received,
    }
}

impl Case {
    fn at(mut self, change: impl FnOnce(&mut Connection)) -> Self {
        change(&mut self.connection);
        self
    }
}

/// After the failed check nothing was reached, and every check is named.
fn assert_ordered(trace: &Trace) {
    let checks = trace.checks();
    let failed = checks
        .iter()
        .position(|check| check.outcome == CheckOutcome::Failed);
    let (before, behind) = checks.split_at(failed.unwrap() + 1);
    assert!(
        behind
            .iter()
            .all(|check| check.outcome == CheckOutcome::NotReached)
    );
    let is_passed = |outcome| matches!(outcome, CheckOutcome::Passed | CheckOutcome::PassedOver);
    assert!(
        before[..before.len() - 1]
            .iter()
            .all(|check| is_passed(check.outcome))
    );
    let group = |name: &str| name.split_once(": ").map_or(name, |(group, _)| group).to_owned();
    let mut named: Vec<String> = checks.iter().map(|check| group(&check.name)).collect();
    named.retain(|name| READING.iter().chain(VALIDATION).any(|check| check == name));
    named.dedup();
    let all: Vec<&str> = READING.iter().chain(VALIDATION).copied().collect();
    assert_eq!(named, all, "{trace:?}");
}

fn assert_refused(case: &Case) {
    let (outcome, trace) = case.connection.take(&case.form);
    let cause = case.cause;
    assert_eq!(outcome.unwrap_err(), cause, "{trace:?}");
    let failure = trace.failure().unwrap();
    let (expected, received) = (failure.expected.as_deref(), failure.received.as_deref());
    assert!(
        expected.unwrap().contains(case.expected),
        "{cause:?}: {failure:?}"
    );
    assert!(
        received.unwrap().contains(case.received),
        "{cause:?}: {failure:?}"
    );
    assert_ordered(&trace);
}

#[test]
fn every_cause_has_an_answer_that_provokes_it_and_shows_both_values() {
    let groups = [message::all(), protection::all(), content::all()];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    cases.iter().for_each(assert_refused);
    let provoked: BTreeSet<&str> = cases.iter().map(|case| case.cause.code()).collect();
    let elsewhere: BTreeSet<&str> = OF_THE_GATEWAY.iter().map(|cause| cause.code()).collect();
    let all: BTreeSet<&str> = Cause::all().iter().map(|cause| cause.code()).collect();
    let named: BTreeSet<&str> = provoked.union(&elsewhere).copied().collect();
    assert_eq!(named, all);
    assert_eq!(provoked.intersection(&elsewhere).count(), 0);
}

#[test]
fn a_transient_name_is_taken_where_the_connection_asks_for_one() {
    let xml = signed_with("1.1:nameid-format:emailAddress", "2.0:nameid-format:transient");
    let mut connection = Connection::new();
    connection.requested_name_id = Some(NameIdFormat::Transient);
    connection.take_xml(&xml).0.unwrap();
}

#[test]
fn answers_to_no_request_of_this_connection_are_refused() {
    let mut solicited = case(
        Cause::RequestUnknown,
        &signed_after(|xml| xml),
        "a request of this connection",
        REQUEST,
    )
    .at(|it| {
        it.pending = PendingRequest::Unsolicited;
        it.allow_unsolicited = true;
    });
    assert_refused(&solicited);
    let unsolicited = {
        let mut response = response();
        response.in_response_to = None;
        let key = signing_key("idp");
        let certificate = der("sp.crt");
        move |is_encrypted: bool| {
            response
                .render(&Protection {
                    response_key: None,
                    assertion_key: Some(&key),
                    encrypt_to: is_encrypted.then_some(certificate.as_slice()),
                })
                .unwrap()
        }
    };
    // Row 59: the tile of a portal. Nothing is decrypted for a stranger.
    for is_encrypted in [false, true] {
        solicited = case(
            Cause::UnsolicitedNotAllowed,
            &unsolicited(is_encrypted),
            "an answer to a request of ours",
            "begun at the provider",
        )
        .at(|it| it.pending = PendingRequest::Unsolicited);
        let (outcome, trace) = solicited.connection.take(&solicited.form);
        assert_eq!(outcome.unwrap_err(), Cause::UnsolicitedNotAllowed);
        let decrypted = trace
            .checks()
            .iter()
            .find(|check| check.name == "Encryption")
            .unwrap();
        assert_eq!(
            decrypted.outcome == CheckOutcome::NotReached,
            is_encrypted,
            "{trace:?}"
        );
        let mut connection = Connection::new();
        connection.pending = PendingRequest::Unsolicited;
        connection.allow_unsolicited = true;
        let assertion = connection.take_xml(&unsolicited(is_encrypted)).0.unwrap();
        assert_eq!(assertion.in_response_to, None);
    }
}

#[test]
fn an_honest_answer_is_read_in_every_protection() {
    let key = signing_key("idp");
    for (response_key, assertion_key, signing) in [
        (Some(&key), None, RequiredSignature::Response),
        (None, Some(&key), RequiredSignature::Assertion),
        (Some(&key), Some(&key), RequiredSignature::Both),
        (Some(&key), None, RequiredSignature::Either),
        (None, Some(&key), RequiredSignature::Either),
    ] {
        let protection = Protection {
            response_key,
            assertion_key,
            encrypt_to: None,
        };
        for (xml, must_encrypt) in [
            (response().render(&protection).unwrap(), false),
            (encrypted(protection), true),
        ] {
            let mut connection = Connection::new();
            connection.signing = signing;
            connection.must_encrypt = must_encrypt;
            let (outcome, trace) = connection.take_xml(&xml);
            let assertion = outcome.unwrap_or_else(|cause| panic!("{cause:?} {trace:?}"));
            assert_eq!(assertion.name_id.value, "alice@acme.example");
            assert_eq!(assertion.attributes["groups"], ["staff", "editors"]);
            assert_eq!(assertion.in_response_to.as_deref(), Some(REQUEST));
            assert_eq!(assertion.id, "_a1");
            assert!(trace.failure().is_none());
            let names = READING.iter().chain(VALIDATION).copied();
            let is_named = |name: &str| trace.checks().iter().any(|check| check.name.starts_with(name));
            let missing: Vec<&str> = names.filter(|name| !is_named(name)).collect();
            assert!(missing.is_empty(), "{missing:?}");
            // The gateway stores it between the POST and the GET.
            let json = serde_json::to_string(&assertion).unwrap();
            assert_eq!(
                serde_json::from_str::<genkan_protocol::saml::Assertion>(&json).unwrap(),
                assertion
            );
        }
    }
}

#[test]
fn a_trace_tells_which_of_two_registered_keys_signed() {
    let mut connection = Connection::new();
    connection.keys.insert(0, verification_key("idp-next"));
    let (outcome, trace) = connection.take_xml(&signed_after(|xml| xml));
    outcome.unwrap();
    let check = trace
        .checks()
        .iter()
        .find(|check| check.name == "Signature of the assertion: certificate");
    let note = check.unwrap().note.clone().unwrap();
    assert!(note.contains("until "), "{note}");
}
