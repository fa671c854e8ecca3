//! Settings that are accepted, but are usually a mistake or worth knowing.

use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_protocol::saml::{IdpCertificate, IdpMetadata};
use genkan_store::connection::{Change, ProtocolChange};
use url::Url;

use crate::cli::output::time;

/// Metadata that end within this time are told.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The hosts at which Microsoft Entra ID publishes metadata of both its versions.
const ENTRA: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];

/// A warning if `issuer` looks like a mistake.
pub(super) fn about(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok()?;
    let is_entra = ENTRA.contains(&url.host_str()?);
    let path = url.path().trim_end_matches('/');
    (is_entra && !path.ends_with("/v2.0")).then(|| {
        format!(
            "The issuer of Microsoft Entra ID ends with /v2.0: at {issuer} its metadata names another one, and every \
             sign-in is refused. Write https://login.microsoftonline.com/TENANT-ID/v2.0."
        )
    })
}

/// The doubts about the metadata that a change has entered.
pub(super) fn about_metadata(change: &Change<'_>, now: Timestamp) -> Vec<String> {
    let Some(ProtocolChange::Saml(entered)) = &change.protocol else {
        return Vec::new();
    };
    let document = entered.idp_metadata.as_deref();
    let Some(metadata) = document.and_then(|document| IdpMetadata::parse(document).ok()) else {
        return Vec::new();
    };
    let mut doubts = Vec::new();
    if !metadata.left_out.is_empty() {
        let names: Vec<&str> = metadata.left_out.iter().map(IdpCertificate::subject).collect();
        doubts.push(format!(
            "The metadata hold more certificates than signing keys. Not taken over: {}. Beside the certificate of a key \
             stands its chain, and whoever holds the key of a company's authority is not its identity provider. If the \
             provider does sign with one of them, enter it by --saml-certificate-file.",
            names.join("; ")
        ));
    }
    if let Some(end) = metadata.valid_until.filter(|end| *end < now + SOON) {
        doubts.push(format!(
            "The metadata end at {}. Genkan keeps what it has read beyond that, and does not read them again by itself: \
             enter them again when the provider has a new certificate.",
            time(end)
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_of_entra_without_its_version_is_doubted() {
        let tenant = "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f";
        assert!(about(tenant).is_some());
        assert!(about(&format!("{tenant}/")).is_some());
        assert_eq!(about(&format!("{tenant}/v2.0")), None);
        assert_eq!(about("https://acme.okta.com"), None);
        assert_eq!(about("nonsense"), None);
    }
}
