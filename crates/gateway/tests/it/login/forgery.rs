//! Answers and forms that this browser did not ask for.
//!
//! Source: RFC 6749 §10.12, RFC 9700 §4.7, OIDC Core §16.

use std::time::Duration;

use genkan_store::{interaction, upstream_request};
use genkan_testkit::{Browser, Gateway, IdentityProvider, Page, Rp};
use url::Url;

/// Goes to the identity provider's page and no further.
async fn at_the_provider(browser: &mut Browser, rp: &Rp) -> Page {
    let request = rp.authorize().with("domain", "acme.test");
    browser.start(&request).await.page()
}

/// Signs in there, and keeps the answer instead of bringing it to the gateway.
async fn keep_the_answer(browser: &mut Browser, page: &Page) -> String {
    let mut elsewhere = browser.clone();
    let _ = elsewhere.submit(page, &[("email", "ada@acme.test")]).await;
    let answer = elsewhere
        .trail
        .iter()
        .find(|url| url.path().ends_with("/callback"));
    answer.expect("an answer").to_string()
}

fn interaction_of(browser: &Browser, gateway: &Gateway) -> String {
    let login = browser
        .trail
        .iter()
        .rev()
        .find(|url| url.as_str().starts_with(gateway.url()) && url.path().starts_with("/login/"));
    login.expect("a login").to_string()
}

/// Login CSRF: the attacker's own login, finished in the victim's browser.
#[tokio::test]
async fn another_browsers_login_cannot_be_taken_up() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut eve = gateway.browser();
    let _ = eve.start(&rp.authorize()).await;
    let login = interaction_of(&eve, &gateway);

    let mut stranger = gateway.browser();
    let mut ada = gateway.browser();
    ada.sign_in(&rp, "ada@acme.test").await;
    for victim in [&mut stranger, &mut ada] {
        let page = victim.follow_from("https://evil.test/", &login).await.page();
        assert_eq!(page.reply.status, 400);
        assert_eq!(page.heading(), "This sign-in is no longer open");
        let page = victim
            .post_from("https://evil.test/", &login, &[("email", "eve@acme.test")])
            .await
            .page();
        assert_eq!(page.reply.status, 400);
    }
}

#[tokio::test]
async fn another_browsers_answer_signs_nobody_in_and_spoils_nothing() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut eve = gateway.browser();
    let page = at_the_provider(&mut eve, &rp).await;
    // The answer to Eve's login, before Eve's own browser has brought it.
    let form = page.form().fill(&[("email", "eve@acme.test")]);
    let idp = gateway.idp().await;
    let answer = idp.answer_to(&form).await;

    let mut ada = gateway.browser();
    for attempt in [None, Some("a cookie of her own")] {
        if attempt.is_some() {
            let _ = ada.start(&rp.authorize()).await;
        }
        let page = ada.follow_from("https://evil.test/", &answer).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        assert!(ada.cookies.get("genkan_session").is_none());
    }
    // In the browser that asked it still counts.
    let callback = eve.open(&answer).await.callback();
    assert!(callback.parameter("code").is_some());
}

#[tokio::test]
async fn an_answer_counts_once() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp).await;
    let answer = keep_the_answer(&mut browser, &page).await;
    let replay = browser.open(&answer).await.page();
    assert_eq!(replay.reply.status, 400);
    assert_eq!(replay.heading(), "We did not expect this sign-in");
}

#[tokio::test]
async fn an_answer_counts_at_its_own_connection() {
    let gateway = Gateway::start().await;
    let other = IdentityProvider::start(&gateway).await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let beta = gateway.organization("beta.test").with_connection_to(&other).await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp).await;
    let form = page.form().fill(&[("email", "ada@acme.test")]);
    let answer = Url::parse(&gateway.idp().await.answer_to(&form).await).unwrap();
    for connection in [
        beta.connection_id().as_str(),
        "conn_000000000000000000001",
        "nonsense",
    ] {
        let mut elsewhere = answer.clone();
        elsewhere.set_path(&format!("/sso/v1/oidc/{connection}/callback"));
        let page = browser.open(elsewhere.as_str()).await.page();
        assert!(page.reply.status.is_client_error(), "{connection}");
        assert!(browser.cookies.get("genkan_session").is_none());
    }
    assert!(
        browser
            .open(answer.as_str())
            .await
            .callback()
            .parameter("code")
            .is_some()
    );
}

/// A login that went another way is not moved back.
#[tokio::test]
async fn an_answer_of_the_connection_that_was_left_does_not_count() {
    let gateway = Gateway::start().await;
    let other = IdentityProvider::start(&gateway).await;
    gateway.organization("acme.test").with_oidc_connection().await;
    gateway.organization("beta.test").with_connection_to(&other).await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let identify = browser.start(&rp.authorize()).await.page();
    let first = browser
        .submit(&identify, &[("email", "ada@acme.test")])
        .await
        .page();
    let form = first.html.forms()[0].clone();
    // Back, and another company.
    let second = browser
        .submit(&identify, &[("email", "ada@beta.test")])
        .await
        .page();
    assert!(second.url.as_str().starts_with(other.issuer()));

    let late = browser
        .submit_form(&first, &form, &[("email", "ada@acme.test")])
        .await
        .page();
    assert_eq!(late.heading(), "We did not expect this sign-in");
    let callback = browser
        .submit(&second, &[("email", "ada@beta.test")])
        .await
        .callback();
    assert!(callback.parameter("code").is_some());
}

#[tokio::test]
async fn an_answer_without_state_or_with_a_foreign_one_is_not_expected() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let _ = at_the_provider(&mut browser, &rp).await;
    let callback = format!("{}/sso/v1/oidc/{}/callback", gateway.url(), acme.connection_id());
    let state = "A".repeat(43);
    for query in [
        String::new(),
        "code=x".to_owned(),
        format!("code=x&state={state}"),
        "code=x&state=".to_owned(),
        format!("code=x&state={state}&state={state}"),
        format!("error=access_denied&state={state}"),
        format!(
            "error=access_denied&error_description=hello&state={}",
            "A".repeat(9000)
        ),
    ] {
        let page = browser.open(&format!("{callback}?{query}")).await.page();
        assert_eq!(page.reply.status, 400, "{query}");
        assert!(browser.cookies.get("genkan_session").is_none());
    }
}

#[tokio::test]
async fn logins_and_answers_grow_old() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp).await;
    gateway.clock().advance(upstream_request::LIFETIME);
    let late = browser.submit(&page, &[("email", "ada@acme.test")]).await.page();
    assert_eq!(late.heading(), "We did not expect this sign-in");
    // The login itself is still open, for a second try.
    let login = gateway.newest_login().await;
    assert_eq!(browser.open(&login).await.page().heading(), "Sign in as anyone");

    let mut browser = gateway.browser();
    let _ = at_the_provider(&mut browser, &rp).await;
    let login = gateway.newest_login().await;
    gateway.clock().advance(interaction::AWAY);
    assert_eq!(browser.open(&login).await.page().reply.status, 400);

    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    gateway
        .clock()
        .advance(interaction::UNTOUCHED - Duration::from_secs(1));
    assert_eq!(browser.open(page.url.as_str()).await.page().heading(), "Sign in");
    gateway.clock().advance(Duration::from_secs(1));
    assert_eq!(browser.open(page.url.as_str()).await.page().reply.status, 400);
    assert_eq!(
        browser
            .submit(&page, &[("email", "ada@acme.test")])
            .await
            .page()
            .reply
            .status,
        400
    );
}

#[tokio::test]
async fn a_form_that_our_page_did_not_send_does_nothing() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let own = page.form().field("csrf").unwrap().to_owned();
    let mut eve = gateway.browser();
    let eves = eve.start(&rp.authorize()).await.page();
    let eves_token = eves.form().field("csrf").unwrap().to_owned();
    let other_login = browser.start(&rp.authorize()).await.page();
    let of_other_login = other_login.form().field("csrf").unwrap().to_owned();

    let url = page.url.as_str();
    for token in [
        "",
        "x",
        &eves_token,
        &of_other_login,
        &own[1..],
        &own.to_uppercase(),
    ] {
        let fields = [("email", "ada@acme.test"), ("csrf", token)];
        let refused = browser.post_from(gateway.url(), url, &fields).await.page();
        assert_eq!(refused.reply.status, 403, "{token}");
        assert_eq!(refused.heading(), "This form was not sent from here");
        assert_eq!(refused.html.link("Try again"), Some(page.url.path()));
    }
    // Even with the right token: a page elsewhere cannot know it, unless something leaked.
    let fields = [("email", "ada@acme.test"), ("csrf", own.as_str())];
    let refused = browser
        .post_from("http://localhost:1/", url, &fields)
        .await
        .page();
    assert_eq!(refused.reply.status, 403);
    assert_eq!(
        browser
            .post_from(gateway.url(), url, &fields)
            .await
            .page()
            .heading(),
        "Sign in as anyone"
    );
}

#[tokio::test]
async fn a_double_click_makes_one_code() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let login = interaction_of(&browser, &gateway);
    let again = browser.open(&login).await.page();
    assert_eq!(again.heading(), "This sign-in is finished");
    rp.redeem(&code).await.expect_tokens();
    let grants = gateway.events().await;
    assert_eq!(grants.iter().filter(|kind| *kind == "grant.created").count(), 1);
}

#[tokio::test]
async fn a_form_with_a_field_twice_is_called_garbled_and_changes_nothing() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut ada = gateway.browser();
    let page = ada.start(&rp.authorize()).await.page();
    let url = page.url.join(&page.form().action).unwrap();
    let fields = page.form().fill(&[("email", "ada@acme.test")]);
    let mut doubled: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    doubled.push(("email", "eve@acme.test"));
    let refused = ada.post_from(gateway.url(), url.as_str(), &doubled).await.page();
    assert_eq!(
        (refused.reply.status.as_u16(), refused.heading()),
        (400, "The form is garbled")
    );
    assert!(refused.html.text().contains("go back and try again"));
    let arrival = ada.submit(&page, &[("email", "ada@acme.test")]).await;
    let _ = ada.go_on(arrival, "ada@acme.test").await.callback();
}
