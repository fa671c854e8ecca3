//! Answers that wait for their browser.

use genkan_store::InstanceKey;
use genkan_store::parked_answer::{self, Content, ParkedAnswer};

use crate::interaction::send;
use crate::support::{T0, World, hash, on_each_engine, race, secs};

async fn park(world: &World, state: &str, handle: &str) -> Option<ParkedAnswer> {
    let request = send(world, "state").await;
    let answer = ParkedAnswer {
        state: hash(state),
        connection_id: request.connection_id,
        handle: hash(handle),
        answer_sealed: parked_answer::seal(&world.key, &hash(handle), (Content::Form, b"code=x")),
        expires_at: T0 + parked_answer::LIFETIME,
    };
    let is_parked = world
        .tx(async |tx| parked_answer::park(tx, &answer, T0).await)
        .await;
    is_parked.then_some(answer)
}

#[tokio::test]
async fn an_answer_is_opened_by_its_own_handle_and_key() {
    on_each_engine(async |world| {
        let parked = park(world, "state", "handle").await.unwrap();
        let find = async |handle: &str, after: u64| {
            world
                .tx(async |tx| parked_answer::find(tx, &hash(handle), T0 + secs(after)).await)
                .await
        };
        assert_eq!(find("another", 0).await, None);
        assert_eq!(find("handle", 300).await, None, "too late");
        let found = find("handle", 299).await.unwrap();
        assert_eq!(found, parked);
        let opened = found.open(&world.key, Content::Form).unwrap();
        assert_eq!(opened.as_slice(), b"code=x");
        assert!(found.open(&InstanceKey::generate(), Content::Form).is_err());
        let as_assertion = found.open(&world.key, Content::Assertion);
        assert!(as_assertion.is_err(), "a form was not verified");
        let moved = ParkedAnswer {
            handle: hash("another"),
            ..found
        };
        assert!(
            moved.open(&world.key, Content::Form).is_err(),
            "it stays with its handle"
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_not_kept() {
    on_each_engine(async |world| {
        assert_eq!(park(world, "another state", "handle").await, None);
        assert_eq!(world.count("SELECT COUNT(*) FROM parked_answers").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_take_one_answer_one_has_it() {
    on_each_engine(async |world| {
        park(world, "state", "handle").await.unwrap();
        let taken = race(100, |_| {
            world
                .db
                .tx(async |tx| parked_answer::take(tx, &hash("handle"), T0).await)
        })
        .await;
        assert_eq!(taken.iter().filter(|answer| answer.is_some()).count(), 1);
    })
    .await;
}
