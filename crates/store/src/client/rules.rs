//! The rules for clients, for every way to register one.

use std::time::Duration;

use genkan_protocol::oauth::redirect_uri::{self, Environment};

use super::{Client, CustomClaim, Kind, Owner};

/// The longest name.
pub const MAX_NAME_CHARS: usize = 128;
/// The longest description.
const MAX_DESCRIPTION_CHARS: usize = 512;
/// The longest life of an access token.
pub const LONGEST_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// With more claims a token does not fit into a header.
const MAX_CUSTOM_CLAIMS: usize = 64;
const MAX_CLAIM_KEY_CHARS: usize = 128;
const MAX_CLAIM_VALUE_CHARS: usize = 1024;
const MAX_AUDIENCE: usize = 32;
const MAX_AUDIENCE_CHARS: usize = 512;
const MAX_URIS: usize = 100;

/// The part of a client that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Name,
    Description,
    RedirectUris,
    PostLogoutRedirectUris,
    BackChannelLogoutUris,
    InitiateLoginUri,
    AnyLoopbackRedirect,
    ManagementAccess,
    IntrospectAll,
    AccessTokenLifetime,
    Audience,
    CustomClaims,
}

/// Why a client cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    pub field: Field,
    /// A sentence without its full stop, for the person who registers it.
    pub message: String,
}

fn refuse<T>(field: Field, message: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake {
        field,
        message: message.into(),
    })
}

/// Checks a client before it is written.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(client: &Client, environment: Environment) -> Result<(), Mistake> {
    check_texts(client)?;
    check_uris(client, environment)?;
    check_privileges(client, environment)?;
    if let Some(lifetime) = client.access_token_lifetime
        && (lifetime.is_zero() || lifetime > LONGEST_LIFETIME)
    {
        return refuse(
            Field::AccessTokenLifetime,
            "an access token lives from 1 second to 30 days",
        );
    }
    check_audience(&client.audience)?;
    check_custom_claims(&client.custom_claims)
}

fn check_texts(client: &Client) -> Result<(), Mistake> {
    if client.owner == Owner::Environment && client.name.trim().is_empty() {
        return refuse(Field::Name, "a name is required");
    }
    if client.name.chars().count() > MAX_NAME_CHARS {
        return refuse(
            Field::Name,
            format!("a name has {MAX_NAME_CHARS} characters at most"),
        );
    }
    if client.description.chars().count() > MAX_DESCRIPTION_CHARS {
        let message = format!("a description has {MAX_DESCRIPTION_CHARS} characters at most");
        return refuse(Field::Description, message);
    }
    Ok(())
}

fn check_uris(client: &Client, environment: Environment) -> Result<(), Mistake> {
    let initiate_login: Vec<String> = client.initiate_login_uri.iter().cloned().collect();
    let (callback, post_logout) = match client.kind {
        Kind::Native => (
            redirect_uri::RedirectUriKind::NativeCallback,
            redirect_uri::RedirectUriKind::NativePostLogout,
        ),
        Kind::WebApp | Kind::Spa | Kind::Machine => (
            redirect_uri::RedirectUriKind::Callback,
            redirect_uri::RedirectUriKind::PostLogout,
        ),
    };
    let lists = [
        (Field::RedirectUris, callback, &client.redirect_uris),
        (
            Field::PostLogoutRedirectUris,
            post_logout,
            &client.post_logout_redirect_uris,
        ),
        (
            Field::BackChannelLogoutUris,
            redirect_uri::RedirectUriKind::BackChannelLogout,
            &client.back_channel_logout_uris,
        ),
        (
            Field::InitiateLoginUri,
            redirect_uri::RedirectUriKind::InitiateLogin,
            &initiate_login,
        ),
    ];
    for (field, kind, uris) in lists {
        if uris.len() > MAX_URIS {
            return refuse(field, format!("more than {MAX_URIS} URIs cannot be registered"));
        }
        for uri in uris {
            if let Err(error) = redirect_uri::validate_registration(uri, environment, kind) {
                return refuse(field, format!("\"{uri}\" cannot be registered: {error}"));
            }
        }
    }
    Ok(())
}

/// Checks that the settings fit together.
fn check_privileges(client: &Client, environment: Environment) -> Result<(), Mistake> {
    if client.kind != Kind::WebApp && !client.back_channel_logout_uris.is_empty() {
        return refuse(
            Field::BackChannelLogoutUris,
            "only a web application has a server to be told of a logout",
        );
    }
    // The management API can reach every organization.
    if client.management_access && (client.kind != Kind::WebApp || client.owner != Owner::Environment) {
        return refuse(
            Field::ManagementAccess,
            "only a web application can keep what the management API asks for",
        );
    }
    // RFC 7662 §2.1: the caller of introspection authenticates. And the answers are about every
    // organization.
    if client.introspect_all && (client.kind != Kind::WebApp || client.owner != Owner::Environment) {
        return refuse(
            Field::IntrospectAll,
            "only a web application, which has a secret, may ask about every token",
        );
    }
    if client.any_loopback_redirect && environment == Environment::Production {
        return refuse(
            Field::AnyLoopbackRedirect,
            "a production environment sends people to registered addresses only",
        );
    }
    Ok(())
}

fn check_audience(audience: &[String]) -> Result<(), Mistake> {
    let is_wrong = |text: &String| {
        text.is_empty() || text.chars().count() > MAX_AUDIENCE_CHARS || text.chars().any(char::is_control)
    };
    if audience.len() > MAX_AUDIENCE || audience.iter().any(is_wrong) {
        let message = format!(
            "an audience has 1 to {MAX_AUDIENCE_CHARS} characters, and a token {MAX_AUDIENCE} at most"
        );
        return refuse(Field::Audience, message);
    }
    Ok(())
}

fn check_custom_claims(claims: &[CustomClaim]) -> Result<(), Mistake> {
    if claims.len() > MAX_CUSTOM_CLAIMS {
        return refuse(
            Field::CustomClaims,
            format!("there can be {MAX_CUSTOM_CLAIMS} custom claims"),
        );
    }
    for (index, claim) in claims.iter().enumerate() {
        let chars = claim.key.chars().count();
        if !(1..=MAX_CLAIM_KEY_CHARS).contains(&chars) || claim.value.chars().count() > MAX_CLAIM_VALUE_CHARS
        {
            let message = format!(
                "a custom claim has a key of 1 to {MAX_CLAIM_KEY_CHARS} characters and a value of {MAX_CLAIM_VALUE_CHARS} at most"
            );
            return refuse(Field::CustomClaims, message);
        }
        if claims[..index].iter().any(|other| other.key == claim.key) {
            return refuse(
                Field::CustomClaims,
                format!("the custom claim \"{}\" is there twice", claim.key),
            );
        }
    }
    Ok(())
}
