//! Expired rows are swept: under constant load the database stays flat.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use genkan::simulator::Fault;
use genkan_db::{Engine, p};
use genkan_protocol::EmailAddress;
use genkan_store::api_token::{self, ApiToken};
use genkan_store::identity::relink;
use genkan_store::passwordless::{self, Challenge, Kind, NewRequest, Verification};
use genkan_store::portal_link::{self, PortalLink};
use genkan_store::saml_assertion::{self, UsedAssertion};
use genkan_store::{Secret, SecretHash, UserId, anonymous_slice, node};
use genkan_testkit::{Gateway, Organization, Person, Receiver, Rp, on_each_engine};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tables whose rows have an end, because something is over or was long ago.
const PASSING: &[&str] = &[
    "anonymous_slices",
    "api_tokens",
    "auth_logs",
    "authorization_codes",
    "connection_tests",
    "deliveries",
    "events",
    "familiar_connections",
    "grants",
    "interactions",
    "login_messages",
    "login_traces",
    "nodes",
    "parked_answers",
    "passwordless_failures",
    "passwordless_requests",
    "portal_links",
    "refresh_tokens",
    "relink_permissions",
    "relink_uses",
    "revoked_access_tokens",
    "saml_assertions",
    "sessions",
    "upstream_requests",
];

/// Tables whose rows stay until somebody takes them out: what is configured, and
/// who is known.
const LASTING: &[&str] = &[
    "client_secrets",
    "clients",
    "connection_domains",
    // Those that have left the metadata are swept.
    "connection_keys",
    "connections",
    "directories",
    "directory_group_members",
    "directory_group_roles",
    "directory_groups",
    "directory_secrets",
    "directory_users",
    "domains",
    "environment",
    // As `search_backlog`.
    "event_backlog",
    // A row for each class of events.
    "event_sweeps",
    "hint_keys",
    "identities",
    "invitations",
    "membership_roles",
    "memberships",
    "organization_default_roles",
    "organization_words",
    "organizations",
    "permissions",
    "resources",
    "role_permissions",
    "roles",
    // Filled by the upgrade to it, and worked off once.
    "search_backlog",
    "signing_keys",
    "user_attributes",
    "user_words",
    "users",
    "webauthn_credentials",
];

/// The tables of the schema, without the list of its steps.
async fn tables(gateway: &Gateway) -> BTreeSet<String> {
    let sql = match gateway.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
              WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        }
    };
    let rows = gateway.tx(async |tx| Ok(tx.all(sql, p![]).await?)).await;
    rows.iter()
        .map(|row| row.get(0).unwrap())
        .filter(|name: &String| name != "schema_migrations")
        .collect()
}

/// How many rows each of these tables has.
async fn count<'a>(gateway: &Gateway, tables: &[&'a str]) -> BTreeMap<&'a str, i64> {
    let mut counts = BTreeMap::new();
    for table in tables {
        // A statement is a static text; there are as many as there are tables.
        let sql: &'static str = format!("SELECT COUNT(*) FROM {table}").leak();
        let row = gateway.tx(async |tx| Ok(tx.opt(sql, p![]).await?)).await;
        counts.insert(*table, row.unwrap().get(0).unwrap());
    }
    counts
}

/// Leaves something in every table whose rows pass.
async fn live(gateway: &Gateway, receiver: &Receiver) {
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway
        .client("rp")
        .strict_refresh_rotation()
        .back_channel_logout(receiver.url())
        .await;
    receiver.refuse_next(u32::MAX);
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let tokens = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    rp.revoke(&tokens.access_token).await;
    let ada = rp.verify(tokens.id_token()).await["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = browser
        .open(&rp.logout_url(&[("id_token_hint", tokens.id_token())]))
        .await;
    browser.sign_in(&rp, "ada@acme.test").await;
    let mut elsewhere = gateway.browser();
    let arrival = elsewhere.start(&rp.authorize()).await;
    let person = Person::new("ada@acme.test").with_fault(Fault::WrongNonce);
    let _ = elsewhere.go_on(arrival, &person).await;
    let _ = elsewhere.begin_test(&acme).await;
    beside(gateway, &acme, &UserId::parse(&ada).unwrap()).await;
    prove_wrongly(gateway, &rp).await;
    receiver.next().await;
}

/// What operators and other nodes leave.
async fn beside(gateway: &Gateway, acme: &Organization, ada: &UserId) {
    let (at, connection_id) = (gateway.at(), acme.connection_id());
    let hash = |name: &str| SecretHash::of(name.as_bytes());
    let token = ApiToken {
        id: at.id(),
        suffix: "abcd".to_owned(),
        organization_id: acme.id.clone(),
        user_id: None,
        custom_claims: BTreeMap::new(),
        description: None,
        created_at: at.now,
        updated_at: at.now,
        expires_at: Some(at.now + DAY),
        last_used_at: None,
    };
    let link = PortalLink {
        id: at.id(),
        organization_id: acme.id.clone(),
        features: Vec::new(),
        created_at: at.now,
        expires_at: at.now + DAY,
        used_at: None,
    };
    let minute = at.now.as_micros() / 60_000_000;
    gateway
        .tx(async |tx| {
            api_token::insert(tx, at, &token, &hash("api token")).await?;
            portal_link::insert(tx, at, &link, &hash("portal link")).await?;
            anonymous_slice::take(tx, "192.0.2.1", minute, 1, 9).await?;
            let permission = relink::allow(tx, at, connection_id, None).await?;
            let sql = "INSERT INTO relink_uses (permission_id, user_id, used_at) VALUES ($1, $2, $3)";
            tx.exec(sql, p![&permission, ada, at.now.as_micros()]).await?;
            let sql = "INSERT INTO parked_answers (state_hash, connection_id, handle_hash, answer_sealed, expires_at)
                       VALUES ($1, $2, $3, $4, $5)";
            let (state, handle, end) = (hash("state"), hash("handle"), at.now + Duration::from_mins(1));
            tx.exec(sql, p![&state, connection_id, &handle, &[7; 9], end.as_micros()])
                .await?;
            let used = UsedAssertion {
                connection_id: connection_id.clone(),
                assertion: hash("assertion"),
                state: None,
                expires_at: end,
            };
            saml_assertion::use_up(tx, &used).await?;
            node::report(tx, &at.id(), 0, at.now.as_micros()).await?;
            Ok(())
        })
        .await;
}

/// Somebody guesses at a mailed code.
async fn prove_wrongly(gateway: &Gateway, rp: &Rp) {
    let (at, key) = (gateway.at(), gateway.app().instance_key());
    let email = EmailAddress::parse("bob@example.com").unwrap();
    let wanted = NewRequest {
        client_id: &rp.id,
        email: &email,
        kind: Kind::Otp,
        template: None,
        state: None,
        magiclink_auth_uri: None,
        lifetime: Duration::from_mins(5),
    };
    let request = Secret::generate().sha256();
    let (challenge, wrong) = (Challenge::generate(), Secret::from_presented("wrong"));
    let verification = gateway
        .tx(async |tx| {
            passwordless::insert(tx, at, key, &request, (&wanted, &challenge)).await?;
            passwordless::verify_code(tx, key, (&rp.id, &request), &wrong, at.now).await
        })
        .await;
    assert_eq!(verification, Verification::Wrong);
}

#[tokio::test]
async fn every_table_is_passing_or_lasting() {
    on_each_engine(async |gateway: &Gateway| {
        let mut known: Vec<_> = [PASSING, LASTING].concat();
        known.sort_unstable();
        let tables = tables(gateway).await;
        // A table of yours is missing here? Say whether its rows have an end, and who sweeps them.
        assert_eq!(tables.iter().map(String::as_str).collect::<Vec<_>>(), known);
    })
    .await;
}

#[tokio::test]
async fn nothing_that_expires_is_left_and_nothing_else_is_lost() {
    on_each_engine(async |gateway: &Gateway| {
        let receiver = Receiver::start().await;
        live(gateway, &receiver).await;
        let unused: Vec<_> = count(gateway, PASSING)
            .await
            .into_iter()
            .filter(|(_, rows)| *rows == 0)
            .collect();
        assert_eq!(unused, [], "these were not used");
        gateway.sweep().await;
        let lasting = count(gateway, LASTING).await;

        // Logout tokens are given up after their last attempt, not by their age.
        for _ in 0..10 {
            gateway.clock().advance(DAY);
            gateway.sweep().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Events are kept the longest; the first sweep may still record some.
        for days in [200, 401] {
            gateway.clock().advance(DAY * days);
            gateway.sweep().await;
        }
        let left: Vec<_> = count(gateway, PASSING)
            .await
            .into_iter()
            .filter(|(_, rows)| *rows > 0)
            .collect();
        assert_eq!(left, [], "these are never swept");
        assert_eq!(count(gateway, LASTING).await, lasting);
    })
    .await;
}
