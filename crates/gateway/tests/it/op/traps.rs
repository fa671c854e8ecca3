//! Habits of the official SDKs that break a server which follows the standards alone.

use std::time::Duration;

use genkan_testkit::{Gateway, Rp, Tokens};
use http::Method;
use serde_json::{Value, json};

use crate::net::Http2;

async fn signed_in(gateway: &Gateway) -> (Rp, Tokens) {
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    (rp, tokens)
}

/// A prefix and 15 to 21 digits, as the SDKs' validators want it.
fn is_id(value: &Value, prefix: &str) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix(prefix));
    digits.is_some_and(|digits| {
        (15..=21).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Two SDKs send a stale Bearer token beside the credentials in the body.
#[tokio::test]
async fn the_token_endpoint_ignores_a_stale_bearer_beside_body_credentials() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for stale in ["Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA", "Bearer", "bearer x y"] {
        let reply = rp
            .post("/oauth/token", &[("grant_type", "client_credentials")])
            .header("authorization", stale)
            .send()
            .await;
        assert_eq!(reply.status, 200, "{stale}");
    }
}

/// The Go SDK decodes claims into fixed types.
#[tokio::test]
async fn tokens_carry_the_types_that_the_sdks_decode() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let access = rp.verify(&tokens.access_token).await;
    let id = rp.verify(tokens.id_token()).await;

    assert_eq!(access["scope"], "openid profile email offline_access");
    assert_eq!(
        access["scopes"],
        json!(["openid", "profile", "email", "offline_access"])
    );
    for claims in [&access, &id] {
        assert_eq!(claims["aud"], json!([rp.id.as_str()]));
        assert!(claims["exp"].is_i64() && claims["iat"].is_i64(), "{claims}");
    }
    assert!(access["nbf"].is_i64());
    assert_eq!(
        access["exp"].as_i64(),
        access["iat"].as_i64().map(|iat| iat + 300)
    );
    assert_eq!(tokens.json["expires_in"], json!(300));
    assert!(id["updated_at"].is_string(), "{id}");
    // No SDK decodes userinfo, and OIDC Core §5.1 has a number.
    let userinfo = rp.userinfo(&tokens.access_token).await.json();
    assert!(userinfo["updated_at"].is_i64(), "{userinfo}");
    for token in [tokens.access_token.as_str(), tokens.id_token()] {
        let header = jsonwebtoken::decode_header(token).unwrap();
        assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        assert!(is_id(&header.kid.unwrap().into(), "snk_"));
    }
}

/// The SDKs read the connection from `amr[0]` and the organization from `oid`.
#[tokio::test]
async fn the_first_amr_is_the_connection_and_oid_the_organization() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .external_id("acme-7")
        .with_oidc_connection()
        .await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let id = rp.verify(tokens.id_token()).await;
    assert_eq!(id["amr"], json!([acme.connection_id().as_str()]));
    assert_eq!(id["oid"], acme.id.as_str());
    assert_eq!(id["xoid"], "acme-7");
    let access = rp.verify(&tokens.access_token).await;
    assert_eq!((&access["oid"], &access["xoid"]), (&id["oid"], &id["xoid"]));
    assert_eq!((&access["sub"], &access["sid"]), (&id["sub"], &id["sid"]));
}

/// The SDKs expect a new refresh token in every answer.
#[tokio::test]
async fn a_refresh_answers_with_another_refresh_token() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    assert_ne!(refreshed.refresh_token(), tokens.refresh_token());
    assert_ne!(refreshed.access_token, tokens.access_token);
    assert!(rp.refresh(refreshed.refresh_token()).await.status.is_success());
}

/// OIDC Core §11: `offline_access` asks for a refresh token.
#[tokio::test]
async fn there_is_no_refresh_token_without_offline_access() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize().with("scope", "openid email");
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    assert_eq!(
        (tokens.refresh_token.as_ref(), tokens.scope.as_str()),
        (None, "openid email")
    );
}

/// The SDKs and their tests check identifiers with patterns.
#[tokio::test]
async fn identifiers_are_a_prefix_and_digits() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    let access = rp.verify(&tokens.access_token).await;
    for (claim, prefix) in [
        ("sub", "usr_"),
        ("sid", "ses_"),
        ("oid", "org_"),
        ("jti", "tkn_"),
        ("client_id", "webc_"),
    ] {
        assert!(is_id(&access[claim], prefix), "{claim}: {}", access[claim]);
    }
    // Validators of user ids count the whole.
    assert!((19..=25).contains(&access["sub"].as_str().unwrap().len()));
}

/// Some SDKs send `domain`, some `domain_hint`, some both.
#[tokio::test]
async fn domain_and_domain_hint_are_one_parameter() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for both in [
        &[("domain", "acme.test"), ("domain_hint", "acme.test")][..],
        &[("domain", "ACME.test")],
        &[("domain_hint", "acme.test")],
    ] {
        let request = both.iter().fold(rp.authorize(), |request, (name, value)| {
            request.with(name, *value)
        });
        let page = gateway.browser().start(&request).await.page();
        assert_eq!(page.heading(), "Sign in as anyone", "{both:?}");
    }
    let two = rp
        .authorize()
        .with("domain", "acme.test")
        .with("domain_hint", "other.test");
    let callback = gateway.browser().start(&two).await.callback();
    assert_eq!(callback.error(), "invalid_request");
}

/// Applications know the issuer as the environment URL of their configuration.
#[tokio::test]
async fn the_issuer_is_the_url_that_applications_have() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    for token in [tokens.access_token.as_str(), tokens.id_token()] {
        assert_eq!(rp.verify(token).await["iss"], gateway.url());
    }
    let discovery = gateway
        .get("/.well-known/openid-configuration")
        .send()
        .await
        .json();
    assert_eq!(discovery["issuer"], gateway.url());
    assert!(!gateway.url().ends_with('/'));
}

/// The details of a gRPC status repeat its code and message, because the SDKs read them.
#[tokio::test]
async fn a_grpc_refusal_says_one_thing() {
    let gateway = Gateway::start().await;
    let port: u16 = gateway.url().rsplit(':').next().unwrap().parse().unwrap();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let path = "/scalekit.v1.organizations.OrganizationService/ListOrganization";
    let request = http::Request::post(format!("{}{path}", gateway.url()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let reply = Http2::over(stream).await.send(request, &[0; 5]).await.unwrap();
    let status = tonic::Status::from_header_map(reply.head.headers()).unwrap();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    // `google.rpc.Status`: the code is field 1 and the message field 2.
    let length = u8::try_from(status.message().len()).unwrap();
    let expected = [&[0x08, 16, 0x12, length], status.message().as_bytes()].concat();
    assert!(status.details().starts_with(&expected), "{status:?}");
}

/// The SDKs name their version in headers; no version is refused.
#[tokio::test]
async fn any_version_of_an_sdk_is_welcome() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for version in ["20260727", "19700101", "tomorrow"] {
        let reply = rp
            .post("/oauth/token", &[("grant_type", "client_credentials")])
            .header("x-api-version", version)
            .header("x-sdk-version", "Scalekit-Node/99.0.0")
            .send()
            .await;
        assert_eq!(reply.status, 200);
    }
}

/// Scalekit's dry-run client redeems with PKCE and without a secret.
#[tokio::test]
async fn a_client_may_be_let_redeem_by_pkce_alone() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let lenient = gateway
        .client("dryrun")
        .id_prefix("skc_")
        .change(|client| client.secret_optional_with_pkce = true)
        .await;
    let strict = gateway.client("rp").id_prefix("skc_").await;
    let mut browser = gateway.browser();

    for (rp, status) in [(&lenient, 200), (&strict, 401)] {
        let code = browser.sign_in(rp, "ada@acme.test").await;
        let mut form = Rp::redemption(&code);
        form.push(("client_id", rp.id.as_str()));
        assert_eq!(
            rp.post_as_nobody("/oauth/token", &form).send().await.status,
            status
        );
    }
    // Without PKCE nothing would prove who redeems.
    let request = lenient.authorize().without_pkce();
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    let mut form = Rp::redemption(&code);
    form.push(("client_id", lenient.id.as_str()));
    let reply = lenient.post_as_nobody("/oauth/token", &form).send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.oauth_error().as_str()),
        (400, "invalid_grant")
    );
}

/// PKCE spares the secret only if it proves that the same client began.
#[tokio::test]
async fn a_client_that_may_omit_its_secret_needs_it_for_everything_else() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway
        .client("dryrun")
        .change(|client| client.secret_optional_with_pkce = true)
        .await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let id = ("client_id", rp.id.as_str());
    for (path, parameters) in [
        (
            "/oauth/token",
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", tokens.refresh_token()),
            ],
        ),
        ("/oauth/token", vec![("grant_type", "client_credentials")]),
        ("/oauth/introspect", vec![("token", tokens.access_token.as_str())]),
        ("/revoke", vec![("token", tokens.refresh_token())]),
    ] {
        let form: Vec<_> = parameters.iter().copied().chain([id]).collect();
        let reply = rp.post_as_nobody(path, &form).send().await;
        assert!(
            reply.status.is_client_error(),
            "{path} {parameters:?}: {}",
            reply.transcript()
        );
    }
    assert!(rp.introspect(&tokens.access_token).await.active);
}

/// A single-page application calls these endpoints from the browser.
#[tokio::test]
async fn a_page_of_a_registered_origin_may_call_token_userinfo_and_keys() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let spa = gateway.client("spa").spa().await;
    let code = gateway.browser().sign_in(&spa, "ada@acme.test").await;
    let origin = "https://spa.test";

    let mut form = Rp::redemption(&code);
    form.push(("client_id", spa.id.as_str()));
    let reply = gateway
        .post("/oauth/token")
        .header("origin", origin)
        .form(&form)
        .send()
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), origin);
    let tokens = reply.expect_tokens();

    let preflight = gateway
        .call(Method::OPTIONS, "/userinfo")
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
        .send()
        .await;
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    let reply = gateway
        .get("/userinfo")
        .header("origin", origin)
        .bearer(&tokens.access_token)
        .send()
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), origin);
    // oidc-client-ts compares the two.
    assert_eq!(reply.json()["sub"], spa.verify(tokens.id_token()).await["sub"]);

    let keys = gateway.get("/keys").header("origin", origin).send().await;
    assert_eq!(keys.header("access-control-allow-origin"), "*");
}

/// Common middleware never stores the second refresh token (`docs/decisions/refresh-tokens.md`).
#[tokio::test]
async fn a_confidential_client_may_send_its_first_refresh_token_for_ever() {
    let gateway = Gateway::start().await;
    let (rp, tokens) = signed_in(&gateway).await;
    for _ in 0..3 {
        gateway.clock().advance(Duration::from_secs(600));
        rp.refresh(tokens.refresh_token()).await.expect_tokens();
    }
    let refresh = || rp.refresh(tokens.refresh_token());
    let (one, two, three) = tokio::join!(refresh(), refresh(), refresh());
    for reply in [one, two, three] {
        assert!(reply.expect_tokens().refresh_token.is_some());
    }
}

/// Some applications read the person's name from the access token.
#[tokio::test]
async fn the_access_token_greets_where_the_application_wants_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let greeting = gateway
        .client("greeting")
        .change(|client| client.profile_in_access_token = true)
        .await;
    let plain = gateway.client("plain").await;
    let mut browser = gateway.browser();

    let code = browser.sign_in(&greeting, "ada@acme.test").await;
    let claims = greeting
        .verify(&greeting.redeem(&code).await.expect_tokens().access_token)
        .await;
    assert_eq!(
        (&claims["name"], &claims["email"]),
        (&"Ada Lovelace".into(), &"ada@acme.test".into())
    );

    // Only of scopes that were granted.
    let request = greeting.authorize().with("scope", "openid email");
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    let claims = greeting
        .verify(&greeting.redeem(&code).await.expect_tokens().access_token)
        .await;
    assert_eq!(
        (claims.get("name"), &claims["email"]),
        (None, &"ada@acme.test".into())
    );

    let code = browser.sign_in(&plain, "ada@acme.test").await;
    let claims = plain
        .verify(&plain.redeem(&code).await.expect_tokens().access_token)
        .await;
    assert_eq!((claims.get("name"), claims.get("email")), (None, None));
}

/// Applications register a bare origin, without a slash at its end.
#[tokio::test]
async fn a_bare_origin_is_a_post_logout_redirect_uri() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway
        .client("astro")
        .change(|client| client.post_logout_redirect_uris = vec!["http://localhost:4321".to_owned()])
        .await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let url = rp.logout_url(&[
        ("id_token_hint", tokens.id_token()),
        ("post_logout_redirect_uri", "http://localhost:4321"),
    ]);
    let page = gateway.get(url.strip_prefix(gateway.url()).unwrap()).send().await;
    assert_eq!(
        (page.status.as_u16(), page.header("location")),
        (303, "http://localhost:4321")
    );
}

/// RFC 6749 §2.3: a client uses one method of authentication in a request.
#[tokio::test]
async fn a_secret_counts_in_the_body_and_in_the_header_but_not_in_both() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let ask = [("grant_type", "client_credentials")];
    assert_eq!(rp.post("/oauth/token", &ask).send().await.status, 200);
    assert_eq!(rp.post_basic("/oauth/token", &ask).send().await.status, 200);
    let secret = rp.secret.as_deref().unwrap();
    let both = rp
        .post("/oauth/token", &ask)
        .basic(rp.id.as_str(), secret)
        .send()
        .await;
    assert_eq!(
        (both.status.as_u16(), both.oauth_error().as_str()),
        (400, "invalid_request")
    );
    // The client_id alone may be repeated.
    let named = [
        ("grant_type", "client_credentials"),
        ("client_id", rp.id.as_str()),
    ];
    assert_eq!(rp.post_basic("/oauth/token", &named).send().await.status, 200);
}

/// RFC 6749 §6: a refresh may repeat the scope of the login.
#[tokio::test]
async fn the_scope_of_the_login_may_be_repeated_at_the_refresh() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    // Libraries send what they were configured with, known here or not.
    let scope = "openid email offline_access todo:read";
    let request = rp.authorize().with("scope", scope);
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    assert_eq!(tokens.scope, "openid email offline_access");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh_token()),
        ("scope", scope),
    ];
    let refreshed = rp.post("/oauth/token", &form).send().await.expect_tokens();
    assert_eq!(refreshed.scope, "openid email offline_access");
    assert!(refreshed.refresh_token.is_some());
}

/// The public URL is configuration, so `Host` changes no answer.
#[tokio::test]
async fn the_host_header_reaches_nothing() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let ways_in = [
        "/.well-known/openid-configuration".to_owned(),
        format!("/oauth/authorize?{}", rp.authorize().query()),
        format!(
            "/oauth/authorize?{}",
            rp.authorize().with("domain", "acme.test").query()
        ),
        format!(
            "/oauth/authorize?{}",
            rp.authorize().with("prompt", "none").query()
        ),
        "/oauth/authorize?client_id=nobody".to_owned(),
        "/oidc/logout".to_owned(),
        "/login/lri_000000000000000000001".to_owned(),
    ];
    for path in ways_in {
        for name in ["host", "x-forwarded-host", "forwarded"] {
            let value = if name == "forwarded" {
                "host=evil.test;proto=https"
            } else {
                "evil.test"
            };
            let reply = gateway.get(&path).header(name, value).send().await;
            let headers = format!("{:?}", reply.headers);
            assert!(!headers.contains("evil.test"), "{path}: {headers}");
            assert!(!reply.text().contains("evil.test"), "{path}: {}", reply.text());
        }
    }
}

/// The SDKs speak REST over HTTP/1.1 and gRPC over HTTP/2 to one address.
#[tokio::test]
async fn one_port_answers_http1_and_http2_by_prior_knowledge() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let form = [("grant_type", "client_credentials")];
    assert_eq!(rp.post("/oauth/token", &form).send().await.status, 200);

    let port: u16 = gateway.url().rsplit(':').next().unwrap().parse().unwrap();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let client = Http2::over(stream).await;
    let request = http::Request::post(format!("{}/oauth/token", gateway.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(())
        .unwrap();
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        rp.id,
        rp.secret.as_deref().unwrap()
    );
    let reply = client.send(request, body.as_bytes()).await.unwrap();
    assert_eq!(reply.status(), 200);
    // The first call of the Node SDK: gRPC without a token.
    let request = http::Request::post(format!(
        "{}/scalekit.v1.organizations.OrganizationService/ListOrganization",
        gateway.url()
    ))
    .header("content-type", "application/grpc+proto")
    .header("te", "trailers")
    .body(())
    .unwrap();
    let reply = client.send(request, &[0; 5]).await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.head.headers().contains_key("grpc-status") || reply.trailers.contains_key("grpc-status"));
}
