//! The letters of our mail: each has a subject, a plain text and HTML, which are
//! written when it is delivered or looked at.

mod invitation;
mod sign_in_code;
mod test;

use askama::Template as _;
use genkan_protocol::EmailAddress;
use genkan_store::mail::{Content, Letter, Mail};

pub use invitation::INVITATIONS;

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 150;

/// The text of a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterText {
    pub to: EmailAddress,
    /// Always one line.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Shows nothing: it may hold a code.
impl std::fmt::Debug for LetterText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Written(…)")
    }
}

/// Writes the text of a queued mail. `public_url` has no trailing slash.
#[must_use]
pub fn write(public_url: &str, content: Content) -> LetterText {
    match content {
        Content::Mail(mail) => write_letter(public_url, &mail),
        // An earlier version wrote its text.
        Content::RenderedMail(written) => LetterText {
            to: written.to,
            subject: one_line(&written.subject),
            text: written.text,
            html: written.html,
        },
    }
}

fn write_letter(public_url: &str, mail: &Mail) -> LetterText {
    let (subject, text, html) = match &mail.letter {
        Letter::SignInCode {
            application,
            is_sign_up,
            code,
            link,
            lifetime_secs,
        } => {
            let code_and_link = (code.as_deref(), link.as_deref());
            let letter = sign_in_code::Page::of(application, *is_sign_up, code_and_link, *lifetime_secs);
            (letter.subject.clone(), letter.text(), letter.render())
        }
        Letter::Invitation {
            organization,
            inviter,
            token,
        } => {
            let letter = invitation::Page::of(mail, organization, inviter.as_ref(), public_url, token);
            (letter.subject(), letter.text(), letter.render())
        }
        Letter::Test => {
            let letter = test::Page { public_url };
            (test::SUBJECT.to_owned(), letter.text(), letter.render())
        }
    };
    LetterText {
        to: mail.to.clone(),
        subject: one_line(&subject),
        text,
        html: html.expect("the template writes to memory"),
    }
}

/// A header ends at a line break: the text after it would be a header of the author's
/// choice (CWE-93).
fn one_line(subject: &str) -> String {
    let words = subject.split(|c: char| c.is_control() || c.is_whitespace());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.chars().take(MAX_SUBJECT_CHARS).collect()
}

#[cfg(test)]
mod tests;
