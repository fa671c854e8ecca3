//! Domains that were only claimed, subjects that changed, and tokens after a domain has moved.

use genkan_protocol::{Domain as DomainName, EmailAddress};
use genkan_store::Provider;
use genkan_store::domain::{self, Domain, Proof};
use genkan_store::identity::relink;
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, membership, user as users};
use genkan_testkit::{Arrival, Gateway, Organization, Person, Rp, Tokens, on_each_engine};
use serde_json::json;

/// Signs in at an organization; the tokens, or the trace of why not.
async fn sign_in(
    gateway: &Gateway,
    rp: &Rp,
    organization: &Organization,
    person: impl Into<Person>,
) -> Result<Tokens, genkan_store::login_trace::LoginTrace> {
    let mut browser = gateway.browser();
    let request = rp.authorize().with("organization_id", organization.id.as_str());
    let arrival = browser.start(&request).await;
    match browser.go_on(arrival, person).await {
        Arrival::Application(callback) => {
            Ok(rp.redeem(&request.code(&callback.code())).await.expect_tokens())
        }
        Arrival::Page(_) => Err(gateway.login_trace().await),
    }
}

async fn employee_elsewhere(gateway: &Gateway, email: &str, organization: &Organization) -> User {
    let at = gateway.at();
    let mut user = User::new(at.id(), EmailAddress::parse(email).unwrap(), at.now);
    user.name = Some("The Treasurer".to_owned());
    gateway
        .tx(async |tx| {
            users::insert(tx, at, &user).await?;
            membership::insert(tx, at, &organization.id, &user.id).await
        })
        .await;
    user
}

pub(super) async fn prove(gateway: &Gateway, organization_id: &OrganizationId) {
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            for domain in domain::list(tx, organization_id).await? {
                domain::prove(tx, at, organization_id, &domain.id, Proof::Operator).await?;
            }
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn a_claimed_domain_signs_nobody_in_as_another_organizations_member() {
    on_each_engine(async |gateway: &Gateway| {
        let bank = gateway.organization("elsewhere.test").await;
        let evil = gateway.organization("bank.test").with_oidc_connection().await;
        let cfo = employee_elsewhere(gateway, "cfo@bank.test", &bank).await;
        let rp = gateway.client("rp").await;

        let trace = sign_in(gateway, &rp, &evil, "cfo@bank.test").await.unwrap_err();
        assert_eq!(trace.cause, "email_domain_not_proved");
        let command = format!("genkan domain verify DOMAIN --organization {}`", evil.id);
        assert!(trace.remedy.contains(&command), "{}", trace.remedy);
        let untouched = gateway
            .tx(async |tx| user::find(tx, &cfo.id).await)
            .await
            .unwrap();
        assert_eq!(untouched.name.as_deref(), Some("The Treasurer"));

        prove(gateway, &evil.id).await;
        let tokens = sign_in(gateway, &rp, &evil, "cfo@bank.test").await.unwrap();
        assert_eq!(rp.verify(&tokens.access_token).await["sub"], cfo.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn after_a_domain_has_moved_the_old_provider_verifies_no_address_in_it() {
    on_each_engine(async |gateway: &Gateway| {
        let old = gateway.organization("moved.test").with_oidc_connection().await;
        let buyer = gateway.organization("buyer.test").await;
        let rp = gateway.client("rp").await;
        let ann = Person::new("ann@moved.test").with_claims(&json!({ "sub": "ann" }));
        let before = sign_in(gateway, &rp, &old, &ann).await.unwrap();
        assert_eq!(rp.verify(before.id_token()).await["email_verified"], true);

        let at = gateway.at();
        let bought = Domain::new(
            at.id(),
            buyer.id.clone(),
            DomainName::parse("moved.test").unwrap(),
            domain::Kind::OrganizationDomain,
            at.now,
        );
        gateway
            .tx(async |tx| {
                for domain in domain::list(tx, &old.id).await? {
                    domain::delete(tx, at, &old.id, &domain.id).await?;
                }
                domain::insert(tx, at, &bought).await
            })
            .await;

        // The tokens that are refreshed, and those of a new sign-in, which renames nobody.
        let refreshed = rp.refresh(before.refresh_token()).await.expect_tokens();
        let renamed = Person {
            family_name: "Other".to_owned(),
            ..ann
        };
        let after = sign_in(gateway, &rp, &old, &renamed).await.unwrap();
        for tokens in [&refreshed, &after] {
            let id = rp.verify(tokens.id_token()).await;
            assert_eq!(
                (&id["email"], &id["email_verified"]),
                (&json!("ann@moved.test"), &json!(false))
            );
            assert!(!id["name"].as_str().unwrap().contains("Other"), "{id}");
            let info = rp.userinfo(&tokens.access_token).await.json();
            assert_eq!(info["email_verified"], false);
        }
    })
    .await;
}

#[tokio::test]
async fn another_subject_with_a_known_address_waits_for_an_operator() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let with = |subject: &str| Person::new("ada@acme.test").with_claims(&json!({ "sub": subject }));
        let first = sign_in(gateway, &rp, &acme, with("ada-1")).await.unwrap();
        let trace = sign_in(gateway, &rp, &acme, with("ada-2")).await.unwrap_err();
        assert_eq!(trace.cause, "subject_changed");
        let check = trace.trace.failure().unwrap();
        assert_eq!(
            (check.expected.as_deref(), check.received.as_deref()),
            (Some("ada-1"), Some("ada-2"))
        );

        let (at, id) = (gateway.at(), acme.connection_id());
        gateway.tx(async |tx| relink::allow(tx, at, id, None).await).await;
        let again = sign_in(gateway, &rp, &acme, with("ada-2")).await.unwrap();
        assert_eq!(
            rp.verify(&first.access_token).await["sub"],
            rp.verify(&again.access_token).await["sub"]
        );
        let third = sign_in(gateway, &rp, &acme, with("ada-3")).await.unwrap_err();
        assert_eq!(third.cause, "subject_changed");
    })
    .await;
}

#[tokio::test]
async fn who_left_does_not_come_back_with_a_private_google_account() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway
            .organization("acme.test")
            .with_connection(|connection| connection.provider = Provider::Google)
            .await;
        let older = gateway
            .organization("older.test")
            .with_connection(|connection| {
                connection.provider = Provider::Google;
                connection.settings.as_oidc_mut().unwrap().check_hosted_domain = None;
            })
            .await;
        let rp = gateway.client("rp").await;
        let company = Person::new("ada@acme.test").with_claims(&json!({ "hd": "acme.test" }));
        sign_in(gateway, &rp, &acme, &company).await.unwrap();
        for claims in [
            json!({}),
            json!({ "hd": "gmail.com" }),
            json!({ "hd": ["acme.test"] }),
        ] {
            let private = Person::new("bob@acme.test").with_claims(&claims);
            let trace = sign_in(gateway, &rp, &acme, &private).await.unwrap_err();
            assert_eq!(trace.cause, "email_domain_not_trusted");
            let names: Vec<&str> = trace
                .trace
                .checks()
                .iter()
                .map(|check| check.name.as_str())
                .collect();
            assert!(names.contains(&"Hosted domain (hd)"), "{names:?}");
        }
        sign_in(gateway, &rp, &older, "ada@older.test").await.unwrap();
    })
    .await;
}
