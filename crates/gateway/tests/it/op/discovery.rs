//! The discovery document and the key set.
//!
//! Source: OIDC Discovery 1.0 §3, §4; RFC 8414 §2; RFC 7517 §4, §5.

use genkan_testkit::Gateway;
use insta::assert_snapshot;

#[tokio::test]
async fn the_metadata_are_complete() {
    let gateway = Gateway::start().await;
    let reply = gateway.get("/.well-known/openid-configuration").send().await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    let members = reply.json();
    let lines = members.as_object().unwrap().iter();
    let shown: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}")).collect();
    let shown = shown.join("\n").replace(gateway.url(), "https://gateway.test");
    assert_snapshot!(shown, @r#"
    authorization_endpoint: "https://gateway.test/oauth/authorize"
    authorization_response_iss_parameter_supported: true
    backchannel_logout_session_supported: true
    backchannel_logout_supported: true
    claims_parameter_supported: false
    claims_supported: ["iss","aud","azp","sub","sid","oid","organization_id","org_id","connection_id","amr","auth_time","exp","iat","nonce","at_hash","c_hash","client_id","xoid","email","email_verified","name","given_name","family_name","picture","locale","preferred_username","gender","phone_number","phone_number_verified","updated_at","groups"]
    code_challenge_methods_supported: ["S256"]
    end_session_endpoint: "https://gateway.test/oidc/logout"
    grant_types_supported: ["authorization_code","refresh_token","client_credentials"]
    id_token_signing_alg_values_supported: ["RS256","ES256"]
    introspection_endpoint: "https://gateway.test/oauth/introspect"
    introspection_endpoint_auth_methods_supported: ["client_secret_post","client_secret_basic"]
    issuer: "https://gateway.test"
    jwks_uri: "https://gateway.test/keys"
    prompt_values_supported: ["none","login","select_account","create"]
    request_parameter_supported: false
    request_uri_parameter_supported: false
    response_modes_supported: ["query","form_post"]
    response_types_supported: ["code"]
    revocation_endpoint: "https://gateway.test/revoke"
    revocation_endpoint_auth_methods_supported: ["client_secret_post","client_secret_basic","none"]
    scopes_supported: ["openid","profile","email","phone","offline_access"]
    subject_types_supported: ["public"]
    token_endpoint: "https://gateway.test/oauth/token"
    token_endpoint_auth_methods_supported: ["client_secret_post","client_secret_basic","none"]
    userinfo_endpoint: "https://gateway.test/userinfo"
    "#);
    let oauth = gateway
        .get("/.well-known/oauth-authorization-server")
        .send()
        .await;
    assert_eq!(oauth.json(), reply.json());
}

/// Every address in it answers.
#[tokio::test]
async fn no_endpoint_is_promised_in_vain() {
    let gateway = Gateway::start().await;
    let metadata = gateway
        .get("/.well-known/openid-configuration")
        .send()
        .await
        .json();
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let url = value.as_str().unwrap();
            let path = url.strip_prefix(gateway.url()).unwrap();
            assert_ne!(gateway.get(path).send().await.status, 404, "{name}");
        }
    }
}

#[tokio::test]
async fn the_keys_hold_nothing_private() {
    let gateway = Gateway::start().await;
    let reply = gateway.get("/keys").send().await;
    assert_eq!(reply.header("content-type"), "application/jwk-set+json");
    let keys = reply.json()["keys"].as_array().unwrap().clone();
    let shape = |key: &serde_json::Value| {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        format!("{} {}: {}", key["alg"], key["use"], names.join(" "))
    };
    assert_snapshot!(keys.iter().map(shape).collect::<Vec<_>>().join("\n"), @r#"
    "RS256" "sig": alg e kid kty n use
    "ES256" "sig": alg crv kid kty use x y
    "#);
    for key in &keys {
        let digits = key["kid"].as_str().unwrap().strip_prefix("snk_").unwrap();
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
    // Its only member: RFC 7517 §5.
    assert_eq!(reply.json().as_object().unwrap().len(), 1);
}
