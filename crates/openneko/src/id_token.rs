//! Checks the ID token that a plugin hands over with an identity.
//!
//! Plugins of protocol 1 hand over none. If the host offered a nonce, a plugin may
//! add `idToken` to its answer: the token, its expected issuer and audience, and
//! the keys of its signature. Then the token must be valid, or nobody is signed in.
//!
//! Source: OIDC Core §3.1.3.7.

use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_protocol::jose::{self, JwkSet};
use genkan_protocol::oidc::id_token::{ExpectedNonce, IdTokenExpectations, validate};
use genkan_protocol::trace::Trace;
use openneko_plugin::json::Json;
use openneko_plugin::rpc::{CompleteAuth, CompleteAuthAnswer};
use serde::Deserialize;

/// How far the clocks of the provider and of this host may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Signatures only: a plugin cannot choose `none`, or a secret that it knows.
const ALGORITHMS: &[&str] = &["RS256", "PS256", "ES256", "ES384", "EdDSA"];

/// Whether there was an ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdToken {
    /// The plugin handed over none.
    Absent,
    /// It is from that provider, for this sign-in and for this person.
    Verified,
}

/// An ID token that does not vouch for the identity beside it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ID token is refused: {0}")]
pub struct RefusedIdToken(String);

/// The `idToken` of a plugin's answer.
#[derive(Deserialize)]
struct IdTokenAnswer {
    token: String,
    issuer: String,
    audience: String,
    keys: Json,
}

/// Checks the ID token of an answer: signature, issuer, audience, times, the nonce of
/// the call, and that it is about the same person.
///
/// # Errors
///
/// [`RefusedIdToken`] if there is a token and anything about it is wrong.
pub fn check(
    call: &CompleteAuth,
    answer: &CompleteAuthAnswer,
    now_secs: i64,
) -> Result<IdToken, RefusedIdToken> {
    let Some(handed_over) = answer.extra.get("idToken") else {
        return Ok(IdToken::Absent);
    };
    let handed_over: IdTokenAnswer = handed_over
        .to()
        .map_err(|error| RefusedIdToken(format!("it is not as it should be: {error}")))?;
    let Some(nonce) = call.extra.get("nonce").and_then(Json::as_str) else {
        return Err(RefusedIdToken(
            "no nonce was sent, so it may be of any sign-in".to_owned(),
        ));
    };
    let keys = serde_json::to_vec(&handed_over.keys).map_err(refused)?;
    let keys = JwkSet::parse(&keys).map_err(refused)?;
    let token = jose::verify(&handed_over.token, &keys, ALGORITHMS).map_err(refused)?;
    let expected = IdTokenExpectations {
        issuer: &handed_over.issuer,
        client_id: &handed_over.audience,
        nonce: Some(ExpectedNonce::Plain(nonce)),
        now: Timestamp::from_secs(now_secs),
        skew: SKEW,
        access_token: None,
        max_age: None,
    };
    let claims = validate(&token, &expected, &mut Trace::default()).map_err(refused)?;
    // OIDC Core §5.3.2: claims of userinfo about another person must not be used.
    match claims.get("sub").and_then(serde_json::Value::as_str) {
        Some(sub) if sub == answer.identity.sub => Ok(IdToken::Verified),
        _ => Err(RefusedIdToken(
            "it is about another person than userinfo".to_owned(),
        )),
    }
}

fn refused(error: impl std::fmt::Display) -> RefusedIdToken {
    RefusedIdToken(error.to_string())
}

#[cfg(test)]
mod tests {
    use genkan_protocol::jose::{Algorithm, SigningKey};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_780_000_000;

    struct Provider {
        key: SigningKey,
    }

    impl Provider {
        fn new() -> Self {
            let (key, _) = SigningKey::generate("k1".to_owned(), Algorithm::Es256).unwrap();
            Self { key }
        }

        /// An answer whose ID token has these claims beside the usual ones.
        fn answer(&self, changes: &Value) -> CompleteAuthAnswer {
            let mut claims = json!({
                "iss": "https://idp.test", "aud": ["cid"], "sub": "s1", "nonce": "n1", "iat": NOW, "exp": NOW + 300,
            });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            answer(&json!({
                "token": self.key.sign("JWT", &claims).unwrap(),
                "issuer": "https://idp.test",
                "audience": "cid",
                "keys": { "keys": [self.key.public_jwk()] },
            }))
        }
    }

    fn answer(id_token: &Value) -> CompleteAuthAnswer {
        let answer = json!({ "identity": { "sub": "s1", "email": "ada@acme.test" }, "idToken": id_token });
        serde_json::from_value(answer).unwrap()
    }

    fn call() -> CompleteAuth {
        CompleteAuth::new("c", "https://neko.test/cb", "s").with("nonce", "n1")
    }

    #[test]
    fn a_token_of_this_sign_in_and_person_is_verified() {
        let checked = check(&call(), &Provider::new().answer(&json!({})), NOW);
        assert_eq!(checked, Ok(IdToken::Verified));
    }

    #[test]
    fn a_plugin_of_protocol_1_hands_none_over() {
        let mut answer = Provider::new().answer(&json!({}));
        answer.extra.remove("idToken");
        assert_eq!(check(&call(), &answer, NOW), Ok(IdToken::Absent));
    }

    #[test]
    fn a_token_that_is_anything_else_is_refused() {
        let provider = Provider::new();
        for (changes, about) in [
            (json!({ "iss": "https://other.test" }), "issuer"),
            (json!({ "aud": ["other"] }), "audience"),
            (json!({ "aud": ["cid", "other"] }), "authorized_party"),
            (json!({ "nonce": "n2" }), "nonce"),
            (json!({ "nonce": null }), "nonce"),
            (json!({ "exp": NOW - 61 }), "expired"),
            (json!({ "iat": NOW + 3600 }), "issued_at"),
            (json!({ "sub": "s2" }), "another person"),
        ] {
            let error = check(&call(), &provider.answer(&changes), NOW).unwrap_err();
            assert!(error.to_string().contains(about), "{changes}: {error}");
        }
    }

    #[test]
    fn a_token_of_a_stranger_is_refused() {
        let mut forged = Provider::new().answer(&json!({}));
        let honest = Provider::new().answer(&json!({}));
        let part = |answer: &CompleteAuthAnswer, key: &str| {
            answer
                .extra
                .get("idToken")
                .unwrap()
                .as_object()
                .unwrap()
                .get(key)
                .unwrap()
                .clone()
        };
        let Some(Json::Object(mut id_token)) = forged.extra.remove("idToken") else {
            panic!("an object");
        };
        id_token.insert("keys", part(&honest, "keys"));
        forged.extra.insert("idToken", Json::Object(id_token));
        assert!(
            check(&call(), &forged, NOW)
                .unwrap_err()
                .to_string()
                .contains("signature")
        );
    }

    #[test]
    fn a_token_that_cannot_be_checked_is_refused() {
        let keys = json!({ "keys": [] });
        for id_token in [
            json!(null),
            json!("e30.e30."),
            json!({ "token": "e30.e30.", "issuer": "i", "audience": "a" }),
            // {"alg":"none"}
            json!({ "token": "eyJhbGciOiJub25lIn0.e30.", "issuer": "i", "audience": "a", "keys": keys }),
            json!({ "token": "x", "issuer": "i", "audience": "a", "keys": keys }),
        ] {
            assert!(check(&call(), &answer(&id_token), NOW).is_err(), "{id_token}");
        }
    }

    #[test]
    fn a_token_for_a_call_without_a_nonce_is_refused() {
        let call = CompleteAuth::new("c", "https://neko.test/cb", "s");
        assert!(check(&call, &Provider::new().answer(&json!({})), NOW).is_err());
    }
}
