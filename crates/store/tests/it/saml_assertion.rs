//! SAML assertions count once, and tell a stranger little about our key.

use genkan_store::janitor::{self, Retention};
use genkan_store::saml_assertion::{self, UsedAssertion};
use genkan_store::upstream_request::{self, MAX_DECRYPTIONS};
use genkan_store::{ConnectionId, SecretHash};

use crate::interaction::send;
use crate::support::{T0, World, hash, on_each_engine, race, secs};

fn used(connection_id: &ConnectionId, id: &str, state: Option<SecretHash>) -> UsedAssertion {
    UsedAssertion {
        connection_id: connection_id.clone(),
        assertion: hash(id),
        state,
        expires_at: T0 + secs(600),
    }
}

async fn use_up(world: &World, used: &UsedAssertion) -> bool {
    world.tx(async |tx| saml_assertion::use_up(tx, used).await).await
}

#[tokio::test]
async fn an_assertion_counts_once_at_each_connection() {
    on_each_engine(async |world| {
        let request = send(world, "state").await;
        let (_, other) = world.company("beta.test").await;
        let first = used(&request.connection_id, "_1", Some(hash("state")));
        let has_answered = async |state: &str| {
            world
                .tx(async |tx| saml_assertion::has_answered(tx, &hash(state)).await)
                .await
        };
        assert!(!has_answered("state").await);
        assert!(use_up(world, &first).await);
        assert!(!use_up(world, &first).await);
        // Another provider may have chosen the same ID.
        assert!(use_up(world, &used(&other.id, "_1", None)).await);
        assert!(use_up(world, &used(&request.connection_id, "_2", None)).await);
        assert!(has_answered("state").await);
        assert!(!has_answered("another").await);

        // It is known for as long as it could count again, and not longer.
        let sweep = async |after| {
            janitor::sweep(&world.db, &world.ids, T0 + secs(after), &Retention::default())
                .await
                .unwrap();
            world.count("SELECT COUNT(*) FROM saml_assertions").await
        };
        assert_eq!(sweep(600).await, 3);
        assert_eq!(sweep(601).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_use_one_assertion_one_counts() {
    on_each_engine(async |world| {
        let request = send(world, "state").await;
        let once = used(&request.connection_id, "_1", None);
        let once = &once;
        let counted = race(100, |_| {
            world
                .db
                .tx_read_committed(async move |tx| saml_assertion::use_up(tx, once).await)
        })
        .await;
        assert_eq!(counted.iter().filter(|counts| **counts).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_answers_to_one_request_three_are_decrypted() {
    on_each_engine(async |world| {
        send(world, "state").await;
        let allowed = race(100, |_| {
            world
                .db
                .tx_read_committed(async |tx| upstream_request::may_decrypt(tx, &hash("state")).await)
        })
        .await;
        let allowed = allowed.iter().filter(|may| **may).count();
        assert_eq!(i64::try_from(allowed), Ok(MAX_DECRYPTIONS));
        let may = async |state: &str| {
            world
                .tx(async |tx| upstream_request::may_decrypt(tx, &hash(state)).await)
                .await
        };
        assert!(!may("state").await);
        assert!(!may("nobody's").await, "without a request nothing is decrypted");
    })
    .await;
}
