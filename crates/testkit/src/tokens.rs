//! The answer of the token endpoint.

use serde_json::Value;

/// The tokens in the answer.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access_token: String,
    pub id_token: Option<String>,
    pub refresh_token: Option<String>,
    pub expires_in: u64,
    pub scope: String,
    /// The whole answer.
    pub json: Value,
}

impl Tokens {
    pub(crate) fn read(json: Value) -> Self {
        let text = |name: &str| json[name].as_str().map(ToOwned::to_owned);
        Self {
            access_token: text("access_token").expect("an access token"),
            id_token: text("id_token"),
            refresh_token: text("refresh_token"),
            expires_in: json["expires_in"].as_u64().expect("expires_in is an integer"),
            scope: text("scope").expect("a scope"),
            json,
        }
    }

    pub fn refresh_token(&self) -> &str {
        self.refresh_token.as_deref().expect("a refresh token")
    }

    pub fn id_token(&self) -> &str {
        self.id_token.as_deref().expect("an ID token")
    }
}
