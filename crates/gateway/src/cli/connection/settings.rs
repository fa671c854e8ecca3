//! The options for every kind of connection.

use clap::Args;
use clap::builder::BoolishValueParser;
use genkan_store::Provider;
use genkan_store::connection::{
    Attributes, Change, ChangeError, Connection, Edit, Kind, Mistake, NewSecret, ProtocolChange, WITHOUT_TLS,
};

use super::oidc::{self, OidcArgs};
use super::saml::{self, SamlArgs};
use super::words::{Words, switch};
use crate::cli::pairs::parse_pair;
use crate::cli::{Failure, product};

/// Which protocol is spoken.
#[derive(Debug, Args)]
pub(super) struct KindArgs {
    /// It speaks OpenID Connect
    #[arg(long, required_unless_present = "saml", requires_all = ["issuer", "client_id", "secret"])]
    oidc: bool,
    /// It speaks SAML
    #[arg(long, conflicts_with_all = ["oidc", "secret", "issuer", "client_id"])]
    saml: bool,
}

impl KindArgs {
    pub(super) const fn chosen(&self) -> Kind {
        match self.saml {
            true => Kind::Saml,
            false => Kind::Oidc,
        }
    }
}

/// What is not named stays. An empty text clears.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// What people call it: the issuer's host unless you choose; empty for the product's name
    #[arg(long)]
    pub(super) name: Option<String>,
    #[arg(long, value_parser = parse_provider,
        help = format!("The product: {}", product::list(Provider::is_of_companies)))]
    pub(super) provider: Option<Provider>,
    /// What stands on a button that leads there; empty for nothing of its own
    #[arg(long, value_name = "TEXT")]
    button_title: Option<String>,
    /// What your application calls the connection; empty for nothing
    #[arg(long, value_name = "KEY")]
    key_id: Option<String>,
    /// Read one of our attributes (email, given_name, …, or custom.KEY for one of `genkan attribute`) from a
    /// claim of the provider, or not any more if no claim is named; may be repeated
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

/// Finds a product by its name in the contract, or by a common name.
fn parse_provider(text: &str) -> Result<Provider, String> {
    Provider::named(text).ok_or_else(|| format!("write one of {}", product::list(Provider::is_of_companies)))
}

impl SettingsArgs {
    /// The names of our attributes that get a source.
    pub(super) fn mapped(&self) -> impl Iterator<Item = &str> {
        let named = self.attributes.iter().filter(|(_, source)| !source.is_empty());
        named.map(|(ours, _)| ours.as_str())
    }

    /// The options, as a change of `connection`.
    pub(super) fn change<'k>(
        &self,
        connection: &Connection,
        client_secret: Edit<NewSecret<'k>>,
    ) -> Result<Change<'k>, Failure> {
        let given = [
            (Kind::Oidc, self.oidc.is_given()),
            (Kind::Saml, self.saml.is_given()),
        ];
        // Options of another kind are part of the change, which then is refused.
        let of_others = |(kind, is_given): &(Kind, bool)| *is_given && *kind != connection.kind();
        let other = given.into_iter().find(of_others).map(|(kind, _)| kind);
        let protocol = match other.unwrap_or(connection.kind()) {
            Kind::Oidc => ProtocolChange::Oidc(self.oidc.change()?),
            Kind::Saml => ProtocolChange::Saml(self.saml.change()?),
        };
        Ok(Change {
            provider: self.provider,
            name: Edit::of_text(self.name.clone()),
            ui_button_title: Edit::of_text(self.button_title.clone()),
            key_id: Edit::of_text(self.key_id.clone()),
            jit_provisioning: switch(self.jit, self.no_jit),
            sync_profile: switch(self.sync_profile, self.no_sync_profile),
            insecure_http: self.insecure_http,
            configuration_type: None,
            // Groups and roles have options of their own to clear them.
            attributes: Attributes::Edit {
                forget: self.no_attributes,
                named: self.attributes.clone(),
            },
            client_secret,
            protocol: Some(protocol),
        })
    }
}

pub(super) const fn words(kind: Kind) -> Words {
    match kind {
        Kind::Oidc => oidc::WORDS,
        Kind::Saml => saml::WORDS,
    }
}

/// The options for the fields of every connection.
const OPTIONS: &[(&str, &str)] = &[
    ("name", "--name"),
    ("ui_button_title", "--button-title"),
    ("key_id", "--key-id"),
    ("attribute_mapping", "--attribute"),
];

/// The option for a field.
fn option(options: &'static [(&str, &str)], field: &'static str) -> &'static str {
    let option = options.iter().find(|(name, _)| *name == field);
    option.map_or(field, |(_, option)| option)
}

/// A sentence about the mistake.
pub(super) fn sentence(kind: Kind, mistake: &Mistake) -> String {
    let options = match mistake.in_settings {
        false => OPTIONS,
        true => words(kind).options,
    };
    format!("{} {}.", option(options, mistake.field), mistake.reason)
}

/// A sentence about the settings without a value.
pub(super) fn incomplete(kind: Kind, missing: &[&'static str]) -> String {
    let options = words(kind).options;
    let names: Vec<_> = missing.iter().map(|field| option(options, field)).collect();
    format!("The connection is not complete. Missing: {}.", names.join(", "))
}

/// Why a change was refused, with the names of the options.
pub(super) fn refused(kind: Kind, refused: ChangeError) -> Failure {
    match refused {
        ChangeError::Mistakes(mistakes) => {
            let sentences: Vec<_> = mistakes.iter().map(|mistake| sentence(kind, mistake)).collect();
            let failure = Failure::usage(sentences.join(" "));
            match mistakes.iter().any(|mistake| mistake.reason == WITHOUT_TLS) {
                true => failure
                    .remedy("Use https, or add --insecure-http for a provider on a network that you trust."),
                false => failure,
            }
        }
        ChangeError::OtherKind(other) => {
            let problem = format!("The connection speaks {}, not {}.", kind.title(), other.title());
            Failure::usage(problem).remedy(words(other).leave_out)
        }
        ChangeError::SecretWouldFollow => Failure::usage(
            "The client secret would go to whoever answers there now, and people sign in through this connection.",
        )
        .remedy("Name the secret too (--client-secret-file), or disable the connection first."),
        ChangeError::Incomplete(missing) => Failure::usage(incomplete(kind, &missing))
        .remedy("Enter what is missing, or keep it disabled."),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn a_mistake_names_an_option_that_there_is() {
        let command = SettingsArgs::augment_args(Command::new("update"));
        let options: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .collect();
        let of_kinds = Kind::ALL.iter().flat_map(|kind| words(*kind).options);
        for (field, option) in OPTIONS.iter().chain(of_kinds) {
            let known = option
                .strip_prefix("--")
                .is_none_or(|name| options.contains(&name));
            assert!(known, "{field} is entered by {option}, which is no option");
        }
    }

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
