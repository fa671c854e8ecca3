//! The letter with a code, a link or both.

use askama::Template;
use genkan_protocol::name;

/// `letters/sign_in_code.html`, and the same as plain text.
#[derive(Template)]
#[template(path = "letters/sign_in_code.html")]
pub(super) struct Page<'a> {
    pub(super) subject: String,
    heading: String,
    /// The name goes to any address that somebody types.
    application: String,
    code: Option<&'a str>,
    link: Option<&'a str>,
    button: &'static str,
    minutes: String,
}

impl<'a> Page<'a> {
    pub(super) fn of(
        application: &str,
        is_sign_up: bool,
        (code, link): (Option<&'a str>, Option<&'a str>),
        lifetime_secs: u64,
    ) -> Self {
        let application = name::shown(application);
        let (heading, button) = if is_sign_up {
            (format!("Create your account at {application}"), "Create account")
        } else {
            (format!("Sign in to {application}"), "Sign in")
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
            minutes: minutes(lifetime_secs),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.heading);
        if let Some(code) = self.code {
            text.push_str(&format!(
                "Enter this code where you were asked for it:\n\n{code}\n\n"
            ));
        }
        if let Some(link) = self.link {
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
}

/// `5 minutes`, rounded down: better early than late.
fn minutes(lifetime_secs: u64) -> String {
    match lifetime_secs / 60 {
        0 | 1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
