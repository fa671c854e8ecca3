//! `genkan session`.

use std::time::Duration;

use genkan::server;
use genkan_db::testing::Scratch;
use genkan_store::environment::Kind;
use genkan_store::proof::Proofs;
use genkan_store::session::{self, Lifetimes, SignIn};
use genkan_store::{Error, Generator, Secret, SessionId, Stamp, Timestamp};
use serde_json::json;

use super::{Instance, ids, text};

/// Somebody signs in, as the server writes it down.
async fn sign_in(instance: &Instance, user_id: &str, now: Timestamp) -> String {
    let db = server::open_database(&instance.config()).await.unwrap();
    let generator = Generator::random();
    let at = Stamp::new(&generator, now);
    let lifetimes = Lifetimes {
        absolute: Duration::from_secs(3600),
        idle: Duration::from_secs(600),
    };
    let sign_in = SignIn {
        session_id: at.id(),
        user_id: user_id.parse().unwrap(),
        organization_id: None,
        connection_id: None,
        proofs: Proofs::default(),
        browser: None,
        ip: Some("198.51.100.7".to_owned()),
        user_agent: Some("Firefox".to_owned()),
    };
    let token = Secret::generate().sha256();
    let session = db
        .tx(async |tx| -> Result<_, Error> { session::start(tx, at, &sign_in, &token, lifetimes).await })
        .await
        .unwrap();
    db.close().await;
    session.id.to_string()
}

#[tokio::test]
async fn sessions_are_listed_shown_and_ended_on_both_engines() {
    for database in Scratch::each().await {
        let instance = Instance::on(database, Kind::Production).await;
        let ada = instance.json(&["user", "create", "--email", "ada@acme.test"]);
        let grace = instance.json(&["user", "create", "--email", "grace@acme.test"]);
        let (now, hour) = (server::now(), Duration::from_secs(3600));
        let old = sign_in(&instance, text(&ada, "/id"), now - hour).await;
        let (first, second) = (
            sign_in(&instance, text(&ada, "/id"), now).await,
            sign_in(&instance, text(&ada, "/id"), now).await,
        );
        let hers = sign_in(&instance, text(&grace, "/id"), now).await;

        let list = |more: &[&str]| {
            let listing = instance.json(&[&["session", "list", "--user", "ada@acme.test"], more].concat());
            let mut found = ids(&listing, "sessions");
            found.sort();
            found
        };
        let mut all = [old.clone(), first.clone(), second.clone()];
        all.sort();
        assert_eq!(list(&[]), all);
        assert_eq!(list(&["--status", "expired"]), std::slice::from_ref(&old));
        assert_eq!(list(&["--status", "active"]).len(), 2);
        let shown = instance.json(&["session", "show", &first]);
        assert_eq!(
            (text(&shown, "/status"), text(&shown, "/ip")),
            ("active", "198.51.100.7")
        );

        instance.run(&["session", "end", &first]).failed(2, "--yes");
        let ended = instance.json(&["session", "end", &first, "--yes"]);
        assert_eq!(ended["status"], json!("revoked"));
        // Twice is no mistake, and what has expired stays so.
        assert_eq!(
            instance.json(&["session", "end", &first, "--yes"])["status"],
            json!("revoked")
        );
        assert_eq!(
            instance.json(&["session", "end", &old, "--yes"])["status"],
            json!("expired")
        );
        let all = instance.json(&["session", "end", "--user", "ada@acme.test", "--yes"]);
        assert_eq!(all["ended"], json!(1));
        assert!(list(&["--status", "active"]).is_empty());
        assert_eq!(
            instance.json(&["session", "show", &hers])["status"],
            json!("active")
        );

        let unknown: SessionId = "ses_100000000000000000001".parse().unwrap();
        instance
            .run(&["session", "show", unknown.as_str()])
            .failed(3, "There is no session");
        instance.run(&["session", "end"]).failed(2, "required");
        instance
            .run(&["session", "list", "--user", "ada@acme.test", "--status", "gone"])
            .failed(2, "write active");
    }
}
