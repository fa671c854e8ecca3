//! One session that was in several organizations: what ends with one of them, and what goes on.

use std::time::Duration;

use genkan_store::client::{self, Client};
use genkan_store::connection::Connection;
use genkan_store::grant::{self, Grant};
use genkan_store::session::{self, Session, SignIn, Status};
use genkan_store::session_policy::{self, SessionPolicy, Span, Unit};
use genkan_store::user::User;
use genkan_store::{ClientId, OrganizationId, connection, membership, organization, outbox};

use crate::support::{LIFETIMES, T0, World, hash, on_each_engine, secs};

/// Ada, who signed in at one company and then, in the same browser, at another.
struct Moved {
    ada: User,
    first: Connection,
    second: Connection,
    /// Has a grant of the first company alone.
    early: Client,
    /// Has a grant of the second company alone.
    late: Client,
    early_grant: Grant,
    late_grant: Grant,
    session: Session,
}

impl Moved {
    fn first_organization(&self) -> &OrganizationId {
        self.first.organization_id.as_ref().unwrap()
    }

    fn second_organization(&self) -> &OrganizationId {
        self.second.organization_id.as_ref().unwrap()
    }
}

async fn listening_client(world: &World, name: &str) -> Client {
    let mut client = world.new_client(client::Kind::WebApp);
    client.back_channel_logout_uris = vec![format!("https://{name}.test/logout")];
    world
        .tx(async |tx| client::insert(tx, world.start(), &client).await)
        .await;
    client
}

async fn moved(world: &World) -> Moved {
    let (one, first) = world.company("one.test").await;
    let (two, second) = world.company("two.test").await;
    let ada = world.user("ada@one.test").await;
    let (early, late) = (
        listening_client(world, "early").await,
        listening_client(world, "late").await,
    );
    world
        .tx(async |tx| {
            membership::insert(tx, world.start(), &one.id, &ada.id).await?;
            membership::insert(tx, world.start(), &two.id, &ada.id).await
        })
        .await;
    let at_first = SignIn {
        organization_id: Some(one.id),
        connection_id: Some(first.id.clone()),
        ..world.sign_in(&ada)
    };
    let began = world
        .tx(async |tx| session::start(tx, world.start(), &at_first, &hash("1"), LIFETIMES).await)
        .await;
    let early_grant = world.grant(&early, &began).await;
    let at_second = SignIn {
        organization_id: Some(two.id),
        connection_id: Some(second.id.clone()),
        ..at_first
    };
    let session = world
        .tx(async |tx| session::rejoin(tx, world.after(60), &at_second, &hash("2"), LIFETIMES).await)
        .await;
    let late_grant = world.grant(&late, &session).await;
    Moved {
        ada,
        first,
        second,
        early,
        late,
        early_grant,
        late_grant,
        session,
    }
}

async fn counts(world: &World, grant: &Grant) -> bool {
    let found = world
        .tx(async |tx| grant::find_live(tx, &grant.id, T0 + secs(100)).await)
        .await;
    found.is_some()
}

async fn look(world: &World, session: &Session) -> Session {
    world
        .tx(async |tx| session::find(tx, &session.id).await)
        .await
        .unwrap()
}

/// The clients that a logout token waits for.
async fn told(world: &World) -> Vec<ClientId> {
    let told = world
        .tx(async |tx| outbox::due_receivers(tx, outbox::Kind::BackChannelLogout, T0 + secs(1000)).await)
        .await;
    told.iter().map(|id| ClientId::parse(id).unwrap()).collect()
}

/// What must hold after the former place of the session has ended.
async fn assert_the_past_ended(world: &World, moved: &Moved) {
    assert!(!counts(world, &moved.early_grant).await);
    assert!(counts(world, &moved.late_grant).await);
    let session = look(world, &moved.session).await;
    assert_eq!(
        (session.status, session.organization_id.as_ref()),
        (Status::Active, moved.second.organization_id.as_ref()),
        "it goes on where it is"
    );
    assert_eq!(told(world).await, std::slice::from_ref(&moved.early.id));
}

/// What must hold after the present place of the session has ended.
async fn assert_the_present_ended(world: &World, moved: &Moved) {
    assert!(counts(world, &moved.early_grant).await);
    assert!(!counts(world, &moved.late_grant).await);
    let session = look(world, &moved.session).await;
    assert_eq!(session.status, Status::Active);
    assert_eq!(
        (
            session.organization_id.as_ref(),
            session.connection_id.as_ref(),
            session.authenticated_at,
            session.expires_at,
        ),
        (
            moved.first.organization_id.as_ref(),
            Some(&moved.first.id),
            moved.early_grant.authenticated_at,
            moved.early_grant.expires_at,
        ),
        "it is again where its other grant began, as proved there"
    );
    assert!(session.idle_expires_at <= session.expires_at);
    assert_eq!(told(world).await, std::slice::from_ref(&moved.late.id));
}

#[tokio::test]
async fn a_deleted_connection_ends_what_began_there_before_the_session_went_elsewhere() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        world
            .tx(async |tx| connection::delete(tx, world.after(90), &moved.first.id).await)
            .await;
        assert_the_past_ended(world, &moved).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_leaves_the_connection_that_is_deleted() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        world
            .tx(async |tx| connection::delete(tx, world.after(90), &moved.second.id).await)
            .await;
        assert_the_present_ended(world, &moved).await;
    })
    .await;
}

#[tokio::test]
async fn sessions_of_a_disabled_connection_end_wherever_they_are() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        let touched = world
            .tx(async |tx| session::end_all_for_connection(tx, world.after(90), &moved.first.id).await)
            .await;
        assert_eq!(touched, 1);
        assert_the_past_ended(world, &moved).await;
        let again = world
            .tx(async |tx| session::end_all_for_connection(tx, world.after(91), &moved.first.id).await)
            .await;
        assert_eq!(again, 0, "there is nothing left of it");
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_takes_what_began_there_and_nothing_else() {
    on_each_engine(async |world| {
        let past = moved(world).await;
        world
            .tx(async |tx| organization::delete(tx, world.after(90), past.first_organization()).await)
            .await;
        assert_the_past_ended(world, &past).await;
    })
    .await;
    on_each_engine(async |world| {
        let present = moved(world).await;
        world
            .tx(async |tx| organization::delete(tx, world.after(90), present.second_organization()).await)
            .await;
        assert_the_present_ended(world, &present).await;
    })
    .await;
}

#[tokio::test]
async fn who_leaves_an_organization_or_is_made_inactive_keeps_nothing_of_it() {
    on_each_engine(async |world| {
        let past = moved(world).await;
        world
            .tx(async |tx| {
                membership::delete(tx, world.after(90), past.first_organization(), &past.ada.id).await
            })
            .await;
        assert_the_past_ended(world, &past).await;
    })
    .await;
    on_each_engine(async |world| {
        let present = moved(world).await;
        world
            .tx(async |tx| {
                let (id, user_id) = (present.second_organization(), &present.ada.id);
                membership::set_active(tx, world.after(90), id, user_id, false).await
            })
            .await;
        assert_the_present_ended(world, &present).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_when_its_last_place_does() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        for id in [&moved.second.id, &moved.first.id] {
            world
                .tx(async |tx| connection::delete(tx, world.after(90), id).await)
                .await;
        }
        assert_eq!(look(world, &moved.session).await.status, Status::Revoked);
        for grant in [&moved.early_grant, &moved.late_grant] {
            assert!(!counts(world, grant).await);
        }
    })
    .await;
}

#[tokio::test]
async fn another_persons_session_at_the_same_place_stays() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        let bob = world.user("bob@one.test").await;
        let sign_in = SignIn {
            organization_id: moved.first.organization_id.clone(),
            connection_id: Some(moved.first.id.clone()),
            ..world.sign_in(&bob)
        };
        let of_bob = world
            .tx(async |tx| session::start(tx, world.start(), &sign_in, &hash("bob"), LIFETIMES).await)
            .await;
        let grant = world.grant(&moved.early, &of_bob).await;
        world
            .tx(async |tx| {
                membership::delete(tx, world.after(90), moved.first_organization(), &moved.ada.id).await
            })
            .await;
        assert!(counts(world, &grant).await);
        assert_eq!(look(world, &of_bob).await.status, Status::Active);
    })
    .await;
}

#[tokio::test]
async fn what_was_read_before_a_place_ended_gives_nothing_afterwards() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        let still = async || {
            world
                .tx(async |tx| session::find_still(tx, &moved.session, T0 + secs(100)).await)
                .await
                .is_some()
        };
        assert!(still().await);
        world
            .tx(async |tx| connection::delete(tx, world.after(90), &moved.second.id).await)
            .await;
        assert!(!still().await);
    })
    .await;
}

const IDLE: Duration = Duration::from_secs(600);

/// An idle time of ten minutes at most.
fn strict() -> SessionPolicy {
    SessionPolicy {
        absolute: None,
        idle: Some(Span {
            count: 10,
            unit: Unit::Minutes,
        }),
        idle_enabled: true,
    }
}

#[tokio::test]
async fn the_strictest_policy_of_a_sessions_organizations_holds() {
    on_each_engine(async |world| {
        let moved = moved(world).await;
        let policy = strict();
        world
            .tx(async |tx| {
                session_policy::set(tx, world.after(70), moved.first_organization(), Some(&policy)).await
            })
            .await;
        let session = look(world, &moved.session).await;
        assert_eq!(
            session.idle_expires_at,
            session.last_active_at + IDLE,
            "it is shortened at once"
        );

        // At the next use, although the session is in another organization now.
        world
            .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, T0 + secs(300)).await)
            .await;
        assert_eq!(look(world, &session).await.idle_expires_at, T0 + secs(300) + IDLE);

        // And at the next sign-in there.
        let again = SignIn {
            session_id: session.id.clone(),
            organization_id: session.organization_id.clone(),
            connection_id: session.connection_id.clone(),
            ..world.sign_in(&moved.ada)
        };
        let rejoined = world
            .tx(async |tx| session::rejoin(tx, world.after(400), &again, &hash("3"), LIFETIMES).await)
            .await;
        assert_eq!(rejoined.idle_expires_at, T0 + secs(400) + IDLE);

        // Until no grant of that organization is left.
        world
            .tx(async |tx| grant::revoke(tx, world.after(410), &moved.early_grant.id).await)
            .await;
        world
            .tx(async |tx| crate::support::touch(tx, &session.id, LIFETIMES.idle, T0 + secs(500)).await)
            .await;
        assert_eq!(
            look(world, &session).await.idle_expires_at,
            T0 + secs(500) + LIFETIMES.idle
        );
    })
    .await;
}
