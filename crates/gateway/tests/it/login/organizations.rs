//! People who belong to several organizations.
//!
//! Source: `docs/decisions/account-linking.md`, "One browser, several organizations".

use genkan_db::p;
use genkan_protocol::EmailAddress;
use genkan_store::{membership, user};
use genkan_testkit::{Gateway, Person};

#[tokio::test]
async fn a_session_of_one_organization_is_none_of_another() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let beta = gateway.organization("beta.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let at_acme = rp.authorize().with("organization_id", acme.id.as_str());
    let at_beta = rp.authorize().with("organization_id", beta.id.as_str());
    let code = browser.sign_in_with(&at_acme, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    assert_eq!(rp.verify(tokens.id_token()).await["oid"], acme.id.as_str());

    let silent = at_beta.clone().with("prompt", "none");
    assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
    // Beta's provider must know her, and Beta must have her.
    let arrival = browser.start(&at_beta).await;
    let refused = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(refused.heading(), "We could not sign you in");
    assert_eq!(gateway.login_trace().await.cause, "email_domain_not_trusted");
    // Her session at Acme lives on.
    let silent = at_acme.with("prompt", "none");
    assert_eq!(browser.start(&silent).await.callback().error(), "");
}

#[tokio::test]
async fn a_member_of_two_organizations_switches_between_them() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let beta = gateway
        .organization("beta.test")
        .with_connection(|connection| connection.sync_profile = false)
        .await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let at = |organization: &genkan_testkit::Organization| {
        rp.authorize().with("organization_id", organization.id.as_str())
    };
    let code = browser.sign_in_with(&at(&acme), "ada@acme.test").await;
    let first = rp.redeem(&code).await.expect_tokens();

    // Beta invited her, and its provider knows her by an address of Beta.
    let request = at(&beta);
    let arrival = browser.start(&request).await;
    let page = browser.go_on(arrival, "ada@beta.test").await.page();
    assert_eq!(page.heading(), "Switch to another account?");
    let callback = browser.submit(&page, &[("choice", "switch")]).await.callback();
    let code = request.code(&callback.code());
    let second = rp.redeem(&code).await.expect_tokens();
    let (first, second) = (
        rp.verify(first.id_token()).await,
        rp.verify(second.id_token()).await,
    );
    assert_eq!(second["oid"], beta.id.as_str());
    assert_ne!(
        first["sub"], second["sub"],
        "two addresses are two users until somebody links them"
    );

    // `select_account` with a place named goes there without asking who.
    let request = at(&beta).with("prompt", "select_account");
    let callback = browser.start(&request).await.callback();
    assert_eq!(callback.error(), "");
}

/// A token tells of one organization, whatever the person belongs to.
#[tokio::test]
async fn the_grant_of_the_first_organization_survives_the_switch() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let at_acme = rp.redeem(&code).await.expect_tokens();

    // Beta's connection vouches for nobody of Acme, so she is known there by subject.
    let beta = gateway.organization("beta.test").with_oidc_connection().await;
    let ada = EmailAddress::parse("ada@acme.test").unwrap();
    let now = gateway.at();
    let subject = serde_json::json!({ "sub": "ada-at-beta" });
    gateway
        .tx(async |tx| {
            let ada = user::find_by_email(tx, &ada).await?.unwrap();
            membership::insert(tx, now, &beta.id, &ada.id).await?;
            tx.exec(
                "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at, last_login_at)
                 VALUES ($1, 'ada-at-beta', $2, '{}', $3, $3)",
                p![beta.connection_id(), &ada.id, now.now.as_micros()],
            )
            .await?;
            Ok(())
        })
        .await;
    let request = rp.authorize().with("organization_id", beta.id.as_str());
    let person = Person::new("ada@acme.test").with_claims(&subject);
    let code = browser.sign_in_with(&request, &person).await;
    let at_beta = rp.redeem(&code).await.expect_tokens();
    let claims = rp.verify(at_beta.id_token()).await;
    let before = rp.verify(at_acme.id_token()).await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&before["sub"], &before["sid"]));
    assert_eq!(claims["oid"], beta.id.as_str());

    let refreshed = rp.refresh(at_acme.refresh_token()).await.expect_tokens();
    assert_eq!(rp.verify(&refreshed.access_token).await["oid"], acme.id.as_str());
    let refreshed = rp.refresh(at_beta.refresh_token()).await.expect_tokens();
    assert_eq!(rp.verify(&refreshed.access_token).await["oid"], beta.id.as_str());
}
