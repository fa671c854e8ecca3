//! Portal links: one visit each.

use genkan_store::organization::{self, Feature};
use genkan_store::portal_link::{self, LIFETIME, PortalLink};
use genkan_store::{OrganizationId, Stamp};

use crate::support::{T0, World, hash, on_each_engine, race};

async fn link(world: &World, organization_id: &OrganizationId, token: &str) -> PortalLink {
    let link = PortalLink {
        id: world.id(),
        organization_id: organization_id.clone(),
        features: vec![Feature::Sso],
        created_at: T0,
        expires_at: T0 + LIFETIME,
        used_at: None,
    };
    world
        .tx(async |tx| portal_link::insert(tx, world.start(), &link, &hash(token)).await)
        .await;
    link
}

async fn redeem(world: &World, at: Stamp<'_>, token: &str) -> Option<PortalLink> {
    world
        .tx(async |tx| portal_link::redeem(tx, at, &hash(token)).await)
        .await
}

#[tokio::test]
async fn a_link_opens_the_portal_once() {
    on_each_engine(async |world| {
        let organization = world.organization().await.id;
        let link = link(world, &organization, "link").await;
        assert_eq!(redeem(world, world.start(), "another").await, None);
        let visitors = race(5, |_| {
            world
                .db
                .tx(async |tx| portal_link::redeem(tx, world.after(1), &hash("link")).await)
        })
        .await;
        let let_in: Vec<_> = visitors.into_iter().flatten().collect();
        assert_eq!(let_in.len(), 1);
        assert_eq!((&let_in[0].id, &let_in[0].features), (&link.id, &link.features));
        assert_eq!(
            world
                .tx(async |tx| portal_link::list_usable(tx, &organization, T0).await)
                .await,
            []
        );
    })
    .await;
}

#[tokio::test]
async fn a_link_waits_a_minute_and_no_longer() {
    on_each_engine(async |world| {
        let organization = world.organization().await.id;
        link(world, &organization, "link").await;
        assert_eq!(redeem(world, world.after(60), "link").await, None);
        assert!(redeem(world, world.after(59), "link").await.is_some());
    })
    .await;
}

#[tokio::test]
async fn links_are_taken_back_by_their_own_organization_alone() {
    on_each_engine(async |world| {
        let (one, other) = (world.organization().await.id, world.organization().await.id);
        let (first, _second) = (link(world, &one, "1").await, link(world, &one, "2").await);
        let delete = async |organization: &OrganizationId, id| {
            world
                .tx(async |tx| portal_link::delete(tx, world.start(), organization, id).await)
                .await
        };
        assert_eq!(delete(&other, Some(&first.id)).await, 0);
        assert_eq!(delete(&one, Some(&first.id)).await, 1);
        assert_eq!(redeem(world, world.start(), "1").await, None);
        assert_eq!(delete(&one, None).await, 1);
        assert_eq!(redeem(world, world.start(), "2").await, None);

        link(world, &one, "3").await;
        world
            .tx(async |tx| organization::delete(tx, world.start(), &one).await)
            .await;
        assert_eq!(redeem(world, world.start(), "3").await, None);
    })
    .await;
}
