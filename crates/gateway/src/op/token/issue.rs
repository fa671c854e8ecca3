//! Tokens for a user, and their claims.
//!
//! Source: OIDC Core §2, §3.1.3.6; RFC 9068 §2.2 for the names.

use std::time::Duration;

use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_protocol::oauth::Scope;
use genkan_protocol::oidc::claims::{CustomClaims, ScopeClaims};
use genkan_protocol::oidc::{AccessToken, IdToken, Profile, left_half};
use genkan_store::client::Client;
use genkan_store::grant::Grant;
use genkan_store::subject::{self, SubjectRow};
use genkan_store::user::User;
use genkan_store::user_attribute::token_claims;
use genkan_store::{Secret, TokenId, session};
use serde_json::{Map, Value};

use super::TokenResponse;
use crate::app::App;
use crate::configuration::Configuration;
use crate::keys::KeyringError;
use crate::web::client_auth::AuthenticatedClient;
use crate::web::oauth_error::OAuthError;

/// How long an ID token is valid.
pub const ID_TOKEN_LIFETIME: Duration = Duration::from_mins(30);

/// The subject of tokens, read in the transaction of the grant.
#[derive(Debug)]
pub struct Subject {
    pub grant: Grant,
    pub user: User,
    /// The names of the user's roles in the grant's organization.
    pub roles: Vec<String>,
    /// The names of the permissions of these roles.
    pub permissions: Vec<String>,
    /// The groups that the identity provider sent at the last login.
    pub groups: Vec<String>,
    pub organization_external_id: Option<String>,
}

/// Reads the subject of a grant. `None` if the user is gone or disabled, or was removed from the
/// organization, or if the session has ended. Then the grant is useless at once.
///
/// Keeps the session of the grant alive for `idle` from now, because the use of its tokens counts as use.
/// `row` is the subject, if it was read before in this transaction.
pub async fn subject(
    tx: &mut Tx<'_>,
    (grant, row): (Grant, Option<SubjectRow>),
    idle: Duration,
    now: Timestamp,
) -> Result<Option<Subject>, genkan_store::Error> {
    let found = match row {
        Some(row) => subject::finish(tx, &grant, row).await?,
        None => subject::find_with_last_use(tx, &grant).await?,
    };
    let Some((found, last_use)) = found else {
        return Ok(None);
    };
    session::touch(tx, &last_use, idle, now).await?;
    Ok(Some(Subject {
        grant,
        user: found.user,
        roles: found.roles,
        permissions: found.permissions,
        groups: found.groups,
        organization_external_id: found.organization_external_id,
    }))
}

/// Signs the tokens of a grant. `code` is the code they were redeemed with, for `c_hash`.
pub async fn user_tokens(
    app: &App,
    caller: &AuthenticatedClient,
    subject: &Subject,
    refresh_token: Option<Secret>,
    code: Option<&str>,
) -> Result<TokenResponse, OAuthError> {
    let now = app.now();
    let client = caller.client();
    let environment = caller.configuration.environment().await?;
    let keyring = caller.configuration.keyring().await?;
    let key = keyring.signing_key(client.token_algorithm, now)?;
    let lifetime = client
        .access_token_lifetime
        .unwrap_or(environment.access_token_lifetime);

    let claims = access_token(app, client, subject, now + lifetime);
    let access_token = key.sign(AccessToken::TYP, &claims).map_err(KeyringError::from)?;
    let id_token = if subject.grant.scope.contains("openid") {
        let mut claims = id_token(app, client, subject);
        let attributes = attributes(&caller.configuration, &subject.user).await?;
        claims.custom = custom(
            &subject.groups,
            attributes,
            subject.grant.scope.contains("profile"),
        );
        claims.at_hash = Some(left_half(client.token_algorithm, &access_token));
        claims.c_hash = code.map(|code| left_half(client.token_algorithm, code));
        // OIDC Core §12.2: a refreshed ID token should not repeat the nonce.
        claims.nonce = code.and(subject.grant.nonce.clone());
        Some(key.sign(IdToken::TYP, &claims).map_err(KeyringError::from)?)
    } else {
        None
    };
    Ok(TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        scope: subject.grant.scope.clone(),
        id_token,
        refresh_token: refresh_token.map(|token| token.expose().to_owned()),
    })
}

fn access_token(app: &App, client: &Client, subject: &Subject, expires_at: Timestamp) -> AccessToken {
    let now = app.now();
    let Subject { grant, user, .. } = subject;
    let with_email = client.profile_in_access_token && grant.scope.contains("email");
    let with_name = client.profile_in_access_token && grant.scope.contains("profile");
    AccessToken {
        iss: app.issuer().to_owned(),
        sub: user.id.to_string(),
        aud: vec![client.id.to_string()],
        client_id: client.id.to_string(),
        jti: app.ids().next::<TokenId>(now).to_string(),
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: expires_at.as_secs(),
        scope: ScopeClaims(grant.scope.clone()),
        oid: grant.organization_id.as_ref().map(ToString::to_string),
        sid: Some(grant.session_id.to_string()),
        grant_id: Some(grant.id.to_string()),
        roles: Some(subject.roles.clone()),
        permissions: Some(subject.permissions.clone()),
        xoid: subject.organization_external_id.clone(),
        xuid: user.external_id.clone(),
        email: with_email.then(|| user.email.to_string()),
        name: if with_name { user.display_name() } else { None },
        ..AccessToken::default()
    }
}

fn id_token(app: &App, client: &Client, subject: &Subject) -> IdToken {
    let now = app.now();
    let Subject { grant, user, .. } = subject;
    IdToken {
        iss: app.issuer().to_owned(),
        aud: vec![client.id.to_string()],
        azp: client.id.to_string(),
        client_id: client.id.to_string(),
        sub: user.id.to_string(),
        amr: grant.amr(),
        oid: grant.organization_id.as_ref().map(ToString::to_string),
        sid: Some(grant.session_id.to_string()),
        xoid: subject.organization_external_id.clone(),
        auth_time: grant.proofs.auth_time().map(Timestamp::as_secs),
        iat: now.as_secs(),
        exp: (now + ID_TOKEN_LIFETIME).as_secs(),
        // The e-mail is always there, because the SDKs of this contract expect it.
        profile: profile(user, true, &grant.scope),
        ..IdToken::default()
    }
}

/// The claims of the scopes `email`, `profile` and `phone` (OIDC Core §5.4).
pub fn profile(user: &User, with_email: bool, scope: &Scope) -> Profile {
    let mut claims = Profile::default();
    if with_email {
        claims.email = Some(user.email.to_string());
        claims.email_verified = Some(user.email_verified);
    }
    if scope.contains("phone") && user.phone_number.is_some() {
        claims.phone_number.clone_from(&user.phone_number);
        claims.phone_number_verified = Some(user.phone_number_verified);
    }
    if scope.contains("profile") {
        claims.name = user.display_name();
        claims.given_name.clone_from(&user.given_name);
        claims.family_name.clone_from(&user.family_name);
        claims.picture.clone_from(&user.picture);
        claims.locale.clone_from(&user.locale);
        claims.preferred_username.clone_from(&user.preferred_username);
        claims.gender.clone_from(&user.gender);
        claims.updated_at = Some(user.updated_at.as_secs().to_string());
    }
    claims
}

/// The registered custom attributes of a user, in their types. Most users have none, and then nothing is read.
pub async fn attributes(
    configuration: &Configuration,
    user: &User,
) -> Result<Map<String, Value>, genkan_store::Error> {
    if user.custom_attributes.is_empty() {
        return Ok(Map::new());
    }
    let registered = configuration.user_attributes().await?;
    Ok(token_claims(&registered, &user.custom_attributes))
}

/// Claims beyond the standard's, for the scope `profile`: the groups of the connection, and custom
/// attributes.
pub fn custom(groups: &[String], attributes: Map<String, Value>, with_profile: bool) -> CustomClaims {
    let mut claims = Map::new();
    if with_profile {
        claims = attributes;
        if !groups.is_empty() {
            claims.insert("groups".to_owned(), groups.into());
        }
    }
    claims.into()
}
