//! Directories: their secrets, and the people and groups that they send.

use genkan_store::directory::group::{self, AssignOutcome};
use genkan_store::directory::user::{self, Filter};
use genkan_store::directory::{self, AttributeMapping, Directory, Status, secret};
use genkan_store::event::{self, Kind};
use genkan_store::{DirectoryGroupId, Error, Page, Provider, SecretHash, conflict, role};
use serde_json::json;

use crate::support::{T0, World, on_each_engine, secs};

async fn directory(world: &World) -> Directory {
    let organization = world.organization().await;
    let directory = Directory::new(world.start(), organization.id, Some(Provider::Okta));
    world
        .tx(async |tx| directory::insert(tx, world.start(), &directory).await)
        .await;
    directory
}

fn person(user_name: &str) -> user::Profile {
    user::Profile {
        user_name: user_name.to_owned(),
        external_id: Some("00u1".to_owned()),
        emails: vec![user_name.to_owned(), "ada@home.test".to_owned()],
        given_name: Some("Ada".to_owned()),
        family_name: None,
        active: true,
        detail: json!({ "department": "Engines" }).as_object().unwrap().clone(),
    }
}

fn named(display_name: &str) -> group::Profile {
    group::Profile {
        display_name: display_name.to_owned(),
        ..group::Profile::default()
    }
}

async fn find(world: &World, directory: &Directory) -> Option<Directory> {
    world
        .tx(async |tx| directory::find(tx, &directory.organization_id, &directory.id).await)
        .await
}

async fn kinds(world: &World) -> Vec<Kind> {
    let events = world
        .tx(async |tx| event::list(tx, &event::Filter::default(), &Page::first(100)).await)
        .await;
    events.into_iter().rev().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_directory_is_read_as_it_was_written_by_its_own_organization() {
    on_each_engine(async |world| {
        let mut directory = directory(world).await;
        assert!(directory.enabled);
        assert_eq!(find(world, &directory).await.as_ref(), Some(&directory));
        directory.name = "Acme Okta".to_owned();
        directory.provider = None;
        directory.attribute_mapping = vec![AttributeMapping {
            key: "department".to_owned(),
            map_to: "team".to_owned(),
            display_name: Some("Team".to_owned()),
        }];
        world
            .tx(async |tx| directory::update(tx, world.after(1), &directory).await)
            .await;
        let refused = world
            .failed_tx(async |tx| directory::update(tx, world.after(2), &directory).await)
            .await;
        assert!(matches!(refused, Error::Stale), "{refused:?}");
        let stored = find(world, &directory).await.unwrap();
        directory.updated_at = T0 + secs(1);
        assert_eq!(stored, directory);

        let other = world.organization().await;
        let foreign = world
            .tx(async |tx| directory::find(tx, &other.id, &directory.id).await)
            .await;
        assert_eq!(foreign, None);
        let anywhere = world
            .tx(async |tx| directory::find_by_id(tx, &directory.id).await)
            .await;
        assert_eq!(anywhere.as_ref(), Some(&directory));
        let listed = world
            .tx(async |tx| directory::list(tx, &directory.organization_id).await)
            .await;
        assert_eq!(listed, [directory.clone()]);
        let context = json!({ "a": [1] }).as_object().unwrap().clone();
        let kept = world
            .tx(async |tx| {
                let (organization_id, id) = (&directory.organization_id, &directory.id);
                directory::set_context(tx, world.start(), organization_id, id, &context).await?;
                directory::context(tx, organization_id, id).await
            })
            .await;
        assert_eq!(kept, context);
    })
    .await;
}

#[tokio::test]
async fn an_enabled_directory_is_not_deleted() {
    on_each_engine(async |world| {
        let directory = directory(world).await;
        let (organization_id, id) = (&directory.organization_id, &directory.id);
        let refused = world
            .failed_tx(async |tx| directory::delete(tx, world.start(), organization_id, id).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DIRECTORY_ENABLED)),
            "{refused:?}"
        );
        let set = async |enabled| {
            world
                .tx(async |tx| directory::set_enabled(tx, world.start(), organization_id, id, enabled).await)
                .await
        };
        assert_eq!(set(false).await, Some(true));
        assert_eq!(set(false).await, Some(false));
        assert_eq!(set(true).await, Some(true));
        assert_eq!(set(false).await, Some(true));
        let delete = async || {
            world
                .tx(async |tx| directory::delete(tx, world.start(), organization_id, id).await)
                .await
        };
        assert!(delete().await);
        assert!(!delete().await);
        assert_eq!(find(world, &directory).await, None);
        assert_eq!(
            kinds(world).await[1..],
            [
                Kind::DirectoryCreated,
                Kind::OrganizationDirectoryEnabled,
                Kind::OrganizationDirectoryDisabled,
                Kind::OrganizationDirectoryEnabled,
                Kind::OrganizationDirectoryDisabled,
                Kind::DirectoryDeleted,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_secret_opens_its_own_directory_while_that_is_enabled() {
    on_each_engine(async |world| {
        let (directory, other) = (directory(world).await, directory(world).await);
        let (first, value) = world
            .tx(async |tx| secret::create(tx, world.start(), &directory).await)
            .await;
        assert!(value.expose().ends_with(&first.suffix));
        assert_eq!(find(world, &directory).await.unwrap().status, Status::InProgress);
        let verify = async |directory: &Directory, hash: &SecretHash, after| {
            world
                .tx(async |tx| secret::verify(tx, T0 + secs(after), &directory.id, hash).await)
                .await
        };
        assert!(verify(&directory, &value.sha256(), 5).await);
        assert!(verify(&directory, &value.sha256(), 6).await);
        assert!(!verify(&other, &value.sha256(), 7).await);
        assert!(!verify(&directory, &SecretHash::of(b"guess"), 7).await);
        let list = async || world.tx(async |tx| secret::list(tx, &directory.id).await).await;
        assert_eq!(
            list().await[0].last_used_at,
            Some(T0 + secs(5)),
            "once a minute at most"
        );

        world
            .tx(async |tx| secret::create(tx, world.after(1), &directory).await)
            .await;
        let refused = world
            .failed_tx(async |tx| secret::create(tx, world.after(2), &directory).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DIRECTORY_SECRETS)),
            "{refused:?}"
        );
        let (only, newest) = world
            .tx(async |tx| secret::regenerate(tx, world.after(3), &directory).await)
            .await;
        assert_eq!(list().await, [only]);
        assert!(!verify(&directory, &value.sha256(), 8).await);
        assert!(verify(&directory, &newest.sha256(), 8).await);
        world
            .tx(async |tx| {
                directory::set_enabled(
                    tx,
                    world.start(),
                    &directory.organization_id,
                    &directory.id,
                    false,
                )
                .await
            })
            .await;
        assert!(!verify(&directory, &newest.sha256(), 9).await);
    })
    .await;
}

#[tokio::test]
async fn a_person_comes_changes_and_goes() {
    on_each_engine(async |world| {
        let directory = directory(world).await;
        let upsert = async |after, profile: user::Profile| {
            world
                .tx(async |tx| user::upsert(tx, world.after(after), &directory, &profile).await)
                .await
        };
        let ada = upsert(1, person("Ada@acme.test")).await;
        let stored = world
            .tx(async |tx| user::find(tx, &directory.id, &ada.id).await)
            .await;
        assert_eq!(stored.as_ref(), Some(&ada));
        let same = upsert(2, person("Ada@acme.test")).await;
        assert_eq!(same, ada, "the same again is no change");
        let mut changed = person("ADA@acme.test");
        changed.active = false;
        let changed = upsert(3, changed).await;
        assert_eq!((&changed.id, changed.profile.active), (&ada.id, false));
        assert_eq!(changed.updated_at, T0 + secs(3));

        let bob = upsert(4, person("bob@acme.test")).await;
        let taken = world
            .failed_tx(async |tx| {
                user::update(tx, world.after(5), &directory, &bob.id, &person("ada@ACME.test")).await
            })
            .await;
        assert!(
            matches!(taken, Error::Conflict(conflict::DIRECTORY_USER_NAME)),
            "{taken:?}"
        );
        let synced = find(world, &directory).await.unwrap();
        assert_eq!(
            (synced.status, synced.last_synced_at),
            (Status::Completed, Some(T0 + secs(4)))
        );
        let delete = async || {
            world
                .tx(async |tx| user::delete(tx, world.after(6), &directory, &ada.id).await)
                .await
        };
        assert!(delete().await);
        assert!(!delete().await);
        let kinds = kinds(world).await;
        assert_eq!(
            kinds[3..],
            [
                Kind::DirectoryUserCreated,
                Kind::DirectoryUserUpdated,
                Kind::DirectoryUserCreated,
                Kind::DirectoryUserDeleted,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn groups_have_members_of_their_own_directory() {
    on_each_engine(async |world| {
        let (directory, other) = (directory(world).await, directory(world).await);
        let (group, ada, stranger) = world
            .tx(async |tx| {
                Ok((
                    group::insert(tx, world.after(1), &directory, &named("Engineers")).await?,
                    user::upsert(tx, world.after(1), &directory, &person("ada@acme.test")).await?,
                    user::upsert(tx, world.after(1), &other, &person("eve@other.test")).await?,
                ))
            })
            .await;
        let set = async |after, is_member| {
            world
                .tx(async |tx| {
                    group::set_member(
                        tx,
                        world.after(after),
                        &directory,
                        (&group.id, &ada.id),
                        is_member,
                    )
                    .await
                })
                .await
        };
        assert!(set(2, true).await);
        assert!(!set(3, true).await);
        let foreign = world
            .failed_tx(async |tx| {
                group::set_member(tx, world.after(3), &directory, (&group.id, &stranger.id), true).await
            })
            .await;
        assert!(matches!(foreign, Error::Stale), "{foreign:?}");
        let of_ada = world.tx(async |tx| group::list_for_user(tx, &ada.id).await).await;
        assert_eq!((of_ada[0].total_users, of_ada[0].updated_at), (1, T0 + secs(2)));

        let filter = Filter {
            group_id: Some(group.id.clone()),
            ..Filter::default()
        };
        let listed = world
            .tx(async |tx| user::list(tx, &directory.id, &filter, &Page::first(30)).await)
            .await;
        assert_eq!(listed, std::slice::from_ref(&ada));
        assert!(set(4, false).await);
        assert!(!set(5, false).await);
        let renamed = world
            .tx(async |tx| {
                group::update(tx, world.after(6), &directory, &group.id, &named("Engine room")).await
            })
            .await;
        assert_eq!(renamed.profile.display_name, "Engine room");
        assert!(
            world
                .tx(async |tx| group::delete(tx, world.after(7), &directory, &group.id).await)
                .await
        );
        let stats = world
            .tx(async |tx| directory::stats(tx, &directory.id).await)
            .await;
        assert_eq!((stats.users, stats.groups), (1, 0));
        assert_eq!(
            (stats.user_updated_at, stats.group_updated_at),
            (Some(T0 + secs(1)), None)
        );
    })
    .await;
}

#[tokio::test]
async fn lists_are_newest_first_and_can_begin_after_a_moment() {
    on_each_engine(async |world| {
        let directory = directory(world).await;
        let mut people = Vec::new();
        for number in 0..5 {
            let profile = person(&format!("p{number}@acme.test"));
            let group = named(&format!("g{number}"));
            people.push(
                world
                    .tx(async |tx| {
                        group::insert(tx, world.after(number), &directory, &group).await?;
                        user::upsert(tx, world.after(number), &directory, &profile).await
                    })
                    .await,
            );
        }
        people.reverse();
        let all = Filter::default();
        let first = world
            .tx(async |tx| user::list(tx, &directory.id, &all, &Page::first(2)).await)
            .await;
        assert_eq!(first, people[..2]);
        let page = Page::after(9, people[1].id.clone());
        let rest = world
            .tx(async |tx| user::list(tx, &directory.id, &all, &page).await)
            .await;
        assert_eq!(rest, people[2..]);
        let recent = Filter {
            updated_after: Some(T0 + secs(2)),
            ..Filter::default()
        };
        let (recent, count, groups, group_count) = world
            .tx(async |tx| {
                let after = recent.updated_after;
                Ok((
                    user::list(tx, &directory.id, &recent, &Page::first(30)).await?,
                    user::count(tx, &directory.id, &recent, 99).await?,
                    group::list(tx, &directory.id, after, &Page::first(30)).await?,
                    group::count(tx, &directory.id, after, 1).await?,
                ))
            })
            .await;
        assert_eq!((recent.as_slice(), count), (&people[..2], 2));
        let names: Vec<&str> = groups
            .iter()
            .map(|group| group.profile.display_name.as_str())
            .collect();
        assert_eq!((names.as_slice(), group_count), (["g4", "g3"].as_slice(), 1));
    })
    .await;
}

#[tokio::test]
async fn the_roles_of_groups_are_replaced_as_a_whole() {
    on_each_engine(async |world| {
        let (directory, other) = (directory(world).await, directory(world).await);
        let (own, foreign, roles) = world
            .tx(async |tx| {
                role::seed(tx, world.start()).await?;
                Ok((
                    group::insert(tx, world.start(), &directory, &named("Engineers")).await?,
                    group::insert(tx, world.start(), &other, &named("Strangers")).await?,
                    role::list(tx, None).await?,
                ))
            })
            .await;
        let assign = async |assignments: &[(DirectoryGroupId, genkan_store::RoleId)]| {
            world
                .tx(async |tx| group::assign_roles(tx, world.start(), &directory, assignments).await)
                .await
        };
        let assigned = async || {
            world
                .tx(async |tx| group::role_assignments(tx, &directory.organization_id, &directory.id).await)
                .await
                .into_iter()
                .map(|assignment| assignment.role_name)
                .collect::<Vec<_>>()
        };
        let both: Vec<_> = roles
            .iter()
            .map(|role| (own.id.clone(), role.id.clone()))
            .collect();
        assert_eq!(assign(&both).await, AssignOutcome::Assigned);
        assert_eq!(assigned().await, ["admin", "member"]);
        assert_eq!(
            assign(&[(foreign.id.clone(), roles[0].id.clone())]).await,
            AssignOutcome::UnknownGroup(foreign.id.clone())
        );
        assert_eq!(assigned().await, ["admin", "member"]);
        assign(&both[..1]).await;
        assert_eq!(assigned().await, ["admin"]);

        // A role that a group gives is not deleted silently.
        let clerk = crate::role::add(world, Some(&directory.organization_id), "clerk", None).await;
        assign(&[(own.id.clone(), clerk.id.clone())]).await;
        let refused = world
            .failed_tx(async |tx| role::delete(tx, world.start(), &clerk, None).await)
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::ROLE_OF_GROUP)),
            "{refused:?}"
        );
        world
            .tx(async |tx| role::delete(tx, world.start(), &clerk, Some(&roles[1])).await)
            .await;
        assert_eq!(assigned().await, ["member"]);
        assign(&[]).await;
        assert_eq!(assigned().await, Vec::<String>::new());
    })
    .await;
}
