//! Request and answer as people see them who repair a sign-in: decoded, short, and without what could be used
//! again.

use genkan_store::Timestamp;
use genkan_store::connection::{Connection, SamlSettings, ServiceProvider};
use genkan_store::login_message::LoginMessage;

use super::{ID_PREFIX, authn_request};
use crate::connections::failure::{AnswerOrigin, Messages, cut};

/// Stands for what was taken out.
const TAKEN_OUT: &str = "…";
/// Our states are so long, in base64url.
const STATE_CHARS: usize = 43;

/// Stands before a request that was perhaps another.
const CHANGED: &str =
    "<!-- The connection was changed after this request. This is the request as it would be now. -->";

/// An answer as it came.
pub(super) struct ReceivedXml<'a> {
    pub(super) xml: &'a str,
    /// The state of the request that it answers, which may still wait.
    pub(super) state: Option<&'a str>,
    pub(super) origin: AnswerOrigin,
}

/// The messages of a sign-in, for the trace of its failure.
pub(super) fn of(request: Option<String>, answer: Option<ReceivedXml<'_>>) -> Messages {
    Messages {
        origin: answer
            .as_ref()
            .map_or(AnswerOrigin::Anybody, |answer| answer.origin),
        texts: LoginMessage {
            request,
            answer: answer.map(|answer| cut(without_secrets(&answer))),
        },
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

/// A request that still waits could be answered by its state. This takes out whatever looks like one.
fn without_states(xml: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut clean = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some(start) = rest.find(is_letter) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_letter(c)).unwrap_or(word.len()));
        let is_state = word.len() == ID_PREFIX.len() + STATE_CHARS && word.starts_with(ID_PREFIX);
        clean.push_str(before);
        clean.push_str(if is_state { TAKEN_OUT } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Without its signature an assertion is worth nothing elsewhere, and without the cipher text an encrypted one.
fn without_secrets(answer: &ReceivedXml<'_>) -> String {
    let clean = match answer.state {
        Some(state) => without_states(&answer.xml.replace(state, TAKEN_OUT)),
        None => without_states(answer.xml),
    };
    // Certificates are no secret. They are long, and the checks name those that count.
    ["SignatureValue", "CipherValue", "X509Certificate"]
        .iter()
        .fold(clean, |clean, name| without_content(&clean, name))
}

/// Takes out the text of the elements with this name.
fn without_content(xml: &str, name: &str) -> String {
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

    fn of_answer(xml: &str, origin: AnswerOrigin, state: Option<&str>) -> Messages {
        of(None, Some(ReceivedXml { xml, state, origin }))
    }

    fn kept(xml: &str, state: Option<&str>) -> String {
        of_answer(xml, AnswerOrigin::Anybody, state).texts.answer.unwrap()
    }

    #[test]
    fn what_could_be_used_again_is_taken_out() {
        let state = "A".repeat(STATE_CHARS);
        let xml = format!(
            r#"<r InResponseTo="_{state}" Again='_{state}' ID="_short"><ds:SignatureValue Id="x">
c2ln</ds:SignatureValue><n>Ada</n><SignatureValue>c2ln</SignatureValue><x:CipherValue>Y2lw</x:CipherValue></r>"#
        );
        let messages = of_answer(&xml, AnswerOrigin::Provider, None);
        assert_eq!(
            messages.texts.answer.as_deref(),
            Some(
                r#"<r InResponseTo="…" Again='…' ID="_short"><ds:SignatureValue Id="x">…</ds:SignatureValue><n>Ada</n><SignatureValue>…</SignatureValue><x:CipherValue>…</x:CipherValue></r>"#
            )
        );
        assert_eq!(messages.kept(), login_message::VERIFIED);
    }

    #[test]
    fn a_state_is_taken_out_wherever_it_stands() {
        let state = "AbC-_9".repeat(8)[..STATE_CHARS].to_owned();
        for written in [
            format!("<r InResponseTo='_{state}'/>"),
            format!("<r InResponseTo = \"&#x5f;{state}\"/>"),
            format!("<r>{state}</r>"),
            format!("<r a='_{state}&#10;'>_{state}</r>"),
        ] {
            let text = kept(&written, Some(&state));
            assert!(!text.contains(&state), "{text}");
        }
        // Of a request that is not known here, as far as it looks like one.
        assert_eq!(kept(&format!("<r a='_{state}'/>"), None), "<r a='…'/>");
    }

    #[test]
    fn what_nobody_signed_is_kept_for_a_day_and_not_whole() {
        let long = "ä".repeat(login_message::MAX_BYTES);
        let messages = of_answer(&format!("<{long}"), AnswerOrigin::Anybody, None);
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
            assert_eq!(kept(odd, None).replace(TAKEN_OUT, ""), odd);
        }
    }
}
