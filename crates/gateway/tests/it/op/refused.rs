//! The operator can find a refused request of an application, and its answer tells a
//! stranger nothing.

use genkan_store::event::{self, Event, Filter, Kind};
use genkan_store::{MAX_LIMIT, Page};
use genkan_testkit::{Arrival, Gateway, Logs, Rp, on_each_engine};

async fn refusals(gateway: &Gateway) -> Vec<Event> {
    let filter = Filter {
        kind: Some(Kind::ClientRefused),
        ..Filter::default()
    };
    let mut events = gateway
        .tx(async |tx| event::list(tx, &filter, &Page::first(MAX_LIMIT)).await)
        .await;
    events.reverse();
    events
}

fn fact<'a>(event: &'a Event, name: &str) -> &'a str {
    event.data[name].as_str().unwrap()
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_is_in_the_event_and_not_on_the_page() {
    on_each_engine(async |gateway: &Gateway| {
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with(
            "redirect_uri",
            "https://rp.test/elsewhere?code=hunter2&tenant=7#hunter2",
        );
        let Arrival::Page(page) = gateway.browser().start(&request).await else {
            panic!("nobody is sent to an address that is not registered")
        };
        assert_eq!(page.reply.status, 400);
        let shown = page.html.text();
        assert!(
            !shown.contains("elsewhere") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(shown.contains("genkan app doctor"), "{shown}");

        let events = refusals(gateway).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].client_id.as_ref(), Some(&rp.id));
        assert_eq!(fact(&events[0], "reason"), "redirect_uri_not_registered");
        assert_eq!(
            fact(&events[0], "redirect_uri"),
            "https://rp.test/elsewhere?code=…&tenant=…"
        );
        // One number: on the page, in the answer, in the event.
        let number = page.reply.headers["x-request-id"].to_str().unwrap();
        assert_eq!(fact(&events[0], "request_id"), number);
        assert!(shown.contains(number), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_to_the_operator_and_to_nobody_else() {
    let logs = Logs::capture("info");
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let call = async |client: &str, secret: &str| {
        gateway
            .post("/oauth/token")
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", secret),
            ])
            .send()
            .await
    };
    let wrong = call(rp.id.as_str(), "hunter2-wrong").await;
    let unknown = call("skc_000000000000000000009", "hunter2-wrong").await;
    assert_eq!((wrong.status.as_u16(), unknown.status.as_u16()), (401, 401));
    assert_eq!(wrong.body, unknown.body, "nobody learns which clients exist");

    let events = refusals(&gateway).await;
    assert_eq!(events.len(), 1, "an unknown client leaves a line only");
    assert_eq!(fact(&events[0], "reason"), "client_secret_wrong");
    assert_eq!(fact(&events[0], "endpoint"), "token");
    let log = logs.text();
    let number = wrong.headers["x-request-id"].to_str().unwrap();
    for text in [
        "client_secret_wrong",
        "unknown_client",
        "skc_000000000000000000009",
        number,
    ] {
        assert!(log.contains(text), "{text} is not in the log");
    }
    assert!(!log.contains("hunter2"), "{log}");
}

/// As Scalekit's tool that tries a sign-in does it with a web application.
#[tokio::test]
async fn a_verifier_without_a_secret_is_told_the_option_and_not_which_clients_exist() {
    let logs = Logs::capture("info");
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let redeem = async |client: &str| {
        let mut form = Rp::redemption(&code);
        form.push(("client_id", client));
        gateway.post("/oauth/token").form(&form).send().await
    };
    let refused = redeem(rp.id.as_str()).await;
    let unknown = redeem("skc_000000000000000000009").await;
    assert_eq!(
        (refused.status.as_u16(), refused.oauth_error().as_str()),
        (401, "invalid_client")
    );
    assert_eq!(refused.body, unknown.body, "nobody learns which clients exist");
    let told = refused.json();
    let description = told["error_description"].as_str().unwrap();
    assert!(
        description.contains("genkan app update APP --secret-optional-with-pkce"),
        "{description}"
    );
    // RFC 6749 §5.2: printable ASCII without quotes and backslashes.
    assert!(
        description
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'),
        "{description}"
    );
    let events = refusals(&gateway).await;
    assert_eq!(events.len(), 1);
    assert_eq!(fact(&events[0], "reason"), "client_secret_missing_with_pkce");
    assert!(fact(&events[0], "description").contains("--secret-optional-with-pkce"));
    assert!(logs.text().contains("--secret-optional-with-pkce"));
    // The same request without a verifier hears what it always did.
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("client_id", rp.id.as_str()),
    ];
    let plain = gateway.post("/oauth/token").form(&form).send().await;
    assert_eq!(plain.json()["error_description"], "client authentication failed");
}

#[tokio::test]
async fn a_thousand_refusals_are_two_events() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for _ in 0..1_000 {
        let reply = gateway
            .post("/oauth/token")
            .form(&[
                ("grant_type", "authorization_code"),
                ("client_id", rp.id.as_str()),
                ("client_secret", "wrong"),
                ("code", "made-up"),
            ])
            .send()
            .await;
        assert_eq!(reply.status, 401);
    }
    assert_eq!(refusals(&gateway).await.len(), 1, "the first is told at once");
    genkan::jobs::write_tally(gateway.app()).await;
    genkan::jobs::write_tally(gateway.app()).await;
    let events = refusals(&gateway).await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].data["count"], 999);
}

#[tokio::test]
async fn a_code_that_does_not_count_names_its_application() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
    let events = refusals(&gateway).await;
    assert_eq!(fact(&events[0], "reason"), "invalid_grant");
    assert_eq!(fact(&events[0], "description"), "the code was already used");
    let text = serde_json::to_string(&events[0].data).unwrap();
    assert!(!text.contains(&code.code), "{text}");
}

#[tokio::test]
async fn every_answer_has_a_number_that_no_caller_chose() {
    let gateway = Gateway::start().await;
    let number = async |path: &str| {
        let reply = gateway.get(path).header("x-request-id", "forged").send().await;
        reply.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    let (one, other) = (number("/keys").await, number("/nowhere").await);
    assert!(one.starts_with("req_") && one != other && !one.contains("forged"));
}
