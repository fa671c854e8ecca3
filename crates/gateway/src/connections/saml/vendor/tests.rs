//! Every failure from the field has its remedy, with the addresses of the connection in it.

use std::collections::BTreeSet;

use genkan_store::connection::ServiceProvider;

use super::super::failure::filled_in;
use super::*;
use crate::connections::cause::RuleCause;
use crate::connections::{refusal, remedy};

const ACS: &str = "https://login.app.test/sso/v1/saml/conn_1/callback";
const ENTITY: &str = "https://login.app.test/sso/v1/saml/conn_1";

/// A failure from the field: its number, and what its remedy must name.
struct Field {
    row: u8,
    at: Provider,
    cause: Cause,
    named: &'static [&'static str],
}

const fn field(row: u8, at: Provider, cause: Cause, named: &'static [&'static str]) -> Field {
    Field {
        row,
        at,
        cause,
        named,
    }
}

/// Sixty failures were collected at products and in their forums. These reach us.
const FIELD: &[Field] = &[
    field(
        4,
        Provider::MicrosoftAd,
        Cause::NoAuthnContext,
        &[
            "AADSTS75011",
            "no authentication context",
            "--saml-requested-context",
        ],
    ),
    field(
        7,
        Provider::MicrosoftAd,
        Cause::GroupsOverage,
        &["Groups assigned to the application"],
    ),
    field(
        9,
        Provider::MicrosoftAd,
        Cause::MandatoryAttributeMissing,
        &["Attributes & Claims", "user.mail", "--attribute email="],
    ),
    field(
        10,
        Provider::MicrosoftAd,
        Cause::EmailMalformed,
        &["#EXT#", "user.userprincipalname"],
    ),
    field(
        11,
        Provider::MicrosoftAd,
        Cause::AudienceMismatch,
        &["Identifier (Entity ID)", ENTITY, "spn:"],
    ),
    field(
        12,
        Provider::MicrosoftAd,
        Cause::SignatureInvalid,
        &["federation metadata", "active certificate", "--saml-metadata-url"],
    ),
    field(
        13,
        Provider::MicrosoftAd,
        Cause::DecryptionNotAllowed,
        &["AES-CBC", "Sign SAML response and assertion", "--saml-allow-cbc"],
    ),
    field(
        15,
        Provider::MicrosoftAd,
        Cause::NameIdTransient,
        &["persistent", "--saml-name-id-format persistent"],
    ),
    field(
        16,
        Provider::Okta,
        Cause::AudienceMismatch,
        &[
            "General › SAML Settings › Edit",
            "Audience URI (SP Entity ID)",
            ENTITY,
        ],
    ),
    field(
        17,
        Provider::Okta,
        Cause::MandatoryAttributeMissing,
        &["Attribute Statements", "email → user.email"],
    ),
    field(
        18,
        Provider::Okta,
        Cause::RecipientMismatch,
        &["Single sign-on URL", ACS, "Recipient URL and Destination URL"],
    ),
    field(
        18,
        Provider::Okta,
        Cause::DestinationMismatch,
        &["Single sign-on URL", ACS, "Recipient URL and Destination URL"],
    ),
    field(
        23,
        Provider::Google,
        Cause::SignaturePolicy,
        &["Signed response", "either", "--saml-signed either"],
    ),
    field(
        24,
        Provider::Google,
        Cause::MandatoryAttributeMissing,
        &["EMAIL", "Basic Information › Primary email"],
    ),
    field(
        25,
        Provider::JumpCloud,
        Cause::IssuerMismatch,
        &["IdP Entity ID", "free text", "--saml-entity-id"],
    ),
    field(
        26,
        Provider::JumpCloud,
        Cause::MandatoryAttributeMissing,
        &["User Attribute Mapping", "email → email"],
    ),
    field(
        27,
        Provider::PingIdentity,
        Cause::StatusRequester,
        &["Signature required", "/metadata", "--saml-sign-requests"],
    ),
    field(
        29,
        Provider::PingIdentity,
        Cause::MandatoryAttributeMissing,
        &["Attribute Mappings", "email → Email Address"],
    ),
    field(
        30,
        Provider::OneLogin,
        Cause::AudiencePlaceholder,
        &["Audience", ENTITY, "`{audience}`"],
    ),
    field(
        31,
        Provider::OneLogin,
        Cause::RecipientMismatch,
        &["Recipient", ACS, "ACS URL Validator"],
    ),
    field(
        32,
        Provider::OneLogin,
        Cause::AlgorithmNotAllowed,
        &["SAML Signature Algorithm", "SHA-256"],
    ),
    field(
        32,
        Provider::Adfs,
        Cause::AlgorithmNotAllowed,
        &["Advanced", "SHA-256"],
    ),
    field(
        33,
        Provider::Adfs,
        Cause::StatusInvalidNameIdPolicy,
        &["Transform an Incoming Claim", "--saml-name-id-format unspecified"],
    ),
    field(
        34,
        Provider::Adfs,
        Cause::AssertionNotYetValid,
        &["clock", "-NotBeforeSkew 2"],
    ),
    field(
        35,
        Provider::Adfs,
        Cause::SignatureInvalid,
        &["every year", "federation metadata", "--saml-metadata-url"],
    ),
    field(
        37,
        Provider::Adfs,
        Cause::NameIdMissing,
        &["Transform an Incoming Claim"],
    ),
    field(
        37,
        Provider::Shibboleth,
        Cause::NameIdMissing,
        &["saml-nameid.xml"],
    ),
    field(
        41,
        Provider::Shibboleth,
        Cause::MandatoryAttributeMissing,
        &[
            "urn:oid:0.9.2342.19200300.100.1.3",
            ENTITY,
            "attribute-filter.xml",
        ],
    ),
    field(
        44,
        Provider::Keycloak,
        Cause::SignatureInvalid,
        &["key of the realm", "protocol/saml/descriptor"],
    ),
    field(
        46,
        Provider::Duo,
        Cause::InResponseToMissing,
        &["Duo Access Gateway", "Update it"],
    ),
    field(
        48,
        Provider::CyberArk,
        Cause::MandatoryAttributeMissing,
        &["SAML Response", "LoginUser.Email"],
    ),
    field(
        50,
        Provider::Oracle,
        Cause::AlgorithmNotAllowed,
        &["Signature Hashing Algorithm", "SHA-256"],
    ),
    field(
        51,
        Provider::Custom,
        Cause::AssertionNotYetValid,
        &["clocks", "NTP"],
    ),
    field(51, Provider::Custom, Cause::AssertionExpired, &["clocks", "NTP"]),
    field(
        52,
        Provider::Custom,
        Cause::DestinationMismatch,
        &[ACS, "exactly so", "--saml-sp-assertion-url"],
    ),
    field(53, Provider::Custom, Cause::BrowserMismatch, &["one browser"]),
    field(
        54,
        Provider::Custom,
        Cause::SignaturePolicy,
        &["accept either", "--saml-signed either"],
    ),
    field(
        54,
        Provider::Custom,
        Cause::SignatureMissing,
        &["response or the assertion"],
    ),
    field(
        55,
        Provider::Custom,
        Cause::DecryptionKeyMissing,
        &["/metadata", "turn encryption off", "certificates list"],
    ),
    field(
        55,
        Provider::Custom,
        Cause::EncryptionExpected,
        &["/metadata", "--saml-encrypted off"],
    ),
    field(
        56,
        Provider::Custom,
        Cause::DecryptionFailed,
        &["another key than ours", "/metadata", "certificates list"],
    ),
    field(58, Provider::Custom, Cause::RequestAlreadyUsed, &["begin again"]),
    field(
        59,
        Provider::Custom,
        Cause::UnsolicitedNotAllowed,
        &["initiate_login_uri", "--saml-idp-initiated"],
    ),
];

/// The rest, with the reason why no trace can tell them.
const ELSEWHERE: &[(&str, &[u8])] = &[
    // The person sees the provider's page, and nothing comes back. The guide tells most of them. Our metadata and our
    // requests prevent 39 and 43.
    (
        "stays at the provider",
        &[1, 2, 3, 5, 6, 19, 21, 22, 36, 38, 39, 42, 43, 45],
    ),
    ("works", &[28, 40, 47, 49]),
    ("is of logout", &[14, 20]),
    // `groups_that_are_identifiers_are_noted`
    ("is a note of the groups that came", &[8]),
    // Below, because it is a rule of ours.
    ("is a rule", &[57]),
    // `saml_metadata` in the tests of connections, because it is refused where it is entered.
    ("is refused when the metadata are entered", &[60]),
];

/// The sentence that an administrator reads.
fn text(at: Provider, cause: Cause) -> String {
    let sp = ServiceProvider {
        entity_id: ENTITY.to_owned(),
        acs_url: ACS.to_owned(),
        metadata_url: format!("{ENTITY}/metadata"),
    };
    let command = remedy::command(cause.into()).unwrap_or_default();
    format!("{} {} {command}", cause.sentence(), filled_in(at, cause, &sp))
}

#[test]
fn the_failures_of_the_field_have_a_remedy_of_their_own() {
    for Field {
        row,
        at,
        cause,
        named,
    } in FIELD
    {
        let text = text(*at, *cause);
        for word in *named {
            assert!(text.contains(word), "row {row}: {word} is not in: {text}");
        }
        for left in ["{acs}", "{entity}", "{metadata}"] {
            assert!(!text.contains(left), "row {row}: {text}");
        }
    }
    let subject = refusal::at_rule(RuleCause::SubjectChanged);
    for word in ["stays when the address changes", "do not change its format"] {
        assert!(subject.contains(word), "row 57: {subject}");
    }
}

#[test]
fn each_of_the_sixty_has_a_test_or_a_reason() {
    let reach = FIELD.iter().map(|field| field.row);
    let elsewhere = ELSEWHERE.iter().flat_map(|(_, rows)| rows.iter().copied());
    let reached: BTreeSet<u8> = reach.clone().collect();
    assert!(elsewhere.clone().all(|row| !reached.contains(&row)));
    let all: BTreeSet<u8> = reach.chain(elsewhere).collect();
    assert_eq!(all, (1..=60).collect());
}

/// The most frequent causes when a company connects its provider.
const FREQUENT: [Cause; 8] = [
    Cause::AudienceMismatch,
    Cause::RecipientMismatch,
    Cause::MandatoryAttributeMissing,
    Cause::SignatureInvalid,
    Cause::SignatureMissing,
    Cause::NameIdMissing,
    Cause::IssuerMismatch,
    Cause::DecryptionFailed,
];

/// The products that companies use most.
const FREQUENT_PRODUCTS: [Provider; 10] = [
    Provider::Okta,
    Provider::MicrosoftAd,
    Provider::Google,
    Provider::JumpCloud,
    Provider::OneLogin,
    Provider::PingIdentity,
    Provider::Adfs,
    Provider::Shibboleth,
    Provider::Keycloak,
    Provider::Auth0,
];

/// Here the general remedy stands, because we know no name of such a setting at the product.
const WITHOUT_A_ROW: &[(Provider, Cause)] = &[
    (Provider::Google, Cause::DecryptionFailed),
    (Provider::JumpCloud, Cause::DecryptionFailed),
    (Provider::PingIdentity, Cause::DecryptionFailed),
    (Provider::Auth0, Cause::DecryptionFailed),
];

#[test]
fn each_frequent_product_has_a_remedy_of_its_own_for_each_frequent_cause() {
    for product in FREQUENT_PRODUCTS {
        for cause in FREQUENT {
            let is_exception = WITHOUT_A_ROW.contains(&(product, cause));
            assert_eq!(
                at(product, cause).is_none(),
                is_exception,
                "{product} {}",
                cause.code()
            );
        }
    }
}

/// Issue 13: the trace alone says what to change. These are the fields of the consoles.
#[test]
fn a_remedy_names_the_menu_and_the_field() {
    for (at, cause, named) in [
        (Provider::Okta, Cause::SignatureInvalid, "Sign On"),
        (Provider::Okta, Cause::StatusAuthnFailed, "Assignments › Assign"),
        (
            Provider::Okta,
            Cause::CertificateExpired,
            "Generate new certificate",
        ),
        (
            Provider::MicrosoftAd,
            Cause::StatusRequestDenied,
            "Users and groups",
        ),
        (
            Provider::MicrosoftAd,
            Cause::CertificateExpired,
            "New Certificate",
        ),
        (Provider::Google, Cause::StatusAuthnFailed, "User access"),
        (Provider::Okta, Cause::IssuerMismatch, "Sign On › More details"),
        (
            Provider::Okta,
            Cause::NameIdTransient,
            "Name ID format to Persistent",
        ),
        (
            Provider::Okta,
            Cause::AlgorithmNotAllowed,
            "Signature Algorithm to RSA-SHA256",
        ),
        (Provider::Okta, Cause::DecryptionFailed, "Encryption Certificate"),
        (
            Provider::Okta,
            Cause::EncryptionExpected,
            "Assertion Encryption to Encrypted",
        ),
        (Provider::Okta, Cause::DecryptionNotAllowed, "AES256-GCM"),
        (
            Provider::Okta,
            Cause::AuthenticationTooOld,
            "Honor Force Authentication",
        ),
        (
            Provider::MicrosoftAd,
            Cause::IssuerMismatch,
            "Microsoft Entra Identifier",
        ),
        (Provider::MicrosoftAd, Cause::DecryptionFailed, "Token encryption"),
        (Provider::Google, Cause::SignatureInvalid, "Download metadata"),
        (Provider::JumpCloud, Cause::NameIdMissing, "SAMLSubject NameID"),
        (Provider::PingIdentity, Cause::NameIdMissing, "saml_subject"),
        (
            Provider::OneLogin,
            Cause::SignatureMissing,
            "SAML signature element",
        ),
        (
            Provider::Adfs,
            Cause::IssuerMismatch,
            "Federation Service identifier",
        ),
        (Provider::Keycloak, Cause::NameIdTransient, "Force name ID format"),
        (Provider::Shibboleth, Cause::AudienceMismatch, ENTITY),
        (Provider::Auth0, Cause::SignatureInvalid, "Usage"),
    ] {
        let text = text(at, cause);
        assert!(text.contains(named), "{named} is not in: {text}");
    }
}

#[test]
fn a_row_is_reached_and_says_where() {
    for row in rows() {
        for &cause in row.causes {
            let found = at(row.at, cause);
            assert_eq!(
                found,
                Some(row.remedy),
                "{} has two rows for {}",
                row.at,
                cause.code()
            );
        }
    }
    for &cause in Cause::all() {
        let text = super::super::remedy::anywhere(cause);
        assert!(text.ends_with('.'), "{text}");
        for unknown in text.split('{').skip(1) {
            let name = unknown.split('}').next();
            assert!(matches!(name, Some("acs" | "entity" | "metadata")), "{text}");
        }
    }
}

#[test]
fn no_cause_sends_people_away_without_a_word_of_what_to_do() {
    for &cause in Cause::all() {
        let text = super::super::remedy::anywhere(cause);
        assert_ne!(text, super::super::remedy::NOTHING_KNOWN, "{}", cause.code());
    }
}
