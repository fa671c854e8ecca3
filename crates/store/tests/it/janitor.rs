//! The janitor: the database does not grow, and no valid row is lost.

use genkan_protocol::Trace;
use genkan_protocol::oauth::CodeChallenge;
use genkan_store::authorization_code::{self, AuthorizationCode};
use genkan_store::client::Client;
use genkan_store::event::{self, Entry, Kind};
use genkan_store::grant::{self, Grant};
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::janitor::{self, Retention, SweepReport};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::parked_answer::{self, ParkedAnswer};
use genkan_store::proof::{Method, Proofs};
use genkan_store::session::{self, SignIn, Status};
use genkan_store::upstream_request::{self, UpstreamRequest};
use genkan_store::user::User;
use genkan_store::{
    ConnectionTestId, Stamp, TokenId, client, connection_test, refresh_token, revoked_access_token,
};

use crate::support::{LIFETIMES, T0, World, hash, on_each_engine, secs};

const DAY: u64 = 86_400;

async fn sweep(world: &World, after: u64) -> SweepReport {
    sweep_with(world, after, &Retention::default()).await
}

async fn sweep_with(world: &World, after: u64, kept: &Retention) -> SweepReport {
    janitor::sweep(&world.db, &world.ids, world.after(after).now, kept)
        .await
        .unwrap()
}

/// One row of everything that expires.
async fn fill(world: &World) -> Grant {
    let (_, connection) = world.company("acme.test").await;
    let (_, _, grant) = world.signed_in(client::Kind::WebApp).await;
    let interaction = Interaction {
        id: world.id(),
        browser: hash("browser"),
        request: Request::TestConnection {
            connection_id: connection.id.clone(),
            test_id: world.id(),
        },
        is_foreign: false,
        stage: Stage::Completed,
        created_at: T0,
        expires_at: T0 + secs(3600),
    };
    let request = UpstreamRequest {
        state: hash("state"),
        interaction_id: interaction.id.clone(),
        connection_id: connection.id.clone(),
        expected_sealed: vec![0],
        expires_at: T0 + secs(1800),
    };
    let parked = ParkedAnswer {
        state: request.state,
        connection_id: connection.id.clone(),
        handle: hash("handle"),
        answer_sealed: vec![0],
        expires_at: T0 + secs(300),
    };
    let code = AuthorizationCode {
        grant_id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        redirect_uri: "https://app.test".to_owned(),
        redirect_uri_given: true,
        code_challenge: Some(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap()),
    };
    let trace = LoginTrace {
        id: world.id(),
        interaction_id: None,
        connection_id: None,
        organization_id: None,
        client_id: None,
        cause: "invalid_id_token".to_owned(),
        remedy: "Enter the client ID that the provider gave.".to_owned(),
        trace: Trace::default(),
        created_at: T0,
    };
    let (token_id, test_id): (TokenId, ConnectionTestId) = (world.id(), world.id());
    world
        .tx(async |tx| {
            interaction::insert(tx, &interaction).await?;
            upstream_request::insert(tx, &request).await?;
            tx.flush().await?;
            parked_answer::park(tx, &parked, T0).await?;
            authorization_code::issue(tx, &hash("code"), &code, T0).await?;
            refresh_token::issue(tx, &hash("token"), &grant.id, grant.expires_at, T0).await?;
            revoked_access_token::insert(tx, &token_id, T0 + secs(300)).await?;
            login_trace::insert(tx, &trace).await?;
            connection_test::insert(tx, &test_id, &connection.id, &hash("word"), T0).await
        })
        .await;
    grant
}

/// The number of rows of each table that expires.
async fn rows(world: &World) -> [i64; 11] {
    [
        world.count("SELECT COUNT(*) FROM authorization_codes").await,
        world.count("SELECT COUNT(*) FROM refresh_tokens").await,
        world.count("SELECT COUNT(*) FROM revoked_access_tokens").await,
        world.count("SELECT COUNT(*) FROM upstream_requests").await,
        world.count("SELECT COUNT(*) FROM parked_answers").await,
        world.count("SELECT COUNT(*) FROM interactions").await,
        world.count("SELECT COUNT(*) FROM grants").await,
        world.count("SELECT COUNT(*) FROM sessions").await,
        world.count("SELECT COUNT(*) FROM login_traces").await,
        world.count("SELECT COUNT(*) FROM connection_tests").await,
        world
            .count("SELECT COUNT(*) FROM events WHERE kind = 'grant.created'")
            .await,
    ]
}

#[tokio::test]
async fn everything_goes_when_its_time_has_come_and_not_before() {
    on_each_engine(async |world| {
        fill(world).await;
        assert_eq!(rows(world).await, [1; 11]);

        assert_eq!(sweep(world, 0).await, SweepReport::default());
        assert_eq!(rows(world).await, [1; 11]);
        let steps = [
            (301, [1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1]),
            (1801, [1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
            (3601, [1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1]),
            (8 * 3600 + 1, [1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1]),
            (DAY + 1, [1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1]),
            (DAY + 61, [0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1]),
            (DAY + 8 * 3600 + 1, [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1]),
            (30 * DAY + 1, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1]),
            // The session ended when the janitor swept it after an hour without use.
            (30 * DAY + 3602, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            (90 * DAY + 1, [0; 11]),
        ];
        for (after, left) in steps {
            sweep(world, after).await;
            assert_eq!(rows(world).await, left, "after {after} s");
        }
    })
    .await;
}

#[tokio::test]
async fn what_still_counts_survives_every_sweep() {
    on_each_engine(async |world| {
        let grant = fill(world).await;
        world
            .tx(async |tx| crate::support::touch(tx, &grant.session_id, secs(7200), T0 + secs(3000)).await)
            .await;
        for after in [0, 60, 3000, 7000] {
            sweep(world, after).await;
            let at = world.after(after).now;
            assert!(
                world
                    .tx(async |tx| grant::find_live(tx, &grant.id, at).await)
                    .await
                    .is_some()
            );
            assert!(
                world
                    .tx(async |tx| refresh_token::find(tx, &hash("token"), at).await)
                    .await
                    .is_some()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_time_is_over_ends_and_its_clients_are_told() {
    on_each_engine(async |world| {
        let mut client = world.new_client(client::Kind::WebApp);
        client.back_channel_logout_uris = vec!["https://app.test/logout".to_owned()];
        world
            .tx(async |tx| client::insert(tx, world.start(), &client).await)
            .await;
        let mut sessions = Vec::new();
        for n in 0..120 {
            let user = world.user(&format!("p{n}@acme.test")).await;
            let session = world.session(&user, &format!("cookie {n}")).await;
            world.grant(&client, &session).await;
            sessions.push(session);
        }
        assert_eq!(
            sweep(world, 3600).await,
            SweepReport {
                sessions_ended: 120,
                rows_deleted: 0
            }
        );
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 120);
        let ended = world
            .tx(async |tx| session::find(tx, &sessions[119].id).await)
            .await
            .unwrap();
        assert_eq!(ended.status, Status::Expired);
        assert_eq!(sweep(world, 3600).await, SweepReport::default());
    })
    .await;
}

#[tokio::test]
async fn thousands_of_rows_go_in_many_steps() {
    on_each_engine(async |world| {
        let at = Stamp::new(&world.ids, T0);
        world
            .tx(async |tx| {
                for _ in 0..2500 {
                    event::record(tx, at, Entry::new(Kind::SessionRevoked)).await?;
                }
                Ok(())
            })
            .await;
        assert_eq!(sweep(world, 400 * DAY + 1).await.rows_deleted, 2500);
        assert_eq!(world.count("SELECT COUNT(*) FROM events").await, 0);
    })
    .await;
}

/// The rows of one day: every class of events, and each kind of row that stays for a while.
async fn a_day_of_sign_ins(world: &World, day: u64, client: &Client, user: &User) -> (Grant, String) {
    let at = world.after(day * DAY);
    let (cookie, code, token) = (
        format!("cookie {day}"),
        format!("code {day}"),
        format!("token {day}"),
    );
    let sign_in = SignIn {
        session_id: world.ids.next(at.now),
        proofs: Proofs::one(Method::Connection, Some(at.now)),
        ..world.sign_in(user)
    };
    let session = world
        .tx(async |tx| session::start(tx, at, &sign_in, &hash(&cookie), LIFETIMES).await)
        .await;
    let grant = Grant {
        id: world.ids.next(at.now),
        created_at: at.now,
        ..world.new_grant(client, &session)
    };
    let issued = AuthorizationCode {
        grant_id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        redirect_uri: "https://app.test".to_owned(),
        redirect_uri_given: true,
        code_challenge: None,
    };
    world
        .tx(async |tx| {
            grant::insert(tx, at, &grant).await?;
            authorization_code::issue(tx, &hash(&code), &issued, at.now).await?;
            refresh_token::issue(tx, &hash(&token), &grant.id, grant.expires_at, at.now).await?;
            for kind in [
                Kind::TokenIssued,
                Kind::TokenRefreshed,
                Kind::LoginFailed,
                Kind::UserDisabled,
            ] {
                event::record(tx, at, Entry::new(kind).user(&user.id)).await?;
            }
            Ok(())
        })
        .await;
    (grant, code)
}

/// The table of events does not grow either. Each class has its own time, and deleting a short class does
/// not read the rows that stay.
#[tokio::test]
async fn the_database_is_as_large_after_a_hundred_days_as_after_fifty() {
    let kept = Retention {
        events: secs(20 * DAY),
        activity_events: secs(8 * DAY),
        token_events: secs(3 * DAY),
        sign_in_log: secs(8 * DAY),
        failed_sign_ins: secs(8 * DAY),
        ended_sessions: secs(5 * DAY),
        codes: secs(DAY),
    };
    on_each_engine(async |world| {
        world.company("acme.test").await;
        let client = world.client(client::Kind::WebApp).await;
        let user = world.user("ada@acme.test").await;
        let before = world.count("SELECT COUNT(*) FROM events").await;
        let mut sizes = Vec::new();
        for day in 1..=100 {
            a_day_of_sign_ins(world, day, &client, &user).await;
            sweep_with(world, day * DAY + 3600 * 9, &kept).await;
            if day % 50 == 0 {
                let mut size = rows(world).await.to_vec();
                size.push(world.count("SELECT COUNT(*) FROM events").await);
                for (kind, days) in [("token.refreshed", 3), ("login.failed", 8), ("user.disabled", 20)] {
                    let sql: &'static str = match kind {
                        "token.refreshed" => "SELECT COUNT(*) FROM events WHERE kind = 'token.refreshed'",
                        "login.failed" => "SELECT COUNT(*) FROM events WHERE kind = 'login.failed'",
                        _ => "SELECT COUNT(*) FROM events WHERE kind = 'user.disabled'",
                    };
                    assert_eq!(world.count(sql).await, days, "{kind} on day {day}");
                }
                sizes.push(size);
            }
        }
        assert_eq!(sizes[0], sizes[1]);
        assert!(before > 0 && sizes[0].iter().all(|rows| *rows < 200), "{sizes:?}");
    })
    .await;
}

/// A grant of a session that is always open has many tokens. They go in many steps, and the grant after them.
#[tokio::test]
async fn many_tokens_of_a_grant_go_before_it() {
    on_each_engine(async |world| {
        let (_, _, grant) = world.signed_in(client::Kind::Spa).await;
        world
            .tx(async |tx| {
                for number in 0..1500 {
                    let token = hash(&format!("token {number}"));
                    refresh_token::issue(tx, &token, &grant.id, grant.expires_at, T0).await?;
                }
                Ok(())
            })
            .await;
        let left = async || {
            (
                world.count("SELECT COUNT(*) FROM refresh_tokens").await,
                world.count("SELECT COUNT(*) FROM grants").await,
            )
        };
        let expired = 8 * 3600;
        sweep(world, DAY + expired - 1).await;
        assert_eq!(left().await, (1500, 1));
        let swept = sweep(world, DAY + expired + 1).await;
        assert_eq!(left().await, (0, 0));
        assert!(
            swept.rows_deleted >= 1501,
            "no token went by a cascade: {swept:?}"
        );
    })
    .await;
}

/// A shorter time takes effect at once, also for rows that a sweep has passed already.
#[tokio::test]
async fn a_time_can_be_changed() {
    on_each_engine(async |world| {
        let (_, _, grant) = world.signed_in(client::Kind::WebApp).await;
        for day in 0..40 {
            let at = world.after(day * DAY);
            let entry = || Entry::new(Kind::TokenRefreshed).user(&grant.user_id);
            world.tx(async |tx| event::record(tx, at, entry()).await).await;
        }
        let refreshed = "SELECT COUNT(*) FROM events WHERE kind = 'token.refreshed'";
        let now = 40 * DAY;
        sweep(world, now).await;
        assert_eq!(world.count(refreshed).await, 30);
        let short = Retention {
            token_events: secs(10 * DAY),
            ..Retention::default()
        };
        sweep_with(world, now, &short).await;
        assert_eq!(world.count(refreshed).await, 10);
        sweep(world, now).await;
        assert_eq!(world.count(refreshed).await, 10);
    })
    .await;
}

/// The reason why codes and used refresh tokens have a time at all.
#[tokio::test]
async fn a_replay_is_noticed_until_the_last_moment_of_its_time() {
    let kept = Retention {
        codes: secs(3600),
        ended_sessions: secs(3600),
        ..Retention::default()
    };
    on_each_engine(async |world| {
        let client = world.client(client::Kind::Spa).await;
        let user = world.user("ada@acme.test").await;
        let (grant, code) = a_day_of_sign_ins(world, 0, &client, &user).await;
        let redeem = async |after: u64| {
            let at = world.after(after);
            world
                .tx(async |tx| authorization_code::redeem(tx, at, &hash(&code), &client.id).await)
                .await
        };
        let first = redeem(1).await;
        assert!(
            matches!(first, authorization_code::Redemption::Fresh { .. }),
            "{first:?}"
        );
        for after in [60, 1800, 3659] {
            sweep_with(world, after, &kept).await;
        }
        assert_eq!(
            redeem(3659).await,
            authorization_code::Redemption::Replayed(grant.id)
        );
        sweep_with(world, 3661, &kept).await;
        assert_eq!(redeem(3661).await, authorization_code::Redemption::Unknown);

        // A used refresh token stays as long as its family may live, whatever `codes` says.
        let (grant, _) = a_day_of_sign_ins(world, 1, &client, &user).await;
        let refresh = async |after: u64| {
            let (at, rotation) = (world.after(DAY + after), refresh_token::Rotation::Strict);
            world
                .tx(async |tx| refresh_token::redeem(tx, at, &hash("token 1"), &client.id, rotation).await)
                .await
        };
        let first = refresh(2).await;
        assert!(matches!(first, refresh_token::Redemption::Fresh(_)), "{first:?}");
        let busy = world.after(DAY + 3500).now;
        world
            .tx(async |tx| crate::support::touch(tx, &grant.session_id, secs(7200), busy).await)
            .await;
        sweep_with(world, DAY + 10_000, &kept).await;
        let reused = refresh(10_000).await;
        assert_eq!(reused, refresh_token::Redemption::Reused(grant.id));
    })
    .await;
}
