//! Trying a connection without signing anybody in.
//!
//! Source: the contract, `test_connection_uri`.

use genkan::simulator::Fault;
use genkan_store::connection_test::{self, Status};
use genkan_store::{ConnectionTestId, TraceId};
use genkan_testkit::{Gateway, Organization, Page, Person};
use insta::assert_snapshot;
use serde_json::json;

async fn test(gateway: &Gateway, organization: &Organization, person: impl Into<Person>) -> Page {
    let url = format!(
        "{}/sso/v1/oidc/{}/test",
        gateway.url(),
        organization.connection_id()
    );
    let mut browser = gateway.browser();
    let arrival = browser.open(&url).await;
    let page = browser.go_on(arrival, person).await.page();
    assert!(
        browser.cookies.get("genkan_session").is_none(),
        "nobody is signed in"
    );
    page
}

#[tokio::test]
async fn a_test_shows_every_check_and_what_is_made_of_the_claims() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let person = Person::new("ada@acme.test")
        .with_roles("admin")
        .with_claims(&json!({ "sub": "ada-1" }));
    let page = test(&gateway, &acme, &person).await;
    assert_eq!(page.reply.status, 200);
    let text = page
        .html
        .text()
        .replace(gateway.idp().await.issuer(), "https://idp.test/simulator");
    let (checks, claims) = text.split_once("What the identity provider sent").unwrap();
    assert_snapshot!(redact(checks.trim_end()), @r#"
    Genkan Connection test
    The company’s sign-in works
    The identity provider answered and every check passed. This was a test: nobody was signed in.
    Provider
    CUSTOM
    Reference
    test_<id>
    Test again
    Checks
    ✓ State known, unused, from this browser
    ✓ Provider metadata https://idp.test/simulator
    ✓ Answering provider https://idp.test/simulator
    ✓ Authorization response a code
    ✓ Code exchange tokens received
    ✓ ID token signature RS256 by key idp-1
    ✓ Issuer https://idp.test/simulator
    ✓ Audience genkan-at-acme
    ✓ Authorized party
    ✓ Expiry 1780315500
    ✓ Time of issue 1780315200
    ✓ Not before
    ✓ Nonce
    ✓ Access token hash
    ✓ Time of authentication
    ✓ Subject ada-1
    ✓ Userinfo same subject
    ✓ E-mail address ada@acme.test
    "#);
    for claim in [
        "sub becomes the subject ada-1",
        "email becomes the e-mail ada@acme.test",
        "given_name becomes the given name Ada",
        "roles becomes the roles [\"admin\"]",
        "email_verified not used true",
    ] {
        assert!(claims.contains(claim), "{claim} in {claims}");
    }
    assert!(
        !gateway
            .events()
            .await
            .iter()
            .any(|kind| kind.starts_with("user."))
    );
}

/// Testing comes before enabling.
#[tokio::test]
async fn a_disabled_connection_can_be_tested() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| connection.enabled = false)
        .await;
    // An address of another domain would not sign in, and still tests the connection.
    let page = test(&gateway, &acme, "ada@elsewhere.test").await;
    assert!(page.html.text().contains("ada@elsewhere.test"));
}

#[tokio::test]
async fn a_failed_test_says_why_and_keeps_its_result() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let page = test(
        &gateway,
        &acme,
        &Person::new("ada@acme.test").with_fault(Fault::WrongAudience),
    )
    .await;
    let text = page.html.text();
    assert!(text.contains("enter the client id of the application"), "{text}");
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "id_token_audience_mismatch");
    let reference = text.lines().find(|line| line.starts_with("err_")).unwrap();
    assert_eq!(trace.id, TraceId::parse(reference).unwrap());
    assert_eq!(gateway.events().await.last().unwrap(), "login.failed");
}

#[tokio::test]
async fn whoever_asked_by_api_finds_the_result() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let page = test(&gateway, &acme, "ada@acme.test").await;
    let text = page.html.text();
    let id = text
        .lines()
        .find_map(|line| ConnectionTestId::parse(line).ok())
        .expect(&text);
    let result = gateway
        .tx(async |tx| connection_test::find(tx, acme.connection_id(), &id).await)
        .await
        .unwrap();
    assert_eq!(result.status, Status::Success);
    assert_eq!(result.user_info.unwrap()["email"], "ada@acme.test");
}

fn redact(text: &str) -> String {
    let word = |word: &str| match word.rsplit_once('_') {
        Some((prefix, digits)) if digits.len() == 21 => format!("{prefix}_<id>"),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
