//! Providers that want the authorization request pushed to them.
//!
//! Source: RFC 9126. npm oidc-provider and Keycloak take such requests in `tests/clients`;
//! here a provider does it wrong.

use genkan_testkit::{Browser, Canned, Gateway, Organization, Rp, on_each_engine};
use http::StatusCode;
use serde_json::{Value, json};

const PAR: &str = "/par";
const METADATA: &str = "/.well-known/openid-configuration";
const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c";

/// The provider's metadata with what RFC 9126 §5 adds.
async fn publish(gateway: &Gateway, required: bool) {
    let idp = gateway.idp().await;
    let mut metadata = idp.metadata().await;
    metadata["pushed_authorization_request_endpoint"] = idp.endpoint(PAR).into();
    metadata["require_pushed_authorization_requests"] = required.into();
    idp.answer(METADATA, Canned::json(&metadata));
}

fn taken() -> Canned {
    Canned {
        status: StatusCode::CREATED,
        ..Canned::json(&json!({ "request_uri": REFERENCE, "expires_in": 60 }))
    }
}

/// Begins a sign-in; tells the request at the provider's authorization endpoint.
async fn away(browser: &mut Browser, rp: &Rp) -> Value {
    let request = rp
        .authorize()
        .with("domain", "acme.test")
        .with("login_hint", "ada@acme.test");
    let _ = browser.start(&request).await;
    let at = browser.trail.last().unwrap();
    at.query_pairs()
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn company(gateway: &Gateway, push: bool) -> Organization {
    gateway
        .organization("acme.test")
        .with_settings(move |settings| settings.push_requests = push)
        .await
}

#[tokio::test]
async fn a_request_is_pushed_where_the_metadata_or_the_connection_asks_for_it() {
    on_each_engine(async |gateway: &Gateway| {
        for (required, push) in [(true, false), (false, true)] {
            let gateway = if required {
                gateway
            } else {
                &Gateway::start().await
            };
            publish(gateway, required).await;
            let idp = gateway.idp().await;
            idp.answer(PAR, taken());
            let acme = company(gateway, push).await;
            let rp = gateway.client("rp").await;
            let query = away(&mut gateway.browser(), &rp).await;
            // RFC 9126 §4: the browser carries who asks, and the reference.
            assert_eq!(
                query,
                json!({ "client_id": idp.client_id(), "request_uri": REFERENCE })
            );
            let pushed = idp.last_request(PAR);
            let redirect_uri = format!("{}/sso/v1/oidc/{}/callback", gateway.url(), acme.connection_id());
            for (name, value) in [
                ("response_type", "code"),
                ("scope", "openid profile email"),
                ("code_challenge_method", "S256"),
                ("login_hint", "ada@acme.test"),
                ("redirect_uri", &redirect_uri),
            ] {
                assert_eq!(pushed.parameter(name).as_deref(), Some(value), "{name}");
            }
            for name in ["state", "nonce", "code_challenge"] {
                assert_eq!(pushed.parameter(name).unwrap().len(), 43, "{name}");
            }
            // It authenticates as at the token endpoint (RFC 9126 §2).
            assert!(pushed.headers.contains_key("authorization"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_goes_by_the_browser_where_nobody_asks_for_more() {
    let gateway = Gateway::start().await;
    publish(&gateway, false).await;
    company(&gateway, false).await;
    let rp = gateway.client("rp").await;
    let query = away(&mut gateway.browser(), &rp).await;
    assert_eq!(query["response_type"], "code");
    assert!(gateway.idp().await.requests(PAR).is_empty());
}

/// What a provider answers, what comes of it, and a word of the trace and of the remedy.
struct Wrong {
    answer: Canned,
    status: u16,
    cause: &'static str,
    received: &'static str,
    remedy: &'static str,
}

fn refused(status: StatusCode, body: &Value, received: &'static str, remedy: &'static str) -> Wrong {
    Wrong {
        answer: Canned {
            status,
            ..Canned::json(body)
        },
        status: 403,
        cause: "pushed_request_refused",
        received,
        remedy,
    }
}

fn malformed(body: &Value) -> Wrong {
    Wrong {
        cause: "pushed_request_malformed",
        ..refused(StatusCode::CREATED, body, "application/json", "RFC 9126 §2.2")
    }
}

fn everything_wrong() -> Vec<Wrong> {
    let error = |code: &str, description: &str| json!({ "error": code, "error_description": description });
    let bad = StatusCode::BAD_REQUEST;
    vec![
        refused(
            StatusCode::UNAUTHORIZED,
            &error("invalid_client", "Invalid client"),
            "401 invalid_client Invalid client",
            "client secret",
        ),
        refused(
            bad,
            &error("invalid_request", "redirect_uri"),
            "400 invalid_request redirect_uri",
            "Register the redirect URI",
        ),
        refused(bad, &error("invalid_scope", ""), "400 invalid_scope", "scope"),
        refused(
            StatusCode::NOT_FOUND,
            &json!(null),
            "status 404",
            "--push-requests off",
        ),
        refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!(null),
            "status 500",
            "sign-in log",
        ),
        malformed(&json!({ "expires_in": 60 })),
        malformed(&json!({ "request_uri": "a\u{7}b c", "expires_in": 60 })),
        Wrong {
            answer: Canned::redirect("https://elsewhere.test/"),
            status: 503,
            cause: "pushed_request_unreachable",
            received: "",
            remedy: "",
        },
    ]
}

#[tokio::test]
async fn whatever_goes_wrong_is_in_the_trace_with_what_to_do() {
    for wrong in everything_wrong() {
        let gateway = Gateway::start().await;
        publish(&gateway, true).await;
        gateway.idp().await.answer(PAR, wrong.answer);
        company(&gateway, false).await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let page = browser
            .start(&rp.authorize().with("domain", "acme.test"))
            .await
            .page();
        assert_eq!(
            (page.reply.status.as_u16(), page.heading()),
            (wrong.status, "We could not sign you in")
        );
        let trace = gateway.login_trace().await;
        assert_eq!(trace.cause, wrong.cause);
        let check = trace.trace.checks().last().unwrap();
        assert_eq!(check.name, "Pushed authorization request");
        let told = serde_json::to_string(&check).unwrap();
        assert!(told.contains(wrong.received), "{told}");
        assert!(trace.remedy.contains(wrong.remedy), "{}", trace.remedy);
        let secret = gateway.idp().await.client_secret();
        assert!(!told.contains(secret) && !page.reply.text().contains(secret));
    }
}

/// A provider that takes no other and says nowhere where.
#[tokio::test]
async fn a_connection_that_pushes_to_a_provider_without_the_endpoint_is_told_so() {
    let gateway = Gateway::start().await;
    company(&gateway, true).await;
    let rp = gateway.client("rp").await;
    let page = gateway
        .browser()
        .start(&rp.authorize().with("domain", "acme.test"))
        .await
        .page();
    assert_eq!(page.reply.status, 403);
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "pushed_request_endpoint_missing");
    assert!(trace.remedy.contains("--push-requests off"), "{}", trace.remedy);
}

/// RFC 9126 §6: asked of single clients, as Keycloak does; its metadata do not tell.
#[tokio::test]
async fn a_provider_that_refuses_requests_by_the_browser_leads_to_the_setting() {
    let gateway = Gateway::start().await;
    publish(&gateway, false).await;
    let acme = company(&gateway, false).await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let query = away(&mut browser, &rp).await;
    let answer = format!(
        "{}/sso/v1/oidc/{}/callback?error=invalid_request&error_description=Pushed+Authorization+Request+is+only+allowed\
         &state={}&iss={}",
        gateway.url(),
        acme.connection_id(),
        query["state"].as_str().unwrap(),
        gateway.idp().await.issuer(),
    );
    let callback = browser.open(&answer).await.callback();
    assert_eq!(callback.error(), "invalid_request");
    let trace = gateway.login_trace().await;
    assert!(trace.remedy.contains("--push-requests on"), "{}", trace.remedy);
}
