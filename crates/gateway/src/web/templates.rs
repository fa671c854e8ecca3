//! The data of every page, typed. The templates escape all of it.

use std::fmt;

use askama::Template;
use genkan_protocol::Timestamp;

use crate::web::page::{Forms, PageTemplate, Room};

/// A moment for people: `22 November 2026, 14:03:11 UTC`.
pub fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map(|at| at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string())
        .unwrap_or_else(|_| "beyond the calendar".to_owned())
}

/// A text for people, in which no line ends between the `e-` and the `mail` of an e-mail.
#[derive(Debug, Clone, Copy)]
pub struct Prose<'a>(pub &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find("e-mail") {
            let (before, from) = rest.split_at(at);
            let end = from
                .find(|c: char| !(c.is_alphanumeric() || c == '-'))
                .unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            escape(f, before)?;
            f.write_str("<span class=\"word\">")?;
            escape(f, word)?;
            f.write_str("</span>")?;
            rest = after;
        }
        escape(f, rest)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let Ok(escaped) = askama::filters::escape(text, askama::filters::Html);
    write!(f, "{escaped}")
}

/// It escapes for itself.
impl askama::filters::HtmlSafe for Prose<'_> {}

/// A link to a web page: `http`, `https`, or a path of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub label: String,
    href: String,
}

impl Link {
    /// Absent if `href` is anything that a click should not open, such as
    /// `javascript:` or the scheme-relative `//host`.
    pub fn parse(label: impl Into<String>, href: &str) -> Option<Self> {
        // Browsers take `/\` for `//` and drop tabs and newlines inside an address.
        let is_path = href.starts_with('/') && !href.starts_with("//") && !href.contains('\\');
        let is_web = || {
            url::Url::parse(href)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
        };
        let is_clean = !href.contains(|c: char| c.is_control() || c.is_whitespace());
        (is_clean && (is_path || is_web())).then(|| Self {
            label: label.into(),
            href: href.to_owned(),
        })
    }

    pub fn href(&self) -> &str {
        &self.href
    }
}

/// A hidden form field: name and value.
pub type Hidden<'a> = (&'a str, &'a str);

/// `identify.html`. Posts `csrf`, `email` and what is hidden.
#[derive(Debug, Template)]
#[template(path = "identify.html")]
pub struct Identify<'a> {
    pub application: &'a str,
    /// Where the form is sent; the page's own address if absent.
    pub action: Option<&'a str>,
    pub csrf: &'a str,
    pub hidden: &'a [Hidden<'a>],
    /// What was typed before, or the application's `login_hint`.
    pub email: &'a str,
    pub error: Option<EmailError<'a>>,
}

impl PageTemplate for Identify<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

/// What is wrong with the e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailError<'a> {
    Missing,
    Malformed,
    /// No organization signs in with this domain now; whether one has it is not said.
    UnknownDomain(&'a str),
}

impl fmt::Display for EmailError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("Enter your work e-mail."),
            Self::Malformed => f.write_str("Enter a whole e-mail address, such as you@company.com."),
            Self::UnknownDomain(domain) => {
                write!(
                    f,
                    "We know no company sign-in for {domain}. Check the spelling, or ask your IT team."
                )
            }
        }
    }
}

/// Whose account a page speaks of.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub name: Option<&'a str>,
    pub email: &'a str,
    pub organization: Option<&'a str>,
}

impl Person<'_> {
    fn display_name(&self) -> &str {
        self.name.unwrap_or(self.email)
    }

    fn initial(&self) -> String {
        self.display_name()
            .chars()
            .next()
            .map(|first| first.to_uppercase().collect())
            .unwrap_or_default()
    }
}

/// `select_account.html`. Posts `csrf`, what is hidden, and `choice`:
/// `continue` or `other`.
#[derive(Debug, Template)]
#[template(path = "select_account.html")]
pub struct SelectAccount<'a> {
    pub application: &'a str,
    pub action: Option<&'a str>,
    pub csrf: &'a str,
    pub hidden: &'a [Hidden<'a>],
    pub person: Person<'a>,
}

impl PageTemplate for SelectAccount<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

/// `confirm_switch.html`. Posts `csrf`, what is hidden, and `choice`: `switch`
/// or `stay`. Its answer may return to the application.
#[derive(Debug, Template)]
#[template(path = "confirm_switch.html")]
pub struct ConfirmSwitch<'a> {
    pub application: &'a str,
    pub action: &'a str,
    pub csrf: &'a str,
    pub hidden: &'a [Hidden<'a>],
    /// Who would be signed in.
    pub arriving: Person<'a>,
    /// Who is signed in, if that is anybody else or elsewhere.
    pub present: Option<Person<'a>>,
    /// It is the same person, in another organization.
    pub is_same_person: bool,
}

impl PageTemplate for ConfirmSwitch<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

impl ConfirmSwitch<'_> {
    /// What a button calls somebody: enough to tell the two apart.
    fn label<'a>(&self, person: &'a Person<'_>) -> &'a str {
        match person.organization {
            Some(organization) if self.is_same_person => organization,
            _ => person.email,
        }
    }
}

/// `begin_elsewhere.html`. Posts `csrf` and what is hidden. Its answer goes on
/// to the application.
#[derive(Debug, Template)]
#[template(path = "begin_elsewhere.html")]
pub struct BeginElsewhere<'a> {
    pub application: &'a str,
    pub action: &'a str,
    pub csrf: &'a str,
    pub hidden: &'a [Hidden<'a>],
    /// Whose company sign-in it leads to: the organization, else the connection.
    pub company: &'a str,
}

impl PageTemplate for BeginElsewhere<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

/// `logout_confirm.html`. Posts `csrf`, what is hidden, and `choice`:
/// `sign_out` or `stay`. Its answer may return to the application.
#[derive(Debug, Template)]
#[template(path = "logout_confirm.html")]
pub struct LogoutConfirm<'a> {
    pub application: &'a str,
    pub action: Option<&'a str>,
    pub csrf: &'a str,
    pub hidden: &'a [Hidden<'a>],
    pub person: Person<'a>,
}

impl PageTemplate for LogoutConfirm<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

/// `signed_out.html`.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut<'a> {
    pub application: &'a str,
    pub back: Option<Link>,
}

impl PageTemplate for SignedOut<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::None;
}

/// `form_post.html`: an answer on its way to an application that takes it by post
/// (OAuth 2.0 Form Post Response Mode §2). It has no sample: a browser that opens it
/// is gone at once.
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub struct FormPost<'a> {
    /// The redirect URI.
    pub action: &'a str,
    pub hidden: &'a [Hidden<'a>],
}

impl PageTemplate for FormPost<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Send;
}

/// `invitation.html`. Posts `csrf`. Its answer may go on to an application.
#[derive(Debug, Template)]
#[template(path = "invitation.html")]
pub struct Invitation<'a> {
    pub organization: &'a str,
    /// The e-mail address of whoever invites.
    pub inviter: Option<&'a str>,
    pub csrf: &'a str,
    pub person: Person<'a>,
    /// When the invitation ends.
    pub until: &'a str,
}

impl PageTemplate for Invitation<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::Leave;
}

/// `invitation_accepted.html`.
#[derive(Debug, Template)]
#[template(path = "invitation_accepted.html")]
pub struct InvitationAccepted<'a> {
    pub organization: &'a str,
    pub person: Person<'a>,
    /// Where the application's login begins.
    pub go_on: Option<Link>,
}

impl PageTemplate for InvitationAccepted<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::None;
}

/// `error.html`: what [`PageError`](crate::web::error::PageError) renders.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    pub application: Option<&'a str>,
    pub heading: &'a str,
    pub why: &'a str,
    pub what_to_do: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub try_again: Option<&'a Link>,
    pub back: Option<&'a Link>,
}

impl PageTemplate for ErrorPage<'_> {
    const ROOM: Room = Room::Door;
    const FORMS: Forms = Forms::None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_stays_on_one_line_and_everything_is_escaped() {
        let text = Prose("No <e-mail-address> & no e-mail.").to_string();
        assert_eq!(
            text,
            "No &#60;<span class=\"word\">e-mail-address</span>&#62; &#38; no <span class=\"word\">e-mail</span>."
        );
    }

    #[test]
    fn a_moment_is_written_for_people() {
        assert_eq!(
            moment(Timestamp::from_secs(1_795_356_191)),
            "22 November 2026, 14:03:11 UTC"
        );
        assert_eq!(moment(Timestamp::from_micros(i64::MAX)), "beyond the calendar");
    }

    #[test]
    fn a_link_leads_to_the_web_only() {
        for good in [
            "https://acme.test/a?b=c#d",
            "http://localhost:4321/",
            "/login/lri_1",
            "/",
        ] {
            assert_eq!(
                Link::parse("x", good).map(|link| link.href),
                Some(good.to_owned())
            );
        }
        for bad in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "https://acme.test@evil.test/",
            "relative",
            "",
        ] {
            assert_eq!(Link::parse("x", bad), None, "{bad:?}");
        }
    }
}
