//! An answer as people see it who repair a sign-in: decoded, short, and without what could be used again.

use genkan_protocol::saml::Cause;
use genkan_store::login_message;

use super::ID_PREFIX;
use crate::connections::failure::Message;

/// Stands for what was taken out.
const TAKEN_OUT: &str = "…";
/// Our states are so long, in base64url.
const STATE_CHARS: usize = 43;

/// The answer, for the trace of its failure.
pub(super) fn of(xml: &str, cause: Cause) -> Message {
    let mut text = without_signatures(&without_states(xml));
    let mut end = login_message::MAX_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Message {
        text,
        kept: match was_verified(cause) {
            true => login_message::VERIFIED,
            false => login_message::UNVERIFIED,
        },
    }
}

/// Whether a check failed that comes after the signatures.
fn was_verified(cause: Cause) -> bool {
    let place = |wanted| Cause::all().iter().position(|cause| *cause == wanted);
    place(cause) >= place(Cause::IssuerMissing)
}

/// A request that still waits could be answered by its state.
fn without_states(xml: &str) -> String {
    let mut clean = String::with_capacity(xml.len());
    let mut parts = xml.split('"');
    clean.push_str(parts.next().unwrap_or_default());
    for part in parts {
        clean.push('"');
        let is_state = part.strip_prefix(ID_PREFIX).is_some_and(|state| {
            state.len() == STATE_CHARS
                && state
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        });
        clean.push_str(if is_state { TAKEN_OUT } else { part });
    }
    clean
}

/// Without its signature an assertion is worth nothing elsewhere.
fn without_signatures(xml: &str) -> String {
    const NAME: &str = "SignatureValue";
    let mut clean = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once(NAME) {
        clean.push_str(before);
        clean.push_str(NAME);
        let Some((tag, content)) = after.split_once('>') else {
            rest = after;
            continue;
        };
        clean.push_str(tag);
        clean.push('>');
        rest = content;
        // The end of the element follows; after an end tag there is none.
        let is_start = before
            .rfind('<')
            .is_some_and(|at| !before[at..].starts_with("</"));
        if let Some(end) = content.find('<').filter(|_| is_start) {
            clean.push_str(TAKEN_OUT);
            rest = &content[end..];
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_used_again_is_taken_out() {
        let state = "A".repeat(STATE_CHARS);
        let xml = format!(
            r#"<r InResponseTo="_{state}" ID="_short"><ds:SignatureValue Id="x">
c2ln</ds:SignatureValue><n>Ada</n><SignatureValue>c2ln</SignatureValue></r>"#
        );
        let message = of(&xml, Cause::AudienceMismatch);
        assert_eq!(
            message.text,
            r#"<r InResponseTo="…" ID="_short"><ds:SignatureValue Id="x">…</ds:SignatureValue><n>Ada</n><SignatureValue>…</SignatureValue></r>"#
        );
        assert_eq!(message.kept, login_message::VERIFIED);
    }

    #[test]
    fn what_nobody_signed_is_kept_for_a_day_and_not_whole() {
        let long = "ä".repeat(login_message::MAX_BYTES);
        let message = of(&format!("<{long}"), Cause::SignatureInvalid);
        assert_eq!(message.kept, login_message::UNVERIFIED);
        assert!(message.text.len() <= login_message::MAX_BYTES && message.text.ends_with('ä'));
        for odd in [
            "",
            "\"",
            "SignatureValue",
            "<SignatureValue>",
            "<SignatureValue",
            "_\"_\"",
        ] {
            assert_eq!(of(odd, Cause::XmlMalformed).text.replace(TAKEN_OUT, ""), odd);
        }
    }
}
