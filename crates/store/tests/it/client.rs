//! Clients and their secrets.

use genkan_store::client::{self, ClientSecret, Kind};
use genkan_store::refresh_token::Rotation;
use genkan_store::{ClientId, Error, Page, Secret, conflict, environment};

use crate::support::{T0, World, on_each_engine, secs};

fn secret(world: &World, client_id: &ClientId, value: &Secret) -> ClientSecret {
    ClientSecret::new(world.start(), client_id, value, None)
}

#[tokio::test]
async fn a_client_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let mut client = world.new_client(Kind::Native);
        client.redirect_uris = vec![
            "app.test:/callback".to_owned(),
            "http://127.0.0.1/cb?x=ü".to_owned(),
        ];
        client.back_channel_logout_uris = vec!["https://app.test/logout".to_owned()];
        client.access_token_lifetime = Some(secs(60));
        client.initiate_login_uri = None;
        world
            .tx(async |tx| client::insert(tx, world.start(), &client).await)
            .await;

        assert_eq!(
            world.tx(async |tx| client::find(tx, &client.id).await).await,
            Some(client.clone())
        );
        let unknown: ClientId = world.id();
        assert_eq!(world.tx(async |tx| client::find(tx, &unknown).await).await, None);
        assert_eq!(
            world
                .tx(async |tx| client::find_with_secrets(tx, &unknown).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_comes_with_its_own_secrets() {
    on_each_engine(async |world| {
        let (client, other) = (world.client(Kind::WebApp).await, world.client(Kind::WebApp).await);
        let without = world
            .tx(async |tx| client::find_with_secrets(tx, &client.id).await)
            .await;
        assert_eq!(without, Some((client.clone(), vec![])));

        let value = Secret::generate();
        let mine = secret(world, &client.id, &value);
        let theirs = secret(world, &other.id, &Secret::generate());
        world
            .tx(async |tx| {
                client::add_secret(tx, world.start(), &mine).await?;
                client::add_secret(tx, world.start(), &theirs).await
            })
            .await;

        let (found, secrets) = world
            .tx(async |tx| client::find_with_secrets(tx, &client.id).await)
            .await
            .unwrap();
        assert_eq!((found, &secrets), (client.clone(), &vec![mine.clone()]));
        assert_eq!(secrets[0].hash, Secret::from_presented(value.expose()).sha256());
        assert_eq!(
            world.tx(async |tx| client::secrets(tx, &client.id).await).await,
            vec![mine]
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_has_two_active_secrets_at_most() {
    on_each_engine(async |world| {
        let client = world.client(Kind::WebApp).await;
        let expired = ClientSecret {
            expires_at: Some(T0),
            ..secret(world, &client.id, &Secret::generate())
        };
        let secrets: Vec<_> = (0..3)
            .map(|_| secret(world, &client.id, &Secret::generate()))
            .collect();
        world
            .tx(async |tx| {
                client::add_secret(tx, world.start(), &expired).await?;
                client::add_secret(tx, world.start(), &secrets[0]).await?;
                client::add_secret(tx, world.start(), &secrets[1]).await
            })
            .await;
        let third =
            async |tx: &mut genkan_db::Tx<'_>| client::add_secret(tx, world.start(), &secrets[2]).await;
        let refused = world.failed_tx(third).await;
        assert!(
            matches!(refused, Error::Conflict(conflict::CLIENT_SECRETS)),
            "{refused:?}"
        );

        let foreign: ClientId = world.id();
        let id = &secrets[0].id;
        assert!(
            !world
                .tx(async |tx| client::delete_secret(tx, world.start(), &foreign, id).await)
                .await
        );
        assert!(
            world
                .tx(async |tx| client::delete_secret(tx, world.start(), &client.id, id).await)
                .await
        );
        world.tx(third).await;
    })
    .await;
}

#[tokio::test]
async fn a_public_client_gets_no_secret() {
    on_each_engine(async |world| {
        for kind in [Kind::Spa, Kind::Native] {
            let client = world.client(kind).await;
            assert!(client.is_public() && client.requires_pkce());
            let secret = secret(world, &client.id, &Secret::generate());
            let refused = world
                .failed_tx(async |tx| client::add_secret(tx, world.start(), &secret).await)
                .await;
            assert!(
                matches!(refused, Error::Conflict(conflict::PUBLIC_CLIENT)),
                "{refused:?}"
            );
        }
        let nobody = secret(world, &world.id(), &Secret::generate());
        let refused = world
            .failed_tx(async |tx| client::add_secret(tx, world.start(), &nobody).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn clients_are_listed_newest_first_whatever_their_prefix() {
    on_each_engine(async |world| {
        let mut clients = Vec::new();
        for (index, kind) in [Kind::Spa, Kind::WebApp, Kind::Native, Kind::WebApp]
            .into_iter()
            .enumerate()
        {
            let mut client = world.new_client(kind);
            client.created_at = T0 + secs(index as u64);
            world
                .tx(async |tx| client::insert(tx, world.start(), &client).await)
                .await;
            clients.insert(0, client.id);
        }
        let mut seen = Vec::new();
        let mut page = Page::first(3);
        loop {
            let listed = world.tx(async |tx| client::list(tx, &page).await).await;
            let Some(last) = listed.last() else { break };
            page = Page::after(3, last.id.clone());
            seen.extend(listed.into_iter().map(|client| client.id));
        }
        assert_eq!(seen, clients);
    })
    .await;
}

#[tokio::test]
async fn of_two_editors_the_slower_one_must_look_again() {
    on_each_engine(async |world| {
        world.environment().await;
        let client = world.client(Kind::WebApp).await;
        let (mut first, mut second) = (client.clone(), client.clone());
        first.name = "First".to_owned();
        first.redirect_uris.clear();
        first.strict_refresh_rotation = true;
        second.name = "Second".to_owned();

        // The clock stands still, and still the two versions differ.
        world
            .tx(async |tx| client::update(tx, world.start(), &first).await)
            .await;
        let refused = world
            .failed_tx(async |tx| client::update(tx, world.start(), &second).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");

        let stored = world
            .tx(async |tx| client::find(tx, &client.id).await)
            .await
            .unwrap();
        assert!(stored.updated_at > client.updated_at);
        first.updated_at = stored.updated_at;
        assert_eq!(stored, first);
        assert_eq!(world.tx(async |tx| environment::generation(tx).await).await, 3);
    })
    .await;
}

#[tokio::test]
async fn what_clients_registered_is_found_across_all_of_them() {
    on_each_engine(async |world| {
        let none = world.tx(async |tx| client::login_start(tx, None).await).await;
        assert_eq!(none, None);
        let mut newer = world.new_client(Kind::WebApp);
        newer.created_at = T0 + secs(1);
        newer.redirect_uris = vec![
            "https://newer.test/a".to_owned(),
            "https://newer.test/b".to_owned(),
        ];
        newer.initiate_login_uri = Some("https://newer.test/login".to_owned());
        let mut silent = world.new_client(Kind::Spa);
        silent.redirect_uris.clear();
        silent.initiate_login_uri = None;
        world
            .tx(async |tx| {
                client::insert(tx, world.start(), &newer).await?;
                client::insert(tx, world.start(), &silent).await
            })
            .await;
        let start_of = |client: &client::Client| {
            Some(client::LoginStart {
                application: client.name.clone(),
                uri: client.initiate_login_uri.clone()?,
            })
        };
        let found = world.tx(async |tx| client::login_start(tx, None).await).await;
        assert_eq!(found, start_of(&newer));
        let older = world.client(Kind::WebApp).await;
        let of = async |uri: &'static str| {
            world
                .tx(async |tx| client::login_start(tx, Some(uri)).await)
                .await
        };
        assert_eq!(of("https://newer.test/login").await, start_of(&newer));
        assert_eq!(of("https://unknown.test/login").await, None);
        let found = world.tx(async |tx| client::login_start(tx, None).await).await;
        assert_eq!(found, start_of(&older));

        let mut all = world.tx(async |tx| client::all_redirect_uris(tx).await).await;
        all.sort();
        assert_eq!(
            all,
            [
                "https://app.test/callback",
                "https://newer.test/a",
                "https://newer.test/b"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_session_knows_the_clients_that_it_signed_in_to() {
    on_each_engine(async |world| {
        let (client, session, _) = world.signed_in(Kind::WebApp).await;
        world.client(Kind::Spa).await;
        world.grant(&client, &session).await;
        let of = async |id| world.tx(async |tx| client::list_for_session(tx, id).await).await;
        assert_eq!(of(&session.id).await, vec![client]);
        assert_eq!(of(&world.id()).await, vec![]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_client_leaves_nothing_that_works() {
    on_each_engine(async |world| {
        let (client, _, _) = world.signed_in(Kind::WebApp).await;
        let secret = secret(world, &client.id, &Secret::generate());
        world
            .tx(async |tx| client::add_secret(tx, world.start(), &secret).await)
            .await;

        assert!(
            world
                .tx(async |tx| client::delete(tx, world.start(), &client.id).await)
                .await
        );

        assert_eq!(world.count("SELECT COUNT(*) FROM client_secrets").await, 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM grants").await, 0);
        assert!(
            !world
                .tx(async |tx| client::delete(tx, world.start(), &client.id).await)
                .await
        );
    })
    .await;
}

#[test]
fn rotation_follows_the_kind_of_client() {
    let world = genkan_store::Generator::with_node(0);
    let id: ClientId = world.next_with_prefix("webc_", T0);
    let client = |kind, strict| client::Client {
        strict_refresh_rotation: strict,
        ..client::Client::new(id.clone(), String::new(), kind, T0)
    };
    assert_eq!(client(Kind::WebApp, false).rotation(), Rotation::Family);
    assert_eq!(client(Kind::WebApp, true).rotation(), Rotation::Strict);
    for kind in [Kind::Spa, Kind::Native] {
        for strict in [false, true] {
            assert_eq!(client(kind, strict).rotation(), Rotation::StrictWithGrace);
        }
    }
}
