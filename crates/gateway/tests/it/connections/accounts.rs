//! Which user a sign-in becomes: what a provider may say about people, and what not.
//!
//! Source: `docs/decisions/account-linking.md`, `docs/decisions/domains.md`.

use genkan_testkit::{Gateway, IdentityProvider, Organization, Person, Rp, on_each_engine};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// Signs in at an organization; the claims of the access token, or why not.
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
        genkan_testkit::Arrival::Application(callback) => {
            let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            let mut claims = rp.verify(&tokens.access_token).await;
            let id = rp.verify(tokens.id_token()).await;
            for name in ["email", "name", "email_verified", "given_name", "groups"] {
                claims[name] = id[name].clone();
            }
            Ok(claims)
        }
        genkan_testkit::Arrival::Page(page) => {
            assert!(browser.cookies.get("genkan_session").is_none());
            let trace = gateway.login_trace().await;
            assert_eq!(trace.id.as_str(), page.reference());
            Err(trace.cause)
        }
    }
}

/// The worst that a hostile administrator of one company could do to another.
#[tokio::test]
async fn a_provider_speaks_for_its_own_domains_only() {
    on_each_engine(async |gateway: &Gateway| {
        let evil_idp = IdentityProvider::start(gateway).await;
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let evil = gateway
            .organization("evil.test")
            .with_connection_to(&evil_idp)
            .await;
        let rp = gateway.client("rp").await;
        let ada = sign_in(gateway, &rp, &acme, "ada@acme.test").await.unwrap();

        for email in [
            "ada@acme.test",
            "ADA@Acme.Test",
            "new@acme.test",
            "ada@nobody.test",
            "ada@sub.evil.test",
        ] {
            let outcome = sign_in(gateway, &rp, &evil, email).await;
            assert_eq!(outcome, Err("email_domain_not_trusted".to_owned()), "{email}");
        }
        // Not with the subject that Acme's provider uses, either.
        let as_ada = Person::new("eve@evil.test").with_claims(&json!({ "sub": "sim_ada" }));
        let eve = sign_in(gateway, &rp, &evil, &as_ada).await.unwrap();
        assert_ne!(eve["sub"], ada["sub"]);
        // Known by subject, with Ada's address: she stays Eve, and so does her address.
        let renamed = Person::new("ada@acme.test").with_claims(&json!({ "sub": "sim_ada" }));
        let eve_again = sign_in(gateway, &rp, &evil, &renamed).await.unwrap();
        assert_eq!(
            (&eve_again["sub"], &eve_again["email"]),
            (&eve["sub"], &json!("eve@evil.test"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_that_the_provider_doubts_counts_only_if_that_is_wanted() {
    let gateway = Gateway::start().await;
    let strict = gateway.organization("acme.test").with_oidc_connection().await;
    let trusting = gateway
        .organization("beta.test")
        .with_settings(|settings| settings.trust_unverified_email = true)
        .await;
    let rp = gateway.client("rp").await;
    let doubted = |email: &str| Person::new(email).unverified();
    assert_eq!(
        sign_in(&gateway, &rp, &strict, doubted("ada@acme.test")).await,
        Err("email_not_verified".to_owned())
    );
    for value in [json!("false"), json!(0), json!("yes")] {
        let person = Person::new("ada@acme.test").with_claims(&json!({ "email_verified": value }));
        assert_eq!(
            sign_in(&gateway, &rp, &strict, &person).await,
            Err("email_not_verified".to_owned()),
            "{value}"
        );
    }
    sign_in(&gateway, &rp, &trusting, doubted("ada@beta.test"))
        .await
        .unwrap();
    // Many providers say nothing about it.
    let silent = Person::new("bob@acme.test").with_claims(&json!({ "email_verified": null }));
    sign_in(&gateway, &rp, &strict, &silent).await.unwrap();
}

#[tokio::test]
async fn without_provisioning_only_invited_people_come_in() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| connection.jit_provisioning = false)
        .await;
    let rp = gateway.client("rp").await;
    assert_eq!(
        sign_in(&gateway, &rp, &acme, "ada@acme.test").await,
        Err("user_not_provisioned".to_owned())
    );
    assert!(!gateway.events().await.contains(&"user.created".to_owned()));
    acme.change_connection(|connection| connection.jit_provisioning = true)
        .await;
    sign_in(&gateway, &rp, &acme, "ada@acme.test").await.unwrap();
    // Who is known may come back.
    acme.change_connection(|connection| connection.jit_provisioning = false)
        .await;
    sign_in(&gateway, &rp, &acme, "ada@acme.test").await.unwrap();
}

#[tokio::test]
async fn claims_are_mapped_as_the_connection_says() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            let settings = &mut connection.settings;
            settings.map_attribute("email", "upn");
            settings.map_attribute("given_name", "firstName");
            settings.map_attribute("roles", "app_roles");
        })
        .await;
    gateway.let_providers_give(&["admin", "member"]).await;
    let rp = gateway.client("rp").await;
    let person = Person::new("other@acme.test").with_claims(&json!({
        "upn": "ada@acme.test", "firstName": "Augusta", "app_roles": ["admin", "owner", "member"], "name": null,
    }));
    let claims = sign_in(&gateway, &rp, &acme, &person).await.unwrap();
    assert_eq!(claims["email"], "ada@acme.test");
    assert_eq!(claims["given_name"], "Augusta");
    // Roles that do not exist here are nobody's.
    assert_eq!(claims["roles"], json!(["admin", "member"]));
    let missing = Person::new("ada@acme.test");
    assert_eq!(
        sign_in(&gateway, &rp, &acme, &missing).await,
        Err("mandatory_attribute_missing".to_owned())
    );
}

#[tokio::test]
async fn roles_and_names_follow_the_provider() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    gateway.let_providers_give(&["admin", "member"]).await;
    let rp = gateway.client("rp").await;
    sign_in(&gateway, &rp, &acme, "first@acme.test").await.unwrap();
    let with_roles = |roles: &str| Person::new("ada@acme.test").with_roles(roles);
    let before = sign_in(&gateway, &rp, &acme, with_roles("admin")).await.unwrap();
    assert!(
        before["roles"].as_array().unwrap().contains(&json!("admin")),
        "{}",
        before["roles"]
    );
    let demoted = sign_in(&gateway, &rp, &acme, with_roles("member")).await.unwrap();
    assert_eq!(
        (&demoted["roles"], &demoted["sub"]),
        (&json!(["member"]), &before["sub"])
    );

    let married = Person {
        family_name: "King".to_owned(),
        ..Person::new("ada@acme.test")
    };
    assert_eq!(
        sign_in(&gateway, &rp, &acme, &married).await.unwrap()["name"],
        "Ada King"
    );
    acme.change_connection(|connection| connection.sync_profile = false)
        .await;
    let again = sign_in(&gateway, &rp, &acme, "ada@acme.test").await.unwrap();
    assert_eq!(
        again["name"], "Ada King",
        "the profile is not the provider's any more"
    );
}

/// The subject is the person; the address may change (OIDC Core §5.7).
#[tokio::test]
async fn a_new_address_is_the_same_person() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .domain("acme.example")
        .with_oidc_connection()
        .await;
    let rp = gateway.client("rp").await;
    let ada = |email: &str| Person::new(email).with_claims(&json!({ "sub": "ada" }));
    let before = sign_in(&gateway, &rp, &acme, ada("ada@acme.test")).await.unwrap();
    let moved = async || {
        let after = sign_in(&gateway, &rp, &acme, ada("ada@acme.example"))
            .await
            .unwrap();
        assert_eq!(after["sub"], before["sub"]);
        after["email"].clone()
    };
    assert_eq!(moved().await, "ada@acme.test", "the domains are merely claimed");
    super::whose_word::prove(&gateway, &acme.id).await;
    assert_eq!(moved().await, "ada@acme.example");
    // Never somebody else's, and never outside the company.
    sign_in(&gateway, &rp, &acme, "bob@acme.test").await.unwrap();
    for foreign in ["bob@acme.test", "ada@elsewhere.test"] {
        let same = sign_in(&gateway, &rp, &acme, ada(foreign)).await.unwrap();
        assert_eq!(
            (&same["sub"], &same["email"]),
            (&before["sub"], &json!("ada@acme.example")),
            "{foreign}"
        );
    }
}

#[tokio::test]
async fn what_is_sent_about_a_person_is_bounded() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    let groups: Vec<String> = (0..500).map(|n| format!("group-{n}")).collect();
    let person = Person::new("ada@acme.test").with_claims(&json!({
        "name": format!("Ada\u{0007}\n{}", "x".repeat(2000)),
        "picture": "javascript:alert(1)",
        "groups": groups,
        "roles": { "admin": true },
        "locale": 7,
    }));
    let claims = sign_in(&gateway, &rp, &acme, &person).await.unwrap();
    let name = claims["name"].as_str().unwrap();
    assert!(
        name.chars().count() <= 255 && !name.chars().any(char::is_control),
        "{name}"
    );
    assert!(claims["groups"].as_array().unwrap().len() <= 200);
    assert_eq!(
        claims["roles"],
        json!(["admin"]),
        "the first member is the admin, whatever was sent"
    );
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| connection.jit_provisioning = false)
        .await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize().with("organization_id", acme.id.as_str());
    let mut pages = Vec::new();
    for person in [
        Person::new("ada@elsewhere.test"),
        Person::new("ada@acme.test"),
        Person::new("ada@acme.test").unverified(),
    ] {
        let mut browser = gateway.browser();
        let arrival = browser.start(&request).await;
        let page = browser.go_on(arrival, &person).await.page();
        let text = page.html.text();
        let lines: Vec<&str> = text.lines().take(4).collect();
        pages.push(lines.join("\n"));
    }
    assert_snapshot!(pages.join("\n\n"), @r#"
    rp
    We could not sign you in
    Your company’s sign-in sent an e-mail address of a domain that is not your company’s.
    What you can do: send the reference below to your IT team. It shows them what to change.

    rp
    We could not sign you in
    Your sign-in worked, but there is no account for you yet.
    What you can do: send the reference below to your IT team. It shows them what to change.

    rp
    We could not sign you in
    Your company’s sign-in sent an e-mail address that nobody has verified there.
    What you can do: send the reference below to your IT team. It shows them what to change.
    "#);
}

/// An address of letters with vowel signs, from the provider to the token.
#[tokio::test]
async fn an_address_in_hindi_signs_in() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let claims = sign_in(&gateway, &rp, &acme, "संपर्क@acme.test").await.unwrap();
    assert_eq!(claims["email"], "संपर्क@acme.test");
    let again = sign_in(&gateway, &rp, &acme, "संपर्क@acme.test").await.unwrap();
    assert_eq!(again["sub"], claims["sub"]);
    // The page that asks for the address takes it, too.
    let code = gateway.browser().sign_in(&rp, "संपर्क@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
}

/// Nothing was sent, or something was that is no address: two mistakes of a provider.
#[tokio::test]
async fn a_malformed_address_is_told_from_a_missing_one() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let malformed = Person::new("ada@acme.test").with_claims(&json!({ "email": "ada lovelace@acme.test" }));
    assert_eq!(
        sign_in(&gateway, &rp, &acme, &malformed).await,
        Err("mandatory_attribute_malformed".to_owned())
    );
    let trace = gateway.login_trace().await;
    let failed = trace.trace.failure().unwrap();
    assert_eq!(
        failed.expected.as_deref(),
        Some("an e-mail address in the claim email")
    );
    assert_eq!(
        failed.received.as_deref(),
        Some(
            "\"ada lovelace@acme.test\", which is none: the part before the @ has a character that an e-mail \
             address cannot have"
        )
    );
    assert!(trace.remedy.contains("Correct the address"), "{}", trace.remedy);
}

/// OIDC Core §5.1: what the reference lists under the scope `profile`.
#[tokio::test]
async fn the_user_name_at_the_provider_is_kept_and_given_on() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let named = |name: &str| {
            Person::new("ada@acme.test").with_claims(&json!({ "sub": "ada-1", "preferred_username": name }))
        };
        let told = async |person: &Person, scope: &str| {
            let request = rp.authorize().with("scope", scope);
            let code = gateway.browser().sign_in_with(&request, person).await;
            let tokens = rp.redeem(&code).await.expect_tokens();
            let id_token = rp.verify(tokens.id_token()).await["preferred_username"].clone();
            let userinfo = rp.userinfo(&tokens.access_token).await.json()["preferred_username"].clone();
            assert_eq!(id_token, userinfo);
            id_token
        };
        assert_eq!(told(&named("ada"), "openid profile").await, "ada");
        // It follows, as a name does, and stays where nothing is said.
        assert_eq!(
            told(&named("ada\u{202e}.lovelace"), "openid profile").await,
            "ada.lovelace"
        );
        let silent = Person::new("ada@acme.test").with_claims(&json!({ "sub": "ada-1" }));
        assert_eq!(told(&silent, "openid profile").await, "ada.lovelace");
        assert_eq!(told(&silent, "openid email").await, Value::Null);
    })
    .await;
}

/// Whoever reads a trace does what it says: first at the provider, else with our command.
#[tokio::test]
async fn a_remedy_names_the_providers_box_and_the_command_with_this_connection() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let unverified = Person::new("ada@acme.test").unverified();
    assert_eq!(
        sign_in(&gateway, &rp, &acme, &unverified).await,
        Err("email_not_verified".to_owned())
    );
    let remedy = gateway.login_trace().await.remedy;
    let command = format!(
        "`genkan connection update {} --trust-unverified-email`",
        acme.connection_id()
    );
    let (keycloak, ours) = (remedy.find("\"Email verified\""), remedy.find(&command));
    assert!(keycloak.is_some() && keycloak < ours, "{remedy}");

    let foreign = Person::new("ada@elsewhere.test");
    assert!(sign_in(&gateway, &rp, &acme, &foreign).await.is_err());
    let remedy = gateway.login_trace().await.remedy;
    let command = format!("`genkan domain create DOMAIN --organization {}`", acme.id);
    assert!(remedy.contains(&command), "{remedy}");
}
