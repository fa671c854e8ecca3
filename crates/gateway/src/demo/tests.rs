//! The demo application with a gateway whose answers the test chooses.

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use genkan_protocol::jose::{Algorithm, SigningKey};
use genkan_protocol::oauth::Parameters;
use genkan_protocol::oidc::{LogoutToken, left_half};
use genkan_web::samples::{Samples, answers};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::session::{BROWSER_COOKIE, SESSION_COOKIE, Session};
use super::*;

const NOW: i64 = 1_795_000_000;

fn config(issuer: String) -> DemoConfig {
    genkan_web::listener::install_crypto_provider();
    DemoConfig {
        issuer,
        url: "http://localhost:8090".to_owned(),
        client_id: "webc_1".to_owned(),
        client_secret: "s3cret".to_owned(),
        organization_id: "org_000000000000000000001".to_owned(),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    }
}

/// The application with somebody signed in, and the cookie.
fn sample() -> (Router, String) {
    let object = |value: Value| value.as_object().cloned().unwrap();
    let id_claims = object(json!({
        "iss": "http://localhost:8080", "aud": ["webc_1"], "sub": "usr_000000000000000000001",
        "email": "ada@example.com", "name": "Ada Lovelace", "oid": "org_000000000000000000001",
        "sid": "ses_000000000000000000001", "amr": ["conn_000000000000000000001"], "iat": NOW, "exp": NOW + 300,
        "identities": [{"connection_id": "conn_000000000000000000001", "provider_raw_attributes": "{\"groups\":[\"Engineering\"]}"}],
    }));
    let access_claims = object(json!({
        "sub": "usr_000000000000000000001", "roles": ["admin", "member"], "scope": "openid profile email",
        "exp": NOW + 300, "jti": "tkn_000000000000000000001",
    }));
    let userinfo =
        object(json!({ "sub": "usr_000000000000000000001", "groups": ["Engineering", "Everyone"] }));
    let session = Session {
        id_token: String::new(),
        refresh_token: Some("r".to_owned()),
        id_claims,
        access_claims,
        userinfo,
    };
    let now = Timestamp::from_secs(NOW);
    let sessions = Sessions::default();
    sessions.insert("s1".to_owned(), session, now);
    let relying_party = RelyingParty::new(config("http://localhost:8080".to_owned()));
    let demo = Demo(Arc::new(Inner {
        relying_party,
        sessions,
        clock: Box::new(move || now),
    }));
    (routes(demo), format!("{SESSION_COOKIE}=s1"))
}

pub(crate) async fn samples() -> Samples {
    let (router, cookie) = sample();
    let get = |path: &str| Request::get(path);
    let requests = [
        ("desk-demo", get("/?ended").body(Body::empty()).unwrap()),
        (
            "desk-demo-greeting",
            get("/").header("cookie", cookie).body(Body::empty()).unwrap(),
        ),
        (
            "demo-refused",
            get("/callback?error=x").body(Body::empty()).unwrap(),
        ),
    ];
    answers(&router, requests).await
}

/// What the fake gateway answers next.
#[derive(Default)]
struct Script {
    /// Changes the claims of the next ID token.
    id_claims: Map<String, Value>,
    /// The next token request is refused.
    refuses: bool,
    /// What was sent to the token endpoint.
    seen: Vec<Parameters>,
}

/// A gateway that signs any claims, the application, and a browser's cookies.
struct World {
    issuer: String,
    key: Arc<Mutex<SigningKey>>,
    script: Arc<Mutex<Script>>,
    app: Router,
    cookies: Mutex<Vec<(String, String)>>,
}

impl World {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(Mutex::new(new_key("snk_1")));
        let script = Arc::new(Mutex::new(Script::default()));
        let gateway = gateway(issuer.clone(), Arc::clone(&key), Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, gateway).await });
        let app = router(config(issuer.clone()), || Timestamp::from_secs(NOW));
        Self {
            issuer,
            key,
            script,
            app,
            cookies: Mutex::default(),
        }
    }

    /// A request of the browser; its cookies are sent and kept.
    async fn send(
        &self,
        request: axum::http::request::Builder,
        body: String,
    ) -> (StatusCode, HeaderMap, String) {
        let pairs: Vec<String> = self
            .cookies
            .lock()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(header::COOKIE, pairs.join("; "))
            .body(Body::from(body))
            .unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        self.keep_cookies(&parts.headers);
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock();
        for line in headers.get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            cookies.retain(|(known, _)| known != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        self.send(Request::get(path), String::new()).await
    }

    async fn post(&self, path: &str, body: String) -> (StatusCode, HeaderMap, String) {
        self.send(Request::post(path), body).await
    }

    /// `GET /login`; the parameters of the authorization request.
    async fn begin(&self, query: &str) -> Vec<(String, String)> {
        let (status, headers, _) = self.get(&format!("/login?{query}")).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let location = url::Url::parse(headers[header::LOCATION].to_str().unwrap()).unwrap();
        assert_eq!(location.path(), "/oauth/authorize");
        let query: Vec<_> = location.query_pairs().into_owned().collect();
        self.script
            .lock()
            .id_claims
            .insert("nonce".to_owned(), one(&query, "nonce").into());
        query
    }

    /// The whole sign-in; `change` are claims of the ID token.
    async fn sign_in(&self, change: Value) -> (StatusCode, HeaderMap, String) {
        let state = one(&self.begin("").await, "state").to_owned();
        self.script
            .lock()
            .id_claims
            .extend(change.as_object().cloned().unwrap());
        self.get(&format!("/callback?code=c&state={state}&iss={}", self.issuer))
            .await
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        self.key.lock().sign(typ, claims).unwrap()
    }

    fn logout_token(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": ["webc_1"], "sub": "usr_1", "sid": "ses_1", "jti": "tkn_1",
            "iat": NOW, "exp": NOW + 120, "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        })
    }
}

fn new_key(kid: &str) -> SigningKey {
    SigningKey::generate(kid.to_owned(), Algorithm::Es256).unwrap().0
}

fn one<'a>(query: &'a [(String, String)], name: &str) -> &'a str {
    query
        .iter()
        .find(|(known, _)| known == name)
        .map_or("", |(_, value)| value)
}

fn gateway(issuer: String, key: Arc<Mutex<SigningKey>>, script: Arc<Mutex<Script>>) -> Router {
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/oidc/logout"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": true,
    });
    let published = Arc::clone(&key);
    let token = move |body: Bytes| async move {
        let mut script = script.lock();
        script.seen.push(Parameters::parse(&body).unwrap());
        if script.refuses {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
        }
        let key = key.lock();
        let access_token = key
            .sign(
                "JWT",
                &json!({ "sub": "usr_1", "exp": NOW + 300, "roles": ["admin"] }),
            )
            .unwrap();
        let mut claims = json!({
            "iss": issuer, "aud": ["webc_1"], "sub": "usr_1", "sid": "ses_1", "iat": NOW, "exp": NOW + 300,
            "name": "<b>Ada</b>", "email": "ada@example.com", "at_hash": left_half(Algorithm::Es256, &access_token),
        });
        claims.as_object_mut().unwrap().extend(script.id_claims.clone());
        let id_token = key.sign("JWT", &claims).unwrap();
        let tokens = json!({ "access_token": access_token, "id_token": id_token, "refresh_token": "r" });
        (StatusCode::OK, Json(tokens))
    };
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(move || async move { Json(metadata) }),
        )
        .route(
            "/keys",
            get(move || async move { Json(json!({ "keys": [published.lock().public_jwk()] })) }),
        )
        .route("/oauth/token", post(token))
        .route("/userinfo", get(async || Json(json!({ "sub": "usr_1" }))))
}

#[tokio::test]
async fn a_person_signs_in_is_greeted_and_signs_out() {
    let world = World::start().await;
    assert!(
        world
            .get("/")
            .await
            .2
            .contains("Sign in to the Test Organization")
    );

    let query = world.begin("organization_id=org_1&redirect_uri=evil").await;
    assert_eq!(one(&query, "organization_id"), "org_1");
    assert_eq!(one(&query, "redirect_uri"), "http://localhost:8090/callback");
    assert_eq!(one(&query, "code_challenge_method"), "S256");

    let (status, headers, body) = world.sign_in(json!({})).await;
    assert_eq!(
        (status, &headers[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/".parse().unwrap()),
        "{body}"
    );
    let sent = world.script.lock().seen.pop().unwrap();
    assert_eq!(sent.one("grant_type"), Ok(Some("authorization_code")));
    assert!(sent.one("code_verifier").unwrap().is_some());

    let html = world.get("/").await.2;
    assert!(
        html.contains("Hello &#60;b&#62;Ada&#60;/b&#62;"),
        "what is told is escaped"
    );

    let (_, headers, _) = world.post("/logout", String::new()).await;
    let location = url::Url::parse(headers[header::LOCATION].to_str().unwrap()).unwrap();
    let query: Vec<_> = location.query_pairs().into_owned().collect();
    assert_eq!(location.path(), "/oidc/logout");
    assert_eq!(one(&query, "post_logout_redirect_uri"), "http://localhost:8090");
    assert!(one(&query, "id_token_hint").starts_with("ey"));
    assert!(
        world
            .get("/")
            .await
            .2
            .contains("Sign in to the Test Organization")
    );
}

#[tokio::test]
async fn a_cookie_of_another_application_keeps_nobody_out() {
    let world = World::start().await;
    let foreign = ("lang".to_owned(), "Français".to_owned());
    world.cookies.lock().push(foreign);
    let (status, ..) = world.sign_in(json!({})).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(world.get("/").await.2.contains("Hello"));
}

#[tokio::test]
async fn an_answer_counts_once_and_in_its_own_browser_only() {
    let world = World::start().await;
    let state = one(&world.begin("").await, "state").to_owned();
    let callback = format!("/callback?code=c&state={state}&iss={}", world.issuer);

    let mine = std::mem::take(&mut *world.cookies.lock());
    assert_eq!(world.get(&callback).await.0, StatusCode::BAD_REQUEST, "no cookie");
    *world.cookies.lock() = vec![(BROWSER_COOKIE.to_owned(), "another".to_owned())];
    assert_eq!(
        world.get(&callback).await.0,
        StatusCode::BAD_REQUEST,
        "another browser"
    );

    *world.cookies.lock() = mine;
    assert_eq!(
        world.get(&callback).await.0,
        StatusCode::BAD_REQUEST,
        "the attempts have spent it"
    );
    assert!(world.script.lock().seen.is_empty(), "no code was ever presented");
}

#[tokio::test]
async fn an_answer_in_another_name_is_refused() {
    let world = World::start().await;
    for iss in ["", "&iss=https%3A%2F%2Fevil.test"] {
        let state = one(&world.begin("").await, "state").to_owned();
        let (status, ..) = world.get(&format!("/callback?code=c&state={state}{iss}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{iss}");
    }
    let state = one(&world.begin("").await, "state").to_owned();
    let query = format!(
        "error=access_denied&error_description=%3Cscript%3E&state={state}&iss={}",
        world.issuer
    );
    let (status, _, html) = world.get(&format!("/callback?{query}")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(html.contains("access_denied") && !html.contains("<script>"));
}

#[tokio::test]
async fn a_wrong_id_token_signs_nobody_in() {
    let world = World::start().await;
    for wrong in [
        json!({ "nonce": "another" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "aud": ["webc_2"] }),
        json!({ "exp": NOW - 3600 }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
        json!({ "sub": "usr_2" }),
    ] {
        *world.script.lock() = Script::default();
        let (status, ..) = world.sign_in(wrong.clone()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{wrong}");
        assert!(
            world
                .cookies
                .lock()
                .iter()
                .all(|(name, _)| name != SESSION_COOKIE),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_refreshed_tokens_are_kept() {
    let world = World::start().await;
    world.sign_in(json!({})).await;
    *world.key.lock() = new_key("snk_2");
    {
        let mut script = world.script.lock();
        script.id_claims.insert("name".to_owned(), "Augusta".into());
        script.id_claims.remove("nonce");
    }
    let (_, headers, _) = world.post("/refresh", String::new()).await;
    assert_eq!(headers[header::LOCATION], "/");
    assert!(world.get("/").await.2.contains("Hello Augusta"));

    world.script.lock().refuses = true;
    let (_, headers, _) = world.post("/refresh", String::new()).await;
    assert_eq!(headers[header::LOCATION], "/?ended");
    assert!(world.get("/?ended").await.2.contains("Your session has ended"));
}

#[tokio::test]
async fn a_logout_token_ends_the_session_and_no_other_token_does() {
    let world = World::start().await;
    world.sign_in(json!({})).await;
    let right = world.logout_token();
    let change = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        claims
    };
    let another = new_key("snk_1").sign(LogoutToken::TYP, &right).unwrap();
    let wrong = [
        ("another key", another),
        ("another type", world.sign("JWT", &right)),
        (
            "another issuer",
            world.sign(LogoutToken::TYP, &change("iss", "https://evil.test".into())),
        ),
        (
            "another application",
            world.sign(LogoutToken::TYP, &change("aud", json!(["webc_2"]))),
        ),
        ("old", world.sign(LogoutToken::TYP, &change("exp", NOW.into()))),
        (
            "from the future",
            world.sign(LogoutToken::TYP, &change("iat", (NOW + 3600).into())),
        ),
        (
            "with a nonce",
            world.sign(LogoutToken::TYP, &change("nonce", "n".into())),
        ),
        (
            "another event",
            world.sign(LogoutToken::TYP, &change("events", json!({ "x": {} }))),
        ),
    ];
    for (what, token) in wrong {
        let (status, ..) = world
            .post(BACK_CHANNEL_LOGOUT_PATH, format!("logout_token={token}"))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}");
    }
    assert!(world.get("/").await.2.contains("Hello"));

    let token = world.sign(LogoutToken::TYP, &right);
    let (status, headers, _) = world
        .post(BACK_CHANNEL_LOGOUT_PATH, format!("logout_token={token}"))
        .await;
    assert_eq!(
        (status, &headers[header::CACHE_CONTROL]),
        (StatusCode::OK, &"no-store".parse().unwrap())
    );
    assert!(!world.get("/").await.2.contains("Hello"));
}

#[tokio::test]
async fn a_login_from_the_provider_becomes_an_ordinary_one() {
    let world = World::start().await;
    let own = "http://localhost:8090/login";
    let claims = |exp: i64, iss: &str, aud: &str| {
        json!({
            "iss": iss, "aud": aud, "organization_id": "org_1", "connection_id": "conn_1", "login_hint": "ada@example.com",
            "iat": NOW, "nbf": NOW, "exp": exp,
        })
    };
    let token = world.sign("JWT", &claims(NOW + 300, &world.issuer, own));
    let query = world.begin(&format!("idp_initiated_login={token}")).await;
    assert_eq!(one(&query, "connection_id"), "conn_1");
    assert_eq!(one(&query, "login_hint"), "ada@example.com");
    assert!(!one(&query, "state").is_empty());

    for wrong in [
        claims(NOW, &world.issuer, own),
        claims(NOW + 300, "https://evil.test", own),
        claims(NOW + 300, &world.issuer, "webc_1"),
    ] {
        let token = world.sign("JWT", &wrong);
        let (status, headers, _) = world.get(&format!("/login?idp_initiated_login={token}")).await;
        assert_eq!(
            (status, headers.get(header::LOCATION)),
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        );
    }
}
