//! Answers that the provider's page posts: none of our cookies comes along, so they are
//! parked until their browser fetches them.
//!
//! Source: OAuth 2.0 Form Post Response Mode 1.0 §2, RFC 6265bis §5.6.7.1, RFC 9700 §4.7.

use std::time::Duration;

use genkan::connections::MAX_FORM_BYTES;
use genkan::simulator::Fault;
use genkan_db::p;
use genkan_store::parked_answer;
use genkan_testkit::{Arrival, Browser, Gateway, Organization, Page, Rp, on_each_engine};
use http::Method;

use super::faults::{arrive, must};
use super::misbehaviour::{Must, Table};

/// A site that is neither ours nor the provider's.
const ELSEWHERE: &str = "https://evil.test/";

async fn world(gateway: &Gateway) -> (Organization, Rp) {
    let acme = gateway
        .organization("acme.test")
        .with_settings(|settings| settings.form_post = true)
        .await;
    (acme, gateway.client("rp").await)
}

/// A browser at the provider's page that is about to post its answer, with what it posts.
async fn about_to_post(gateway: &Gateway, rp: &Rp) -> (Browser, Page) {
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let page = browser.submit(&page, &[("email", "ada@acme.test")]).await.page();
    let page = browser.submit(&page, &[]).await.page();
    assert_eq!(page.heading(), "One moment");
    (browser, page)
}

/// What a page's form would post, and where.
fn posted(page: &Page) -> (String, Vec<(String, String)>) {
    let url = page.url.join(&page.form().action).unwrap();
    (url.to_string(), page.form().fill(&[]))
}

/// Posts something without a browser; the status, and where it leads.
async fn post(gateway: &Gateway, url: &str, body: String) -> (u16, String) {
    let path = url.strip_prefix(gateway.url()).unwrap();
    let reply = gateway
        .call(Method::POST, path)
        .header("origin", "https://evil.test")
        .body("application/x-www-form-urlencoded", body)
        .send()
        .await;
    let location = reply.header("location").to_owned();
    (reply.status.as_u16(), location)
}

fn encode(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

async fn parked(gateway: &Gateway) -> i64 {
    gateway
        .tx(async |tx| {
            let row = tx.opt("SELECT COUNT(*) FROM parked_answers", p![]).await?;
            Ok(row.unwrap().get(0)?)
        })
        .await
}

async fn is_signed_in(browser: &mut Browser, rp: &Rp) -> bool {
    let silent = rp.authorize().with("prompt", "none");
    browser.start(&silent).await.callback().error().is_empty()
}

#[tokio::test]
async fn an_answer_by_form_signs_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        rp.redeem(&code).await.expect_tokens();
        let asked = &gateway.idp().await.requests("/authorize")[0];
        assert_eq!(asked.parameter("response_mode").as_deref(), Some("form_post"));
        // The browser's history has no code of the provider's.
        let ours = browser
            .trail
            .iter()
            .filter(|url| url.path().contains("/callback"));
        let ours: Vec<&str> = ours.map(|url| url.as_str()).collect();
        assert_eq!(ours.len(), 2, "{ours:?}");
        assert!(
            ours.iter()
                .all(|url| !url.contains("code=") && !url.contains("state=")),
            "{ours:?}"
        );
        assert_eq!(parked(gateway).await, 0);
    })
    .await;
}

#[tokio::test]
async fn every_fault_is_noticed_where_the_answer_comes_by_form() {
    let gateway = Gateway::start().await;
    gateway
        .organization("acme.test")
        .with_settings(|settings| {
            settings.form_post = true;
            settings.name_groups(Some("groups"));
        })
        .await;
    let rp = gateway.client("rp").await;
    let others = |fault: &Fault| !matches!(fault, Fault::TokenSlow | Fault::RotatedKey);
    let faults: Vec<Fault> = Fault::ALL.iter().copied().filter(others).collect();
    let table = Table {
        gateway: &gateway,
        faults: &faults,
        must,
    };
    let noticed = table
        .go_through(async |browser, fault| arrive(browser, &rp, fault).await)
        .await;
    let refused = faults
        .iter()
        .filter(|fault| must(**fault) == Must::Refuse)
        .count();
    assert_eq!(noticed.matches(" at \"").count(), refused, "{noticed}");
}

#[tokio::test]
async fn the_post_uses_up_nothing_and_signs_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (mut browser, page) = about_to_post(gateway, &rp).await;
        let (url, fields) = posted(&page);
        let before = gateway.events().await;
        let mut places = Vec::new();
        for _ in 0..3 {
            let (status, place) = post(gateway, &url, encode(&fields)).await;
            assert_eq!(status, 303, "{place}");
            places.push(place);
        }
        assert_eq!(gateway.events().await, before);
        assert_eq!(parked(gateway).await, 1, "one for each request under way");
        // Of several with one state the last one waits; the others lead nowhere and spoil nothing.
        for place in &places[..2] {
            let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
            assert_eq!(page.heading(), "We did not expect this sign-in");
        }
        assert!(!is_signed_in(&mut browser.clone(), &rp).await);
        let last = browser
            .open(&format!("{}{}", gateway.url(), places[2]))
            .await
            .callback();
        assert_ne!(last.code(), "");
    })
    .await;
}

#[tokio::test]
async fn a_handle_counts_once_and_only_in_its_own_browser() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (mut browser, page) = about_to_post(gateway, &rp).await;
        let (url, fields) = posted(&page);
        let (_, place) = post(gateway, &url, encode(&fields)).await;
        let place = format!("{}{place}", gateway.url());

        // Somebody whom the link was sent to, with a sign-in of their own under way and without.
        let (mut eve, _) = about_to_post(gateway, &rp).await;
        for other in [&mut eve, &mut gateway.browser()] {
            let page = other.open(&place).await.page();
            assert_eq!(page.heading(), "We did not expect this sign-in");
            assert!(other.cookies.get("genkan_session").is_none());
        }
        // Nor at the address of another connection.
        let beta = gateway.organization("beta.test").with_oidc_connection().await;
        let handle = place.rsplit_once('/').unwrap().1;
        let moved = format!(
            "{}/sso/v1/oidc/{}/callback/{handle}",
            gateway.url(),
            beta.connection_id()
        );
        assert_eq!(browser.open(&moved).await.page().reply.status, 400);

        assert_ne!(browser.open(&place).await.callback().code(), "");
        let again = browser.open(&place).await.page();
        assert_eq!(again.heading(), "We did not expect this sign-in");
        // The answer itself has been, too.
        assert_eq!(post(gateway, &url, encode(&fields)).await.0, 400);
        assert_eq!(parked(gateway).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_fetch_one_answer_one_signs_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (browser, page) = about_to_post(gateway, &rp).await;
        let (url, fields) = posted(&page);
        let (_, place) = post(gateway, &url, encode(&fields)).await;
        let place = format!("{}{place}", gateway.url());
        let fetches = (0..100).map(|_| {
            let (mut browser, place) = (browser.clone(), place.clone());
            async move {
                let _ = browser.open(&place).await;
                browser.cookies.get("genkan_session").is_some()
            }
        });
        let outcomes = futures_util::future::join_all(fetches).await;
        assert_eq!(outcomes.iter().filter(|signed_in| **signed_in).count(), 1);
        let logins = gateway
            .events()
            .await
            .into_iter()
            .filter(|kind| kind == "user.login")
            .count();
        assert_eq!(logins, 1);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_kept() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    let beta = gateway.organization("beta.test").with_oidc_connection().await;
    let (_, page) = about_to_post(&gateway, &rp).await;
    let (url, fields) = posted(&page);
    let state = &fields.iter().find(|(name, _)| name == "state").unwrap().1;
    let unknown = "A".repeat(43);
    let at_beta = url.replace(acme.connection_id().as_str(), beta.connection_id().as_str());
    let nowhere = url.replace(acme.connection_id().as_str(), "conn_000000000000000000001");
    for (url, body) in [
        (&url, String::new()),
        (&url, "code=x".to_owned()),
        (&url, "code=x&state=".to_owned()),
        (&url, format!("code=x&state={unknown}")),
        (&url, format!("code=x&state={state}&state={state}")),
        (
            &url,
            format!("code=x&state={state}&pad={}", "x".repeat(MAX_FORM_BYTES)),
        ),
        (&url, format!("code=%ff&state={state}")),
        (&at_beta, format!("code=x&state={state}")),
        (&nowhere, format!("code=x&state={state}")),
    ] {
        let shown: String = body.chars().take(60).collect();
        let (status, location) = post(&gateway, url, body).await;
        assert_eq!((status, location.as_str()), (400, ""), "{url} {shown}");
    }
    // Far beyond what a form may be.
    let (status, _) = post(&gateway, &url, "x".repeat(1 << 20)).await;
    assert_eq!(status, 413);
    assert_eq!(parked(&gateway).await, 0);
}

#[tokio::test]
async fn what_is_no_form_is_not_read() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let (_, page) = about_to_post(&gateway, &rp).await;
    let (url, fields) = posted(&page);
    let path = url.strip_prefix(gateway.url()).unwrap();
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json",
    ] {
        let reply = gateway
            .call(Method::POST, path)
            .body(kind, encode(&fields))
            .send()
            .await;
        assert_eq!(reply.status, 400, "{kind}");
    }
    assert_eq!(parked(&gateway).await, 0);
}

#[tokio::test]
async fn an_answer_waits_five_minutes() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    for (after, counts) in [
        (parked_answer::LIFETIME - Duration::from_secs(1), true),
        (parked_answer::LIFETIME, false),
    ] {
        let (mut browser, page) = about_to_post(&gateway, &rp).await;
        let (url, fields) = posted(&page);
        let (_, place) = post(&gateway, &url, encode(&fields)).await;
        // The code waits less long; what the provider says of it is its own affair.
        gateway.clock().advance(after);
        let arrival = browser.open(&format!("{}{place}", gateway.url())).await;
        let Arrival::Page(page) = arrival else {
            panic!("{arrival:?}");
        };
        let heading = if counts {
            "We could not sign you in"
        } else {
            "We did not expect this sign-in"
        };
        assert_eq!(page.heading(), heading);
    }
    // The sweep takes a parked answer a moment after it expired.
    gateway.clock().advance(Duration::from_secs(1));
    gateway.sweep().await;
    assert_eq!(parked(&gateway).await, 0);
}

#[tokio::test]
async fn an_answer_that_comes_another_way_than_asked_signs_nobody_in() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    // Asked for by form, and given in the address.
    let (mut browser, page) = about_to_post(&gateway, &rp).await;
    let (url, fields) = posted(&page);
    let page = browser.open(&format!("{url}?{}", encode(&fields))).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "authorization_response_mode_mismatch");
    assert!(
        trace.remedy.contains(acme.connection_id().as_str()),
        "{}",
        trace.remedy
    );

    // And the other way round. The request counts, not what the connection says meanwhile.
    let (mut browser, page) = about_to_post(&gateway, &rp).await;
    acme.change_connection(|connection| {
        connection.settings.as_oidc_mut().unwrap().form_post = false;
    })
    .await;
    let callback = browser.submit(&page, &[]).await.callback();
    assert_ne!(callback.code(), "");
    gateway.clock().advance(Duration::from_secs(60));
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let page = browser
        .submit(&page, &[("email", "grace@acme.test")])
        .await
        .page();
    let form = page.form().fill(&[]);
    let answer = gateway.idp().await.answer_to(&form).await;
    let (url, query) = answer.split_once('?').unwrap();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let page = browser.post_from(ELSEWHERE, url, &fields).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    assert_eq!(
        gateway.login_trace().await.cause,
        "authorization_response_mode_mismatch"
    );
}

#[tokio::test]
async fn an_answer_of_somebody_elses_sign_in_signs_nobody_in_here() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    // The attacker's own answer, posted in the browser of somebody who is about to sign in
    // (login CSRF, RFC 9700 §4.7).
    let (_, attackers) = about_to_post(&gateway, &rp).await;
    let (url, fields) = posted(&attackers);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let (mut victim, page) = about_to_post(&gateway, &rp).await;
    let refused = victim.post_from(ELSEWHERE, &url, &fields).await.page();
    assert_eq!(refused.heading(), "We did not expect this sign-in");
    assert!(victim.cookies.get("genkan_session").is_none());
    // And theirs is not lost by it.
    assert_ne!(victim.submit(&page, &[]).await.callback().code(), "");
}
