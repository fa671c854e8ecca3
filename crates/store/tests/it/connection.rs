//! Connections, requests under way to them, and their tests.

use genkan_protocol::Trace;
use genkan_store::connection::{self, Connection};
use genkan_store::connection_test::{self, Status, TestFailure};
use genkan_store::{ConnectionTestId, Error, Page, Secret, environment};

use crate::support::{T0, hash, on_each_engine, race, secs};

#[tokio::test]
async fn a_connection_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let mut connection = world.new_connection(Some(&organization.id));
        let secret = Secret::generate();
        connection.client_secret_sealed = Some(connection::seal_client_secret(
            &world.key,
            &connection.id,
            &secret,
        ));
        let mut environment_wide = world.new_connection(None);
        environment_wide.client_secret_sealed = None;
        environment_wide.enabled = false;
        world
            .tx(async |tx| {
                connection::insert(tx, world.start(), &connection).await?;
                connection::insert(tx, world.start(), &environment_wide).await
            })
            .await;

        let found = world
            .tx(async |tx| connection::find(tx, &connection.id).await)
            .await
            .unwrap();
        assert_eq!(found, connection);
        assert_eq!(
            found.open_client_secret(&world.key).unwrap().unwrap().expose(),
            secret.expose()
        );
        let moved = Connection {
            id: environment_wide.id.clone(),
            ..found
        };
        assert!(
            moved.open_client_secret(&world.key).is_err(),
            "a secret stays in its row"
        );
        let found = world
            .tx(async |tx| connection::find(tx, &environment_wide.id).await)
            .await
            .unwrap();
        assert_eq!(found, environment_wide);
        assert!(found.open_client_secret(&world.key).unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn settings_of_an_older_version_are_still_read() {
    let written_before = r#"{"kind":"OIDC","issuer":"https://idp.test","discovery_endpoint":null,"authorize_uri":null,
        "token_uri":null,"user_info_uri":null,"jwks_uri":null,"client_id":"c","scopes":["openid"],
        "token_auth_type":"URL_PARAMS","pkce_enabled":false,"groups_claim":null,"roles_claim":null}"#;
    let settings: connection::Settings = serde_json::from_str(written_before).unwrap();
    assert!(!settings.common.insecure_http);
    let settings = settings.as_oidc().unwrap();
    assert!(!settings.trust_unverified_email);
}

#[test]
fn settings_are_kept_in_one_flat_object() {
    for kind in [connection::Kind::Oidc, connection::Kind::Saml] {
        let mut settings = connection::Settings::new(kind);
        settings.common.insecure_http = true;
        settings.common.configuration_type = Some(connection::ConfigurationType::Manual);
        settings.common.attribute_mapping = [("email".to_owned(), "mail".to_owned())].into();
        let kept = serde_json::to_string(&settings).unwrap();
        // As versions without a common part wrote them. SQL searches for these words as well.
        for part in [
            format!(r#""kind":"{kind}""#),
            r#""attribute_mapping":{"email":"mail"}"#.to_owned(),
            r#""insecure_http":true"#.to_owned(),
            r#""configuration_type":"MANUAL""#.to_owned(),
        ] {
            assert_eq!(kept.matches(&part).count(), 1, "{part} in {kept}");
        }
        assert!(!kept.contains("common") && !kept.contains("protocol"), "{kept}");
        assert_eq!(
            serde_json::from_str::<connection::Settings>(&kept).unwrap(),
            settings
        );
    }
}

#[tokio::test]
async fn only_enabled_connections_of_an_organization_sign_people_in_oldest_first() {
    on_each_engine(async |world| {
        let (one, other) = (world.organization().await, world.organization().await);
        let connections: Vec<Connection> = (0..3).map(|_| world.new_connection(Some(&one.id))).collect();
        let foreign = world.new_connection(Some(&other.id));
        for connection in connections.iter().chain([&foreign]) {
            world
                .tx(async |tx| connection::insert(tx, world.start(), connection).await)
                .await;
        }
        let closed = &connections[0].id;
        assert!(
            world
                .tx(async |tx| connection::disable(tx, world.start(), closed).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| connection::disable(tx, world.start(), closed).await)
                .await
        );

        let enabled = world
            .tx(async |tx| connection::enabled_for_organization(tx, &one.id).await)
            .await;
        assert_eq!(enabled, connections[1..]);
        let all = world
            .tx(async |tx| connection::list_for_organization(tx, &one.id).await)
            .await;
        assert_eq!(all.len(), 3);
        let newest = world
            .tx(async |tx| connection::list(tx, &Page::first(2)).await)
            .await;
        assert_eq!(newest, [foreign.clone(), connections[2].clone()]);
        let next = world
            .tx(async |tx| connection::list(tx, &Page::after(9, connections[2].id.clone())).await)
            .await;
        assert_eq!(next.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn of_two_editors_the_slower_one_must_look_again() {
    on_each_engine(async |world| {
        world.environment().await;
        let organization = world.organization().await;
        let connection = world.new_connection(Some(&organization.id));
        world
            .tx(async |tx| connection::insert(tx, world.start(), &connection).await)
            .await;
        let before = world.tx(async |tx| environment::generation(tx).await).await;

        let mut edited = connection.clone();
        edited.name = "Renamed".to_owned();
        edited.jit_provisioning = false;
        let settings = edited.settings.as_oidc_mut().unwrap();
        settings.issuer = "https://other.test".to_owned();
        let secret = Secret::generate();
        edited.client_secret_sealed = Some(connection::seal_client_secret(&world.key, &edited.id, &secret));
        world
            .tx(async |tx| connection::update(tx, world.after(5), &edited).await)
            .await;
        let refused = world
            .failed_tx(async |tx| connection::update(tx, world.after(6), &connection).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");

        let stored = world
            .tx(async |tx| connection::find(tx, &connection.id).await)
            .await
            .unwrap();
        edited.updated_at = stored.updated_at;
        assert_eq!(stored, edited);
        assert_eq!(
            world.tx(async |tx| environment::generation(tx).await).await,
            before + 1
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_connection_is_gone() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        assert!(
            world
                .tx(async |tx| connection::delete(tx, world.start(), &connection.id).await)
                .await
        );
        assert!(
            !world
                .tx(async |tx| connection::delete(tx, world.start(), &connection.id).await)
                .await
        );
        assert_eq!(
            world
                .tx(async |tx| connection::find(tx, &connection.id).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_test_has_one_result() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ids: [ConnectionTestId; 2] = [world.id(), world.id()];
        let user_info = serde_json::json!({"email": "ada@acme.test"})
            .as_object()
            .unwrap()
            .clone();
        let failure = TestFailure {
            error: "invalid_id_token".to_owned(),
            description: "The audience is another one.".to_owned(),
            details: serde_json::json!([{"name": "Audience"}]),
        };
        let mut trace = Trace::default();
        trace.pass("Audience", "genkan");
        world
            .tx(async |tx| {
                for id in &ids {
                    connection_test::insert(tx, id, &connection.id, &hash(id.as_str()), T0).await?;
                }
                connection_test::succeed(tx, &ids[0], &user_info, &trace).await?;
                connection_test::fail(tx, &ids[1], &failure).await
            })
            .await;
        let second = world
            .failed_tx(async |tx| connection_test::fail(tx, &ids[0], &failure).await)
            .await;
        assert!(matches!(second, Error::Stale), "{second:?}");
        let second = world
            .failed_tx(async |tx| connection_test::succeed(tx, &ids[1], &user_info, &trace).await)
            .await;
        assert!(matches!(second, Error::Stale), "{second:?}");

        let find = async |id| {
            world
                .tx(async |tx| connection_test::find(tx, &connection.id, id).await)
                .await
                .unwrap()
        };
        let passed = find(&ids[0]).await;
        assert_eq!(
            (passed.status, passed.user_info, passed.failure, passed.trace),
            (Status::Success, Some(user_info), None, Some(trace))
        );
        let failed = find(&ids[1]).await;
        assert_eq!(
            (failed.status, failed.user_info, failed.failure),
            (Status::Failure, None, Some(failure))
        );
        let foreign = world.any_connection_id();
        assert_eq!(
            world
                .tx(async |tx| connection_test::find(tx, &foreign, &ids[0]).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn the_word_of_a_test_begins_one_test_of_its_connection_for_ten_minutes() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let other = world.new_connection(None);
        let ids: [ConnectionTestId; 2] = [world.id(), world.id()];
        let words = [hash("first"), hash("second")];
        let until = world
            .tx(async |tx| {
                connection::insert(tx, world.start(), &other).await?;
                connection_test::insert(tx, &ids[0], &connection.id, &words[0], T0).await?;
                connection_test::insert(tx, &ids[1], &connection.id, &words[1], T0).await
            })
            .await;
        assert_eq!(until, T0 + secs(600));
        let begin = async |id, word, now| {
            let open = world
                .tx(async |tx| connection_test::find_open(tx, id, word, now).await)
                .await;
            let begun = world
                .tx(async |tx| connection_test::begin(tx, id, word, now).await)
                .await;
            assert_eq!(open.is_some(), begun.is_some(), "what is shown as open begins");
            begun
        };
        assert_eq!(begin(&other.id, &words[0], T0).await, None);
        let guess = hash("guess");
        assert_eq!(begin(&connection.id, &guess, T0).await, None);
        assert_eq!(begin(&connection.id, &words[1], until).await, None);
        let last = until - secs(1);
        assert_eq!(begin(&connection.id, &words[0], last).await, Some(ids[0].clone()));
        assert_eq!(begin(&connection.id, &words[0], last).await, None);
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_who_present_the_word_at_once_one_begins() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let (id, word): (ConnectionTestId, _) = (world.id(), hash("word"));
        world
            .tx(async |tx| connection_test::insert(tx, &id, &connection.id, &word, T0).await)
            .await;
        let begun = race(100, async |_| {
            world
                .db
                .tx(async |tx| connection_test::begin(tx, &connection.id, &word, T0).await)
                .await
        })
        .await;
        assert_eq!(begun.into_iter().flatten().collect::<Vec<_>>(), [id]);
    })
    .await;
}
