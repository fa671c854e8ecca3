//! The crate from outside: attacks by name, official vectors, properties.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_credentials;
mod id_tokens;
mod jwk_sets;
mod jwt_attacks;
mod jwt_vectors;
mod parameters;
mod properties;
mod redirect_uris;
mod saml;
mod saml_corpus;
mod saml_messages;
mod saml_mutation;
mod saml_providers;
mod userinfo;

/// Keys and forgeries.
mod forge {
    use std::sync::LazyLock;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use genkan_protocol::jose::{Algorithm, JwkSet, SigningKey};
    use serde_json::{Value, json};

    pub(crate) static RSA: LazyLock<SigningKey> =
        LazyLock::new(|| SigningKey::generate("rsa-1".into(), Algorithm::Rs256).unwrap().0);
    pub(crate) static EC: LazyLock<SigningKey> =
        LazyLock::new(|| SigningKey::generate("ec-1".into(), Algorithm::Es256).unwrap().0);
    /// Both keys, as an identity provider publishes them.
    pub(crate) static KEYS: LazyLock<JwkSet> = LazyLock::new(|| key_set([RSA.public_jwk(), EC.public_jwk()]));

    /// Every algorithm, which a careless caller would allow.
    pub(crate) const ANY: &[&str] = &[
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
        "PS384", "PS512", "ES256", "ES384", "ES256K", "ES512", "EdDSA", "Ed25519", "RSA-OAEP", "dir",
    ];

    pub(crate) fn key_set(keys: impl IntoIterator<Item = Value>) -> JwkSet {
        let keys: Vec<Value> = keys.into_iter().collect();
        JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A token of any header and claims, signed by `sign`.
    pub(crate) fn token(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }

    /// A good token of each key.
    pub(crate) fn good(key: &SigningKey) -> String {
        key.sign("JWT", &json!({ "sub": "usr_1", "iss": "https://idp.example" }))
            .unwrap()
    }
}
