//! Answers that somebody changed after they were signed.

use genkan_protocol::saml::SigningKey;
use genkan_protocol::saml::idp::{IdpError, IdpResponse, Protection};

/// The signed assertion still is in the answer, where nothing is read, and a forged one in its place carries the
/// signature: a verifier that looks the signed element up, and a reader that takes the first assertion, see two
/// people (the attack of SAML Security and Privacy Considerations §6.1.3, known as signature wrapping).
pub(super) fn wrapped(
    signed: &IdpResponse,
    forged: &IdpResponse,
    key: &SigningKey,
) -> Result<String, IdpError> {
    let signed = signed.render(&Protection {
        assertion_key: Some(key),
        ..Protection::default()
    })?;
    let (assertion, signature) = (
        element(&signed, "saml:Assertion"),
        element(&signed, "ds:Signature"),
    );
    let forged = forged.render(&Protection::default())?;
    let (response, forgery) = forged.split_once("<saml:Assertion").unwrap_or((&forged, ""));
    let hidden = format!("<samlp:Extensions>{assertion}</samlp:Extensions><samlp:Status>");
    let carrying = format!("</saml:Issuer>{signature}");
    Ok(format!(
        "{}<saml:Assertion{}",
        response.replacen("<samlp:Status>", &hidden, 1),
        forgery.replacen("</saml:Issuer>", &carrying, 1)
    ))
}

/// Another name than the one that was signed.
pub(super) fn changed(xml: &str) -> String {
    xml.replacen("</saml:NameID>", "-changed</saml:NameID>", 1)
}

/// No provider needs one, and attackers use it (XML 1.0 §2.8).
pub(super) fn with_document_type(xml: &str) -> String {
    format!("<!DOCTYPE samlp:Response>{xml}")
}

/// The first element of this name, with its tags.
fn element(xml: &str, name: &str) -> String {
    let (start, end) = (format!("<{name} "), format!("</{name}>"));
    let found = xml
        .split_once(&start)
        .and_then(|(_, rest)| rest.split_once(&end))
        .map(|(content, _)| format!("{start}{content}{end}"));
    found.unwrap_or_default()
}
