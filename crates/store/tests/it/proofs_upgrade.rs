//! Migrates a database from before sessions stored a list of proofs.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, p};
use genkan_store::interaction::{self, PendingProof, Stage, Way};
use genkan_store::proof::{Method, Proofs};
use genkan_store::{ConnectionId, GrantId, InteractionId, MIGRATIONS, Proof, SessionId, Timestamp};
use genkan_store::{grant, session};

use crate::support::{World, hash};

const NOW: Timestamp = Timestamp::from_micros(10);

const PEOPLE: &[&str] = &[
    "INSERT INTO users (id, email, email_verified, metadata, disabled, created_at, updated_at)
     VALUES ('usr_1', 'ada@acme.test', TRUE, '{}', FALSE, 1, 1)",
    "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
        any_loopback_redirect, enforce_pkce, secret_optional_with_pkce, strict_refresh_rotation,
        profile_in_access_token, management_access, token_algorithm, created_at, updated_at)
     VALUES ('webc_1', 'App', 'WEB_APP', '[]', '[]', '[]', FALSE, FALSE, FALSE, FALSE, TRUE, FALSE, 'RS256', 1, 1)",
];

const SESSIONS: &str =
    "INSERT INTO sessions (id, token_hash, user_id, connection_id, status, authenticated_at,
        created_at, last_active_at, idle_expires_at, expires_at, auth_time)
     VALUES ('ses_1', $1, 'usr_1', 'conn_1', 'active', 5, 5, 5, 1000, 1000, 3),
            ('ses_2', $2, 'usr_1', 'conn_1', 'active', 5, 5, 5, 1000, 1000, NULL)";

const GRANTS: &str =
    "INSERT INTO grants (id, client_id, session_id, user_id, connection_id, scope, authenticated_at, created_at,
        expires_at, auth_time)
     VALUES ('grt_1', 'webc_1', 'ses_1', 'usr_1', 'conn_1', 'openid', 5, 5, 1000, 3),
            ('grt_2', 'webc_1', 'ses_2', 'usr_1', NULL, 'openid', 5, 5, 1000, NULL)";

/// As the earlier version wrote them.
const STAGES: &[(&str, &str)] = &[
    (
        "lri_1",
        r#"{"stage":"connection_chosen","connection_id":"conn_1","email":"ada@acme.test"}"#,
    ),
    (
        "lri_2",
        r#"{"stage":"away","connection_id":"conn_1","email":null}"#,
    ),
    (
        "lri_3",
        r#"{"stage":"away","connection_id":"conn_1","email":"\"stage\":\"away\",@acme.test"}"#,
    ),
    ("lri_4", r#"{"stage":"arrived","connection_id":"conn_1"}"#),
    ("lri_5", r#"{"stage":"started"}"#),
];

const ARRIVAL: &str = r#"{"arrival":{"connection_id":"conn_1","subject":"s","profile":{"email":"ada@acme.test","email_verified":null,"name":"Ada","given_name":null,"family_name":null,"picture":null,"locale":null},"groups":null,"roles":"Silent","attributes":{"sub":"s"}},"arrived_at":5}"#;

async fn migrated(db: Db) -> World {
    let before = MIGRATIONS.iter().position(|step| step.name == "proofs").unwrap();
    db.migrate(&MIGRATIONS[..before]).await.unwrap();
    for sql in PEOPLE {
        db.tx(async |tx| tx.exec(sql, p![]).await).await.unwrap();
    }
    db.tx(async |tx| {
        tx.exec(SESSIONS, p![&hash("a"), &hash("b")]).await?;
        tx.exec(GRANTS, p![]).await
    })
    .await
    .unwrap();
    for (id, stage) in STAGES {
        let arrival = (*id == "lri_4").then_some(ARRIVAL);
        db.tx(async |tx| {
            tx.exec(
                "INSERT INTO interactions (id, browser_hash, request, is_foreign, stage, created_at, expires_at,
                    arrival)
                 VALUES ($1, $2, '{\"kind\":\"test_connection\",\"connection_id\":\"conn_1\",\"test_id\":\"test_1\"}',
                    FALSE, $3, 1, 1000, $4)",
                p![*id, &hash("browser"), *stage, arrival],
            )
            .await
        })
        .await
        .unwrap();
    }
    db.migrate(MIGRATIONS).await.unwrap();
    World::of(db)
}

#[tokio::test]
async fn what_began_before_reads_as_one_proof_by_its_connection() {
    on_each_engine(async |db: Db| {
        let world = migrated(db).await;
        for (id, auth_time) in [("ses_1", Some(Timestamp::from_micros(3))), ("ses_2", None)] {
            let id = SessionId::parse(id).unwrap();
            let session = world.tx(async |tx| session::find_live(tx, &id, NOW).await).await;
            let proofs = session.unwrap().proofs;
            assert_eq!(proofs, Proofs::one(Method::Connection, auth_time));
        }
        let find = async |id: &str| {
            let id = GrantId::parse(id).unwrap();
            let grant = world.tx(async |tx| grant::find_live(tx, &id, NOW).await).await;
            grant.unwrap()
        };
        let grant = find("grt_1").await;
        assert_eq!(grant.amr(), ["conn_1"]);
        assert_eq!(grant.proofs.auth_time(), Some(Timestamp::from_micros(3)));
        let nobodys = find("grt_2").await;
        assert_eq!((nobodys.amr(), nobodys.proofs), (Vec::new(), Proofs::default()));
    })
    .await;
}

#[tokio::test]
async fn sign_ins_under_way_go_on() {
    on_each_engine(async |db: Db| {
        let world = migrated(db).await;
        let connection_id = ConnectionId::parse("conn_1").unwrap();
        let at = |email: Option<&str>| {
            Stage::At(Way::Connection {
                connection_id: connection_id.clone(),
                email: email.map(str::to_owned),
            })
        };
        let arrived = Stage::Arrived {
            connection_id: connection_id.clone(),
        };
        let expected = [
            at(Some("ada@acme.test")),
            at(None),
            at(Some(r#""stage":"away",@acme.test"#)),
            arrived,
            Stage::Started,
        ];
        for ((id, _), stage) in STAGES.iter().zip(expected) {
            let id = InteractionId::parse(id).unwrap();
            let found = world
                .tx(async |tx| interaction::find_open(tx, &id, NOW).await)
                .await
                .unwrap();
            assert_eq!(found.stage, stage);
            if id.as_str() == "lri_4" {
                let held: PendingProof = world
                    .tx(async |tx| interaction::pending_proof(tx, &id).await)
                    .await;
                let proof = Proof::Connection {
                    connection_id: connection_id.clone(),
                    subject: "s".to_owned(),
                };
                assert_eq!((held.claim.proof, held.auth_time), (proof, None));
                assert_eq!(held.claim.profile.name.as_deref(), Some("Ada"));
            }
            // The stored stage is compared as text, so it can be moved on.
            world
                .tx(async |tx| interaction::advance(tx, &id, &stage, &Stage::Completed).await)
                .await;
        }
    })
    .await;
}
