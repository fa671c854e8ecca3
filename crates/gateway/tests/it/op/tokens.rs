//! False tokens: forged, of another kind, or of another time or issuer.
//!
//! Source: RFC 8725 §2, §3; RFC 9068 §4.

use genkan_protocol::jose::Algorithm;
use genkan_testkit::{Gateway, Key, Receiver, Rp, Tokens};
use jsonwebtoken::{DecodingKey, EncodingKey, Header};
use serde_json::{Value, json};

async fn signed_in(gateway: &Gateway) -> (Rp, Tokens) {
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    (rp, tokens)
}

async fn is_refused(rp: &Rp, token: &str, why: &str) {
    let userinfo = rp.userinfo(token).await;
    assert!(
        [400, 401].contains(&userinfo.status.as_u16()),
        "{why}: {}",
        userinfo.transcript()
    );
    assert!(
        userinfo.header("www-authenticate").starts_with("Bearer "),
        "{why}"
    );
    assert!(!rp.introspect(token).await.active, "{why}");
}

fn part(value: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn a_garbled_token_is_refused() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let good = tokens.access_token.as_str();
    let parts: Vec<&str> = good.split('.').collect();
    let mut flipped = good.to_owned().into_bytes();
    let middle = parts[0].len() + 20;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    for (why, token) in [
        ("one letter of the claims", String::from_utf8(flipped).unwrap()),
        ("cut", good[..good.len() - 1].to_owned()),
        ("longer", format!("{good}A")),
        ("without signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.AA")),
        ("padded", format!("{good}=")),
        ("a word", "token".to_owned()),
        ("dots", "...".to_owned()),
        ("huge", format!("{}.{}.{}", parts[0], "A".repeat(6000), parts[2])),
    ] {
        is_refused(&rp, &token, why).await;
    }
    assert_eq!(rp.userinfo(good).await.status, 200);
}

/// RFC 8725 §2.1, §3.1.
#[tokio::test]
async fn the_token_does_not_choose_the_algorithm() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let claims = rp.verify(&tokens.access_token).await;
    let kid = kid(&tokens.access_token);
    for alg in ["none", "None", "NONE", ""] {
        let unsigned = format!(
            "{}.{}.",
            part(&json!({"alg": alg, "typ": "JWT", "kid": kid})),
            part(&claims)
        );
        is_refused(&rp, &unsigned, alg).await;
    }
    // The public key as the secret of an HMAC, in every form in which it may be at hand.
    let jwks = gateway.get("/keys").send().await.json();
    let jwk = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == *kid)
        .unwrap();
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [
        jwk.to_string(),
        jwks.to_string(),
        modulus.to_owned(),
        String::new(),
    ];
    for alg in [
        jsonwebtoken::Algorithm::HS256,
        jsonwebtoken::Algorithm::HS384,
        jsonwebtoken::Algorithm::HS512,
    ] {
        let mut header = Header::new(alg);
        header.kid = Some(kid.clone());
        for secret in &secrets {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let forged = jsonwebtoken::encode(&header, &claims, &key).unwrap();
            is_refused(&rp, &forged, "HMAC").await;
        }
    }
    // The right key under the name of the other one.
    let es256 = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["alg"] == "ES256")
        .unwrap();
    let signed = Key::Gateway(Algorithm::Rs256)
        .signing(es256["kid"].as_str().unwrap())
        .sign("JWT", &claims)
        .unwrap();
    is_refused(&rp, &signed, "the kid of another key").await;
}

/// RFC 8725 §3.5: a token does not bring its own key.
#[tokio::test]
async fn a_key_in_the_header_is_not_believed() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let claims = rp.verify(&tokens.access_token).await;
    let attacker = Key::IdentityProvider;
    let mut jwk: jsonwebtoken::jwk::Jwk =
        serde_json::from_value(attacker.signing("attacker").public_jwk()).unwrap();
    for own_kid in [kid(&tokens.access_token), "attacker".to_owned()] {
        jwk.common.key_id = Some(own_kid.clone());
        let mut header = Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = Some(own_kid);
        header.jwk = Some(jwk.clone());
        header.jku = Some("https://evil.test/keys".to_owned());
        let key = rsa_key(attacker);
        let forged = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        // It is a good signature, by the wrong key.
        let mut rules = jsonwebtoken::Validation::new(header.alg);
        rules.validate_exp = false;
        rules.validate_aud = false;
        jsonwebtoken::decode::<Value>(&forged, &DecodingKey::from_jwk(&jwk).unwrap(), &rules).unwrap();
        is_refused(&rp, &forged, "its own key").await;
    }
}

/// PKCS#8 holds what `jsonwebtoken` wants after a header of fixed length.
fn rsa_key(key: Key) -> EncodingKey {
    EncodingKey::from_rsa_der(&key.pkcs8()[26..])
}

/// RFC 8725 §3.12: what we signed for one purpose serves no other.
#[tokio::test]
async fn another_kind_of_our_own_tokens_is_no_access_token() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let receiver = Receiver::start().await;
    let rp = gateway.client("rp").back_channel_logout(receiver.url()).await;
    let mut browser = gateway.browser();
    let tokens = rp
        .redeem(&browser.sign_in(&rp, "ada@acme.test").await)
        .await
        .expect_tokens();
    is_refused(&rp, tokens.id_token(), "an ID token").await;

    let logout = rp.logout_url(&[("id_token_hint", tokens.id_token())]);
    browser.open(&logout).await.page();
    let logout_token = receiver.next().await;
    is_refused(&rp, &logout_token, "a logout token").await;

    // And the other way round: only an ID token is a hint.
    for token in [&logout_token, &tokens.access_token] {
        let page = browser
            .open(&rp.logout_url(&[("id_token_hint", token)]))
            .await
            .page();
        assert_eq!(page.reply.status, 400);
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_or_time_is_refused() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let claims = rp.verify(&tokens.access_token).await;
    let ours = Key::Gateway(Algorithm::Rs256).signing(&kid(&tokens.access_token));
    let now = gateway.now().as_secs();
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        ours.sign("JWT", &claims).unwrap()
    };
    // The way to forge works: these are as good as the real one, the second a
    // little ahead, as from a node whose clock is.
    assert_eq!(rp.userinfo(&with("nbf", json!(now + 60))).await.status, 200);
    assert_eq!(rp.userinfo(&with("exp", json!(now + 60))).await.status, 200);
    for (why, token) in [
        ("another issuer", with("iss", json!("https://other.test"))),
        ("a final slash", with("iss", json!(format!("{}/", gateway.url())))),
        ("expired", with("exp", json!(now))),
        ("not yet", with("nbf", json!(now + 61))),
        (
            "a grant that is not",
            with("grant_id", json!("grt_000000000000000000001")),
        ),
        ("no jti", with("jti", json!("x"))),
        ("times as text", with("exp", json!((now + 60).to_string()))),
        ("scopes that differ", with("scopes", json!(["admin"]))),
    ] {
        is_refused(&rp, &token, why).await;
    }
    let unknown = Key::Gateway(Algorithm::Rs256).signing("snk_000000000000000000001");
    is_refused(&rp, &unknown.sign("JWT", &claims).unwrap(), "an unknown kid").await;
}

#[tokio::test]
async fn an_application_may_want_es256() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("es").es256().await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    for token in [tokens.access_token.as_str(), tokens.id_token()] {
        assert_eq!(
            jsonwebtoken::decode_header(token).unwrap().alg,
            jsonwebtoken::Algorithm::ES256
        );
        rp.verify(token).await;
    }
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 200);
    assert!(rp.introspect(&tokens.access_token).await.active);
    let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    rp.verify(&refreshed.access_token).await;
}
