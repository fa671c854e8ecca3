//! Invitations with their mail: the one way to send them, for the services and
//! the command line.

use askama::Template;
use genkan_db::Tx;
use genkan_protocol::{EmailAddress, Timestamp, name};
use genkan_store::invitation::{self, Invitation, Shown};
use genkan_store::mail::{self, Kind, Mail};
use genkan_store::membership::{Joining, Membership};
use genkan_store::{Error, InstanceKey, OrganizationId, Secret, Stamp, UserId};

/// Where the pages of invitations are; the token follows.
pub const PATH: &str = "/invitations/";

/// What a mail needs of the instance that sends it.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// Without a trailing slash.
    pub public_url: &'a str,
    /// Seals the mail while it waits.
    pub key: &'a InstanceKey,
}

impl std::fmt::Debug for Post<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Post").field(&self.public_url).finish()
    }
}

/// Makes a user a pending member and queues the mail that asks them to accept.
///
/// # Errors
///
/// As [`genkan_store::membership::create`].
pub async fn invite(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    post: &Post<'_>,
    joining: &Joining<'_>,
) -> Result<Membership, Error> {
    let token = Secret::generate();
    let membership = invitation::invite(tx, at, joining, &token.sha256(), invitation::LIFETIME).await?;
    send(tx, at, post, &token).await?;
    Ok(membership)
}

/// Gives an invitation a new link and queues a mail with it; see [`invitation::resend`].
///
/// # Errors
///
/// As [`invitation::resend`].
pub async fn resend(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    post: &Post<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Invitation, Error> {
    let token = Secret::generate();
    let link = (&token.sha256(), invitation::LIFETIME);
    let invitation = invitation::resend(tx, at, organization_id, user_id, link).await?;
    send(tx, at, post, &token).await?;
    Ok(invitation)
}

async fn send(tx: &mut Tx<'_>, at: Stamp<'_>, post: &Post<'_>, token: &Secret) -> Result<(), Error> {
    let shown = invitation::find_by_token(tx, &token.sha256())
        .await?
        .ok_or(Error::Stale)?;
    let letter = Letter::of(&shown, format!("{}{PATH}{}", post.public_url, token.expose()));
    let mail = Mail {
        kind: Kind::Invitation,
        to: &shown.invitation.email,
        subject: &letter.subject(),
        text: &letter.text(),
        html: &letter.html(),
        expires_at: shown.invitation.expires_at,
    };
    mail::enqueue(tx, at, post.key, &mail).await?;
    Ok(())
}

/// `invitation.html`, and the same as plain text.
#[derive(Debug, Template)]
#[template(path = "invitation.html")]
struct Letter<'a> {
    organization: String,
    inviter: Option<&'a str>,
    link: String,
    until: String,
    email: &'a str,
}

impl<'a> Letter<'a> {
    fn of(shown: &'a Shown, link: String) -> Self {
        Self {
            // It stands in a mail to somebody who may not know the organization.
            organization: name::shown(&shown.organization_name),
            inviter: shown
                .inviter_email
                .as_deref()
                .filter(|inviter| is_address(inviter)),
            link,
            until: day(shown.invitation.expires_at),
            email: shown.invitation.email.as_str(),
        }
    }

    fn subject(&self) -> String {
        format!("Invitation to {}", self.organization)
    }

    fn text(&self) -> String {
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

    fn html(&self) -> String {
        self.render().expect("the template writes to memory")
    }
}

/// Whether it is an address and not a sentence: it was written by an application.
pub fn is_address(inviter: &str) -> bool {
    EmailAddress::parse(inviter).is_ok()
}

/// `7 December 2026`, in UTC.
fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map(|at| at.strftime("%-d %B %Y").to_string())
        .unwrap_or_else(|_| "further notice".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(organization: &str) -> Letter<'_> {
        Letter {
            organization: name::shown(organization),
            inviter: Some("grace@acme.test"),
            link: "https://auth.acme.test/invitations/t".to_owned(),
            until: day(Timestamp::from_secs(1_795_000_000)),
            email: "ada@acme.test",
        }
    }

    #[test]
    fn the_text_says_who_invites_and_until_when() {
        assert_eq!(
            letter("Acme").text(),
            "You have been invited by grace@acme.test to join Acme.\n\n\
             Look at the invitation and accept it here:\n\nhttps://auth.acme.test/invitations/t\n\n\
             The link works once, until 18 November 2026. It is for ada@acme.test.\n\n\
             If you do not know Acme, leave this mail unanswered: nothing happens.\n"
        );
    }

    #[test]
    fn an_organizations_name_writes_neither_lines_nor_markup() {
        let letter = letter("Acme\n\nPay here: <a href=\"https://evil.example\">x</a>");
        assert!(
            letter.text().contains("join Acme Pay here: <a"),
            "{}",
            letter.text()
        );
        let html = letter.html();
        assert!(!html.contains("<a href=\"https://evil"), "{html}");
        assert!(
            html.contains("href=\"https://auth.acme.test/invitations/t\""),
            "{html}"
        );
    }
}
