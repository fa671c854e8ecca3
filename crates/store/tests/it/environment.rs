//! The environment: one row, one instance key, one generation that caches compare.

use genkan_store::{Error, InstanceKey, client, conflict, environment};

use crate::support::{on_each_engine, secs};

#[tokio::test]
async fn an_instance_has_one_environment() {
    on_each_engine(async |world| {
        assert_eq!(world.tx(async |tx| environment::find(tx).await).await, None);
        assert!(matches!(
            world.failed_tx(async |tx| environment::get(tx).await).await,
            Error::Stale
        ));

        let created = world.environment().await;

        assert_eq!(world.tx(async |tx| environment::get(tx).await).await, created);
        let second = environment::Environment {
            id: world.id(),
            ..created
        };
        let refused = world
            .failed_tx(async |tx| environment::create(tx, &second, &world.key).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::ENVIRONMENT)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_foreign_instance_key_is_noticed_at_the_start() {
    on_each_engine(async |world| {
        world.environment().await;
        let foreign = InstanceKey::generate();
        assert!(
            world
                .tx(async |tx| environment::is_sealed_under(tx, &world.key).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| environment::is_sealed_under(tx, &foreign).await)
                .await
        );
    })
    .await;
}

#[tokio::test]
async fn every_change_of_configuration_is_a_new_generation() {
    on_each_engine(async |world| {
        assert_eq!(world.tx(async |tx| environment::generation(tx).await).await, 0);
        let mut environment = world.environment().await;
        assert_eq!(world.tx(async |tx| environment::generation(tx).await).await, 1);

        world.client(client::Kind::Spa).await;
        assert_eq!(world.tx(async |tx| environment::generation(tx).await).await, 2);

        environment.access_token_lifetime = secs(60);
        world
            .tx(async |tx| environment::update_lifetimes(tx, &environment).await)
            .await;
        let changed = world.tx(async |tx| environment::get(tx).await).await;
        assert_eq!(
            changed,
            environment::Environment {
                generation: 3,
                ..environment
            }
        );
    })
    .await;
}
