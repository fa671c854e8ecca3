//! Issuers that are accepted but are usually a mistake.

use url::Url;

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
