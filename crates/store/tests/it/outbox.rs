//! The outbox, for every kind of message: claims, and the rows of an upgrade.

use genkan_db::p;
use genkan_db::testing::Scratch;
use genkan_store::back_channel_logout::BackChannelLogout;
use genkan_store::mail::{self, Letter, Mail, QueuedMail};
use genkan_store::outbox::{self, Backlog, Claim, Delivery, Kind, RetryDecision};
use genkan_store::{Generator, InstanceKey, MIGRATIONS, Stamp, Timestamp};

use crate::support::{T0, World, email, on_each_engine, race, secs};

const WHICH: (Kind, &str) = (Kind::Mail, "smtp");

const CLAIM: Claim = Claim {
    limit: 4,
    lease: secs(60),
};

async fn put(world: &World, count: usize) {
    let mail = Mail {
        to: email("ada@example.com"),
        letter: Letter::Test,
        expires_at: T0 + secs(86_400),
    };
    for _ in 0..count {
        world
            .tx(async |tx| mail::enqueue(tx, world.start(), &world.key, &mail).await)
            .await;
    }
}

async fn claim(world: &World, now: Timestamp) -> Vec<Delivery> {
    world
        .tx(async |tx| outbox::claim(tx, WHICH, CLAIM, now).await)
        .await
}

fn read(delivery: Delivery) -> QueuedMail {
    QueuedMail::read(delivery).unwrap()
}

/// Several nodes empty one queue. Each delivery is made once within its lease, even if they meet.
#[tokio::test]
async fn of_many_nodes_each_delivery_is_made_by_one() {
    on_each_engine(async |world| {
        put(world, 50).await;
        let made = race(6, async |_| {
            let mut made = Vec::new();
            loop {
                let due = world
                    .db
                    .tx(async |tx| outbox::claim(tx, WHICH, CLAIM, T0).await)
                    .await?;
                if due.is_empty() {
                    return Ok(made);
                }
                for delivery in due {
                    assert_eq!(delivery.attempts, 1);
                    world
                        .db
                        .tx(async |tx| outbox::delivered(tx, &delivery).await)
                        .await?;
                    made.push(read(delivery).id);
                }
            }
        })
        .await;
        let mut made: Vec<_> = made.into_iter().flatten().collect();
        assert_eq!(made.len(), 50);
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 50);
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_node_died_with_is_taken_over_and_its_late_word_does_not_count() {
    on_each_engine(async |world| {
        put(world, 1).await;
        let slow = read(claim(world, T0).await.remove(0));
        assert!(claim(world, T0 + secs(59)).await.is_empty(), "the lease holds");
        let second = read(claim(world, T0 + CLAIM.lease).await.remove(0));
        assert_eq!((slow.delivery.attempts, second.delivery.attempts), (1, 2));

        // The first node comes back: its failure does not concern the valid claim.
        let late = world.after(61);
        let next = world
            .tx(async |tx| mail::failed(tx, late, &slow, "too slow").await)
            .await;
        assert_eq!(next, RetryDecision::TakenOver);
        world
            .tx(async |tx| mail::give_up(tx, late, &slow, "too slow").await)
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM events").await, 0);
        assert!(
            claim(world, T0 + secs(90)).await.is_empty(),
            "the lease still holds"
        );

        // But its success counts.
        world
            .tx(async |tx| outbox::delivered(tx, &slow.delivery).await)
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 0);
        let next = world
            .tx(async |tx| mail::failed(tx, late, &second, "twice").await)
            .await;
        assert_eq!(next, RetryDecision::TakenOver);
    })
    .await;
}

#[tokio::test]
async fn a_backlog_counts_what_waits_and_what_was_refused() {
    on_each_engine(async |world| {
        put(world, 6).await;
        claim(world, T0).await;
        let backlog = async |kind| world.tx(async |tx| outbox::backlog(tx, kind).await).await;
        let (waiting, failing) = (6, 4);
        assert_eq!(backlog(Kind::Mail).await, Backlog { waiting, failing });
        assert_eq!(backlog(Kind::BackChannelLogout).await, Backlog::default());
    })
    .await;
}

/// The rows of the two former tables are queued with their attempts, times and texts, and with every
/// character of an address.
#[tokio::test]
async fn what_waited_before_there_was_an_outbox_waits_in_it() {
    let before = MIGRATIONS.iter().position(|step| step.name == "outbox").unwrap();
    for scratch in Scratch::each_with(&MIGRATIONS[..before]).await {
        let (ids, key) = (Generator::random(), InstanceKey::generate());
        let db = scratch.connect().await;
        let uri = r#"https://app.test/out?a="b\c"&d=e'f"#;
        let now = T0.as_micros();
        db.tx(async |tx| {
            tx.exec(
                "INSERT INTO mails (id, kind, content_sealed, attempts, next_attempt_at, expires_at, created_at)
                 VALUES ('mail_1', 'invitation', $1, 2, $2, $3, $4)",
                p![&[7; 9], now + 7, now + 9, now],
            )
            .await?;
            tx.exec(
                "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
                   any_loopback_redirect, enforce_pkce, secret_optional_with_pkce, strict_refresh_rotation,
                   profile_in_access_token, management_access, token_algorithm, created_at, updated_at)
                 VALUES ('skc_1', 'App', 'WEB_APP', '[]', '[]', '[]', FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, 'RS256', $1, $1)",
                p![now],
            )
            .await?;
            tx.exec(
                "INSERT INTO back_channel_logouts
                   (id, client_id, uri, session_id, user_id, attempts, next_attempt_at, created_at)
                 VALUES ('bcl_1', 'skc_1', $1, 'ses_1', 'usr_1', 3, $2, $3)",
                p![uri, now + 7, now],
            )
            .await?;
            Ok::<_, genkan_store::Error>(())
        })
        .await
        .unwrap();
        db.migrate(MIGRATIONS).await.unwrap();
        let world = World { db, ids, key };

        let due = T0 + std::time::Duration::from_micros(7);
        let take = async |which| {
            assert!(
                world
                    .tx(async |tx| outbox::claim(tx, which, CLAIM, T0).await)
                    .await
                    .is_empty()
            );
            let mut due = world
                .tx(async |tx| outbox::claim(tx, which, CLAIM, due).await)
                .await;
            assert_eq!(due.len(), 1);
            due.remove(0)
        };
        let mail = read(take(WHICH).await);
        assert_eq!((mail.id.as_str(), mail.kind.as_str()), ("mail_1", "invitation"));
        assert_eq!((mail.delivery.attempts, mail.delivery.created_at), (3, T0));
        assert_eq!(mail.delivery.expires_at.as_micros(), now + 9);

        let logout = BackChannelLogout::read(take((Kind::BackChannelLogout, "skc_1")).await).unwrap();
        assert_eq!((logout.uri.as_str(), logout.session_id.as_str()), (uri, "ses_1"));
        assert_eq!((logout.user_id.as_str(), logout.delivery.attempts), ("usr_1", 4));
        assert_eq!(logout.delivery.expires_at, T0 + secs(7 * 86_400));
        let at = Stamp::new(&world.ids, due);
        let next = world
            .tx(async |tx| genkan_store::back_channel_logout::failed(tx, at, &logout).await)
            .await;
        assert_eq!(next, RetryDecision::RetryAt(due + secs(300)), "its fourth rest");
        world.db.close().await;
    }
}
