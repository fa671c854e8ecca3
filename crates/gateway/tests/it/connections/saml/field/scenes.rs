//! Sign-ins that end as they do in the field.

use std::time::Duration;

use genkan_protocol::saml::NameIdFormat;
use genkan_store::Provider;
use genkan_store::connection::{SamlSettings, SigningOption};

use crate::connections::saml::provider::{Answer, Signs};

/// A sign-in that ends as in the field.
pub(super) struct Scene {
    pub(super) failures: &'static [u8],
    pub(super) at: Provider,
    pub(super) settings: fn(&mut SamlSettings),
    /// The mistake in the provider's answer. The time is how much its clock differs; most scenes ignore it.
    pub(super) answer: fn(&mut Answer, Duration),
    pub(super) cause: &'static str,
    /// A part of the remedy that the administrator reads.
    pub(super) told: &'static str,
}

pub(super) const SKEWED: Duration = Duration::from_mins(10);

const fn scene(
    failures: &'static [u8],
    at: Provider,
    answer: fn(&mut Answer, Duration),
    (cause, told): (&'static str, &'static str),
) -> Scene {
    Scene {
        failures,
        at,
        settings: |_| {},
        answer,
        cause,
        told,
    }
}

fn without_address(answer: &mut Answer, _: Duration) {
    answer.attributes.retain(|(name, _)| name != "email");
}

fn of_another_key(answer: &mut Answer, _: Duration) {
    answer.signs = Signs::Strangely;
}

fn elsewhere(answer: &mut Answer, _: Duration) {
    answer.recipient = Some("https://elsewhere.test/acs".to_owned());
}

fn status(answer: &mut Answer, code: &str) {
    answer.status = format!("urn:oasis:names:tc:SAML:2.0:status:{code}");
}

const NO_ADDRESS: &str = "mandatory_attribute_missing";
const OTHER_KEY: &str = "signature_invalid";

pub(super) const SCENES: &[Scene] = &[
    scene(
        &[4],
        Provider::MicrosoftAd,
        |answer, _| status(answer, "NoAuthnContext"),
        ("no_authn_context", "AADSTS75011"),
    ),
    scene(
        &[9],
        Provider::MicrosoftAd,
        without_address,
        (NO_ADDRESS, "map emailaddress to user.mail"),
    ),
    scene(
        &[10],
        Provider::MicrosoftAd,
        |answer, _| {
            let guest = "x_gmail.com#EXT#@tenant.onmicrosoft.com";
            answer.attributes = vec![("email".to_owned(), vec![guest.to_owned()])];
        },
        ("email_domain_not_trusted", "domain"),
    ),
    scene(
        &[11],
        Provider::MicrosoftAd,
        |answer, _| answer.audience = format!("spn:{}", answer.audience),
        ("audience_mismatch", "without `spn:` before it"),
    ),
    scene(
        &[12],
        Provider::MicrosoftAd,
        of_another_key,
        (OTHER_KEY, "a new certificate was made active"),
    ),
    scene(
        &[15],
        Provider::MicrosoftAd,
        |answer, _| answer.name_id.1 = NameIdFormat::Transient,
        ("name_id_transient", "persistent NameID"),
    ),
    scene(
        &[16],
        Provider::Okta,
        |answer, _| answer.audience = "https://wrong.test".to_owned(),
        ("audience_mismatch", "Audience URI (SP Entity ID)"),
    ),
    scene(
        &[17],
        Provider::Okta,
        without_address,
        (NO_ADDRESS, "Attribute Statements"),
    ),
    scene(
        &[18],
        Provider::Okta,
        elsewhere,
        (
            "recipient_mismatch",
            "Use this for Recipient URL and Destination URL",
        ),
    ),
    Scene {
        settings: |settings| settings.signing = SigningOption::Response,
        ..scene(
            &[23],
            Provider::Google,
            |answer, _| answer.signs = Signs::Assertion,
            ("signature_policy", "tick “Signed response”"),
        )
    },
    scene(
        &[24],
        Provider::Google,
        without_address,
        (NO_ADDRESS, "Primary email"),
    ),
    scene(
        &[25],
        Provider::JumpCloud,
        |answer, _| answer.issuer = "JumpCloud".to_owned(),
        ("issuer_mismatch", "IdP Entity ID is free text"),
    ),
    scene(
        &[26],
        Provider::JumpCloud,
        without_address,
        (NO_ADDRESS, "User Attribute Mapping"),
    ),
    scene(
        &[27],
        Provider::PingIdentity,
        |answer, _| status(answer, "Requester"),
        ("status_requester", "wants signed requests"),
    ),
    scene(
        &[29],
        Provider::PingIdentity,
        without_address,
        (NO_ADDRESS, "the NameID is a user ID"),
    ),
    scene(
        &[30],
        Provider::OneLogin,
        |answer, _| answer.audience = "{audience}".to_owned(),
        ("audience_placeholder", "An empty field is sent as `{audience}`"),
    ),
    scene(
        &[31],
        Provider::OneLogin,
        elsewhere,
        ("recipient_mismatch", "set Recipient and ACS (Consumer) URL"),
    ),
    scene(
        &[33],
        Provider::Adfs,
        |answer, _| status(answer, "InvalidNameIDPolicy"),
        ("status_invalid_name_id_policy", "Transform an Incoming Claim"),
    ),
    scene(
        &[35],
        Provider::Adfs,
        of_another_key,
        (OTHER_KEY, "changes its certificate every year"),
    ),
    scene(
        &[41],
        Provider::Shibboleth,
        without_address,
        (NO_ADDRESS, "urn:oid:0.9.2342.19200300.100.1.3"),
    ),
    scene(
        &[44],
        Provider::Keycloak,
        of_another_key,
        (OTHER_KEY, "the active key of the realm"),
    ),
    scene(
        &[46],
        Provider::Duo,
        |answer, _| answer.in_response_to = None,
        ("in_response_to_missing", "An old Duo Access Gateway"),
    ),
    scene(
        &[48],
        Provider::CyberArk,
        without_address,
        (NO_ADDRESS, "LoginUser.Email"),
    ),
    scene(
        &[51],
        Provider::Custom,
        |answer, skewed| answer.issued_at = answer.issued_at + skewed,
        ("assertion_not_yet_valid", "time server"),
    ),
    scene(
        &[51],
        Provider::Custom,
        |answer, skewed| answer.issued_at = answer.issued_at - skewed,
        ("assertion_expired", "time server"),
    ),
    scene(
        &[52],
        Provider::Custom,
        |answer, _| answer.acs = answer.acs.replace("://", "://inner."),
        ("destination_mismatch", "exactly so"),
    ),
    Scene {
        settings: |settings| settings.signing = SigningOption::Assertion,
        ..scene(
            &[54],
            Provider::Custom,
            |answer, _| answer.signs = Signs::Response,
            ("signature_policy", "let the connection accept either"),
        )
    },
];
