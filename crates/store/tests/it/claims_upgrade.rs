//! Migrates a database from before claims had to be named.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, p};
use genkan_store::connection::claims::{ProviderRole, undecided};
use genkan_store::connection::{self, Connection, RolesFrom};
use genkan_store::session;
use genkan_store::{ConnectionId, GrantId, MIGRATIONS, SessionId, Timestamp, grant, role};

use crate::support::{World, hash};

/// The last step before.
const BEFORE: usize = 10;

const ROWS: &[&str] = &[
    "INSERT INTO organizations (id, display_name, external_id, metadata, created_at, updated_at)
     VALUES ('org_1', 'Named', NULL, '{}', 1, 1), ('org_2', 'Unnamed', NULL, '{}', 1, 1)",
    "INSERT INTO users (id, email, email_verified, metadata, disabled, created_at, updated_at)
     VALUES ('usr_1', 'ada@acme.test', TRUE, '{}', FALSE, 1, 1)",
    "INSERT INTO memberships (organization_id, user_id, groups, created_at)
     VALUES ('org_1', 'usr_1', '[\"a\"]', 1), ('org_2', 'usr_1', '[\"b\"]', 1)",
    "INSERT INTO roles (id, name, display_name, description, default_creator, default_member, created_at, updated_at)
     VALUES ('role_1', 'admin', 'Admin', '', TRUE, FALSE, 1, 1), ('role_2', 'member', 'Member', '', FALSE, TRUE, 1, 1),
            ('role_3', 'support', 'Support', '', FALSE, FALSE, 1, 1)",
    "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
     VALUES ('org_1', 'usr_1', 'role_1', TRUE), ('org_1', 'usr_1', 'role_2', FALSE),
            ('org_2', 'usr_1', 'role_3', TRUE), ('org_2', 'usr_1', 'role_2', FALSE)",
    "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
        any_loopback_redirect, enforce_pkce, secret_optional_with_pkce, strict_refresh_rotation,
        profile_in_access_token, management_access, token_algorithm, created_at, updated_at)
     VALUES ('webc_1', 'App', 'WEB_APP', '[]', '[]', '[]', FALSE, FALSE, FALSE, FALSE, TRUE, FALSE, 'RS256', 1, 1)",
];

const SESSION: &str = "INSERT INTO sessions (id, token_hash, user_id, status, authenticated_at, created_at,
        last_active_at, idle_expires_at, expires_at)
     VALUES ('ses_1', $1, 'usr_1', 'active', 5, 5, 5, 1000, 1000)";

const GRANT: &str =
    "INSERT INTO grants (id, client_id, session_id, user_id, scope, authenticated_at, created_at,
        expires_at)
     VALUES ('grt_1', 'webc_1', 'ses_1', 'usr_1', 'openid', 5, 5, 1000)";

/// Settings as the earlier version wrote them.
fn settings(groups: &str, roles: &str) -> String {
    format!(
        r#"{{"kind":"OIDC","issuer":"https://idp.test","discovery_endpoint":null,"authorize_uri":null,"token_uri":null,"user_info_uri":null,"jwks_uri":null,"client_id":"c","scopes":["openid"],"token_auth_type":"BASIC_AUTH","pkce_enabled":true,"attribute_mapping":{{"email":"\"groups_claim\":null"}},"groups_claim":{groups},"roles_claim":{roles},"insecure_http":false,"trust_unverified_email":true,"idp_logout_required":false,"configuration_type":null}}"#
    )
}

async fn migrated(db: Db) -> World {
    db.migrate(&MIGRATIONS[..BEFORE]).await.unwrap();
    for sql in ROWS {
        db.tx(async |tx| tx.exec(sql, p![]).await).await.unwrap();
    }
    db.tx(async |tx| {
        tx.exec(SESSION, p![&hash("cookie")]).await?;
        tx.exec(GRANT, p![]).await
    })
    .await
    .unwrap();
    for (id, organization, groups, roles) in [
        ("conn_1", "org_1", r#""grp""#, r#""app_roles""#),
        ("conn_2", "org_2", "null", "null"),
    ] {
        let settings = settings(groups, roles);
        db.tx(async |tx| {
            tx.exec(
                "INSERT INTO connections (id, organization_id, kind, provider, name, enabled, jit_provisioning,
                    sync_profile, settings, created_at, updated_at)
                 VALUES ($1, $2, 'OIDC', 'CUSTOM', 'C', FALSE, TRUE, TRUE, $3, 1, 1)",
                p![id, organization, &settings],
            )
            .await
        })
        .await
        .unwrap();
    }
    db.migrate(MIGRATIONS).await.unwrap();
    World::of(db)
}

async fn find(world: &World, id: &str) -> Connection {
    let id = ConnectionId::parse(id).unwrap();
    let found = world.tx(async |tx| connection::find(tx, &id).await).await;
    found.unwrap()
}

#[tokio::test]
async fn an_upgrade_names_what_was_read_and_lets_nobody_give_more() {
    on_each_engine(async |db: Db| {
        let world = migrated(db).await;
        let named = find(&world, "conn_1").await;
        let settings = named.settings.as_oidc().unwrap();
        assert_eq!(settings.groups_from(), Some("grp"));
        assert_eq!(settings.roles_from(), RolesFrom::Named("app_roles"));
        assert!(!settings.groups_claim_by_upgrade && settings.trust_unverified_email);

        let unnamed = find(&world, "conn_2").await;
        let settings = unnamed.settings.as_oidc().unwrap();
        assert_eq!(settings.groups_from(), Some("groups"));
        assert_eq!(settings.roles_from(), RolesFrom::Unnamed("roles"));
        assert_eq!(
            unnamed.settings.common.attribute_mapping["email"],
            r#""groups_claim":null"#
        );

        let roles = world.tx(async |tx| role::list(tx, None).await).await;
        let assignable: Vec<&str> = roles
            .iter()
            .filter(|role| role.assignable_by_providers)
            .map(|role| role.name.as_str())
            .collect();
        assert_eq!(assignable, ["admin"], "given through a claim that was named");

        let left = world.tx(async |tx| undecided(tx).await).await;
        assert_eq!((left.groups_by_upgrade, left.unnamed_roles), (1, 1));
        let given = ProviderRole {
            connection_id: unnamed.id.clone(),
            role: "support".to_owned(),
            members: 1,
        };
        assert_eq!(left.given, [given]);

        // After somebody has decided, nothing is listed.
        let mut decided = unnamed;
        let settings = decided.settings.as_oidc_mut().unwrap();
        settings.name_groups(Some("groups"));
        settings.keep_roles();
        assert_eq!(settings.roles_from(), RolesFrom::Nowhere);
        world
            .tx(async |tx| connection::update(tx, world.start(), &decided).await)
            .await;
        assert_eq!(world.tx(async |tx| undecided(tx).await).await, Default::default());
    })
    .await;
}

#[tokio::test]
async fn sessions_and_grants_live_on_and_prove_nothing_about_their_age() {
    on_each_engine(async |db: Db| {
        let world = migrated(db).await;
        let now = Timestamp::from_micros(10);
        let id = SessionId::parse("ses_1").unwrap();
        let session = world.tx(async |tx| session::find_live(tx, &id, now).await).await;
        let session = session.unwrap();
        assert_eq!(session.authenticated_at, Timestamp::from_micros(5));
        assert!(!session.proved_within(std::time::Duration::from_secs(60), now));
        let id = GrantId::parse("grt_1").unwrap();
        let grant = world.tx(async |tx| grant::find_live(tx, &id, now).await).await;
        assert_eq!(grant.unwrap().proofs.auth_time(), None);
    })
    .await;
}

#[test]
fn what_a_claim_gave_is_taken_back_when_it_is_named_no_more() {
    let mut settings = connection::Settings::new(connection::Kind::Oidc);
    assert_eq!(settings.as_oidc().unwrap().roles_from(), RolesFrom::Nowhere);
    let mapping = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned()))
            .collect()
    };
    settings.set_whole_mapping(mapping(&[
        ("email", "mail"),
        ("groups", "grp"),
        ("roles", "app_roles"),
    ]));
    assert_eq!(settings.as_oidc().unwrap().groups_from(), Some("grp"));
    assert_eq!(
        settings.as_oidc().unwrap().roles_from(),
        RolesFrom::Named("app_roles")
    );
    assert_eq!(settings.whole_mapping().len(), 3);
    assert_eq!(
        settings.common.attribute_mapping.len(),
        1,
        "each is kept in one place"
    );

    settings.set_whole_mapping(mapping(&[("email", "mail")]));
    assert_eq!(settings.as_oidc().unwrap().groups_from(), None);
    assert_eq!(
        settings.as_oidc().unwrap().roles_from(),
        RolesFrom::Unnamed("roles")
    );
    assert_eq!(settings.whole_mapping().len(), 1);
    // If the same value is entered again, nothing is decided.
    settings.set_whole_mapping(mapping(&[("email", "mail")]));
    assert_eq!(
        settings.as_oidc().unwrap().roles_from(),
        RolesFrom::Unnamed("roles")
    );
    settings.as_oidc_mut().unwrap().keep_roles();
    assert_eq!(settings.as_oidc().unwrap().roles_from(), RolesFrom::Nowhere);
}
