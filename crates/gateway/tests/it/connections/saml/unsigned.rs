//! Answers that the provider has not signed: anybody can make them, so little of them is kept.
//!
//! Source: `docs/decisions/anonymous-work.md`.

use std::time::Duration;

use genkan_protocol::saml::{Cause, KeyPurpose, OwnKey};
use genkan_protocol::trace::CheckOutcome;
use genkan_testkit::{Gateway, on_each_engine};

use super::attacks::{count, deliver};
use super::provider::{Answer, Asked, Signs, ask, cause, our_certificate, read, world, world_with};

const TRACES: &str = "SELECT COUNT(*) FROM login_traces";
const MESSAGES: &str = "SELECT COUNT(*) FROM login_messages";
/// A day, in microseconds.
const FOR_A_DAY: &str = "SELECT COUNT(*) FROM login_messages m JOIN login_traces t ON t.id = m.trace_id
     WHERE m.expires_at = t.created_at + 86400000000";
/// 16 KiB, and the quotation marks around them.
const TOO_LONG: &str = "SELECT COUNT(*) FROM login_messages WHERE LENGTH(message) > 20000";

/// A stranger begins a sign-in and answers it again and again. Else they could fill the table, and keep
/// what they like in it for a month.
#[tokio::test]
async fn a_stranger_who_answers_their_own_sign_in_leaves_twenty_short_traces_for_a_day() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        for number in 0..30 {
            // Not all within a minute, of which ten would be kept.
            gateway.clock().advance(Duration::from_secs(30));
            let junk = asked.answer(gateway, "ada@acme.test").with(|answer| {
                answer.signs = if number % 2 == 0 {
                    Signs::Strangely
                } else {
                    Signs::Nothing
                };
                answer.attributes = vec![("junk".to_owned(), vec!["x".repeat(40_000)])];
            });
            assert_eq!(deliver(gateway, &junk.acs, &junk.encoded()).await.0, 303);
        }
        assert_eq!(count(gateway, TRACES).await, 20);
        assert_eq!(count(gateway, FOR_A_DAY).await, 20);
        assert_eq!(count(gateway, TOO_LONG).await, 0);

        // They hide no failure that the provider has signed, and none of a test: also if they all come at once.
        for _ in 0..15 {
            let junk = asked
                .answer(gateway, "ada@acme.test")
                .with(|answer| answer.signs = Signs::Nothing);
            deliver(gateway, &junk.acs, &junk.encoded()).await;
        }
        let wrong = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.audience = "https://wrong.test".to_owned());
        let arrival = wrong.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "audience_mismatch");
        let mut tester = gateway.browser();
        let tested = read(tester.begin_test(&acme).await);
        let unsigned = tested
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.signs = Signs::Strangely);
        let page = unsigned.post(&mut tester, None).await.page();
        let shown = page.html.text();
        assert!(shown.contains(Cause::SignatureInvalid.sentence()), "{shown}");
        assert_eq!(count(gateway, TRACES).await, 22);
        // Each is counted, with an event for the first of a minute.
        let events = gateway.events().await;
        assert!(events.iter().any(|kind| kind == "login.failed"), "{events:?}");

        gateway.clock().advance(Duration::from_hours(25));
        gateway.sweep().await;
        assert_eq!(count(gateway, TRACES).await, 1);
        assert_eq!(count(gateway, MESSAGES).await, 1);
        assert_eq!(gateway.login_trace().await.cause, "audience_mismatch");
    })
    .await;
}

/// The checks before the signatures verify nobody, however far the code of the cause stands in the table.
#[tokio::test]
async fn a_check_before_the_signatures_makes_no_answer_a_signed_one() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway).await;
    let made_up = Answer::unsolicited(&gateway, &acme, "ada@acme.test").with(|answer| {
        answer.signs = Signs::Nothing;
        answer.in_response_to = Some(format!("_{}", "A".repeat(43)));
    });
    deliver(&gateway, &made_up.acs, &made_up.encoded()).await;
    assert_eq!(gateway.login_trace().await.cause, "request_unknown");
    deliver(&gateway, &made_up.acs, "no base64!").await;
    assert_eq!(gateway.login_trace().await.cause, "base64_malformed");
    assert_eq!(count(&gateway, FOR_A_DAY).await, 2);
}

/// The company's provider has a new certificate, and a stranger posts junk at the same time.
#[tokio::test]
async fn a_person_whose_answer_fails_gets_a_reference_after_twenty_strangers() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut stranger = gateway.browser();
        let begun = ask(&mut stranger, &rp).await;
        for _ in 0..25 {
            let junk = begun
                .answer(gateway, "ada@acme.test")
                .with(|answer| answer.signs = Signs::Nothing);
            assert_eq!(deliver(gateway, &junk.acs, &junk.encoded()).await.0, 303);
        }
        assert_eq!(count(gateway, TRACES).await, 20);

        let mut ada = gateway.browser();
        let asked = ask(&mut ada, &rp).await;
        let rotated = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.signs = Signs::Strangely);
        // A post alone stores nothing, and neither does another browser that opens its address.
        let (_, place) = deliver(gateway, &rotated.acs, &rotated.encoded()).await;
        let place = format!("{}{place}", gateway.url());
        let page = stranger.open(&place).await.page();
        assert!(page.html.text().contains("wait an hour"), "{}", page.html.text());
        assert_eq!(count(gateway, TRACES).await, 20);

        let page = ada.open(&place).await.page();
        let trace = gateway.login_trace().await;
        assert_eq!(page.reference(), trace.id.as_str());
        assert_eq!(trace.cause, "signature_invalid");
        assert!(trace.interaction_id.is_some());
        let checks = trace.trace.checks();
        assert_eq!(checks.first().unwrap().name, "Form");
        assert!(
            checks
                .iter()
                .any(|check| check.outcome == CheckOutcome::NotReached)
        );
        // Loaded again, it says the same to everybody, and nothing is stored twice.
        for browser in [&mut ada, &mut stranger] {
            let again = browser.open(&place).await.page();
            assert_eq!(again.reference(), trace.id.as_str());
        }
        assert_eq!(count(gateway, TRACES).await, 21);
        assert_eq!(count(gateway, FOR_A_DAY).await, 21);
    })
    .await;
}

/// A stranger can begin sign-ins in browsers of their own too.
#[tokio::test]
async fn browsers_that_come_back_with_a_failure_store_twenty_traces_in_an_hour() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut stranger = gateway.browser();
        let begun = ask(&mut stranger, &rp).await;
        let junk = |asked: &Asked| {
            asked
                .answer(gateway, "ada@acme.test")
                .with(|answer| answer.signs = Signs::Nothing)
        };
        for _ in 0..20 {
            let junk = junk(&begun);
            deliver(gateway, &junk.acs, &junk.encoded()).await;
        }
        assert_eq!(count(gateway, TRACES).await, 20);
        // One sign-in has three.
        for _ in 0..5 {
            junk(&begun).post(&mut stranger, None).await.page();
        }
        assert_eq!(count(gateway, TRACES).await, 23);
        for _ in 0..20 {
            let mut browser = gateway.browser();
            let asked = ask(&mut browser, &rp).await;
            junk(&asked).post(&mut browser, None).await.page();
        }
        assert_eq!(count(gateway, TRACES).await, 40);
        gateway.clock().advance(Duration::from_hours(1));
        let mut ada = gateway.browser();
        let asked = ask(&mut ada, &rp).await;
        let arrival = junk(&asked).post(&mut ada, None).await;
        assert_eq!(cause(gateway, arrival).await, "signature_missing");
    })
    .await;
}

/// The link of a test counts once, and then its request can be answered again and again.
#[tokio::test]
async fn a_test_leaves_three_traces_however_often_it_is_answered() {
    let gateway = Gateway::start().await;
    let (acme, _) = world(&gateway).await;
    let mut tester = gateway.browser();
    let tested = read(tester.begin_test(&acme).await);
    for _ in 0..5 {
        let unsigned = tested
            .answer(&gateway, "ada@acme.test")
            .with(|answer| answer.signs = Signs::Nothing);
        let page = unsigned.post(&mut tester, None).await.page();
        assert!(page.reply.status.as_u16() < 500, "{}", page.html.text());
    }
    assert_eq!(count(&gateway, TRACES).await, 3);
}

/// The tile on the provider's page leads here without a request, and so does the junk of strangers.
#[tokio::test]
async fn unsigned_answers_hide_none_that_the_provider_signed_and_the_page_names_the_hour() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _) = world_with(gateway, |settings| settings.allow_idp_initiated_login = true).await;
        let begun = || Answer::unsolicited(gateway, &acme, "ada@acme.test");
        let mut browser = gateway.browser();
        for number in 0..21 {
            let junk = begun().with(|answer| answer.signs = Signs::Nothing);
            let page = junk.post(&mut browser, None).await.page();
            let shown = page.html.text();
            assert_eq!(shown.contains("wait an hour"), number == 20, "{number}: {shown}");
            assert!(!shown.contains("minute"), "{shown}");
        }
        let wrong = begun().with(|answer| answer.audience = "https://wrong.test".to_owned());
        let arrival = wrong.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "audience_mismatch");
        // The signature of the response covers the cipher text, so the provider has made it. We have keys of our
        // own from the moment at which somebody reads our metadata.
        our_certificate(gateway, &acme, "encryption").await;
        let other = OwnKey::generate("other.test", KeyPurpose::Decryption, gateway.now()).unwrap();
        let unreadable = begun().with(|answer| {
            answer.signs = Signs::Response;
            answer.encrypted_to = Some(other.certificate);
        });
        let arrival = unreadable.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "decryption_failed");
        assert_eq!(count(gateway, TRACES).await, 22);
        assert_eq!(count(gateway, FOR_A_DAY).await, 20);
        // One that the provider has signed can be posted again and again as well.
        for _ in 0..20 {
            deliver(gateway, &wrong.acs, &wrong.encoded()).await;
        }
        assert_eq!(count(gateway, TRACES).await, 40);
    })
    .await;
}

/// The provider has signed it, once, for another service. Anybody who works there can post it to a sign-in that they
/// begin, as often as they like.
#[tokio::test]
async fn an_assertion_of_another_service_hides_no_failure_either() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut stranger = gateway.browser();
        let begun = ask(&mut stranger, &rp).await;
        for _ in 0..30 {
            gateway.clock().advance(Duration::from_secs(10));
            let old = begun
                .answer(gateway, "mallory@acme.test")
                .with(|answer| answer.audience = "https://other.test".to_owned());
            deliver(gateway, &old.acs, &old.encoded()).await;
        }
        assert_eq!(count(gateway, TRACES).await, 20);
        let mut ada = gateway.browser();
        let asked = ask(&mut ada, &rp).await;
        let nameless = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.name_id.0 = String::new());
        let arrival = nameless.post(&mut ada, None).await;
        assert_eq!(cause(gateway, arrival).await, "name_id_malformed");
        assert_eq!(count(gateway, TRACES).await, 21);
    })
    .await;
}
