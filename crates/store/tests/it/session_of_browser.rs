//! A browser has one active session, also if two sign-ins end in it at the same moment.

use genkan_db::Tx;
use genkan_store::session::{self, BrowserSessions, Session, SignIn, Status};
use genkan_store::user::User;
use genkan_store::{Error, SecretHash, conflict};

use crate::isolation::Level::{ReadCommitted, Serializable};
use crate::isolation::{meanwhile, on_postgres, run};
use crate::support::{LIFETIMES, World, hash, on_each_engine};

async fn start(
    world: &World,
    tx: &mut Tx<'_>,
    (user, cookie): (&User, &str),
    browser: &SecretHash,
) -> Result<Session, Error> {
    let sign_in = SignIn {
        browser: Some(*browser),
        ..world.sign_in(user)
    };
    session::start(tx, world.start(), &sign_in, &hash(cookie), LIFETIMES).await
}

fn is_second(outcome: &Result<Session, Error>) -> bool {
    matches!(outcome, Err(Error::Conflict(conflict::SESSION_OF_BROWSER)))
}

#[tokio::test]
async fn a_browser_has_one_active_session() {
    on_each_engine(async |world| {
        let (ada, bob) = (
            world.user("ada@acme.test").await,
            world.user("bob@acme.test").await,
        );
        let (desk, phone) = (hash("desk"), hash("phone"));
        let begin = async |user: &User, cookie: &str, browser: &SecretHash| {
            world
                .db
                .tx(async |tx| start(world, tx, (user, cookie), browser).await)
                .await
        };
        let first = begin(&ada, "1", &desk).await.unwrap();
        let other = begin(&bob, "2", &phone).await.unwrap();
        assert!(is_second(&begin(&bob, "3", &desk).await));
        let logins = world
            .count("SELECT COUNT(*) FROM events WHERE kind = 'user.login'")
            .await;
        assert_eq!(logins, 2, "a session that does not begin leaves no event");

        let of_desk = async |secs, by_cookie: Option<Session>| {
            let at = world.after(secs);
            world
                .tx(async |tx| {
                    let sessions = BrowserSessions::find(tx, at.now, by_cookie.clone(), &desk).await?;
                    sessions.leave_one(tx, at).await?;
                    Ok(sessions.present)
                })
                .await
        };
        assert_eq!(of_desk(1, None).await.as_ref(), Some(&first));
        assert_eq!(of_desk(1, Some(first.clone())).await.as_ref(), Some(&first));
        // It came with the cookie of another: that one is the browser's.
        assert_eq!(of_desk(1, Some(other.clone())).await.as_ref(), Some(&other));
        let status = async |id| {
            world
                .tx(async |tx| session::find(tx, id).await)
                .await
                .unwrap()
                .status
        };
        assert_eq!(status(&first.id).await, Status::Logout);
        assert_eq!(status(&other.id).await, Status::Active);

        // One that has expired is in nobody's way.
        let second = begin(&ada, "4", &desk).await.unwrap();
        assert!(of_desk(400 * 24 * 3600, None).await.is_none());
        assert_eq!(status(&second.id).await, Status::Expired);
        begin(&bob, "5", &desk).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_goes_with_its_browser() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        let of = async |browser| {
            world
                .tx(async |tx| session::find_of_browser(tx, &browser).await)
                .await
        };
        for name in ["desk", "phone"] {
            let again = SignIn {
                session_id: session.id.clone(),
                browser: Some(hash(name)),
                ..world.sign_in(&ada)
            };
            world
                .tx(async |tx| session::rejoin(tx, world.start(), &again, &hash(name), LIFETIMES).await)
                .await;
            assert_eq!(
                of(hash(name)).await.map(|found| found.id),
                Some(session.id.clone())
            );
        }
        assert!(of(hash("desk")).await.is_none());
        // Another one began there: the browser cannot have both.
        let laptop = hash("laptop");
        world
            .tx(async |tx| start(world, tx, (&ada, "other"), &laptop).await)
            .await;
        let again = SignIn {
            session_id: session.id.clone(),
            browser: Some(laptop),
            ..world.sign_in(&ada)
        };
        let rejoined = world
            .db
            .tx(async |tx| session::rejoin(tx, world.start(), &again, &hash("3"), LIFETIMES).await)
            .await;
        assert!(is_second(&rejoined));
    })
    .await;
}

#[tokio::test]
async fn of_two_sign_ins_that_end_in_one_browser_at_once_the_second_finds_the_session_of_the_first() {
    on_postgres(async |world| {
        let (ada, bob) = (
            world.user("ada@acme.test").await,
            world.user("bob@acme.test").await,
        );
        for (level, name) in [(ReadCommitted, "one"), (Serializable, "other")] {
            let browser = hash(name);
            let (of_ada, of_bob) = (format!("ada {name}"), format!("bob {name}"));
            let first = async |tx: &mut Tx<'_>| start(world, tx, (&ada, &of_ada), &browser).await;
            let second = run(world, level, async |tx| {
                start(world, tx, (&bob, &of_bob), &browser).await
            });
            let (first, second) = meanwhile(world, ReadCommitted, first, second).await;
            assert!(is_second(&second), "{second:?}");
            let found = world
                .tx(async |tx| session::find_of_browser(tx, &browser).await)
                .await;
            assert_eq!(found, Some(first.unwrap()));
        }
    })
    .await;
}
