//! The simulator, tested by a relying party and a browser.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use genkan_protocol::jose::{self, JwkSet, JwtError};
use genkan_protocol::oauth::CodeVerifier;
use genkan_protocol::oidc::{ProviderMetadata, left_half};
use genkan_web::samples::{LONG, Samples, answers};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

const CALLBACK: &str = "http://localhost:8080/sso/v1/oidc/conn_000000000000000000001/callback";

pub(crate) async fn samples() -> Samples {
    let simulator = Simulator::new(config(), || Timestamp::from_secs(1_795_000_000));
    let query = "client_id=genkan&response_type=code&state=s&login_hint=grace.hopper%40example.com\
         &redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fsso%2Fv1%2Foidc%2Fconn_000000000000000000001%2Fcallback";
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let wrong = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("request", query),
            ("email", LONG),
            ("given_name", "Grace"),
            ("fault", "wrong_nonce"),
        ])
        .finish();
    let requests = [
        ("desk-simulator", get("/simulator/")),
        (
            "simulator-authorize",
            get(&format!("/simulator/authorize?{query}")),
        ),
        (
            "simulator-authorize-wrong",
            Request::post("/simulator/authorize").body(wrong.into()).unwrap(),
        ),
        ("simulator-stranger", get("/simulator/authorize?client_id=other")),
    ];
    let requests = requests.into_iter().chain(saml::tests::requests());
    answers(&simulator.router(), requests).await
}

pub(super) fn config() -> Config {
    Config {
        public_url: "http://localhost:8080".to_owned(),
        client_id: "genkan".to_owned(),
        client_secret: "s3cret".to_owned(),
        redirect_uris: vec!["http://localhost:9999/cb".to_owned(), CALLBACK.to_owned()],
        demo_url: Some("http://localhost:8090/".to_owned()),
        saml: saml::Config {
            organization_id: Some("org_000000000000000000001".to_owned()),
            encryption: None,
        },
    }
}

/// A relying party with a browser, and a clock that can be moved.
struct Party {
    router: Router,
    clock: Arc<AtomicI64>,
    verifier: CodeVerifier,
}

impl Party {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_795_000_000));
        let shared = Arc::clone(&clock);
        let simulator = Simulator::new(config(), move || {
            Timestamp::from_secs(shared.load(Ordering::Relaxed))
        });
        Self {
            router: simulator.router(),
            clock,
            verifier: CodeVerifier::from_random([7; 32]),
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, header::HeaderMap, String) {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn get(&self, path: &str) -> (StatusCode, header::HeaderMap, String) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, header::HeaderMap, String) {
        self.send(Request::post(path).body(Body::from(encode(form))).unwrap())
            .await
    }

    fn request(&self, more: &[(&str, &str)]) -> String {
        let challenge = self.verifier.challenge();
        let mut query = vec![
            ("client_id", "genkan"),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile email"),
            ("state", "st"),
            ("nonce", "nn"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in more {
            query.retain(|(known, _)| known != name);
            query.extend((!value.is_empty()).then_some((*name, *value)));
        }
        encode(&query)
    }

    /// Fills in the form and returns the address that the browser is sent to.
    async fn sign_in(&self, fault: &str) -> String {
        let request = self.request(&[]);
        let form = [
            ("request", request.as_str()),
            ("email", "ada@example.com"),
            ("given_name", "Ada"),
            ("fault", fault),
        ];
        let (status, headers, body) = self.post("/simulator/authorize", &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    async fn code(&self, fault: &str) -> String {
        answer(&self.sign_in(fault).await, "code").remove(0)
    }

    async fn redeem(&self, code: &str, more: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", self.verifier.expose()),
            ("client_id", "genkan"),
            ("client_secret", "s3cret"),
        ];
        for (name, value) in more {
            form.retain(|(known, _)| known != name);
            form.extend((!value.is_empty()).then_some((*name, *value)));
        }
        let (status, _, body) = self.post("/simulator/token", &form).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    async fn keys(&self) -> JwkSet {
        JwkSet::parse(self.get("/simulator/keys").await.2.as_bytes()).unwrap()
    }

    /// Signs in with a fault; the tokens, and what verification says of the ID token.
    async fn tokens(&self, fault: &str) -> (Value, Result<jose::Verified, JwtError>) {
        let before = self.keys().await;
        let (status, tokens) = self.redeem(&self.code(fault).await, &[]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        let keys = if fault == "rotated_key" {
            self.keys().await
        } else {
            before
        };
        let verified = jose::verify(tokens["id_token"].as_str().unwrap_or_default(), &keys, &["RS256"]);
        (tokens, verified)
    }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// All values of one parameter of an address.
fn answer(location: &str, name: &str) -> Vec<String> {
    let url = url::Url::parse(location).unwrap();
    url.query_pairs()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[tokio::test]
async fn discovery_is_valid_and_promises_what_is_kept() {
    let party = Party::new();
    let (_, _, body) = party.get("/simulator/.well-known/openid-configuration").await;
    let metadata: ProviderMetadata = serde_json::from_str(&body).unwrap();
    metadata.validate("http://localhost:8080/simulator").unwrap();
    assert!(metadata.authorization_response_iss_parameter_supported);
    let location = party.sign_in("").await;
    assert_eq!(answer(&location, "iss"), [metadata.issuer]);
    assert_eq!(answer(&location, "state"), ["st"]);
}

#[tokio::test]
async fn a_sign_in_ends_in_tokens_that_hold() {
    let party = Party::new();
    let (tokens, verified) = party.tokens("").await;
    let claims = verified.unwrap().claims;
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims["iss"], "http://localhost:8080/simulator");
    assert_eq!(claims["aud"], "genkan");
    assert_eq!(claims["nonce"], "nn");
    assert_eq!(claims["iat"], 1_795_000_000);
    assert_eq!(claims["at_hash"], left_half(Algorithm::Rs256, access_token));
    assert_eq!(
        (&claims["email"], &claims["name"]),
        (&"ada@example.com".into(), &"Ada".into())
    );

    let request =
        Request::get("/simulator/userinfo").header(header::AUTHORIZATION, format!("Bearer {access_token}"));
    let (status, _, body) = party.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["sub"],
        claims["sub"]
    );
    assert_eq!(party.get("/simulator/userinfo").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_client_may_use_basic_and_must_know_its_secret() {
    let party = Party::new();
    let form = |code: &str| {
        encode(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", party.verifier.expose()),
        ])
    };
    // genkan:s3cret
    let request =
        Request::post("/simulator/token").header(header::AUTHORIZATION, "Basic Z2Vua2FuOnMzY3JldA==");
    let (status, ..) = party
        .send(request.body(Body::from(form(&party.code("").await))).unwrap())
        .await;
    assert_eq!(status, StatusCode::OK);

    let code = party.code("").await;
    for wrong in [
        ("client_secret", "wrong"),
        ("client_secret", ""),
        ("client_id", "other"),
    ] {
        let (status, body) = party.redeem(&code, &[wrong]).await;
        assert_eq!(
            (status, &body["error"]),
            (StatusCode::UNAUTHORIZED, &"invalid_client".into()),
            "{wrong:?}"
        );
    }
    assert_eq!(
        party.redeem(&code, &[]).await.0,
        StatusCode::OK,
        "a stranger does not spend a code"
    );
}

#[tokio::test]
async fn a_code_counts_once_for_its_own_request_and_for_a_minute() {
    let party = Party::new();
    let code = party.code("").await;
    assert_eq!(party.redeem(&code, &[]).await.0, StatusCode::OK);
    assert_eq!(party.redeem(&code, &[]).await.1["error"], "invalid_grant");

    let other = CodeVerifier::from_random([8; 32]);
    for wrong in [
        ("redirect_uri", "http://localhost:9999/cb"),
        ("redirect_uri", ""),
        ("code_verifier", ""),
        ("code_verifier", other.expose()),
    ] {
        let code = party.code("").await;
        assert_eq!(
            party.redeem(&code, &[wrong]).await.1["error"],
            "invalid_grant",
            "{wrong:?}"
        );
        assert_eq!(
            party.redeem(&code, &[]).await.1["error"],
            "invalid_grant",
            "a failed attempt spends it"
        );
    }

    let code = party.code("").await;
    party.clock.fetch_add(60, Ordering::Relaxed);
    assert_eq!(party.redeem(&code, &[]).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn strangers_get_a_page_and_never_a_redirect() {
    let party = Party::new();
    for wrong in [
        ("client_id", "other"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.test/"),
        (
            "redirect_uri",
            "http://localhost:8080/sso/v1/oidc/conn_1/../x/callback",
        ),
        (
            "redirect_uri",
            "http://localhost:8080.evil.test/sso/v1/oidc/conn_1/callback",
        ),
    ] {
        let query = party.request(&[wrong]);
        let (status, headers, _) = party.get(&format!("/simulator/authorize?{query}")).await;
        assert_eq!(
            (status, headers.get(header::LOCATION)),
            (StatusCode::BAD_REQUEST, None),
            "{wrong:?}"
        );
        let form = [("request", query.as_str()), ("email", "ada@example.com")];
        let (status, headers, _) = party.post("/simulator/authorize", &form).await;
        assert_eq!(
            (status, headers.get(header::LOCATION)),
            (StatusCode::BAD_REQUEST, None),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn refusals_go_back_with_state_and_issuer() {
    let party = Party::new();
    for (wrong, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("prompt", "none"), "login_required"),
    ] {
        let (status, headers, _) = party
            .get(&format!("/simulator/authorize?{}", party.request(&[wrong])))
            .await;
        let location = headers[header::LOCATION].to_str().unwrap();
        assert_eq!(status, StatusCode::SEE_OTHER);
        assert_eq!(answer(location, "error"), [error]);
        assert_eq!(answer(location, "state"), ["st"]);
        assert_eq!(answer(location, "iss"), ["http://localhost:8080/simulator"]);
    }

    let request = party.request(&[]);
    let form = [
        ("request", request.as_str()),
        ("error", "access_denied"),
        ("error_description", "No."),
    ];
    let (_, headers, _) = party.post("/simulator/authorize", &form).await;
    let location = headers[header::LOCATION].to_str().unwrap();
    assert_eq!(answer(location, "error_description"), ["No."]);
    assert!(answer(location, "code").is_empty());
}

#[tokio::test]
async fn a_wrong_form_is_shown_again_with_what_was_typed() {
    let party = Party::new();
    let request = party.request(&[]);
    let form = [
        ("request", request.as_str()),
        ("email", "\"><script>"),
        ("more", "{"),
        ("family_name", "<b>"),
    ];
    let (status, _, html) = party.post("/simulator/authorize", &form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(html.contains("aria-invalid=\"true\""));
    assert!(html.contains("value=\"&#60;b&#62;\""), "{html}");
    assert!(!html.contains("<script") && !html.contains("<b>"));
}

#[tokio::test]
async fn every_fault_of_the_id_token_shows() {
    let party = Party::new();
    let (_, verified) = party.tokens("bad_signature").await;
    assert_eq!(verified.unwrap_err(), JwtError::Signature);
    assert!(matches!(
        party.tokens("unknown_key").await.1,
        Err(JwtError::UnknownKey { .. })
    ));
    for fault in ["algorithm_none", "algorithm_hmac"] {
        assert!(
            matches!(
                party.tokens(fault).await.1,
                Err(JwtError::AlgorithmNotAllowed { .. })
            ),
            "{fault}"
        );
    }
    assert!(
        party.tokens("rotated_key").await.1.is_ok(),
        "a rotated key is published"
    );
    assert!(party.tokens("no_id_token").await.0.get("id_token").is_none());

    let right = party.tokens("").await.1.unwrap().claims;
    for (fault, claim) in [
        ("wrong_nonce", "nonce"),
        ("no_nonce", "nonce"),
        ("wrong_issuer", "iss"),
        ("wrong_audience", "aud"),
        ("second_audience", "aud"),
        ("expired", "exp"),
        ("not_yet_valid", "nbf"),
        ("no_subject", "sub"),
        ("no_email", "email"),
    ] {
        let wrong = party.tokens(fault).await.1.unwrap().claims;
        assert_ne!(wrong.get(claim), right.get(claim), "{fault}");
    }
    let (tokens, verified) = party.tokens("wrong_access_token_hash").await;
    let at_hash = left_half(Algorithm::Rs256, tokens["access_token"].as_str().unwrap());
    assert_ne!(verified.unwrap().claims["at_hash"], at_hash);
}

#[tokio::test]
async fn every_fault_of_the_answer_shows() {
    let party = Party::new();
    assert_eq!(answer(&party.sign_in("wrong_state").await, "state"), ["another"]);
    assert!(answer(&party.sign_in("no_state").await, "state").is_empty());
    assert_eq!(
        answer(&party.sign_in("wrong_response_issuer").await, "iss"),
        ["http://localhost:8080/simulator/other"]
    );
    assert!(answer(&party.sign_in("no_response_issuer").await, "iss").is_empty());
    assert_eq!(answer(&party.sign_in("repeated_code").await, "code").len(), 2);
}

#[tokio::test]
async fn every_fault_of_the_endpoints_shows() {
    let party = Party::new();
    assert_eq!(
        party.redeem(&party.code("token_error").await, &[]).await.1["error"],
        "invalid_grant"
    );
    let status = party.redeem(&party.code("token_server_error").await, &[]).await.0;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        party.redeem(&party.code("token_not_json").await, &[]).await,
        (StatusCode::OK, Value::Null)
    );

    for (fault, status, size) in [
        ("userinfo_server_error", StatusCode::INTERNAL_SERVER_ERROR, 0..1),
        ("userinfo_not_json", StatusCode::OK, 1..100),
        ("userinfo_huge", StatusCode::OK, 8 << 20..9 << 20),
        ("userinfo_other_subject", StatusCode::OK, 1..1000),
    ] {
        let (tokens, _) = party.tokens(fault).await;
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let request = Request::get("/simulator/userinfo").header(header::AUTHORIZATION, bearer);
        let (got, _, body) = party.send(request.body(Body::empty()).unwrap()).await;
        assert!(
            got == status && size.contains(&body.len()),
            "{fault}: {got}, {} bytes",
            body.len()
        );
    }
}

#[tokio::test]
async fn a_rotation_forgets_the_old_key() {
    let party = Party::new();
    let old = party.get("/simulator/keys").await.2;
    assert_eq!(party.get("/simulator/keys").await.2, old);
    assert_eq!(
        party.post("/simulator/rotate", &[]).await.0,
        StatusCode::SEE_OTHER
    );
    assert_ne!(party.get("/simulator/keys").await.2, old);
}

#[tokio::test]
async fn an_idp_initiated_login_leads_to_the_gateway_only() {
    let party = Party::new();
    let form = [
        ("connection_id", "conn_1"),
        ("login_hint", "ada@example.com"),
        ("target_link_uri", "https://a.test/?b"),
    ];
    let (_, headers, _) = party.post("/simulator/initiate", &form).await;
    assert_eq!(
        headers[header::LOCATION],
        "http://localhost:8080/sso/v1/oidc/conn_1/init?iss=http%3A%2F%2Flocalhost%3A8080%2Fsimulator&login_hint=ada%40example.com&target_link_uri=https%3A%2F%2Fa.test%2F%3Fb"
    );
    for bad in [
        "",
        "conn_",
        "conn_1/../../x",
        "conn_1?x",
        "//evil.test",
        "conn_１",
    ] {
        let (status, ..) = party.post("/simulator/initiate", &[("connection_id", bad)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
}
