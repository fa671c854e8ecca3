//! The register of custom attributes, and what a provider says about them.

use std::collections::BTreeMap;

use genkan_store::admission::Claim;
use genkan_store::connection::{self, Connection};
use genkan_store::domain::{self, Proof};
use genkan_store::event::{self, Filter};
use genkan_store::user_attribute::{self, Datatype, DeletionOutcome, MAX_ATTRIBUTES, UserAttribute};
use genkan_store::{Error, Page, conflict, user};

use crate::support::{T0, World, claim, email, on_each_engine};

fn attribute(key: &str) -> UserAttribute {
    UserAttribute {
        key: key.to_owned(),
        label: format!("The {key}"),
        datatype: Datatype::String,
        enabled: true,
        required: false,
        oidc_claim: Some("dept".to_owned()),
        saml_attribute: Some("urn:oid:2.16.840.1.113730.3.1.2".to_owned()),
        created_at: T0,
        updated_at: T0,
    }
}

async fn register(world: &World, attribute: &UserAttribute) {
    world
        .tx(async |tx| user_attribute::insert(tx, world.start(), attribute).await)
        .await;
}

async fn refused(world: &World, attribute: &UserAttribute) -> Error {
    world
        .failed_tx(async |tx| user_attribute::insert(tx, world.start(), attribute).await)
        .await
}

#[tokio::test]
async fn an_attribute_is_registered_once_and_changed_but_for_its_key() {
    on_each_engine(async |world| {
        let department = attribute("department");
        register(world, &department).await;
        let found = world
            .tx(async |tx| user_attribute::find(tx, "department").await)
            .await;
        assert_eq!(found, Some(department.clone()));
        assert!(matches!(
            refused(world, &department).await,
            Error::Conflict(conflict::USER_ATTRIBUTE)
        ));
        // A receiver may read names without regard to case, and would take one for the other.
        assert!(matches!(
            refused(world, &attribute("Department")).await,
            Error::Conflict(conflict::USER_ATTRIBUTE)
        ));
        let changed = UserAttribute {
            label: "Cost centre".to_owned(),
            datatype: Datatype::Number,
            enabled: false,
            required: true,
            oidc_claim: None,
            ..department.clone()
        };
        let update = async |attribute: &UserAttribute| {
            world
                .db
                .tx(async |tx| user_attribute::update(tx, world.start(), attribute).await)
                .await
        };
        update(&changed).await.unwrap();
        // The second of two who read the same.
        assert!(matches!(update(&department).await, Err(Error::Stale)));
        assert!(matches!(update(&attribute("unknown")).await, Err(Error::Stale)));
        let listed = world.tx(async |tx| user_attribute::list(tx).await).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].label, "Cost centre");
        assert_eq!(listed[0].datatype, Datatype::Number);
        let events = world
            .tx(async |tx| event::list(tx, &Filter::default(), &Page::first(10)).await)
            .await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert!(kinds.contains(&"user_attribute.created"), "{kinds:?}");
        assert!(kinds.contains(&"user_attribute.updated"), "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_its_name() {
    on_each_engine(async |world| {
        for (change, sentence) in [
            (
                UserAttribute {
                    key: "sub".to_owned(),
                    ..attribute("department")
                },
                "user_attribute.key is no name that is free: tokens have a claim of this name",
            ),
            (
                UserAttribute {
                    key: "Roles".to_owned(),
                    ..attribute("department")
                },
                "user_attribute.key is no name that is free: tokens have a claim of this name",
            ),
            (
                UserAttribute {
                    key: "cost center".to_owned(),
                    ..attribute("department")
                },
                "user_attribute.key is no key: write 3 to 25 letters, digits, - and _, a letter first",
            ),
            (
                UserAttribute {
                    label: "l".repeat(251),
                    ..attribute("department")
                },
                "user_attribute.label has more than 250 characters",
            ),
            (
                UserAttribute {
                    label: "No".to_owned(),
                    ..attribute("department")
                },
                "user_attribute.label is no label: write at least 3 characters",
            ),
            (
                UserAttribute {
                    label: " ".to_owned(),
                    ..attribute("department")
                },
                "user_attribute.label is empty",
            ),
            (
                UserAttribute {
                    oidc_claim: Some("c".repeat(257)),
                    ..attribute("department")
                },
                "user_attribute.sso_addition_info.default_oidc_mapping has more than 256 characters",
            ),
        ] {
            assert_eq!(refused(world, &change).await.to_string(), sentence);
        }
        for number in 0..MAX_ATTRIBUTES {
            register(world, &attribute(&format!("key-{number}"))).await;
        }
        assert!(matches!(
            refused(world, &attribute("one-more")).await,
            Error::Conflict(conflict::USER_ATTRIBUTES)
        ));
    })
    .await;
}

#[tokio::test]
async fn a_connection_maps_registered_attributes_only_and_holds_them() {
    on_each_engine(async |world| {
        let (_, mut connection) = world.company("acme.test").await;
        let plain = {
            let mut connection = connection.clone();
            connection.settings.map_attribute("department", "dept");
            connection
        };
        let misspelt = {
            let mut connection = connection.clone();
            connection.settings.map_attribute("emial", "mail");
            connection
        };
        connection.settings.map_attribute("custom.department", "dept");
        let update = async |connection: &Connection| {
            world
                .db
                .tx(async |tx| connection::update(tx, world.start(), connection).await)
                .await
        };
        for unknown in [&connection, &plain, &misspelt] {
            assert!(matches!(
                update(unknown).await,
                Err(Error::Conflict(conflict::CONNECTION_ATTRIBUTE))
            ));
        }
        register(world, &attribute("department")).await;
        // A name that only looks the same in a pattern.
        register(world, &attribute("d_partment")).await;
        update(&connection).await.unwrap();
        let delete = async |key: &str| {
            world
                .tx(async |tx| user_attribute::delete(tx, world.start(), key).await)
                .await
        };
        assert_eq!(
            delete("department").await,
            DeletionOutcome::Mapped(vec![connection.id.clone()])
        );
        assert_eq!(delete("d_partment").await, DeletionOutcome::Deleted);
        assert_eq!(delete("d_partment").await, DeletionOutcome::Unknown);
        let mut connection = world
            .tx(async |tx| connection::find(tx, &connection.id).await)
            .await
            .unwrap();
        connection.settings.map_attribute("custom.department", "");
        update(&connection).await.unwrap();
        assert_eq!(delete("department").await, DeletionOutcome::Deleted);
    })
    .await;
}

fn said(claim: &Claim, key: &str, value: Option<&str>) -> Claim {
    let mut claim = claim.clone();
    claim.profile.custom_attributes = BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]);
    claim
}

#[tokio::test]
async fn users_follow_what_their_own_provider_says() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = claim(&connection, "ada", "ada@acme.test");
        let user = world.enter(&said(&ada, "department", Some("R&D"))).await;
        assert_eq!(user.custom_attributes["department"], "R&D");
        let user = world.enter(&said(&ada, "floor", Some("3"))).await;
        assert_eq!(
            user.custom_attributes["department"], "R&D",
            "nothing was said of it"
        );
        assert_eq!(user.custom_attributes["floor"], "3");
        let user = world.enter(&said(&ada, "department", None)).await;
        assert!(
            !user.custom_attributes.contains_key("department"),
            "it was taken back"
        );
        // Too long to be stored, whoever read it: the person comes in without it.
        let user = world
            .enter(&said(&ada, "department", Some(&"x".repeat(3_000))))
            .await;
        assert!(!user.custom_attributes.contains_key("department"));
    })
    .await;
}

/// An attack: a person is a guest of another company, and its administrator lets the provider there say what
/// they like. Only the home of a person speaks for them.
#[tokio::test]
async fn the_company_of_a_guest_changes_none_of_their_attributes() {
    on_each_engine(async |world| {
        let (home, at_home) = world.company("home.test").await;
        let (host, at_host) = world.company("host.test").await;
        for organization in [&home, &host] {
            let domains = world
                .tx(async |tx| domain::list(tx, &organization.id).await)
                .await;
            world
                .tx(async |tx| {
                    domain::prove(tx, world.start(), &organization.id, &domains[0].id, Proof::Dns).await
                })
                .await;
        }
        let ada = world.enter(&claim(&at_host, "ada", "ada@host.test")).await;
        let mut moved = ada.clone();
        moved.email = email("ada@home.test");
        world
            .tx(async |tx| user::update(tx, world.start(), &moved).await)
            .await;
        let at_work = claim(&at_home, "a", "ada@home.test");
        let known = world.enter(&said(&at_work, "clearance", Some("low"))).await;
        assert_eq!(
            (&known.id, &known.custom_attributes["clearance"]),
            (&ada.id, &"low".into())
        );
        let as_guest = claim(&at_host, "ada", "ada@host.test");
        for word in [Some("top"), None] {
            let guest = world.enter(&said(&as_guest, "clearance", word)).await;
            assert_eq!(guest.custom_attributes["clearance"], "low");
        }
    })
    .await;
}
