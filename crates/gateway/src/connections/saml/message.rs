//! Request and answer as people see them who repair a sign-in: decoded, short, and without what could be used
//! again.

use genkan_store::Timestamp;
use genkan_store::connection::{Connection, SamlSettings, ServiceProvider};
use genkan_store::login_message::LoginMessage;

use super::{ID_PREFIX, authn_request};
use crate::connections::failure::{Messages, cut};

/// Stands for what was taken out.
const TAKEN_OUT: &str = "…";
/// Our states are so long, in base64url.
const STATE_CHARS: usize = 43;

/// Stands before a request that was perhaps another.
const CHANGED: &str =
    "<!-- The connection was changed after this request. This is the request as it would be now. -->";

/// The messages of a sign-in, for the trace of its failure.
pub(super) fn of(request: Option<String>, answer: Option<&str>, is_signed: bool) -> Messages {
    Messages {
        texts: LoginMessage {
            request,
            answer: answer.map(|xml| cut(without_secrets(xml))),
        },
        is_unsigned: !is_signed,
    }
}

/// The request of a sign-in. It is not stored, but made again of the same values.
pub(super) fn request(
    connection: &Connection,
    sp: &ServiceProvider,
    settings: &SamlSettings,
    (requested_at, is_forced): (Timestamp, bool),
) -> Option<String> {
    let request = authn_request(sp, settings, (TAKEN_OUT.to_owned(), requested_at, is_forced))?;
    let xml = request.render();
    Some(match connection.updated_at > requested_at {
        true => format!("{CHANGED}\n{xml}"),
        false => xml,
    })
}

/// A request that still waits could be answered by its state.
fn without_states(xml: &str) -> String {
    const QUOTES: [char; 2] = ['"', '\''];
    let mut clean = String::with_capacity(xml.len());
    for piece in xml.split_inclusive(QUOTES) {
        let text = piece.strip_suffix(QUOTES).unwrap_or(piece);
        let is_state = text.strip_prefix(ID_PREFIX).is_some_and(|state| {
            state.len() == STATE_CHARS
                && state
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        });
        clean.push_str(if is_state { TAKEN_OUT } else { text });
        clean.push_str(&piece[text.len()..]);
    }
    clean
}

/// Without its signature an assertion is worth nothing elsewhere. An encrypted one has it inside.
fn without_secrets(xml: &str) -> String {
    let signed = without_states(xml);
    without_text_of("CipherValue", &without_text_of("SignatureValue", &signed))
}

/// The message without the text of the elements of this name.
fn without_text_of(name: &str, xml: &str) -> String {
    let mut clean = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once(name) {
        clean.push_str(before);
        clean.push_str(name);
        let Some((tag, content)) = after.split_once('>') else {
            rest = after;
            continue;
        };
        clean.push_str(tag);
        clean.push('>');
        rest = content;
        // The end of the element follows, perhaps after a comment; after an end tag there is none.
        let is_start = before
            .rfind('<')
            .is_some_and(|at| !before[at..].starts_with("</"));
        if let Some(end) = content.find("</").filter(|_| is_start) {
            clean.push_str(TAKEN_OUT);
            rest = &content[end..];
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use genkan_store::login_message;

    use super::*;

    #[test]
    fn what_could_be_used_again_is_taken_out() {
        let state = "A".repeat(STATE_CHARS);
        let xml = format!(
            r#"<r InResponseTo="_{state}" Again='_{state}' ID="_short"><x:CipherValue>YQ==</x:CipherValue><ds:SignatureValue Id="x">
c2ln</ds:SignatureValue><n>Ada</n><SignatureValue>c2ln</SignatureValue></r>"#
        );
        let messages = of(None, Some(&xml), true);
        assert_eq!(
            messages.texts.answer.as_deref(),
            Some(
                r#"<r InResponseTo="…" Again='…' ID="_short"><x:CipherValue>…</x:CipherValue><ds:SignatureValue Id="x">…</ds:SignatureValue><n>Ada</n><SignatureValue>…</SignatureValue></r>"#
            )
        );
        assert_eq!(messages.kept(), login_message::VERIFIED);
    }

    #[test]
    fn what_nobody_signed_is_kept_for_a_day_and_not_whole() {
        let long = "ä".repeat(login_message::MAX_BYTES);
        let messages = of(None, Some(&format!("<{long}")), false);
        assert_eq!(messages.kept(), login_message::UNVERIFIED);
        let text = messages.texts.answer.unwrap();
        assert!(text.len() <= login_message::MAX_BYTES && text.ends_with('ä'));
        for odd in [
            "",
            "\"",
            "SignatureValue",
            "<SignatureValue>",
            "<SignatureValue",
            "_\"_\"",
        ] {
            let text = of(None, Some(odd), false).texts.answer.unwrap();
            assert_eq!(text.replace(TAKEN_OUT, ""), odd);
        }
    }
}
