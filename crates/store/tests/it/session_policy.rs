//! An organization's own session policy, and what it does to sessions.

use genkan_store::proof::Proofs;
use genkan_store::session::{self, Session, SignIn};
use genkan_store::session_policy::{self, SessionPolicy, Span, Unit};
use genkan_store::{Error, OrganizationId};

use crate::support::{LIFETIMES, T0, World, hash, on_each_engine, secs};

const HOUR: u64 = 3600;

const fn minutes(count: u32) -> Option<Span> {
    Some(Span {
        count,
        unit: Unit::Minutes,
    })
}

async fn set(world: &World, id: &OrganizationId, policy: Option<&SessionPolicy>) {
    world
        .tx(async |tx| session_policy::set(tx, world.start(), id, policy).await)
        .await;
}

async fn sign_in(world: &World, id: &OrganizationId, token: &str, at: u64) -> Session {
    let sign_in = SignIn {
        session_id: world.id(),
        user_id: world.user(&format!("{token}@acme.test")).await.id,
        organization_id: Some(id.clone()),
        connection_id: None,
        proofs: Proofs::default(),
        browser: None,
        ip: None,
        user_agent: None,
    };
    world
        .tx(async |tx| session::start(tx, world.after(at), &sign_in, &hash(token), LIFETIMES).await)
        .await
}

async fn look(world: &World, session: &Session) -> Session {
    world
        .tx(async |tx| session::find(tx, &session.id).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_policy_is_read_as_it_was_entered() {
    on_each_engine(async |world| {
        let (id, other) = (world.organization().await.id, world.organization().await.id);
        let policy = SessionPolicy {
            absolute: Some(Span {
                count: 2,
                unit: Unit::Days,
            }),
            idle: minutes(30),
            idle_enabled: true,
        };
        set(world, &id, Some(&policy)).await;
        let find = async |id| world.tx(async |tx| session_policy::find(tx, id).await).await;
        assert_eq!(find(&id).await, Some(policy));
        assert_eq!(find(&other).await, None);
        set(world, &id, None).await;
        assert_eq!(find(&id).await, None);
        let refused = world
            .failed_tx(async |tx| session_policy::set(tx, world.start(), &world.id(), None).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_policy_shortens_the_sessions_that_follow() {
    on_each_engine(async |world| {
        let (id, other) = (world.organization().await.id, world.organization().await.id);
        let policy = SessionPolicy {
            absolute: minutes(120),
            idle: minutes(10),
            idle_enabled: true,
        };
        set(world, &id, Some(&policy)).await;
        let session = sign_in(world, &id, "ada", 0).await;
        assert_eq!(session.expires_at, T0 + secs(2 * HOUR));
        assert_eq!(session.idle_expires_at, T0 + secs(600));
        let elsewhere = sign_in(world, &other, "bob", 0).await;
        assert_eq!(elsewhere.expires_at, T0 + LIFETIMES.absolute);

        let touched = world
            .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, T0 + secs(500)).await)
            .await;
        assert!(touched);
        assert_eq!(look(world, &session).await.idle_expires_at, T0 + secs(1100));

        let again = SignIn {
            session_id: session.id.clone(),
            user_id: session.user_id.clone(),
            organization_id: Some(id.clone()),
            connection_id: None,
            proofs: Proofs::default(),
            browser: None,
            ip: None,
            user_agent: None,
        };
        let rejoined = world
            .tx(async |tx| session::rejoin(tx, world.after(1000), &again, &hash("new"), LIFETIMES).await)
            .await;
        assert_eq!(rejoined.expires_at, T0 + secs(1000 + 2 * HOUR));
        assert_eq!(rejoined.idle_expires_at, T0 + secs(1600));
    })
    .await;
}

#[tokio::test]
async fn a_policy_shortens_living_sessions_at_once_and_those_of_nobody_else() {
    on_each_engine(async |world| {
        let (id, other) = (world.organization().await.id, world.organization().await.id);
        let (session, elsewhere) = (
            sign_in(world, &id, "ada", 0).await,
            sign_in(world, &other, "bob", 0).await,
        );
        let policy = SessionPolicy {
            absolute: minutes(30),
            ..SessionPolicy::default()
        };
        set(world, &id, Some(&policy)).await;
        let shortened = look(world, &session).await;
        assert_eq!(shortened.expires_at, T0 + secs(1800));
        assert_eq!(shortened.idle_expires_at, T0 + secs(1800));
        assert_eq!(look(world, &elsewhere).await, elsewhere);

        let policy = SessionPolicy {
            idle: minutes(5),
            idle_enabled: true,
            ..policy
        };
        set(world, &id, Some(&policy)).await;
        assert_eq!(look(world, &session).await.idle_expires_at, T0 + secs(300));

        // A longer policy prolongs the idle time at the next use, up to the end that was set.
        set(world, &id, None).await;
        world
            .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, T0 + secs(200)).await)
            .await;
        assert_eq!(look(world, &session).await.idle_expires_at, T0 + secs(1800));
    })
    .await;
}
