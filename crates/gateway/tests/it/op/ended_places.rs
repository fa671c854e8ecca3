//! The end of a connection, a membership or an organization, in a browser whose session
//! was there and moved on to another organization.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.3; RFC 7662 §2.2.

use genkan_protocol::EmailAddress;
use genkan_store::domain::{self, Proof};
use genkan_store::session::{self, Session};
use genkan_store::user;
use genkan_store::{Error, OrganizationId, UserId, connection, membership, organization};
use genkan_testkit::{Browser, Gateway, Organization, Person, Receiver, Rp, Tokens, on_each_engine};
use serde_json::json;

/// A person who signed in at one organization and then, in the same browser, at another.
struct Moved {
    user_id: UserId,
    first: Organization,
    second: Organization,
    early: (Rp, Tokens, Receiver),
    late: (Rp, Tokens, Receiver),
}

async fn prove(gateway: &Gateway, organization_id: &OrganizationId) {
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

async fn sign_in(browser: &mut Browser, rp: &Rp, organization: &Organization, person: &Person) -> Tokens {
    let request = rp.authorize().with("organization_id", organization.id.as_str());
    let code = browser.sign_in_with(&request, person).await;
    rp.redeem(&code).await.expect_tokens()
}

async fn moved(gateway: &Gateway, name: &str) -> Moved {
    let first = gateway
        .organization(&format!("{name}-one.test"))
        .with_oidc_connection()
        .await;
    let second = gateway
        .organization(&format!("{name}-two.test"))
        .with_oidc_connection()
        .await;
    for organization in [&first, &second] {
        prove(gateway, &organization.id).await;
    }
    let ears = (Receiver::start().await, Receiver::start().await);
    let early = gateway
        .client(&format!("{name}-early"))
        .back_channel_logout(ears.0.url())
        .await;
    let late = gateway
        .client(&format!("{name}-late"))
        .back_channel_logout(ears.1.url())
        .await;
    let person = |address: &str, subject: &str| {
        Person::new(address).with_claims(&json!({ "sub": format!("{name}-{subject}") }))
    };
    // Known at the second organization first, and then given an address of the other.
    let (home, guest) = (
        format!("ada@{name}-one.test"),
        person(&format!("ada@{name}-two.test"), "guest"),
    );
    let other = gateway.client(&format!("{name}-other")).await;
    let tokens = sign_in(&mut gateway.browser(), &other, &second, &guest).await;
    let claims = other.verify(&tokens.access_token).await;
    let user_id = UserId::parse(claims["sub"].as_str().unwrap()).unwrap();
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            let mut ada = user::find(tx, &user_id).await?.ok_or(Error::Stale)?;
            ada.email = EmailAddress::parse(&home).unwrap();
            user::update(tx, at, &ada).await
        })
        .await;

    let mut browser = gateway.browser();
    let at_first = sign_in(&mut browser, &early, &first, &person(&home, "home")).await;
    let at_second = sign_in(&mut browser, &late, &second, &guest).await;
    let (one, two) = (
        early.verify(&at_first.access_token).await,
        late.verify(&at_second.access_token).await,
    );
    assert_eq!(
        (&one["sub"], &one["sid"]),
        (&two["sub"], &two["sid"]),
        "one person, one session"
    );
    assert_ne!(one["oid"], two["oid"]);
    Moved {
        user_id,
        first,
        second,
        early: (early, at_first, ears.0),
        late: (late, at_second, ears.1),
    }
}

/// One client has lost everything and heard of it, the other has kept everything and heard nothing.
async fn assert_ended(gateway: &Gateway, ended: &(Rp, Tokens, Receiver), kept: &(Rp, Tokens, Receiver)) {
    gateway.app().wake_jobs();
    let (rp, tokens, ears) = ended;
    let token = rp.verify(&ears.next().await).await;
    let claims = rp.verify(&tokens.access_token).await;
    assert_eq!((&token["sid"], &token["sub"]), (&claims["sid"], &claims["sub"]));
    assert!(!rp.introspect(&tokens.access_token).await.active);
    assert!(!rp.introspect(tokens.refresh_token()).await.active);
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
    assert_eq!(rp.refresh(tokens.refresh_token()).await.status, 400);
    assert!(!ears.has_next().await, "it is told once");

    let (rp, tokens, ears) = kept;
    assert!(rp.introspect(&tokens.access_token).await.active);
    assert!(rp.introspect(tokens.refresh_token()).await.active);
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 200);
    rp.refresh(tokens.refresh_token()).await.expect_tokens();
    assert!(!ears.has_next().await, "it has nothing to hear");
}

async fn session_of(gateway: &Gateway, moved: &Moved) -> Session {
    let claims = moved.late.0.verify(&moved.late.1.access_token).await;
    let id = genkan_store::SessionId::parse(claims["sid"].as_str().unwrap()).unwrap();
    gateway.tx(async |tx| session::find(tx, &id).await).await.unwrap()
}

#[tokio::test]
async fn what_ends_an_organization_that_the_session_has_left_ends_what_began_there() {
    on_each_engine(async |gateway: &Gateway| {
        let at = gateway.at();
        for ending in ["connection", "disabled", "organization", "member", "inactive"] {
            let moved = moved(gateway, ending).await;
            let (id, user_id) = (&moved.first.id, &moved.user_id);
            let connection_id = moved.first.connection_id();
            gateway
                .tx(async |tx| match ending {
                    "connection" => connection::delete(tx, at, connection_id).await,
                    "disabled" => Ok(session::end_all_for_connection(tx, at, connection_id).await? > 0),
                    "organization" => organization::delete(tx, at, id).await,
                    "member" => membership::delete(tx, at, id, user_id).await,
                    _ => membership::set_active(tx, at, id, user_id, false).await,
                })
                .await;
            assert_ended(gateway, &moved.early, &moved.late).await;
            let session = session_of(gateway, &moved).await;
            assert_eq!(
                session.organization_id.as_ref(),
                Some(&moved.second.id),
                "{ending}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_does_not_stay_at_a_place_that_has_ended() {
    on_each_engine(async |gateway: &Gateway| {
        let at = gateway.at();
        for ending in ["connection", "organization", "member", "inactive"] {
            let moved = moved(gateway, ending).await;
            let (id, user_id) = (&moved.second.id, &moved.user_id);
            let connection_id = moved.second.connection_id();
            gateway
                .tx(async |tx| match ending {
                    "connection" => connection::delete(tx, at, connection_id).await,
                    "organization" => organization::delete(tx, at, id).await,
                    "member" => membership::delete(tx, at, id, user_id).await,
                    _ => membership::set_active(tx, at, id, user_id, false).await,
                })
                .await;
            assert_ended(gateway, &moved.late, &moved.early).await;
            let session = session_of(gateway, &moved).await;
            assert_eq!(
                session.organization_id.as_ref(),
                Some(&moved.first.id),
                "{ending}"
            );
            assert_eq!(session.connection_id.as_ref(), Some(moved.first.connection_id()));
        }
    })
    .await;
}
