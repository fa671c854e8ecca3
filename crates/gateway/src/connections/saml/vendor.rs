//! Remedies at products that call things by names of their own. [`remedy`](super::remedy) has those for any other.
//!
//! `{acs}`, `{entity}` and `{metadata}` stand for the addresses of the connection.

mod hosted;
mod own_servers;

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

/// A remedy at one product, for these causes.
struct Row {
    at: Provider,
    causes: &'static [Cause],
    remedy: &'static str,
}

const fn row(at: Provider, causes: &'static [Cause], remedy: &'static str) -> Row {
    Row { at, causes, remedy }
}

const AUDIENCE: &[Cause] = &[
    Cause::AudienceMissing,
    Cause::AudienceMismatch,
    Cause::AudiencePlaceholder,
];
const ADDRESS: &[Cause] = &[
    Cause::DestinationMissing,
    Cause::DestinationMismatch,
    Cause::RecipientMissing,
    Cause::RecipientMismatch,
];
const EMAIL: &[Cause] = &[Cause::MandatoryAttributeMissing];
const KEY: &[Cause] = &[Cause::SignatureInvalid, Cause::CertificateMissing];
const SIGNED: &[Cause] = &[Cause::SignaturePolicy, Cause::SignatureMissing];
const WEAK: &[Cause] = &[Cause::AlgorithmNotAllowed];
const ISSUER: &[Cause] = &[Cause::IssuerMissing, Cause::IssuerMismatch];
const NAME_ID: &[Cause] = &[
    Cause::NameIdMissing,
    Cause::NameIdTransient,
    Cause::StatusInvalidNameIdPolicy,
];
const NOT_ADMITTED: &[Cause] = &[Cause::StatusAuthnFailed, Cause::StatusRequestDenied];
/// It is encrypted for another key than ours.
const UNOPENED: &[Cause] = &[Cause::DecryptionKeyMissing, Cause::DecryptionFailed];

fn rows() -> impl Iterator<Item = &'static Row> {
    hosted::ROWS.iter().chain(own_servers::ROWS)
}

/// The change at a product that has a name of its own for it.
pub(in crate::connections) fn at(provider: Provider, cause: Cause) -> Option<&'static str> {
    let known = rows().find(|row| row.at == provider && row.causes.contains(&cause));
    known.map(|row| row.remedy)
}

#[cfg(test)]
mod tests;
