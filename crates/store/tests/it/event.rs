//! Events.

use genkan_db::p;
use genkan_db::testing::Scratch;
use genkan_store::event::{self, Entry, Filter, Kind};
use genkan_store::{ClientId, ConnectionId, DirectoryId, MIGRATIONS, Page, SessionId, UserId};

use crate::support::{T0, World, on_each_engine, secs};

#[tokio::test]
async fn an_event_says_who_what_and_when() {
    on_each_engine(async |world| {
        let (user, client, session): (UserId, ClientId, SessionId) = (world.id(), world.id(), world.id());
        let organization = world.organization().await.id;
        let entry = Entry::new(Kind::GrantCreated)
            .user(&user)
            .client(&client)
            .session(&session)
            .organization(&organization)
            .with("amr", vec!["conn_1"])
            .with("count", 3);
        world
            .tx(async |tx| event::record(tx, world.after(7), entry.clone()).await)
            .await;

        let filter = Filter {
            kind: Some(Kind::GrantCreated),
            ..Filter::default()
        };
        let mut events = world
            .tx(async |tx| event::list(tx, &filter, &Page::first(10)).await)
            .await;
        assert_eq!(events.len(), 1);
        let event = events.remove(0);
        assert_eq!(
            (event.kind, event.occurred_at),
            (Kind::GrantCreated, T0 + secs(7))
        );
        assert_eq!((event.user_id, event.client_id), (Some(user), Some(client)));
        assert_eq!(
            (event.session_id, event.organization_id),
            (Some(session), Some(organization))
        );
        assert_eq!(
            serde_json::Value::from(event.data),
            serde_json::json!({"amr": ["conn_1"], "count": 3})
        );
    })
    .await;
}

#[tokio::test]
async fn events_are_filtered_and_listed_newest_first() {
    on_each_engine(async |world| {
        let (ada, bob): (UserId, UserId) = (world.id(), world.id());
        for (kind, user) in [
            (Kind::GrantCreated, &ada),
            (Kind::GrantCreated, &bob),
            (Kind::GrantRevoked, &ada),
            (Kind::GrantCreated, &ada),
        ] {
            world
                .tx(async |tx| event::record(tx, world.start(), Entry::new(kind).user(user)).await)
                .await;
        }
        let list =
            async |filter: Filter, page| world.tx(async |tx| event::list(tx, &filter, &page).await).await;
        let all = list(Filter::default(), Page::first(10)).await;
        assert_eq!(all.len(), 4);
        assert!(all.is_sorted_by(|a, b| a.id > b.id));
        let filter = Filter {
            user_id: Some(ada.clone()),
            ..Filter::default()
        };
        assert_eq!(list(filter.clone(), Page::first(10)).await.len(), 3);
        assert_eq!(
            list(filter.clone(), Page::after(10, all[0].id.clone()))
                .await
                .len(),
            2
        );
        let filter = Filter {
            kind: Some(Kind::GrantCreated),
            ..filter
        };
        assert_eq!(list(filter, Page::first(10)).await.len(), 2);
        let filter = Filter {
            organization_id: Some(world.id()),
            client_id: None,
            ..Filter::default()
        };
        assert_eq!(list(filter, Page::first(10)).await, []);
    })
    .await;
}

#[test]
fn every_kind_is_read_back() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    assert!("user.unheard_of".parse::<Kind>().is_err());
}

#[tokio::test]
async fn events_are_found_by_kinds_time_connection_and_directory_and_counted() {
    on_each_engine(async |world| {
        let (one, other): (ConnectionId, ConnectionId) = (world.id(), world.id());
        let directory: DirectoryId = world.id();
        for (after, kind, connection) in [
            (1, Kind::GrantCreated, &one),
            (2, Kind::GrantRevoked, &one),
            (3, Kind::GrantCreated, &other),
            (4, Kind::GrantReplayed, &one),
        ] {
            let mut entry = Entry::new(kind).connection(connection);
            if after >= 3 {
                entry = entry.directory(&directory);
            }
            world
                .tx(async |tx| event::record(tx, world.after(after), entry.clone()).await)
                .await;
        }
        for (filter, expected) in [
            (
                Filter {
                    kinds: vec![Kind::GrantCreated, Kind::GrantRevoked],
                    ..Filter::default()
                },
                vec![3, 2, 1],
            ),
            (
                Filter {
                    connection_id: Some(one.clone()),
                    since: Some(T0 + secs(2)),
                    ..Filter::default()
                },
                vec![4, 2],
            ),
            (
                Filter {
                    directory_id: Some(directory.clone()),
                    ..Filter::default()
                },
                vec![4, 3],
            ),
            (
                Filter {
                    directory_id: Some(directory),
                    connection_id: Some(one.clone()),
                    ..Filter::default()
                },
                vec![4],
            ),
            (
                Filter {
                    directory_id: Some(world.id()),
                    ..Filter::default()
                },
                vec![],
            ),
            (
                Filter {
                    until: Some(T0 + secs(3)),
                    ..Filter::default()
                },
                vec![2, 1],
            ),
        ] {
            let events = world
                .tx(async |tx| event::list(tx, &filter, &Page::first(10)).await)
                .await;
            let found: Vec<_> = events
                .iter()
                .map(|event| event.occurred_at.as_secs() - T0.as_secs())
                .collect();
            assert_eq!(found, expected, "{filter:?}");
            let count = world.tx(async |tx| event::count(tx, &filter, 100).await).await;
            assert_eq!(usize::try_from(count), Ok(expected.len()));
        }
    })
    .await;
}

/// After an upgrade, the connection of old events is read from their facts, even if a node restarts
/// meanwhile.
#[tokio::test]
async fn events_of_before_are_found_by_their_connection_when_their_facts_are_read() {
    let before = MIGRATIONS.iter().position(|step| step.name == "outbox").unwrap();
    for scratch in Scratch::each_with(&MIGRATIONS[..before]).await {
        let db = scratch.connect().await;
        let facts = [
            r#"{"connection_id":"conn_1"}"#,
            r#"{"cause":"x","connection_id":"conn_2"}"#,
            r#"{"directory_id":"dir_1"}"#,
            r#"{"said":"\"connection_id\":\"conn_1\""}"#,
            r#"{"connection_id":"conn_x"}"#,
        ];
        db.tx(async |tx| {
            for number in 0..2000 {
                let (id, data) = (format!("evt_{number:05}"), facts[number % facts.len()]);
                let sql = "INSERT INTO events (id, kind, data, occurred_at) VALUES ($1, 'user.login', $2, 1)";
                tx.exec(sql, p![&id, data]).await?;
            }
            Ok::<_, genkan_store::Error>(())
        })
        .await
        .unwrap();
        db.migrate(MIGRATIONS).await.unwrap();
        let world = World::of(db);
        let filter = Filter {
            connection_id: Some(ConnectionId::parse("conn_1").unwrap()),
            ..Filter::default()
        };
        let count = async || world.tx(async |tx| event::count(tx, &filter, 9999).await).await;
        assert_eq!(count().await, 0);
        for _ in 0..2 {
            event::read_facts(&world.db).await.unwrap();
            assert_eq!(count().await, 400);
            assert_eq!(world.count("SELECT COUNT(*) FROM event_backlog").await, 0);
        }
        let told = "SELECT COUNT(*) FROM events WHERE connection_id IS NOT NULL OR directory_id IS NOT NULL";
        assert_eq!(world.count(told).await, 1200);
        // The facts are shown as before.
        let page = Page::first(1);
        let shown = world.tx(async |tx| event::list(tx, &filter, &page).await).await;
        assert_eq!(shown[0].id.as_str(), "evt_01995");
        assert_eq!(
            serde_json::Value::from(shown[0].data.clone()),
            serde_json::json!({"connection_id": "conn_1"})
        );
        world.db.close().await;
    }
}
