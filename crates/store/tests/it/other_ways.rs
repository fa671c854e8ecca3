//! Other ways into an organization than its own connection.

use genkan_db::p;
use genkan_db::testing::Scratch;
use genkan_store::event::{self, Filter, Kind};
use genkan_store::organization::other_ways::{self, ClosureReason};
use genkan_store::{Error, MIGRATIONS, OrganizationId, Page, connection};

use crate::support::{World, on_each_engine};

async fn closed(world: &World, id: &OrganizationId) -> Option<ClosureReason> {
    world.tx(async |tx| other_ways::closed(tx, id).await).await
}

async fn allow(world: &World, id: &OrganizationId) -> bool {
    world
        .tx(async |tx| other_ways::allow(tx, world.after(9), id).await)
        .await
}

#[tokio::test]
async fn that_a_connection_was_on_is_remembered_until_an_operator_allows_other_ways() {
    on_each_engine(async |world| {
        let id = world.organization().await.id;
        assert_eq!(closed(world, &id).await, None);
        assert!(!allow(world, &id).await, "nothing is closed");

        // A draft that was never enabled changes nothing.
        let mut draft = world.new_connection(Some(&id));
        draft.enabled = false;
        world
            .tx(async |tx| connection::insert(tx, world.start(), &draft).await)
            .await;
        assert_eq!(closed(world, &id).await, Some(ClosureReason::HasConnection));
        world
            .tx(async |tx| connection::delete(tx, world.after(1), &draft.id).await)
            .await;
        assert_eq!(closed(world, &id).await, None);

        // However it is enabled: inserted, enabled or updated.
        for way in ["insert", "enable", "update"] {
            let mut own = world.new_connection(Some(&id));
            own.enabled = way == "insert";
            world
                .tx(async |tx| {
                    connection::insert(tx, world.start(), &own).await?;
                    let mut changed = own.clone();
                    changed.enabled = true;
                    match way {
                        "enable" => connection::enable(tx, world.after(1), &own.id).await.map(|_| ()),
                        "update" => connection::update(tx, world.after(1), &changed).await,
                        _ => Ok(()),
                    }?;
                    connection::disable(tx, world.after(2), &own.id).await
                })
                .await;
            assert!(
                !allow(world, &id).await,
                "its own connection decides, also while it is off"
            );
            world
                .tx(async |tx| connection::delete(tx, world.after(3), &own.id).await)
                .await;
            assert_eq!(
                closed(world, &id).await,
                Some(ClosureReason::HadConnection),
                "{way}"
            );
            assert!(allow(world, &id).await);
            assert_eq!(closed(world, &id).await, None);
        }
        let filter = Filter {
            kind: Some(Kind::OrganizationUpdated),
            ..Filter::default()
        };
        let events = world
            .tx(async |tx| event::list(tx, &filter, &Page::first(10)).await)
            .await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].data["other_ways_allowed"], true);
        assert_eq!(
            closed(world, &world.id()).await,
            None,
            "there is no such organization"
        );
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_remembers_the_connections_that_there_are() {
    let before = MIGRATIONS
        .iter()
        .position(|step| step.name == "had_connection")
        .unwrap();
    for scratch in Scratch::each_with(&MIGRATIONS[..before]).await {
        let db = scratch.connect().await;
        let names = ["org_1", "org_2", "org_3", "org_4"];
        db.tx(async |tx| {
            for id in names {
                let sql = "INSERT INTO organizations (id, display_name, features, metadata, created_at, updated_at)
                           VALUES ($1, 'Acme', '[]', '{}', 1, 2)";
                tx.exec(sql, p![id]).await?;
            }
            for (id, organization_id, enabled, status) in [
                ("conn_1", Some("org_1"), true, "COMPLETED"),
                ("conn_2", Some("org_2"), false, "COMPLETED"),
                ("conn_3", Some("org_3"), false, "DRAFT"),
                ("conn_4", None, true, "COMPLETED"),
            ] {
                let sql = "INSERT INTO connections (id, organization_id, kind, provider, name, enabled, jit_provisioning,
                             sync_profile, settings, status, created_at, updated_at)
                           VALUES ($1, $2, 'OIDC', 'OKTA', 'Okta', $3, TRUE, TRUE, '{}', $4, 1, 1)";
                tx.exec(sql, p![id, organization_id, enabled, status]).await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        db.migrate(MIGRATIONS).await.unwrap();
        db.tx(async |tx| tx.exec("DELETE FROM connections", p![]).await)
            .await
            .unwrap();
        let world = World::of(db);
        let mut read = Vec::new();
        for id in names {
            read.push(closed(&world, &OrganizationId::parse(id).unwrap()).await);
        }
        let had = Some(ClosureReason::HadConnection);
        assert_eq!(read, [had, had, None, None]);
        world.db.close().await;
    }
}
