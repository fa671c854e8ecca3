//! Queued mail.

use std::time::Duration;

use genkan_store::event::{self, Filter, Kind as EventKind};
use genkan_store::mail::{self, Content, Kind, Letter, Mail, QueuedMail};
use genkan_store::outbox::{self, Backlog, Claim, RetryDecision};
use genkan_store::seal::SealContext;
use genkan_store::{Error, InstanceKey, MailId, Page, Timestamp, janitor};

use crate::support::{T0, World, email, on_each_engine, race, secs};

const CLAIM: Claim = Claim {
    limit: 10,
    lease: Duration::from_secs(60),
};

fn code(expires_at: Timestamp) -> Mail {
    Mail {
        to: email("ada@example.com"),
        letter: Letter::SignInCode {
            application: "Acme Notes".to_owned(),
            is_sign_up: false,
            code: Some("271828".to_owned()),
            link: None,
            lifetime_secs: 300,
        },
        expires_at,
    }
}

async fn enqueue(world: &World, expires_at: Timestamp) -> MailId {
    let mail = code(expires_at);
    world
        .tx(async |tx| mail::enqueue(tx, world.start(), &world.key, &mail).await)
        .await
}

async fn claim(world: &World, now: Timestamp) -> Vec<QueuedMail> {
    let claimed = world
        .tx(async |tx| outbox::claim(tx, (outbox::Kind::Mail, "smtp"), CLAIM, now).await)
        .await;
    claimed
        .into_iter()
        .map(|delivery| QueuedMail::read(delivery).unwrap())
        .collect()
}

#[tokio::test]
async fn a_mail_is_sealed_claimed_and_gone_when_delivered() {
    on_each_engine(async |world| {
        let id = enqueue(world, T0 + secs(300)).await;
        let claimed = claim(world, T0).await;
        assert_eq!(claimed.len(), 1);
        assert_eq!((&claimed[0].id, claimed[0].kind), (&id, Kind::SignIn));
        let content = claimed[0].open(&world.key).unwrap();
        assert_eq!(content, Content::Mail(code(T0 + secs(300))));
        assert!(claimed[0].open(&InstanceKey::generate()).is_err());
        assert!(!format!("{content:?} {:?}", claimed[0]).contains("271828"));

        assert_eq!(claim(world, T0 + secs(59)).await, [], "leased to somebody");
        world
            .tx(async |tx| outbox::delivered(tx, &claimed[0].delivery).await)
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 0);
        assert_eq!(claim(world, T0 + secs(61)).await, []);
    })
    .await;
}

#[tokio::test]
async fn the_database_tells_neither_address_nor_letter() {
    on_each_engine(async |world| {
        enqueue(world, T0 + secs(300)).await;
        let row = world
            .tx(async |tx| {
                Ok(tx
                    .opt("SELECT facts, sealed FROM deliveries", &[])
                    .await?
                    .unwrap())
            })
            .await;
        let (facts, sealed): (String, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(facts, r#"{"kind":"sign_in"}"#);
        for told in ["ada@", "271828", "Acme"] {
            assert!(!sealed.windows(told.len()).any(|bytes| bytes == told.as_bytes()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_a_version_before_has_written_out_is_read_as_it_is() {
    on_each_engine(async |world| {
        let id: MailId = world.id();
        let place = SealContext {
            column: "mails.content_sealed",
            id: id.as_str(),
        };
        let text = r#"{"to":"ada@example.com","subject":"Your code","text":"It is 1.","html":"<p>It is 1.</p>"}"#;
        let sealed = world.key.seal(place, text.as_bytes());
        world
            .tx(async |tx| {
                let sql = "INSERT INTO deliveries (id, kind, receiver, facts, sealed, attempts, next_at, expires_at, created_at)
                           VALUES ($1, 'mail', 'smtp', '{\"kind\":\"invitation\"}', $2, 0, $3, $4, $3)";
                tx.exec(sql, genkan_db::p![&id, &sealed, T0.as_micros(), T0.as_micros() + 1]).await?;
                Ok(())
            })
            .await;
        let claimed = claim(world, T0).await;
        assert_eq!(claimed[0].kind, Kind::Invitation);
        let Content::RenderedMail(written) = claimed[0].open(&world.key).unwrap() else {
            panic!("it is in its words");
        };
        assert_eq!(written.to, email("ada@example.com"));
        assert_eq!((written.subject.as_str(), written.text.as_str()), ("Your code", "It is 1."));
        assert_eq!(written.html, "<p>It is 1.</p>");
    })
    .await;
}

#[tokio::test]
async fn nodes_that_claim_at_once_never_get_the_same_mail() {
    on_each_engine(async |world| {
        for _ in 0..30 {
            enqueue(world, T0 + secs(300)).await;
        }
        let few = Claim { limit: 5, ..CLAIM };
        let claims = race(12, |_| {
            world
                .db
                .tx(async |tx| outbox::claim(tx, (outbox::Kind::Mail, "smtp"), few, T0).await)
        })
        .await;
        let mut ids: Vec<_> = claims
            .into_iter()
            .flatten()
            .map(|delivery| QueuedMail::read(delivery).unwrap().id)
            .collect();
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
                RetryDecision::RetryAt(retry_at) => {
                    rests.push(retry_at.as_secs() - now.as_secs());
                    now = retry_at;
                }
                RetryDecision::GivenUp => break,
                RetryDecision::TakenOver => panic!("nobody else claims"),
            }
        }
        assert_eq!(rests, [5, 15, 60, 300, 900, 3600, 14_400]);
        assert_eq!(rests.len() + 1, mail::SCHEDULE.attempts());
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
        assert_eq!(events[0].data["kind"], "sign_in");
        assert!(!format!("{:?}", events[0].data).contains("ada@"));
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 0);
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
        assert_eq!(next, RetryDecision::GivenUp);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_queued_by_a_transaction_that_fails() {
    on_each_engine(async |world| {
        let error = world
            .failed_tx(async |tx| {
                let mail = code(T0 + secs(60));
                mail::enqueue(tx, world.start(), &world.key, &mail).await?;
                Err::<(), _>(Error::Stale)
            })
            .await;
        assert!(matches!(error, Error::Stale));
        let due = world
            .tx(async |tx| outbox::due_receivers(tx, outbox::Kind::Mail, T0).await)
            .await;
        assert_eq!(due, [""; 0]);
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
        janitor::sweep(&world.db, &world.ids, later, &janitor::Retention::default())
            .await
            .unwrap();
        assert!(world.tx(async |tx| mail::find(tx, &first).await).await.is_none());
        assert!(world.tx(async |tx| mail::find(tx, &second).await).await.is_some());
    })
    .await;
}
