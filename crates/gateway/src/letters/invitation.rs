//! The letter that asks a person to become a member of an organization.

use askama::Template;
use genkan_protocol::{EmailAddress, Timestamp, name};
use genkan_store::mail::Mail;

/// The path of invitations; the token follows.
pub const INVITATIONS: &str = "/invitations/";

/// `letters/invitation.html`, and the same as plain text.
#[derive(Template)]
#[template(path = "letters/invitation.html")]
pub(super) struct Page<'a> {
    /// The name goes to a person who may not know the organization.
    organization: String,
    inviter: Option<&'a str>,
    link: String,
    until: String,
    email: &'a str,
}

impl<'a> Page<'a> {
    pub(super) fn of(
        mail: &'a Mail,
        organization: &str,
        inviter: Option<&'a EmailAddress>,
        public_url: &str,
        token: &str,
    ) -> Self {
        Self {
            organization: name::shown(organization),
            inviter: inviter.map(EmailAddress::as_str),
            link: format!("{public_url}{INVITATIONS}{token}"),
            until: day(mail.expires_at),
            email: mail.to.as_str(),
        }
    }

    pub(super) fn subject(&self) -> String {
        format!("Invitation to {}", self.organization)
    }

    pub(super) fn text(&self) -> String {
        let by = self
            .inviter
            .map(|email| format!(" by {email}"))
            .unwrap_or_default();
        format!(
            "You have been invited{by} to join {organization}.\n\n\
             Look at the invitation and accept it here:\n\n{link}\n\n\
             The link works once, until {until}. It is for {email}.\n\n\
             If you do not know {organization}, leave this mail unanswered: nothing happens.\n",
            organization = self.organization,
            link = self.link,
            until = self.until,
            email = self.email,
        )
    }
}

/// `7 December 2026`, in UTC.
fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map(|at| at.strftime("%-d %B %Y").to_string())
        .unwrap_or_else(|_| "further notice".to_owned())
}
