//! An answer that fails is posted without a cookie. The application is told by the browser that began the
//! sign-in alone, because the application's `state` protects it against forged answers.
//!
//! Source: RFC 6749 §4.1.2.1, §10.12; RFC 9700 §4.7.1.

use std::time::Duration;

use genkan_store::interaction;
use genkan_testkit::{Arrival, Gateway, on_each_engine};

use super::attacks::{count, deliver};
use super::provider::{Answer, Asked, SITE, Signs, ask, ask_with, lead_there, read, world};

const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";

/// Answers that anybody can make who has read the identifier of the request, with their causes. The
/// application hears the first three instead of the person.
fn unsigned(gateway: &Gateway, asked: &Asked) -> [(Answer, &'static str); 5] {
    let answer = || {
        asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.signs = Signs::Nothing)
    };
    let status = |name| answer().with(|answer| answer.status = format!("{STATUS}{name}"));
    [
        (status("AuthnFailed"), "status_authn_failed"),
        (status("RequestDenied"), "status_request_denied"),
        (status("NoPassive"), "status_no_passive"),
        (status("Responder"), "status_responder"),
        (answer(), "signature_missing"),
    ]
}

#[tokio::test]
async fn a_refusal_of_the_provider_goes_to_the_application_through_its_own_browser() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let asked = ask_with(&mut browser, &request).await;
        let state = request.parameter("state").unwrap();
        for (answer, cause) in &unsigned(gateway, &asked) {
            let arrival = answer.post(&mut browser, None).await;
            let trace = gateway.login_trace().await;
            assert_eq!(trace.cause, *cause);
            match arrival {
                Arrival::Application(callback) => {
                    assert!(cause.starts_with("status_"), "{cause}");
                    assert_eq!(callback.error(), "invalid_status", "{cause}");
                    assert_eq!(callback.parameter("state").as_deref(), Some(state), "{cause}");
                    let description = callback.parameter("error_description").unwrap();
                    assert!(description.contains(trace.id.as_str()), "{description}");
                }
                Arrival::Page(page) => {
                    assert_eq!(page.reference(), trace.id.as_str(), "{cause}");
                    let back = page.html.link("Back to rp").unwrap();
                    assert!(back.contains(&format!("state={state}")), "{back}");
                    assert!(page.html.link("Try again").is_some());
                    // Loaded again, it says the same, and nothing is recorded twice.
                    let again = browser.open(page.url.as_str()).await.page();
                    assert_eq!(again.reference(), trace.id.as_str(), "{cause}");
                }
            }
        }
        assert_eq!(count(gateway, "SELECT COUNT(*) FROM login_traces").await, 5);
        // They were not signed, so they used nothing up.
        let answer = asked.answer(gateway, "ada@acme.test");
        assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");
    })
    .await;
}

/// A stranger who knows an application's `state` can send its person an answer of their own (login CSRF).
#[tokio::test]
async fn whoever_reads_the_identifier_of_a_request_learns_no_state_by_it() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut ada = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let asked = ask_with(&mut ada, &request).await;
        let state = request.parameter("state").unwrap();
        // Eve's browser has a sign-in of its own at this provider.
        let (mut eve, mut without) = (gateway.browser(), gateway.browser());
        ask(&mut eve, &rp).await;
        for (answer, cause) in &unsigned(gateway, &asked) {
            let (status, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
            assert_eq!((status, place.contains(state)), (303, false), "{cause}");
            let reference = gateway.login_trace().await.id;
            let place = format!("{}{place}", gateway.url());
            for browser in [&mut eve, &mut without] {
                let page = browser.open(&place).await.page();
                assert_eq!(page.heading(), "We could not sign you in", "{cause}");
                assert_eq!(page.reference(), reference.as_str(), "{cause}");
                let html = page.reply.text();
                for told in [state, "rp.test", "Back to", "Try again", "/login/"] {
                    assert!(!html.contains(told), "{cause}: {told} in {html}");
                }
            }
            assert!(without.cookies.iter().next().is_none());
            // In Ada's browser the answer says all of it, also if Eve sends her the address.
            let told = match ada.follow_from("https://attacker.test/", &place).await {
                Arrival::Application(callback) => callback.parameter("state").unwrap(),
                Arrival::Page(page) => page.html.link("Back to rp").unwrap().to_owned(),
            };
            assert!(told.contains(state), "{cause}: {told}");
        }
        let answer = asked.answer(gateway, "ada@acme.test");
        assert_ne!(answer.post(&mut ada, None).await.callback().code(), "");
    })
    .await;
}

/// After the end of a sign-in, its reference is still worth something, and its state is told to nobody.
#[tokio::test]
async fn a_failure_outlives_its_sign_in_as_a_reference() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        for is_finished in [true, false] {
            let mut browser = gateway.browser();
            let asked = ask(&mut browser, &rp).await;
            let refused = asked
                .answer(gateway, "ada@acme.test")
                .with(|answer| answer.status = format!("{STATUS}AuthnFailed"));
            let (_, place) = deliver(gateway, &refused.acs, &refused.encoded()).await;
            let reference = gateway.login_trace().await.id;
            if is_finished {
                let answer = asked.answer(gateway, "ada@acme.test");
                answer.post(&mut browser, None).await.callback().code();
            } else {
                gateway
                    .clock()
                    .advance(interaction::LIFETIME + Duration::from_secs(1));
            }
            let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
            assert_eq!(page.reference(), reference.as_str());
            assert!(page.html.link("Back to rp").is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn the_address_of_a_failure_counts_unchanged_at_its_own_connection() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let beta = gateway
        .organization("beta.test")
        .with_connection(|connection| lead_there(connection, |_| {}))
        .await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let wrong = asked
        .answer(&gateway, "ada@acme.test")
        .with(|answer| answer.signs = Signs::Nothing);
    let (_, place) = deliver(&gateway, &wrong.acs, &wrong.encoded()).await;
    let (path, sealed) = place.split_once("?answer=").unwrap();
    let at_beta = format!("/sso/v1/saml/{}/failure", beta.connection_id());
    let half = &sealed[..sealed.len() / 2];
    for (path, sealed) in [
        (at_beta.as_str(), sealed),
        (&path.replace("/failure", "/init"), sealed),
        (path, half),
        (path, ""),
        (path, "%ff"),
    ] {
        let address = format!("{}{path}?answer={sealed}", gateway.url());
        let page = browser.open(&address).await.page();
        assert_eq!(page.heading(), "This link does not work", "{address}");
    }
    let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
}

/// An administrator waits for the result of a test. A stranger's post must not end it.
#[tokio::test]
async fn a_test_fails_in_the_browser_that_began_it() {
    const PENDING: &str = "SELECT COUNT(*) FROM connection_tests WHERE status = 'PENDING'";
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = read(browser.begin_test(&acme).await);
        let wrong = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.audience = "https://wrong.test".to_owned());
        let (_, place) = deliver(gateway, &wrong.acs, &wrong.encoded()).await;
        let place = format!("{}{place}", gateway.url());
        let page = gateway.browser().follow_from(SITE, &place).await.page();
        assert_eq!(page.heading(), "We could not sign you in");
        assert!(!page.reply.text().contains("https://wrong.test"));
        assert_eq!(count(gateway, PENDING).await, 1);

        // Loaded again, it shows the same.
        for _ in 0..2 {
            let page = browser.follow_from(SITE, &place).await.page();
            let shown = page.html.text();
            let reference = gateway.login_trace().await.id;
            for told in ["https://wrong.test", "InResponseTo", reference.as_str()] {
                assert!(shown.contains(told), "{told} in {shown}");
            }
            assert_eq!(count(gateway, PENDING).await, 0);
        }
        assert_eq!(count(gateway, "SELECT COUNT(*) FROM login_traces").await, 1);
    })
    .await;
}

/// The address of a failure stands in a history, and a stranger may send one that they have made.
#[tokio::test]
async fn an_old_failure_is_not_told_of_the_next_attempt() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut ada = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let asked = ask_with(&mut ada, &request).await;
        let state = request.parameter("state").unwrap().to_owned();
        let (answer, _) = &unsigned(gateway, &asked)[4];
        let page = answer.post(&mut ada, None).await.page();
        assert!(page.html.text().contains("Back to rp"));
        let again = page.url.join(page.html.link("Try again").unwrap()).unwrap();
        let _ = ada.open(again.as_str()).await;
        let old = ada.open(page.url.as_str()).await.page();
        assert_eq!(old.reference(), page.reference());
        assert!(!old.html.text().contains("Back to rp") && !old.url.as_str().contains(&state));

        let second = ask_with(&mut ada, &rp.authorize().with("domain", "acme.test")).await;
        let (answer, _) = &unsigned(gateway, &second)[4];
        let page = answer.post(&mut ada, None).await.page();
        gateway.clock().advance(Duration::from_secs(61));
        let late = ada.open(page.url.as_str()).await.page();
        assert!(!late.html.text().contains("Back to rp"), "{}", late.html.text());
    })
    .await;
}
