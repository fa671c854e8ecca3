//! A provider's claims count only as the connection is set up: an address with its own
//! flag, groups and roles from named claims.
//!
//! Source: OIDC Core §5.1, §5.3, §5.6.2.

use genkan_protocol::trace::CheckOutcome;
use genkan_testkit::{Arrival, Canned, Gateway, Key, Organization, Person, Rp, on_each_engine};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// Signs in: the claims of the access token and, below `email` and `groups`, of the
/// ID token; or why not.
async fn sign_in(
    gateway: &Gateway,
    rp: &Rp,
    organization: &Organization,
    person: impl Into<Person>,
) -> Result<Value, String> {
    let mut browser = gateway.browser();
    let request = rp.authorize().with("organization_id", organization.id.as_str());
    let arrival = browser.start(&request).await;
    match browser.go_on(arrival, person).await {
        Arrival::Application(callback) => {
            let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            let mut claims = rp.verify(&tokens.access_token).await;
            let id = rp.verify(tokens.id_token()).await;
            for name in ["email", "groups"] {
                claims[name] = id[name].clone();
            }
            Ok(claims)
        }
        Arrival::Page(_) => Err(gateway.login_trace().await.cause),
    }
}

fn ada(claims: &Value) -> Person {
    Person::new("ada@acme.test").with_claims(claims)
}

#[tokio::test]
async fn a_flag_of_one_document_verifies_no_address_of_another() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    // The ID token has the flag, userinfo the address, and says that nobody checked it.
    idp.change_id_tokens(&json!({ "email": null, "email_verified": true }));
    let claimed = Person::new("boss@acme.test").unverified();
    assert_eq!(
        sign_in(&gateway, &rp, &acme, &claimed).await,
        Err("email_not_verified".to_owned())
    );
    // Userinfo completes and overwrites no pair.
    for id_token in [
        json!({ "email_verified": false }),
        json!({ "email": "boss@acme.test", "email_verified": false }),
    ] {
        idp.change_id_tokens(&id_token);
        let verified = Person::new("boss@acme.test");
        assert_eq!(
            sign_in(&gateway, &rp, &acme, &verified).await,
            Err("email_not_verified".to_owned()),
            "{id_token}"
        );
    }
    // A pair in userinfo is one.
    idp.change_id_tokens(&json!({ "email": null, "email_verified": null }));
    let boss = sign_in(&gateway, &rp, &acme, "boss@acme.test").await.unwrap();
    assert_eq!(boss["email"], "boss@acme.test");
}

#[tokio::test]
async fn a_connection_may_take_verified_addresses_only() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_settings(|settings| settings.only_verified_email = true)
        .await;
    let mapped = gateway
        .organization("mapped.test")
        .with_connection(|connection| {
            connection.settings.map_attribute("email", "upn");
            connection.settings.as_oidc_mut().unwrap().only_verified_email = true;
        })
        .await;
    let rp = gateway.client("rp").await;
    let refused = Err("email_not_verified".to_owned());
    let silent = ada(&json!({ "email_verified": null }));
    assert_eq!(sign_in(&gateway, &rp, &acme, &silent).await, refused);
    let doubted = ada(&json!({ "email_verified": false }));
    assert_eq!(sign_in(&gateway, &rp, &acme, &doubted).await, refused);
    // The flag is about the claim `email`.
    let upn = Person::new("x@mapped.test").with_claims(&json!({ "upn": "boss@mapped.test" }));
    assert_eq!(sign_in(&gateway, &rp, &mapped, &upn).await, refused);
    sign_in(&gateway, &rp, &acme, "ada@acme.test").await.unwrap();
}

#[tokio::test]
async fn a_provider_gives_nothing_by_claims_that_nobody_named() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        gateway.let_providers_give(&["admin"]).await;
        let rp = gateway.client("rp").await;
        sign_in(gateway, &rp, &acme, "first@acme.test").await.unwrap();
        let sent = ada(&json!({ "roles": ["admin"], "groups": ["admins"] }));
        let claims = sign_in(gateway, &rp, &acme, &sent).await.unwrap();
        assert_eq!(claims["roles"], json!(["member"]));
        assert_eq!(claims["groups"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_provider_gives_a_role_of_the_environment_only_if_it_is_marked() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    sign_in(&gateway, &rp, &acme, "first@acme.test").await.unwrap();
    let sent = ada(&json!({ "roles": ["admin"] }));
    let claims = sign_in(&gateway, &rp, &acme, &sent).await.unwrap();
    assert_eq!(claims["roles"], json!(["member"]));
    gateway.let_providers_give(&["admin"]).await;
    let claims = sign_in(&gateway, &rp, &acme, &sent).await.unwrap();
    assert_eq!(claims["roles"], json!(["admin", "member"]));
}

/// Taking the last role away is the ordinary way to lose one, and many providers
/// then leave the claim out.
#[tokio::test]
async fn what_a_provider_stops_saying_is_taken_back() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    gateway.let_providers_give(&["admin"]).await;
    let rp = gateway.client("rp").await;
    sign_in(&gateway, &rp, &acme, "first@acme.test").await.unwrap();
    let given = ada(&json!({ "roles": ["admin"], "groups": ["a"] }));
    for said in [
        json!({}),
        json!({ "roles": null, "groups": null }),
        json!({ "roles": { "admin": true }, "groups": 7 }),
        json!({ "roles": [], "groups": "" }),
    ] {
        let before = sign_in(&gateway, &rp, &acme, &given).await.unwrap();
        assert_eq!(
            (&before["roles"], &before["groups"]),
            (&json!(["admin", "member"]), &json!(["a"]))
        );
        let after = sign_in(&gateway, &rp, &acme, ada(&said)).await.unwrap();
        assert_eq!(
            (&after["roles"], &after["groups"]),
            (&json!(["member"]), &Value::Null),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_nobody_can_tell_stays_and_the_sign_in_goes_on() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    gateway.let_providers_give(&["admin"]).await;
    let rp = gateway.client("rp").await;
    sign_in(&gateway, &rp, &acme, "first@acme.test").await.unwrap();
    let idp = gateway.idp().await;
    let given = ada(&json!({ "roles": ["admin"], "groups": ["a"] }));
    let known = |claims: &Value| {
        assert_eq!(
            (&claims["roles"], &claims["groups"]),
            (&json!(["admin", "member"]), &json!(["a"]))
        );
    };
    known(&sign_in(&gateway, &rp, &acme, &given).await.unwrap());

    let html = Canned {
        body: "<h1>Sign in</h1>".to_owned(),
        ..Canned::status(StatusCode::OK)
    };
    for canned in [
        Canned::status(StatusCode::UNAUTHORIZED),
        Canned::status(StatusCode::FORBIDDEN),
        Canned::status(StatusCode::INTERNAL_SERVER_ERROR),
        Canned::json(&json!({ "error": "invalid_token" })),
        Canned::json(&json!([])),
        Canned::redirect("https://elsewhere.test"),
        html,
        signed(&json!({ "sub": "x" }), "signed with another key"),
    ] {
        let shown = format!("{canned:?}");
        idp.answer("/userinfo", canned);
        let claims = sign_in(&gateway, &rp, &acme, "ada@acme.test").await;
        known(&claims.unwrap_or_else(|cause| panic!("{cause}: {shown}")));
    }
    idp.behave("/userinfo");

    // Entra ID, when there are too many groups for a token.
    let overage = json!({
        "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/…" } },
        "roles": ["admin"],
    });
    known(&sign_in(&gateway, &rp, &acme, ada(&overage)).await.unwrap());
    let hidden = json!({ "hasgroups": true, "roles": ["admin"] });
    known(&sign_in(&gateway, &rp, &acme, ada(&hidden)).await.unwrap());
}

/// A signed answer, as the provider of the tests would sign it.
fn signed(claims: &Value, key: &str) -> Canned {
    let kid = if key == "the provider's key" { "idp-1" } else { key };
    Canned {
        headers: vec![(header::CONTENT_TYPE, "application/jwt; charset=utf-8".to_owned())],
        body: Key::IdentityProvider.signing(kid).sign("JWT", claims).unwrap(),
        ..Canned::status(StatusCode::OK)
    }
}

#[tokio::test]
async fn a_signed_userinfo_is_read() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    let groups = async |claims: &Value| {
        idp.answer("/userinfo", signed(claims, "the provider's key"));
        let claims = sign_in(&gateway, &rp, &acme, ada(&json!({ "sub": "ada" }))).await?;
        Ok::<_, String>(claims["groups"].clone())
    };
    let good = json!({ "iss": idp.issuer(), "aud": idp.client_id(), "sub": "ada", "groups": ["a"] });
    assert_eq!(groups(&good).await, Ok(json!(["a"])));
    // Not one that speaks in another name, or to another application; and it is not
    // this provider's word that the groups are gone, either.
    for (name, value) in [
        ("iss", json!("https://idp.test")),
        ("aud", json!("another")),
        ("aud", json!(null)),
        ("exp", json!(gateway.now().as_secs() - 3600)),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        bad["groups"] = json!(["admins"]);
        assert_eq!(groups(&bad).await, Ok(json!(["a"])), "{name}");
    }
    let mut other = good.clone();
    other["sub"] = json!("bob");
    assert_eq!(groups(&other).await, Err("userinfo_subject_mismatch".to_owned()));
}

#[tokio::test]
async fn userinfo_is_not_asked_if_the_id_token_says_it_all() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    let complete = ada(&json!({ "roles": [], "groups": [] }));
    sign_in(&gateway, &rp, &acme, &complete).await.unwrap();
    assert!(gateway.idp().await.requests("/userinfo").is_empty());
    sign_in(&gateway, &rp, &acme, "ada@acme.test").await.unwrap();
    assert_eq!(gateway.idp().await.requests("/userinfo").len(), 1);
}

/// A sign-in that cannot do without it says so.
#[tokio::test]
async fn without_an_address_an_unread_userinfo_is_the_cause() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    idp.change_id_tokens(&json!({ "email": null }));
    idp.answer("/userinfo", Canned::status(StatusCode::FORBIDDEN));
    assert_eq!(
        sign_in(&gateway, &rp, &acme, "ada@acme.test").await,
        Err("user_info_retrieve_failed".to_owned())
    );
    let trace = gateway.login_trace().await.trace;
    let userinfo = trace
        .checks()
        .iter()
        .find(|check| check.name == "Userinfo")
        .unwrap();
    assert_eq!(userinfo.outcome, CheckOutcome::PassedOver);
    assert!(
        userinfo.note.as_ref().unwrap().ends_with("status 403"),
        "{userinfo:?}"
    );
}
