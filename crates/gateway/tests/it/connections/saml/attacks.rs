//! Attacks on the state of a sign-in: replay, other browsers, other connections, answers to nothing.
//!
//! Attacks on the message itself are vectors of the crate `genkan-protocol`.
//!
//! Source: SAML Security and Privacy Considerations §6.4, §7.1; RFC 9700 §4.7.

use std::time::Duration;

use genkan_db::p;
use genkan_protocol::saml::Cause;
use genkan_store::{login_message, parked_answer, upstream_request};
use genkan_testkit::{Gateway, Rp, on_each_engine};
use http::Method;

use super::provider::{Answer, Asked, Signs, ask, cause, lead_there, post, world};

pub(super) async fn count(gateway: &Gateway, sql: &'static str) -> i64 {
    gateway
        .tx(async |tx| Ok(tx.opt(sql, p![]).await?.unwrap().get(0)?))
        .await
}

async fn parked(gateway: &Gateway) -> i64 {
    count(gateway, "SELECT COUNT(*) FROM parked_answers").await
}

async fn logins(gateway: &Gateway) -> usize {
    let events = gateway.events().await;
    events.iter().filter(|kind| *kind == "user.login").count()
}

/// Posts an answer without a browser: the status, and where it leads.
pub(super) async fn deliver(gateway: &Gateway, acs: &str, encoded: &str) -> (u16, String) {
    let path = acs.strip_prefix(gateway.url()).unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("SAMLResponse", encoded)
        .finish();
    let reply = gateway
        .call(Method::POST, path)
        .header("origin", "null")
        .body("application/x-www-form-urlencoded", body)
        .send()
        .await;
    (reply.status.as_u16(), reply.header("location").to_owned())
}

#[tokio::test]
async fn an_answer_counts_once() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        let (_, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
        let place = format!("{}{place}", gateway.url());
        assert_ne!(browser.open(&place).await.callback().code(), "");
        // The handle, and the answer itself.
        let page = browser.open(&place).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        let again = answer.post(&mut browser, None).await;
        assert_eq!(cause(gateway, again).await, "request_already_used");
        assert_eq!((parked(gateway).await, logins(gateway).await), (0, 1));
    })
    .await;
}

/// A provider that answers two requests with one assertion, or somebody who found a way to make it.
#[tokio::test]
async fn an_assertion_counts_once_whatever_it_answers() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let first = asked.answer(gateway, "ada@acme.test");
        assert_ne!(first.post(&mut browser, None).await.callback().code(), "");
        let mut elsewhere = gateway.browser();
        let asked = ask(&mut elsewhere, &rp).await;
        let second = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.assertion_id.clone_from(&first.assertion_id));
        let arrival = second.post(&mut elsewhere, None).await;
        assert_eq!(cause(gateway, arrival).await, "assertion_replayed");
        assert!(elsewhere.cookies.get("genkan_session").is_none());
    })
    .await;
}

#[tokio::test]
async fn an_answer_counts_only_in_the_browser_that_asked() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (mut ada, mut eve) = (gateway.browser(), gateway.browser());
        // Eve's own answer, posted in Ada's browser, which is about to sign in (login CSRF).
        let eves = ask(&mut eve, &rp).await;
        let adas = ask(&mut ada, &rp).await;
        let forged = eves.answer(gateway, "eve@acme.test");
        let page = forged.post(&mut ada, Some(&eves.relay_state)).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        let trace = gateway.login_trace().await;
        assert_eq!(
            (trace.cause.as_str(), trace.id.as_str()),
            ("browser_mismatch", page.reference().as_str())
        );
        assert!(ada.cookies.get("genkan_session").is_none());
        // Ada's is not lost by it, and not Eve's to use.
        let answer = adas.answer(gateway, "ada@acme.test");
        let page = answer.post(&mut eve, Some(&adas.relay_state)).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        assert!(eve.cookies.get("genkan_session").is_none());
        assert_ne!(answer.post(&mut ada, None).await.callback().code(), "");
    })
    .await;
}

#[tokio::test]
async fn an_answer_counts_only_at_its_own_connection() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let beta = gateway
            .organization("beta.test")
            .with_connection(|connection| lead_there(connection, |_| {}))
            .await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        // The same provider serves both, and this answer says that it is for beta.
        let at_beta = Answer::unsolicited(gateway, &beta, "ada@acme.test")
            .with(|answer| answer.in_response_to = Some(asked.request.id.clone()));
        let arrival = at_beta.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "request_of_other_connection");
        // An answer for acme, at beta's address.
        let answer = asked.answer(gateway, "ada@acme.test");
        let arrival = post(&mut browser, &at_beta.acs, &answer.encoded(), None).await;
        assert_eq!(cause(gateway, arrival).await, "request_of_other_connection");
        // And at the address of a connection of another kind.
        let gamma = gateway.organization("gamma.test").with_oidc_connection().await;
        for kind in ["saml", "oidc"] {
            let acs = format!(
                "{}/sso/v1/{kind}/{}/callback",
                gateway.url(),
                gamma.connection_id()
            );
            let page = post(&mut browser, &acs, &answer.encoded(), None).await.page();
            assert!(
                [400, 404].contains(&page.reply.status.as_u16()),
                "{}",
                page.reply.status
            );
        }
        assert_eq!(logins(gateway).await, 0);
        assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_switched_off_meanwhile_signs_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        // Between the POST and the GET.
        let (_, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
        acme.set_enabled(false).await;
        let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
        assert_eq!(page.heading(), "Your company’s sign-in is switched off");
        // Before the POST.
        let page = answer.post(&mut browser, None).await.page();
        assert_eq!(page.reply.status, 403);
        assert!(browser.cookies.get("genkan_session").is_none());
        assert_eq!(parked(gateway).await, 0);
    })
    .await;
}

/// A provider that leaves the connection vouches for nobody from that moment on, and so does its key.
#[tokio::test]
async fn settings_that_change_meanwhile_count() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        let (_, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
        acme.change_connection(|connection| {
            lead_there(connection, |saml| {
                saml.idp_entity_id = Some("https://another.acme.test/".to_owned());
            });
        })
        .await;
        let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        assert!(browser.cookies.get("genkan_session").is_none());
        // Nothing is used up: with the provider back its answer can be sent again.
        acme.change_connection(|connection| lead_there(connection, |_| {}))
            .await;
        answer
            .post(&mut browser, Some(&asked.relay_state))
            .await
            .callback()
            .code();
    })
    .await;
}

/// Each kind of connection has its own addresses, and an answer of one kind is none of the other.
#[tokio::test]
async fn an_answer_counts_only_at_the_address_of_its_kind() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let other = format!("{}/sso/v1/oidc/{}/callback", gateway.url(), acme.connection_id());
    let reply = gateway
        .call(Method::POST, other.strip_prefix(gateway.url()).unwrap())
        .body(
            "application/x-www-form-urlencoded",
            format!("state={}&code=x", asked.relay_state),
        )
        .send()
        .await;
    assert_eq!(reply.status.as_u16() / 100, 4);
    assert_eq!(parked(&gateway).await, 0);
    let answer = asked.answer(&gateway, "ada@acme.test");
    let (_, place) = deliver(&gateway, &answer.acs, &answer.encoded()).await;
    let (_, handle) = place.rsplit_once('/').unwrap();
    let page = browser.open(&format!("{other}/{handle}")).await.page();
    assert_eq!(page.heading(), "We did not expect this sign-in");
}

/// An unsigned answer is kept for a shorter time than a signed one, whatever else is wrong with it.
#[tokio::test]
async fn an_unsigned_answer_to_no_request_is_kept_for_a_day() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway).await;
    let answer = Answer::unsolicited(&gateway, &acme, "ada@acme.test").with(|answer| {
        answer.signs = Signs::Nothing;
        answer.in_response_to = Some(format!("_{}", "A".repeat(43)));
    });
    let arrival = answer.post(&mut gateway.browser(), None).await;
    assert_eq!(cause(&gateway, arrival).await, "request_unknown");
    assert_eq!(count(&gateway, "SELECT COUNT(*) FROM login_messages").await, 1);
    gateway
        .clock()
        .advance(login_message::UNVERIFIED + Duration::from_secs(1));
    gateway.sweep().await;
    assert_eq!(count(&gateway, "SELECT COUNT(*) FROM login_messages").await, 0);
}

#[tokio::test]
async fn an_answer_to_no_request_is_refused() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let unsolicited = Answer::unsolicited(gateway, &acme, "ada@acme.test");
        let arrival = unsolicited.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "unsolicited_not_allowed");
        for made_up in ["_", "_x", "x", "_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let answer = unsolicited
                .clone()
                .with(|answer| answer.in_response_to = Some(made_up.to_owned()));
            let arrival = answer.post(&mut browser, None).await;
            assert_eq!(cause(gateway, arrival).await, "request_unknown", "{made_up}");
        }
        // RelayState names a request, and the answer does not (row 46 of the field's failures).
        let asked = ask(&mut browser, &rp).await;
        let forgot = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.in_response_to = None);
        let arrival = forgot.post(&mut browser, Some(&asked.relay_state)).await;
        assert_eq!(cause(gateway, arrival).await, "in_response_to_missing");
        let arrival = asked
            .answer(gateway, "ada@acme.test")
            .post(&mut browser, Some("another"))
            .await;
        assert_eq!(cause(gateway, arrival).await, "relay_state_mismatch");
        assert_eq!((parked(gateway).await, logins(gateway).await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_answer_waits_a_minute_and_a_request_half_an_hour() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let answer = asked.answer(&gateway, "ada@acme.test");
    let (_, place) = deliver(&gateway, &answer.acs, &answer.encoded()).await;
    gateway.clock().advance(parked_answer::ASSERTION_LIFETIME);
    let page = browser.open(&format!("{}{place}", gateway.url())).await.page();
    assert_eq!(page.heading(), "We did not expect this sign-in");

    let asked = ask(&mut browser, &rp).await;
    gateway.clock().advance(upstream_request::LIFETIME);
    let late = asked.answer(&gateway, "ada@acme.test");
    let arrival = late.post(&mut browser, None).await;
    assert_eq!(cause(&gateway, arrival).await, "request_expired");
    gateway.clock().advance(Duration::from_secs(1));
    gateway.sweep().await;
    assert_eq!(parked(&gateway).await, 0);
}

#[tokio::test]
async fn a_message_that_nobody_vouches_for_signs_nobody_in() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    for (signs, expected) in [
        (Signs::Nothing, "signature_missing"),
        (Signs::Strangely, "signature_invalid"),
    ] {
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked
            .answer(&gateway, "ada@acme.test")
            .with(|answer| answer.signs = signs);
        let arrival = answer.post(&mut browser, None).await;
        assert_eq!(cause(&gateway, arrival).await, expected, "{signs:?}");
        assert!(browser.cookies.get("genkan_session").is_none());
    }
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let answer = asked
        .answer(&gateway, "ada@acme.test")
        .with(|answer| answer.signs = Signs::Response);
    assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");
}

/// Anybody may post anything. It must leave little behind, and cost those who sign in nothing.
#[tokio::test]
async fn junk_is_refused_and_leaves_a_trace_at_most() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway).await;
    let acs = format!("{}/sso/v1/saml/{}/callback", gateway.url(), acme.connection_id());
    let path = acs.strip_prefix(gateway.url()).unwrap();
    for (body, expected) in [
        ("", "form_malformed"),
        ("SAMLResponse=PGE%2B&SAMLResponse=PGE%2B", "form_malformed"),
        ("SAMLResponse=PGE%2B&SAMLRequest=PGE%2B", "form_malformed"),
        ("SAMLResponse=", "base64_malformed"),
        ("SAMLResponse=%25%25%25", "base64_malformed"),
        ("SAMLResponse=PGE%2B", "xml_malformed"),
        // <!DOCTYPE a><a/>
        ("SAMLResponse=PCFET0NUWVBFIGE%2BPGEvPg%3D%3D", "xml_document_type"),
    ] {
        let reply = gateway
            .call(Method::POST, path)
            .body("application/x-www-form-urlencoded", body.to_owned())
            .send()
            .await;
        assert_eq!(reply.status, 403, "{body}");
        assert_eq!(gateway.login_trace().await.cause, expected, "{body}");
    }
    let long = format!("SAMLResponse=PGE%2B&RelayState={}", "x".repeat(513));
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", long, 403),
        ("text/plain", "SAMLResponse=PGE%2B".to_owned(), 400),
        (
            "multipart/form-data; boundary=x",
            "SAMLResponse=PGE%2B".to_owned(),
            400,
        ),
        (
            "application/x-www-form-urlencoded",
            format!("SAMLResponse={}", "A".repeat(1 << 20)),
            413,
        ),
    ] {
        let reply = gateway.call(Method::POST, path).body(kind, body).send().await;
        assert_eq!(reply.status, status, "{kind}");
    }
    for sql in [
        "SELECT COUNT(*) FROM parked_answers",
        "SELECT COUNT(*) FROM saml_assertions",
        "SELECT COUNT(*) FROM interactions",
        "SELECT COUNT(*) FROM upstream_requests",
    ] {
        assert_eq!(count(&gateway, sql).await, 0, "{sql}");
    }
}

/// Nothing of it is read, so there is no trace. The person needs more than a number.
#[tokio::test]
async fn the_page_of_an_answer_that_is_too_long_says_what_to_change() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let endless = "A".repeat(1 << 20);
    let page = post(&mut browser, &asked.request.acs_url, &endless, None)
        .await
        .page();
    assert_eq!(page.reply.status, 413);
    let shown = page.html.text();
    for words in [
        Cause::MessageTooLong.sentence(),
        "message_too_long",
        "send only the groups that the application needs",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(count(&gateway, "SELECT COUNT(*) FROM login_traces").await, 0);
}

/// A browser that has asked, and an answer that waits for it.
async fn about_to_fetch(gateway: &Gateway, rp: &Rp) -> (genkan_testkit::Browser, Asked, Answer, String) {
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, rp).await;
    let answer = asked.answer(gateway, "ada@acme.test");
    let (status, place) = deliver(gateway, &answer.acs, &answer.encoded()).await;
    assert_eq!(status, 303);
    (browser, asked, answer, format!("{}{place}", gateway.url()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_fetch_one_answer_one_signs_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (browser, _, _, place) = about_to_fetch(gateway, &rp).await;
        let fetches = (0..100).map(|_| {
            let (mut browser, place) = (browser.clone(), place.clone());
            async move {
                let _ = browser.open(&place).await;
                browser.cookies.get("genkan_session").is_some()
            }
        });
        let outcomes = futures_util::future::join_all(fetches).await;
        assert_eq!(outcomes.iter().filter(|signed_in| **signed_in).count(), 1);
        assert_eq!(logins(gateway).await, 1);
        assert_eq!(count(gateway, "SELECT COUNT(*) FROM saml_assertions").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_answers_that_are_posted_and_fetched_at_once_one_signs_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let (browser, asked, _, _) = about_to_fetch(gateway, &rp).await;
        // Twenty different assertions of one request, each posted and followed.
        let deliveries = (0..20).map(|_| {
            let (mut browser, answer) = (browser.clone(), asked.answer(gateway, "ada@acme.test"));
            async move {
                let _ = answer.post(&mut browser, None).await;
                browser.cookies.get("genkan_session").is_some()
            }
        });
        let outcomes = futures_util::future::join_all(deliveries).await;
        assert_eq!(outcomes.iter().filter(|signed_in| **signed_in).count(), 1);
        assert_eq!(logins(gateway).await, 1);
        assert_eq!(count(gateway, "SELECT COUNT(*) FROM upstream_requests").await, 0);
    })
    .await;
}

/// Anybody may post. Their junk must not hide the reason why people cannot sign in.
#[tokio::test]
async fn the_junk_of_strangers_hides_no_failure() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    let before = gateway.events().await;
    let junk = Answer::unsolicited(&gateway, &acme, "ada@acme.test");
    for _ in 0..30 {
        assert_eq!(deliver(&gateway, &junk.acs, &junk.encoded()).await.0, 403);
    }
    assert_eq!(count(&gateway, "SELECT COUNT(*) FROM login_traces").await, 20);
    assert_eq!(gateway.events().await, before);
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let wrong = asked
        .answer(&gateway, "ada@acme.test")
        .with(|answer| answer.audience = "https://wrong.test".to_owned());
    let arrival = wrong.post(&mut browser, None).await;
    assert_eq!(cause(&gateway, arrival).await, "audience_mismatch");
    // The next hour has twenty again.
    gateway.clock().advance(Duration::from_hours(1));
    let junk = Answer::unsolicited(&gateway, &acme, "ada@acme.test");
    deliver(&gateway, &junk.acs, &junk.encoded()).await;
    assert_eq!(count(&gateway, "SELECT COUNT(*) FROM login_traces").await, 22);
}
