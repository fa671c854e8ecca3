//! Sign-ins that a provider begins, and what strangers could make of them.
//!
//! Source: SAML Profiles §4.1.5; RFC 9700 §4.7.1; `docs/decisions/forced-sign-in.md`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_store::connection::SamlSettings;
use genkan_store::interaction;
use genkan_testkit::{Browser, Gateway, Organization, Page, Rp, on_each_engine};

use super::attacks::{count, deliver};
use super::provider::{Answer, SITE, ask, cause, lead_there, read, world_with};

const QUESTION: &str = "Sign in to portal?";

fn allow(settings: &mut SamlSettings) {
    settings.allow_idp_initiated_login = true;
}

/// Two companies with the same provider, at which sign-ins may begin, and the application that hears of them.
async fn companies(gateway: &Gateway) -> (Organization, Organization, Rp) {
    let (acme, _) = world_with(gateway, allow).await;
    let beta = gateway
        .organization("beta.test")
        .with_connection(|connection| lead_there(connection, allow))
        .await;
    let rp = gateway
        .client("portal")
        .change(|client| client.initiate_login_uri = Some("https://portal.test/login".to_owned()))
        .await;
    (acme, beta, rp)
}

/// Posts an answer to no request without a browser: where it leads.
async fn place(gateway: &Gateway, company: &Organization, email: &str) -> String {
    let answer = Answer::unsolicited(gateway, company, email);
    let (status, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
    assert_eq!(status, 303);
    format!("{}{place}", gateway.url())
}

async fn stored(gateway: &Gateway) -> [i64; 4] {
    [
        count(gateway, "SELECT COUNT(*) FROM parked_answers").await,
        count(gateway, "SELECT COUNT(*) FROM interactions").await,
        count(gateway, "SELECT COUNT(*) FROM familiar_connections").await,
        count(gateway, "SELECT COUNT(*) FROM sessions").await,
    ]
}

#[tokio::test]
async fn a_sign_in_that_the_provider_begins_asks_once_and_tells_the_application() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _, rp) = companies(gateway).await;
        let mut browser = gateway.browser();
        let answer = Answer::unsolicited(gateway, &acme, "ada@acme.test");
        let page = answer.post(&mut browser, Some("/reports?id=7")).await.page();
        assert_eq!(page.heading(), QUESTION);
        assert!(page.html.text().contains("acme.test"), "{}", page.html.text());
        let callback = browser.submit(&page, &[]).await.callback();
        assert!(browser.cookies.get("genkan_session").is_none());
        let claims = rp
            .verify(&callback.parameter("idp_initiated_login").unwrap())
            .await;
        assert_eq!(claims["aud"], "https://portal.test/login");
        assert_eq!(claims["connection_id"], acme.connection_id().as_str());
        assert_eq!(claims["organization_id"], acme.id.as_str());
        assert_eq!(claims["login_hint"], "ada@acme.test");
        assert_eq!(claims["relay_state"], "/reports?id=7");

        // The ordinary sign-in that follows: the press covers it.
        let request = rp
            .authorize()
            .with("connection_id", acme.connection_id().as_str());
        let asked = read(browser.follow_from(SITE, &request.url()).await);
        let adas = asked.answer(gateway, "ada@acme.test");
        assert_ne!(adas.post(&mut browser, None).await.callback().code(), "");

        // From now on this browser knows the company.
        let again = Answer::unsolicited(gateway, &acme, "ada@acme.test");
        let callback = again.post(&mut browser, None).await.callback();
        assert!(callback.parameter("idp_initiated_login").is_some());

        // The same assertion once more.
        let arrival = answer.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "assertion_replayed");
    })
    .await;
}

/// The administrator of beta has an account for Ada there, and sends an answer from her browser. If the
/// application heard of it, it could begin a sign-in that looks like its own (login CSRF).
#[tokio::test]
async fn the_answer_of_a_stranger_does_not_reach_the_application() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, beta, rp) = companies(gateway).await;
        let mut ada = gateway.browser();
        let forced = async |ada: &mut Browser| {
            let forced = Answer::unsolicited(gateway, &beta, "mallory@beta.test");
            forced.post(ada, None).await.page()
        };
        let page = forced(&mut ada).await;
        assert_eq!(page.heading(), QUESTION);
        assert!(page.html.text().contains("beta.test"), "{}", page.html.text());
        // Nobody else presses the button in her name.
        let action = page.url.join(&page.form().action).unwrap().to_string();
        let eves = page_of(gateway, &beta).await;
        let fields = |page: &Page| {
            let form = page.form();
            [
                ("answer", form.field("answer").unwrap().to_owned()),
                ("csrf", form.field("csrf").unwrap().to_owned()),
            ]
        };
        for (from, fields) in [(SITE, fields(&page)), (gateway.url(), fields(&eves))] {
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            let refused = ada.post_from(from, &action, &fields).await.page();
            assert_eq!(refused.heading(), "This form was not sent from here", "{from}");
        }
        // So the request that would follow asks as well.
        let request = rp
            .authorize()
            .with("connection_id", beta.connection_id().as_str());
        let asked = read(ada.follow_from("https://attacker.test/", &request.url()).await);
        let page = asked
            .answer(gateway, "mallory@beta.test")
            .post(&mut ada, None)
            .await
            .page();
        assert_eq!(page.heading(), "Is this you?");
        // Her browser comes to know her own company, whose answers go on. Those of others still ask.
        let asked = ask(&mut ada, &rp).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        assert_ne!(answer.post(&mut ada, None).await.callback().code(), "");
        assert_eq!(forced(&mut ada).await.heading(), QUESTION);
        let own = Answer::unsolicited(gateway, &acme, "ada@acme.test");
        let callback = own.post(&mut ada, None).await.callback();
        assert!(callback.parameter("idp_initiated_login").is_some());
    })
    .await;
}

/// The page that a browser sees after an unsolicited answer.
async fn page_of(gateway: &Gateway, company: &Organization) -> Page {
    let place = place(gateway, company, "eve@beta.test").await;
    gateway.browser().follow_from(SITE, &place).await.page()
}

/// The address of the GET may be copied. It stores nothing, and each browser is asked.
#[tokio::test]
async fn a_copied_address_is_worth_no_more_than_a_link() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _, _) = companies(gateway).await;
        let place = place(gateway, &acme, "ada@acme.test").await;
        let (mut ada, mut eve) = (gateway.browser(), gateway.browser());
        for browser in [&mut ada, &mut eve] {
            for _ in 0..2 {
                assert_eq!(browser.open(&place).await.page().heading(), QUESTION);
            }
        }
        assert_eq!(stored(gateway).await, [0; 4]);
        // It does not contain the provider's words.
        let (_, sealed) = place.split_once("?answer=").unwrap();
        let octets = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        assert!(!octets.windows(3).any(|part| part == b"ada"));
    })
    .await;
}

#[tokio::test]
async fn an_address_counts_unchanged_at_its_own_connection() {
    let gateway = Gateway::start().await;
    let (acme, beta, _) = companies(&gateway).await;
    let oidc = gateway.organization("gamma.test").with_oidc_connection().await;
    let place = place(&gateway, &acme, "ada@acme.test").await;
    let (base, sealed) = place.split_once("?answer=").unwrap();
    let mut changed = sealed.to_owned().into_bytes();
    changed[60] = if changed[60] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let at = |id: &str| format!("{}/sso/v1/saml/{id}/init?answer={sealed}", gateway.url());
    let mut browser = gateway.browser();
    for (address, status) in [
        (at(beta.connection_id().as_str()), 400),
        (at(oidc.connection_id().as_str()), 404),
        (at("conn_000000000000000000001"), 404),
        (place.replace("/saml/", "/oidc/"), 404),
        (place.replace("/init", "/failure"), 400),
        (format!("{base}?answer={changed}"), 400),
        (format!("{base}?answer={}", &sealed[..sealed.len() - 4]), 400),
        (format!("{place}&answer={sealed}"), 400),
        (format!("{base}?answer="), 400),
        (base.to_owned(), 400),
    ] {
        let page = browser.open(&address).await.page();
        assert_eq!(page.reply.status, status, "{address}");
    }
    assert_eq!(browser.open(&place).await.page().heading(), QUESTION);
    // A connection that an administrator switches off meanwhile is off.
    acme.change_connection(|connection| lead_there(connection, |_| {}))
        .await;
    assert_eq!(browser.open(&place).await.page().reply.status, 403);
    acme.set_enabled(false).await;
    assert_eq!(browser.open(&place).await.page().reply.status, 404);
}

/// A press answers the question of the page that this browser has seen.
#[tokio::test]
async fn a_press_counts_only_for_what_the_page_has_asked() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _, _) = companies(gateway).await;
        let (mut ada, mut eve) = (gateway.browser(), gateway.browser());
        let place = place(gateway, &acme, "ada@acme.test").await;
        let page = ada.follow_from(SITE, &place).await.page();
        let eves = eve.follow_from(SITE, &place).await.page();
        let action = page.url.join(&page.form().action).unwrap().to_string();
        let csrf = page.form().field("csrf").unwrap().to_owned();
        let (_, in_address) = place.split_once("?answer=").unwrap();
        let in_other_browser = eves.form().field("answer").unwrap().to_owned();
        for answer in [in_address, in_other_browser.as_str(), ""] {
            let fields = [("answer", answer), ("csrf", csrf.as_str())];
            let refused = ada.post_from(gateway.url(), &action, &fields).await.page();
            assert_eq!(refused.reply.status, 400);
        }
        // Nor does the text of the form count in an address.
        let shown = page.form().field("answer").unwrap().to_owned();
        let address = format!("{action}?answer={shown}");
        assert_eq!(ada.open(&address).await.page().reply.status, 400);
        assert_eq!(stored(gateway).await, [0; 4]);
        let callback = ada.submit(&page, &[]).await.callback();
        assert!(callback.parameter("idp_initiated_login").is_some());
    })
    .await;
}

#[tokio::test]
async fn an_address_counts_for_a_minute_and_its_question_for_a_quarter_of_an_hour() {
    let gateway = Gateway::start().await;
    let (acme, _, _) = companies(&gateway).await;
    let place = place(&gateway, &acme, "ada@acme.test").await;
    let mut browser = gateway.browser();
    let page = browser.follow_from(SITE, &place).await.page();
    gateway.clock().advance(Duration::from_mins(1));
    let late = browser.follow_from(SITE, &place).await.page();
    assert_eq!(late.heading(), "This sign-in is no longer open");
    let callback = browser.submit(&page, &[]).await.callback();
    assert!(callback.parameter("idp_initiated_login").is_some());
    gateway.clock().advance(interaction::CONFIRMATION_TIMEOUT);
    let late = browser.submit(&page, &[]).await.page();
    assert_eq!(late.heading(), "This sign-in is no longer open");
}

/// Its next request does not tell either that another site began it, so the question would be asked of
/// everybody at every sign-in.
#[tokio::test]
async fn a_browser_that_does_not_say_where_it_comes_from_goes_on() {
    let gateway = Gateway::start().await;
    let (acme, _, _) = companies(&gateway).await;
    let mut browser = gateway.browser();
    browser.tells_site = false;
    let answer = Answer::unsolicited(&gateway, &acme, "ada@acme.test");
    let callback = answer.post(&mut browser, None).await.callback();
    assert!(callback.parameter("idp_initiated_login").is_some());
}

#[tokio::test]
async fn the_connection_says_which_application_hears_of_it() {
    const BEGIN: &str = "https://second.test/begin";
    let gateway = Gateway::start().await;
    let (acme, _, _) = companies(&gateway).await;
    let second = gateway
        .client("second")
        .change(|client| client.initiate_login_uri = Some(BEGIN.to_owned()))
        .await;
    acme.change_connection(|connection| {
        lead_there(connection, |saml| {
            allow(saml);
            saml.default_redirect_uri = Some(BEGIN.to_owned());
        });
    })
    .await;
    let mut browser = gateway.browser();
    let begun = || Answer::unsolicited(&gateway, &acme, "ada@acme.test");
    let page = begun().post(&mut browser, None).await.page();
    assert_eq!(page.heading(), "Sign in to second?");
    let callback = browser.submit(&page, &[]).await.callback();
    assert!(callback.url.as_str().starts_with(BEGIN), "{}", callback.url);

    // The application has forgotten it. No other one is told instead.
    second.change(|client| client.initiate_login_uri = None).await;
    let page = begun().post(&mut browser, None).await.page();
    assert_eq!(page.reply.status, 400);
    assert_eq!(page.heading(), "The application cannot be opened from here");
}
