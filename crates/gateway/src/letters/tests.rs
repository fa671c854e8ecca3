//! One sample of every letter, and the rules for all of them.

use std::fs;
use std::path::Path;

use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::mail::{Content, Letter, Mail, RenderedMail};

use super::*;

const PUBLIC_URL: &str = "https://auth.acme.test";

/// A hostile name of an application or an organization.
const HOSTILE: &str = "Acme\r\nBcc: eve@evil.example\n\nPay here: <a href=\"https://evil.example\">x</a>";

fn written(letter: Letter) -> LetterText {
    let mail = Mail {
        to: EmailAddress::parse("ada@acme.test").unwrap(),
        letter,
        expires_at: Timestamp::from_secs(1_795_000_000),
    };
    write(PUBLIC_URL, Content::Mail(mail))
}

fn proof(application: &str, is_sign_up: bool, (has_code, has_link): (bool, bool)) -> LetterText {
    written(Letter::SignInCode {
        application: application.to_owned(),
        is_sign_up,
        code: has_code.then(|| "271828".to_owned()),
        link: has_link.then(|| "https://notes.acme.test/enter?from=mail&link_token=token".to_owned()),
        lifetime_secs: 300,
    })
}

fn invitation(organization: &str, inviter: Option<&str>) -> LetterText {
    written(Letter::Invitation {
        organization: organization.to_owned(),
        inviter: inviter.map(|email| EmailAddress::parse(email).unwrap()),
        token: "t".to_owned(),
    })
}

/// Every letter, by the name of its sample.
fn samples() -> Vec<(&'static str, LetterText)> {
    vec![
        ("sign-in-code", proof("Acme Notes", false, (true, false))),
        ("sign-in-link", proof("Acme Notes", false, (false, true))),
        ("sign-in-code-and-link", proof("Acme Notes", false, (true, true))),
        ("sign-up-code", proof("Acme Notes", true, (true, false))),
        ("sign-in-hostile", proof(HOSTILE, false, (true, true))),
        ("invitation", invitation("Acme", Some("grace@acme.test"))),
        ("invitation-unnamed", invitation("Acme", None)),
        ("invitation-hostile", invitation(HOSTILE, None)),
        ("test", written(Letter::Test)),
    ]
}

/// Writes them to `target/letters/`, to look at.
#[test]
fn every_letter_is_written_from_its_sample() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/letters");
    fs::create_dir_all(&directory).unwrap();
    for (name, letter) in samples() {
        let html = &letter.html;
        assert!(html.starts_with("<!doctype html>"), "{name}: {html}");
        for forbidden in ["<script", "<img", "<form", " onclick=", "src="] {
            assert!(!html.contains(forbidden), "{name} contains {forbidden}");
        }
        assert!(
            !letter.subject.is_empty() && letter.text.ends_with('\n'),
            "{name}"
        );
        assert!(
            !letter.subject.contains(['\r', '\n']),
            "{name}: {}",
            letter.subject
        );
        // Each of them alone says everything.
        for word in [
            "271828",
            "link_token=token",
            "/invitations/t",
            "5 minutes",
            "18 November 2026",
        ] {
            let in_html = html.replace("&#38;", "&").contains(word);
            assert_eq!(letter.text.contains(word), in_html, "{name}: {word}");
        }
        fs::write(directory.join(format!("{name}.html")), html).unwrap();
    }
}

#[test]
fn a_letter_holds_what_was_asked_for() {
    for (has_code, has_link) in [(true, false), (false, true), (true, true)] {
        let letter = proof("Acme Notes", false, (has_code, has_link));
        for said in [&letter.text, &letter.html] {
            assert_eq!(said.contains("271828"), has_code, "{said}");
            assert_eq!(said.contains("link_token=token"), has_link, "{said}");
            assert!(
                said.contains("5 minutes") && said.contains("Acme Notes"),
                "{said}"
            );
        }
        let subject = if has_code {
            "271828 is your code for Acme Notes"
        } else {
            "Sign in to Acme Notes"
        };
        assert_eq!(letter.subject, subject);
    }
}

#[test]
fn an_invitation_says_who_invites_and_until_when() {
    assert_eq!(
        invitation("Acme", Some("grace@acme.test")).text,
        "You have been invited by grace@acme.test to join Acme.\n\n\
         Look at the invitation and accept it here:\n\nhttps://auth.acme.test/invitations/t\n\n\
         The link works once, until 18 November 2026. It is for ada@acme.test.\n\n\
         If you do not know Acme, leave this mail unanswered: nothing happens.\n"
    );
}

#[test]
fn a_name_writes_neither_lines_nor_markup() {
    for letter in [
        proof(HOSTILE, true, (true, true)),
        proof("<script>alert(1)</script>", true, (true, true)),
        invitation(HOSTILE, None),
    ] {
        assert!(!letter.html.contains("<a href=\"https://evil"), "{}", letter.html);
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        assert!(!letter.text.contains("\n\nPay here"), "{}", letter.text);
    }
}

#[test]
fn a_subject_is_one_line_whatever_was_written() {
    for (written, sent) in [
        ("Your code", "Your code"),
        ("Acme\r\nBcc: eve@evil.example", "Acme Bcc: eve@evil.example"),
        ("Acme\nBcc:\tx\u{85}y\u{2028}z", "Acme Bcc: x y z"),
        ("  \0a\u{1b}[2Jb ", "a [2Jb"),
    ] {
        assert_eq!(one_line(written), sent);
    }
    assert_eq!(one_line(&"é".repeat(500)).chars().count(), MAX_SUBJECT_CHARS);
}

#[test]
fn what_a_version_before_has_written_goes_out_as_it_is() {
    let content = Content::RenderedMail(RenderedMail {
        to: EmailAddress::parse("ada@acme.test").unwrap(),
        subject: "Your code".to_owned(),
        text: "It is 271828.".to_owned(),
        html: "<p>It is 271828.</p>".to_owned(),
    });
    let letter = write(PUBLIC_URL, content);
    assert_eq!(letter.subject, "Your code");
    assert_eq!(
        (letter.text.as_str(), letter.html.as_str()),
        ("It is 271828.", "<p>It is 271828.</p>")
    );
}
