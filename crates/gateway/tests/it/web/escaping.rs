//! Foreign text on our pages is text.

use genkan_testkit::{Gateway, Page, Person};
use serde_json::json;

const MARKUP: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{7*7}}";

fn is_text(page: &Page) {
    let html = page.reply.text();
    for tag in ["<script", "<img src=x", "onerror=alert(1)>", "'><"] {
        assert!(!html.contains(tag), "{tag} on {}: {html}", page.url);
    }
}

#[tokio::test]
async fn a_login_hint_and_what_was_typed_fill_the_field() {
    let gateway = Gateway::start().await;
    let rp = gateway
        .client("rp")
        .change(|client| MARKUP.clone_into(&mut client.name))
        .await;
    let mut browser = gateway.browser();
    let request = rp
        .authorize()
        .with("redirect_uri", rp.redirect_uri.clone())
        .with("login_hint", MARKUP);
    let page = browser.open(&request.url()).await.page();
    is_text(&page);
    assert_eq!(page.form().field("email"), Some(MARKUP));
    assert!(page.html.text().contains(MARKUP), "the name is shown as it is");
    let page = browser.submit(&page, &[("email", MARKUP)]).await.page();
    is_text(&page);
    assert_eq!(page.form().field("email"), Some(MARKUP));
    let unknown = browser
        .submit(&page, &[("email", "ada@nobody.test")])
        .await
        .page();
    is_text(&unknown);
    let foreign = rp.authorize().with("redirect_uri", "https://evil.test/");
    is_text(&browser.open(&foreign.url()).await.page());
}

#[tokio::test]
async fn state_and_names_are_text_at_the_logout() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let person = Person {
        given_name: MARKUP.to_owned(),
        ..Person::new("ada@acme.test")
    };
    browser.sign_in(&rp, &person).await;
    let url = rp.logout_url(&[
        ("client_id", rp.id.as_str()),
        ("post_logout_redirect_uri", "https://rp.test/"),
        ("state", MARKUP),
    ]);
    let page = browser.open(&url).await.page();
    is_text(&page);
    assert_eq!(page.form().field("state"), Some(MARKUP));
    assert!(page.html.text().contains("<script>alert(1)</script>"));
    let callback = browser.submit(&page, &[("choice", "stay")]).await.callback();
    assert_eq!(callback.parameter("state").as_deref(), Some(MARKUP));

    is_text(
        &browser
            .start(&rp.authorize().with("prompt", "select_account"))
            .await
            .page(),
    );
}

#[tokio::test]
async fn what_an_identity_provider_says_is_text() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let mut browser = gateway.browser();
    let arrival = browser.begin_test(&acme).await;
    let person =
        Person::new("ada@acme.test").with_claims(&json!({ "title": MARKUP, MARKUP: "x", "list": [MARKUP] }));
    let page = browser.go_on(arrival, &person).await.page();
    is_text(&page);
    assert!(page.html.text().contains(MARKUP));

    // Its own words about a failure.
    let page = browser.begin_test(&acme).await.page();
    let form = page.html.forms()[1].clone();
    let refused = browser
        .submit_form(
            &page,
            &form,
            &[("error", "access_denied"), ("error_description", MARKUP)],
        )
        .await
        .page();
    is_text(&refused);
    assert!(
        refused.html.text().contains("alert(1)"),
        "{}",
        refused.html.text()
    );
}

#[tokio::test]
async fn addresses_are_not_reflected() {
    let gateway = Gateway::start().await;
    let encoded: String = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect();
    let mut browser = gateway.browser();
    for path in [
        format!("/{encoded}"),
        format!("/login/{encoded}"),
        format!(
            "/sso/v1/oidc/{encoded}/callback?state={encoded}&error={encoded}&error_description={encoded}"
        ),
        format!("/sso/v1/oidc/{encoded}/init?iss={encoded}"),
        format!("/sso/v1/saml/{encoded}/init?answer={encoded}"),
        format!("/sso/v1/saml/{encoded}/failure?answer={encoded}"),
        format!("/oauth/authorize?client_id={encoded}&redirect_uri={encoded}"),
        format!(
            "/oidc/logout?client_id={encoded}&post_logout_redirect_uri={encoded}&id_token_hint={encoded}"
        ),
    ] {
        let page = browser.open(&format!("{}{path}", gateway.url())).await.page();
        assert!(page.reply.status.is_client_error(), "{path}");
        is_text(&page);
        assert!(!page.html.text().contains("alert(1)"), "{path}");
    }
    for path in ["/oauth/token", "/oauth/introspect", "/revoke"] {
        let fields = [
            ("grant_type", MARKUP),
            ("client_id", MARKUP),
            ("token", MARKUP),
            ("scope", MARKUP),
        ];
        let reply = gateway.post(path).form(&fields).send().await;
        assert!(!reply.text().contains("alert(1)"), "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json");
    }
}
