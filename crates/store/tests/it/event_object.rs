//! Objects of events, as they were at the time of the event.

use std::collections::BTreeSet;

use genkan_db::p;
use genkan_db::testing::Scratch;
use genkan_store::directory::{self, Directory, group, secret, user as person};
use genkan_store::domain::{self, Proof};
use genkan_store::event::{self, Event, Filter, Kind, Object, Part};
use genkan_store::membership::{self, NewMember, ProvisioningMethod};
use genkan_store::organization::{self, Organization, branding, user_limit};
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, NewRole};
use genkan_store::session::{self, Status};
use genkan_store::user::{self, User};
use genkan_store::{
    EventId, MIGRATIONS, OrganizationId, Page, Provider, Secret, UserId, connection, invitation,
    session_policy,
};
use serde_json::{Value, json};

use crate::support::{LIFETIMES, T0, World, claim, email, hash, on_each_engine};

/// A value that a directory must not send, but sends.
const PASSWORD: &str = "correct horse battery staple";

async fn events(world: &World) -> Vec<Event> {
    let mut events = Vec::new();
    let mut page = Page::first(200);
    loop {
        let read = world
            .tx(async |tx| event::list(tx, &Filter::default(), &page).await)
            .await;
        let Some(last) = read.last() else { return events };
        page = Page::after(200, last.id.clone());
        events.extend(read);
    }
}

async fn find_object(world: &World, id: &EventId) -> Option<Object> {
    world.tx(async |tx| event::find_object(tx, id).await).await
}

/// The object of the newest event of a kind.
async fn newest(world: &World, kind: Kind) -> Object {
    let events = events(world).await;
    let event = events.iter().find(|event| event.kind == kind).unwrap();
    find_object(world, &event.id).await.unwrap()
}

/// A part without the values that differ in every run.
fn part(object: &Object, part: Part) -> Value {
    let mut fields = object.part(part).unwrap().clone();
    fields.retain(|name, _| !name.ends_with("_at") && name != "id" && !name.ends_with("_id"));
    fields.into()
}

async fn change_organization(world: &World, organization: &Organization) {
    let mut changed = organization.clone();
    changed.display_name = "Acme Ltd".to_owned();
    changed.set_feature(organization::Feature::Sso, true);
    changed.metadata = json!({"plan": "gold"}).as_object().unwrap().clone();
    let id = &organization.id;
    world
        .tx(async |tx| {
            organization::update(tx, world.after(1), &changed).await?;
            branding::set(tx, world.after(2), id, Some(&serde_json::Map::new())).await?;
            user_limit::set(tx, world.after(3), id, Some(50)).await?;
            session_policy::set(tx, world.after(4), id, None).await
        })
        .await;
}

async fn change_domains(world: &World, id: &OrganizationId) {
    let mut waiting = world.new_domain(id, "late.test");
    waiting.status = domain::Status::Pending;
    let proved = world.new_domain(id, "proved.test");
    world
        .tx(async |tx| {
            domain::insert(tx, world.start(), &waiting).await?;
            domain::insert(tx, world.start(), &proved).await?;
            domain::prove(tx, world.after(1), id, &proved.id, Proof::Dns).await?;
            let given = domain::give_up_pending(tx, world.after(9), world.after(8).now, 10).await?;
            assert_eq!(given, 1);
            domain::delete(tx, world.after(10), id, &waiting.id).await
        })
        .await;
}

async fn change_connection(world: &World, connection: &connection::Connection) {
    world
        .tx(async |tx| {
            connection::disable(tx, world.after(1), &connection.id).await?;
            connection::enable(tx, world.after(2), &connection.id).await?;
            let context = serde_json::Map::new();
            connection::set_context(tx, world.after(3), &connection.id, &context).await
        })
        .await;
}

/// Adds and changes a directory with a person and a group. Returns its secret.
async fn change_directory(world: &World, organization_id: &OrganizationId) -> Secret {
    let directory = Directory::new(world.start(), organization_id.clone(), Some(Provider::Okta));
    let profile = person::Profile {
        user_name: "bob@acme.test".to_owned(),
        emails: vec!["bob@acme.test".to_owned()],
        active: true,
        detail: json!({
            "title": "Engineer", "password": PASSWORD,
            "urn:extension": {"Password": PASSWORD, "badges": [{"newPassword": PASSWORD, "colour": "red"}]},
        })
        .as_object()
        .unwrap()
        .clone(),
        ..person::Profile::default()
    };
    let named = |display_name: &str| group::Profile {
        display_name: display_name.to_owned(),
        detail: profile.detail.clone(),
        ..group::Profile::default()
    };
    let given = person::Profile {
        given_name: Some("Bob".to_owned()),
        ..profile.clone()
    };
    let (engineers, renamed) = (named("Engineers"), named("Makers"));
    world
        .tx(async |tx| {
            let (start, later) = (world.start(), world.after(1));
            directory::insert(tx, start, &directory).await?;
            let (_, secret) = secret::create(tx, start, &directory).await?;
            let bob = person::upsert(tx, start, &directory, &profile).await?;
            let group = group::insert(tx, start, &directory, &engineers).await?;
            let admin = role::find(tx, None, "admin").await?.unwrap();
            group::assign_roles(tx, start, &directory, &[(group.id.clone(), admin.id)]).await?;
            group::set_member(tx, start, &directory, (&group.id, &bob.id), true).await?;
            group::update(tx, later, &directory, &group.id, &renamed).await?;
            person::upsert(tx, later, &directory, &given).await?;
            person::delete(tx, later, &directory, &bob.id).await?;
            group::delete(tx, later, &directory, &group.id).await?;
            directory::set_enabled(tx, later, organization_id, &directory.id, false).await?;
            Ok(secret)
        })
        .await
}

async fn change_roles(world: &World, organization_id: &OrganizationId) {
    let read = Permission {
        id: world.id(),
        name: "read".to_owned(),
        description: "Read".to_owned(),
        created_at: T0,
        updated_at: T0,
    };
    world
        .tx(async |tx| {
            let (start, later) = (world.start(), world.after(1));
            permission::insert(tx, start, &read).await?;
            let member = role::find(tx, None, "member").await?.unwrap();
            let new = NewRole {
                id: world.id(),
                organization_id: Some(organization_id),
                name: "auditor",
                display_name: "Auditor",
                description: "Reads",
                assignable_by_providers: false,
                base: Some(&member),
                permissions: std::slice::from_ref(&read),
            };
            role::insert(tx, start, &new).await?;
            role::set_default_member(tx, later, &member).await?;
            let mut auditor = role::find(tx, Some(organization_id), "auditor").await?.unwrap();
            auditor.display_name = "Revisor".to_owned();
            role::update(tx, later, &auditor, None).await?;
            let auditor = role::find(tx, Some(organization_id), "auditor").await?.unwrap();
            role::set_organization_default(tx, later, organization_id, &member).await?;
            role::delete(tx, later, &auditor, None).await?;
            let mut renamed = permission::find(tx, "read").await?.unwrap();
            renamed.name = "look".to_owned();
            permission::update(tx, later, &renamed).await?;
            permission::delete(tx, later, &renamed).await
        })
        .await;
}

/// Invites a person, and makes every change of a membership.
async fn change_membership(world: &World, organization_id: &OrganizationId) {
    let user = world.user("eve@elsewhere.test").await;
    let joining = NewMember::new(organization_id, &user.id, ProvisioningMethod::Invitation);
    world
        .tx(async |tx| {
            invitation::send(tx, world.start(), &world.key, &joining).await?;
            invitation::send_again(tx, world.after(1), &world.key, (organization_id, &user.id)).await?;
            membership::set_active(tx, world.after(2), organization_id, &user.id, true).await?;
            membership::set_metadata(
                tx,
                world.after(3),
                organization_id,
                &user.id,
                &serde_json::Map::new(),
            )
            .await?;
            let admin = ["admin".to_owned()];
            membership::set_roles(tx, world.after(4), organization_id, &user.id, &admin).await?;
            membership::delete_with_last(tx, world.after(5), organization_id, &user.id).await
        })
        .await;
}

#[tokio::test]
async fn every_kind_for_webhooks_keeps_its_object_and_no_secret() {
    on_each_engine(async |world| {
        let (acme, okta) = world.company("acme.test").await;
        let ada = world.enter(&claim(&okta, "00u1", "ada@acme.test")).await;
        let first = world.session(&ada, "the cookie of ada").await;
        let again = session::SignIn {
            session_id: first.id.clone(),
            organization_id: Some(acme.id.clone()),
            connection_id: Some(okta.id.clone()),
            ..world.sign_in(&ada)
        };
        world
            .tx(async |tx| {
                session::rejoin(tx, world.after(1), &again, &hash("her next cookie"), LIFETIMES).await?;
                session::end(tx, world.after(2), &first.id, Status::Logout).await
            })
            .await;
        change_organization(world, &acme).await;
        change_domains(world, &acme.id).await;
        change_connection(world, &okta).await;
        let directory_secret = change_directory(world, &acme.id).await;
        change_roles(world, &acme.id).await;
        change_membership(world, &acme.id).await;
        world
            .tx(async |tx| {
                connection::delete(tx, world.after(20), &okta.id).await?;
                organization::delete(tx, world.after(21), &acme.id).await
            })
            .await;

        let mut met = BTreeSet::new();
        let secrets = [
            "what we are known by at Okta".to_owned(),
            directory_secret.expose().to_owned(),
            PASSWORD.to_owned(),
            "sealed".to_owned(),
            "hash".to_owned(),
            "192.0.2.1".to_owned(),
            "Test/1".to_owned(),
        ];
        for event in events(world).await {
            let object = find_object(world, &event.id).await;
            let parts = event.kind.parts();
            assert_eq!(object.is_some(), !parts.is_empty(), "{}", event.kind);
            let Some(object) = object else { continue };
            met.insert(event.kind.as_str());
            assert_eq!(object.members()["v"], event::VERSION, "{}", event.kind);
            for part in parts {
                assert!(object.part(*part).is_some(), "{} has its {part}", event.kind);
            }
            let text = Value::from(object.members().clone()).to_string();
            for secret in &secrets {
                assert!(!text.contains(secret), "{}: {text}", event.kind);
            }
        }
        let all: BTreeSet<_> = Kind::ALL
            .iter()
            .filter(|kind| !kind.parts().is_empty())
            .map(|kind| kind.as_str())
            .collect();
        assert_eq!(met, all, "each of them has happened");
    })
    .await;
}

/// Messages are made from these, perhaps by a later version. So members may be added, but none may go or
/// change its meaning.
#[tokio::test]
async fn the_shapes_are_those_that_are_written_down() {
    on_each_engine(async |world| {
        let (acme, okta) = world.company("acme.test").await;
        let ada = world.enter(&claim(&okta, "00u1", "ada@acme.test")).await;
        world.session(&ada, "cookie").await;
        change_organization(world, &acme).await;
        change_directory(world, &acme.id).await;
        change_roles(world, &acme.id).await;

        let organization = json!({"display_name": "Acme Ltd", "region": null, "features": ["sso"],
            "metadata": {"plan": "gold"}});
        let updated = newest(world, Kind::OrganizationUpdated).await;
        assert_eq!(part(&updated, Part::Organization), organization);
        let login = newest(world, Kind::UserLogin).await;
        let person = json!({"email": "ada@acme.test", "email_verified": true, "name": null, "given_name": null,
            "family_name": null, "picture": null, "locale": null, "phone_number": null,
            "phone_number_verified": false, "preferred_username": null, "gender": null, "groups": [],
            "custom_attributes": {}, "profile_metadata": {}, "metadata": {}});
        assert_eq!(part(&login, Part::User), person);
        assert_eq!(login.part(Part::User).unwrap()["last_login_at"], T0.as_micros());
        assert_eq!(part(&login, Part::Session), json!({"status": "active"}));
        let created = newest(world, Kind::UserOrganizationMembershipCreated).await;
        let member = json!({"status": "ACTIVE", "roles": ["admin"], "groups": [], "metadata": {},
            "inviter_email": null, "provisioning_method": "JIT"});
        assert_eq!(part(&created, Part::Membership), member);
        assert_eq!(part(&created, Part::User), person);
        let signup = newest(world, Kind::UserSignup).await;
        assert_eq!(part(&signup, Part::Membership), member);
        let made = newest(world, Kind::OrganizationSsoCreated).await;
        assert_eq!(
            part(&made, Part::Connection),
            json!({"kind": "OIDC", "provider": "OKTA", "name": "Acme Okta", "enabled": true, "status": "COMPLETED"})
        );
        let domain = newest(world, Kind::OrganizationDomainCreated).await;
        assert_eq!(
            part(&domain, Part::Domain),
            json!({"domain": "acme.test", "kind": "ORGANIZATION_DOMAIN", "status": "VERIFIED", "method": "ADMIN",
                "txt_value": ""})
        );
        let opened = newest(world, Kind::OrganizationDirectoryEnabled).await;
        assert_eq!(
            part(&opened, Part::Directory),
            json!({"name": "Okta", "kind": "SCIM", "provider": "OKTA", "status": "DRAFT", "enabled": true})
        );
        let pushed = newest(world, Kind::DirectoryUserUpdated).await;
        let mut bob = part(&pushed, Part::DirectoryUser);
        bob["groups"][0].as_object_mut().unwrap().remove("id");
        let raw = json!({"title": "Engineer", "urn:extension": {"badges": [{"colour": "red"}]}});
        assert_eq!(
            bob,
            json!({"user_name": "bob@acme.test", "emails": ["bob@acme.test"], "given_name": "Bob",
                "family_name": null, "active": true, "raw_attributes": raw, "groups": [{"display_name": "Makers"}],
                "roles": ["admin"]})
        );
        let group = newest(world, Kind::DirectoryGroupDeleted).await;
        assert_eq!(
            part(&group, Part::DirectoryGroup),
            json!({"display_name": "Makers", "raw_attributes": raw})
        );
        let role = newest(world, Kind::RoleDeleted).await;
        assert_eq!(
            part(&role, Part::Role),
            json!({"name": "auditor", "display_name": "Revisor", "description": "Reads", "extends": "member"})
        );
        let permission = newest(world, Kind::PermissionDeleted).await;
        assert_eq!(
            part(&permission, Part::Permission),
            json!({"name": "look", "description": "Read"})
        );
    })
    .await;
}

/// A deleted object cannot be read any more when the message is made.
#[tokio::test]
async fn a_deletion_keeps_the_last_object_and_nothing_changes_it_afterwards() {
    on_each_engine(async |world| {
        let (acme, _) = world.company("acme.test").await;
        let mut ada = User::new(world.id::<UserId>(), email("ada@acme.test"), T0);
        ada.name = Some("Ada King".to_owned());
        world
            .tx(async |tx| {
                user::insert(tx, world.start(), &ada).await?;
                membership::insert(tx, world.start(), &acme.id, &ada.id).await
            })
            .await;
        ada.name = Some("Ada Lovelace".to_owned());
        world
            .tx(async |tx| {
                user::update(tx, world.after(1), &ada).await?;
                membership::delete_with_last(tx, world.after(2), &acme.id, &ada.id).await?;
                organization::delete(tx, world.after(3), &acme.id).await
            })
            .await;
        let created = newest(world, Kind::UserOrganizationMembershipCreated).await;
        assert_eq!(created.part(Part::User).unwrap()["name"], "Ada King");
        let deleted = newest(world, Kind::UserOrganizationMembershipDeleted).await;
        assert_eq!(deleted.part(Part::User).unwrap()["name"], "Ada Lovelace");
        assert_eq!(deleted.part(Part::Membership).unwrap()["roles"], json!(["admin"]));
        let deleted = newest(world, Kind::OrganizationDeleted).await;
        assert_eq!(deleted.part(Part::Organization).unwrap()["display_name"], "Acme");
    })
    .await;
}

/// However much a directory sends, the table of events does not grow without bound.
#[tokio::test]
async fn an_object_has_a_limit() {
    on_each_engine(async |world| {
        let acme = world.organization().await;
        let directory = Directory::new(world.start(), acme.id, None);
        let profile = person::Profile {
            user_name: "bob".to_owned(),
            detail: json!({"note": "x".repeat(900_000)}).as_object().unwrap().clone(),
            ..person::Profile::default()
        };
        let with_addresses = person::Profile {
            user_name: "eve".to_owned(),
            emails: vec!["eve@acme.test".to_owned(), "y".repeat(900_000)],
            ..person::Profile::default()
        };
        world
            .tx(async |tx| {
                directory::insert(tx, world.start(), &directory).await?;
                person::upsert(tx, world.start(), &directory, &profile).await
            })
            .await;
        let object = newest(world, Kind::DirectoryUserCreated).await;
        assert_eq!(object.part(Part::DirectoryUser).unwrap()["user_name"], "bob");
        assert_eq!(
            object.members()["left_out"],
            json!(["directory_user.raw_attributes", "directory_user.groups"])
        );
        world
            .tx(async |tx| person::upsert(tx, world.after(1), &directory, &with_addresses).await)
            .await;
        let object = newest(world, Kind::DirectoryUserCreated).await;
        assert_eq!(
            Value::from(object.members().clone()),
            json!({"v": 1, "left_out": ["directory_user"]})
        );
        let longest = "SELECT CAST(MAX(LENGTH(object)) AS BIGINT) FROM events";
        assert!(world.count(longest).await <= 64 * 1024);
    })
    .await;
}

#[tokio::test]
async fn events_of_before_have_no_object() {
    let before = MIGRATIONS
        .iter()
        .position(|step| step.name == "event_objects")
        .unwrap();
    for scratch in Scratch::each_with(&MIGRATIONS[..before]).await {
        let db = scratch.connect().await;
        db.tx(async |tx| {
            let sql =
                "INSERT INTO events (id, kind, data, occurred_at) VALUES ('evt_1', 'user.login', '{}', $1)";
            tx.exec(sql, p![T0.as_micros()]).await
        })
        .await
        .unwrap();
        db.migrate(MIGRATIONS).await.unwrap();
        let world = World::of(db);
        let read = events(&world).await;
        assert_eq!((read.len(), read[0].kind), (1, Kind::UserLogin));
        assert_eq!(find_object(&world, &read[0].id).await, None);
        world.db.close().await;
    }
}
