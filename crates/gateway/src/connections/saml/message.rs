//! An answer as people see it who repair a sign-in: decoded, short, and without what could be used again.

use genkan_store::login_message;

use super::ID_PREFIX;
use crate::connections::failure::Message;

/// Stands for what was taken out.
const TAKEN_OUT: &str = "…";
/// Our states are so long, in base64url.
const STATE_CHARS: usize = 43;

/// The answer, for the trace of its failure. `is_signed`: a registered key signed it. `state`: of the request
/// that it answers, which may still wait.
pub(super) fn of(xml: &str, is_signed: bool, state: Option<&str>) -> Message {
    let clean = match state {
        Some(state) => xml.replace(state, TAKEN_OUT),
        None => xml.to_owned(),
    };
    let mut text = without_states(&clean);
    // Without its signature an assertion is worth nothing elsewhere, and without the cipher text an encrypted one.
    for name in ["SignatureValue", "CipherValue"] {
        text = without_content(&text, name);
    }
    let mut end = login_message::MAX_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Message {
        text,
        kept: match is_signed {
            true => login_message::VERIFIED,
            false => login_message::UNVERIFIED,
        },
    }
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
c2ln</ds:SignatureValue><n>Ada</n><SignatureValue>c2ln</SignatureValue><x:CipherValue>Y2lw</x:CipherValue></r>"#
        );
        let message = of(&xml, true, None);
        assert_eq!(
            message.text,
            r#"<r InResponseTo="…" ID="_short"><ds:SignatureValue Id="x">…</ds:SignatureValue><n>Ada</n><SignatureValue>…</SignatureValue><x:CipherValue>…</x:CipherValue></r>"#
        );
        assert_eq!(message.kept, login_message::VERIFIED);
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
            let message = of(&written, false, Some(&state));
            assert!(!message.text.contains(&state), "{}", message.text);
        }
        // Of a request that is not known here, as far as it looks like one.
        assert_eq!(of(&format!("<r a='_{state}'/>"), false, None).text, "<r a='…'/>");
    }

    #[test]
    fn what_nobody_signed_is_kept_for_a_day_and_not_whole() {
        let long = "ä".repeat(login_message::MAX_BYTES);
        let message = of(&format!("<{long}"), false, None);
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
            assert_eq!(of(odd, false, None).text.replace(TAKEN_OUT, ""), odd);
        }
    }
}
