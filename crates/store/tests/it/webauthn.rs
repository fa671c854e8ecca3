//! Passkeys of users.

use genkan_store::event::{self, Filter};
use genkan_store::webauthn::{self, Credential, Flags};
use genkan_store::{CredentialId, Page, UserId, conflict, user};

use crate::support::{T0, World, on_each_engine};

async fn add(world: &World, user_id: &UserId, name: &[u8]) -> Credential {
    let credential = Credential {
        id: world.id(),
        user_id: user_id.clone(),
        credential_id: name.to_vec(),
        public_key: vec![0xa5, 1, 2],
        sign_count: 7,
        attestation_type: "none".to_owned(),
        aaguid: "00000000-0000-0000-0000-000000000000".to_owned(),
        attachment: "platform".to_owned(),
        transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        flags: Flags {
            user_present: true,
            user_verified: true,
            backup_eligible: true,
            backup_state: false,
        },
        display_name: None,
        user_agent: Some("Firefox".to_owned()),
        ip: Some("192.0.2.7".to_owned()),
        created_at: T0,
        updated_at: T0,
    };
    world
        .tx(async |tx| webauthn::insert(tx, world.start(), &credential).await)
        .await;
    credential
}

#[tokio::test]
async fn a_user_has_passkeys_newest_first_and_nobody_elses() {
    on_each_engine(async |world| {
        let (ada, grace) = (
            world.user("ada@example.com").await.id,
            world.user("grace@example.com").await.id,
        );
        let (first, second) = (add(world, &ada, b"one").await, add(world, &ada, b"two").await);
        add(world, &grace, b"three").await;
        let listed = world.tx(async |tx| webauthn::list_for_user(tx, &ada).await).await;
        assert_eq!(listed, [second, first]);
    })
    .await;
}

#[tokio::test]
async fn an_authenticator_is_registered_once() {
    on_each_engine(async |world| {
        let (ada, grace) = (
            world.user("ada@example.com").await.id,
            world.user("grace@example.com").await.id,
        );
        let credential = add(world, &ada, b"one").await;
        let again = Credential {
            id: world.id(),
            user_id: grace,
            ..credential
        };
        let error = world
            .failed_tx(async |tx| webauthn::insert(tx, world.start(), &again).await)
            .await;
        assert!(matches!(
            error,
            genkan_store::Error::Conflict(conflict::CREDENTIAL)
        ));
    })
    .await;
}

#[tokio::test]
async fn a_passkey_is_renamed_and_deleted_with_its_events() {
    on_each_engine(async |world| {
        let ada = world.user("ada@example.com").await.id;
        let credential = add(world, &ada, b"one").await;
        let renamed = world
            .tx(async |tx| webauthn::rename(tx, world.after(5), &credential.id, "Laptop").await)
            .await
            .unwrap();
        assert_eq!(renamed.display_name.as_deref(), Some("Laptop"));
        assert_eq!(renamed.updated_at, world.after(5).now);
        let deleted = world
            .tx(async |tx| webauthn::delete(tx, world.start(), &credential.id).await)
            .await;
        assert_eq!(deleted, Some(renamed));
        let gone: Option<Credential> = world
            .tx(async |tx| webauthn::delete(tx, world.start(), &credential.id).await)
            .await;
        assert_eq!(gone, None);
        let nobody = CredentialId::parse("cred_1").unwrap();
        let none = world
            .tx(async |tx| webauthn::rename(tx, world.start(), &nobody, "x").await)
            .await;
        assert_eq!(none, None);
        let filter = Filter {
            user_id: Some(ada),
            ..Filter::default()
        };
        let events = world
            .tx(async |tx| event::list(tx, &filter, &Page::first(3)).await)
            .await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "user.passkey_deleted",
                "user.passkey_updated",
                "user.passkey_created"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn passkeys_go_with_their_user() {
    on_each_engine(async |world| {
        let ada = world.user("ada@example.com").await.id;
        add(world, &ada, b"one").await;
        world
            .tx(async |tx| user::delete(tx, world.start(), &ada).await)
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM webauthn_credentials").await, 0);
    })
    .await;
}
