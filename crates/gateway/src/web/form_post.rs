//! A form that goes to another site: it sends itself, and without scripts it has a button.
//!
//! Source: OAuth 2.0 Form Post Response Mode 1.0 §2; SAML Bindings §3.5.

use askama::Template;
use genkan_web::page::{Forms, PageKind, PageTemplate};
use genkan_web::text::Hidden;

/// `form_post.html`. It has no sample: a browser that opens it leaves at once.
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPost<'a> {
    /// The way of the form in words: "back to the application".
    pub(crate) way: &'a str,
    /// The address of the form.
    pub(crate) action: &'a str,
    pub(crate) hidden: &'a [Hidden<'a>],
}

impl PageTemplate for FormPost<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Send;
}

#[cfg(test)]
mod tests {
    use genkan_web::page::SEND_SCRIPT;

    use super::*;

    #[test]
    fn the_page_has_the_script_that_may_run_and_no_other() {
        let hidden = [("code", "c\"><script>alert(1)</script>"), ("state", "s&<")];
        let page = FormPost {
            way: "back to the application",
            action: "https://app.example/signin-oidc",
            hidden: &hidden,
        };
        let html = page.render().unwrap();
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(
            html.contains(&format!("<script>{SEND_SCRIPT}</script>")),
            "{html}"
        );
    }
}
