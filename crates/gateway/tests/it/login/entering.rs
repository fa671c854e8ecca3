//! A person with several organizations enters one that has no connection with the
//! session that they have.
//!
//! Source: `docs/decisions/account-linking.md`, "One browser, several organizations".

use std::time::Duration;

use genkan_protocol::EmailAddress;
use genkan_store::domain::{self, Proof};
use genkan_store::membership::{self, NewMember, ProvisioningMethod};
use genkan_store::organization::other_ways;
use genkan_store::session_policy::{self, SessionPolicy, Span, Unit};
use genkan_store::{Error, OrganizationId, Secret, UserId, connection, invitation, user};
use genkan_testkit::{Authorize, Browser, Gateway, Organization, Rp, Tokens, on_each_engine};

/// Ada signed in at Acme, whose domain is proved, and is a member of Beta, which
/// has no connection.
struct World {
    acme: Organization,
    beta: Organization,
    rp: Rp,
    browser: Browser,
    ada: UserId,
    at_acme: Tokens,
}

impl World {
    async fn new(gateway: &Gateway) -> Self {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let beta = gateway.organization("beta.test").await;
        prove(gateway, &acme.id).await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let at_acme = rp.redeem(&code).await.expect_tokens();
        let claims = rp.verify(&at_acme.access_token).await;
        let ada = UserId::parse(claims["sub"].as_str().unwrap()).unwrap();
        join(gateway, &beta.id, &ada).await;
        Self {
            acme,
            beta,
            rp,
            browser,
            ada,
            at_acme,
        }
    }

    fn to_beta(&self) -> Authorize {
        self.rp.authorize().with("organization_id", self.beta.id.as_str())
    }

    /// Enters Beta without seeing a page.
    async fn enter(&mut self) -> Tokens {
        let request = self.to_beta();
        let callback = self.browser.start(&request).await.callback();
        self.rp
            .redeem(&request.code(&callback.code()))
            .await
            .expect_tokens()
    }

    /// What the application hears, asked in silence and not.
    async fn refused(&mut self) -> String {
        let silent = self.to_beta().with("prompt", "none");
        let silent = self.browser.start(&silent).await.callback();
        let request = self.to_beta();
        let callback = self.browser.start(&request).await.callback();
        assert_eq!(
            (callback.error(), None),
            (silent.error(), callback.parameter("code"))
        );
        assert_eq!(callback.error(), "no_active_connections");
        callback.parameter("error_description").unwrap()
    }
}

async fn prove(gateway: &Gateway, id: &OrganizationId) {
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            for domain in domain::list(tx, id).await? {
                domain::prove(tx, at, id, &domain.id, Proof::Dns).await?;
            }
            Ok(())
        })
        .await;
}

async fn join(gateway: &Gateway, organization: &OrganizationId, user: &UserId) {
    let at = gateway.at();
    gateway
        .tx(async |tx| membership::insert(tx, at, organization, user).await)
        .await;
}

const NO_MEMBER: &str = "no active member";
const NOT_VOUCHED: &str = "does not vouch";
const OWN: &str = "the organization has no enabled connection";
const GONE: &str = "connection was deleted";

#[tokio::test]
async fn a_member_enters_with_the_session_and_the_tokens_speak_of_the_second_organization() {
    on_each_engine(async |gateway: &Gateway| {
        let mut world = World::new(gateway).await;
        let tokens = world.enter().await;
        let World { rp, acme, beta, .. } = &world;
        let (id, access) = (
            rp.verify(tokens.id_token()).await,
            rp.verify(&tokens.access_token).await,
        );
        for claims in [&id, &access] {
            assert_eq!(claims["oid"], beta.id.as_str());
            assert_eq!(claims["sub"], world.ada.as_str());
        }
        assert_eq!(
            id["amr"][0],
            acme.connection_id().as_str(),
            "the way by which they came"
        );
        assert_eq!(
            id["email_verified"], true,
            "the connection that vouches still does"
        );
        let told = rp.userinfo(&tokens.access_token).await.json();
        assert_eq!(told["organization_id"], beta.id.as_str());
        assert_eq!(told["email_verified"], true);
        // Each grant keeps its own place, and the browser has one session.
        let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        assert_eq!(rp.verify(&refreshed.access_token).await["oid"], beta.id.as_str());
        let refreshed = rp.refresh(world.at_acme.refresh_token()).await.expect_tokens();
        assert_eq!(rp.verify(&refreshed.access_token).await["oid"], acme.id.as_str());
        assert_eq!(rp.verify(&world.at_acme.access_token).await["sid"], id["sid"]);

        // In silence, and with `select_account`, which switches to a place that is named.
        for prompt in ["none", "select_account"] {
            let request = world.to_beta().with("prompt", prompt);
            let callback = world.browser.start(&request).await.callback();
            assert_eq!(callback.error(), "", "{prompt}");
        }
        // Whoever names nothing stays where they signed in.
        let request = world.rp.authorize();
        let callback = world.browser.start(&request).await.callback();
        let tokens = world
            .rp
            .redeem(&request.code(&callback.code()))
            .await
            .expect_tokens();
        assert_eq!(
            world.rp.verify(tokens.id_token()).await["oid"],
            world.acme.id.as_str()
        );
    })
    .await;
}

#[tokio::test]
async fn only_an_active_member_enters() {
    on_each_engine(async |gateway: &Gateway| {
        let mut world = World::new(gateway).await;
        let (at, beta, ada) = (gateway.at(), world.beta.id.clone(), world.ada.clone());
        gateway
            .tx(async |tx| membership::set_active(tx, at, &beta, &ada, false).await)
            .await;
        assert!(world.refused().await.contains(NO_MEMBER), "taken out for now");
        gateway
            .tx(async |tx| membership::delete(tx, at, &beta, &ada).await)
            .await;
        assert!(world.refused().await.contains(NO_MEMBER), "a stranger");
        let invited = NewMember::new(&beta, &ada, ProvisioningMethod::Api);
        let (link, lifetime) = (Secret::generate().sha256(), Duration::from_secs(3600));
        gateway
            .tx(async |tx| invitation::invite(tx, at, &invited, &link, lifetime).await)
            .await;
        assert!(world.refused().await.contains(NO_MEMBER), "only invited");
        // Another browser has no session, whatever this one has.
        join_again(gateway, &beta, &ada).await;
        world.enter().await;
        world.browser = gateway.browser();
        let request = world.to_beta();
        let callback = world.browser.start(&request).await.callback();
        assert_eq!(callback.error(), "no_active_connections");
    })
    .await;
}

async fn join_again(gateway: &Gateway, organization: &OrganizationId, user: &UserId) {
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            membership::delete(tx, at, organization, user).await?;
            membership::insert(tx, at, organization, user).await
        })
        .await;
}

/// Whoever has merely claimed a domain could have made the user before the other
/// organization took them in.
#[tokio::test]
async fn the_sessions_own_connection_must_vouch_for_the_address_by_a_proved_domain() {
    on_each_engine(async |gateway: &Gateway| {
        let evil = gateway.organization("victim.test").with_oidc_connection().await;
        let beta = gateway.organization("beta.test").await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@victim.test").await;
        let at_acme = rp.redeem(&code).await.expect_tokens();
        let ada = UserId::parse(rp.verify(&at_acme.access_token).await["sub"].as_str().unwrap()).unwrap();
        join(gateway, &beta.id, &ada).await;
        let mut world = World {
            acme: evil,
            beta,
            rp,
            browser,
            ada,
            at_acme,
        };
        assert!(world.refused().await.contains(NOT_VOUCHED), "only claimed");
        prove(gateway, &world.acme.id).await;
        world.enter().await;

        world.acme.set_enabled(false).await;
        assert!(world.refused().await.contains(NOT_VOUCHED), "switched off");
        world.acme.set_enabled(true).await;
        world.enter().await;

        let (at, ada) = (gateway.at(), world.ada.clone());
        let move_to = async |address: &str| {
            let address = EmailAddress::parse(address).unwrap();
            gateway
                .tx(async |tx| {
                    let mut user = user::find(tx, &ada).await?.ok_or(Error::Stale)?;
                    user.email = address.clone();
                    user::update(tx, at, &user).await
                })
                .await;
        };
        move_to("ada@elsewhere.test").await;
        assert!(
            world.refused().await.contains(NOT_VOUCHED),
            "an address of somebody else's domain"
        );
        move_to("ada@sub.victim.test").await;
        assert!(
            world.refused().await.contains(NOT_VOUCHED),
            "a sub-domain is another domain"
        );
        move_to("ada@victim.test").await;
        world.enter().await;

        let evil = world.acme.id.clone();
        gateway
            .tx(async |tx| {
                for domain in domain::list(tx, &evil).await? {
                    domain::delete(tx, at, &evil, &domain.id).await?;
                }
                Ok(())
            })
            .await;
        assert!(world.refused().await.contains(NOT_VOUCHED), "the domain is gone");
    })
    .await;
}

#[tokio::test]
async fn an_organization_with_a_connection_asks_that_one() {
    let gateway = Gateway::start().await;
    let mut world = World::new(&gateway).await;
    for enabled in [false, true] {
        let own = gateway
            .organization(&format!("own-{enabled}.test"))
            .with_connection(move |connection| connection.enabled = enabled)
            .await;
        join(&gateway, &own.id, &world.ada).await;
        world.beta = own;
        if !enabled {
            // Whoever switches it off lets nobody in by another way.
            assert_eq!(world.refused().await, OWN);
            continue;
        }
        let silent = world.to_beta().with("prompt", "none");
        assert_eq!(
            world.browser.start(&silent).await.callback().error(),
            "login_required"
        );
        let arrival = world.browser.start(&world.to_beta()).await;
        let page = world.browser.go_on(arrival, "ada@acme.test").await.page();
        let shown = page.html.text();
        assert!(
            shown.contains("an e-mail address of a domain that is not your company’s"),
            "{shown}"
        );
    }
}

/// Its administrator deletes it to make it anew, or somebody who could not switch it off.
#[tokio::test]
async fn an_organization_whose_connection_was_deleted_is_entered_by_nobody_until_an_operator_says_so() {
    on_each_engine(async |gateway: &Gateway| {
        let mut world = World::new(gateway).await;
        world.enter().await;
        let closed = gateway.organization("closed.test").with_oidc_connection().await;
        let drafted = gateway
            .organization("drafted.test")
            .with_connection(|connection| connection.enabled = false)
            .await;
        let (at, ada) = (gateway.at(), world.ada.clone());
        for organization in [&closed, &drafted] {
            join(gateway, &organization.id, &ada).await;
            let id = organization.connection_id();
            let deleted = gateway.tx(async |tx| connection::delete(tx, at, id).await).await;
            assert!(deleted);
        }
        world.beta = drafted;
        world.enter().await;

        world.beta = closed;
        let id = world.beta.id.clone();
        assert!(world.refused().await.contains(GONE));
        // A stranger does not hear that there was one.
        gateway
            .tx(async |tx| membership::set_active(tx, at, &id, &ada, false).await)
            .await;
        assert!(world.refused().await.contains(NO_MEMBER));
        gateway
            .tx(async |tx| membership::set_active(tx, at, &id, &ada, true).await)
            .await;
        let allowed = gateway.tx(async |tx| other_ways::allow(tx, at, &id).await).await;
        assert!(allowed);
        world.enter().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_must_sign_in_again_does_so_at_their_own_company() {
    on_each_engine(async |gateway: &Gateway| {
        let mut world = World::new(gateway).await;
        let again = world.to_beta().with("prompt", "login");
        let idp = gateway.idp().await;
        let asked = idp.requests("/authorize").len();
        let arrival = world.browser.start(&again).await;
        let requests = idp.requests("/authorize");
        assert_eq!(requests.len(), asked + 1);
        assert_eq!(requests[asked].parameter("prompt").as_deref(), Some("login"));
        let callback = world.browser.go_on(arrival, "ada@acme.test").await.callback();
        let tokens = world
            .rp
            .redeem(&again.code(&callback.code()))
            .await
            .expect_tokens();
        assert_eq!(
            world.rp.verify(tokens.id_token()).await["oid"],
            world.beta.id.as_str()
        );

        // A proof that is too old is no proof.
        gateway.clock().advance(Duration::from_secs(301));
        let recent = world.to_beta().with("max_age", "300");
        let silent = recent.clone().with("prompt", "none");
        assert_eq!(
            world.browser.start(&silent).await.callback().error(),
            "login_required"
        );
        let arrival = world.browser.start(&recent).await;
        let callback = world.browser.go_on(arrival, "ada@acme.test").await.callback();
        let tokens = world
            .rp
            .redeem(&recent.code(&callback.code()))
            .await
            .expect_tokens();
        let claims = world.rp.verify(tokens.id_token()).await;
        assert_eq!(
            (&claims["oid"], &claims["auth_time"]),
            (&world.beta.id.as_str().into(), &gateway.now().as_secs().into())
        );

        // Somebody else who signs in there enters nothing.
        let arrival = world.browser.start(&again).await;
        let page = world.browser.go_on(arrival, "bob@acme.test").await.page();
        assert_eq!(page.heading(), "Switch to another account?");
        let callback = world
            .browser
            .submit(&page, &[("choice", "switch")])
            .await
            .callback();
        assert_eq!(callback.error(), "no_active_connections");
        let description = callback.parameter("error_description").unwrap();
        assert!(description.contains(NO_MEMBER), "{description}");
    })
    .await;
}

#[tokio::test]
async fn what_was_entered_ends_with_either_organization() {
    on_each_engine(async |gateway: &Gateway| {
        type End = fn(&World) -> (OrganizationId, UserId);
        let at_beta: End = |world| (world.beta.id.clone(), world.ada.clone());
        let at_home: End = |world| (world.acme.id.clone(), world.ada.clone());
        let mut world = World::new(gateway).await;
        let tokens = world.enter().await;
        let at = gateway.at();
        let (organization, user) = at_beta(&world);
        gateway
            .tx(async |tx| membership::delete(tx, at, &organization, &user).await)
            .await;
        assert!(!world.rp.introspect(&tokens.access_token).await.active);
        assert!(world.rp.introspect(&world.at_acme.access_token).await.active);

        // Whom the company takes out has nothing left on its word.
        join(gateway, &organization, &user).await;
        let tokens = world.enter().await;
        let (organization, user) = at_home(&world);
        gateway
            .tx(async |tx| membership::delete(tx, at, &organization, &user).await)
            .await;
        assert!(!world.rp.introspect(&tokens.access_token).await.active);
        assert_eq!(world.rp.refresh(tokens.refresh_token()).await.status, 400);
        let silent = world.rp.authorize().with("prompt", "none");
        assert_eq!(
            world.browser.start(&silent).await.callback().error(),
            "login_required"
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_entered_ends_with_the_connection_that_vouched() {
    let gateway = Gateway::start().await;
    let mut world = World::new(&gateway).await;
    let tokens = world.enter().await;
    let (at, id) = (gateway.at(), world.acme.connection_id().clone());
    gateway.tx(async |tx| connection::delete(tx, at, &id).await).await;
    assert!(!world.rp.introspect(&tokens.access_token).await.active);
    let silent = world.rp.authorize().with("prompt", "none");
    assert_eq!(
        world.browser.start(&silent).await.callback().error(),
        "login_required"
    );
}

/// The one that is entered may be stricter than the one where they signed in.
#[tokio::test]
async fn the_policy_of_the_entered_organization_holds() {
    on_each_engine(async |gateway: &Gateway| {
        let mut world = World::new(gateway).await;
        let minutes = |count| {
            Some(Span {
                count,
                unit: Unit::Minutes,
            })
        };
        let policy = SessionPolicy {
            absolute: minutes(60),
            idle: minutes(10),
            idle_enabled: true,
        };
        let (at, beta) = (gateway.at(), world.beta.id.clone());
        gateway
            .tx(async |tx| session_policy::set(tx, at, &beta, Some(&policy)).await)
            .await;
        let tokens = world.enter().await;
        // Unused for longer than it allows: the session ends.
        gateway.clock().advance(Duration::from_secs(601));
        assert_eq!(world.rp.refresh(tokens.refresh_token()).await.status, 400);
        let silent = world.rp.authorize().with("prompt", "none");
        assert_eq!(
            world.browser.start(&silent).await.callback().error(),
            "login_required"
        );

        // Signed in for longer than it allows: they sign in again, at their company.
        let code = world.browser.sign_in(&world.rp, "ada@acme.test").await;
        let at_acme = world.rp.redeem(&code).await.expect_tokens();
        for _ in 0..13 {
            gateway.clock().advance(Duration::from_secs(300));
            world.rp.refresh(at_acme.refresh_token()).await.expect_tokens();
        }
        let silent = world.to_beta().with("prompt", "none");
        assert_eq!(
            world.browser.start(&silent).await.callback().error(),
            "login_required"
        );
        let request = world.to_beta();
        let arrival = world.browser.start(&request).await;
        let callback = world.browser.go_on(arrival, "ada@acme.test").await.callback();
        let tokens = world
            .rp
            .redeem(&request.code(&callback.code()))
            .await
            .expect_tokens();
        assert_eq!(
            world.rp.verify(tokens.id_token()).await["oid"],
            world.beta.id.as_str()
        );
    })
    .await;
}
