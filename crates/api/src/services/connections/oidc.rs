//! OpenID Connect connections, between the messages and the store.

use std::collections::BTreeSet;

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::OidcConnectionConfig;
use genkan_store::connection::{
    self, Change, Connection, Edit, Endpoint, NewSecret, OidcChange, OidcSettings, Protocol, ProtocolChange,
    TokenAuthType, hosted_domain,
};
use genkan_store::{InstanceKey, Secret};

use super::links::address;
use super::words;
use crate::{Api, Error, Simulator};

/// The settings in a message.
pub(super) const FIELD: &str = "connection.oidc_config";

words::set!(token_auth_type, token_auth_type_of, TokenAuthType => TokenAuthType {
    Unspecified, UrlParams = UrlParams, BasicAuth = BasicAuth
});

/// Enters the settings of a message into a change.
pub(super) fn enter<'k>(
    change: &mut Change<'k>,
    connection: &Connection,
    config: OidcConnectionConfig,
    has_scopes: bool,
    key: &'k InstanceKey,
) -> Result<(), Error> {
    const TOKEN_AUTH: &str = "connection.oidc_config.token_auth_type";
    let before = connection.settings.as_oidc().map(|settings| &settings.scopes);
    let before = before.cloned().unwrap_or_default();
    let mut asked = before.clone();
    if has_scopes {
        asked = scopes(&asked, &config.scopes)?;
    }
    if let Some(others) = &config.other_scopes {
        asked = with_other_scopes(&asked, others)?;
    }
    change.protocol = Some(ProtocolChange::Oidc(OidcChange {
        issuer: Edit::of_text(config.issuer),
        discovery_endpoint: Edit::of_text(config.discovery_endpoint),
        authorize_uri: Edit::of_text(config.authorize_uri),
        token_uri: Edit::of_text(config.token_uri),
        user_info_uri: Edit::of_text(config.user_info_uri),
        jwks_uri: Edit::of_text(config.jwks_uri),
        client_id: Edit::of_text(config.client_id),
        scopes: if asked == before {
            Edit::Leave
        } else {
            Edit::Set(asked)
        },
        token_auth_type: token_auth_type(TOKEN_AUTH, config.token_auth_type)?,
        pkce_enabled: config.pkce_enabled,
        push_requests: config.push_requests,
        form_post: config.form_post,
        trust_unverified_email: config.trust_unverified_emails,
        check_hosted_domain: config.check_hosted_domain,
        only_verified_email: config.only_verified_emails,
        idp_logout_required: config.idp_logout_required,
        allow_idp_initiated_login: config.allow_idp_initiated_login,
        // The attribute mapping sets it.
        groups_claim: Edit::Leave,
        roles_claim: Edit::Leave,
    }));
    change.sync_profile = config.sync_user_profile_on_login;
    change.jit_provisioning = config.jit_provisioning_with_sso_enabled;
    change.client_secret = match config.client_secret {
        None => Edit::Leave,
        Some(secret) if secret.is_empty() => Edit::Clear,
        Some(secret) => Edit::Set(NewSecret {
            secret: Secret::from_presented(secret),
            key,
        }),
    };
    Ok(())
}

/// Enters the settings for the simulator of `genkan dev`.
pub(super) fn complete(connection: &mut Connection, simulator: &Simulator, key: &InstanceKey) {
    let Protocol::Oidc(settings) = &mut connection.settings.protocol else {
        return;
    };
    settings.issuer.clone_from(&simulator.issuer);
    settings.client_id.clone_from(&simulator.client_id);
    settings.allow_idp_initiated_login = true;
    settings.name_groups(Some("groups"));
    settings.name_roles(Some("roles"));
    let secret = &simulator.client_secret;
    connection.client_secret_sealed = Some(connection::seal_client_secret(key, &connection.id, secret));
}

/// The settings as a message. Secrets are no part of it.
pub(super) fn render(api: &Api, connection: &Connection, settings: &OidcSettings) -> OidcConnectionConfig {
    let entered = |text: &String| (!text.is_empty()).then(|| text.clone());
    OidcConnectionConfig {
        issuer: entered(&settings.issuer),
        discovery_endpoint: settings.discovery_endpoint.clone(),
        authorize_uri: settings.authorize_uri.clone(),
        token_uri: settings.token_uri.clone(),
        user_info_uri: settings.user_info_uri.clone(),
        jwks_uri: settings.jwks_uri.clone(),
        client_id: entered(&settings.client_id),
        client_secret: None,
        scopes: scopes_of(&settings.scopes),
        other_scopes: Some(other_scopes_of(&settings.scopes)).filter(|scopes| !scopes.is_empty()),
        token_auth_type: token_auth_type_of(settings.token_auth_type),
        redirect_uri: address(api, connection, Endpoint::Callback),
        pkce_enabled: Some(settings.pkce_enabled),
        idp_logout_required: Some(settings.idp_logout_required),
        // Addresses that this version does not serve are not handed out.
        post_logout_redirect_uri: None,
        backchannel_logout_redirect_uri: None,
        sync_user_profile_on_login: Some(connection.sync_profile),
        jit_provisioning_with_sso_enabled: Some(connection.jit_provisioning),
        // It has no meaning at another provider.
        check_hosted_domain: settings
            .check_hosted_domain
            .filter(|_| hosted_domain::applies(connection)),
        allow_idp_initiated_login: Some(settings.allow_idp_initiated_login),
        only_verified_emails: Some(settings.only_verified_email),
        trust_unverified_emails: Some(settings.trust_unverified_email),
        push_requests: Some(settings.push_requests),
        form_post: Some(settings.form_post),
    }
}

/// The scopes that the message can name.
const SCOPES: [wire::OidcScope; 5] = [
    wire::OidcScope::Openid,
    wire::OidcScope::Profile,
    wire::OidcScope::Email,
    wire::OidcScope::Address,
    wire::OidcScope::Phone,
];

/// Whether the message has a word for a scope.
fn can_be_named(scope: &str) -> bool {
    SCOPES.iter().any(|known| known.as_str_name() == scope)
}

/// The scopes after a change that names `numbers`. Scopes that the message cannot name stay.
/// If there are none at all, they are those of a new connection.
fn scopes(before: &[String], numbers: &[i32]) -> Result<Vec<String>, Error> {
    let mut scopes = if numbers.is_empty() {
        OidcSettings::default().scopes
    } else {
        Vec::new()
    };
    for number in numbers {
        match wire::OidcScope::try_from(*number) {
            Ok(wire::OidcScope::Unspecified) | Err(_) => {
                return Err(Error::invalid(
                    "connection.oidc_config.scopes",
                    "is not one of the defined values",
                ));
            }
            Ok(scope) => scopes.push(scope.as_str_name().to_owned()),
        }
    }
    scopes.extend(before.iter().filter(|scope| !can_be_named(scope)).cloned());
    Ok(once_each(scopes))
}

fn once_each(mut scopes: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    scopes.retain(|scope| seen.insert(scope.clone()));
    scopes
}

/// The scopes after a change of those that [`scopes`] cannot name, separated by spaces.
fn with_other_scopes(before: &[String], others: &str) -> Result<Vec<String>, Error> {
    if let Some(known) = others.split_whitespace().find(|scope| can_be_named(scope)) {
        return Err(Error::invalid(
            "connection.oidc_config.other_scopes",
            &format!("holds {known}, which belongs into scopes"),
        ));
    }
    let mut scopes: Vec<String> = before
        .iter()
        .filter(|scope| can_be_named(scope))
        .cloned()
        .collect();
    scopes.extend(others.split_whitespace().map(str::to_owned));
    Ok(once_each(scopes))
}

/// The scopes that [`scopes`] cannot name.
fn other_scopes_of(scopes: &[String]) -> String {
    let others: Vec<&str> = scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| !can_be_named(scope))
        .collect();
    others.join(" ")
}

fn scopes_of(scopes: &[String]) -> Vec<i32> {
    let number = |scope: &String| {
        let known = SCOPES.iter().find(|known| known.as_str_name() == scope.as_str());
        known.map(|known| i32::from(*known))
    };
    scopes.iter().filter_map(number).collect()
}
