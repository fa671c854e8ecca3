//! Search by the beginnings of words.

use genkan_store::organization::{self, Organization};
use genkan_store::search::{self, Cursor, HitPage, Hits, Query};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, UserId, membership, search_backlog};

use crate::support::{T0, World, email, on_each_engine};

async fn organization(world: &World, name: &str) -> Organization {
    let organization = Organization::new(world.id(), name, T0);
    world
        .tx(async |tx| organization::insert(tx, world.start(), &organization).await)
        .await;
    organization
}

async fn user(world: &World, address: &str, name: &str) -> User {
    let mut user = User::new(world.id(), email(address), T0);
    user.name = Some(name.to_owned());
    world
        .tx(async |tx| user::insert(tx, world.start(), &user).await)
        .await;
    user
}

fn page(limit: u32, cursor: Option<Cursor>) -> HitPage {
    HitPage { limit, cursor }
}

async fn organizations(world: &World, text: &str, page: HitPage) -> Hits<OrganizationId> {
    let query = Query::parse(text);
    world
        .tx(async |tx| search::organizations(tx, &query, &page).await)
        .await
}

async fn users(world: &World, text: &str, page: HitPage) -> Hits<UserId> {
    let query = Query::parse(text);
    world.tx(async |tx| search::users(tx, &query, &page).await).await
}

async fn found(world: &World, text: &str) -> Vec<OrganizationId> {
    organizations(world, text, page(30, None)).await.ids
}

#[tokio::test]
async fn an_organization_is_found_by_the_beginnings_of_its_words() {
    on_each_engine(async |world| {
        let mut acme = organization(world, "Acme Rocket-Werke GmbH").await;
        let other = organization(world, "Acorn").await;
        for text in [
            "acme",
            "ACM",
            "werke",
            "rocket-w",
            "gmbh acm",
            "rock werk gmbh",
            "@acme",
        ] {
            assert_eq!(found(world, text).await, [acme.id.clone()], "{text}");
        }
        for text in [
            "cme",
            "acme acorn",
            "acme x",
            "%",
            "_cme",
            "'",
            "\0",
            "",
            "acme\u{0}zzz",
        ] {
            assert_eq!(found(world, text).await, [], "{text:?}");
        }
        assert_eq!(found(world, "ac").await, [acme.id.clone(), other.id.clone()]);

        acme.display_name = "Zenith".to_owned();
        acme.external_id = Some("CRM-4711".to_owned());
        acme.slug = Some("auth.megasoft.test".to_owned());
        world
            .tx(async |tx| organization::update(tx, world.start(), &acme).await)
            .await;
        assert_eq!(found(world, "ac").await, [other.id]);
        for text in ["zenith", "crm-4711", "4711", "megasoft", "auth.mega"] {
            assert_eq!(found(world, text).await, [acme.id.clone()], "{text}");
        }

        world
            .tx(async |tx| organization::delete(tx, world.start(), &acme.id).await)
            .await;
        assert_eq!(found(world, "zenith").await, []);
    })
    .await;
}

#[tokio::test]
async fn a_user_is_found_by_name_and_address() {
    on_each_engine(async |world| {
        let mut ada = user(world, "ada.lovelace@acme.test", "Ada King").await;
        user(world, "bob@other.test", "Bob").await;
        for text in [
            "ada",
            "king",
            "lovelace",
            "acme.test",
            "ada.lovelace@acme.test",
            "kin lov",
        ] {
            assert_eq!(
                users(world, text, page(30, None)).await.ids,
                [ada.id.clone()],
                "{text}"
            );
        }
        ada.email = email("countess@acme.test");
        world
            .tx(async |tx| user::update(tx, world.start(), &ada).await)
            .await;
        assert_eq!(users(world, "lovelace", page(30, None)).await.ids, []);
        assert_eq!(users(world, "countess", page(30, None)).await.ids, [ada.id]);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_two_matching_words_is_found_once() {
    on_each_engine(async |world| {
        let twice = organization(world, "Anna Andersen Ant").await.id;
        let once = organization(world, "Anton").await.id;
        let first = organizations(world, "an", page(1, None)).await;
        assert_eq!(first.ids, [twice]);
        let second = organizations(world, "an", page(1, first.next)).await;
        assert_eq!(second.ids, [once]);
        assert_eq!(second.next, None);
    })
    .await;
}

#[tokio::test]
async fn pages_lead_there_and_back_though_rows_come_and_go() {
    on_each_engine(async |world| {
        let mut all = Vec::new();
        for number in 10..20 {
            all.push(organization(world, &format!("Acme{number} Ltd")).await.id);
        }
        for text in ["acme", "acme ltd"] {
            let first = organizations(world, text, page(4, None)).await;
            assert_eq!((&first.ids[..], &first.previous), (&all[..4], &None));
            let second = organizations(world, text, page(4, first.next)).await;
            assert_eq!(second.ids, all[4..8]);
            let third = organizations(world, text, page(4, second.next)).await;
            assert_eq!((&third.ids[..], &third.next), (&all[8..], &None));
            let back = organizations(world, text, page(4, third.previous)).await;
            assert_eq!(back.ids, all[4..8]);
            let onwards = organizations(world, text, page(4, back.next)).await;
            assert_eq!(onwards.ids, all[8..]);
            let first = organizations(world, text, page(4, back.previous)).await;
            assert_eq!((&first.ids[..], &first.previous), (&all[..4], &None));
        }
        let first = organizations(world, "acme", page(4, None)).await;
        world
            .tx(async |tx| organization::delete(tx, world.start(), &all[3]).await)
            .await;
        organization(world, "Acme00").await;
        let second = organizations(world, "acme", page(4, first.next)).await;
        assert_eq!(second.ids, all[4..8], "neither a gap nor a repetition");
    })
    .await;
}

#[tokio::test]
async fn a_search_among_members_finds_nobody_else() {
    on_each_engine(async |world| {
        let (acme, other) = (
            organization(world, "Acme").await.id,
            organization(world, "Other").await.id,
        );
        let mut members = Vec::new();
        for number in 0..5 {
            let user = user(world, &format!("ada{number}@shared.test"), "Ada Member")
                .await
                .id;
            let organization = if number < 4 { &acme } else { &other };
            world
                .tx(async |tx| membership::insert(tx, world.start(), organization, &user).await)
                .await;
            members.insert(0, user);
        }
        let outsider = members.remove(0);
        let find = async |organization: &OrganizationId, text: &str, page: HitPage| {
            let query = Query::parse(text);
            world
                .tx(async |tx| search::members(tx, organization, &query, &page).await)
                .await
        };
        assert_eq!(find(&other, "ada", page(30, None)).await.ids, [outsider]);
        let first = find(&acme, "ada member", page(3, None)).await;
        let second = find(&acme, "ada member", page(3, first.next.clone())).await;
        assert_eq!([&first.ids[..], &second.ids[..]].concat(), members);
        let back = find(&acme, "ada member", page(3, second.previous)).await;
        assert_eq!(back.ids, first.ids);
        assert_eq!(find(&acme, "ada4", page(3, None)).await.ids, []);
        assert_eq!(
            find(&acme, "ada2@sh", page(3, None)).await.ids,
            [members[1].clone()]
        );
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_search_leads_nowhere() {
    on_each_engine(async |world| {
        organization(world, "Acme").await;
        for text in ["7>YQ.org_1", "m>.usr_1", "0<YQ.org_1", "0>_w.org_1"] {
            let cursor: Cursor = text.parse().unwrap();
            let hits = organizations(world, "acm", page(3, Some(cursor))).await;
            assert_eq!(hits.ids, [], "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_words_that_nobody_has_together_cost_a_bounded_amount() {
    let scratch = genkan_db::testing::Scratch::sqlite();
    let world = World::of(genkan_store::open(scratch.url()).await.unwrap());
    world
        .tx(async |tx| {
            for sql in [
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
                 INSERT INTO organizations (id, display_name, metadata, created_at, updated_at)
                 SELECT 'org_' || (100000 + i), 'x', '{}', 0, 0 FROM n",
                "INSERT INTO organization_words (organization_id, word)
                 SELECT id, CAST(CASE WHEN substr(id, -1) < '5' THEN 'red' ELSE 'blue' END AS BLOB) FROM organizations",
            ] {
                tx.exec(sql, &[]).await?;
            }
            Ok(())
        })
        .await;
    let both = Organization::new(OrganizationId::parse("org_999999").unwrap(), "Red Blue", T0);
    world
        .tx(async |tx| organization::insert(tx, world.start(), &both).await)
        .await;
    let first = organizations(&world, "red blue", page(30, None)).await;
    assert_eq!(first.ids, [], "nobody among those that one call reads");
    let second = organizations(&world, "red blue", page(30, first.next)).await;
    assert_eq!(second.ids, [both.id]);
    assert_eq!(second.next, None);
    let back = organizations(&world, "red blue", page(30, second.previous)).await;
    assert_eq!(back.ids, []);
}

#[tokio::test]
async fn rows_from_before_the_index_are_found_once_their_words_are_written() {
    on_each_engine(async |world| {
        let acme = organization(world, "Acme").await.id;
        let ada = user(world, "ada@acme.test", "Ada").await.id;
        world
            .tx(async |tx| {
                for sql in [
                    "DELETE FROM organization_words",
                    "DELETE FROM user_words",
                    "INSERT INTO search_backlog (id) SELECT id FROM organizations",
                    "INSERT INTO search_backlog (id) SELECT id FROM users",
                    "INSERT INTO search_backlog (id) VALUES ('org_1')",
                ] {
                    tx.exec(sql, &[]).await?;
                }
                Ok(())
            })
            .await;
        assert_eq!(found(world, "acme").await, []);
        search_backlog::write_missing(&world.db).await.unwrap();
        assert_eq!(found(world, "acme").await, [acme]);
        assert_eq!(users(world, "ada", page(1, None)).await.ids, [ada]);
    })
    .await;
}
