//! The settings of an application, for its registration and for changes.

use std::time::Duration;

use clap::Args;
use genkan_protocol::jose::Algorithm;
use genkan_store::client::{self, Client, Field, Kind};

use crate::cli::Failure;
use crate::cli::instance::Instance;
use crate::config::parse_duration;

/// A list replaces the one there is; a single empty value clears it. A switch
/// can be turned off with `=false`.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// An address to which people return after signing in; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// An address to which people may return after signing out; may be repeated
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// An address of the application's server that is told when a session ends; web applications only; may be repeated
    #[arg(long = "backchannel-logout-uri", value_name = "URI")]
    back_channel_logout_uris: Vec<String>,
    /// The address of the application to which sign-ins are sent that began elsewhere
    #[arg(long, value_name = "URI")]
    initiate_login_uri: Option<String>,
    /// Accept any redirect URI on the person's own machine; development only, on by default there
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    any_loopback_redirect: Option<bool>,
    /// The algorithm that signs its tokens: RS256, which every library verifies, or ES256, which is faster
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    alg: Option<Algorithm>,
    /// Refuse a code without PKCE; always on for single-page and native applications
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    enforce_pkce: Option<bool>,
    /// Let it redeem a code with PKCE instead of its secret
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    secret_optional_with_pkce: Option<bool>,
    /// Accept each refresh token exactly once, even if the answer was lost
    #[arg(
        long, alias = "strict-refresh-rotation", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true
    )]
    strict_refresh: Option<bool>,
    /// Put name and e-mail address into access tokens; on by default
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    profile_in_access_token: Option<bool>,
    /// Let it use the management API with its own token; web applications only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    management_access: Option<bool>,
    /// Let it introspect every token of this environment, as an API does; web applications only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    introspect_all: Option<bool>,
    /// The lifetime of its access tokens, such as 10m; 0s for the environment's
    #[arg(long, value_name = "DURATION", value_parser = parse_lifetime)]
    access_token_lifetime: Option<Duration>,
}

fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "write RS256 or ES256".to_owned())
}

fn parse_lifetime(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|lifetime| *lifetime <= client::LONGEST_LIFETIME && lifetime.subsec_millis() == 0)
        .ok_or_else(|| "write a whole number and a unit such as 10m or 1h, at most 30d".to_owned())
}

impl SettingsArgs {
    /// Makes the changes of the command line.
    pub(super) fn apply(&self, client: &mut Client, instance: &Instance) -> Result<(), Failure> {
        set_uris(&mut client.redirect_uris, &self.redirect_uris);
        set_uris(
            &mut client.post_logout_redirect_uris,
            &self.post_logout_redirect_uris,
        );
        set_uris(
            &mut client.back_channel_logout_uris,
            &self.back_channel_logout_uris,
        );
        if let Some(uri) = &self.initiate_login_uri {
            client.initiate_login_uri = Some(uri.clone()).filter(|uri| !uri.is_empty());
        }
        set(&mut client.any_loopback_redirect, self.any_loopback_redirect);
        set(&mut client.token_algorithm, self.alg);
        set(&mut client.enforce_pkce, self.enforce_pkce);
        set(
            &mut client.secret_optional_with_pkce,
            self.secret_optional_with_pkce,
        );
        set(&mut client.strict_refresh_rotation, self.strict_refresh);
        set(&mut client.profile_in_access_token, self.profile_in_access_token);
        set(&mut client.management_access, self.management_access);
        set(&mut client.introspect_all, self.introspect_all);
        if let Some(lifetime) = self.access_token_lifetime {
            client.access_token_lifetime = Some(lifetime).filter(|lifetime| !lifetime.is_zero());
        }
        check(client, instance)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn set_uris(field: &mut Vec<String>, uris: &[String]) {
    match uris {
        [] => {}
        [single] if single.is_empty() => field.clear(),
        uris => {
            *field = uris.to_vec();
            field.dedup();
        }
    }
}

/// Checks the rules of the store, and reports mistakes by option names.
pub(super) fn check(client: &Client, instance: &Instance) -> Result<(), Failure> {
    client::check(client, instance.redirect_rules()).map_err(|mistake| {
        let mut message = mistake.message;
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let failure = Failure::usage(format!("{message}."));
        match mistake.field {
            Field::BackChannelLogoutUris if client.kind != Kind::WebApp => {
                failure.remedy("Leave --backchannel-logout-uri out.")
            }
            Field::ManagementAccess => failure.remedy("Leave --management-access out."),
            Field::IntrospectAll => failure.remedy("Leave --introspect-all out."),
            Field::AnyLoopbackRedirect => failure.remedy("Leave --any-loopback-redirect out."),
            _ => failure,
        }
    })
}
