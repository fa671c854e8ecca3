//! Whether every failure of the field has its remedy.

use super::*;

/// Failures from the field, each with what its remedy must name.
const FIELD: &[(Provider, Cause, &str)] = &[
    (Provider::MicrosoftAd, Cause::NoAuthnContext, "AADSTS75011"),
    (
        Provider::MicrosoftAd,
        Cause::MandatoryAttributeMissing,
        "user.mail",
    ),
    (Provider::MicrosoftAd, Cause::EmailMalformed, "#EXT#"),
    (Provider::MicrosoftAd, Cause::AudienceMismatch, "spn:"),
    (
        Provider::MicrosoftAd,
        Cause::SignatureInvalid,
        "federation metadata",
    ),
    (Provider::MicrosoftAd, Cause::DecryptionNotAllowed, "AES-CBC"),
    (Provider::MicrosoftAd, Cause::NameIdTransient, "persistent"),
    (
        Provider::Okta,
        Cause::AudienceMismatch,
        "Audience URI (SP Entity ID) to {entity}",
    ),
    (
        Provider::Okta,
        Cause::MandatoryAttributeMissing,
        "Attribute Statements",
    ),
    (
        Provider::Okta,
        Cause::RecipientMismatch,
        "Recipient URL and Destination URL",
    ),
    (Provider::Google, Cause::SignaturePolicy, "Signed response"),
    (
        Provider::Google,
        Cause::MandatoryAttributeMissing,
        "Primary email",
    ),
    (Provider::JumpCloud, Cause::IssuerMismatch, "IdP Entity ID"),
    (
        Provider::JumpCloud,
        Cause::MandatoryAttributeMissing,
        "User Attribute Mapping",
    ),
    (
        Provider::PingIdentity,
        Cause::StatusRequester,
        "Signature required",
    ),
    (
        Provider::PingIdentity,
        Cause::MandatoryAttributeMissing,
        "Attribute Mappings",
    ),
    (Provider::OneLogin, Cause::AudiencePlaceholder, "{audience}"),
    (Provider::OneLogin, Cause::RecipientMismatch, "Recipient"),
    (Provider::OneLogin, Cause::AlgorithmNotAllowed, "SHA-256"),
    (Provider::Adfs, Cause::AlgorithmNotAllowed, "SHA-256"),
    (
        Provider::Adfs,
        Cause::StatusInvalidNameIdPolicy,
        "Transform an Incoming Claim",
    ),
    (
        Provider::Adfs,
        Cause::NameIdMissing,
        "Transform an Incoming Claim",
    ),
    (Provider::Adfs, Cause::AssertionNotYetValid, "NotBeforeSkew"),
    (Provider::Adfs, Cause::SignatureInvalid, "every year"),
    (Provider::Adfs, Cause::DecryptionNotAllowed, "AES-CBC"),
    (Provider::Shibboleth, Cause::NameIdMissing, "saml-nameid.xml"),
    (
        Provider::Shibboleth,
        Cause::MandatoryAttributeMissing,
        "urn:oid:0.9.2342.19200300.100.1.3",
    ),
    (Provider::Keycloak, Cause::SignatureInvalid, "realm"),
    (Provider::Duo, Cause::InResponseToMissing, "Duo Access Gateway"),
    (
        Provider::CyberArk,
        Cause::MandatoryAttributeMissing,
        "LoginUser.Email",
    ),
    (Provider::Auth0, Cause::DecryptionNotAllowed, "aes256-gcm"),
    (Provider::Oracle, Cause::AlgorithmNotAllowed, "SHA-256"),
    (Provider::Custom, Cause::AssertionNotYetValid, "clocks"),
    (Provider::Custom, Cause::AssertionExpired, "clocks"),
    (Provider::Custom, Cause::DestinationMismatch, "{acs}"),
    (Provider::Custom, Cause::BrowserMismatch, "one browser"),
    (Provider::Custom, Cause::SignaturePolicy, "accept either"),
    (Provider::Custom, Cause::DecryptionKeyMissing, "{metadata}"),
    (Provider::Custom, Cause::EncryptionExpected, "{metadata}"),
    (Provider::Custom, Cause::DecryptionFailed, "{metadata}"),
    (Provider::Custom, Cause::RequestAlreadyUsed, "begin again"),
    (
        Provider::Custom,
        Cause::UnsolicitedNotAllowed,
        "initiate_login_uri",
    ),
    (Provider::Custom, Cause::InResponseToMissing, "Duo"),
];

#[test]
fn the_failures_of_the_field_have_a_remedy_of_their_own() {
    for &(provider, cause, named) in FIELD {
        let text = remedy(provider, cause);
        assert!(text.contains(named), "{provider} {}: {text}", cause.code());
    }
}

#[test]
fn a_row_is_reached_and_says_where() {
    for row in ROWS {
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
        let text = anywhere(cause);
        assert!(text.ends_with('.'), "{text}");
        for unknown in text.split('{').skip(1) {
            let name = unknown.split('}').next();
            assert!(matches!(name, Some("acs" | "entity" | "metadata")), "{text}");
        }
    }
}
