//! Text compares bytes on both engines. The order of a language would change with the system's libraries,
//! and a unique index would then miss its own entries.

use genkan_db::testing::Scratch;
use genkan_db::{Db, Migration, p};
use genkan_store::role::{self, NewRole};
use genkan_store::user::{self, User};
use genkan_store::{MIGRATIONS, OrganizationId, UserId, membership, organization};

use crate::support::{World, email};

/// The last step before text compared bytes.
const BEFORE: i64 = 28;

/// Names that English sorts in another order than their bytes.
const NAMES: [&str; 6] = ["a_z", "ab", "a-b", "a0", "b:read", "b"];

fn before() -> &'static [Migration] {
    let end = MIGRATIONS
        .iter()
        .take_while(|step| step.version <= BEFORE)
        .count();
    &MIGRATIONS[..end]
}

/// The collations of columns and indexes, except those that compare bytes and those without any.
async fn others(db: &Db) -> Vec<String> {
    let sql = "SELECT c.relname || '.' || a.attname || ' ' || l.collname
                 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 JOIN pg_collation l ON l.oid = a.attcollation
                WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'i', 'p', 'v')
                  AND a.attnum > 0 AND NOT a.attisdropped AND l.collname <> 'C'
                  AND c.relname <> 'schema_migrations'
                ORDER BY 1";
    let rows = db.read(async |tx| tx.all(sql, p![]).await).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// A member with all the roles, as a listing shows them.
async fn roles(world: &World) -> Vec<String> {
    let (acme, ada) = (
        OrganizationId::parse("org_1").unwrap(),
        UserId::parse("usr_1").unwrap(),
    );
    world
        .tx(async |tx| membership::roles_of(tx, &acme, &ada).await)
        .await
}

async fn fill(world: &World) {
    for sql in [
        "INSERT INTO organizations (id, display_name, external_id, metadata, created_at, updated_at)
         VALUES ('org_1', 'Acme', 'crm-1', '{}', 1, 1)",
        "INSERT INTO users (id, email, email_verified, metadata, disabled, created_at, updated_at)
         VALUES ('usr_1', 'ada@acme.test', TRUE, '{}', FALSE, 1, 1)",
        "INSERT INTO memberships (organization_id, user_id, groups, created_at) VALUES ('org_1', 'usr_1', '[]', 1)",
    ] {
        world.tx(async |tx| Ok(tx.exec(sql, p![]).await?)).await;
    }
    for name in NAMES {
        let id = format!(
            "role_{}",
            name.bytes().map(u64::from).fold(7, |sum, byte| sum * 131 + byte)
        );
        let sql = "INSERT INTO roles (id, name, display_name, description, default_creator, default_member,
                      created_at, updated_at) VALUES ($1, $2, $2, '', FALSE, FALSE, 1, 1)";
        world.tx(async |tx| Ok(tx.exec(sql, p![&id, name]).await?)).await;
        let sql = "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
                   VALUES ('org_1', 'usr_1', $1, FALSE)";
        world.tx(async |tx| Ok(tx.exec(sql, p![&id]).await?)).await;
    }
}

fn sorted() -> Vec<String> {
    let mut names = NAMES.map(str::to_owned).to_vec();
    names.sort_unstable();
    names
}

/// A user who owns nothing but a schema migrates an older database.
#[tokio::test]
async fn a_database_of_before_compares_bytes_afterwards() {
    let Some(scratch) = Scratch::postgres_in_english().await else {
        return;
    };
    let world = World::of(scratch.connect().await);
    world.db.migrate(before()).await.unwrap();
    fill(&world).await;
    assert_ne!(roles(&world).await, sorted(), "English sorts them in another way");
    assert!(!others(&world.db).await.is_empty());

    world.db.migrate(MIGRATIONS).await.unwrap();
    // If your new column is listed here, write `TEXT COLLATE "C"` in its migration.
    assert_eq!(others(&world.db).await, Vec::<String>::new());
    assert_eq!(roles(&world).await, sorted());
    // Keys and references are as before.
    let taken = User::new(world.id(), email("ada@acme.test"), crate::support::T0);
    world
        .failed_tx(async |tx| user::insert(tx, world.start(), &taken).await)
        .await;
    let acme = OrganizationId::parse("org_1").unwrap();
    world
        .tx(async |tx| organization::delete(tx, world.start(), &acme).await)
        .await;
    assert_eq!(world.count("SELECT COUNT(*) FROM membership_roles").await, 0);
}

#[tokio::test]
async fn lists_have_one_order_on_both_engines() {
    let mut each = vec![Scratch::sqlite()];
    each.extend(Scratch::postgres_in_english().await);
    for scratch in each {
        let world = World::of(scratch.connect().await);
        world.db.migrate(MIGRATIONS).await.unwrap();
        fill(&world).await;
        assert_eq!(roles(&world).await, sorted(), "{:?}", scratch.engine());
        // A recursion reads which role extends which. Both of its halves need the same collation.
        let base = world
            .tx(async |tx| role::find(tx, None, "ab").await)
            .await
            .unwrap();
        let id = world.id();
        let role = NewRole {
            id,
            organization_id: None,
            name: "extended",
            display_name: "Extended",
            description: "",
            assignable_by_providers: false,
            base: Some(&base),
            permissions: &[],
        };
        world
            .tx(async |tx| role::insert(tx, world.start(), &role).await)
            .await;
        let (acme, ada) = (
            OrganizationId::parse("org_1").unwrap(),
            UserId::parse("usr_1").unwrap(),
        );
        world
            .tx(async |tx| role::effective_permissions(tx, &acme, &ada).await)
            .await;
    }
}
