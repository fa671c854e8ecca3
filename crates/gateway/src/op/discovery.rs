//! `GET /.well-known/openid-configuration`: the capabilities of this provider.
//!
//! Source: OpenID Connect Discovery 1.0 §3, §4; RFC 8414 §2.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use genkan_protocol::oidc::ProviderMetadata;
use http::header;

use crate::app::App;

/// The metadata document. It is also served as RFC 8414 authorization server metadata.
pub async fn discovery(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, "public, max-age=300")],
        Json(metadata(&app)),
    )
}

fn metadata(app: &App) -> ProviderMetadata {
    let strings = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    ProviderMetadata {
        issuer: app.issuer().to_owned(),
        authorization_endpoint: Some(app.url("/oauth/authorize")),
        token_endpoint: Some(app.url("/oauth/token")),
        userinfo_endpoint: Some(app.url("/userinfo")),
        jwks_uri: Some(app.url("/keys")),
        end_session_endpoint: Some(app.url("/oidc/logout")),
        revocation_endpoint: Some(app.url("/revoke")),
        introspection_endpoint: Some(app.url("/oauth/introspect")),
        pushed_authorization_request_endpoint: None,
        require_pushed_authorization_requests: false,
        scopes_supported: strings(&["openid", "profile", "email", "phone", "offline_access"]),
        response_types_supported: strings(&["code"]),
        response_modes_supported: strings(&["query", "form_post"]),
        grant_types_supported: strings(&["authorization_code", "refresh_token", "client_credentials"]),
        subject_types_supported: strings(&["public"]),
        id_token_signing_alg_values_supported: strings(&["RS256", "ES256"]),
        token_endpoint_auth_methods_supported: strings(&[
            "client_secret_post",
            "client_secret_basic",
            "none",
        ]),
        revocation_endpoint_auth_methods_supported: strings(&[
            "client_secret_post",
            "client_secret_basic",
            "none",
        ]),
        introspection_endpoint_auth_methods_supported: strings(&[
            "client_secret_post",
            "client_secret_basic",
        ]),
        code_challenge_methods_supported: strings(&["S256"]),
        prompt_values_supported: strings(&["none", "login", "select_account", "create"]),
        claims_supported: strings(&[
            "iss",
            "aud",
            "azp",
            "sub",
            "sid",
            "oid",
            "organization_id",
            "org_id",
            "connection_id",
            "amr",
            "auth_time",
            "exp",
            "iat",
            "nonce",
            "at_hash",
            "c_hash",
            "client_id",
            "xoid",
            "email",
            "email_verified",
            "name",
            "given_name",
            "family_name",
            "picture",
            "locale",
            "preferred_username",
            "gender",
            "phone_number",
            "phone_number_verified",
            "updated_at",
            "groups",
        ]),
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        authorization_response_iss_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
    }
}
