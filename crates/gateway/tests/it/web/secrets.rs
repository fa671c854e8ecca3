//! Secrets are in no log, in no other answer than their own, and not in the database.

use std::collections::BTreeMap;

use genkan::simulator::Fault;
use genkan_db::Engine;
use genkan_testkit::{Browser, Gateway, Logs, Person, Receiver, Rp, Tokens};
use url::Url;

/// Every secret that a test has seen, with its name.
#[derive(Debug, Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn add(&mut self, name: &str, value: &str) {
        assert!(value.len() >= 16, "{name} is too short to be looked for: {value}");
        let count = self.0.len();
        self.0.insert(format!("{name} {count}"), value.to_owned());
    }

    fn add_browser(&mut self, browser: &Browser) {
        for cookie in browser.cookies.iter() {
            self.add(&cookie.name, &cookie.value);
        }
        for url in &browser.trail {
            self.add_url(url);
        }
    }

    /// What stands in an address on the way.
    fn add_url(&mut self, url: &Url) {
        for (name, value) in url.query_pairs() {
            if ["code", "state", "nonce", "id_token_hint", "idp_initiated_login"].contains(&&*name) {
                self.add(&name, &value);
            }
        }
    }

    fn add_tokens(&mut self, tokens: &Tokens) {
        self.add("access token", &tokens.access_token);
        self.add("ID token", tokens.id_token());
        self.add("refresh token", tokens.refresh_token());
    }

    fn add_client(&mut self, rp: &Rp) {
        self.add("client secret", rp.secret.as_deref().unwrap());
    }

    fn are_absent_from(&self, text: &str, place: &str) {
        for (name, value) in &self.0 {
            if let Some(at) = text.find(value.as_str()) {
                let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                panic!("{name} is in {place}: {}", &text[start..at + value.len()]);
            }
        }
    }
}

/// A life of an application and its people, with everything that goes wrong in it.
async fn live(gateway: &Gateway, secrets: &mut Secrets) {
    gateway.organization("acme.test").with_oidc_connection().await;
    let receiver = Receiver::start().await;
    let rp = gateway
        .client("rp")
        .strict_refresh_rotation()
        .back_channel_logout(receiver.url())
        .await;
    secrets.add_client(&rp);
    let mut browser = gateway.browser();
    let request = rp.authorize();
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    secrets.add("code", &code.code);
    secrets.add("code verifier", code.code_verifier.as_deref().unwrap());
    let tokens = rp.redeem(&code).await.expect_tokens();
    secrets.add_tokens(&tokens);
    let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    secrets.add_tokens(&refreshed);
    rp.userinfo(&refreshed.access_token).await;
    rp.introspect(&refreshed.access_token).await;
    rp.introspect(refreshed.refresh_token()).await;
    rp.revoke(&refreshed.access_token).await;
    // Replays and mistakes are logged most eagerly.
    rp.redeem(&code).await;
    rp.refresh(tokens.refresh_token()).await;
    rp.post("/oauth/token", &[("grant_type", tokens.refresh_token())])
        .send()
        .await;
    let wrong = "wrong-secret-of-somebody-who-mistyped";
    secrets.add("wrong secret", wrong);
    let form = [
        ("client_id", rp.id.as_str()),
        ("client_secret", wrong),
        ("grant_type", "client_credentials"),
    ];
    rp.post_as_nobody("/oauth/token", &form).send().await;

    for fault in [
        Fault::WrongNonce,
        Fault::BadSignature,
        Fault::TokenError,
        Fault::NoIdToken,
    ] {
        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let person = Person::new("ada@acme.test").with_fault(fault);
        let page = browser.go_on(arrival, &person).await.page();
        secrets.add_browser(&browser);
        // The callback's own address is answered again: its state and code are spent.
        let _ = browser.open(page.url.as_str()).await;
    }
    let logout = rp.logout_url(&[("id_token_hint", tokens.id_token())]);
    let _ = browser.open(&logout).await;
    secrets.add("logout token", &receiver.next().await);
    secrets.add_browser(&browser);

    let idp = gateway.idp().await;
    secrets.add("upstream client secret", idp.client_secret());
    for request in idp.requests("/token") {
        for name in ["code", "code_verifier"] {
            secrets.add(name, &request.parameter(name).unwrap());
        }
        let credentials = request.headers["authorization"].to_str().unwrap();
        secrets.add(
            "upstream credentials",
            credentials.strip_prefix("Basic ").unwrap(),
        );
    }
    for request in idp.requests("/userinfo") {
        let token = request.headers["authorization"].to_str().unwrap();
        secrets.add("upstream access token", token.strip_prefix("Bearer ").unwrap());
    }
}

#[tokio::test]
async fn no_secret_reaches_a_log() {
    let gateway = Gateway::start().await;
    // As verbose as an operator can make it, short of what is inside of TLS and HTTP/2.
    let logs = Logs::capture_of_all_threads("trace,h2=off,hyper=off,hyper_util=off,reqwest=off,rustls=off");
    let mut secrets = Secrets::default();
    live(&gateway, &mut secrets).await;
    let text = logs.text();
    assert!(
        text.contains("login failed at the identity provider"),
        "the log was captured: {text}"
    );
    assert!(text.contains("/oauth/token"), "requests are logged: {text}");
    assert!(secrets.0.len() > 40, "{}", secrets.0.len());
    secrets.are_absent_from(&text, "the log");
}

/// The libraries below us, at the level that people use to look for mistakes.
#[tokio::test]
async fn no_secret_reaches_a_log_of_the_libraries() {
    let gateway = Gateway::start().await;
    let logs = Logs::capture_of_all_threads("debug");
    let mut secrets = Secrets::default();
    live(&gateway, &mut secrets).await;
    secrets.are_absent_from(&logs.text(), "the log");
}

/// A stolen backup redeems nothing.
#[tokio::test]
async fn no_secret_is_in_the_database() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.engine(), Engine::Sqlite);
    let mut secrets = Secrets::default();
    live(&gateway, &mut secrets).await;
    // The application's own state and nonce are kept until it has its answer.
    secrets
        .0
        .retain(|name, _| !name.starts_with("state") && !name.starts_with("nonce"));
    let mut searched = 0;
    for file in gateway.database_files() {
        let bytes = std::fs::read(&file).unwrap();
        searched += bytes.len();
        secrets.are_absent_from(&String::from_utf8_lossy(&bytes), &file.display().to_string());
    }
    assert!(searched > 100_000, "{searched} bytes");
}

#[tokio::test]
async fn an_error_page_shows_neither_code_nor_state() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for fault in [
        Fault::WrongNonce,
        Fault::WrongResponseIssuer,
        Fault::TokenServerError,
        Fault::NoEmail,
    ] {
        let mut browser = gateway.browser();
        let request = rp.authorize();
        let arrival = browser.start(&request).await;
        let person = Person::new("ada@acme.test").with_fault(fault);
        let page = browser.go_on(arrival, &person).await.page();
        let mut secrets = Secrets::default();
        secrets.add_url(&page.url);
        secrets.add("nonce", request.parameter("nonce").unwrap());
        secrets.are_absent_from(page.reply.text(), "the page");
    }
}
