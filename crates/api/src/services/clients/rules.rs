//! Fields of messages as values of the store, and the store's refusals with the fields of
//! messages.

use std::time::Duration;

use genkan_contract::scalekit::v1::clients as wire;
use genkan_protocol::oauth::{Scope, redirect_uri};
use genkan_store::client::{self, Client, CustomClaim, Field, LONGEST_LIFETIME};
use genkan_store::{Secret, conflict};

use crate::{Api, Call, Error, Permissions};

impl Api {
    /// Checks a client before it is written.
    pub(super) fn check_client(&self, client: &Client) -> Result<(), Error> {
        let environment = if self.host().is_development() {
            redirect_uri::Environment::Development
        } else {
            redirect_uri::Environment::Production
        };
        client::check(client, environment).map_err(|mistake| {
            let field = field_of(mistake.field, client.is_machine());
            Error::invalid(&format!("client.{field}"), &mistake.message)
        })
    }

    /// A new secret. Its prefix names its kind to people and to scanners for leaked
    /// secrets.
    pub(crate) fn generate_secret(&self, kind: &str) -> Secret {
        let environment = if self.host().is_development() {
            "test"
        } else {
            "prd"
        };
        Secret::generate_with_prefix(&format!("{environment}_{kind}"))
    }
}

/// The name of a field in the messages.
const fn field_of(field: Field, is_machine: bool) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Description => "description",
        Field::RedirectUris if is_machine => "redirect_uris",
        Field::RedirectUris => "post_login_uris",
        Field::PostLogoutRedirectUris => "post_logout_redirect_uris",
        Field::BackChannelLogoutUris => "back_channel_logout_uris",
        Field::InitiateLoginUri => "initiate_login_uri",
        Field::AnyLoopbackRedirect => "any_loopback_redirect",
        Field::ManagementAccess => "disallow_scalekit_api_access",
        Field::IntrospectAll => "introspect_all",
        Field::AccessTokenLifetime if is_machine => "expiry",
        Field::AccessTokenLifetime => "access_token_expiry",
        Field::Audience => "audience",
        Field::CustomClaims => "custom_claims",
    }
}

/// The scopes of a list, each one without spaces.
pub(super) fn scope(field: &str, names: &[String]) -> Result<Scope, Error> {
    if names.iter().any(|name| name.is_empty() || name.contains(' ')) {
        return Err(Error::invalid(field, "a scope is one word"));
    }
    Scope::parse(&names.join(" ")).map_err(|error| Error::invalid(field, &error.to_string()))
}

/// The lifetime of a token in seconds; 0 means "not given".
pub(super) fn lifetime(field: &str, secs: i64) -> Result<Option<Duration>, Error> {
    match u64::try_from(secs).map(Duration::from_secs) {
        Ok(lifetime) if lifetime.is_zero() => Ok(None),
        Ok(lifetime) if lifetime <= LONGEST_LIFETIME => Ok(Some(lifetime)),
        _ => Err(Error::invalid(field, "is a number of seconds, 30 days at most")),
    }
}

pub(super) fn custom_claims(claims: Vec<wire::CustomClaim>) -> Vec<CustomClaim> {
    claims
        .into_iter()
        .map(|wire::CustomClaim { key, value }| CustomClaim { key, value })
        .collect()
}

/// Refuses to give full management access to a caller who has only a part of it: a new
/// secret of a client with full access would be full access.
pub(super) fn may_empower(call: &Call<'_>, client: &Client) -> Result<(), Error> {
    let is_unlimited = call
        .caller()
        .is_some_and(|caller| caller.permissions == Permissions::All);
    if client.management_access && !is_unlimited {
        return Err(Error::permission_denied(
            "a client with access to the management API takes a token that was asked for without a scope",
        ));
    }
    Ok(())
}

/// The store's refusals about a client's secrets, in words.
pub(super) fn refused(client: &Client) -> impl FnOnce(genkan_store::Error) -> Error {
    let (most, is_of_resource) = (
        client.max_secrets(),
        matches!(client.owner, client::Owner::Resource(_)),
    );
    move |error| match error {
        genkan_store::Error::Conflict(conflict::CLIENT_SECRETS) => {
            Error::precondition(format!("a client has {most} secrets at most: delete one first"))
        }
        genkan_store::Error::Conflict(conflict::PUBLIC_CLIENT) => {
            Error::precondition("an application on a person's device or in a browser keeps no secret")
        }
        genkan_store::Error::Conflict(conflict::LAST_CLIENT_SECRET) if is_of_resource => {
            Error::precondition("at least one secret is required")
        }
        genkan_store::Error::Conflict(conflict::LAST_CLIENT_SECRET) => {
            Error::precondition("last client cannot be deleted")
        }
        genkan_store::Error::Conflict(conflict::DEFAULT_CLIENT) => {
            Error::precondition("the default application belongs to the environment and cannot be deleted")
        }
        error => error.into(),
    }
}
