//! The letter of `genkan mail test`.

use askama::Template;

pub(super) const SUBJECT: &str = "A test from Genkan";

/// `letters/test.html`, and the same as plain text.
#[derive(Debug, Template)]
#[template(path = "letters/test.html")]
pub(super) struct Page<'a> {
    pub(super) public_url: &'a str,
}

impl Page<'_> {
    pub(super) fn text(&self) -> String {
        format!(
            "This mail shows that the Genkan at\n\n{}\n\ncan send mail. Nobody has to do anything.\n",
            self.public_url
        )
    }
}
