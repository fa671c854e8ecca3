//! Roles: of the environment and of organizations, and what extends what.

use genkan_store::event::{self, Filter, Kind};
use genkan_store::organization::Organization;
use genkan_store::role::{self, Base, NewRole, Role};
use genkan_store::{Error, OrganizationId, Page, UserId, conflict, environment, membership, organization};

use crate::support::{T0, World, on_each_engine, race, try_race};

/// A role with this name.
pub(crate) async fn try_add(
    world: &World,
    organization_id: Option<&OrganizationId>,
    name: &str,
    base: Option<&Role>,
) -> Result<Role, Error> {
    let role = NewRole {
        id: world.id(),
        organization_id,
        name,
        display_name: name,
        description: "",
        assignable_by_providers: false,
        base,
        permissions: &[],
    };
    world
        .db
        .tx(async |tx| {
            role::insert(tx, world.start(), &role).await?;
            Ok(role::find(tx, organization_id, name).await?.unwrap())
        })
        .await
}

pub(crate) async fn add(
    world: &World,
    organization_id: Option<&OrganizationId>,
    name: &str,
    base: Option<&Role>,
) -> Role {
    try_add(world, organization_id, name, base).await.unwrap()
}

async fn find(world: &World, organization_id: Option<&OrganizationId>, name: &str) -> Option<Role> {
    world
        .tx(async |tx| role::find(tx, organization_id, name).await)
        .await
}

async fn names(world: &World, organization_id: Option<&OrganizationId>) -> Vec<String> {
    let roles = world.tx(async |tx| role::list(tx, organization_id).await).await;
    roles.into_iter().map(|role| role.name).collect()
}

async fn delete(world: &World, role: &Role, replacement: Option<&Role>) -> Result<bool, Error> {
    world
        .db
        .tx(async |tx| role::delete(tx, world.start(), role, replacement).await)
        .await
}

async fn extend(world: &World, role: &Role, base: Option<&Role>) -> Result<(), Error> {
    let organization_id = role.organization_id.as_ref();
    world
        .db
        .tx(async |tx| {
            let mut role = role::find_own(tx, organization_id, &role.name).await?.unwrap();
            role.base = base.map(Base::from);
            role::update(tx, world.start(), &role, None).await
        })
        .await
}

pub(crate) async fn member(
    world: &World,
    organization: &Organization,
    address: &str,
    roles: &[&str],
) -> UserId {
    let user = world.user(address).await;
    let names: Vec<String> = roles.iter().map(|name| (*name).to_owned()).collect();
    world
        .tx(async |tx| {
            membership::insert(tx, world.start(), &organization.id, &user.id).await?;
            membership::set_roles(tx, world.start(), &organization.id, &user.id, &names).await
        })
        .await;
    user.id
}

pub(crate) async fn roles_of(world: &World, organization: &Organization, user_id: &UserId) -> Vec<String> {
    world
        .tx(async |tx| membership::roles_of(tx, &organization.id, user_id).await)
        .await
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, Error>, name: &str) {
    match result {
        Err(Error::Conflict(conflict)) => assert_eq!(conflict, name),
        other => panic!("{other:?} is not the conflict {name}"),
    }
}

#[tokio::test]
async fn an_environment_starts_with_two_roles_and_keeps_what_became_of_them() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let roles = world.tx(async |tx| role::list(tx, None).await).await;
        let summary: Vec<_> = roles
            .iter()
            .map(|role| (role.name.as_str(), role.default_creator, role.default_member))
            .collect();
        assert_eq!(summary, [("admin", true, false), ("member", false, true)]);
        assert_eq!(find(world, None, "admin").await.as_ref(), Some(&roles[0]));
        assert_eq!(find(world, None, "Admin").await, None);
        for (is_first, expected) in [(true, &roles[..1]), (false, &roles[1..])] {
            let defaults = world
                .tx(async |tx| role::defaults(tx, &organization.id, is_first).await)
                .await;
            assert_eq!(defaults, expected);
        }

        assert!(delete(world, &roles[1], Some(&roles[0])).await.unwrap());
        world.tx(async |tx| role::seed(tx, world.start()).await).await;
        assert_eq!(
            names(world, None).await,
            ["admin"],
            "what was deleted stays deleted"
        );
    })
    .await;
}

#[tokio::test]
async fn a_role_of_an_organization_is_seen_and_given_there_alone() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let auditor = add(world, Some(&acme.id), "auditor", None).await;
        assert_eq!(auditor.organization_id.as_ref(), Some(&acme.id));
        // Two organizations may use one name.
        add(world, Some(&other.id), "auditor", None).await;

        assert_eq!(names(world, None).await, ["admin", "member"]);
        assert_eq!(names(world, Some(&acme.id)).await, ["admin", "auditor", "member"]);
        assert_eq!(find(world, None, "auditor").await, None);
        assert_eq!(
            find(world, Some(&acme.id), "auditor").await,
            Some(auditor.clone())
        );
        let own = async |id, name| world.tx(async |tx| role::find_own(tx, id, name).await).await;
        assert_eq!(own(Some(&acme.id), "auditor").await, Some(auditor));
        assert_eq!(
            own(Some(&acme.id), "member").await,
            None,
            "only the environment changes it"
        );
        assert_eq!(own(None, "auditor").await, None);

        let clerk = add(world, Some(&acme.id), "clerk", None).await;
        let ada = member(world, &acme, "ada@acme.test", &["auditor", "clerk", "member"]).await;
        let bob = member(world, &other, "bob@other.test", &["auditor", "clerk"]).await;
        assert_eq!(roles_of(world, &acme, &ada).await, ["auditor", "clerk", "member"]);
        assert_eq!(
            roles_of(world, &other, &bob).await,
            ["auditor"],
            "clerk is another's"
        );
        let count = async |id| {
            world
                .tx(async |tx| role::count_users(tx, id, &clerk.id).await)
                .await
        };
        assert_eq!(
            (count(Some(&acme.id)).await, count(Some(&other.id)).await),
            (1, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_means_one_role_wherever_it_counts() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        add(world, Some(&acme.id), "auditor", None).await;
        is_conflict(try_add(world, None, "member", None).await, conflict::ROLE_NAME);
        is_conflict(
            try_add(world, Some(&acme.id), "member", None).await,
            conflict::ROLE_NAME,
        );
        is_conflict(
            try_add(world, Some(&acme.id), "auditor", None).await,
            conflict::ROLE_NAME,
        );
        // A token that says "auditor" would mean another role in this organization.
        is_conflict(try_add(world, None, "auditor", None).await, conflict::ROLE_NAME);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_add_a_name_at_once_one_does() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let outcomes = try_race(6, async |number| {
            let organization_id = (number % 2 == 0).then_some(&acme.id);
            try_add(world, organization_id, "auditor", None).await
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM roles WHERE name = 'auditor'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_role_extends_only_what_everybody_who_has_it_could_have() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let member = find(world, None, "member").await.unwrap();
        let clerk = add(world, Some(&acme.id), "clerk", Some(&member)).await;
        assert_eq!(clerk.base, Some(Base::from(&member)));
        let chief = add(world, Some(&acme.id), "chief", Some(&clerk)).await;
        for organization_id in [None, Some(&other.id)] {
            let refused = try_add(world, organization_id, "spy", Some(&clerk)).await;
            is_conflict(refused, conflict::ROLE_BASE);
        }

        let seen = async |id, name| find(world, id, name).await.unwrap().dependents;
        assert_eq!(seen(None, "member").await, 1, "the environment sees all");
        assert_eq!(seen(Some(&acme.id), "member").await, 1);
        assert_eq!(
            seen(Some(&other.id), "member").await,
            0,
            "not what others made of it"
        );
        let dependents = world
            .tx(async |tx| role::list_dependents(tx, &member.id).await)
            .await;
        assert_eq!(dependents.len(), 1);
        assert_eq!(
            (dependents[0].name.as_str(), &dependents[0].base),
            ("clerk", &clerk.base)
        );

        extend(world, &chief, None).await.unwrap();
        assert_eq!(find(world, Some(&acme.id), "chief").await.unwrap().base, None);
        assert_eq!(seen(Some(&acme.id), "clerk").await, 0);
    })
    .await;
}

#[tokio::test]
async fn roles_never_extend_each_other_in_a_circle() {
    on_each_engine(async |world| {
        let a = add(world, None, "a", None).await;
        let b = add(world, None, "b", Some(&a)).await;
        let c = add(world, None, "c", Some(&b)).await;
        for base in [&a, &b, &c] {
            is_conflict(extend(world, &a, Some(base)).await, conflict::ROLE_CYCLE);
        }
        extend(world, &c, Some(&a)).await.unwrap();
        // Two halves of a circle at once: one of them fails.
        let d = add(world, None, "d", None).await;
        let pairs = [(&a, &d), (&d, &a)];
        let outcomes = try_race(2, async |number| {
            let (role, base) = pairs[number];
            extend(world, role, Some(base)).await
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_chain_of_roles_has_an_end() {
    on_each_engine(async |world| {
        let mut chain = vec![add(world, None, "r0", None).await];
        while (chain.len() as i64) < role::MAX_DEPTH {
            let name = format!("r{}", chain.len());
            chain.push(add(world, None, &name, chain.last()).await);
        }
        is_conflict(
            try_add(world, None, "longer", chain.last()).await,
            conflict::ROLE_DEPTH,
        );
        // Nor at the other end.
        let top = add(world, None, "top", None).await;
        is_conflict(extend(world, &chain[0], Some(&top)).await, conflict::ROLE_DEPTH);
        extend(world, &chain[1], Some(&top)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_role_in_use_is_deleted_only_with_another_in_its_place() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let clerk = add(world, None, "clerk", None).await;
        let teller = add(world, None, "teller", None).await;
        let ada = member(world, &acme, "ada@acme.test", &["clerk", "member"]).await;
        let bob = member(world, &acme, "bob@acme.test", &["clerk", "teller"]).await;
        is_conflict(delete(world, &clerk, None).await, conflict::ROLE_ASSIGNED);
        is_conflict(delete(world, &clerk, Some(&clerk)).await, conflict::ROLE_BASE);
        assert!(delete(world, &clerk, Some(&teller)).await.unwrap());
        assert_eq!(roles_of(world, &acme, &ada).await, ["member", "teller"]);
        assert_eq!(roles_of(world, &acme, &bob).await, ["teller"]);
        assert_eq!(find(world, None, "clerk").await, None);
        assert!(!delete(world, &clerk, None).await.unwrap(), "it is gone already");
    })
    .await;
}

#[tokio::test]
async fn nobody_gets_another_organizations_role_in_place_of_a_deleted_one() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let everywhere = add(world, None, "everywhere", None).await;
        let ours = add(world, Some(&acme.id), "ours", None).await;
        let theirs = add(world, Some(&other.id), "theirs", None).await;
        member(world, &other, "bob@other.test", &["everywhere"]).await;
        is_conflict(delete(world, &everywhere, Some(&ours)).await, conflict::ROLE_BASE);
        is_conflict(delete(world, &ours, Some(&theirs)).await, conflict::ROLE_BASE);
        assert!(delete(world, &ours, Some(&everywhere)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_role_that_others_extend_stays() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let base = add(world, None, "base", None).await;
        let spare = add(world, None, "spare", None).await;
        let child = add(world, Some(&acme.id), "child", Some(&base)).await;
        is_conflict(delete(world, &base, None).await, conflict::ROLE_EXTENDED);
        is_conflict(delete(world, &base, Some(&spare)).await, conflict::ROLE_EXTENDED);
        assert!(delete(world, &child, None).await.unwrap());
        assert!(delete(world, &base, None).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn of_many_who_delete_a_role_at_once_one_does() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let clerk = add(world, None, "clerk", None).await;
        let member_role = find(world, None, "member").await.unwrap();
        let ada = member(world, &acme, "ada@acme.test", &["clerk"]).await;
        let deleted = race(4, async |_| delete(world, &clerk, Some(&member_role)).await).await;
        assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
        assert_eq!(roles_of(world, &acme, &ada).await, ["member"]);
    })
    .await;
}

/// In any order: no member is left with a deleted role, and none loses a role silently.
#[tokio::test]
async fn a_role_is_not_deleted_while_it_is_being_given() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        for round in 0..4 {
            let name = format!("clerk_{round}");
            let clerk = add(world, Some(&acme.id), &name, None).await;
            let ada = member(world, &acme, &format!("ada{round}@acme.test"), &[]).await;
            let outcomes = try_race(2, async |number| {
                if number == 0 {
                    return delete(world, &clerk, None).await;
                }
                let names = [name.clone()];
                let give = world
                    .db
                    .tx(async |tx| membership::set_roles(tx, world.start(), &acme.id, &ada, &names).await);
                give.await.map(|()| true)
            })
            .await;
            let is_deleted = outcomes[0].is_ok();
            assert_eq!(roles_of(world, &acme, &ada).await.is_empty(), is_deleted);
        }
    })
    .await;
}

#[tokio::test]
async fn new_members_get_the_default_of_the_organization_or_else_of_the_environment() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let [founder, guest] = [
            add(world, None, "founder", None).await,
            add(world, None, "guest", None).await,
        ];
        let clerk = add(world, Some(&acme.id), "clerk", None).await;
        world
            .tx(async |tx| {
                role::set_default_creator(tx, world.start(), &founder).await?;
                role::set_default_member(tx, world.start(), &guest).await?;
                role::set_organization_default(tx, world.start(), &acme.id, &clerk).await
            })
            .await;
        let join = async |organization: &Organization, address: &str| {
            let user = world.user(address).await;
            let joined =
                world.tx(async |tx| membership::insert(tx, world.start(), &organization.id, &user.id).await);
            joined.await.roles
        };
        assert_eq!(join(&acme, "ada@acme.test").await, ["founder"]);
        assert_eq!(join(&acme, "bob@acme.test").await, ["clerk"]);
        assert_eq!(join(&other, "eve@other.test").await, ["founder"]);
        assert_eq!(join(&other, "mel@other.test").await, ["guest"]);
        let flags = async |id| {
            let roles = world.tx(async |tx| role::list(tx, id).await).await;
            let default = roles.into_iter().filter(|role| role.default_member);
            default.map(|role| role.name).collect::<Vec<_>>()
        };
        assert_eq!(flags(None).await, ["guest"]);
        assert_eq!(flags(Some(&acme.id)).await, ["clerk"]);
        let refused = world
            .failed_tx(async |tx| role::set_organization_default(tx, world.start(), &other.id, &clerk).await)
            .await;
        assert!(
            matches!(refused, Error::Stale),
            "another organization's role: {refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_default_role_passes_its_place_on() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let old = find(world, None, "member").await.unwrap();
        let new = add(world, None, "guest", None).await;
        let clerk = add(world, Some(&acme.id), "clerk", None).await;
        is_conflict(delete(world, &old, None).await, conflict::ROLE_DEFAULT);
        world
            .tx(async |tx| role::set_organization_default(tx, world.start(), &acme.id, &old).await)
            .await;
        assert!(delete(world, &old, Some(&new)).await.unwrap());
        let default = async |id| {
            let roles = world.tx(async |tx| role::list(tx, id).await).await;
            roles.into_iter().find(|role| role.default_member).unwrap().name
        };
        assert_eq!(default(None).await, "guest");
        assert_eq!(default(Some(&acme.id)).await, "guest");
        // The organization then uses the environment's default.
        world
            .tx(async |tx| role::set_organization_default(tx, world.start(), &acme.id, &clerk).await)
            .await;
        assert!(delete(world, &clerk, None).await.unwrap());
        assert_eq!(default(Some(&acme.id)).await, "guest");
    })
    .await;
}

#[tokio::test]
async fn an_organization_takes_its_roles_with_it() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        let base = add(world, Some(&acme.id), "base", None).await;
        add(world, Some(&acme.id), "child", Some(&base)).await;
        add(world, Some(&other.id), "base", None).await;
        member(world, &acme, "ada@acme.test", &["child"]).await;
        world
            .tx(async |tx| organization::delete(tx, world.start(), &acme.id).await)
            .await;
        assert_eq!(names(world, Some(&other.id)).await, ["admin", "base", "member"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM roles").await, 3);
        assert_eq!(world.count("SELECT COUNT(*) FROM membership_roles").await, 0);
    })
    .await;
}

#[tokio::test]
async fn of_two_editors_of_a_role_the_slower_one_must_look_again() {
    on_each_engine(async |world| {
        let mut role = add(world, None, "clerk", None).await;
        role.description = "Keeps the books".to_owned();
        world
            .tx(async |tx| role::update(tx, world.start(), &role, None).await)
            .await;
        let refused = world
            .failed_tx(async |tx| role::update(tx, world.start(), &role, None).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
        let updated = find(world, None, "clerk").await.unwrap();
        assert_eq!(updated.description, "Keeps the books");
        assert_eq!(updated.created_at, T0);
        assert!(updated.updated_at > T0);
    })
    .await;
}

#[tokio::test]
async fn changes_of_roles_are_events_and_reach_the_caches() {
    on_each_engine(async |world| {
        world.environment().await;
        let (acme, _) = world.company("acme.test").await;
        let mut last = 0;
        let mut grew = async || {
            let generation = world.tx(async |tx| environment::generation(tx).await).await;
            assert!(generation > last);
            last = generation;
        };
        let clerk = add(world, Some(&acme.id), "clerk", None).await;
        grew().await;
        extend(world, &clerk, None).await.unwrap();
        grew().await;
        world
            .tx(async |tx| role::set_organization_default(tx, world.start(), &acme.id, &clerk).await)
            .await;
        grew().await;
        delete(world, &clerk, None).await.unwrap();
        grew().await;

        let filter = Filter {
            organization_id: Some(acme.id.clone()),
            ..Filter::default()
        };
        let events = world
            .tx(async |tx| event::list(tx, &filter, &Page::first(4)).await)
            .await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        let expected = [
            Kind::RoleDeleted,
            Kind::RoleUpdated,
            Kind::RoleUpdated,
            Kind::RoleCreated,
        ];
        assert_eq!(kinds, expected);
        for event in events {
            assert_eq!(event.data["role_id"], clerk.id.as_str());
            assert_eq!(event.data["name"], "clerk");
        }
    })
    .await;
}
