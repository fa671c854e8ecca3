//! The simulator's discovery document and keys.
//!
//! Source: OIDC Discovery 1.0 §3, RFC 7517 §5.

use axum::Json;
use axum::extract::State;
use genkan_protocol::jose::Algorithm;
use genkan_protocol::oidc::ProviderMetadata;
use serde_json::{Value, json};

use super::Simulator;
use crate::web::error::PageError;

/// `GET /simulator/.well-known/openid-configuration`.
pub(super) async fn discovery(State(simulator): State<Simulator>) -> Json<ProviderMetadata> {
    let list = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    let url = |path: &str| Some(format!("{}{path}", simulator.issuer()));
    Json(ProviderMetadata {
        issuer: simulator.issuer().to_owned(),
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        userinfo_endpoint: url("/userinfo"),
        jwks_uri: url("/keys"),
        scopes_supported: list(&["openid", "profile", "email"]),
        response_types_supported: list(&["code"]),
        response_modes_supported: list(&["query", "form_post"]),
        grant_types_supported: list(&["authorization_code"]),
        subject_types_supported: list(&["public"]),
        id_token_signing_alg_values_supported: list(&[Algorithm::Rs256.as_str()]),
        token_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post"]),
        code_challenge_methods_supported: list(&["S256"]),
        claims_supported: list(&[
            "sub",
            "email",
            "email_verified",
            "name",
            "given_name",
            "family_name",
            "groups",
            "roles",
        ]),
        authorization_response_iss_parameter_supported: true,
        request_uri_parameter_supported: false,
        ..ProviderMetadata::default()
    })
}

/// `GET /simulator/keys`.
pub(super) async fn keys(State(simulator): State<Simulator>) -> Result<Json<Value>, PageError> {
    let key = simulator.key().await?;
    Ok(Json(json!({ "keys": [key.public_jwk()] })))
}
