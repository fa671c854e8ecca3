//! Users.

use genkan_store::user::{self, User};
use genkan_store::{Error, Page, UserId, client, conflict, grant, session};

use crate::support::{T0, email, hash, on_each_engine};

#[tokio::test]
async fn a_user_is_read_as_they_were_written() {
    on_each_engine(async |world| {
        let mut ada = User::new(world.id(), email("Ada@Acme.Test"), T0);
        ada.name = Some("Ada Lovelace 🦀".to_owned());
        ada.phone_number = Some("+44 20 7946 0000".to_owned());
        ada.phone_number_verified = true;
        ada.preferred_username = Some("ada".to_owned());
        ada.gender = Some("female".to_owned());
        ada.groups = vec!["Engines".to_owned()];
        ada.custom_attributes = serde_json::json!({"desk": "1A"}).as_object().unwrap().clone();
        ada.profile_metadata = serde_json::json!({"since": "1833"}).as_object().unwrap().clone();
        ada.external_id = Some("u-1".to_owned());
        ada.metadata = serde_json::json!({"a": [1, null]}).as_object().unwrap().clone();
        world
            .tx(async |tx| user::insert(tx, world.start(), &ada).await)
            .await;

        for spelling in ["ada@acme.test", "ADA@ACME.TEST"] {
            let spelling = email(spelling);
            let found = world
                .tx(async |tx| user::find_by_email(tx, &spelling).await)
                .await;
            assert_eq!(found.as_ref(), Some(&ada), "{spelling}");
        }
        assert_eq!(
            world.tx(async |tx| user::find(tx, &ada.id).await).await,
            Some(ada.clone())
        );
        let found = world
            .tx(async |tx| user::find_by_external_id(tx, "u-1").await)
            .await;
        assert_eq!(found, Some(ada));
    })
    .await;
}

#[tokio::test]
async fn an_address_and_an_external_id_belong_to_one_user() {
    on_each_engine(async |world| {
        let mut ada = world.user("ada@acme.test").await;
        ada.external_id = Some("u-1".to_owned());
        world
            .tx(async |tx| user::update(tx, world.start(), &ada).await)
            .await;

        let same_email = User::new(world.id(), email("ADA@acme.test"), T0);
        let refused = world
            .failed_tx(async |tx| user::insert(tx, world.start(), &same_email).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::USER_EMAIL)),
            "{refused:?}"
        );

        let mut bob = world.user("bob@acme.test").await;
        bob.external_id = Some("u-1".to_owned());
        let refused = world
            .failed_tx(async |tx| user::update(tx, world.start(), &bob).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::USER_EXTERNAL_ID)),
            "{refused:?}"
        );
        bob.external_id = None;
        bob.email = email("ada@acme.test");
        let refused = world
            .failed_tx(async |tx| user::update(tx, world.start(), &bob).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::USER_EMAIL)),
            "{refused:?}"
        );
        let refused = world
            .failed_tx(async |tx| user::update(tx, world.start(), &ada).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_newest_first_page_by_page() {
    on_each_engine(async |world| {
        let mut all = Vec::new();
        for name in ["a", "b", "c"] {
            all.insert(0, world.user(&format!("{name}@acme.test")).await);
        }
        assert_eq!(
            world.tx(async |tx| user::list(tx, &Page::first(2)).await).await,
            all[..2]
        );
        let page = Page::after(2, all[1].id.clone());
        assert_eq!(world.tx(async |tx| user::list(tx, &page).await).await, all[2..]);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_has_no_living_session_or_grant() {
    on_each_engine(async |world| {
        let (_, session, grant) = world.signed_in(client::Kind::Spa).await;
        let id = &session.user_id;
        assert!(
            world
                .tx(async |tx| user::set_disabled(tx, world.start(), id, true).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| user::set_disabled(tx, world.start(), id, true).await)
                .await
        );

        assert!(
            world
                .tx(async |tx| user::find(tx, id).await)
                .await
                .unwrap()
                .disabled
        );
        let live = world
            .tx(async |tx| session::find_live_by_token(tx, &hash("cookie"), T0).await)
            .await;
        assert_eq!(live, None);
        assert_eq!(
            world
                .tx(async |tx| grant::find_live(tx, &grant.id, T0).await)
                .await,
            None
        );
        let ended = world
            .tx(async |tx| session::find(tx, &session.id).await)
            .await
            .unwrap();
        assert_eq!(ended.status, session::Status::Revoked);

        // After being enabled again, the user must sign in again.
        assert!(
            world
                .tx(async |tx| user::set_disabled(tx, world.start(), id, false).await)
                .await
        );
        assert_eq!(
            world
                .tx(async |tx| grant::find_live(tx, &grant.id, T0).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_leaves_nothing_but_events_and_logouts_to_deliver() {
    on_each_engine(async |world| {
        let mut client = world.new_client(client::Kind::WebApp);
        client.back_channel_logout_uris = vec!["https://app.test/logout".to_owned()];
        world
            .tx(async |tx| client::insert(tx, world.start(), &client).await)
            .await;
        let ada = world.user("ada@acme.test").await;
        let session = world.session(&ada, "cookie").await;
        world.grant(&client, &session).await;

        assert!(
            world
                .tx(async |tx| user::delete(tx, world.start(), &ada.id).await)
                .await
        );

        assert_eq!(world.count("SELECT COUNT(*) FROM sessions").await, 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM grants").await, 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM deliveries").await, 1);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'user.deleted'")
                .await,
            1
        );
        let unknown: UserId = world.id();
        assert!(
            !world
                .tx(async |tx| user::delete(tx, world.start(), &unknown).await)
                .await
        );
    })
    .await;
}

#[tokio::test]
async fn the_last_login_is_remembered() {
    on_each_engine(async |world| {
        let ada = world.user("ada@acme.test").await;
        assert_eq!(ada.last_login_at, None);
        world.session(&ada, "cookie").await;
        let found = world.tx(async |tx| user::find(tx, &ada.id).await).await.unwrap();
        assert_eq!(found.last_login_at, Some(T0));
    })
    .await;
}

#[test]
fn people_are_greeted_with_what_is_known_of_their_name() {
    let id = genkan_store::Generator::with_node(0).next(T0);
    let mut user = User::new(id, email("ada@acme.test"), T0);
    assert_eq!(user.display_name(), None);
    user.family_name = Some("Lovelace".to_owned());
    assert_eq!(user.display_name().as_deref(), Some("Lovelace"));
    user.given_name = Some("Ada".to_owned());
    assert_eq!(user.display_name().as_deref(), Some("Ada Lovelace"));
    user.name = Some("Ada King".to_owned());
    assert_eq!(user.display_name().as_deref(), Some("Ada King"));
}
