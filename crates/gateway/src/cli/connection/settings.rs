//! What can be said about a connection, when it is added and later.

use clap::Args;
use clap::builder::BoolishValueParser;
use genkan_store::Provider;
use genkan_store::Stamp;
use genkan_store::connection::{self, Connection, MAX_ATTRIBUTES, Protocol, Settings};
use genkan_store::environment::Kind;

use super::oidc::{self, OidcArgs};
use super::saml::{self, SamlArgs};
use crate::cli::Failure;
use crate::cli::name::non_empty;
use crate::cli::pairs::parse_pair;

/// What is not named stays. An empty text clears.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// What people call it: the issuer's host unless you choose; empty for the product's name
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The product: okta, google, microsoft_ad (Entra), auth0, onelogin, ping_identity, jumpcloud, adfs or custom
    #[arg(long, value_parser = parse_provider)]
    pub(super) provider: Option<Provider>,
    /// What stands on a button that leads there; empty for nothing of its own
    #[arg(long, value_name = "TEXT")]
    button_title: Option<String>,
    /// What your application calls the connection; empty for nothing
    #[arg(long, value_name = "KEY")]
    key_id: Option<String>,
    /// Read one of our attributes (email, given_name, …) from a claim of the provider, or not any more if no
    /// claim is named; may be repeated
    #[arg(long = "attribute", value_name = "OURS=CLAIM", value_parser = parse_pair)]
    attributes: Vec<(String, String)>,
    /// Forget which claims attributes were read from, before those that are named beside
    #[arg(long)]
    no_attributes: bool,
    /// Whether people who have no user yet get one at their first sign-in; so unless you choose
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    jit: Option<bool>,
    /// Admit only people who have a user already: the same as --jit off
    #[arg(long, conflicts_with = "jit")]
    no_jit: bool,
    /// Whether names and pictures follow the provider at every sign-in; so unless you choose
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    sync_profile: Option<bool>,
    /// Keep names and pictures as they were at the first sign-in: the same as --sync-profile off
    #[arg(long, conflicts_with = "sync_profile")]
    no_sync_profile: bool,
    /// Accept a provider without TLS; anybody on the way could sign in as anybody
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    insecure_http: Option<bool>,
    #[command(flatten)]
    pub(super) oidc: OidcArgs,
    #[command(flatten)]
    pub(super) saml: SamlArgs,
}

/// The products as `--help` lists them.
const PROVIDERS: &str =
    "okta, google, microsoft_ad (Entra), auth0, onelogin, ping_identity, jumpcloud, adfs or custom";

/// A product by its name in the contract, or by one that people call it.
fn parse_provider(text: &str) -> Result<Provider, String> {
    Provider::named(text).ok_or_else(|| format!("write one of {PROVIDERS}"))
}

impl SettingsArgs {
    /// Enters what was said, but the secret; the rest stays.
    pub(super) fn apply(
        &self,
        connection: &mut Connection,
        at: Stamp<'_>,
        environment: Kind,
    ) -> Result<(), Failure> {
        let kind = connection.kind();
        let given = [
            (connection::Kind::Oidc, self.oidc.is_given(), oidc::LEAVE_OUT),
            (connection::Kind::Saml, self.saml.is_given(), saml::LEAVE_OUT),
        ];
        let of_others = |(other, is_given, _): &(connection::Kind, bool, _)| *is_given && *other != kind;
        if let Some((other, _, remedy)) = given.into_iter().find(of_others) {
            let problem = format!("The connection speaks {}, not {}.", kind.title(), other.title());
            return Err(Failure::usage(problem).remedy(remedy));
        }
        self.apply_common(connection)?;
        let Settings { common, protocol } = &mut connection.settings;
        match protocol {
            Protocol::Oidc(settings) => self.oidc.apply(common, settings, environment)?,
            Protocol::Saml(settings) => self.saml.apply(settings, at)?,
        }
        if connection.settings.common.attribute_mapping.len() > MAX_ATTRIBUTES {
            return Err(Failure::usage(format!(
                "More than {MAX_ATTRIBUTES} attributes cannot be mapped."
            )));
        }
        Ok(())
    }

    fn apply_common(&self, connection: &mut Connection) -> Result<(), Failure> {
        if let Some(provider) = self.provider {
            // A name that nobody chose follows the provider.
            if connection.name == connection.provider.title() {
                provider.title().clone_into(&mut connection.name);
            }
            connection.provider = provider;
        }
        match self.name.as_deref() {
            Some("") => connection.provider.title().clone_into(&mut connection.name),
            Some(name) => connection.name = non_empty("--name", name)?,
            None => {}
        }
        write(&mut connection.ui_button_title, self.button_title.as_ref());
        write(&mut connection.key_id, self.key_id.as_ref());
        set(&mut connection.jit_provisioning, switch(self.jit, self.no_jit));
        set(
            &mut connection.sync_profile,
            switch(self.sync_profile, self.no_sync_profile),
        );
        let settings = &mut connection.settings;
        set(&mut settings.common.insecure_http, self.insecure_http);
        if self.no_attributes {
            // Groups and roles have options of their own, which clear them.
            settings.common.attribute_mapping.clear();
        }
        for (ours, theirs) in &self.attributes {
            settings.map_attribute(ours, theirs);
        }
        Ok(())
    }
}

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// An empty text clears.
pub(super) fn write(field: &mut Option<String>, text: Option<&String>) {
    if let Some(text) = text {
        *field = Some(text.clone()).filter(|text| !text.is_empty());
    }
}

/// `--x on|off`, or `--no-x`.
pub(super) fn switch(chosen: Option<bool>, no: bool) -> Option<bool> {
    if no { Some(false) } else { chosen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_known_by_what_people_call_it() {
        for (text, provider) in [
            ("entra", Provider::MicrosoftAd),
            ("Azure-AD", Provider::MicrosoftAd),
            ("microsoft_ad", Provider::MicrosoftAd),
            ("google-workspace", Provider::Google),
            ("ping", Provider::PingIdentity),
            ("OKTA", Provider::Okta),
            ("custom", Provider::Custom),
        ] {
            assert_eq!(parse_provider(text), Ok(provider), "{text}");
        }
        let unknown = parse_provider("oktta").unwrap_err();
        assert!(
            unknown.contains("okta, google, microsoft_ad (Entra)"),
            "{unknown}"
        );
        assert!(!unknown.contains("IDP_SIMULATOR"), "{unknown}");
    }
}
