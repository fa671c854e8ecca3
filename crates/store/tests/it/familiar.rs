//! Connections that a browser knows, and proofs that wait for a person's confirmation.

use genkan_store::admission::{Claim, Profile, Roles};
use genkan_store::familiar::{self, AGREED, REMEMBERED};
use genkan_store::interaction::{self, Interaction, PendingProof, Request, Stage, Way};
use genkan_store::{ConnectionId, Error, Proof};
use serde_json::json;

use crate::support::{T0, hash, on_each_engine, secs};

#[tokio::test]
async fn a_browser_knows_a_connection_for_a_while_and_no_other_browser_does() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let (_, other) = world.company("beta.test").await;
        let knows = async |browser: &str, id: &ConnectionId, at| {
            world
                .tx(async |tx| familiar::is_remembered(tx, &hash(browser), id, at).await)
                .await
        };
        assert!(!knows("ada", &connection.id, T0).await);
        for at in [T0, T0 + secs(60)] {
            world
                .tx(async |tx| familiar::remember(tx, &hash("ada"), &connection.id, at).await)
                .await;
        }
        let end = T0 + secs(60) + REMEMBERED;
        assert!(
            knows("ada", &connection.id, end - secs(1)).await,
            "from the last one on"
        );
        assert!(!knows("ada", &connection.id, end).await);
        assert!(!knows("eve", &connection.id, T0).await);
        assert!(!knows("ada", &other.id, T0).await);
    })
    .await;
}

#[tokio::test]
async fn an_agreement_counts_once_and_is_no_memory() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let agree = async || {
            world
                .tx(async |tx| familiar::agree(tx, &hash("ada"), &connection.id, T0).await)
                .await;
        };
        let take = async |browser: &str, at| {
            world
                .tx(async |tx| familiar::take_agreement(tx, &hash(browser), &connection.id, at).await)
                .await
        };
        agree().await;
        let remembered = world
            .tx(async |tx| familiar::is_remembered(tx, &hash("ada"), &connection.id, T0).await)
            .await;
        assert!(!remembered);
        assert!(!take("eve", T0).await);
        assert!(take("ada", T0).await);
        assert!(!take("ada", T0).await);
        agree().await;
        assert!(!take("ada", T0 + AGREED).await);
    })
    .await;
}

#[tokio::test]
async fn what_was_proved_is_kept_until_the_interaction_goes_on_and_no_longer() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let interaction = Interaction {
            id: world.id(),
            browser: hash("ada"),
            request: Request::TestConnection {
                connection_id: connection.id.clone(),
                test_id: world.id(),
            },
            is_foreign: true,
            stage: Stage::At(Way::Connection {
                connection_id: connection.id.clone(),
                email: None,
            }),
            created_at: T0,
            expires_at: T0 + secs(3600),
        };
        let held = PendingProof {
            claim: Claim {
                proof: Proof::Connection {
                    connection_id: connection.id.clone(),
                    subject: "s".to_owned(),
                },
                profile: Profile {
                    name: Some("Ada".to_owned()),
                    ..Profile::default()
                },
                groups: Some(vec!["Everyone".to_owned()]),
                roles: Roles::Silent,
                // A number that no double represents exactly must not prevent the sign-in.
                attributes: json!({ "n": 0.1, "m": 1e300 }).as_object().unwrap().clone(),
            },
            arrived_at: T0,
            ends_at: None,
            auth_time: None,
        };
        let arrived = Stage::Arrived {
            connection_id: connection.id.clone(),
        };
        world
            .tx(async |tx| {
                interaction::insert(tx, &interaction).await?;
                tx.flush().await?;
                interaction::hold(tx, &interaction.id, &interaction.stage, &held).await
            })
            .await;
        let again = world
            .failed_tx(async |tx| interaction::hold(tx, &interaction.id, &interaction.stage, &held).await)
            .await;
        assert!(matches!(again, Error::Stale));
        let found = world
            .tx(async |tx| interaction::find_open(tx, &interaction.id, T0).await)
            .await
            .unwrap();
        assert_eq!((found.stage, found.is_foreign), (arrived.clone(), true));
        let kept = world
            .tx(async |tx| interaction::pending_proof(tx, &interaction.id).await)
            .await;
        assert_eq!(kept.claim.proof, held.claim.proof);
        assert_eq!(kept.claim.profile, held.claim.profile);

        world
            .tx(async |tx| interaction::advance(tx, &interaction.id, &arrived, &Stage::Completed).await)
            .await;
        let gone = world
            .failed_tx(async |tx| interaction::pending_proof(tx, &interaction.id).await)
            .await;
        assert!(matches!(gone, Error::Stale));
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM interactions WHERE arrival IS NOT NULL")
                .await,
            0
        );
    })
    .await;
}
