//! Migrates a database of the first release, with roles in it.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, p};
use genkan_store::role::{self, NewRole};
use genkan_store::{Error, MIGRATIONS, OrganizationId, Timestamp, UserId, membership};

use crate::support::World;

/// The statements of the first release, because later code cannot write its tables.
const FIRST: &[&str] = &[
    "INSERT INTO organizations (id, display_name, external_id, metadata, created_at, updated_at)
     VALUES ('org_1', 'Acme', NULL, '{}', 1, 1)",
    "INSERT INTO users (id, email, email_verified, metadata, disabled, created_at, updated_at)
     VALUES ('usr_1', 'ada@acme.test', TRUE, '{}', FALSE, 1, 1), ('usr_2', 'bob@acme.test', TRUE, '{}', FALSE, 1, 1)",
    "INSERT INTO memberships (organization_id, user_id, groups, created_at)
     VALUES ('org_1', 'usr_1', '[]', 1), ('org_1', 'usr_2', '[]', 1)",
    "INSERT INTO roles (id, name, display_name, description, default_creator, default_member, created_at)
     VALUES ('role_1', 'admin', 'Admin', 'Manages', TRUE, FALSE, 1), ('role_2', 'member', 'Member', '', FALSE, TRUE, 2)",
    "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
     VALUES ('org_1', 'usr_1', 'role_1', FALSE), ('org_1', 'usr_1', 'role_2', TRUE), ('org_1', 'usr_2', 'role_2', FALSE)",
];

#[tokio::test]
async fn roles_and_who_has_them_survive_the_upgrade() {
    on_each_engine(async |db: Db| {
        db.migrate(&MIGRATIONS[..1]).await.unwrap();
        for sql in FIRST {
            db.tx(async |tx| tx.exec(sql, p![]).await).await.unwrap();
        }
        db.migrate(MIGRATIONS).await.unwrap();

        let world = World::of(db);
        let acme = OrganizationId::parse("org_1").unwrap();
        let roles = world.tx(async |tx| role::list(tx, Some(&acme)).await).await;
        let summary: Vec<_> = roles
            .iter()
            .map(|role| {
                (
                    role.id.as_str(),
                    role.name.as_str(),
                    role.default_creator,
                    role.default_member,
                )
            })
            .collect();
        assert_eq!(
            summary,
            [
                ("role_1", "admin", true, false),
                ("role_2", "member", false, true)
            ]
        );
        assert_eq!(roles[0].description, "Manages");
        let second = Timestamp::from_micros(2);
        assert_eq!((roles[1].created_at, roles[1].updated_at), (second, second));
        let of = async |user: &str| {
            let user_id = UserId::parse(user).unwrap();
            world
                .tx(async |tx| membership::roles_of(tx, &acme, &user_id).await)
                .await
        };
        assert_eq!(of("usr_1").await, ["admin", "member"]);
        assert_eq!(of("usr_2").await, ["member"]);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM membership_roles WHERE by_provider")
                .await,
            1
        );

        // The new tables refer to each other, not to the old ones.
        let admin = &roles[0];
        let clerk = NewRole {
            id: world.id(),
            organization_id: Some(&acme),
            name: "clerk",
            display_name: "Clerk",
            description: "",
            assignable_by_providers: false,
            base: Some(admin),
            permissions: &[],
        };
        world
            .tx(async |tx| role::insert(tx, world.start(), &clerk).await)
            .await;
        let ada = UserId::parse("usr_1").unwrap();
        let give = ["clerk".to_owned()];
        world
            .tx(async |tx| membership::set_roles(tx, world.start(), &acme, &ada, &give).await)
            .await;
        assert_eq!(of("usr_1").await, ["clerk", "member"]);
        let dangling: Result<u64, Error> = world
            .db
            .tx(async |tx| {
                let sql = "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
                           VALUES ('org_1', 'usr_2', 'role_9', FALSE)";
                Ok(tx.exec(sql, p![]).await?)
            })
            .await;
        assert!(dangling.is_err());
        let deleted = world
            .tx(async |tx| membership::delete(tx, world.after(1), &acme, &ada).await)
            .await;
        assert!(deleted);
        assert_eq!(world.count("SELECT COUNT(*) FROM membership_roles").await, 1);
    })
    .await;
}
