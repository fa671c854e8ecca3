//! A sign-in through a SAML provider, from the application and back to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::{AlgorithmPolicy, IdpCertificate, VerificationKey, verify_query};
use genkan_testkit::{Gateway, on_each_engine};
use serde_json::json;

use super::provider::{ask, ask_with, our_certificate, sign_in, world, world_with};

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
async fn a_failed_answer_is_kept_without_what_could_be_used_again() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
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
    let message = kept(gateway.now()).await.unwrap();
    assert!(
        message.contains("https://wrong.test") && message.contains("ada@acme.test"),
        "{message}"
    );
    assert!(!message.contains(&asked.relay_state), "{message}");
    let (_, signature) = message.split_once("SignatureValue>").unwrap();
    assert!(signature.starts_with('…'), "{signature}");
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
