//! After the end of a login, its own browser gets a link to the application, and always
//! to an address that the application has registered.

use std::time::Duration;

use genkan_testkit::{Arrival, Browser, Gateway, Page, Rp, on_each_engine};

/// Signs in; tells where the login was, and the address of the provider's answer.
async fn finished(browser: &mut Browser, rp: &Rp) -> (String, String) {
    let page = browser.start(&rp.authorize()).await.page();
    let login = page.url.to_string();
    let provider = browser.submit(&page, &[("email", "ada@acme.test")]).await.page();
    let from = browser.trail.len();
    let arrival = browser.submit(&provider, &[("email", "ada@acme.test")]).await;
    arrival.callback().code();
    let answer = browser.trail[from..]
        .iter()
        .find(|url| url.path().ends_with("/callback"))
        .expect("the provider answered")
        .to_string();
    (login, answer)
}

fn way_on<'a>(page: &'a Page, label: &str) -> Option<&'a str> {
    page.html.link(label)
}

#[tokio::test]
async fn whoever_goes_back_or_loads_the_answer_again_is_led_to_the_application() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        for (name, begins_at, leads_to) in [
            // It has registered nothing better than the origin of its redirect URI.
            ("plain", None, "https://plain.test/"),
            (
                "begins",
                Some("https://begins.test/begin"),
                "https://begins.test/begin",
            ),
        ] {
            let rp = gateway
                .client(name)
                .change(|client| client.initiate_login_uri = begins_at.map(ToOwned::to_owned))
                .await;
            let label = format!("Go to {name}");
            let mut browser = gateway.browser();
            let (login, answer) = finished(&mut browser, &rp).await;
            for (url, heading) in [
                (&login, "This sign-in is finished"),
                (&answer, "We did not expect this sign-in"),
            ] {
                let page = browser.open(url).await.page();
                assert_eq!(page.reply.status, 400);
                assert_eq!(page.heading(), heading);
                assert_eq!(way_on(&page, &label), Some(leads_to), "{url}");
            }
            // Another browser learns nothing of whose login it was.
            for url in [&login, &answer] {
                let mut stranger = gateway.browser();
                let _ = stranger.start(&rp.authorize()).await;
                let page = stranger.open(url).await.page();
                let shown = page.html.text();
                assert!(
                    way_on(&page, &label).is_none() && !shown.contains(name),
                    "{shown}"
                );
            }
            // A tab that was forgotten for longer than a login lives.
            gateway.clock().advance(Duration::from_secs(2 * 60 * 60));
            let page = browser.open(&login).await.page();
            assert_eq!(way_on(&page, &label), Some(leads_to));
        }
    })
    .await;
}

/// OWASP ASVS 5.0 §3.7.2: nothing leads to an address that came with a request alone.
#[tokio::test]
async fn an_address_that_is_not_registered_any_more_is_not_linked() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let (login, answer) = finished(&mut browser, &rp).await;
    rp.change(|client| {
        client.initiate_login_uri = None;
        client.redirect_uris = vec!["https://elsewhere.test/callback".to_owned()];
    })
    .await;
    for url in [&login, &answer] {
        let page = browser.open(url).await.page();
        assert!(!page.reply.text().contains("rp.test"), "{}", page.reply.text());
    }
    // An application on a device has no page to go to.
    let native = gateway
        .client("native")
        .change(|client| {
            client.initiate_login_uri = None;
            client.redirect_uris = vec!["com.acme.app:/callback".to_owned()];
        })
        .await;
    let (login, _) = finished(&mut gateway.browser(), &native).await;
    let page = browser.open(&login).await.page();
    assert!(!page.reply.text().contains("com.acme.app"));
}

#[tokio::test]
async fn an_answer_that_came_too_early_leads_back_to_the_open_login() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let login = page.url.path().to_owned();
    let provider = browser.submit(&page, &[("email", "ada@acme.test")]).await.page();
    let answer = format!(
        "{}/sso/v1/oidc/{}/callback?code=x&state=made-up",
        gateway.url(),
        {
            let asked = gateway.idp().await.last_request("/authorize");
            let redirect_uri = asked.parameter("redirect_uri").unwrap();
            redirect_uri.split('/').rev().nth(1).unwrap().to_owned()
        }
    );
    let refused = browser.open(&answer).await.page();
    assert_eq!(way_on(&refused, "Go on with the sign-in"), Some(login.as_str()));
    // And the login is not spoiled by it.
    let Arrival::Application(callback) = browser.submit(&provider, &[("email", "ada@acme.test")]).await
    else {
        panic!("the sign-in goes on")
    };
    callback.code();
}
