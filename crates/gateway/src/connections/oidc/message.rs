//! The request as people see it who repair a sign-in: without what could be used again.

use genkan_store::connection::{Connection, OidcSettings};

use super::{AuthenticationResponse, redirect_uri, scope};
use crate::app::App;

/// Stands for what was taken out.
const TAKEN_OUT: &str = "…";

/// The parameters of the request, one in each line. They are not stored, but made again of the same values.
pub(super) fn request(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    arrival: &AuthenticationResponse<'_>,
) -> String {
    let (redirect_uri, scope) = (redirect_uri(app, connection), scope(settings));
    let max_age = arrival.max_age.map(|age| age.as_secs().to_string());
    let is_pkce = arrival.code_verifier.is_some();
    let parameters = [
        ("response_type", Some("code")),
        ("client_id", Some(settings.client_id.as_str())),
        ("redirect_uri", Some(&redirect_uri)),
        ("scope", Some(&scope)),
        ("state", Some(TAKEN_OUT)),
        ("nonce", Some(TAKEN_OUT)),
        ("code_challenge", is_pkce.then_some(TAKEN_OUT)),
        ("code_challenge_method", is_pkce.then_some("S256")),
        ("response_mode", arrival.form_post.then_some("form_post")),
        ("login_hint", arrival.login_hint),
        ("prompt", arrival.prompt),
        ("max_age", max_age.as_deref()),
    ];
    let lines: Vec<String> = parameters
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={value}")))
        .collect();
    lines.join("\n")
}
