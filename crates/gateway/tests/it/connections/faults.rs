//! An identity provider that misbehaves signs nobody in, and the people who must fix it
//! can see why.
//!
//! Source: OIDC Core §3.1.3.7, §5.3.2; RFC 9700 §2.1, §4.4.

use genkan::simulator::Fault;
use genkan_testkit::{Arrival, Browser, Gateway, Person, Rp};
use insta::assert_snapshot;

use super::misbehaviour::{Must, Table, refusal};

/// A new fault does not compile until somebody has decided.
pub(super) const fn must(fault: Fault) -> Must {
    match fault {
        Fault::WrongState | Fault::NoState => Must::NotExpect,
        Fault::RotatedKey => Must::Accept,
        // The ID token says all that a sign-in needs (OIDC Core §5.3).
        Fault::UserInfoServerError | Fault::UserInfoNotJson | Fault::UserInfoHuge => Must::Accept,
        Fault::WrongResponseIssuer
        | Fault::NoResponseIssuer
        | Fault::RepeatedCode
        | Fault::WrongNonce
        | Fault::NoNonce
        | Fault::WrongIssuer
        | Fault::WrongAudience
        | Fault::SecondAudience
        | Fault::Expired
        | Fault::NotYetValid
        | Fault::WrongAccessTokenHash
        | Fault::NoSubject
        | Fault::NoEmail
        | Fault::BadSignature
        | Fault::UnknownKey
        | Fault::AlgorithmNone
        | Fault::AlgorithmHmac
        | Fault::NoIdToken
        | Fault::TokenError
        | Fault::TokenServerError
        | Fault::TokenNotJson
        | Fault::TokenHuge
        | Fault::TokenSlow
        | Fault::UserInfoOtherSubject => Must::Refuse,
    }
}

pub(super) async fn arrive(browser: &mut Browser, rp: &Rp, fault: Fault) -> Arrival {
    let arrival = browser.start(&rp.authorize()).await;
    let person = Person::new("ada@acme.test").with_fault(fault);
    browser.go_on(arrival, &person).await
}

#[tokio::test]
async fn every_fault_is_noticed_at_its_own_check() {
    let gateway = Gateway::start().await;
    // With a claim to look for, so that userinfo is asked.
    gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    // Taking one's time and rotating keys have tests of their own.
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
    assert_snapshot!(noticed, @r#"
    wrong_state -> We did not expect this sign-in
    no_state -> We did not expect this sign-in
    wrong_response_issuer -> authorization_response_issuer_mismatch at "Answering provider"
    no_response_issuer -> authorization_response_issuer_mismatch at "Answering provider"
    repeated_code -> authorization_response_malformed at "Authorization response"
    wrong_nonce -> id_token_nonce_mismatch at "Nonce"
    no_nonce -> id_token_nonce_mismatch at "Nonce"
    wrong_issuer -> id_token_issuer_mismatch at "Issuer"
    wrong_audience -> id_token_audience_mismatch at "Audience"
    second_audience -> id_token_authorized_party_mismatch at "Authorized party"
    expired -> id_token_expired at "Expiry"
    not_yet_valid -> id_token_issued_at_implausible at "Time of issue"
    wrong_access_token_hash -> id_token_access_token_hash_mismatch at "Access token hash"
    no_subject -> id_token_subject_unusable at "Subject"
    no_email -> mandatory_attribute_missing at "E-mail address"
    bad_signature -> signature_invalid at "ID token signature"
    unknown_key -> signing_key_unknown at "ID token signature"
    algorithm_none -> algorithm_not_allowed at "ID token signature"
    algorithm_hmac -> algorithm_not_allowed at "ID token signature"
    no_id_token -> id_token_missing at "ID token"
    token_error -> failed_to_exchange_token at "Code exchange"
    token_server_error -> failed_to_exchange_token at "Code exchange"
    token_not_json -> token_response_malformed at "Code exchange"
    token_huge -> token_endpoint_unreachable at "Code exchange"
    userinfo_other_subject -> userinfo_subject_mismatch at "Userinfo subject"
    userinfo_server_error -> signed in
    userinfo_not_json -> signed in
    userinfo_huge -> signed in
    "#);
    // Three signed in, without a userinfo that could be read; nobody else did.
    let events = gateway.events().await;
    let count = |kind: &str| events.iter().filter(|known| *known == kind).count();
    assert_eq!((count("user.signup"), count("user.login")), (1, 3), "{events:?}");
}

#[tokio::test]
async fn a_refused_login_can_be_tried_again() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let request = rp.authorize();
    let arrival = browser.start(&request).await;
    let person = Person::new("ada@acme.test").with_fault(Fault::WrongNonce);
    let page = browser.go_on(arrival, &person).await.page();
    assert_snapshot!(page.reply.transcript(), @r#"
    403 Forbidden
    cache-control: no-store
    rp
    We could not sign you in
    Your company’s sign-in answered, but the answer cannot be accepted. Nothing is wrong with your account.
    What you can do: send the reference below to your IT team. It shows them what to change.
    Reference
    err_<id>
    Try again
    Back to rp
    "#);

    let back = page.html.link("Back to rp").unwrap().to_owned();
    let again = page.url.join(page.html.link("Try again").unwrap()).unwrap();
    let arrival = browser.open(again.as_str()).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    // Whoever gives up goes home with an error.
    let callback = browser.open(&back).await.callback();
    assert_eq!(callback.error(), "authentication_not_completed");
    assert_eq!(callback.parameter("state").as_deref(), request.parameter("state"));
}

/// Ten seconds, which this test waits for.
#[tokio::test]
async fn a_provider_that_takes_its_time_is_not_waited_for() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = arrive(&mut browser, &rp, Fault::TokenSlow).await.page();
    assert_eq!(
        refusal(&gateway, &page).await,
        "token_endpoint_unreachable at \"Code exchange\""
    );
}
