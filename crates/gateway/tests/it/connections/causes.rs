//! Each cause of OpenID Connect, with a provider that provokes it. The causes of SAML are provoked in the
//! crate `genkan-protocol` (`saml_messages::causes`) and in `saml`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan::simulator::Fault;
use genkan_db::p;
use genkan_protocol::oidc::Cause;
use genkan_store::login_trace::LoginTrace;
use genkan_store::{connection, login_message};
use genkan_testkit::{Browser, Canned, Gateway, Organization, Person};
use http::StatusCode;
use serde_json::{Value, json};

use super::saml::provider::lead_there;

const METADATA: &str = "/.well-known/openid-configuration";
const PAR: &str = "/par";

/// What goes wrong.
enum Scene {
    /// The provider makes a mistake of the simulator's.
    Fault(Fault),
    /// The provider answers so at this path.
    Answer(&'static str, Canned),
    /// Its metadata say this.
    Metadata(&'static str, Value),
    /// Requests are pushed, and it answers so.
    Pushed(Option<Canned>),
    /// Its ID tokens have these claims, made of the present second. The application wants a recent sign-in.
    Claims(fn(i64) -> Value),
    /// Its ID token is this text.
    IdToken(String),
    /// The person has another address there.
    Address(&'static str),
    /// The ID token has no address, and the userinfo answers so.
    Userinfo(Canned),
    /// The browser comes back with these parameters, although a form was asked for or not.
    Return { with: &'static str, form_post: bool },
    /// The secret was sealed under another instance key.
    Secret,
}

/// An ID token with this header, which no key has signed.
fn token(header: &str) -> Scene {
    let [header, claims] = [header, "{}"].map(|json| URL_SAFE_NO_PAD.encode(json));
    Scene::IdToken(format!("{header}.{claims}.AAAA"))
}

/// A new cause does not compile until it has a scene.
fn scene(cause: Cause) -> Scene {
    let page = |status| Canned {
        body: "<h1>".to_owned(),
        ..Canned::status(status)
    };
    match cause {
        Cause::ProviderUnreachable => Scene::Answer(METADATA, Canned::redirect("https://elsewhere.test/")),
        Cause::ProviderMetadataMissing => Scene::Answer(METADATA, Canned::status(StatusCode::NOT_FOUND)),
        Cause::ProviderMetadataInvalid => Scene::Metadata("issuer", json!("https://evil.test")),
        Cause::ProviderMetadataIncomplete => Scene::Metadata("token_endpoint", Value::Null),
        Cause::PushedRequestEndpointMissing => Scene::Pushed(None),
        Cause::PushedRequestUnreachable => Scene::Pushed(Some(Canned::redirect("https://elsewhere.test/"))),
        Cause::PushedRequestMalformed => Scene::Pushed(Some(page(StatusCode::CREATED))),
        Cause::PushedRequestRefused => Scene::Pushed(Some(page(StatusCode::BAD_REQUEST))),
        Cause::AuthorizationResponseModeMismatch => Scene::Return {
            with: "code=c",
            form_post: true,
        },
        Cause::AuthorizationResponseMalformed => Scene::Fault(Fault::RepeatedCode),
        Cause::AuthorizationResponseIssuerMismatch => Scene::Fault(Fault::WrongResponseIssuer),
        Cause::ProviderError => Scene::Return {
            with: "error=access_denied",
            form_post: false,
        },
        Cause::ClientSecretUnreadable => Scene::Secret,
        Cause::TokenEndpointUnreachable => Scene::Fault(Fault::TokenHuge),
        Cause::FailedToExchangeToken => Scene::Fault(Fault::TokenError),
        Cause::TokenResponseMalformed => Scene::Fault(Fault::TokenNotJson),
        Cause::IdTokenMissing => Scene::Fault(Fault::NoIdToken),
        Cause::JwksUnreachable => Scene::Answer("/keys", page(StatusCode::OK)),
        Cause::TokenTooLong => Scene::IdToken("x".repeat(70_000)),
        Cause::TokenMalformed => Scene::IdToken("x".to_owned()),
        Cause::AlgorithmNotAllowed => Scene::Fault(Fault::AlgorithmHmac),
        Cause::CriticalHeaderUnsupported => token(r#"{"alg":"RS256","kid":"idp-1","crit":["b64"]}"#),
        Cause::SigningKeyUnknown => Scene::Fault(Fault::UnknownKey),
        Cause::SigningKeyMismatch => token(r#"{"alg":"ES256","kid":"idp-1"}"#),
        Cause::SignatureInvalid => Scene::Fault(Fault::BadSignature),
        Cause::IdTokenIssuerMismatch => Scene::Fault(Fault::WrongIssuer),
        Cause::IdTokenAudienceMismatch => Scene::Fault(Fault::WrongAudience),
        Cause::IdTokenAuthorizedPartyMismatch => Scene::Fault(Fault::SecondAudience),
        Cause::IdTokenExpired => Scene::Fault(Fault::Expired),
        Cause::IdTokenIssuedAtImplausible => Scene::Fault(Fault::NotYetValid),
        Cause::IdTokenNotYetValid => Scene::Claims(|now| json!({ "nbf": now + 3600 })),
        Cause::IdTokenNonceMismatch => Scene::Fault(Fault::WrongNonce),
        Cause::IdTokenAccessTokenHashMismatch => Scene::Fault(Fault::WrongAccessTokenHash),
        Cause::IdTokenAuthenticationTimeMissing => Scene::Claims(|_| json!({ "auth_time": null })),
        Cause::IdTokenAuthenticationTooOld => Scene::Claims(|now| json!({ "auth_time": now - 7200 })),
        Cause::IdTokenSubjectUnusable => Scene::Fault(Fault::NoSubject),
        Cause::UserinfoSubjectMismatch => Scene::Fault(Fault::UserInfoOtherSubject),
        Cause::UserInfoRetrieveFailed => Scene::Userinfo(Canned::status(StatusCode::FORBIDDEN)),
        Cause::MandatoryAttributeMissing => Scene::Fault(Fault::NoEmail),
        Cause::MandatoryAttributeMalformed => Scene::Address("ada lovelace@acme.test"),
    }
}

/// The trace of a sign-in in which this goes wrong.
async fn trace_of(scene: Scene) -> LoginTrace {
    let gateway = Gateway::start().await;
    let form_post = matches!(scene, Scene::Return { form_post: true, .. });
    let push = matches!(scene, Scene::Pushed(_));
    let acme = gateway
        .organization("acme.test")
        .with_settings(move |settings| {
            (settings.form_post, settings.push_requests) = (form_post, push);
            // With a claim to look for, so that userinfo is asked.
            settings.name_groups(Some("groups"));
        })
        .await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    let mut request = rp.authorize().with("domain", "acme.test");
    let mut person = Person::new("ada@acme.test");
    let mut returns = None;
    match scene {
        Scene::Fault(fault) => person = person.with_fault(fault),
        Scene::Answer(path, canned) => idp.answer(path, canned),
        Scene::Metadata(name, value) => {
            let mut metadata = idp.metadata().await;
            metadata[name] = value;
            idp.answer(METADATA, Canned::json(&metadata));
        }
        Scene::Pushed(canned) => {
            if let Some(canned) = canned {
                let mut metadata = idp.metadata().await;
                metadata["pushed_authorization_request_endpoint"] = idp.endpoint(PAR).into();
                idp.answer(METADATA, Canned::json(&metadata));
                idp.answer(PAR, canned);
            }
        }
        Scene::Claims(claims) => {
            idp.change_id_tokens(&claims(gateway.now().as_secs()));
            request = request.with("max_age", "300");
        }
        Scene::IdToken(text) => {
            let tokens = json!({ "access_token": "a", "token_type": "Bearer", "id_token": text });
            idp.answer("/token", Canned::json(&tokens));
        }
        Scene::Address(text) => person = person.with_claims(&json!({ "email": text })),
        Scene::Userinfo(canned) => {
            idp.change_id_tokens(&json!({ "email": null }));
            idp.answer("/userinfo", canned);
        }
        Scene::Return { with, .. } => returns = Some(with),
        Scene::Secret => {
            acme.change_connection(|connection| connection.client_secret_sealed = Some(vec![0; 64]))
                .await;
        }
    }
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    match returns {
        Some(with) => come_back(&gateway, &acme, &mut browser, with).await,
        None => drop(browser.go_on(arrival, person).await),
    }
    gateway.login_trace().await
}

/// The provider's redirect, with the state of the request.
async fn come_back(gateway: &Gateway, acme: &Organization, browser: &mut Browser, with: &str) {
    let there = browser.trail.last().unwrap();
    let (_, state) = there.query_pairs().find(|(name, _)| name == "state").unwrap();
    let answer = format!(
        "{}/sso/v1/oidc/{}/callback?{with}&state={state}&iss={}",
        gateway.url(),
        acme.connection_id(),
        gateway.idp().await.issuer()
    );
    let _ = browser.open(&answer).await;
}

#[tokio::test]
async fn every_cause_of_openid_connect_has_a_provider_that_provokes_it() {
    for &cause in Cause::all() {
        let trace = trace_of(scene(cause)).await;
        assert_eq!(trace.cause, cause.code(), "{:?}", trace.trace);
        assert!(trace.trace.failure().is_some(), "{}", cause.code());
        // The event, and then the advice.
        let next = trace.remedy.strip_prefix(cause.sentence()).unwrap_or_default();
        assert!(
            next.len() > 20 && next.starts_with(' ') && next.ends_with('.'),
            "{}",
            trace.remedy
        );
        assert!(
            !next.contains("CONNECTION") && !next.contains("ORGANIZATION"),
            "{next}"
        );
    }
}

/// The answer would otherwise be read by rules that were not meant for it.
#[tokio::test]
async fn an_answer_to_a_connection_that_changed_its_protocol_signs_nobody_in() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let arrival = browser.start(&rp.authorize().with("domain", "acme.test")).await;
    // No command changes the protocol of a connection: somebody has done it in the database.
    gateway
        .tx(async |tx| -> Result<(), genkan_store::Error> {
            let id = acme.connection_id();
            let mut connection = connection::find(tx, id).await?.expect("it exists");
            lead_there(&mut connection, |_| {});
            let settings = serde_json::to_string(&connection.settings).unwrap();
            let kind = connection.kind().as_str();
            tx.exec(
                "UPDATE connections SET kind = $2, settings = $3 WHERE id = $1",
                p![id, kind, &settings],
            )
            .await?;
            Ok(())
        })
        .await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    assert!(browser.cookies.get("genkan_session").is_none());
    assert_eq!(gateway.login_trace().await.cause, "answer_of_another_protocol");
}

#[tokio::test]
async fn a_test_of_a_connection_that_lacks_a_setting_names_it() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            connection.enabled = false;
            connection.settings.as_oidc_mut().unwrap().client_id = String::new();
        })
        .await;
    let page = gateway.browser().begin_test(&acme).await.page();
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "connection_incomplete");
    assert!(
        trace.remedy.contains("client_id") && page.html.text().contains(&trace.remedy),
        "{}",
        trace.remedy
    );
}

#[tokio::test]
async fn the_request_is_kept_also_if_a_rule_refuses_the_person() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let arrival = browser.start(&rp.authorize().with("domain", "acme.test")).await;
    let _ = browser.go_on(arrival, Person::new("mallory@other.test")).await;
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "email_domain_not_trusted");
    let kept = gateway
        .tx(async |tx| login_message::find(tx, &trace.id, gateway.now()).await)
        .await
        .unwrap();
    assert!(kept.answer.unwrap().contains("mallory@other.test"));
    let request = kept.request.unwrap();
    assert!(request.starts_with("response_type=code\n"), "{request}");
}

/// Request and answer are kept for the people who repair the sign-in, without what could be used again.
#[tokio::test]
async fn the_request_is_kept_as_it_was_sent_and_the_claims_as_they_came() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let request = rp
        .authorize()
        .with("domain", "acme.test")
        .with("login_hint", "ada@acme.test")
        .with("max_age", "300")
        .with("prompt", "login");
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    let sent: BTreeMap<String, String> = browser.trail.last().unwrap().query_pairs().into_owned().collect();
    let person = Person::new("ada@acme.test").with_fault(Fault::WrongAudience);
    let _ = browser.go_on(arrival, person).await;
    let trace = gateway.login_trace().await;
    let kept = gateway
        .tx(async |tx| login_message::find(tx, &trace.id, gateway.now()).await)
        .await
        .unwrap();
    let (request, answer) = (kept.request.unwrap(), kept.answer.unwrap());
    let told: BTreeMap<String, String> = request
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(told.keys().eq(sent.keys()), "{told:?} {sent:?}");
    for (name, value) in &sent {
        if ["state", "nonce", "code_challenge"].contains(&name.as_str()) {
            assert!(!request.contains(value) && !answer.contains(value), "{name}");
        } else {
            assert_eq!(told[name], *value, "{name}");
        }
    }
    assert!(
        answer.contains("ada@acme.test") && answer.contains(r#""aud": "another""#),
        "{answer}"
    );
}
