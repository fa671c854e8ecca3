//! The command that changes the setting of a remedy.
//!
//! A remedy names the provider's side first. For a reader at a terminal, the command follows, with the
//! identifiers of this connection.

use genkan_protocol::{oidc, saml};
use genkan_store::ConnectionId;
use genkan_store::connection::Connection;

use super::cause::{Cause, RuleCause};

/// The command for a cause that one of our settings can correct.
pub(super) const fn command(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Oidc(cause) => of_oidc(cause),
        Cause::Saml(cause) => of_saml(cause),
        Cause::Rule(cause) => of_rule(cause),
    }
}

const fn of_oidc(cause: oidc::Cause) -> Option<&'static str> {
    use oidc::Cause as C;
    Some(match cause {
        C::MandatoryAttributeMissing | C::MandatoryAttributeMalformed => {
            "`genkan connection update CONNECTION --attribute email=CLAIM` maps it."
        }
        C::IdTokenIssuerMismatch | C::ProviderMetadataMissing | C::ProviderMetadataInvalid => {
            "`genkan connection update CONNECTION --issuer URL --client-secret-stdin` changes it, and wants the secret \
             with it."
        }
        C::ProviderMetadataIncomplete => {
            "`genkan connection update CONNECTION --authorize-uri URL --token-uri URL --jwks-uri URL \
             --client-secret-stdin` enters them, and wants the secret with them."
        }
        C::IdTokenAudienceMismatch | C::IdTokenAuthorizedPartyMismatch => {
            "`genkan connection update CONNECTION --client-id ID` enters it."
        }
        _ => return None,
    })
}

const fn of_saml(cause: saml::Cause) -> Option<&'static str> {
    use saml::Cause as C;
    Some(match cause {
        C::ConnectionIncomplete => INCOMPLETE,
        C::StatusRequester => {
            "`genkan connection update CONNECTION --saml-sign-requests` signs them; \
             `genkan connection certificates list CONNECTION --pem` prints our certificate."
        }
        C::StatusInvalidNameIdPolicy | C::NameIdMissing => {
            "`genkan connection update CONNECTION --saml-name-id-format unspecified` asks for none in particular."
        }
        C::NameIdTransient => {
            "`genkan connection update CONNECTION --saml-name-id-format persistent` asks for a persistent one."
        }
        C::NoAuthnContext => {
            "`genkan connection update CONNECTION --saml-requested-context \"\"` requests none."
        }
        C::AuthenticationTooOld => {
            "`genkan connection update CONNECTION --saml-force-authn off` ends that the connection always asks for a \
             fresh sign-in."
        }
        C::SignatureInvalid | C::CertificateMissing => {
            "`genkan connection update CONNECTION --saml-metadata-url URL` reads the metadata again; \
             `genkan connection update CONNECTION --saml-metadata-file FILE` reads them from a file; \
             `genkan connection update CONNECTION --saml-certificate-file FILE` enters the certificates that count."
        }
        C::IssuerMismatch | C::IssuerMissing => {
            "`genkan connection update CONNECTION --saml-entity-id ID` enters it."
        }
        C::SignaturePolicy => {
            "`genkan connection update CONNECTION --saml-signed either` accepts a signature of either part."
        }
        C::AlgorithmNotAllowed => {
            "`genkan connection update CONNECTION --saml-allow-sha1` accepts SHA-1 until the provider can sign \
             with SHA-256."
        }
        C::EncryptionExpected => "`genkan connection update CONNECTION --saml-encrypted off` demands none.",
        C::DecryptionNotAllowed => "`genkan connection update CONNECTION --saml-allow-cbc` allows AES-CBC.",
        C::DecryptionKeyMissing | C::DecryptionFailed => {
            "`genkan connection certificates list CONNECTION --pem` prints our certificates."
        }
        C::DestinationMissing | C::DestinationMismatch | C::RecipientMissing | C::RecipientMismatch => {
            "If the provider cannot be changed, and its address leads here, \
             `genkan connection update CONNECTION --saml-sp-assertion-url URL` enters that one."
        }
        C::AudienceMismatch => {
            "If the provider cannot be changed, `genkan connection update CONNECTION --saml-sp-entity-id ID` enters the \
             one that it sends."
        }
        C::UnsolicitedNotAllowed => {
            "`genkan connection update CONNECTION --saml-idp-initiated` allows them; \
             `genkan app update APP --initiate-login-uri URL` registers the address."
        }
        C::MandatoryAttributeMissing | C::EmailMalformed | C::AttributeAmbiguous => {
            "`genkan connection update CONNECTION --attribute email=NAME` maps it."
        }
        _ => return None,
    })
}

const INCOMPLETE: &str = "`genkan connection update CONNECTION` enters it; --help lists the options.";

const fn of_rule(cause: RuleCause) -> Option<&'static str> {
    Some(match cause {
        RuleCause::EmailNotVerified => {
            "`genkan connection update CONNECTION --trust-unverified-email` accepts addresses that the provider has not \
             verified."
        }
        RuleCause::UserNotProvisioned => {
            "`genkan user invite ADDRESS --organization ORGANIZATION` invites them, \
             `genkan connection update CONNECTION --jit on` turns it on."
        }
        RuleCause::EmailDomainNotTrusted => {
            "`genkan domain create DOMAIN --organization ORGANIZATION` adds it."
        }
        RuleCause::UserNotActive => {
            "`genkan user enable USER`, or `genkan user membership activate USER --organization ORGANIZATION`."
        }
        RuleCause::ConnectionIncomplete => INCOMPLETE,
        RuleCause::ConnectionNotActive => "`genkan connection enable CONNECTION` enables it.",
        _ => return None,
    })
}

/// How a command begins in a text.
const ANY_COMMAND: &str = concat!('`', "genkan ");

/// The cause in a sentence, its remedy and its command, with the identifiers of the connection.
pub(super) fn complete(connection: &Connection, cause: Cause, remedy: &str) -> String {
    let whole = match command(cause) {
        // A remedy with a command of its own needs no other.
        Some(command) if !remedy.contains(ANY_COMMAND) => format!("{remedy} {command}"),
        _ => remedy.to_owned(),
    };
    let organization = connection.organization_id.as_ref();
    let organization = organization.map_or("ORGANIZATION", |id| id.as_str());
    of_this(&connection.id, cause, &whole).replace("ORGANIZATION", organization)
}

/// The cause in a sentence and a remedy, with the identifier of the connection.
pub(super) fn of_this(id: &ConnectionId, cause: Cause, remedy: &str) -> String {
    format!(
        "{} {}",
        cause.sentence(),
        remedy.replace("CONNECTION", id.as_str())
    )
}
