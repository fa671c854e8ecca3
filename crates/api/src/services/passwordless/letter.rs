//! The mail with a code, a link or both.

use std::time::Duration;

use askama::Template as _;
use genkan_protocol::oauth::append_query;
use genkan_store::passwordless::{Challenge, Kind, Request, Template};

/// `sign_in.html`, and the same as plain text.
#[derive(askama::Template)]
#[template(path = "sign_in.html")]
pub(super) struct Letter<'a> {
    pub(super) subject: String,
    heading: String,
    application: &'a str,
    code: Option<&'a str>,
    link: Option<String>,
    button: &'static str,
    minutes: String,
}

impl<'a> Letter<'a> {
    /// Of the application that is called `application`.
    pub(super) fn of(application: &'a str, request: &Request, challenge: &'a Challenge) -> Self {
        let code = (request.kind != Kind::Link).then(|| challenge.code.expose());
        let link = request
            .magiclink_auth_uri
            .as_deref()
            .filter(|_| request.kind != Kind::Otp)
            .map(|uri| append_query(uri, &[("link_token", challenge.link_token.expose())]));
        let (heading, button) = match request.template {
            Some(Template::SignUp) => (format!("Create your account at {application}"), "Create account"),
            Some(Template::SignIn) | None => (format!("Sign in to {application}"), "Sign in"),
        };
        Self {
            subject: match code {
                Some(code) => format!("{code} is your code for {application}"),
                None => heading.clone(),
            },
            heading,
            application,
            code,
            link,
            button,
            minutes: minutes(request.lifetime),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.heading);
        if let Some(code) = self.code {
            text.push_str(&format!(
                "Enter this code where you were asked for it:\n\n{code}\n\n"
            ));
        }
        if let Some(link) = &self.link {
            let begin = if self.code.is_some() {
                "Or open this link"
            } else {
                "Open this link"
            };
            text.push_str(&format!("{begin}:\n\n{link}\n\n"));
        }
        text.push_str(&format!(
            "It works once, for {}. Nobody who works at {} will ask you for it.\n\n\
             If you did not ask for this mail, leave it unanswered: nothing happens.\n",
            self.minutes, self.application
        ));
        text
    }

    pub(super) fn html(&self) -> String {
        self.render().expect("the template writes to memory")
    }
}

/// `5 minutes`, rounded down: better early than late.
fn minutes(lifetime: Duration) -> String {
    match lifetime.as_secs() / 60 {
        0 | 1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use genkan_protocol::{EmailAddress, Timestamp};
    use genkan_store::Secret;

    use super::*;

    fn request(kind: Kind, template: Option<Template>) -> Request {
        Request {
            email: EmailAddress::parse("ada@example.com").unwrap(),
            kind,
            template,
            state: None,
            magiclink_auth_uri: Some("https://notes.acme.test/enter?from=mail".to_owned()),
            lifetime: Duration::from_secs(300),
            expires_at: Timestamp::from_secs(0),
        }
    }

    fn challenge() -> Challenge {
        Challenge {
            code: Secret::from_presented("271828"),
            link_token: Secret::from_presented("token"),
        }
    }

    #[test]
    fn a_mail_holds_what_its_kind_says() {
        let challenge = challenge();
        for (kind, has_code, has_link) in [
            (Kind::Otp, true, false),
            (Kind::Link, false, true),
            (Kind::LinkOtp, true, true),
        ] {
            let request = request(kind, None);
            let letter = Letter::of("Acme Notes", &request, &challenge);
            for said in [letter.text(), letter.html()] {
                assert_eq!(said.contains("271828"), has_code, "{said}");
                assert_eq!(said.contains("link_token=token"), has_link, "{said}");
                assert!(
                    said.contains("5 minutes") && said.contains("Acme Notes"),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn an_application_cannot_write_html() {
        let (challenge, request) = (challenge(), request(Kind::LinkOtp, Some(Template::SignUp)));
        let letter = Letter::of("<script>alert(1)</script>", &request, &challenge);
        let html = letter.html();
        assert!(
            !html.contains("<script>") && html.contains("Create account"),
            "{html}"
        );
    }
}
