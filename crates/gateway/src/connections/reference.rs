//! The reference of causes, `docs/reference/causes.md`.

use std::fmt::Write as _;

use genkan_protocol::{oidc, saml};
use genkan_store::Provider;

use super::cause::{Cause, RuleCause};
use super::oidc::remedy::remedy;
use super::saml::{at_any_vendor, at_vendor, code_for_application};
use super::{refusal, remedy as commands};

const HEAD: &str = "\
# Causes of failed sign-ins

*Generated from the code.*

A sign-in that fails has a cause. It stands in the log, in the event `login.failed`, and in the trace that `genkan trace show`
prints; it does not change between versions. Some words are causes of both protocols, because they mean the same in both.

Below each cause stands what happened, what to change at any provider, and then at products that call it something else. In
the commands, `CONNECTION` is the identifier of the connection, and `ORGANIZATION` that of its organization.
";

const SAML: &str = "
# SAML

An application hears only the code that is named here, and only if the person goes back to it.

Three of these fail nothing: `clock_differs`, `certificate_expired` and `groups_overage` are notes among the checks, marked
`note` by `genkan trace show` and `!` on a page.
";

const OIDC: &str = "
# OpenID Connect

An application hears `authentication_not_completed`, and only if the person goes back to it. There are two exceptions. The
provider's own error (`provider_error`) goes to the application as it is. If the application asked for a recent sign-in and
the provider cannot tell (`id_token_authentication_time_missing`), it hears `unmet_authentication_requirements`.
";

const RULES: &str = "
# Our own rules

The provider's answer was good, or it was not asked. An application hears `authentication_not_completed`, and only if the
person goes back to it.
";

/// Every cause: what happened, and what to change.
pub fn reference() -> String {
    let mut text = HEAD.to_owned() + SAML;
    for &cause in saml::Cause::all() {
        let code = code_for_application(cause);
        let hears = match cause.is_note() {
            true => String::new(),
            false => format!(" The application hears `{code}`."),
        };
        entry(&mut text, cause.into(), (&hears, at_any_vendor(cause)));
        for &provider in Provider::ALL {
            if let Some(remedy) = at_vendor(provider, cause) {
                line(
                    &mut text,
                    &format!("**{}**: {}", provider.title(), in_words(remedy)),
                );
            }
        }
    }
    text += OIDC;
    for &cause in oidc::Cause::all() {
        entry(&mut text, cause.into(), ("", remedy(cause)));
    }
    text += RULES;
    for &cause in RuleCause::all() {
        entry(&mut text, cause.into(), ("", refusal::at_rule(cause)));
    }
    text
}

fn entry(text: &mut String, cause: Cause, (hears, remedy): (&str, &str)) {
    let (code, sentence) = (cause.code(), cause.sentence());
    let _ = write!(text, "\n## `{code}`\n\n{sentence}{hears}\n\n");
    line(text, &in_words(remedy));
    if let Some(command) = commands::command(cause) {
        line(text, command);
    }
}

fn line(text: &mut String, item: &str) {
    let _ = writeln!(text, "- {item}");
}

fn in_words(remedy: &str) -> String {
    remedy
        .replace("{acs}", "our address of answers")
        .replace("{entity}", "our entity ID")
        .replace("{metadata}", "our metadata")
}
