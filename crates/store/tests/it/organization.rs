//! Organizations and their domains.

use genkan_protocol::Domain as DomainName;
use genkan_store::domain::{self, Claimant, Domain, Proof};
use genkan_store::organization::{self, Feature, Organization, Region};
use genkan_store::session::{self, SignIn};
use genkan_store::{Error, OrganizationId, Page, conflict, connection, environment, user};

use crate::support::{LIFETIMES, T0, hash, on_each_engine, try_race};

#[tokio::test]
async fn an_organization_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let organization = Organization {
            external_id: Some("ext-1".to_owned()),
            slug: Some("aenima.example".to_owned()),
            logo_url: Some("https://aenima.example/logo.svg".to_owned()),
            region: Some(Region::Eu),
            features: vec![Feature::Sso, Feature::SessionPolicy],
            metadata: serde_json::json!({"plan": "gold", "seats": 5})
                .as_object()
                .unwrap()
                .clone(),
            ..Organization::new(world.id(), "Ænima \"GmbH\" 🦀", T0)
        };
        world
            .tx(async |tx| organization::insert(tx, world.start(), &organization).await)
            .await;
        let found = world
            .tx(async |tx| organization::find(tx, &organization.id).await)
            .await;
        assert_eq!(found.as_ref(), Some(&organization));
        let found = world
            .tx(async |tx| organization::find_by_external_id(tx, "ext-1").await)
            .await;
        assert_eq!(found.as_ref(), Some(&organization));
        assert_eq!(
            world
                .tx(async |tx| organization::find_by_external_id(tx, "EXT-1").await)
                .await,
            None
        );
        let unknown: OrganizationId = world.id();
        assert_eq!(
            world.tx(async |tx| organization::find(tx, &unknown).await).await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn an_external_id_belongs_to_one_organization() {
    on_each_engine(async |world| {
        let (mut one, mut other) = (world.organization().await, world.organization().await);
        one.external_id = Some("acme".to_owned());
        other.external_id = Some("acme".to_owned());
        world
            .tx(async |tx| organization::update(tx, world.start(), &one).await)
            .await;

        let refused = world
            .failed_tx(async |tx| organization::update(tx, world.start(), &other).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID)),
            "{refused:?}"
        );
        other.id = world.id();
        let refused = world
            .failed_tx(async |tx| organization::insert(tx, world.start(), &other).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn of_two_editors_the_slower_one_must_look_again() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        world
            .tx(async |tx| organization::update(tx, world.start(), &organization).await)
            .await;
        let refused = world
            .failed_tx(async |tx| organization::update(tx, world.start(), &organization).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn organizations_are_listed_newest_first_page_by_page() {
    on_each_engine(async |world| {
        let mut all = Vec::new();
        for _ in 0..5 {
            all.insert(0, world.organization().await.id);
        }
        let list = async |page: Page<OrganizationId>| {
            let listed = world.tx(async |tx| organization::list(tx, &page).await).await;
            listed
                .into_iter()
                .map(|organization| organization.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(list(Page::first(2)).await, all[..2]);
        assert_eq!(list(Page::after(2, all[1].clone())).await, all[2..4]);
        assert_eq!(list(Page::after(2, all[3].clone())).await, all[4..]);
        assert_eq!(list(Page::after(2, all[4].clone())).await, []);
        assert_eq!(
            list(Page::first(0)).await,
            all[..1],
            "a page has at least one row"
        );
        assert_eq!(list(Page::first(u32::MAX)).await, all);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_signs_its_people_out() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let ada = world.user("ada@acme.test").await;
        let sign_in = SignIn {
            organization_id: Some(organization.id.clone()),
            connection_id: Some(connection.id.clone()),
            ..world.sign_in(&ada)
        };
        world
            .tx(async |tx| session::start(tx, world.start(), &sign_in, &hash("cookie"), LIFETIMES).await)
            .await;

        assert!(
            world
                .tx(async |tx| organization::delete(tx, world.start(), &organization.id).await)
                .await
        );

        let session = world
            .tx(async |tx| session::find_live_by_token(tx, &hash("cookie"), T0).await)
            .await;
        assert_eq!(session, None);
        assert_eq!(
            world
                .tx(async |tx| connection::find(tx, &connection.id).await)
                .await,
            None
        );
        assert!(
            world.tx(async |tx| user::find(tx, &ada.id).await).await.is_some(),
            "people stay"
        );
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'session.revoked'")
                .await,
            1
        );
        assert!(
            !world
                .tx(async |tx| organization::delete(tx, world.start(), &organization.id).await)
                .await
        );
    })
    .await;
}

#[tokio::test]
async fn a_domain_routes_to_one_organization_and_its_subdomains_do_not() {
    on_each_engine(async |world| {
        let (one, other) = (world.organization().await.id, world.organization().await.id);
        let domain = world.new_domain(&one, "Bücher.example");
        world
            .tx(async |tx| domain::insert(tx, world.start(), &domain).await)
            .await;

        let route = async |name: &str| {
            let name = DomainName::parse(name).unwrap();
            world
                .tx(async |tx| domain::find_organization_for(tx, &name).await)
                .await
        };
        for spelling in [
            "bücher.example",
            "BÜCHER.example",
            "xn--bcher-kva.example",
            "bücher．example",
        ] {
            assert_eq!(route(spelling).await, Some(one.clone()), "{spelling}");
        }
        for stranger in [
            "mail.bücher.example",
            "bucher.example",
            "xbücher.example",
            "example.com",
        ] {
            assert_eq!(route(stranger).await, None, "{stranger}");
        }

        for (organization_id, name) in [(&other, "bücher.example"), (&one, "BÜCHER.example")] {
            let again = world.new_domain(organization_id, name);
            let refused = world
                .failed_tx(async |tx| domain::insert(tx, world.start(), &again).await)
                .await;
            assert!(
                matches!(refused, Error::Conflict(conflict::DOMAIN)),
                "{refused:?}"
            );
        }
        assert_eq!(
            world.tx(async |tx| domain::list(tx, &one).await).await,
            vec![domain.clone()]
        );
        let foreign = world
            .tx(async |tx| domain::find(tx, &other, &domain.id).await)
            .await;
        assert_eq!(foreign, None, "an organization sees only its own");
    })
    .await;
}

#[tokio::test]
async fn a_domain_where_people_may_join_routes_nobody() {
    on_each_engine(async |world| {
        let (one, other) = (world.organization().await.id, world.organization().await.id);
        for organization_id in [&one, &other] {
            let domain = Domain {
                kind: domain::Kind::AllowedEmailDomain,
                ..world.new_domain(organization_id, "acme.test")
            };
            world
                .tx(async |tx| domain::insert(tx, world.start(), &domain).await)
                .await;
        }
        let name = DomainName::parse("acme.test").unwrap();
        assert_eq!(
            world
                .tx(async |tx| domain::find_organization_for(tx, &name).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_domain_is_taken_away_only_from_its_organization() {
    on_each_engine(async |world| {
        world.environment().await;
        let (one, other) = (world.organization().await.id, world.organization().await.id);
        let domain = world.new_domain(&one, "acme.test");
        world
            .tx(async |tx| domain::insert(tx, world.start(), &domain).await)
            .await;
        let before = world.tx(async |tx| environment::generation(tx).await).await;

        assert!(
            !world
                .tx(async |tx| domain::delete(tx, world.start(), &other, &domain.id).await)
                .await
        );
        assert!(
            world
                .tx(async |tx| domain::delete(tx, world.start(), &one, &domain.id).await)
                .await
        );

        assert_eq!(
            world.tx(async |tx| environment::generation(tx).await).await,
            before + 1
        );
        let taken = world.new_domain(&other, "acme.test");
        world
            .tx(async |tx| domain::insert(tx, world.start(), &taken).await)
            .await;
    })
    .await;
}

#[tokio::test]
async fn of_organizations_that_race_for_a_domain_one_wins() {
    on_each_engine(async |world| {
        let mut domains = Vec::new();
        for _ in 0..20 {
            let organization = world.organization().await;
            domains.push(world.new_domain(&organization.id, "acme.test"));
        }
        let domains = &domains;
        let outcomes = try_race(20, |n| {
            world
                .db
                .tx(async move |tx| domain::insert(tx, world.start(), &domains[n]).await)
        })
        .await;

        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let lost = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(Error::Conflict(conflict::DOMAIN))))
            .count();
        assert_eq!((won, lost), (1, 19), "{outcomes:?}");
    })
    .await;
}

#[tokio::test]
async fn a_slug_belongs_to_one_organization() {
    on_each_engine(async |world| {
        let (mut one, mut other) = (world.organization().await, world.organization().await);
        one.slug = Some("acme".to_owned());
        other.slug = Some("acme".to_owned());
        world
            .tx(async |tx| organization::update(tx, world.start(), &one).await)
            .await;
        let refused = world
            .failed_tx(async |tx| organization::update(tx, world.start(), &other).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::ORGANIZATION_SLUG)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn features_are_switched_on_and_off_in_order() {
    let mut organization = Organization::new(OrganizationId::parse("org_1").unwrap(), "Acme", T0);
    organization.set_feature(Feature::DirSync, true);
    organization.set_feature(Feature::Sso, true);
    organization.set_feature(Feature::Sso, true);
    assert_eq!(organization.features, [Feature::Sso, Feature::DirSync]);
    organization.set_feature(Feature::Sso, false);
    assert_eq!(organization.features, [Feature::DirSync]);
}

#[tokio::test]
async fn a_claimed_domain_routes_nobody_until_it_is_shown() {
    on_each_engine(async |world| {
        let (one, other) = (world.organization().await.id, world.organization().await.id);
        let claim = world.new_domain(&one, "acme.test").claimed_by(Claimant::Customer);
        assert_eq!(claim.txt_name().as_deref(), Some("_genkan-challenge.acme.test"));
        assert!(claim.txt_value.starts_with("genkan-domain-verification="));
        let rival = world
            .new_domain(&other, "acme.test")
            .claimed_by(Claimant::Customer);
        for domain in [&claim, &rival] {
            world
                .tx(async |tx| domain::insert(tx, world.start(), domain).await)
                .await;
        }
        let owner = async || {
            world
                .tx(async |tx| domain::find_organization_for(tx, &claim.name).await)
                .await
        };
        assert_eq!(owner().await, None);
        assert_eq!(world.tx(async |tx| domain::list_pending(tx).await).await.len(), 2);

        let verify = async |tx: &mut genkan_db::Tx<'_>, domain: &Domain| {
            domain::prove(
                tx,
                world.after(1),
                &domain.organization_id,
                &domain.id,
                Proof::Dns,
            )
            .await
        };
        assert!(world.tx(async |tx| verify(tx, &rival).await).await);
        assert!(!world.tx(async |tx| verify(tx, &rival).await).await, "no news");
        assert_eq!(owner().await, Some(other.clone()));
        let refused = world.failed_tx(async |tx| verify(tx, &claim).await).await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DOMAIN)),
            "{refused:?}"
        );
        let third = world
            .new_domain(&world.organization().await.id, "acme.test")
            .claimed_by(Claimant::Customer);
        let refused = world
            .failed_tx(async |tx| domain::insert(tx, world.start(), &third).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DOMAIN)),
            "{refused:?}"
        );

        let given_up = world
            .tx(async |tx| {
                domain::give_up_pending(tx, world.after(9), T0 + crate::support::secs(1), 10).await
            })
            .await;
        assert_eq!(given_up, 1);
        let found = world.tx(async |tx| domain::find(tx, &one, &claim.id).await).await;
        assert_eq!(found.unwrap().status, domain::Status::Failed);
    })
    .await;
}
