//! API tokens: what they stand for, and when they become invalid.

use std::collections::BTreeMap;

use genkan_store::api_token::{self, ApiToken, Filter, Key, LiveToken};
use genkan_store::event::{self, Kind};
use genkan_store::{
    Error, OrganizationId, Page, Secret, Timestamp, UserId, janitor, membership, organization, user,
};

use crate::support::{T0, World, on_each_engine, race, secs};

fn token(
    world: &World,
    organization_id: &OrganizationId,
    user_id: Option<&UserId>,
    value: &Secret,
) -> ApiToken {
    ApiToken {
        id: world.id(),
        suffix: value.suffix().to_owned(),
        organization_id: organization_id.clone(),
        user_id: user_id.cloned(),
        custom_claims: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
        description: Some("CI".to_owned()),
        created_at: T0,
        updated_at: T0,
        expires_at: None,
        last_used_at: None,
    }
}

async fn insert(world: &World, token: &ApiToken, value: &Secret) {
    let hash = value.sha256();
    world
        .tx(async |tx| api_token::insert(tx, world.start(), token, &hash).await)
        .await;
}

async fn find(world: &World, key: &Key, now: Timestamp) -> Option<LiveToken> {
    world
        .tx(async |tx| api_token::find_live(tx, key, now).await)
        .await
}

/// A user who is an `admin` of a new organization.
async fn member(world: &World) -> (OrganizationId, UserId) {
    let (organization, _) = world.company("acme.test").await;
    let user = world.user("ada@acme.test").await;
    world
        .tx(async |tx| membership::insert(tx, world.start(), &organization.id, &user.id).await)
        .await;
    (organization.id, user.id)
}

#[tokio::test]
async fn a_token_is_found_by_its_value_and_by_its_identifier() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate_with_prefix("test_");
        let token = token(world, &organization.id, None, &value);
        insert(world, &token, &value).await;

        let by_value = find(world, &Key::parse(value.expose()), T0).await.unwrap();
        assert_eq!(by_value.token, token);
        assert_eq!((by_value.email, by_value.roles), (None, vec![]));
        let by_id = find(world, &Key::parse(token.id.as_str()), T0).await;
        assert_eq!(by_id.map(|found| found.token), Some(token));
        for unknown in ["", "test_", "apit_1", "apit_x", "' OR 1=1 --"] {
            assert_eq!(find(world, &Key::parse(unknown), T0).await, None, "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_users_token_counts_while_the_user_is_a_member_and_may_sign_in() {
    on_each_engine(async |world| {
        let (organization_id, user_id) = member(world).await;
        let value = Secret::generate();
        let token = token(world, &organization_id, Some(&user_id), &value);
        insert(world, &token, &value).await;
        let key = Key::parse(value.expose());
        let found = find(world, &key, T0).await.unwrap();
        assert_eq!(found.email.as_deref(), Some("ada@acme.test"));
        assert!(!found.roles.is_empty());

        for disabled in [true, false] {
            world
                .tx(async |tx| user::set_disabled(tx, world.after(1), &user_id, disabled).await)
                .await;
            assert_eq!(find(world, &key, T0).await.is_some(), !disabled);
        }
        // Suspended while the member is, and deleted with the membership.
        for active in [false, true] {
            world
                .tx(async |tx| {
                    membership::set_active(tx, world.after(2), &organization_id, &user_id, active).await
                })
                .await;
            assert_eq!(find(world, &key, T0).await.is_some(), active);
        }
        world
            .tx(async |tx| membership::delete(tx, world.after(3), &organization_id, &user_id).await)
            .await;
        assert_eq!(find(world, &key, T0).await, None);
        world
            .tx(async |tx| membership::insert(tx, world.after(4), &organization_id, &user_id).await)
            .await;
        assert_eq!(find(world, &key, T0).await, None, "whoever comes back has none");
        let kinds = world
            .tx(async |tx| event::list(tx, &event::Filter::default(), &Page::first(20)).await)
            .await;
        let revoked = kinds.iter().filter(|event| event.kind == Kind::ApiTokenRevoked);
        assert_eq!(revoked.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_gets_a_token_for_an_organization_that_is_not_theirs() {
    on_each_engine(async |world| {
        let (_, user_id) = member(world).await;
        let other = world.organization().await;
        let nowhere: OrganizationId = world.id();
        for (organization_id, user_id) in [(&other.id, Some(&user_id)), (&nowhere, None)] {
            let value = Secret::generate();
            let (token, hash) = (token(world, organization_id, user_id, &value), value.sha256());
            let refused = world
                .failed_tx(async |tx| api_token::insert(tx, world.start(), &token, &hash).await)
                .await;
            assert!(matches!(refused, Error::Stale), "{refused:?}");
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM api_tokens").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_stops_counting_in_its_last_moment_and_is_swept() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate();
        let token = ApiToken {
            expires_at: Some(T0 + secs(60)),
            ..token(world, &organization.id, None, &value)
        };
        insert(world, &token, &value).await;
        let key = Key::parse(value.expose());
        assert!(find(world, &key, T0 + secs(59)).await.is_some());
        assert_eq!(find(world, &key, T0 + secs(60)).await, None);
        let retention = janitor::Retention::default();
        janitor::sweep(&world.db, &world.ids, T0 + secs(61), &retention)
            .await
            .unwrap();
        assert_eq!(world.count("SELECT COUNT(*) FROM api_tokens").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_unknown_and_revoking_again_changes_nothing() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate();
        let token = token(world, &organization.id, None, &value);
        insert(world, &token, &value).await;
        let key = Key::parse(value.expose());

        let revoked = race(4, async |_| {
            world
                .db
                .tx(async |tx| api_token::revoke(tx, world.start(), &key).await)
                .await
        })
        .await;
        assert_eq!(revoked.iter().filter(|revoked| **revoked).count(), 1);
        assert_eq!(find(world, &key, T0).await, None);
        let events = event::Filter {
            kind: Some(Kind::ApiTokenRevoked),
            ..event::Filter::default()
        };
        let events = world
            .tx(async |tx| event::list(tx, &events, &Page::first(10)).await)
            .await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].organization_id, Some(organization.id.clone()));
        assert_eq!(events[0].data["token_id"], token.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn tokens_end_with_their_organization() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate();
        insert(world, &token(world, &organization.id, None, &value), &value).await;
        world
            .tx(async |tx| organization::delete(tx, world.start(), &organization.id).await)
            .await;
        assert_eq!(find(world, &Key::parse(value.expose()), T0).await, None);
    })
    .await;
}

#[tokio::test]
async fn tokens_are_listed_by_organization_and_user_in_pages_both_ways() {
    on_each_engine(async |world| {
        let (organization_id, user_id) = member(world).await;
        let other = world.organization().await;
        let mut all = Vec::new();
        for number in 0..5_u64 {
            let value = Secret::generate();
            let owner = (number % 2 == 0).then_some(&user_id);
            let token = token(world, &organization_id, owner, &value);
            insert(world, &token, &value).await;
            all.insert(0, token.id);
        }
        let value = Secret::generate();
        insert(world, &token(world, &other.id, None, &value), &value).await;

        let filter = Filter {
            organization_id: organization_id.clone(),
            user_id: None,
        };
        let list = async |filter: &Filter, page: Page<_>| -> Vec<_> {
            let listed = world
                .tx(async |tx| api_token::list(tx, filter, T0, &page).await)
                .await;
            listed.into_iter().map(|found| found.token.id).collect()
        };
        assert_eq!(list(&filter, Page::first(2)).await, all[..2]);
        assert_eq!(list(&filter, Page::after(2, all[1].clone())).await, all[2..4]);
        assert_eq!(list(&filter, Page::before(2, all[4].clone())).await, all[2..4]);
        let count = world
            .tx(async |tx| api_token::count(tx, &filter, T0, 99).await)
            .await;
        assert_eq!(count, 5);

        let of_user = Filter {
            user_id: Some(user_id),
            ..filter
        };
        assert_eq!(list(&of_user, Page::first(10)).await.len(), 3);
        let count = world
            .tx(async |tx| api_token::count(tx, &of_user, T0, 2).await)
            .await;
        assert_eq!(count, 2, "it stops at the limit");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_changed_by_one_editor_at_a_time() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate();
        let token = token(world, &organization.id, None, &value);
        insert(world, &token, &value).await;
        let changed = ApiToken {
            custom_claims: BTreeMap::from([("tier".to_owned(), "iron".to_owned())]),
            description: None,
            ..token.clone()
        };
        world
            .tx(async |tx| api_token::update(tx, world.start(), &changed).await)
            .await;
        let key = Key::Id(token.id.clone());
        let found = find(world, &key, T0).await.unwrap().token;
        assert_eq!(
            (&found.custom_claims, &found.description),
            (&changed.custom_claims, &None)
        );
        let refused = world
            .failed_tx(async |tx| api_token::update(tx, world.start(), &token).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_once_a_minute() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let value = Secret::generate();
        let token = token(world, &organization.id, None, &value);
        insert(world, &token, &value).await;
        let key = Key::Id(token.id.clone());
        for (used, noted) in [(0, 0), (59, 0), (61, 61)] {
            world
                .tx(async |tx| api_token::note_use(tx, &token.id, T0 + secs(used)).await)
                .await;
            let found = find(world, &key, T0).await.unwrap().token;
            assert_eq!(found.last_used_at, Some(T0 + secs(noted)));
        }
    })
    .await;
}
