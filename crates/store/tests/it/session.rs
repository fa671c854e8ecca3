//! Sessions: signed-in browsers.

use std::time::Duration;

use genkan_store::proof::{Method, Proofs};
use genkan_store::session::{self, Lifetimes, Session, SignIn, Status};
use genkan_store::{Error, Page, SessionId, Stamp, client, grant, user};

use crate::support::{LIFETIMES, T0, World, hash, on_each_engine, secs};

async fn live_at(world: &World, session: &Session, after: u64) -> bool {
    let live = world
        .tx(async |tx| session::find_live(tx, &session.id, T0 + secs(after)).await)
        .await;
    live.is_some()
}

#[tokio::test]
async fn a_session_is_found_by_its_cookie_and_its_id() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        assert_eq!(session.expires_at, T0 + LIFETIMES.absolute);
        assert_eq!(session.idle_expires_at, T0 + LIFETIMES.idle);

        let found = world
            .tx(async |tx| session::find_live_by_token(tx, &hash("cookie"), T0).await)
            .await;
        assert_eq!(found.as_ref(), Some(&session));
        assert_eq!(
            world
                .tx(async |tx| session::find_live(tx, &session.id, T0).await)
                .await,
            Some(session.clone())
        );
        assert_eq!(
            world
                .tx(async |tx| session::find_live_by_token(tx, &hash("other"), T0).await)
                .await,
            None
        );
        let listed = world.tx(async |tx| {
            let filter = session::Filter::default();
            session::list_for_user(tx, &ada.id, &filter, T0, &Page::first(10)).await
        });
        assert_eq!(listed.await, vec![session]);
        let ada = world.tx(async |tx| user::find(tx, &ada.id).await).await.unwrap();
        assert_eq!(ada.last_login_at, Some(T0));
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'user.login'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn an_unused_session_dies_and_a_used_one_lives_until_its_absolute_end() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        assert!(live_at(world, &session, 3599).await);
        assert!(!live_at(world, &session, 3600).await);

        let mut now = 0;
        while now + 3000 < 8 * 3600 {
            now += 3000;
            let at = T0 + secs(now);
            assert!(
                world
                    .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, at).await)
                    .await
            );
            let current = world
                .tx(async |tx| session::find_live(tx, &session.id, at).await)
                .await
                .unwrap();
            assert!(current.idle_expires_at <= current.expires_at);
        }
        assert!(live_at(world, &session, 8 * 3600 - 1).await);
        assert!(!live_at(world, &session, 8 * 3600).await);
        let dead = T0 + secs(8 * 3600);
        assert!(
            !world
                .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, dead).await)
                .await
        );
        assert!(
            !live_at(world, &session, 8 * 3600).await,
            "nothing brings it back"
        );
    })
    .await;
}

#[tokio::test]
async fn use_is_written_once_a_minute_or_more_often_if_the_session_is_short() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        let touch = async |idle: Duration, after: u64| {
            world
                .tx(async |tx| crate::support::touch(tx, &session.id, idle, T0 + secs(after)).await)
                .await
        };
        assert!(!touch(secs(3600), 59).await);
        assert!(
            touch(secs(100), 10).await,
            "a short session is kept alive every tenth of its idle time"
        );
        assert!(!touch(secs(3600), 69).await);
        assert!(touch(secs(3600), 70).await);
    })
    .await;
}

#[tokio::test]
async fn a_new_sign_in_changes_the_cookie() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "planted").await;
        let sign_in = SignIn {
            session_id: session.id.clone(),
            organization_id: connection.organization_id.clone(),
            connection_id: Some(connection.id.clone()),
            proofs: Proofs::one(Method::Connection, Some(T0 + secs(30))),
            ..world.sign_in(&ada)
        };
        let at = world.after(600);
        let rejoined = world
            .tx(async |tx| session::rejoin(tx, at, &sign_in, &hash("fresh"), LIFETIMES).await)
            .await;

        assert_eq!(rejoined.id, session.id);
        assert_eq!(rejoined.authenticated_at, at.now);
        assert_eq!(rejoined.proofs, sign_in.proofs, "as the provider says");
        assert_eq!(rejoined.expires_at, at.now + LIFETIMES.absolute);
        assert_eq!(rejoined.organization_id, connection.organization_id);
        assert_eq!(rejoined.created_at, session.created_at);
        let by = async |cookie| {
            world
                .tx(async |tx| session::find_live_by_token(tx, &hash(cookie), at.now).await)
                .await
        };
        assert_eq!(by("planted").await, None);
        assert_eq!(by("fresh").await, Some(rejoined));
    })
    .await;
}

/// A person who arrives has not just proved who they are. Only their provider knows when they did.
#[tokio::test]
async fn the_age_of_a_proof_is_the_providers_word_or_nobodys() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let start = async |cookie: &str, auth_time| {
            let sign_in = SignIn {
                proofs: Proofs::one(Method::Connection, auth_time),
                ..world.sign_in(&ada)
            };
            let token = hash(cookie);
            world
                .tx(async |tx| session::start(tx, world.after(600), &sign_in, &token, LIFETIMES).await)
                .await
        };
        let now = world.after(600).now;
        let told = start("told", Some(T0)).await;
        assert_eq!((told.proofs.auth_time(), told.authenticated_at), (Some(T0), now));
        assert!(told.proved_within(secs(600), now) && !told.proved_within(secs(599), now));
        let silent = start("silent", None).await;
        assert_eq!(silent.proofs.auth_time(), None);
        assert!(!silent.proved_within(secs(1_000_000), now));
        let ahead = start("ahead", Some(now + secs(60))).await;
        assert_eq!(
            ahead.proofs.auth_time(),
            Some(now),
            "no proof is younger than the arrival"
        );

        // A later sign-in without a time removes the former time.
        let again = SignIn {
            session_id: told.id.clone(),
            proofs: Proofs::one(Method::Connection, None),
            ..world.sign_in(&ada)
        };
        let rejoined = world
            .tx(async |tx| session::rejoin(tx, world.after(700), &again, &hash("again"), LIFETIMES).await)
            .await;
        assert_eq!(rejoined.proofs.auth_time(), None);
        let read = world.tx(async |tx| session::find(tx, &told.id).await).await;
        assert_eq!(read, Some(rejoined));
    })
    .await;
}

#[tokio::test]
async fn nobody_rejoins_a_session_that_is_not_theirs_or_has_ended() {
    on_each_engine(async |world| {
        let (ada, eve) = (
            world.user("ada@acme.test").await,
            world.user("eve@acme.test").await,
        );
        let session = world.session(&ada, "cookie").await;
        let rejoin = async |who, at: Stamp<'_>| {
            let sign_in = SignIn {
                session_id: session.id.clone(),
                ..world.sign_in(who)
            };
            let tx = world
                .db
                .tx(async |tx| session::rejoin(tx, at, &sign_in, &hash("x"), LIFETIMES).await);
            tx.await
        };
        assert!(matches!(rejoin(&eve, world.start()).await, Err(Error::Stale)));
        assert!(
            matches!(rejoin(&ada, world.after(3600)).await, Err(Error::Stale)),
            "expired"
        );
        world
            .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Logout).await)
            .await;
        assert!(
            matches!(rejoin(&ada, world.start()).await, Err(Error::Stale)),
            "ended"
        );
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_its_grants_and_every_client_is_told_once() {
    on_each_engine(async |world| {
        let mut told = world.new_client(client::Kind::WebApp);
        told.back_channel_logout_uris = vec!["https://a.test/l1".to_owned(), "https://a.test/l2".to_owned()];
        world
            .tx(async |tx| client::insert(tx, world.start(), &told).await)
            .await;
        let silent = world.client(client::Kind::Spa).await;
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        let elsewhere = world.session(&ada, "elsewhere").await;
        let grants = [
            world.grant(&told, &session).await,
            world.grant(&told, &session).await,
            world.grant(&silent, &session).await,
        ];
        let untouched = world.grant(&told, &elsewhere).await;
        // If a client's tokens were revoked, it still has a session of its own to end.
        world
            .tx(async |tx| grant::revoke(tx, world.start(), &grants[0].id).await)
            .await;

        let end = async |status| {
            world
                .tx(async |tx| session::end(tx, world.after(5), &session.id, status).await)
                .await
        };
        assert!(end(Status::Logout).await);
        assert!(!end(Status::Revoked).await, "it ends once");

        let ended = world
            .tx(async |tx| session::find(tx, &session.id).await)
            .await
            .unwrap();
        assert_eq!(
            (ended.status, ended.ended_at),
            (Status::Logout, Some(T0 + secs(5)))
        );
        for grant in &grants {
            assert_eq!(
                world
                    .tx(async |tx| grant::find_live(tx, &grant.id, T0).await)
                    .await,
                None
            );
        }
        let other = world
            .tx(async |tx| grant::find_live(tx, &untouched.id, T0).await)
            .await;
        assert_eq!(other, Some(untouched), "another browser stays signed in");
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 2);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'user.logout'")
                .await,
            1
        );
        let unknown: SessionId = world.id();
        assert!(
            !world
                .tx(async |tx| session::end(tx, world.start(), &unknown, Status::Logout).await)
                .await
        );
    })
    .await;
}

#[tokio::test]
async fn sessions_whose_time_is_over_end_as_expired() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let sign_in = world.sign_in(&ada);
        let short = Lifetimes {
            absolute: secs(100),
            idle: secs(50),
        };
        world
            .tx(async |tx| session::start(tx, world.start(), &sign_in, &hash("short"), short).await)
            .await;
        let long = world.session(&ada, "long").await;

        let end = async |after| {
            world
                .tx(async |tx| session::end_expired(tx, world.after(after), 10).await)
                .await
        };
        assert_eq!(end(49).await, 0);
        assert_eq!(end(50).await, 1);
        assert_eq!(end(50).await, 0);
        let ended = world
            .tx(async |tx| session::find(tx, &sign_in.session_id).await)
            .await
            .unwrap();
        assert_eq!(ended.status, Status::Expired);
        assert!(live_at(world, &long, 50).await);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'session.expired'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn all_sessions_of_a_user_end_and_nobody_elses() {
    on_each_engine(async |world| {
        let (ada, bob) = (
            world.user("ada@acme.test").await,
            world.user("bob@acme.test").await,
        );
        let sessions = [world.session(&ada, "1").await, world.session(&ada, "2").await];
        let other = world.session(&bob, "3").await;
        assert_eq!(
            world
                .tx(async |tx| session::end_all_for_user(tx, world.start(), &ada.id).await)
                .await,
            2
        );
        for session in &sessions {
            assert!(!live_at(world, session, 0).await);
        }
        assert!(live_at(world, &other, 0).await);
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_by_how_they_stand_and_when_they_began() {
    on_each_engine(async |world| {
        let (client, ..) = world.signed_in(client::Kind::WebApp).await;
        let ada = world
            .tx(async |tx| user::find_by_email(tx, &crate::support::email("ada@acme.test")).await)
            .await
            .unwrap();
        world
            .session(&world.user("bob@acme.test").await, "nobody asks for this one")
            .await;
        let ended = world.session(&ada, "logout").await;
        let revoked = world.session(&ada, "revoked").await;
        world
            .tx(async |tx| {
                session::end(tx, world.after(1), &ended.id, Status::Logout).await?;
                session::end(tx, world.after(1), &revoked.id, Status::Revoked).await
            })
            .await;
        let sign_in = world.sign_in(&ada);
        let late = world
            .tx(async |tx| session::start(tx, world.after(3000), &sign_in, &hash("late"), LIFETIMES).await)
            .await;
        // The first one was not used for an hour, and the janitor has not run yet.
        let now = world.after(3600).now;
        let list = async |filter: session::Filter| {
            let page = Page::first(10);
            let (rows, count) = world
                .tx(async |tx| {
                    Ok((
                        session::list_for_user(tx, &ada.id, &filter, now, &page).await?,
                        session::count_for_user(tx, &ada.id, &filter, now).await?,
                    ))
                })
                .await;
            assert_eq!(i64::try_from(rows.len()).unwrap(), count);
            rows.iter().map(|row| row.status_at(now)).collect::<Vec<_>>()
        };
        let of = |statuses: &[Status]| session::Filter {
            statuses: statuses.to_vec(),
            ..session::Filter::default()
        };
        use Status::{Active, Expired, Logout, Revoked};
        assert_eq!(list(of(&[])).await, [Active, Revoked, Logout, Expired]);
        for status in [Active, Revoked, Logout, Expired] {
            assert_eq!(list(of(&[status])).await, [status]);
        }
        assert_eq!(list(of(&[Active, Logout])).await, [Active, Logout]);
        let since = session::Filter {
            created_from: Some(late.created_at),
            ..session::Filter::default()
        };
        assert_eq!(list(since).await, [Active]);
        let before = session::Filter {
            created_until: Some(T0),
            ..session::Filter::default()
        };
        assert_eq!(list(before).await.len(), 3);

        let clients = world
            .tx(async |tx| {
                let filter = session::Filter::default();
                let rows = session::list_for_user(tx, &ada.id, &filter, now, &Page::first(10)).await?;
                session::clients_of(tx, &rows).await
            })
            .await;
        let [one] = &clients[..] else {
            panic!("one session has one client: {clients:?}")
        };
        assert_eq!(one.client_id, client.id);
    })
    .await;
}
