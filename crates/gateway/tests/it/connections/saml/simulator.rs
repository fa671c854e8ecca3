//! The simulator as a SAML provider: application authors see by it what comes of each misbehaviour.
//!
//! Source: SAML Profiles §4.1; `docs/guides/simulator.md`.

use std::time::Duration;

use genkan::simulator::saml::{Fault, Must};
use genkan_store::connection::{Protocol, RequestBinding, SamlSettings, Settings};
use genkan_testkit::{Arrival, Browser, Gateway, Organization, Person, Rp, on_each_engine};
use serde_json::json;

/// An organization whose people sign in at the simulator by SAML, with the mapping of the command that its page shows.
async fn world(gateway: &Gateway, change: impl FnOnce(&mut SamlSettings)) -> (Organization, Rp) {
    let metadata = gateway.idp().await.saml_metadata().await;
    let mut settings = SamlSettings::default();
    settings.set_metadata(gateway.at(), &metadata);
    change(&mut settings);
    let acme = gateway
        .organization("acme.test")
        .with_connection(move |connection| {
            connection.settings = Settings::from(Protocol::Saml(settings));
            connection.settings.map_attribute("groups", "groups");
            connection.settings.map_attribute("roles", "roles");
            connection.client_secret_sealed = None;
        })
        .await;
    (acme, gateway.client("rp").await)
}

async fn arrive(browser: &mut Browser, rp: &Rp, fault: Option<Fault>) -> Arrival {
    let arrival = browser.start(&rp.authorize().with("domain", "acme.test")).await;
    let person = Person {
        saml_fault: fault,
        ..Person::new("ada@acme.test")
    };
    browser.go_on(arrival, &person).await
}

/// The cause of a refusal, which a page shows or the application hears.
async fn refusal(gateway: &Gateway, fault: Fault, arrival: Arrival) -> String {
    let trace = gateway.login_trace().await;
    match arrival {
        Arrival::Page(page) => assert_eq!(trace.id.as_str(), page.reference(), "{fault}"),
        Arrival::Application(callback) => assert_eq!(callback.error(), "invalid_status", "{fault}"),
    }
    trace.cause
}

#[tokio::test]
async fn every_fault_ends_as_its_table_says() {
    on_each_engine(async |gateway: &Gateway| {
        // The table is about a connection with the settings of the command.
        let (_, rp) = world(gateway, |settings| settings.allow_idp_initiated_login = true).await;
        for &fault in Fault::ALL {
            // Of many that fail within a minute not each has a trace.
            gateway.clock().advance(Duration::from_secs(60));
            if fault.is_repetition() {
                let first = arrive(&mut gateway.browser(), &rp, None).await;
                assert_ne!(first.callback().code(), "", "{fault}");
            }
            let mut browser = gateway.browser();
            let arrival = arrive(&mut browser, &rp, Some(fault)).await;
            match fault.must() {
                Must::SignIn => assert_ne!(arrival.callback().code(), "", "{fault}"),
                Must::Refuse(cause) => {
                    assert_eq!(refusal(gateway, fault, arrival).await, cause.code(), "{fault}");
                    assert!(browser.cookies.get("genkan_session").is_none(), "{fault}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_signs_and_wants_encryption_works_with_it() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway, |settings| {
            settings.idp_sso_request_binding = RequestBinding::HttpPost;
            settings.want_request_signed = true;
            settings.assertion_encrypted = true;
        })
        .await;
        let mut browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let arrival = browser.start(&request).await;
        let person = Person {
            saml_fault: Some(Fault::Encrypted),
            ..Person::new("ada@acme.test")
        };
        let callback = browser.go_on(arrival, &person).await.callback();
        let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
        let claims = rp.verify(tokens.id_token()).await;
        assert_eq!(claims["email"], json!("ada@acme.test"));
        assert_eq!(claims["name"], json!("Ada Lovelace"));
    })
    .await;
}

/// The address of requests without one, as a bookmark or a hand writes it.
#[tokio::test]
async fn a_sign_in_may_begin_at_the_address_of_requests() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway, |settings| settings.allow_idp_initiated_login = true).await;
    gateway
        .client("other")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await;
    let mut browser = gateway.browser();
    let path = format!("/saml/sso?connection_id={}", acme.connection_id());
    let page = browser.open(&gateway.idp().await.endpoint(&path)).await;
    let question = browser.go_on(page, "ada@acme.test").await.page();
    assert_eq!(question.heading(), "Sign in to other?");
    // Without a connection nobody can be asked, and the page says what is missing.
    let address = gateway.idp().await.endpoint("/saml/sso");
    let refused = browser.open(&address).await.page();
    assert_eq!(refused.reply.status, 400);
    assert!(
        refused
            .html
            .text()
            .contains("neither a SAMLRequest nor the id of a connection")
    );
}

#[tokio::test]
async fn a_sign_in_that_begins_there_leads_to_the_application() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway, |settings| settings.allow_idp_initiated_login = true).await;
    let rp = gateway
        .client("other")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await;
    let mut browser = gateway.browser();
    let path = format!(
        "/saml/initiate?connection_id={}&RelayState=%2Freports",
        acme.connection_id()
    );
    let page = browser.open(&gateway.idp().await.endpoint(&path)).await;
    let question = browser.go_on(page, "ada@acme.test").await.page();
    assert_eq!(question.heading(), "Sign in to other?");
    let callback = browser.submit(&question, &[]).await.callback();
    let token = callback.parameter("idp_initiated_login").unwrap();
    let claims = rp.verify(&token).await;
    assert_eq!(claims["login_hint"], json!("ada@acme.test"));
    assert_eq!(claims["relay_state"], json!("/reports"));
    assert!(browser.cookies.get("genkan_session").is_none());
}
