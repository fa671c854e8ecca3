//! An upgrade keeps everything: a database of commit 48c91fd, with every shape that the
//! program could write then, opens and keeps all of it.
//!
//! The dumps and how they were made stand in `tests/fixtures/upgrade/`. They are
//! never made anew: a change that breaks a test here breaks somebody's instance.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_db::testing::{self, Scratch};
use genkan_db::{Engine, p};
use genkan_protocol::Timestamp;
use genkan_store::membership::{self, Status};
use genkan_store::{ConnectionId, DirectoryId, OrganizationId, UserId, connection, directory};
use genkan_testkit::{
    Browser, Code, Cookie, Gateway, MailServer, Person, Receiver, Rp, SameSite, instance_key,
};
use http::Method;
use serde_json::{Value, json};

const SQLITE: &str = include_str!("../fixtures/upgrade/sqlite.sql");
const POSTGRES: &str = include_str!("../fixtures/upgrade/postgres.sql");
const SECRETS: &str = include_str!("../fixtures/upgrade/secrets.json");

/// The upgraded gateway, and what others kept from before.
struct Upgraded {
    gateway: Gateway,
    mails: MailServer,
    kept: Value,
}

/// Runs `test` on the old database of each engine.
async fn on_each_engine(test: impl AsyncFn(&Upgraded)) {
    testing::on_each(Scratch::each().await, async |scratch| {
        let upgraded = Upgraded::open(scratch).await;
        test(&upgraded).await;
        upgraded.gateway.stop().await;
    })
    .await;
}

impl Upgraded {
    async fn open(scratch: Scratch) -> Self {
        let (name, dump) = match scratch.engine() {
            Engine::Sqlite => ("sqlite", SQLITE),
            Engine::Postgres => ("postgres", POSTGRES),
        };
        let mut kept: Value = serde_json::from_str(SECRETS).unwrap();
        let kept = kept[name].take();
        scratch.load(dump).await;
        let mails = MailServer::start().await;
        let setup = Gateway::setup().mailer(mails.mailer());
        let gateway = setup
            .public_url(kept["public_url"].as_str().unwrap())
            .reopen(scratch)
            .await;
        let passed = kept["now"].as_i64().unwrap() - gateway.now().as_micros();
        gateway
            .clock()
            .advance(Duration::from_micros(passed.try_into().unwrap()));
        Self { gateway, mails, kept }
    }

    fn text(&self, path: &str) -> &str {
        let value = self.kept.pointer(path).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{path} was kept"))
    }

    async fn client(&self, name: &str) -> Rp {
        let secret = self.kept[format!("client_{name}")]["secret"].as_str();
        let id = self.text(&format!("/client_{name}/id"));
        self.gateway.registered(id, secret).await
    }

    /// A browser with the cookies that were kept.
    fn browser(&self, owner: &str) -> Browser {
        let mut browser = self.gateway.browser();
        for (name, value) in self.kept[owner]["cookies"].as_object().unwrap() {
            browser.cookies.plant(Cookie {
                name: name.clone(),
                value: value.as_str().unwrap().to_owned(),
                host: "localhost".to_owned(),
                path: "/".to_owned(),
                secure: false,
                http_only: true,
                same_site: SameSite::Lax,
                expires_at: None,
                line: String::new(),
            });
        }
        browser
    }

    async fn people(&self) -> Vec<Kept<'_>> {
        let mut people = Vec::new();
        for (name, values) in self.kept.as_object().unwrap() {
            if name.starts_with("person_") {
                let rp = self.client(values["client"].as_str().unwrap()).await;
                people.push(Kept { name, values, rp });
            }
        }
        assert!(people.len() >= 8, "people were kept");
        people
    }

    /// A call of the management API, with a secret of before.
    async fn api(&self, method: Method, path: &str, body: Value) -> Value {
        let manager = self.client("manager").await;
        let form = [("grant_type", "client_credentials")];
        let token = manager.post("/oauth/token", &form).send().await.expect_tokens();
        let call = self.gateway.call(method, path).bearer(&token.access_token);
        let reply = call.body("application/json", body.to_string()).send().await;
        assert!(
            reply.status.is_success(),
            "{path}: {} {}",
            reply.status,
            reply.text()
        );
        reply.json()
    }

    /// The servers of before answered at addresses that nobody has any more.
    async fn move_servers(&self, ears: &str) {
        let idp = self.gateway.idp().await;
        let idp = idp.issuer().split("/simulator").next().unwrap().to_owned();
        let ears = url::Url::parse(ears).unwrap().origin().ascii_serialization();
        self.gateway
            .tx(async |tx| {
                let sql = "UPDATE connections SET settings = replace(settings, $1, $2)";
                tx.exec(sql, p!["http://idp.upgrade.test", &idp]).await?;
                for sql in [
                    "UPDATE clients SET back_channel_logout_uris = replace(back_channel_logout_uris, $1, $2)",
                    "UPDATE deliveries SET facts = replace(facts, $1, $2)",
                ] {
                    tx.exec(sql, p!["http://ears.upgrade.test", &ears]).await?;
                }
                genkan_store::environment::touch(tx).await
            })
            .await;
    }
}

/// What a browser and an application kept of somebody's sign-in.
struct Kept<'a> {
    name: &'a str,
    values: &'a Value,
    rp: Rp,
}

impl Kept<'_> {
    fn token(&self, name: &str) -> &str {
        self.values[name].as_str().unwrap()
    }

    /// Their session went on to another organization, under another cookie.
    fn left_this_browser(&self) -> bool {
        self.name == "person_rejoined_before"
    }
}

#[tokio::test]
async fn every_session_is_live_and_signs_in_silently() {
    on_each_engine(async |upgraded: &Upgraded| {
        for person in upgraded.people().await {
            if person.left_this_browser() {
                continue;
            }
            let before = person.rp.verify(person.token("id_token")).await;
            let mut browser = upgraded.browser(person.name);
            let request = person.rp.authorize().with("prompt", "none");
            let callback = browser.start(&request).await.callback();
            assert_eq!(callback.error(), "", "{}", person.name);
            let code = request.code(&callback.code());
            let tokens = person.rp.redeem(&code).await.expect_tokens();
            let after = person.rp.verify(tokens.id_token()).await;
            for claim in ["sub", "sid", "oid", "amr", "email", "name"] {
                assert_eq!(before[claim], after[claim], "{} of {}", claim, person.name);
            }
            // Sessions of before know when somebody arrived, and not when they had
            // authenticated: that is not claimed any more.
            assert_eq!(after.get("auth_time"), None, "{}", person.name);
        }
    })
    .await;
}

#[tokio::test]
async fn every_token_and_code_is_as_good_as_before() {
    on_each_engine(async |upgraded: &Upgraded| {
        for person in upgraded.people().await {
            let access = person.token("access_token");
            let status = person.rp.userinfo(access).await.status;
            let was_revoked = person.name == "person_native_client";
            let expected = if was_revoked { 401 } else { 200 };
            assert_eq!(status, expected, "{}", person.name);
            let before = person.rp.verify(access).await;
            let refreshed = person.rp.refresh(person.token("refresh_token")).await;
            assert_eq!(refreshed.status, 200, "{}: {}", person.name, refreshed.text());
            let after = person.rp.verify(&refreshed.expect_tokens().access_token).await;
            for claim in ["sub", "sid", "oid", "roles", "permissions", "aud"] {
                assert_eq!(before[claim], after[claim], "{} of {}", claim, person.name);
            }
        }
        let kept = &upgraded.kept["code"];
        let text = |name: &str| kept[name].as_str().map(str::to_owned);
        let code = Code {
            code: text("code").unwrap(),
            redirect_uri: text("redirect_uri"),
            code_verifier: text("code_verifier"),
            nonce: None,
        };
        let family = upgraded.client("family").await;
        family.redeem(&code).await.expect_tokens();
        assert_eq!(family.redeem(&code).await.oauth_error(), "invalid_grant");
        // What was spent before is still spent.
        let strict = upgraded.client("strict").await;
        let again = strict.refresh(upgraded.text("/spent_refresh_token")).await;
        assert_eq!(again.oauth_error(), "invalid_grant");
    })
    .await;
}

#[tokio::test]
async fn mail_and_logout_tokens_that_waited_arrive_and_the_invitation_is_accepted() {
    on_each_engine(async |upgraded: &Upgraded| {
        let gateway = &upgraded.gateway;
        let ears = Receiver::start().await;
        upgraded.move_servers(ears.url()).await;
        gateway.clock().advance(Duration::from_secs(10));
        gateway.app().wake_jobs();
        let heard = upgraded.client("hears").await.verify(&ears.next().await).await;
        assert_eq!(heard["sid"], upgraded.text("/logged_out/sid"));
        assert_eq!(heard["sub"], upgraded.text("/logged_out/sub"));

        let mut mails = BTreeMap::new();
        for _ in 0..2 {
            let mail = upgraded.mails.next().await;
            // RFC 2045 §6.7: long lines are folded.
            let text = mail.text.replace("=\r\n", "").replace("=3D", "=");
            mails.insert(mail.recipients[0].clone(), text);
        }
        assert!(!upgraded.mails.has_next().await, "each goes out once");

        let link = mails["<ivy@acme.test>"]
            .lines()
            .find(|line| line.starts_with("http"));
        let mut browser = gateway.browser();
        let page = browser.open(link.unwrap().trim()).await.page();
        assert!(page.heading().starts_with("Join "), "{}", page.heading());
        let _ = browser.submit(&page, &[]).await;
        let acme = OrganizationId::parse(upgraded.text("/acme")).unwrap();
        let ivy = UserId::parse(upgraded.text("/invited")).unwrap();
        let found = gateway
            .tx(async |tx| membership::find(tx, &acme, &ivy).await)
            .await
            .unwrap();
        assert_eq!(found.status_at(gateway.now()), Status::Active);
        assert_eq!(found.roles, ["acme_clerk"]);

        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|c| c.is_ascii_digit());
        let code = mails["<joe@example.com>"].lines().find(is_code).unwrap();
        let proof = json!({ "auth_request_id": upgraded.text("/passwordless_request"), "code": code });
        let proven = upgraded
            .api(Method::POST, "/api/v1/passwordless/email/verify", proof)
            .await;
        assert_eq!(
            (&proven["email"], &proven["state"]),
            (&json!("joe@example.com"), &json!("kept"))
        );
    })
    .await;
}

/// What later steps of the schema add to the settings of before on purpose. A
/// step that does so writes it here; nothing else may change.
fn with_what_was_added(mut shapes: Value) -> Value {
    for shape in shapes.as_object_mut().unwrap().values_mut() {
        // What was read unnamed has a name since, so that groups go on.
        if let Some(claim @ Value::Null) = shape["settings"].get_mut("groups_claim") {
            *claim = json!("groups");
        }
    }
    shapes
}

#[tokio::test]
async fn every_connection_reads_back_as_it_was() {
    on_each_engine(async |upgraded: &Upgraded| {
        let shapes = with_what_was_added(upgraded.kept["connections"].clone());
        assert!(shapes.as_object().unwrap().len() >= 12);
        for (name, before) in shapes.as_object().unwrap() {
            let id = ConnectionId::parse(upgraded.text(&format!("/connection_{name}"))).unwrap();
            let (found, served) = upgraded
                .gateway
                .tx(async |tx| {
                    let found = connection::find(tx, &id).await?.expect("the connection is there");
                    let served = connection::domains::served_by(tx, &found).await?;
                    Ok((found, served))
                })
                .await;
            let secret = found.open_client_secret(&instance_key()).unwrap();
            let after = json!({
                "organization_id": found.organization_id.as_ref().map(OrganizationId::as_str),
                "provider": found.provider.as_str(),
                "name": found.name,
                "enabled": found.enabled,
                "jit_provisioning": found.jit_provisioning,
                "sync_profile": found.sync_profile,
                "settings": found.settings,
                "client_secret": secret.map(|secret| secret.expose().to_owned()),
                "key_id": found.key_id,
                "ui_button_title": found.ui_button_title,
                "assigned_domains_only": found.assigned_domains_only,
                "status": found.status().as_str(),
                "domains": served.iter().map(|domain| domain.name.as_str()).collect::<Vec<_>>(),
            });
            keeps(before, &after, name);
        }
    })
    .await;
}

/// Whatever was there is there, as it was. More may be.
fn keeps(before: &Value, after: &Value, place: &str) {
    match before.as_object() {
        Some(fields) => fields
            .iter()
            .for_each(|(name, before)| keeps(before, &after[name], &format!("{place}.{name}"))),
        None => assert_eq!(before, after, "{place}"),
    }
}

#[tokio::test]
async fn people_sign_in_as_themselves_and_keep_their_roles() {
    on_each_engine(async |upgraded: &Upgraded| {
        upgraded.move_servers("http://ears.upgrade.test").await;
        let family = upgraded.client("family").await;
        let by_hand = upgraded.text("/connection_by_hand");
        let claims =
            json!({ "mail": "bob@by-hand.test", "first": "Robert", "app_roles": ["auditor"], "teams": ["chess"] });
        let people = [
            (
                "person_unnamed_claim",
                Person::new("ada@acme.test").with_roles("admin auditor"),
                None,
            ),
            (
                "person_named_claim",
                Person::new("bob@by-hand.test").with_claims(&claims),
                Some(by_hand),
            ),
            ("person_public_client", Person::new("carl@acme.test"), None),
        ];
        for (name, person, connection_id) in people {
            let before = family
                .verify(upgraded.text(&format!("/{name}/access_token")))
                .await;
            let request = connection_id.map_or_else(
                || family.authorize(),
                |id| family.authorize().with("connection_id", id),
            );
            let mut browser = upgraded.gateway.browser();
            let code = browser.sign_in_with(&request, person).await;
            let tokens = family.redeem(&code).await.expect_tokens();
            let after = family.verify(&tokens.access_token).await;
            for claim in ["sub", "oid", "roles", "permissions"] {
                assert_eq!(before[claim], after[claim], "{claim} of {name}");
            }
        }
        // One who was given a role by people.
        let acme = OrganizationId::parse(upgraded.text("/acme")).unwrap();
        let hal = UserId::parse(upgraded.text("/hal")).unwrap();
        let found = upgraded
            .gateway
            .tx(async |tx| membership::find(tx, &acme, &hal).await)
            .await;
        assert_eq!(found.unwrap().roles, ["chief_auditor"]);
    })
    .await;
}

#[tokio::test]
async fn programs_and_directories_get_in_with_what_they_have() {
    on_each_engine(async |upgraded: &Upgraded| {
        for name in ["machine", "agent"] {
            let id = upgraded.text(&format!("/{name}/id"));
            let program = upgraded
                .gateway
                .registered(id, upgraded.kept[name]["secret"].as_str())
                .await;
            let form = [("grant_type", "client_credentials")];
            program.post("/oauth/token", &form).send().await.expect_tokens();
        }
        let asked = json!({ "token": upgraded.text("/api_token/value") });
        let answer = upgraded.api(Method::POST, "/api/v1/tokens:validate", asked).await;
        assert_eq!(answer["token_info"]["user_id"], upgraded.text("/hal"));
        assert_eq!(answer["token_info"]["custom_claims"], json!({ "team": "books" }));

        let id = DirectoryId::parse(upgraded.text("/directory/id")).unwrap();
        let secret = genkan_store::Secret::from_presented(upgraded.text("/directory/secret"));
        let (now, secret) = (upgraded.gateway.now(), secret.sha256());
        let is_known = upgraded
            .gateway
            .tx(async |tx| directory::secret::verify(tx, now, &id, &secret).await)
            .await;
        assert!(is_known, "the directory is known by its secret");
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_under_way_goes_on_or_begins_again() {
    on_each_engine(async |upgraded: &Upgraded| {
        upgraded.move_servers("http://ears.upgrade.test").await;
        for name in ["begun_asked", "begun_away"] {
            let mut browser = upgraded.browser(name);
            let page = browser.open(upgraded.text(&format!("/{name}/url"))).await.page();
            assert!(page.reply.status.as_u16() < 500, "{name}: {}", page.reply.status);
            let begun = upgraded.client("begun").await;
            let code = browser.sign_in(&begun, "oda@acme.test").await;
            begun.redeem(&code).await.expect_tokens();
        }
    })
    .await;
}

#[tokio::test]
async fn no_row_is_lost() {
    on_each_engine(async |upgraded: &Upgraded| {
        let row = upgraded
            .gateway
            .tx(async |tx| Ok(tx.all(ROWS, p![]).await?))
            .await;
        let after: BTreeMap<String, i64> = row
            .iter()
            .map(|row| (row.get(0).unwrap(), row.get(1).unwrap()))
            .collect();
        let before: BTreeMap<&str, i64> = upgraded.kept["rows"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(table, rows)| (table.as_str(), rows.as_i64().unwrap()))
            .collect();
        for (table, rows) in &before {
            match *table {
                // A job of the server empties this one, and that is what it is for.
                "search_backlog" => {}
                // People who are at a provider while it is upgraded begin again.
                "upstream_requests" => {}
                // These became one queue.
                "mails" | "back_channel_logouts" => {}
                table => assert!(after[table] >= *rows, "rows of {table}"),
            }
        }
        let waited = before["mails"] + before["back_channel_logouts"];
        assert!(waited > 0 && after["deliveries"] >= waited, "{after:?}");
        let retired = upgraded.kept["now"].as_i64().map(Timestamp::from_micros).unwrap();
        assert_eq!(retired, upgraded.gateway.now());
    })
    .await;
}

/// How many rows each table has.
const ROWS: &str = "
     SELECT 'environment', COUNT(*) FROM environment UNION ALL
     SELECT 'signing_keys', COUNT(*) FROM signing_keys UNION ALL
     SELECT 'clients', COUNT(*) FROM clients UNION ALL
     SELECT 'client_secrets', COUNT(*) FROM client_secrets UNION ALL
     SELECT 'organizations', COUNT(*) FROM organizations UNION ALL
     SELECT 'domains', COUNT(*) FROM domains UNION ALL
     SELECT 'connections', COUNT(*) FROM connections UNION ALL
     SELECT 'roles', COUNT(*) FROM roles UNION ALL
     SELECT 'users', COUNT(*) FROM users UNION ALL
     SELECT 'identities', COUNT(*) FROM identities UNION ALL
     SELECT 'memberships', COUNT(*) FROM memberships UNION ALL
     SELECT 'membership_roles', COUNT(*) FROM membership_roles UNION ALL
     SELECT 'interactions', COUNT(*) FROM interactions UNION ALL
     SELECT 'upstream_requests', COUNT(*) FROM upstream_requests UNION ALL
     SELECT 'sessions', COUNT(*) FROM sessions UNION ALL
     SELECT 'grants', COUNT(*) FROM grants UNION ALL
     SELECT 'authorization_codes', COUNT(*) FROM authorization_codes UNION ALL
     SELECT 'refresh_tokens', COUNT(*) FROM refresh_tokens UNION ALL
     SELECT 'revoked_access_tokens', COUNT(*) FROM revoked_access_tokens UNION ALL
     SELECT 'login_traces', COUNT(*) FROM login_traces UNION ALL
     SELECT 'connection_tests', COUNT(*) FROM connection_tests UNION ALL
     SELECT 'events', COUNT(*) FROM events UNION ALL
     SELECT 'organization_default_roles', COUNT(*) FROM organization_default_roles UNION ALL
     SELECT 'permissions', COUNT(*) FROM permissions UNION ALL
     SELECT 'role_permissions', COUNT(*) FROM role_permissions UNION ALL
     SELECT 'invitations', COUNT(*) FROM invitations UNION ALL
     SELECT 'portal_links', COUNT(*) FROM portal_links UNION ALL
     SELECT 'connection_domains', COUNT(*) FROM connection_domains UNION ALL
     SELECT 'directories', COUNT(*) FROM directories UNION ALL
     SELECT 'directory_secrets', COUNT(*) FROM directory_secrets UNION ALL
     SELECT 'directory_users', COUNT(*) FROM directory_users UNION ALL
     SELECT 'directory_groups', COUNT(*) FROM directory_groups UNION ALL
     SELECT 'directory_group_members', COUNT(*) FROM directory_group_members UNION ALL
     SELECT 'directory_group_roles', COUNT(*) FROM directory_group_roles UNION ALL
     SELECT 'resources', COUNT(*) FROM resources UNION ALL
     SELECT 'api_tokens', COUNT(*) FROM api_tokens UNION ALL
     SELECT 'deliveries', COUNT(*) FROM deliveries UNION ALL
     SELECT 'passwordless_requests', COUNT(*) FROM passwordless_requests UNION ALL
     SELECT 'webauthn_credentials', COUNT(*) FROM webauthn_credentials UNION ALL
     SELECT 'auth_logs', COUNT(*) FROM auth_logs UNION ALL
     SELECT 'organization_words', COUNT(*) FROM organization_words UNION ALL
     SELECT 'user_words', COUNT(*) FROM user_words UNION ALL
     SELECT 'search_backlog', COUNT(*) FROM search_backlog
     ORDER BY 1";
