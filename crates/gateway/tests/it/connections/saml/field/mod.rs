//! Sixty failures that companies met when they connected their providers. Each names the test that holds our answer
//! to it.
//!
//! The failures were collected from public issues and from the manuals of the products. A row is [`Kept::Here`] if a
//! scene provokes it in a whole sign-in, and compares the cause and what the administrator is told to change.

mod scenes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use genkan_testkit::{Gateway, on_each_engine};

use self::scenes::{SCENES, SKEWED, Scene};
use super::provider::{ask, lead_there, post, world};

/// The test or the document that holds our answer to a failure.
#[derive(Debug, Clone, Copy)]
enum Kept {
    /// By a scene.
    Here,
    /// By these tests: a file below `crates`, and a function in it.
    By(&'static [(&'static str, &'static str)]),
    /// The provider shows the failure itself and nothing comes back to us. The guide has this text.
    InGuide(&'static str),
    /// It is one of single logout, which is not there yet. Its test comes with it.
    WithLogout,
}

use Kept::{By, Here, InGuide, WithLogout};

/// A failure: its number, the product, and what people see.
struct Failure(u8, &'static str, &'static str, Kept);

const ATTACKS: &str = "gateway/tests/it/connections/saml/attacks.rs";
const CAUSES: &str = "protocol/tests/it/saml_messages/causes/mod.rs";
const DECRYPTION: &str = "gateway/tests/it/connections/saml/decryption.rs";
const ENCRYPTION: &str = "protocol/src/saml/encryption/tests.rs";
const METADATA: &str = "gateway/tests/it/connections/saml_metadata.rs";
const NOTES: &str = "protocol/tests/it/saml_messages/notes.rs";
const PEOPLE: &str = "gateway/tests/it/connections/saml/people.rs";
const REQUESTS: &str = "protocol/tests/it/saml_messages/requests.rs";
const SIGN_IN: &str = "gateway/tests/it/connections/saml/sign_in.rs";
const TIMES: &str = "protocol/tests/it/saml_messages/times.rs";

const EVERY_CAUSE: (&str, &str) = (
    CAUSES,
    "every_cause_has_an_answer_that_provokes_it_and_shows_both_values",
);

const FAILURES: [Failure; 60] = [
    Failure(
        1,
        "Entra",
        "AADSTS50011: another reply URL",
        InGuide("AADSTS50011"),
    ),
    Failure(
        2,
        "Entra",
        "AADSTS700016: another identifier",
        InGuide("AADSTS700016"),
    ),
    Failure(3, "Entra", "AADSTS50105: not assigned", InGuide("AADSTS50105")),
    Failure(
        4,
        "Entra",
        "AADSTS75011: a passkey where a password is requested",
        Here,
    ),
    Failure(
        5,
        "Entra",
        "AADSTS750054: no SAMLRequest",
        InGuide("AADSTS750054"),
    ),
    Failure(
        6,
        "Entra",
        "AADSTS76021: the request is not signed",
        InGuide("AADSTS76021"),
    ),
    Failure(
        7,
        "Entra",
        "a link instead of more than 150 groups",
        By(&[
            (NOTES, "groups_that_the_provider_did_not_list_are_noted"),
            (SIGN_IN, "what_is_worth_knowing_stands_among_the_checks_of_a_test"),
        ]),
    ),
    Failure(
        8,
        "Entra",
        "groups are identifiers",
        By(&[(SIGN_IN, "groups_that_are_identifiers_are_noted")]),
    ),
    Failure(
        9,
        "Entra",
        "the name of a claim has a namespace, or user.mail is empty",
        Here,
    ),
    Failure(
        10,
        "Entra",
        "the principal name of a guest comes as the address",
        Here,
    ),
    Failure(11, "Entra", "spn: before the audience", Here),
    Failure(12, "Entra", "a new certificate was made active", Here),
    Failure(13, "Entra, AD FS", "encrypted by AES-CBC", By(&[EVERY_CAUSE])),
    Failure(
        14,
        "Entra",
        "the signature of a LogoutRequest in lower-case percent signs",
        WithLogout,
    ),
    Failure(15, "Entra", "a new person at each sign-in", Here),
    Failure(16, "Okta", "the audience is another", Here),
    Failure(17, "Okta", "no attributes", Here),
    Failure(18, "Okta", "the recipient is another", Here),
    Failure(
        19,
        "Okta",
        "not assigned",
        InGuide("the user is not assigned to this application"),
    ),
    Failure(20, "Okta, Ping", "a LogoutRequest must be signed", WithLogout),
    Failure(
        21,
        "Google",
        "403 app_not_configured_for_user",
        InGuide("403 app_not_configured_for_user"),
    ),
    Failure(
        22,
        "Google",
        "403 app_not_enabled_for_user",
        InGuide("403 app_not_enabled_for_user"),
    ),
    Failure(
        23,
        "Google",
        "the response or the assertion is signed, and not the other",
        Here,
    ),
    Failure(24, "Google", "no address", Here),
    Failure(25, "JumpCloud", "the entity ID is free text", Here),
    Failure(26, "JumpCloud", "no attributes", Here),
    Failure(27, "PingFederate", "Requester: signature required", Here),
    Failure(
        28,
        "PingFederate",
        "no certificate in KeyInfo",
        By(&[(
            "protocol/src/saml/signature/tests.rs",
            "an_honest_signature_holds_and_tells_its_key",
        )]),
    ),
    Failure(
        29,
        "PingOne",
        "the NameID is a user ID, and there is no address",
        Here,
    ),
    Failure(30, "OneLogin", "the audience is literally {audience}", Here),
    Failure(31, "OneLogin", "the recipient is empty", Here),
    Failure(32, "OneLogin, AD FS", "signed with SHA-1", By(&[EVERY_CAUSE])),
    Failure(33, "AD FS", "InvalidNameIDPolicy", Here),
    Failure(
        34,
        "AD FS",
        "NotBefore is ahead",
        By(&[(TIMES, "an_assertion_holds_from_its_start_less_the_skew")]),
    ),
    Failure(35, "AD FS", "its certificate changes every year", Here),
    Failure(36, "AD FS", "MSIS7046: RelayState in a form", InGuide("MSIS7046")),
    Failure(37, "AD FS, Shibboleth", "no NameID", By(&[EVERY_CAUSE])),
    Failure(
        38,
        "Shibboleth",
        "our metadata are not loaded",
        InGuide("the application is not registered"),
    ),
    Failure(
        39,
        "Shibboleth",
        "our metadata have no key to encrypt to",
        By(&[
            (REQUESTS, "our_metadata_name_each_key_by_its_use"),
            (METADATA, "both_addresses_hold_all_that_a_provider_registers"),
        ]),
    ),
    Failure(
        40,
        "Shibboleth, ITfoxtec",
        "RSA-OAEP of XML Encryption 1.1, AES-GCM",
        By(&[(
            ENCRYPTION,
            "what_is_encrypted_opens_with_each_algorithm_of_the_table",
        )]),
    ),
    Failure(
        41,
        "Shibboleth",
        "nothing is released, or under names by OID",
        Here,
    ),
    Failure(42, "Keycloak", "Invalid requester", InGuide("Invalid requester")),
    Failure(
        43,
        "Keycloak",
        "missing_required_destination",
        By(&[(
            REQUESTS,
            "a_request_asks_for_nothing_but_what_the_connection_wants",
        )]),
    ),
    Failure(44, "Keycloak", "another key of the realm", Here),
    Failure(
        45,
        "CAS",
        "Application Not Authorized to Use CAS",
        InGuide("Application Not Authorized to Use CAS"),
    ),
    Failure(46, "Duo", "no InResponseTo", Here),
    Failure(
        47,
        "all",
        "the form of another site meets a check against forged forms",
        By(&[(ATTACKS, "an_answer_counts_once")]),
    ),
    Failure(48, "CyberArk", "the script of attributes is empty", Here),
    Failure(
        49,
        "Auth0",
        "names of attributes under its own namespace",
        By(&[(PEOPLE, "attributes_are_found_under_the_names_of_products")]),
    ),
    Failure(
        50,
        "Oracle",
        "InclusiveNamespaces beside the canonicalization",
        By(&[
            (
                "protocol/src/saml/signature/tests.rs",
                "prefix_lists_are_honoured_in_both_places",
            ),
            EVERY_CAUSE,
        ]),
    ),
    Failure(51, "all", "the clocks differ", Here),
    Failure(
        52,
        "all, behind a proxy",
        "the address of the answer has another scheme, port or host",
        Here,
    ),
    Failure(
        53,
        "all",
        "no cookie comes with the form of another site",
        By(&[
            (SIGN_IN, "the_post_uses_up_nothing_and_signs_nobody_in"),
            (ATTACKS, "an_answer_counts_only_in_the_browser_that_asked"),
        ]),
    ),
    Failure(54, "all", "the provider signs the other part", Here),
    Failure(
        55,
        "all",
        "encryption is on at one side",
        By(&[
            (
                DECRYPTION,
                "an_encrypted_answer_signs_in_and_three_are_opened_for_a_request",
            ),
            EVERY_CAUSE,
        ]),
    ),
    Failure(
        56,
        "all",
        "encrypted to the key before",
        By(&[
            (
                "store/tests/it/connection_key.rs",
                "a_provider_may_encrypt_to_the_key_before_for_sixty_days",
            ),
            EVERY_CAUSE,
        ]),
    ),
    Failure(
        57,
        "all",
        "the NameID of a person has changed",
        By(&[(PEOPLE, "a_provider_speaks_for_its_own_domains_only")]),
    ),
    Failure(
        58,
        "all",
        "back button, double click",
        By(&[(ATTACKS, "an_answer_counts_once")]),
    ),
    Failure(
        59,
        "all",
        "a tile, while sign-ins from there are off",
        By(&[(ATTACKS, "an_answer_to_no_request_is_refused")]),
    ),
    Failure(
        60,
        "all",
        "metadata of several entities, with a document type, without a key",
        By(&[
            (
                "protocol/tests/it/saml.rs",
                "metadata_that_cannot_sign_anybody_in_are_refused",
            ),
            (
                "protocol/tests/it/saml.rs",
                "a_document_type_is_refused_before_it_can_expand_or_name_a_file",
            ),
        ]),
    ),
];

#[tokio::test]
async fn what_fails_in_the_field_names_its_cause_and_what_to_change() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        for &Scene {
            failures,
            at,
            settings,
            answer,
            cause,
            told,
        } in SCENES
        {
            // Of many that fail within a minute not each has a trace.
            gateway.clock().advance(Duration::from_mins(1));
            acme.change_connection(|connection| {
                lead_there(connection, settings);
                connection.provider = at;
            })
            .await;
            let mut browser = gateway.browser();
            let asked = ask(&mut browser, &rp).await;
            let failed = asked
                .answer(gateway, "ada@acme.test")
                .with(|failed| answer(failed, SKEWED));
            let (acs, encoded) = (&asked.request.acs_url, failed.encoded());
            let page = post(&mut browser, acs, &encoded, Some(&asked.relay_state))
                .await
                .page();
            let trace = gateway.login_trace().await;
            assert_eq!(trace.id.as_str(), page.reference(), "{failures:?}");
            assert_eq!(trace.cause, cause, "{failures:?}");
            assert!(trace.remedy.contains(told), "{failures:?}: {}", trace.remedy);
            assert!(!trace.remedy.contains("{acs}"), "{failures:?}: {}", trace.remedy);
            assert!(
                !trace.remedy.contains("{entity}"),
                "{failures:?}: {}",
                trace.remedy
            );
        }
    })
    .await;
}

fn crates() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn each_failure_from_the_field_has_a_test_or_a_line_in_the_guide() {
    let guide = fs::read_to_string(crates().join("../docs/guides/connect-saml.md")).unwrap();
    for (number, Failure(named, product, symptom, kept)) in (1..).zip(&FAILURES) {
        assert_eq!(*named, number, "the rows are in order");
        let row = format!("{named}: {product}, {symptom}");
        match kept {
            Here | WithLogout => {}
            By(tests) => {
                assert!(!tests.is_empty(), "{row}");
                for (file, test) in *tests {
                    let text = fs::read_to_string(crates().join(file)).unwrap_or_default();
                    let marks = ["#[test]", "#[tokio::test]"];
                    let is_there = marks.iter().any(|mark| {
                        let (start, async_start) =
                            (format!("{mark}\nfn {test}("), format!("{mark}\nasync fn {test}("));
                        text.contains(&start) || text.contains(&async_start)
                    });
                    assert!(is_there, "{row}: no test {test} in {file}");
                }
            }
            InGuide(text) => assert!(guide.contains(*text), "{row}: the guide does not say {text}"),
        }
    }
}

#[test]
fn the_scenes_are_those_of_the_table() {
    let in_table: BTreeSet<u8> = FAILURES
        .iter()
        .filter(|Failure(.., kept)| matches!(kept, Here))
        .map(|Failure(number, ..)| *number)
        .collect();
    let in_scenes: BTreeSet<u8> = SCENES.iter().flat_map(|scene| scene.failures).copied().collect();
    assert_eq!(in_table, in_scenes);
}
