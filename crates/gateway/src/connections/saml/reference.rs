//! The reference of causes, `docs/reference/causes.md`.

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

use super::failure::code_for_application;
use super::vendor;

const HEAD: &str = "\
# Causes of failed sign-ins by SAML

*Generated from the code.*

A failed sign-in has a cause. It stands in the log, in the event `login.failed`, and in the trace that `genkan trace show`
prints; it does not change between versions. An application hears only the code of its contract, if the person goes back to it.

Below each cause stands what to change at any provider, and then at products that call it something else.
";

/// Every cause of SAML: what happened, and what to change.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for &cause in Cause::all() {
        text += &format!(
            "\n## `{}`\n\n{} The application hears `{}`.\n\n- {}\n",
            cause.code(),
            cause.sentence(),
            code_for_application(cause),
            in_words(vendor::anywhere(cause))
        );
        for &provider in Provider::ALL {
            if let Some(remedy) = vendor::at(provider, cause) {
                text += &format!("- **{}**: {}\n", provider.title(), in_words(remedy));
            }
        }
    }
    text
}

fn in_words(remedy: &str) -> String {
    remedy
        .replace("{acs}", "our address of answers")
        .replace("{entity}", "our entity ID")
        .replace("{metadata}", "our metadata")
}
