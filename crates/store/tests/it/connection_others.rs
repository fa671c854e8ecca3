//! Settings of a connection that name what belongs to others.

use genkan_db::{Engine, p};
use genkan_store::connection::{self, Connection, Endpoint, Kind, Protocol, SamlSettings, Settings, path};
use genkan_store::{Error, Provider, client, conflict};

use crate::support::{World, on_each_engine};

fn saml(world: &World, change: impl FnOnce(&mut SamlSettings)) -> Connection {
    let mut settings = SamlSettings::default();
    change(&mut settings);
    let settings = Settings::from(Protocol::Saml(settings));
    Connection::new(world.start(), None, Provider::Custom, settings)
}

async fn insert(world: &World, connection: &Connection) -> Result<(), Error> {
    world
        .db
        .tx(async |tx| connection::insert(tx, world.start(), connection).await)
        .await
}

async fn update(
    world: &World,
    connection: &Connection,
    change: impl FnOnce(&mut SamlSettings),
) -> Result<(), Error> {
    let mut changed = world
        .tx(async |tx| connection::find(tx, &connection.id).await)
        .await
        .unwrap();
    match &mut changed.settings.protocol {
        Protocol::Saml(settings) => change(settings),
        Protocol::Oidc(_) => panic!("another kind"),
    }
    world
        .db
        .tx(async |tx| connection::update(tx, world.after(1), &changed).await)
        .await
}

fn conflict_of(outcome: Result<(), Error>) -> &'static str {
    match outcome {
        Err(Error::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn people_are_sent_on_only_to_an_address_that_an_application_has_registered() {
    on_each_engine(async |world| {
        let to = |uri: &'static str| {
            move |settings: &mut SamlSettings| {
                settings.default_redirect_uri = Some(uri.to_owned());
            }
        };
        let nowhere = saml(world, to("https://evil.test/"));
        assert_eq!(
            conflict_of(insert(world, &nowhere).await),
            conflict::CONNECTION_REDIRECT
        );
        let mut application = world.new_client(client::Kind::WebApp);
        application.initiate_login_uri = Some("https://app.test/login".to_owned());
        world
            .tx(async |tx| client::insert(tx, world.start(), &application).await)
            .await;
        let connection = saml(world, to("https://app.test/login"));
        insert(world, &connection).await.unwrap();
        let other = update(world, &connection, to("https://app.test/login/")).await;
        assert_eq!(conflict_of(other), conflict::CONNECTION_REDIRECT);
        // A value that was right when it was entered keeps nobody from changing the rest.
        world
            .tx(async |tx| {
                tx.exec("UPDATE clients SET initiate_login_uri = NULL", p![])
                    .await
                    .map_err(Error::from)
            })
            .await;
        update(world, &connection, |settings| settings.force_authn = true)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_connection_takes_the_names_of_another() {
    on_each_engine(async |world| {
        let named = |idp: &'static str| {
            move |settings: &mut SamlSettings| {
                settings.idp_entity_id = Some(idp.to_owned());
                settings.sp_entity_id = Some("urn:before".to_owned());
                settings.sp_assertion_url = Some("https://before.test/acs".to_owned());
            }
        };
        let first = saml(world, named("https://idp.test/a"));
        insert(world, &first).await.unwrap();
        // A company that moves here had one name for all its customers.
        let second = saml(world, named("https://idp.test/b"));
        insert(world, &second).await.unwrap();
        // Two of them at one provider would take each other's assertions.
        let third = saml(world, named("https://idp.test/a"));
        assert_eq!(
            conflict_of(insert(world, &third).await),
            conflict::CONNECTION_ENTITY_ID
        );
        let moved = update(world, &second, named("https://idp.test/a")).await;
        assert_eq!(conflict_of(moved), conflict::CONNECTION_ENTITY_ID);
        let by_url = update(world, &second, |settings| {
            named("https://idp.test/a")(settings);
            settings.sp_entity_id = None;
        })
        .await;
        assert_eq!(conflict_of(by_url), conflict::CONNECTION_ASSERTION_URL);

        // The address of another connection is nobody else's, whoever the provider is.
        let of_first = |endpoint| format!("https://auth.test{}", path(Kind::Saml, &first.id, endpoint));
        let address = of_first(Endpoint::Entity);
        let taken = update(world, &second, |settings| settings.sp_entity_id = Some(address)).await;
        assert_eq!(conflict_of(taken), conflict::CONNECTION_ENTITY_ID);
        let address = of_first(Endpoint::Callback);
        let taken = update(world, &second, |settings| {
            settings.sp_assertion_url = Some(address)
        })
        .await;
        assert_eq!(conflict_of(taken), conflict::CONNECTION_ASSERTION_URL);
        // Its own, and those of another installation, are.
        for id in [&*second.id.to_string(), "conn_241053847510274048012"] {
            let address = format!("https://old.test{}", path(Kind::Saml, id, Endpoint::Entity));
            update(world, &second, |settings| settings.sp_entity_id = Some(address))
                .await
                .unwrap();
        }
    })
    .await;
}

/// A row of an earlier version does not name its provider in a column of its own.
#[tokio::test]
async fn a_connection_of_an_earlier_version_keeps_its_names() {
    on_each_engine(async |world| {
        let named = |settings: &mut SamlSettings| {
            settings.idp_entity_id = Some("https://idp.test/a".to_owned());
            settings.sp_entity_id = Some("urn:before".to_owned());
        };
        let first = saml(world, named);
        insert(world, &first).await.unwrap();
        world
            .tx(async |tx| {
                tx.exec("UPDATE connections SET idp_entity_id = NULL", p![])
                    .await
                    .map_err(Error::from)
            })
            .await;
        let second = saml(world, named);
        assert_eq!(
            conflict_of(insert(world, &second).await),
            conflict::CONNECTION_ENTITY_ID
        );
        // It goes to another provider, and its name is free at the first.
        update(world, &first, |settings| {
            settings.idp_entity_id = Some("https://idp.test/b".to_owned());
        })
        .await
        .unwrap();
        insert(world, &second).await.unwrap();
        let third = saml(world, |settings| {
            named(settings);
            settings.idp_entity_id = Some("https://idp.test/b".to_owned());
        });
        assert_eq!(
            conflict_of(insert(world, &third).await),
            conflict::CONNECTION_ENTITY_ID
        );
    })
    .await;
}

/// Else each change of a connection would read all of them.
#[tokio::test]
async fn the_connections_to_a_provider_are_found_by_an_index() {
    on_each_engine(async |world| {
        if world.db.engine() == Engine::Postgres {
            // It reads a small table whole, whatever indexes there are.
            return;
        }
        let plan = world
            .tx(async |tx| {
                let sql = format!("EXPLAIN QUERY PLAN {}", connection::AT_PROVIDER).leak();
                tx.all(sql, p!["https://idp.test/a", "conn_1"])
                    .await
                    .map_err(Error::from)
            })
            .await;
        let plan: Vec<String> = plan.iter().map(|row| row.get(3).unwrap()).collect();
        assert!(
            plan.iter().any(|step| step.contains("connections_provider")),
            "{plan:?}"
        );
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
    })
    .await;
}
