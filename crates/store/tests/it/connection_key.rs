//! The keys of our own of a SAML connection: published before they sign, and kept while providers may still
//! encrypt to them.

use genkan_store::connection::key::{
    self, ConnectionKey, ConnectionKeys, Publishing, Purpose, RETIRED_KEPT, Retiring, State,
};
use genkan_store::connection::{self, Connection, Kind, Settings};
use genkan_store::janitor::{self, Retention};
use genkan_store::{CertificateId, Error, Provider, conflict};

use crate::support::{T0, World, on_each_engine, race};

async fn saml(world: &World) -> Connection {
    let settings = Settings::new(Kind::Saml);
    let mut connection = Connection::new(world.start(), None, Provider::Custom, settings);
    connection.id = world.id();
    world
        .tx(async |tx| connection::insert(tx, world.start(), &connection).await)
        .await;
    connection
}

/// A key whose private key and certificate are its own identifier.
fn key_of(world: &World, connection: &Connection, purpose: Purpose, number: i64) -> ConnectionKey {
    let id: CertificateId = world.id();
    ConnectionKey {
        private_key_sealed: key::seal_private_key(&world.key, &id, id.as_str().as_bytes()),
        certificate: id.as_str().as_bytes().to_vec(),
        id,
        connection_id: connection.id.clone(),
        purpose,
        number,
        created_at: T0,
        ends_at: None,
    }
}

async fn add_first(world: &World, connection: &Connection, keys: &[ConnectionKey]) {
    world
        .tx(async |tx| key::insert_first(tx, world.start(), &connection.id, keys).await)
        .await;
}

async fn publish(world: &World, new: &ConnectionKey) -> Publishing {
    world
        .tx(async |tx| key::publish(tx, world.start(), new).await)
        .await
}

async fn retire(world: &World, connection: &Connection, id: &CertificateId) -> Retiring {
    world
        .tx(async |tx| key::retire(tx, world.start(), &connection.id, id).await)
        .await
}

async fn keys(world: &World, connection: &Connection) -> ConnectionKeys {
    world
        .tx(async |tx| {
            let now = connection::find(tx, &connection.id).await?.ok_or(Error::Stale)?;
            key::list(tx, &now).await
        })
        .await
}

async fn choose(world: &World, connection: &Connection, id: &str) -> Result<(), Error> {
    world
        .db
        .tx_read_committed(async |tx| {
            let mut changed = connection::find(tx, &connection.id).await?.ok_or(Error::Stale)?;
            if let connection::Protocol::Saml(settings) = &mut changed.settings.protocol {
                settings.certificate_id = Some(id.to_owned());
            }
            connection::update(tx, world.after(1), &changed).await
        })
        .await
}

fn ids<'k>(keys: impl IntoIterator<Item = &'k ConnectionKey>) -> Vec<&'k str> {
    keys.into_iter().map(|key| key.id.as_str()).collect()
}

#[tokio::test]
async fn a_key_is_read_as_it_was_written_and_stays_in_its_row() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        let first = [Purpose::Signing, Purpose::Decryption].map(|of| key_of(world, &connection, of, 1));
        add_first(world, &connection, &first).await;
        let found = keys(world, &connection).await;
        assert_eq!(found.active(Purpose::Signing), Some(&first[0]));
        assert_eq!(found.active(Purpose::Decryption), Some(&first[1]));
        assert!(found.lacking().is_empty());

        let opened = first[0].open_private_key(&world.key).unwrap();
        assert_eq!(opened.as_slice(), first[0].id.as_str().as_bytes());
        let moved = ConnectionKey {
            id: first[1].id.clone(),
            ..first[0].clone()
        };
        assert!(moved.open_private_key(&world.key).is_err());
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_first_keys_one_is_kept() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        race(100, async |_| {
            let mine = Purpose::ALL
                .iter()
                .map(|purpose| key_of(world, &connection, *purpose, 1))
                .collect::<Vec<_>>();
            world
                .db
                .tx_read_committed(async |tx| {
                    key::insert_first(tx, world.start(), &connection.id, &mine).await
                })
                .await
        })
        .await;
        let found = keys(world, &connection).await;
        assert_eq!(found.all().len(), 2);
        for purpose in Purpose::ALL {
            assert!(found.active(*purpose).is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn a_signing_key_is_published_then_signs_and_then_the_one_before_is_retired() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        let (old, new) = (
            key_of(world, &connection, Purpose::Signing, 1),
            key_of(world, &connection, Purpose::Signing, 2),
        );
        add_first(world, &connection, std::slice::from_ref(&old)).await;
        assert_eq!(publish(world, &new).await, Publishing::Published);

        let published = keys(world, &connection).await;
        assert_eq!(published.active(Purpose::Signing), Some(&old));
        assert_eq!(published.next(), Some(&new));
        assert_eq!(ids(published.in_metadata(Purpose::Signing)), ids([&old, &new]));
        let third = key_of(world, &connection, Purpose::Signing, 3);
        assert_eq!(publish(world, &third).await, Publishing::TooMany);
        assert_eq!(retire(world, &connection, &old.id).await, Retiring::InUse);

        choose(world, &connection, new.id.as_str()).await.unwrap();
        let switched = keys(world, &connection).await;
        assert_eq!(switched.active(Purpose::Signing), Some(&new));
        assert_eq!(switched.next(), None);
        assert_eq!(switched.state(&old), State::Published);
        assert_eq!(ids(switched.in_metadata(Purpose::Signing)), ids([&new, &old]));

        assert_eq!(retire(world, &connection, &old.id).await, Retiring::Retired);
        let retired = keys(world, &connection).await;
        assert_eq!(ids(retired.in_metadata(Purpose::Signing)), ids([&new]));
        assert_eq!(publish(world, &third).await, Publishing::Published);
    })
    .await;
}

#[tokio::test]
async fn a_connection_signs_only_with_a_key_of_its_own_that_is_in_its_metadata() {
    on_each_engine(async |world| {
        let (connection, other) = (saml(world).await, saml(world).await);
        let mine = key_of(world, &connection, Purpose::Signing, 1);
        let opens = key_of(world, &connection, Purpose::Decryption, 1);
        let foreign = key_of(world, &other, Purpose::Signing, 1);
        add_first(world, &connection, &[mine.clone(), opens.clone()]).await;
        add_first(world, &other, std::slice::from_ref(&foreign)).await;

        for wrong in [foreign.id.as_str(), opens.id.as_str(), "cer_1", "no certificate"] {
            let refused = choose(world, &connection, wrong).await.unwrap_err();
            assert!(
                matches!(refused, Error::Conflict(conflict::CONNECTION_CERTIFICATE)),
                "{wrong}: {refused:?}"
            );
        }
        assert_eq!(retire(world, &connection, &foreign.id).await, Retiring::Unknown);
        choose(world, &connection, mine.id.as_str()).await.unwrap();
        assert_eq!(
            keys(world, &connection).await.active(Purpose::Signing),
            Some(&mine)
        );
    })
    .await;
}

#[tokio::test]
async fn a_provider_may_encrypt_to_the_key_before_for_sixty_days() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        let (old, new) = (
            key_of(world, &connection, Purpose::Decryption, 1),
            key_of(world, &connection, Purpose::Decryption, 2),
        );
        add_first(world, &connection, std::slice::from_ref(&old)).await;
        assert_eq!(publish(world, &new).await, Publishing::Published);

        let found = keys(world, &connection).await;
        assert_eq!(ids(found.in_metadata(Purpose::Decryption)), ids([&new]));
        assert_eq!(ids(found.opening()), ids([&new, &old]));
        let sweep = async |now| janitor::sweep(&world.db, &world.ids, now, &Retention::default()).await;
        sweep(T0 + RETIRED_KEPT).await.unwrap();
        assert_eq!(keys(world, &connection).await.opening().count(), 2);
        sweep(T0 + RETIRED_KEPT + RETIRED_KEPT).await.unwrap();
        assert_eq!(ids(keys(world, &connection).await.opening()), ids([&new]));
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_next_keys_one_is_published() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        add_first(
            world,
            &connection,
            &[key_of(world, &connection, Purpose::Signing, 1)],
        )
        .await;
        let results = crate::support::try_race(100, async |_| {
            let mine = key_of(world, &connection, Purpose::Signing, 2);
            world
                .db
                .tx_read_committed(async |tx| key::publish(tx, world.start(), &mine).await)
                .await
        })
        .await;
        let published = results
            .iter()
            .filter(|result| matches!(result, Ok(Publishing::Published)));
        assert_eq!(published.count(), 1);
        assert_eq!(keys(world, &connection).await.all().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_a_connection_go_with_it() {
    on_each_engine(async |world| {
        let connection = saml(world).await;
        add_first(
            world,
            &connection,
            &[key_of(world, &connection, Purpose::Signing, 1)],
        )
        .await;
        world
            .tx(async |tx| {
                connection::delete(tx, world.start(), &connection.id).await?;
                assert!(key::list(tx, &connection).await?.all().is_empty());
                Ok(())
            })
            .await;
        let gone = world
            .failed_tx(async |tx| {
                let late = [key_of(world, &connection, Purpose::Signing, 1)];
                key::insert_first(tx, world.start(), &connection.id, &late).await
            })
            .await;
        assert!(matches!(gone, Error::Stale), "{gone:?}");
    })
    .await;
}
