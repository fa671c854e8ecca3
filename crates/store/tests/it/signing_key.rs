//! Signing keys: published before they sign, and long after.

use genkan_protocol::jose::Algorithm;
use genkan_store::signing_key::{self, Schedule, SigningKey};
use genkan_store::{InstanceKey, KeyId, Timestamp, environment};

use crate::support::{T0, World, on_each_engine, secs};

const SCHEDULE: Schedule = Schedule {
    publish_lead: secs(3600),
    overlap: secs(86_400),
};

fn key(world: &World, algorithm: Algorithm) -> SigningKey {
    let id: KeyId = world.id();
    SigningKey {
        private_key_sealed: signing_key::seal_private_key(&world.key, &id, b"pkcs8"),
        id,
        algorithm,
        created_at: T0,
        signs_from: T0,
        signs_until: None,
        published_until: None,
    }
}

async fn keys_at(world: &World, now: Timestamp) -> Vec<SigningKey> {
    world.tx(async |tx| signing_key::list(tx, now).await).await
}

#[tokio::test]
async fn a_private_key_opens_only_under_its_instance_key_and_its_name() {
    on_each_engine(async |world| {
        let (one, other) = (key(world, Algorithm::Rs256), key(world, Algorithm::Rs256));
        world
            .tx(async |tx| signing_key::insert(tx, world.start(), &one).await)
            .await;

        let stored = keys_at(world, T0).await.remove(0);

        assert_eq!(stored, one);
        assert_eq!(stored.open_private_key(&world.key).unwrap().as_slice(), b"pkcs8");
        assert!(stored.open_private_key(&InstanceKey::generate()).is_err());
        let renamed = SigningKey {
            id: other.id,
            ..stored
        };
        assert!(renamed.open_private_key(&world.key).is_err());
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_after_it_signed() {
    on_each_engine(async |world| {
        world.environment().await;
        let (old, other, new) = (
            key(world, Algorithm::Rs256),
            key(world, Algorithm::Es256),
            key(world, Algorithm::Rs256),
        );
        world
            .tx(async |tx| {
                signing_key::insert(tx, world.start(), &old).await?;
                signing_key::insert(tx, world.start(), &other).await?;
                signing_key::rotate(tx, world.after(10), &new, SCHEDULE).await
            })
            .await;

        let keys = keys_at(world, T0 + secs(10)).await;
        assert_eq!(keys.len(), 3, "the new key is published at once");
        let signing = |now| {
            signing_key::signing_at(&keys, Algorithm::Rs256, now)
                .unwrap()
                .id
                .clone()
        };
        let handover = T0 + secs(10 + 3600);
        assert_eq!(signing(handover - secs(1)), old.id);
        assert_eq!(signing(handover), new.id);
        assert_eq!(
            signing_key::signing_at(&keys, Algorithm::Es256, handover)
                .unwrap()
                .id,
            other.id
        );

        let end = handover + secs(86_400);
        assert_eq!(keys_at(world, end - secs(1)).await.len(), 3);
        assert_eq!(
            keys_at(world, end).await.len(),
            2,
            "the old key has left the key set"
        );
        assert_eq!(world.count("SELECT COUNT(*) FROM signing_keys").await, 3);
        assert_eq!(
            world
                .tx(async |tx| signing_key::delete_unpublished(tx, end).await)
                .await,
            1
        );
        assert_eq!(world.count("SELECT COUNT(*) FROM signing_keys").await, 2);
        assert_eq!(world.tx(async |tx| environment::generation(tx).await).await, 4);
    })
    .await;
}

#[tokio::test]
async fn of_two_rotations_one_key_signs() {
    on_each_engine(async |world| {
        let keys: Vec<SigningKey> = (0..3).map(|_| key(world, Algorithm::Es256)).collect();
        world
            .tx(async |tx| {
                signing_key::insert(tx, world.start(), &keys[0]).await?;
                signing_key::rotate(tx, world.after(0), &keys[1], SCHEDULE).await?;
                signing_key::rotate(tx, world.after(60), &keys[2], SCHEDULE).await
            })
            .await;
        let stored = keys_at(world, T0).await;
        let signing = |now| signing_key::signing_at(&stored, Algorithm::Es256, now).map(|key| key.id.clone());
        assert_eq!(signing(T0), Some(keys[0].id.clone()));
        assert_eq!(signing(T0 + secs(3600)), Some(keys[1].id.clone()));
        assert_eq!(signing(T0 + secs(3660)), Some(keys[2].id.clone()));
    })
    .await;
}
