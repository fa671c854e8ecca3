//! A sign-in through a SAML provider, from the application and back to it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::{AlgorithmPolicy, Cause, IdpCertificate, VerificationKey, verify_query};
use genkan_store::login_message::LoginMessage;
use genkan_testkit::{Gateway, on_each_engine};
use serde_json::json;

use super::provider::{Asked, ask, ask_with, cause, our_certificate, sign_in, world, world_with};

#[tokio::test]
async fn a_person_signs_in_through_a_saml_provider() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let asked = ask_with(&mut browser, &request).await;
        let ours = format!("{}/sso/v1/saml/{}", gateway.url(), acme.connection_id());
        assert_eq!(asked.request.issuer, ours);
        assert_eq!(asked.request.acs_url, format!("{ours}/callback"));
        assert_eq!(asked.request.id, format!("_{}", asked.relay_state));
        assert!(!asked.request.force_authn);
        assert_eq!(asked.request.requested_context, None);

        let answer = asked.answer(gateway, "ada@acme.test");
        let callback = answer
            .post(&mut browser, Some(&asked.relay_state))
            .await
            .callback();
        let code = request.code(&callback.code());
        let tokens = rp.redeem(&code).await.expect_tokens();
        let claims = rp.verify(tokens.id_token()).await;
        assert_eq!(claims["email"], json!("ada@acme.test"));
        assert_eq!(claims["name"], json!("Ada Lovelace"));
        assert_eq!(claims["amr"][0], json!(acme.connection_id().as_str()));
        assert_eq!(claims["auth_time"], json!(gateway.now().as_secs()));

        // The same person comes back, and is the same.
        let mut elsewhere = gateway.browser();
        let asked = ask_with(&mut elsewhere, &request).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        let callback = answer.post(&mut elsewhere, None).await.callback();
        let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
        assert_eq!(rp.verify(tokens.id_token()).await["sub"], claims["sub"]);
    })
    .await;
}

#[tokio::test]
async fn a_provider_without_a_redirect_is_asked_by_a_form() {
    let gateway = Gateway::start().await;
    let (_, rp) = world_with(&gateway, |settings| {
        settings.idp_sso_request_binding = genkan_store::connection::RequestBinding::HttpPost;
        settings.force_authn = true;
        settings.name_id_format = genkan_store::connection::NameIdFormat::Email;
    })
    .await;
    let mut browser = gateway.browser();
    let page = browser
        .start(&rp.authorize().with("domain", "acme.test"))
        .await
        .page();
    assert_eq!(page.heading(), "One moment");
    let form = page.form();
    assert_eq!(form.action, "https://idp.acme.test/sso");
    let octets =
        genkan_protocol::saml::binding::decode_request(form.field("SAMLRequest").unwrap(), false).unwrap();
    let request = genkan_protocol::saml::AuthnRequest::parse(&octets).unwrap();
    assert!(request.force_authn);
    assert_eq!(
        request.name_id_format,
        Some(genkan_protocol::saml::NameIdFormat::Email)
    );
}

#[tokio::test]
async fn the_post_uses_up_nothing_and_signs_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        let before = gateway.events().await;
        // As a program would that has got hold of it: without a cookie.
        let mut thief = gateway.browser();
        let page = answer.post(&mut thief, Some(&asked.relay_state)).await.page();
        assert_eq!(page.heading(), "We did not expect this sign-in");
        assert!(thief.cookies.get("genkan_session").is_none());
        assert_eq!(gateway.events().await, before);
        // It still counts in its own browser.
        let callback = answer
            .post(&mut browser, Some(&asked.relay_state))
            .await
            .callback();
        assert_ne!(callback.code(), "");
    })
    .await;
}

#[tokio::test]
async fn a_failure_names_what_to_change_at_the_vendor() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            super::provider::lead_there(connection, |_| {});
            connection.provider = genkan_store::Provider::Okta;
        })
        .await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let answer = asked
        .answer(&gateway, "ada@acme.test")
        .with(|answer| answer.audience = "https://wrong.test".to_owned());
    let page = answer.post(&mut browser, None).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    let trace = gateway.login_trace().await;
    assert_eq!(
        (trace.cause.as_str(), trace.id.as_str()),
        ("audience_mismatch", page.reference().as_str())
    );
    let entity = format!("{}/sso/v1/saml/{}", gateway.url(), acme.connection_id());
    assert!(
        trace.remedy.contains("Audience URI (SP Entity ID)") && trace.remedy.contains(&entity),
        "{}",
        trace.remedy
    );
    let failed = trace.trace.failure().unwrap();
    assert_eq!(failed.received.as_deref(), Some("https://wrong.test"));
    // The application hears the contract's code, if the person goes back.
    let back = page.html.link("Back to rp").unwrap();
    assert!(back.contains("error=invalid_saml_response"), "{back}");
    // They may try again, and it works.
    assert_ne!(
        sign_in(&gateway, &mut browser, &rp, "ada@acme.test")
            .await
            .callback()
            .code(),
        ""
    );
}

#[tokio::test]
async fn request_and_answer_of_a_failure_are_kept_without_what_could_be_used_again() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world(&gateway).await;
    let mut browser = gateway.browser();
    let asked = ask(&mut browser, &rp).await;
    let wrong = asked
        .answer(&gateway, "ada@acme.test")
        .with(|answer| answer.audience = "https://wrong.test".to_owned());
    let _ = wrong.post(&mut browser, None).await.page();
    let trace = gateway.login_trace().await;
    let kept = async |now| {
        gateway
            .tx(async |tx| genkan_store::login_message::find(tx, &trace.id, now).await)
            .await
    };
    let LoginMessage { request, answer } = kept(gateway.now()).await.unwrap();
    let (request, answer) = (request.unwrap(), answer.unwrap());
    assert!(
        answer.contains("https://wrong.test") && answer.contains("ada@acme.test"),
        "{answer}"
    );
    for text in [&request, &answer] {
        assert!(!text.contains(&asked.relay_state), "{text}");
    }
    let (_, signature) = answer.split_once("SignatureValue>").unwrap();
    assert!(signature.starts_with('…'), "{signature}");
    // The request is the one that was sent, but for its identifier.
    assert_eq!(request, asked.request.render().replace(&asked.request.id, "…"));

    // After a change of the connection nobody can say how it was.
    gateway.clock().advance(Duration::from_secs(1));
    acme.change_connection(|connection| connection.name = "Another".to_owned())
        .await;
    let _ = wrong.post(&mut browser, None).await.page();
    let trace = gateway.login_trace().await;
    let later = gateway
        .tx(async |tx| genkan_store::login_message::find(tx, &trace.id, gateway.now()).await)
        .await;
    let request = later.unwrap().request.unwrap();
    assert!(
        request.starts_with("<!-- The connection was changed"),
        "{request}"
    );
}

/// The trace had the attributes only. An administrator who looks for the reason needs our request too.
#[tokio::test]
async fn the_request_stands_beside_an_answer_that_held_and_was_refused() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let kept = async || {
            let trace = gateway.login_trace().await;
            gateway
                .tx(async |tx| genkan_store::login_message::find(tx, &trace.id, gateway.now()).await)
                .await
                .unwrap()
        };
        let sent = |asked: &Asked| asked.request.render().replace(&asked.request.id, "…");
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let foreign = asked.answer(gateway, "mallory@other.test");
        let arrival = foreign.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "email_domain_not_trusted");
        let LoginMessage { request, answer } = kept().await;
        assert!(answer.unwrap().contains("mallory@other.test"));
        assert_eq!(request, Some(sent(&asked)));

        let mut browser = gateway.browser();
        let first = ask(&mut browser, &rp).await.answer(gateway, "ada@acme.test");
        assert_ne!(first.post(&mut browser, None).await.callback().code(), "");
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let again = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.assertion_id.clone_from(&first.assertion_id));
        let arrival = again.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "assertion_replayed");
        let LoginMessage { request, answer } = kept().await;
        assert!(answer.unwrap().contains("ada@acme.test"));
        assert_eq!(request, Some(sent(&asked)));
    })
    .await;
}

/// A clock that differs and groups that did not come fail nothing. A test of the connection shows them.
#[tokio::test]
async fn what_is_worth_knowing_stands_among_the_checks_of_a_test() {
    let gateway = Gateway::start().await;
    let (acme, _) = world_with(&gateway, |_| {}).await;
    acme.change_connection(|connection| {
        let mapping = &mut connection.settings.common.attribute_mapping;
        mapping.insert("groups".to_owned(), "groups".to_owned());
    })
    .await;
    let mut browser = gateway.browser();
    let asked = super::provider::read(browser.begin_test(&acme).await);
    let answer = asked.answer(&gateway, "ada@acme.test").with(|answer| {
        answer.issued_at = answer.issued_at + Duration::from_secs(60);
        let link = "http://schemas.microsoft.com/claims/groups.link";
        answer
            .attributes
            .push((link.to_owned(), vec!["https://graph.test/g".to_owned()]));
    });
    let page = answer.post(&mut browser, None).await.page();
    let shown = page.html.text();
    assert_eq!(page.heading(), "The company’s sign-in works", "{shown}");
    for note in [Cause::ClockDiffers, Cause::GroupsOverage] {
        assert!(note.is_note() && shown.contains(note.sentence()), "{shown}");
    }
}

/// Entra sends identifiers where people expect names.
#[tokio::test]
async fn groups_that_are_identifiers_are_noted() {
    let gateway = Gateway::start().await;
    let (acme, _) = world_with(&gateway, |_| {}).await;
    acme.change_connection(|connection| {
        let mapping = &mut connection.settings.common.attribute_mapping;
        mapping.insert("groups".to_owned(), "groups".to_owned());
    })
    .await;
    for (group, is_noted) in [
        ("0b3f8c1e-2d64-4c0a-9a51-3f7f0f7a1c22", true),
        ("Engineering", false),
    ] {
        let mut browser = gateway.browser();
        let asked = super::provider::read(browser.begin_test(&acme).await);
        let answer = asked.answer(&gateway, "ada@acme.test").with(|answer| {
            answer
                .attributes
                .push(("groups".to_owned(), vec![group.to_owned()]));
        });
        let shown = answer.post(&mut browser, None).await.page().html.text();
        assert_eq!(
            shown.contains("are identifiers and no names"),
            is_noted,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_request_is_signed_if_the_connection_says_so() {
    let gateway = Gateway::start().await;
    let (acme, rp) = world_with(&gateway, |settings| settings.want_request_signed = true).await;
    let mut browser = gateway.browser();
    let there = browser
        .start(&rp.authorize().with("domain", "acme.test"))
        .await
        .callback();
    let query = there.url.query().unwrap();
    let (signed, _) = query.split_once("&Signature=").unwrap();
    let signature = STANDARD.decode(there.parameter("Signature").unwrap()).unwrap();
    let certificate = our_certificate(&gateway, &acme, "signing").await;
    let certificate = IdpCertificate::from_base64(&STANDARD.encode(certificate)).unwrap();
    let keys = [VerificationKey::new(certificate).unwrap()];
    let algorithm = there.parameter("SigAlg").unwrap();
    let policy = AlgorithmPolicy::default();
    let by = verify_query(signed.as_bytes(), &algorithm, &signature, &keys, &policy);
    assert_eq!(by.unwrap(), 0);
}
