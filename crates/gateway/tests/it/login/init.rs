//! A login that begins at the identity provider.
//!
//! Source: OIDC Core §4; the contract, "IdP-initiated SSO".

use genkan_testkit::{Gateway, IdentityProvider, Organization};
use insta::assert_snapshot;

fn init(gateway: &Gateway, organization: &Organization, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!(
        "{}/sso/v1/oidc/{}/init?{query}",
        gateway.url(),
        organization.connection_id()
    )
}

#[tokio::test]
async fn the_application_is_told_and_nobody_is_signed_in() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway
        .client("rp")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await;
    let idp = gateway.idp().await;
    let mut browser = gateway.browser();
    let url = init(
        &gateway,
        &acme,
        &[
            ("iss", idp.issuer()),
            ("login_hint", "ada@acme.test"),
            ("target_link_uri", "https://rp.test/reports?id=7"),
        ],
    );
    let callback = browser.follow_from("http://127.0.0.1:1/", &url).await.callback();
    assert_snapshot!(callback.transcript(), @"https://rp.test/login?idp_initiated_login=<jwt>");
    assert!(browser.set_cookies.is_empty());

    let token = callback.parameter("idp_initiated_login").unwrap();
    let claims = rp.verify(&token).await;
    let shown = claims
        .to_string()
        .replace(gateway.url(), "https://gateway.test")
        .replace(acme.id.as_str(), "org_<id>")
        .replace(acme.connection_id().as_str(), "conn_<id>");
    assert_snapshot!(shown, @r#"{"connection_id":"conn_<id>","exp":1780315500,"iat":1780315200,"iss":"https://gateway.test","login_hint":"ada@acme.test","nbf":1780315200,"organization_id":"org_<id>","relay_state":"https://rp.test/reports?id=7"}"#);
    // It is no token for anything else.
    assert_eq!(rp.userinfo(&token).await.status, 401);
    let page = browser
        .open(&rp.logout_url(&[("id_token_hint", &token)]))
        .await
        .page();
    assert_eq!(page.reply.status, 400);

    // What the application makes of it.
    let request = rp
        .authorize()
        .with("connection_id", claims["connection_id"].as_str().unwrap())
        .with("organization_id", claims["organization_id"].as_str().unwrap())
        .with("login_hint", claims["login_hint"].as_str().unwrap());
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn a_foreign_issuer_begins_nothing() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let other = IdentityProvider::start(&gateway).await;
    gateway
        .client("rp")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await;
    let own = gateway.idp().await.issuer();
    let slash = format!("{own}/");
    for query in [
        vec![],
        vec![("iss", other.issuer())],
        vec![("iss", slash.as_str())],
        vec![("iss", "https://evil.test")],
        vec![("iss", own), ("iss", "https://evil.test")],
    ] {
        let page = gateway
            .browser()
            .open(&init(&gateway, &acme, &query))
            .await
            .page();
        assert_eq!(page.reply.status, 400, "{query:?}");
    }
    acme.set_enabled(false).await;
    let page = gateway
        .browser()
        .open(&init(&gateway, &acme, &[("iss", own)]))
        .await
        .page();
    assert_eq!(page.reply.status, 404);
}

#[tokio::test]
async fn without_an_address_to_begin_at_there_is_a_page() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    gateway.client("rp").await;
    let idp = gateway.idp().await;
    let page = gateway
        .browser()
        .open(&init(&gateway, &acme, &[("iss", idp.issuer())]))
        .await
        .page();
    assert_snapshot!(page.reply.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    Genkan
    The application cannot be opened from here
    No application has registered an address where such a sign-in begins.
    What you can do: open the application itself and sign in there. If you run it, register its initiate_login_uri.
    Reference
    req_<id>
    "#);
}
