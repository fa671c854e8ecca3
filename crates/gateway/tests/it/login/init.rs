//! A login that begins at the identity provider.
//!
//! Source: OIDC Core §4; `docs/decisions/forced-sign-in.md`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
    let acme = acme(&gateway).await;
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
    let page = browser.follow_from(idp.issuer(), &url).await.page();
    assert_snapshot!(page.reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    rp
    Sign in to rp?
    A link or another website has started a sign-in with the company sign-in of acme.test.
    Continue with acme.test
    If you do not work with acme.test, or did not start this, close this page: nothing happens.
    "#);
    let callback = browser.submit(&page, &[]).await.callback();
    assert_snapshot!(callback.transcript(), @"https://rp.test/login?idp_initiated_login=<jwt>");
    assert!(browser.cookies.get("genkan_session").is_none());

    let token = callback.parameter("idp_initiated_login").unwrap();
    assert_eq!(header_of(&token)["typ"], "idp-initiated+jwt");
    assert_eq!(header_of(&token)["alg"], "RS256");
    let claims = rp.verify(&token).await;
    let shown = claims
        .to_string()
        .replace(gateway.url(), "https://gateway.test")
        .replace(acme.id.as_str(), "org_<id>")
        .replace(acme.connection_id().as_str(), "conn_<id>");
    assert_snapshot!(shown, @r#"{"aud":"https://rp.test/login","connection_id":"conn_<id>","exp":1780315260,"iat":1780315200,"iss":"https://gateway.test","login_hint":"ada@acme.test","nbf":1780315200,"organization_id":"org_<id>","relay_state":"https://rp.test/reports?id=7"}"#);
    // It is no token for anything else.
    assert_eq!(rp.userinfo(&token).await.status, 401);
    let page = browser
        .open(&rp.logout_url(&[("id_token_hint", &token)]))
        .await
        .page();
    assert_eq!(page.reply.status, 400);

    // What the application makes of it: the browser still comes from the
    // provider's page, and the press covers it.
    let request = rp
        .authorize()
        .with("connection_id", claims["connection_id"].as_str().unwrap())
        .with("organization_id", claims["organization_id"].as_str().unwrap())
        .with("login_hint", claims["login_hint"].as_str().unwrap());
    let arrival = browser.follow_from(idp.issuer(), &request.url()).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    let code = request.code(&callback.code());
    rp.redeem(&code).await.expect_tokens();

    // From now on this browser knows the connection.
    let callback = browser.follow_from(idp.issuer(), &url).await.callback();
    assert!(callback.parameter("idp_initiated_login").is_some());
}

/// A token that anybody can have signed must pass for nothing.
#[tokio::test]
async fn a_connection_that_does_not_allow_it_begins_nothing() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    with_login(&gateway).await;
    let idp = gateway.idp().await;
    let url = init(&gateway, &acme, &[("iss", idp.issuer())]);
    let mut browser = gateway.browser();
    for tells_site in [true, false] {
        browser.tells_site = tells_site;
        let page = browser.open(&url).await.page();
        assert_eq!(page.reply.status, 403);
        assert_eq!(page.heading(), "The application cannot be opened from here");
    }
}

/// However the browser got there, and whether its page hides or not: only a
/// press of this browser on our page counts.
#[tokio::test]
async fn a_link_to_it_begins_nothing_without_a_press() {
    let gateway = Gateway::start().await;
    let acme = acme(&gateway).await;
    let rp = with_login(&gateway).await;
    let idp = gateway.idp().await;
    let url = init(&gateway, &acme, &[("iss", idp.issuer())]);
    let mut browser = gateway.browser();
    for from in [
        "https://attacker.test/",
        "https://rp.test/",
        gateway.url(),
        idp.issuer(),
    ] {
        assert_eq!(
            browser.follow_from(from, &url).await.page().heading(),
            "Sign in to rp?",
            "{from}"
        );
    }
    let page = browser.open(&url).await.page();
    assert_eq!(page.heading(), "Sign in to rp?");
    // Neither another site nor another browser's token presses the button.
    let action = url.split('?').next().unwrap();
    let own = page.form().field("csrf").unwrap();
    let mut eve = gateway.browser();
    let eves = eve.open(&url).await.page();
    let eves = eves.form().field("csrf").unwrap();
    for (from, csrf) in [
        ("https://attacker.test/", own),
        (gateway.url(), eves),
        (gateway.url(), ""),
    ] {
        let fields = [("iss", idp.issuer()), ("csrf", csrf)];
        let refused = browser.post_from(from, action, &fields).await.page();
        assert_eq!(refused.reply.status, 403, "{from}");
    }
    // So the request that would follow asks.
    let request = rp
        .authorize()
        .with("connection_id", acme.connection_id().as_str());
    let arrival = browser
        .follow_from("https://attacker.test/", &request.url())
        .await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(page.heading(), "Is this you?");
}

async fn acme(gateway: &Gateway) -> Organization {
    let allow = |settings: &mut genkan_store::connection::OidcSettings| {
        settings.allow_idp_initiated_login = true;
    };
    gateway.organization("acme.test").with_settings(allow).await
}

async fn with_login(gateway: &Gateway) -> genkan_testkit::Rp {
    gateway
        .client("rp")
        .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
        .await
}

fn header_of(token: &str) -> serde_json::Value {
    let head = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap()
}

#[tokio::test]
async fn a_foreign_issuer_begins_nothing() {
    let gateway = Gateway::start().await;
    let acme = acme(&gateway).await;
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
    let acme = acme(&gateway).await;
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
