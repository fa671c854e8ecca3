//! Grants, authorization codes and revoked access tokens.

use genkan_protocol::oauth::CodeChallenge;
use genkan_store::authorization_code::{self, AuthorizationCode, LIFETIME, Redemption};
use genkan_store::grant::{self, Grant};
use genkan_store::session::{self, Status};
use genkan_store::{ClientId, Stamp, TokenId, client, revoked_access_token, subject, user};

use crate::support::{T0, World, hash, on_each_engine, race, secs};

/// A code called `name` for a grant.
async fn code(world: &World, name: &str, grant: &Grant) -> AuthorizationCode {
    let code = AuthorizationCode {
        grant_id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        redirect_uri: "https://app.test/callback".to_owned(),
        redirect_uri_given: true,
        code_challenge: Some(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap()),
    };
    world
        .tx(async |tx| authorization_code::issue(tx, &hash(name), &code, T0).await)
        .await;
    code
}

async fn redeem(world: &World, name: &str, client_id: &ClientId, at: Stamp<'_>) -> Redemption {
    world
        .tx(async |tx| authorization_code::redeem(tx, at, &hash(name), client_id).await)
        .await
}

async fn is_live(world: &World, grant: &Grant, after: u64) -> bool {
    world
        .tx(async |tx| grant::find_live(tx, &grant.id, T0 + secs(after)).await)
        .await
        .is_some()
}

#[tokio::test]
async fn a_grant_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let (_, _, grant) = world.signed_in(client::Kind::WebApp).await;
        let found = world
            .tx(async |tx| grant::find_live(tx, &grant.id, T0).await)
            .await;
        assert_eq!(found, Some(grant));
    })
    .await;
}

#[tokio::test]
async fn a_grant_dies_by_revocation_by_its_age_and_with_its_session() {
    on_each_engine(async |world| {
        let (client, session, revoked) = world.signed_in(client::Kind::WebApp).await;
        assert!(
            world
                .tx(async |tx| grant::revoke(tx, world.start(), &revoked.id).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| grant::revoke(tx, world.start(), &revoked.id).await)
                .await
        );
        assert!(!is_live(world, &revoked, 0).await);

        let short = Grant {
            expires_at: T0 + secs(60),
            ..world.new_grant(&client, &session)
        };
        world
            .tx(async |tx| grant::insert(tx, world.start(), &short).await)
            .await;
        assert!(is_live(world, &short, 59).await);
        assert!(!is_live(world, &short, 60).await);

        let long = world.grant(&client, &session).await;
        assert!(is_live(world, &long, 3599).await);
        assert!(
            !is_live(world, &long, 3600).await,
            "the session is idle for too long"
        );
        world
            .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Revoked).await)
            .await;
        assert!(!is_live(world, &long, 0).await);
    })
    .await;
}

#[tokio::test]
async fn a_code_works_once_and_a_replay_revokes_its_grant() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        let code = code(world, "code", &grant).await;

        let fresh = redeem(world, "code", &client.id, world.after(1)).await;
        assert_eq!(
            fresh,
            Redemption::Fresh {
                code,
                grant: Box::new(grant.clone())
            }
        );
        assert!(is_live(world, &grant, 1).await);

        let replayed = redeem(world, "code", &client.id, world.after(2)).await;
        assert_eq!(replayed, Redemption::Replayed(grant.id.clone()));
        assert!(!is_live(world, &grant, 2).await);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'grant.replayed'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_replay_is_noticed_long_after_the_code_expired() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        code(world, "code", &grant).await;
        redeem(world, "code", &client.id, world.start()).await;
        let replayed = redeem(world, "code", &client.id, world.after(600)).await;
        assert_eq!(replayed, Redemption::Replayed(grant.id.clone()));
        assert!(!is_live(world, &grant, 600).await);
    })
    .await;
}

#[tokio::test]
async fn a_code_is_refused_after_its_lifetime() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        code(world, "code", &grant).await;
        let late = world.after(LIFETIME.as_secs());
        assert_eq!(redeem(world, "code", &client.id, late).await, Redemption::Unknown);
        assert!(
            is_live(world, &grant, LIFETIME.as_secs()).await,
            "nobody misused it"
        );
    })
    .await;
}

#[tokio::test]
async fn a_code_is_nothing_in_the_hands_of_another_client() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        let thief = world.client(client::Kind::Spa).await;
        let code = code(world, "code", &grant).await;

        assert_eq!(
            redeem(world, "code", &thief.id, world.start()).await,
            Redemption::Unknown
        );
        assert_eq!(
            redeem(world, "other", &client.id, world.start()).await,
            Redemption::Unknown
        );
        let fresh = redeem(world, "code", &client.id, world.start()).await;
        assert_eq!(
            fresh,
            Redemption::Fresh {
                code,
                grant: Box::new(grant.clone())
            }
        );

        // Nor can it be used to sign the person out.
        assert_eq!(
            redeem(world, "code", &thief.id, world.start()).await,
            Redemption::Unknown
        );
        assert!(is_live(world, &grant, 0).await);
    })
    .await;
}

#[tokio::test]
async fn a_code_of_an_ended_session_gives_nothing() {
    on_each_engine(async |world| {
        let (client, session, grant) = world.signed_in(client::Kind::WebApp).await;
        code(world, "code", &grant).await;
        world
            .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Logout).await)
            .await;
        assert_eq!(
            redeem(world, "code", &client.id, world.start()).await,
            Redemption::Unknown
        );
    })
    .await;
}

/// The grant was found alive; the session ends before its subject is read.
#[tokio::test]
async fn the_subject_of_a_grant_ends_with_the_session() {
    on_each_engine(async |world| {
        let (_, session, grant) = world.signed_in(client::Kind::WebApp).await;
        let subject = async || {
            world
                .tx(async |tx| subject::find_with_last_use(tx, &grant).await)
                .await
        };
        assert!(subject().await.is_some());
        world
            .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Logout).await)
            .await;
        assert!(subject().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_code_of_somebody_who_is_gone_redeems_nothing() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        code(world, "redeemed", &grant).await;
        code(world, "waiting", &grant).await;
        let first = redeem(world, "redeemed", &client.id, world.start()).await;
        assert!(matches!(first, Redemption::Fresh { .. }), "{first:?}");
        assert!(
            world
                .tx(async |tx| user::delete(tx, world.start(), &grant.user_id).await)
                .await
        );
        assert_eq!(world.count("SELECT COUNT(*) FROM grants").await, 0);
        for name in ["redeemed", "waiting"] {
            assert_eq!(
                redeem(world, name, &client.id, world.start()).await,
                Redemption::Unknown,
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_concurrent_redemptions_of_a_code_one_is_fresh() {
    on_each_engine(async |world| {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        code(world, "code", &grant).await;

        let outcomes = race(100, |_| {
            world.db.tx_read_committed(async |tx| {
                authorization_code::redeem(tx, world.start(), &hash("code"), &client.id).await
            })
        })
        .await;

        let replayed = Redemption::Replayed(grant.id.clone());
        let fresh = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Redemption::Fresh { .. }))
            .count();
        assert_eq!(fresh, 1);
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == replayed).count(),
            99
        );
        assert!(
            !is_live(world, &grant, 0).await,
            "a replay revokes what the code gave"
        );
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'grant.replayed'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_access_token_is_listed_until_it_expires_by_itself() {
    on_each_engine(async |world| {
        let (token, other): (TokenId, TokenId) = (world.id(), world.id());
        for _ in 0..2 {
            world
                .tx(async |tx| revoked_access_token::insert(tx, &token, T0 + secs(300)).await)
                .await;
        }
        assert!(
            world
                .tx(async |tx| revoked_access_token::contains(tx, &token).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| revoked_access_token::contains(tx, &other).await)
                .await
        );
    })
    .await;
}
