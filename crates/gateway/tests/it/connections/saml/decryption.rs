//! Encrypted answers: how many of them a private key opens, and whose.
//!
//! Source: `docs/concepts/saml-security.md`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_testkit::{Gateway, on_each_engine};

use super::attacks::deliver;
use super::provider::{Answer, Signs, ask, cause, our_certificate, post, world, world_with};

#[tokio::test]
async fn an_encrypted_answer_signs_in_and_three_are_opened_for_a_request() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world_with(gateway, |settings| settings.assertion_encrypted = true).await;
        let certificate = our_certificate(gateway, &acme, "encryption").await;
        let encrypt = |answer: &mut Answer| answer.encrypted_to = Some(certificate.clone());
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let plain = asked
            .answer(gateway, "ada@acme.test")
            .post(&mut browser, None)
            .await;
        assert_eq!(cause(gateway, plain).await, "encryption_expected");
        let answer = asked.answer(gateway, "ada@acme.test").with(encrypt);
        assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");

        // Somebody changes an answer that they have seen, and looks how it is refused.
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        for _ in 0..3 {
            let wrong = asked
                .answer(gateway, "ada@acme.test")
                .with(encrypt)
                .with(|answer| answer.audience = "https://wrong.test".to_owned());
            let arrival = wrong.post(&mut browser, None).await;
            assert_eq!(cause(gateway, arrival).await, "audience_mismatch");
        }
        let answer = asked.answer(gateway, "ada@acme.test").with(encrypt);
        let arrival = answer.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "too_many_decryptions");
        // The signature of the response covers the cipher text, so it is no variant of anybody's.
        let whole = answer.with(|answer| answer.signs = Signs::Response);
        assert_ne!(whole.post(&mut browser, None).await.callback().code(), "");
    })
    .await;
}

/// The ID of a request stands in the logs of others.
#[tokio::test]
async fn an_answer_whose_response_signature_is_bad_uses_no_decryption_up() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    let certificate = our_certificate(&gateway, &acme, "encryption").await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let encrypted = |signs: Signs| {
        asked.answer(&gateway, "ada@acme.test").with(|answer| {
            answer.encrypted_to = Some(certificate.clone());
            answer.signs = signs;
        })
    };
    for _ in 0..4 {
        // Changed after the provider signed it.
        let changed = encrypted(Signs::Response)
            .xml()
            .replace("Version=\"2.0\"", "Version=\"2.0\" Consent=\"x\"");
        let changed = STANDARD.encode(changed);
        let arrival = post(&mut browser, &asked.request.acs_url, &changed, None).await;
        assert_eq!(cause(&gateway, arrival).await, "digest_mismatch");
    }
    let answer = encrypted(Signs::Assertion);
    assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");
}

/// Nothing is stored of an answer to no request, and anybody can encrypt to our certificate.
#[tokio::test]
async fn a_hundred_answers_to_no_request_are_opened_in_a_minute() {
    let gateway = Gateway::start().await;
    let (acme, _) = world_with(&gateway, |settings| settings.allow_idp_initiated_login = true).await;
    gateway
        .client("other")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await;
    let certificate = our_certificate(&gateway, &acme, "encryption").await;
    let begun = |signs: Signs| {
        Answer::unsolicited(&gateway, &acme, "ada@acme.test").with(|answer| {
            answer.encrypted_to = Some(certificate.clone());
            answer.signs = signs;
        })
    };
    for number in 0..100 {
        let answer = begun(Signs::Assertion);
        let (status, _) = deliver(&gateway, &answer.acs, &answer.encoded()).await;
        assert_eq!(status, 303, "{number}");
    }
    let mut browser = gateway.browser();
    let arrival = begun(Signs::Assertion).post(&mut browser, None).await;
    assert_eq!(cause(&gateway, arrival).await, "too_many_decryptions");
    let trace = gateway.login_trace().await;
    let expected = trace.trace.failure().unwrap().expected.clone().unwrap();
    assert!(expected.contains("a hundred answers"), "{expected}");
    // The provider itself has made these.
    let whole = begun(Signs::Response);
    assert_eq!(deliver(&gateway, &whole.acs, &whole.encoded()).await.0, 303);
    gateway.clock().advance(Duration::from_mins(1));
    let answer = begun(Signs::Assertion);
    assert_eq!(deliver(&gateway, &answer.acs, &answer.encoded()).await.0, 303);
}
