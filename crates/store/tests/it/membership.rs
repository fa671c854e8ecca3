//! Memberships and roles.

use genkan_store::grant::{self, Grant};
use genkan_store::session::{self, SignIn};
use genkan_store::{
    Error, OrganizationId, Page, UserId, client, conflict, membership, organization, subject, user,
};

use crate::support::{LIFETIMES, T0, World, hash, on_each_engine};

async fn join(world: &World, organization_id: &OrganizationId, address: &str) -> UserId {
    let user = world.user(address).await;
    world
        .tx(async |tx| membership::insert(tx, world.start(), organization_id, &user.id).await)
        .await;
    user.id
}

async fn roles(world: &World, organization_id: &OrganizationId, user_id: &UserId) -> Vec<String> {
    world
        .tx(async |tx| membership::roles_of(tx, organization_id, user_id).await)
        .await
}

#[tokio::test]
async fn the_first_member_of_an_organization_is_its_admin() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let ada = join(world, &organization.id, "ada@acme.test").await;
        let bob = join(world, &organization.id, "bob@acme.test").await;
        assert_eq!(roles(world, &organization.id, &ada).await, ["admin"]);
        assert_eq!(roles(world, &organization.id, &bob).await, ["member"]);
        assert_eq!(roles(world, &other.id, &ada).await, [""; 0]);

        let again = world
            .failed_tx(async |tx| membership::insert(tx, world.start(), &organization.id, &ada).await)
            .await;
        assert!(
            matches!(again, Error::Conflict(conflict::MEMBERSHIP)),
            "{again:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn roles_are_replaced_and_unknown_ones_left_out() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let ada = join(world, &organization.id, "ada@acme.test").await;
        let set = async |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            world
                .tx(async |tx| membership::set_roles(tx, world.start(), &organization.id, &ada, &names).await)
                .await;
            roles(world, &organization.id, &ada).await
        };
        assert_eq!(
            set(&["member", "admin", "member", "root"]).await,
            ["admin", "member"]
        );
        assert_eq!(set(&["member"]).await, ["member"]);
        assert_eq!(set(&[]).await, [""; 0]);

        let stranger: UserId = world.id();
        let refused = world
            .failed_tx(async |tx| {
                membership::set_roles(tx, world.start(), &organization.id, &stranger, &[]).await
            })
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn tokens_speak_of_a_member_of_the_organization_or_of_nobody() {
    on_each_engine(async |world| {
        let (mut organization, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        organization.external_id = Some("acme-1".to_owned());
        world
            .tx(async |tx| organization::update(tx, world.start(), &organization).await)
            .await;
        let ada = join(world, &organization.id, "ada@acme.test").await;
        let user = world.tx(async |tx| user::find(tx, &ada).await).await.unwrap();
        let names = vec!["member".to_owned(), "admin".to_owned()];
        world
            .tx(async |tx| membership::set_roles(tx, world.start(), &organization.id, &ada, &names).await)
            .await;
        let groups = ["engineering".to_owned()];
        world
            .tx(async |tx| membership::set_groups(tx, &organization.id, &ada, &groups).await)
            .await;
        let find = async |organization_id| {
            world
                .tx(async |tx| subject::find(tx, &ada, organization_id, None).await)
                .await
        };

        let inside = find(Some(&organization.id)).await.unwrap();
        assert_eq!(inside.user, user);
        assert_eq!(inside.roles, ["admin", "member"]);
        assert_eq!(inside.groups, ["engineering"]);
        assert_eq!(inside.organization_external_id.as_deref(), Some("acme-1"));
        let nowhere = find(None).await.unwrap();
        assert_eq!(
            (nowhere.user, nowhere.roles, nowhere.organization_external_id),
            (user, vec![], None)
        );
        assert_eq!(find(Some(&other.id)).await, None, "an outsider");

        world
            .tx(async |tx| user::set_disabled(tx, world.start(), &ada, true).await)
            .await;
        assert_eq!(find(Some(&organization.id)).await, None);
        assert_eq!(find(None).await, None);
        let unknown: UserId = world.id();
        assert_eq!(
            world
                .tx(async |tx| subject::find(tx, &unknown, None, None).await)
                .await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn memberships_are_listed_from_both_sides() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let ada = join(world, &organization.id, "ada@acme.test").await;
        let bob = join(world, &organization.id, "bob@acme.test").await;
        world
            .tx(async |tx| membership::insert(tx, world.start(), &other.id, &ada).await)
            .await;

        let of_ada = world
            .tx(async |tx| membership::list_for_user(tx, &ada).await)
            .await;
        let organizations: Vec<_> = of_ada
            .iter()
            .map(|membership| &membership.organization_id)
            .collect();
        assert_eq!(organizations, [&organization.id, &other.id]);
        let members = |page: Page<UserId>| {
            let organization_id = &organization.id;
            async move {
                let list =
                    world.tx(async |tx| membership::list_for_organization(tx, organization_id, &page).await);
                list.await
                    .into_iter()
                    .map(|membership| membership.user_id)
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(members(Page::first(10)).await, [bob.clone(), ada.clone()]);
        assert_eq!(members(Page::first(1)).await, vec![bob.clone()]);
        assert_eq!(members(Page::after(1, bob)).await, [ada]);
    })
    .await;
}

#[tokio::test]
async fn who_leaves_an_organization_is_signed_out_of_it_alone() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let user = world.user("ada@acme.test").await;
        world
            .tx(async |tx| membership::insert(tx, world.start(), &organization.id, &user.id).await)
            .await;
        let sign_in = SignIn {
            organization_id: Some(organization.id.clone()),
            ..world.sign_in(&user)
        };
        world
            .tx(async |tx| session::start(tx, world.start(), &sign_in, &hash("inside"), LIFETIMES).await)
            .await;
        world.session(&user, "outside").await;

        let delete = async |tx: &mut genkan_db::Tx<'_>| {
            membership::delete(tx, world.start(), &organization.id, &user.id).await
        };
        assert!(world.tx(delete).await);
        assert!(!world.tx(delete).await);

        let by = async |cookie| {
            world
                .tx(async |tx| session::find_live_by_token(tx, &hash(cookie), T0).await)
                .await
                .is_some()
        };
        assert!(!by("inside").await);
        assert!(by("outside").await);
        let found = world
            .tx(async |tx| membership::find(tx, &organization.id, &user.id).await)
            .await;
        assert_eq!(found, None);
    })
    .await;
}

/// A session moves to another organization when its person signs in there.
#[tokio::test]
async fn who_leaves_an_organization_loses_its_grants_wherever_their_session_is_by_then() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let client = world.client(client::Kind::WebApp).await;
        let user = world.user("ada@acme.test").await;
        let mut sign_in = world.sign_in(&user);
        let mut grants = Vec::new();
        for (organization_id, cookie) in [(&organization.id, "first"), (&other.id, "second")] {
            sign_in.organization_id = Some(organization_id.clone());
            let known = grants.first().map(|grant: &Grant| grant.session_id.clone());
            let session = world
                .tx(async |tx| {
                    membership::insert(tx, world.start(), organization_id, &user.id).await?;
                    match &known {
                        Some(_) => {
                            session::rejoin(tx, world.start(), &sign_in, &hash(cookie), LIFETIMES).await
                        }
                        None => session::start(tx, world.start(), &sign_in, &hash(cookie), LIFETIMES).await,
                    }
                })
                .await;
            grants.push(world.grant(&client, &session).await);
        }

        world
            .tx(async |tx| membership::delete(tx, world.start(), &organization.id, &user.id).await)
            .await;
        let lives = async |grant: &Grant| {
            world
                .tx(async |tx| grant::find_live(tx, &grant.id, T0).await)
                .await
                .is_some()
        };
        assert!(!lives(&grants[0]).await);
        assert!(lives(&grants[1]).await);
    })
    .await;
}
