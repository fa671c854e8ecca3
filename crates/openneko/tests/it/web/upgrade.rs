//! A database of an older version opens and keeps its content.

use genkan_db::{Db, p};
use openneko::web::keys::Keys;
use openneko::web::store;

use super::support::{PLUGIN, T0, World, ada, at};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const STATE: &str = "abcdefgh-_0123456789ABCDEFGHIJKL";

fn sha256(text: &str) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().to_vec()
}

/// Rows of the first version: an admin who was the first to sign in, a member, a session,
/// a sign-in under way, the record, and the marker.
async fn fill(db: &Db, cookie: &str) {
    let (t0, end) = (T0 * 1_000_000, (T0 + 43_200) * 1_000_000);
    let (cookie, state) = (sha256(cookie), sha256(STATE));
    db.tx(async |tx| {
        tx.exec(
            "INSERT INTO organization (id, name, is_only, created_at) VALUES ('9f0f', 'My Workspace', TRUE, 1)",
            &[],
        )
        .await?;
        tx.exec(
            "INSERT INTO app_user (id, provider, sub, email, email_key, name, org_id, role, provider_org_id,
                group_names, created_at, updated_at, last_login_at)
             VALUES ('usr_abcdefghijkl', $1, 's-ada', 'Ada@acme.test', 'ada@acme.test', 'Ada', '9f0f', 'admin',
                'org_1', '[\"Owners\"]', $2, $2, $2)",
            p![PLUGIN, t0],
        )
        .await?;
        tx.exec(
            "INSERT INTO app_user (id, email, email_key, org_id, role, group_names, created_at, updated_at, disabled_at)
             VALUES ('usr_bbcdefghijkl', 'bob@acme.test', 'bob@acme.test', '9f0f', 'member', '[]', $1, $1, $1)",
            p![t0],
        )
        .await?;
        tx.exec(
            "INSERT INTO audit_event (id, at, kind, reference, user_id, email, detail)
             VALUES ('0001', $1, 'user_created', 'ref_0Lk3mNp9QrSt', 'usr_abcdefghijkl', 'Ada@acme.test',
                'as admin, being the first')",
            p![t0],
        )
        .await?;
        tx.exec(
            "INSERT INTO sign_in_gate (id, provider, closed_at) VALUES (1, $1, $2)",
            p![PLUGIN, t0],
        )
        .await?;
        tx.exec(
            "INSERT INTO web_session (cookie_hash, user_id, created_at, last_active_at, idle_expires_at, expires_at)
             VALUES ($1, 'usr_abcdefghijkl', $2, $2, $3, $3)",
            p![&cookie, t0, end],
        )
        .await?;
        tx.exec(
            "INSERT INTO sign_in_flow
                (state_hash, provider, redirect_uri, return_path, code_verifier, nonce, created_at, expires_at)
             VALUES ($1, $2, 'http://localhost:3000/api/auth/callback', '/next', 'v', 'n', $3, $4)",
            p![&state, PLUGIN, t0, t0 + 600_000_000],
        )
        .await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn people_sessions_and_a_sign_in_under_way_are_kept() {
    genkan_db::testing::on_each_engine(async |db| {
        let keys = Keys::from_secret(SECRET).unwrap();
        let cookie = keys.session_cookie("usr_abcdefghijkl", T0 + 43_200);
        db.migrate(&store::MIGRATIONS[..1]).await.unwrap();
        fill(&db, &cookie).await;
        store::prepare(&db, at(1)).await.unwrap();

        let world = World::new(db);
        let browser = world.browser();
        let session = ("openneko_session".to_owned(), cookie);
        browser.cookies.lock().extend([session]);
        assert_eq!(browser.user().await["id"], "usr_abcdefghijkl");
        // Still the admin, though groups and being the first make none any more.
        let page = browser.get("/").await.body;
        for part in ["id=\"users\"", "bob@acme.test", "ref_0Lk3mNp9QrSt", "Owners"] {
            assert!(page.contains(part), "{part}");
        }
        let state = (
            format!("openneko_sso_state_{}", &STATE[..8]),
            keys.state_cookie(STATE, "/next"),
        );
        let other = world.browser();
        other.cookies.lock().extend([state]);
        world.says(ada());
        assert_eq!(other.back(STATE).await.location(), "/next");
        assert_eq!(other.user().await["id"], "usr_abcdefghijkl");
        assert!(other.get("/").await.body.contains("id=\"users\""));
    })
    .await;
}

/// By the rules of a language a unique index is wrong after an update of the system's libraries.
#[tokio::test]
async fn text_compares_bytes() {
    let Some(scratch) = genkan_db::testing::Scratch::postgres_in_english().await else {
        return;
    };
    let db = scratch.connect().await;
    db.migrate(&store::MIGRATIONS[..1]).await.unwrap();
    store::prepare(&db, at(1)).await.unwrap();
    let sql = "SELECT c.relname || '.' || a.attname
                 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 JOIN pg_collation l ON l.oid = a.attcollation
                WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'i')
                  AND a.attnum > 0 AND NOT a.attisdropped AND l.collname <> 'C' AND c.relname <> 'schema_migrations'";
    let rows = db.read(async |tx| tx.all(sql, &[]).await).await.unwrap();
    let others: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    // A column of yours is here? Write `TEXT COLLATE "C"` in its migration.
    assert_eq!(others, Vec::<String>::new());
}
