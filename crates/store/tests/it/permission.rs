//! Permissions: what roles allow, and what members get from that.

use genkan_store::event::{self, Filter, Kind};
use genkan_store::organization::Organization;
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, Base, Role};
use genkan_store::{Error, OrganizationId, Page, UserId, conflict, membership, subject};

use crate::role::{add, member};
use crate::support::{T0, World, on_each_engine, try_race};

async fn try_permit(world: &World, name: &str) -> Result<Permission, Error> {
    let permission = Permission {
        id: world.id(),
        name: name.to_owned(),
        description: format!("May {name}"),
        created_at: T0,
        updated_at: T0,
    };
    world
        .db
        .tx(async |tx| permission::insert(tx, world.start(), &permission).await)
        .await
        .map(|()| permission)
}

/// A new permission of some roles.
async fn permit(world: &World, name: &str, roles: &[&Role]) -> Permission {
    let permission = try_permit(world, name).await.unwrap();
    for role in roles {
        give(world, role, &permission).await;
    }
    permission
}

async fn give(world: &World, role: &Role, permission: &Permission) {
    let permissions = [permission.clone()];
    world
        .tx(async |tx| role::permit(tx, world.start(), role, &permissions).await)
        .await;
}

fn names(permissions: &[Permission]) -> Vec<&str> {
    permissions
        .iter()
        .map(|permission| permission.name.as_str())
        .collect()
}

/// What a token contains and what the management API says. They never differ.
async fn may(world: &World, organization: &Organization, user_id: &UserId) -> Vec<String> {
    let (subject, effective) = world
        .tx(async |tx| {
            let subject = subject::find(tx, user_id, Some(&organization.id), None).await?;
            let effective = role::effective_permissions(tx, &organization.id, user_id).await?;
            Ok((subject.unwrap().permissions, effective))
        })
        .await;
    assert_eq!(subject, names(&effective));
    subject
}

#[tokio::test]
async fn permissions_are_kept_under_their_names() {
    on_each_engine(async |world| {
        let read = permit(world, "invoices:read", &[]).await;
        let write = permit(world, "invoices:write", &[]).await;
        let found = world
            .tx(async |tx| permission::find(tx, "invoices:read").await)
            .await;
        assert_eq!(found, Some(read.clone()));
        assert!(matches!(
            try_permit(world, "invoices:read").await,
            Err(Error::Conflict(conflict::PERMISSION_NAME))
        ));
        let taken = Permission {
            name: "invoices:write".to_owned(),
            ..read.clone()
        };
        let refused = world
            .failed_tx(async |tx| permission::update(tx, world.start(), &taken).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::PERMISSION_NAME)),
            "{refused:?}"
        );

        let described = Permission {
            description: "Sees them".to_owned(),
            ..read.clone()
        };
        world
            .tx(async |tx| permission::update(tx, world.start(), &described).await)
            .await;
        let late = world
            .failed_tx(async |tx| permission::update(tx, world.start(), &described).await)
            .await;
        assert!(matches!(late, Error::Stale), "{late:?}");

        let page = async |page: Page<_>| world.tx(async |tx| permission::list(tx, &page).await).await;
        assert_eq!(names(&page(Page::first(1)).await), ["invoices:write"]);
        assert_eq!(
            names(&page(Page::after(1, write.id.clone())).await),
            ["invoices:read"]
        );
        assert_eq!(world.tx(async |tx| permission::count(tx).await).await, 2);
        for deleted in [true, false] {
            let outcome = world
                .tx(async |tx| permission::delete(tx, world.start(), &read).await)
                .await;
            assert_eq!(outcome, deleted);
        }
        let kinds: Vec<_> = world
            .tx(async |tx| event::list(tx, &Filter::default(), &Page::first(4)).await)
            .await
            .into_iter()
            .map(|event| event.kind)
            .collect();
        let expected = [
            Kind::PermissionDeleted,
            Kind::PermissionUpdated,
            Kind::PermissionCreated,
            Kind::PermissionCreated,
        ];
        assert_eq!(kinds, expected);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_add_a_permission_at_once_one_does() {
    on_each_engine(async |world| {
        let outcomes = try_race(4, async |_| try_permit(world, "invoices:read").await).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_role_has_what_it_was_given_and_what_it_inherits() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let reader = add(world, None, "reader", None).await;
        let writer = add(world, None, "writer", Some(&reader)).await;
        let chief = add(world, Some(&acme.id), "chief", Some(&writer)).await;
        let read = permit(world, "read", &[&reader, &chief]).await;
        permit(world, "write", &[&writer]).await;
        permit(world, "Delete", &[&chief]).await;

        let own = async |role: &Role| {
            world
                .tx(async |tx| permission::list_for_role(tx, &role.id).await)
                .await
        };
        let effective = async |role: &Role| {
            world
                .tx(async |tx| permission::list_effective(tx, &role.id).await)
                .await
        };
        assert_eq!(names(&own(&chief).await), ["Delete", "read"]);
        assert_eq!(names(&effective(&chief).await), ["Delete", "read", "write"]);
        assert_eq!(names(&effective(&writer).await), ["read", "write"]);
        assert_eq!(names(&own(&writer).await), ["write"]);
        assert_eq!(effective(&reader).await, std::slice::from_ref(&read));

        let by_role =
            async |id: Option<&OrganizationId>| world.tx(async |tx| permission::by_role(tx, id).await).await;
        assert_eq!(
            names(&by_role(Some(&acme.id)).await[&chief.id]),
            ["Delete", "read"]
        );
        assert_eq!(
            by_role(None).await.len(),
            2,
            "another's roles are not looked into"
        );

        let mut free = chief.clone();
        free.base = None;
        world
            .tx(async |tx| role::update(tx, world.start(), &free, None).await)
            .await;
        assert_eq!(names(&effective(&chief).await), ["Delete", "read"]);
    })
    .await;
}

#[tokio::test]
async fn permissions_of_a_role_are_added_taken_and_replaced() {
    on_each_engine(async |world| {
        let clerk = add(world, None, "clerk", None).await;
        let all = [
            permit(world, "a", &[]).await,
            permit(world, "b", &[]).await,
            permit(world, "c", &[]).await,
        ];
        let own = async || {
            let own = world
                .tx(async |tx| permission::list_for_role(tx, &clerk.id).await)
                .await;
            names(&own).join(" ")
        };
        for _ in 0..2 {
            world
                .tx(async |tx| role::permit(tx, world.start(), &clerk, &all[..2]).await)
                .await;
            assert_eq!(own().await, "a b");
        }
        for removed in [true, false] {
            let outcome = world
                .tx(async |tx| role::forbid(tx, world.start(), &clerk, &all[0]).await)
                .await;
            assert_eq!((outcome, own().await.as_str()), (removed, "b"));
        }
        world
            .tx(async |tx| {
                let wanted = [all[0].clone(), all[2].clone(), all[2].clone()];
                role::update(tx, world.start(), &clerk, Some(&wanted)).await
            })
            .await;
        assert_eq!(own().await, "a c");
        let filter = Filter {
            kind: Some(Kind::RoleUpdated),
            ..Filter::default()
        };
        let events = world
            .tx(async |tx| event::list(tx, &filter, &Page::first(10)).await)
            .await;
        assert_eq!(events.len(), 3, "each change is told once: {events:?}");
        world
            .tx(async |tx| permission::delete(tx, world.start(), &all[0]).await)
            .await;
        assert_eq!(own().await, "c", "a deleted permission leaves every role");
    })
    .await;
}

#[tokio::test]
async fn a_member_may_what_their_roles_in_this_organization_allow() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let reader = add(world, None, "reader", None).await;
        let writer = add(world, None, "writer", Some(&reader)).await;
        let clerk = add(world, Some(&acme.id), "clerk", None).await;
        let read = permit(world, "read", &[&reader, &clerk]).await;
        permit(world, "write", &[&writer]).await;
        permit(world, "count", &[&clerk]).await;
        let ada = member(world, &acme, "ada@acme.test", &["writer", "clerk"]).await;
        world
            .tx(async |tx| membership::insert(tx, world.start(), &other.id, &ada).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, ["count", "read", "write"]);
        assert_eq!(
            may(world, &other, &ada).await,
            [""; 0],
            "roles do not leave their organization"
        );

        // Each change counts at once, wherever in the chain it happens.
        let edit = permit(world, "edit", &[&reader]).await;
        assert_eq!(may(world, &acme, &ada).await, ["count", "edit", "read", "write"]);
        let renamed = Permission {
            name: "amend".to_owned(),
            ..edit
        };
        world
            .tx(async |tx| permission::update(tx, world.start(), &renamed).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, ["amend", "count", "read", "write"]);
        let mut free = writer.clone();
        free.base = None;
        world
            .tx(async |tx| role::update(tx, world.start(), &free, None).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, ["count", "read", "write"]);
        give(world, &writer, &read).await;
        assert_eq!(
            may(world, &acme, &ada).await,
            ["count", "read", "write"],
            "two of their roles have it, and it comes once"
        );
        world
            .tx(async |tx| permission::delete(tx, world.start(), &read).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, ["count", "write"]);
        free = world
            .tx(async |tx| role::find(tx, None, "writer").await)
            .await
            .unwrap();
        free.base = Some(Base::from(&reader));
        world
            .tx(async |tx| role::update(tx, world.start(), &free, None).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, ["amend", "count", "write"]);
        world
            .tx(async |tx| membership::set_roles(tx, world.start(), &acme.id, &ada, &[]).await)
            .await;
        assert_eq!(may(world, &acme, &ada).await, [""; 0]);

        let outsider = world.user("eve@evil.test").await.id;
        let stranger = world
            .tx(async |tx| role::effective_permissions(tx, &acme.id, &outsider).await)
            .await;
        assert_eq!(stranger, []);
    })
    .await;
}
