//! Mail that waits for its delivery.

use std::time::Duration;

use genkan_store::event::{self, Filter, Kind as EventKind};
use genkan_store::mail::{self, Backlog, Kind, MAX_ATTEMPTS, Mail, Next, Queued};
use genkan_store::{Error, InstanceKey, Page, Timestamp, janitor};

use crate::support::{T0, World, email, on_each_engine, race, secs};

const LEASE: Duration = Duration::from_secs(60);

async fn enqueue(world: &World, expires_at: Timestamp) -> genkan_store::MailId {
    let to = email("ada@example.com");
    let mail = Mail {
        kind: Kind::SignIn,
        to: &to,
        subject: "Your code\r\nBcc: eve@evil.example",
        text: "It is 271828.",
        html: "<p>It is 271828.</p>",
        expires_at,
    };
    world
        .tx(async |tx| mail::enqueue(tx, world.start(), &world.key, &mail).await)
        .await
}

async fn claim(world: &World, now: Timestamp) -> Vec<Queued> {
    world
        .tx(async |tx| mail::claim_due(tx, 10, LEASE, now).await)
        .await
}

#[tokio::test]
async fn a_mail_is_sealed_claimed_and_gone_when_delivered() {
    on_each_engine(async |world| {
        let id = enqueue(world, T0 + secs(300)).await;
        let claimed = claim(world, T0).await;
        assert_eq!(claimed.len(), 1);
        let content = claimed[0].open(&world.key).unwrap();
        assert_eq!(content.to, email("ada@example.com"));
        assert_eq!(content.subject, "Your code Bcc: eve@evil.example");
        assert_eq!(content.text, "It is 271828.");
        assert_eq!(content.html, "<p>It is 271828.</p>");
        assert!(claimed[0].open(&InstanceKey::generate()).is_err());
        assert!(!format!("{content:?} {:?}", claimed[0].open(&world.key)).contains("271828"));

        assert_eq!(claim(world, T0 + secs(59)).await, [], "leased to somebody");
        world.tx(async |tx| mail::delivered(tx, &id).await).await;
        assert_eq!(world.count("SELECT COUNT(*) FROM mails").await, 0);
        assert_eq!(claim(world, T0 + secs(61)).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_mail_whose_node_died_is_taken_over() {
    on_each_engine(async |world| {
        enqueue(world, T0 + secs(300)).await;
        assert_eq!(claim(world, T0).await[0].attempts, 1);
        assert_eq!(claim(world, T0 + LEASE).await[0].attempts, 2);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_claim_at_once_never_get_the_same_mail() {
    on_each_engine(async |world| {
        for _ in 0..30 {
            enqueue(world, T0 + secs(300)).await;
        }
        let claims = race(12, |_| {
            world.db.tx(async |tx| mail::claim_due(tx, 5, LEASE, T0).await)
        })
        .await;
        let mut ids: Vec<_> = claims.iter().flatten().map(|mail| mail.id.clone()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), all), (30, 30));
    })
    .await;
}

#[tokio::test]
async fn a_mail_rests_longer_after_each_failure_and_is_given_up_at_last() {
    on_each_engine(async |world| {
        enqueue(world, T0 + secs(30 * 86_400)).await;
        let (mut now, mut rests) = (T0, Vec::new());
        loop {
            let claimed = claim(world, now).await;
            assert_eq!(claimed.len(), 1);
            let at = genkan_store::Stamp::new(&world.ids, now);
            let next = world
                .tx(async |tx| mail::failed(tx, at, &claimed[0], "451 later").await)
                .await;
            match next {
                Next::RetryAt(retry_at) => {
                    rests.push(retry_at.as_secs() - now.as_secs());
                    now = retry_at;
                }
                Next::GivenUp => break,
            }
        }
        assert_eq!(rests, [5, 15, 60, 300, 900, 3600, 14_400]);
        assert_eq!(rests.len() + 1, MAX_ATTEMPTS as usize);
        let events = world
            .tx(async |tx| {
                let filter = Filter {
                    kind: Some(EventKind::MailGivenUp),
                    ..Filter::default()
                };
                event::list(tx, &filter, &Page::first(10)).await
            })
            .await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].data["reason"], "451 later");
        assert!(!format!("{:?}", events[0].data).contains("ada@"));
        assert_eq!(world.count("SELECT COUNT(*) FROM mails").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_would_come_too_late_is_given_up_at_once() {
    on_each_engine(async |world| {
        enqueue(world, T0 + secs(4)).await;
        let claimed = claim(world, T0).await;
        let next = world
            .tx(async |tx| mail::failed(tx, world.start(), &claimed[0], "no route").await)
            .await;
        assert_eq!(next, Next::GivenUp);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_queued_by_a_transaction_that_fails() {
    on_each_engine(async |world| {
        let to = email("ada@example.com");
        let error = world
            .failed_tx(async |tx| {
                let mail = Mail {
                    kind: Kind::Invitation,
                    to: &to,
                    subject: "s",
                    text: "t",
                    html: "h",
                    expires_at: T0 + secs(60),
                };
                mail::enqueue(tx, world.start(), &world.key, &mail).await?;
                Err::<(), _>(Error::Stale)
            })
            .await;
        assert!(matches!(error, Error::Stale));
        let due = world.tx(async |tx| mail::is_due(tx, T0).await).await;
        assert!(!due);
    })
    .await;
}

#[tokio::test]
async fn the_newest_mails_come_first_and_the_old_ones_are_swept() {
    on_each_engine(async |world| {
        let first = enqueue(world, T0 + secs(60)).await;
        let second = enqueue(world, T0 + secs(86_400)).await;
        let newest = world.tx(async |tx| mail::newest(tx, 10).await).await;
        let ids: Vec<_> = newest.iter().map(|mail| mail.id.clone()).collect();
        assert_eq!(ids, [second.clone(), first.clone()]);
        let backlog = world.tx(async |tx| mail::backlog(tx).await).await;
        assert_eq!(
            backlog,
            Backlog {
                waiting: 2,
                failing: 0
            }
        );

        let later = T0 + secs(86_400 + 61);
        janitor::sweep(&world.db, &world.ids, later).await.unwrap();
        assert!(world.tx(async |tx| mail::find(tx, &first).await).await.is_none());
        assert!(world.tx(async |tx| mail::find(tx, &second).await).await.is_some());
    })
    .await;
}
