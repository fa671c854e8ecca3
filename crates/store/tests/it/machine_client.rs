//! Clients that act for an organization or a resource.

use genkan_protocol::oauth::Scope;
use genkan_protocol::oauth::redirect_uri::Environment;
use genkan_store::client::{
    self, Client, ClientSecret, CustomClaim, Field, GrantType, Kind, MAX_MACHINE_SECRETS, Owner,
};
use genkan_store::resource::{self, Resource, Settings};
use genkan_store::{Error, OrganizationId, Page, ResourceId, Secret, conflict, environment, organization};

use crate::support::{T0, World, on_each_engine, secs, try_race};

fn new_client(world: &World, owner: Owner) -> Client {
    let id = world.ids.next_with_prefix(owner.machine_prefix(), T0);
    Client {
        description: "Fetches the reports".to_owned(),
        scope: Scope::parse("reports:read reports:write").unwrap(),
        audience: vec!["my-own-api".to_owned()],
        custom_claims: vec![CustomClaim {
            key: "wksp_id".to_owned(),
            value: "42".to_owned(),
        }],
        grant_types: vec![GrantType::ClientCredentials],
        ..Client::machine(id, "Reports".to_owned(), owner, T0)
    }
}

async fn insert(world: &World, client: &Client, secrets: usize) -> Vec<ClientSecret> {
    let secrets: Vec<_> = (0..secrets)
        .map(|_| ClientSecret::new(world.start(), &client.id, &Secret::generate(), None))
        .collect();
    world
        .tx(async |tx| {
            client::insert(tx, world.start(), client).await?;
            for secret in &secrets {
                client::add_secret(tx, world.start(), secret).await?;
            }
            Ok(())
        })
        .await;
    secrets
}

async fn of_organization(world: &World, secrets: usize) -> (OrganizationId, Client, Vec<ClientSecret>) {
    let organization = world.organization().await;
    let client = new_client(world, Owner::Organization(organization.id.clone()));
    let secrets = insert(world, &client, secrets).await;
    (organization.id, client, secrets)
}

async fn new_resource(world: &World) -> Resource {
    let resource = Resource {
        id: world.id(),
        kind: resource::Kind::McpServer,
        name: "Notes".to_owned(),
        settings: Settings {
            resource_uri: "https://notes.test/mcp".to_owned(),
            scope: Scope::parse("notes:read").unwrap(),
            access_token_lifetime: Some(secs(600)),
            ..Settings::default()
        },
        created_at: T0,
        updated_at: T0,
    };
    world
        .tx(async |tx| resource::insert(tx, world.start(), &resource).await)
        .await;
    resource
}

#[tokio::test]
async fn a_machine_client_is_read_as_it_was_written() {
    on_each_engine(async |world| {
        let (organization_id, client, secrets) = of_organization(world, 1).await;
        assert!(client.id.as_str().starts_with("m2morg_"));
        let found = world
            .tx(async |tx| client::find_with_secrets(tx, &client.id).await)
            .await;
        assert_eq!(found, Some((client.clone(), secrets)));
        assert_eq!(client.access_token_lifetime, Some(secs(3600)));
        assert_eq!(client.owner, Owner::Organization(organization_id));

        let mut changed = client.clone();
        changed.scope = Scope::default();
        changed.audience.clear();
        changed.custom_claims.clear();
        changed.grant_types.clear();
        changed.description.clear();
        world
            .tx(async |tx| client::update(tx, world.after(1), &changed).await)
            .await;
        let found = world
            .tx(async |tx| client::find(tx, &client.id).await)
            .await
            .unwrap();
        changed.updated_at = T0 + secs(1);
        assert_eq!(found, changed);
    })
    .await;
}

#[tokio::test]
async fn a_client_belongs_to_its_owner_alone() {
    on_each_engine(async |world| {
        let (organization_id, client, _) = of_organization(world, 0).await;
        let (other_id, theirs, _) = of_organization(world, 0).await;
        let application = world.client(Kind::WebApp).await;
        let resource = new_resource(world).await;
        let (owner, other) = (
            Owner::Organization(organization_id),
            Owner::Organization(other_id),
        );
        let find = async |owner: &Owner, client: &Client| {
            let found = world
                .tx(async |tx| client::find_owned(tx, owner, &client.id).await)
                .await;
            found.is_some()
        };
        assert!(find(&owner, &client).await && find(&other, &theirs).await);
        assert!(find(&Owner::Environment, &application).await);
        for stranger in [&other, &Owner::Environment, &Owner::Resource(resource.id.clone())] {
            assert!(!find(stranger, &client).await, "{stranger:?}");
        }
        assert!(!find(&owner, &application).await);

        let list = async |owner: &Owner| {
            let listed = world
                .tx(async |tx| client::list_owned(tx, owner, &Page::first(10)).await)
                .await;
            let count = world
                .tx(async |tx| client::count_owned(tx, owner, 99).await)
                .await;
            assert_eq!(usize::try_from(count).unwrap(), listed.len());
            listed
        };
        assert_eq!(list(&owner).await, [client]);
        assert_eq!(list(&other).await, [theirs]);
        assert_eq!(list(&Owner::Environment).await, [application]);
        assert_eq!(list(&Owner::Resource(resource.id.clone())).await, []);
    })
    .await;
}

#[tokio::test]
async fn the_clients_of_an_owner_are_listed_newest_first_both_ways() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let resource = new_resource(world).await;
        for owner in [
            Owner::Environment,
            Owner::Organization(organization.id.clone()),
            Owner::Resource(resource.id.clone()),
        ] {
            let mut ids = Vec::new();
            for age in 0..5 {
                let mut client = new_client(world, owner.clone());
                client.created_at = T0 + secs(age);
                insert(world, &client, 0).await;
                ids.insert(0, client.id);
            }
            let list = async |page: Page<_>| -> Vec<_> {
                let listed = world
                    .tx(async |tx| client::list_owned(tx, &owner, &page).await)
                    .await;
                listed.into_iter().map(|client| client.id).collect()
            };
            assert_eq!(list(Page::first(2)).await, ids[..2]);
            assert_eq!(list(Page::after(2, ids[1].clone())).await, ids[2..4]);
            assert_eq!(list(Page::before(2, ids[3].clone())).await, ids[1..3]);
            assert_eq!(list(Page::before(9, ids[0].clone())).await, []);
        }
    })
    .await;
}

#[tokio::test]
async fn clients_are_listed_by_kind_and_with_their_secrets() {
    on_each_engine(async |world| {
        let organization = world.organization().await;
        let (web, spa) = (world.new_client(Kind::WebApp), world.new_client(Kind::Spa));
        let of_web = insert(world, &web, 2).await;
        insert(world, &spa, 0).await;
        let owner = Owner::Organization(organization.id.clone());
        let machine = new_client(world, owner.clone());
        let of_machine = insert(world, &machine, 1).await;

        let page = Page::first(10);
        for (kinds, expected) in [
            (vec![], vec![&spa, &web]),
            (vec![Kind::WebApp], vec![&web]),
            (vec![Kind::Native, Kind::Spa], vec![&spa]),
        ] {
            let listed = world
                .tx(async |tx| client::list_kinds(tx, &kinds, &page).await)
                .await;
            let mut listed: Vec<_> = listed.iter().map(|client| &client.id).collect();
            listed.sort();
            let expected: Vec<_> = expected.iter().map(|client| &client.id).collect();
            assert_eq!(listed, expected, "{kinds:?}");
            let count = world
                .tx(async |tx| client::count_kinds(tx, &kinds, 99).await)
                .await;
            assert_eq!(usize::try_from(count).unwrap(), expected.len());
        }
        let secrets = async |owner: &Owner, clients: &[Client]| {
            world
                .tx(async |tx| client::secrets_of(tx, owner, clients).await)
                .await
        };
        let found = secrets(&Owner::Environment, &[web.clone(), spa.clone()]).await;
        assert_eq!((found.get(&web.id), found.len()), (Some(&of_web), 1));
        let found = secrets(&owner, std::slice::from_ref(&machine)).await;
        assert_eq!(found.get(&machine.id), Some(&of_machine));
        assert!(secrets(&owner, &[]).await.is_empty());
        assert!(secrets(&owner, &[web]).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_many_who_add_secrets_at_once_five_succeed() {
    on_each_engine(async |world| {
        world.environment().await;
        let (_, client, _) = of_organization(world, 0).await;
        let outcomes = try_race(8, async |_| {
            let secret = ClientSecret::new(world.start(), &client.id, &Secret::generate(), None);
            world
                .db
                .tx(async |tx| client::add_secret(tx, world.start(), &secret).await)
                .await
        })
        .await;
        let added = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(added, MAX_MACHINE_SECRETS);
        assert!(
            outcomes
                .iter()
                .filter_map(|outcome| outcome.as_ref().err())
                .all(|error| matches!(error, Error::Conflict(conflict::CLIENT_SECRETS)))
        );
    })
    .await;
}

#[tokio::test]
async fn of_two_who_delete_the_last_secrets_at_once_one_is_refused() {
    on_each_engine(async |world| {
        world.environment().await;
        let (_, client, secrets) = of_organization(world, 2).await;
        let outcomes = try_race(2, async |number: usize| {
            world
                .db
                .tx(async |tx| {
                    client::delete_secret(tx, world.start(), &client.id, &secrets[number].id).await
                })
                .await
        })
        .await;
        let refused: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .collect();
        assert!(
            matches!(refused[..], [Error::Conflict(conflict::LAST_CLIENT_SECRET)]),
            "{outcomes:?}"
        );
        assert_eq!(world.count("SELECT COUNT(*) FROM client_secrets").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_secret_is_refused_until_it_is_enabled_again() {
    on_each_engine(async |world| {
        let (_, client, secrets) = of_organization(world, 1).await;
        let set = async |disabled| {
            world
                .tx(async |tx| {
                    client::set_secret_disabled(tx, world.after(9), &client, &secrets[0].id, disabled).await
                })
                .await
                .unwrap()
        };
        let disabled = set(true).await;
        assert!(disabled.disabled && !disabled.is_active(T0));
        assert_eq!(disabled.updated_at, T0 + secs(9));
        assert!(set(false).await.is_active(T0));
        let unknown = world
            .tx(async |tx| client::set_secret_disabled(tx, world.start(), &client, &world.id(), true).await)
            .await;
        assert_eq!(unknown, None);
    })
    .await;
}

#[tokio::test]
async fn the_use_of_secrets_is_kept_without_waking_caches() {
    on_each_engine(async |world| {
        world.environment().await;
        let (_, client, secrets) = of_organization(world, 2).await;
        let before = world.tx(async |tx| environment::generation(tx).await).await;
        for at in [T0 + secs(5), T0 + secs(3)] {
            let used = [(secrets[0].id.clone(), at)].into();
            world.tx(async |tx| client::secrets_used(tx, &used).await).await;
        }
        let known = world.tx(async |tx| client::secrets(tx, &client.id).await).await;
        assert_eq!(known[0].last_used_at, Some(T0 + secs(5)));
        assert_eq!(known[1].last_used_at, None);
        let after = world.tx(async |tx| environment::generation(tx).await).await;
        assert_eq!(before, after);
    })
    .await;
}

#[tokio::test]
async fn machine_clients_end_with_their_owner() {
    on_each_engine(async |world| {
        world.environment().await;
        let (organization_id, _, _) = of_organization(world, 1).await;
        let resource = new_resource(world).await;
        insert(world, &new_client(world, Owner::Resource(resource.id.clone())), 1).await;
        let before = world.tx(async |tx| environment::generation(tx).await).await;
        world
            .tx(async |tx| {
                organization::delete(tx, world.start(), &organization_id).await?;
                resource::delete(tx, world.start(), &resource.id).await
            })
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM clients").await, 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM client_secrets").await, 0);
        let after = world.tx(async |tx| environment::generation(tx).await).await;
        assert!(after > before, "caches must hear of it");
    })
    .await;
}

#[tokio::test]
async fn the_environments_first_client_cannot_be_deleted() {
    on_each_engine(async |world| {
        let client = Client {
            id: world.ids.next_with_prefix("skc_", T0),
            ..world.new_client(Kind::WebApp)
        };
        insert(world, &client, 0).await;
        let refused = world
            .failed_tx(async |tx| client::delete(tx, world.start(), &client.id).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DEFAULT_CLIENT)),
            "{refused:?}"
        );
        world.client(Kind::WebApp).await;
        assert_eq!(
            world.tx(async |tx| client::default_client(tx).await).await,
            Some(client)
        );
    })
    .await;
}

#[tokio::test]
async fn a_resource_is_read_as_it_was_written_and_changed_by_one_editor() {
    on_each_engine(async |world| {
        let resource = new_resource(world).await;
        let find = async |id: &ResourceId| world.tx(async |tx| resource::find(tx, id).await).await;
        assert_eq!(find(&resource.id).await, Some(resource.clone()));
        assert_eq!(resource.audience(), "https://notes.test/mcp");
        let mut changed = resource.clone();
        changed.settings.audience = "notes".to_owned();
        world
            .tx(async |tx| resource::update(tx, world.start(), &changed).await)
            .await;
        assert_eq!(find(&resource.id).await.unwrap().audience(), "notes");
        let refused = world
            .failed_tx(async |tx| resource::update(tx, world.start(), &changed).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");

        let page = Page::first(10);
        let of = async |kind| world.tx(async |tx| resource::list(tx, kind, &page).await).await;
        assert_eq!(of(resource::Kind::McpServer).await.len(), 1);
        assert_eq!(of(resource::Kind::Web).await, []);
        let count = world
            .tx(async |tx| resource::count(tx, resource::Kind::McpServer, 99).await)
            .await;
        assert_eq!(count, 1);
    })
    .await;
}

/// A change that makes a valid client invalid, and the wrong field.
type Spoiling = (fn(&mut Client), Field);

const SPOILED: &[Spoiling] = &[
    (|client| client.name = "  ".to_owned(), Field::Name),
    (|client| client.name = "n".repeat(129), Field::Name),
    (|client| client.description = "d".repeat(513), Field::Description),
    (
        |client| client.redirect_uris.push("javascript:alert(1)".to_owned()),
        Field::RedirectUris,
    ),
    (
        |client| client.redirect_uris.push("http://localhost:3000/cb".to_owned()),
        Field::RedirectUris,
    ),
    (
        |client| client.post_logout_redirect_uris.push("/relative".to_owned()),
        Field::PostLogoutRedirectUris,
    ),
    (
        |client| client.back_channel_logout_uris.push("app:/logout".to_owned()),
        Field::BackChannelLogoutUris,
    ),
    (
        |client| {
            client.kind = Kind::Spa;
            client
                .back_channel_logout_uris
                .push("https://app.test/out".to_owned());
        },
        Field::BackChannelLogoutUris,
    ),
    (
        |client| client.initiate_login_uri = Some("app:/login".to_owned()),
        Field::InitiateLoginUri,
    ),
    (
        |client| {
            client.kind = Kind::Native;
            client.management_access = true;
        },
        Field::ManagementAccess,
    ),
    (
        |client| {
            client.owner = Owner::Organization(OrganizationId::parse("org_1").unwrap());
            client.management_access = true;
        },
        Field::ManagementAccess,
    ),
    (
        |client| client.any_loopback_redirect = true,
        Field::AnyLoopbackRedirect,
    ),
    (
        |client| client.access_token_lifetime = Some(secs(0)),
        Field::AccessTokenLifetime,
    ),
    (
        |client| client.access_token_lifetime = Some(secs(2_592_001)),
        Field::AccessTokenLifetime,
    ),
    (|client| client.audience.push(String::new()), Field::Audience),
    (|client| client.audience.push("a\nb".to_owned()), Field::Audience),
];

#[test]
fn what_no_client_may_be_is_refused_with_the_field() {
    let ids = genkan_store::Generator::with_node(0);
    let web = || {
        Client::new(
            ids.next_with_prefix("webc_", T0),
            "Demo".to_owned(),
            Kind::WebApp,
            T0,
        )
    };
    let claim = |key: &str| CustomClaim {
        key: key.to_owned(),
        value: String::new(),
    };
    assert_eq!(client::check(&web(), Environment::Production), Ok(()));
    for (number, (spoil, field)) in SPOILED.iter().enumerate() {
        let mut client = web();
        spoil(&mut client);
        let refused = client::check(&client, Environment::Production);
        assert_eq!(refused.unwrap_err().field, *field, "number {number}");
    }
    for claims in [vec![claim("")], vec![claim("a"), claim("a")]] {
        let mut client = web();
        client.custom_claims = claims;
        let refused = client::check(&client, Environment::Production).unwrap_err();
        assert_eq!(refused.field, Field::CustomClaims);
    }
}

#[test]
fn a_machine_client_gets_tokens_for_itself_alone() {
    let ids = genkan_store::Generator::with_node(0);
    let id = ids.next_with_prefix("m2m_", T0);
    let machine = Client::machine(id, String::new(), Owner::Environment, T0);
    assert!(machine.may_use(GrantType::ClientCredentials));
    assert!(!machine.may_use(GrantType::AuthorizationCode) && !machine.may_use(GrantType::RefreshToken));
    let web = Client::new(machine.id.clone(), String::new(), Kind::WebApp, T0);
    for grant_type in GrantType::ALL {
        assert!(web.may_use(*grant_type));
        let only = Client {
            grant_types: vec![*grant_type],
            ..web.clone()
        };
        for other in GrantType::ALL {
            assert_eq!(only.may_use(*other), other == grant_type);
        }
    }
}
