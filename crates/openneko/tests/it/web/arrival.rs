//! Which user a sign-in becomes: linking, rules, roles, and races.

use std::sync::Arc;

use futures_util::future::join_all;
use genkan_db::{Db, p};
use openneko::web::rules::{Refusal, Role, Rules};
use openneko::web::store::arrival::{self, Arrival, Outcome};
use openneko::web::store::manage::{self, Change, ChangeOrigin, ChangeOutcome};
use openneko_plugin::rpc::Identity;
use serde_json::json;

use super::support::{PLUGIN, ada, at, checked, identity, on_each_engine, with};

async fn arrive(db: &Db, identity: &Identity, rules: &Rules) -> Outcome {
    arrive_as(db, PLUGIN, identity, rules).await
}

async fn arrive_as(db: &Db, provider: &str, identity: &Identity, rules: &Rules) -> Outcome {
    let identity = checked(identity.clone());
    let new_user_id = format!("usr_{}", openneko::web::random::reference());
    let arrival = Arrival {
        provider,
        identity: &identity,
        rules,
        new_user_id: &new_user_id,
        reference: "ref_test",
        at: at(1),
    };
    openneko::web::store::write(db, async |tx| arrival::arrive(tx, arrival).await)
        .await
        .unwrap()
}

async fn change(db: &Db, id: &str, what: Change) -> ChangeOutcome {
    let by = ChangeOrigin {
        actor: "cli",
        reference: "ref_test",
        ip: None,
        at: at(2),
    };
    openneko::web::store::write(db, async |tx| manage::change(tx, id, what, by).await)
        .await
        .unwrap()
}

/// A user who was added before they first came.
async fn expected(db: &Db, email: &str, role: &str) {
    db.tx(async |tx| {
        tx.exec(
            "INSERT INTO app_user (id, email, email_key, org_id, role, group_names, created_at, updated_at)
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($2 AS TEXT), id, CAST($3 AS TEXT), '[]', 0, 0 FROM organization",
            p!["usr_expected", email, role],
        )
        .await
    })
    .await
    .unwrap();
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    let row = db.read(async |tx| tx.opt(sql, &[]).await).await.unwrap();
    row.unwrap().get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_first_sign_ins_of_one_person_make_one_user() {
    on_each_engine(async |db| {
        let db = Arc::new(db);
        let racers = (0..100).map(|_| {
            let db = Arc::clone(&db);
            tokio::spawn(async move { arrive(&db, &ada(), &Rules::default()).await.unwrap().id })
        });
        let ids: std::collections::BTreeSet<_> =
            join_all(racers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(count(&db, "SELECT COUNT(*) FROM app_user").await, 1);
    })
    .await;
}

#[tokio::test]
async fn signing_in_first_makes_nobody_an_admin() {
    on_each_engine(async |db| {
        for n in 0..3 {
            let groups =
                json!({ "groups": ["admin", "admins", "owners"], "orgId": "org_1", "emailVerified": true });
            let person = with(&identity(&format!("s{n}"), &format!("p{n}@acme.test")), &groups);
            let user = arrive(&db, &person, &Rules::default()).await.unwrap();
            assert_eq!(user.role, Role::Member);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_left_out_is_kept_and_the_rest_follows_the_provider() {
    on_each_engine(async |db| {
        let rules = Rules::default();
        let named = with(
            &ada(),
            &json!({ "name": "Ada", "groups": ["Everyone"], "orgId": "org_1" }),
        );
        let first = arrive(&db, &named, &rules).await.unwrap();
        let moved = with(&identity("s-ada", "Lovelace@acme.test"), &json!({ "groups": [] }));
        let again = arrive(&db, &moved, &rules).await.unwrap();
        assert_eq!(again.id, first.id);
        assert_eq!(again.name.as_deref(), Some("Ada"));
        assert_eq!(again.email, "Lovelace@acme.test");
        assert!(again.groups.is_empty());
        assert_eq!(again.provider_org_id, None);
        // The address that she left is free, in whatever case.
        assert!(
            arrive(&db, &identity("s-new", "ADA@acme.test"), &rules)
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_is_one_in_any_case_and_belongs_to_one_subject() {
    on_each_engine(async |db| {
        let rules = Rules::default();
        arrive(&db, &ada(), &rules).await.unwrap();
        let thief = with(
            &identity("s-eve", "ADA@Acme.Test"),
            &json!({ "emailVerified": true }),
        );
        assert_eq!(arrive(&db, &thief, &rules).await, Err(Refusal::EmailTaken));
        // Nor by changing one's own address to it.
        arrive(&db, &identity("s-eve", "eve@acme.test"), &rules)
            .await
            .unwrap();
        assert_eq!(arrive(&db, &thief, &rules).await, Err(Refusal::EmailTaken));
        assert_eq!(count(&db, "SELECT COUNT(*) FROM app_user").await, 2);
    })
    .await;
}

#[tokio::test]
async fn another_plugin_cannot_speak_for_a_subject() {
    on_each_engine(async |db| {
        let rules = Rules::default();
        let mine = arrive(&db, &ada(), &rules).await.unwrap();
        let same_sub = identity("s-ada", "eve@evil.test");
        let theirs = arrive_as(&db, "@evil/plugin-x", &same_sub, &rules).await.unwrap();
        assert_ne!(theirs.id, mine.id);
        assert_eq!(theirs.role, Role::Member);
    })
    .await;
}

#[tokio::test]
async fn a_user_who_is_expected_is_claimed_with_a_verified_address_only() {
    on_each_engine(async |db| {
        expected(&db, "ada@acme.test", "admin").await;
        let rules = Rules::default();
        assert_eq!(arrive(&db, &ada(), &rules).await, Err(Refusal::EmailNotVerified));
        let said_no = with(&ada(), &json!({ "emailVerified": false }));
        assert_eq!(
            arrive(&db, &said_no, &rules).await,
            Err(Refusal::EmailNotVerified)
        );

        let verified = with(&ada(), &json!({ "emailVerified": true }));
        let claimed = arrive(&db, &verified, &rules).await.unwrap();
        assert_eq!((claimed.id.as_str(), claimed.role), ("usr_expected", Role::Admin));
    })
    .await;
}

#[tokio::test]
async fn an_operator_may_allow_unverified_addresses() {
    on_each_engine(async |db| {
        expected(&db, "ada@acme.test", "member").await;
        let rules = Rules {
            link_unverified_email: true,
            ..Rules::default()
        };
        assert_eq!(arrive(&db, &ada(), &rules).await.unwrap().id, "usr_expected");
    })
    .await;
}

/// Owners of the organization `org_1` are admins.
fn owners_of_org_1(roles_follow_groups: bool) -> Rules {
    Rules {
        admin_groups: [("org_1".to_owned(), ["owners".to_owned()].into())].into(),
        roles_follow_groups,
        ..Rules::default()
    }
}

#[tokio::test]
async fn groups_decide_the_role_at_first_and_later_only_if_told_to() {
    on_each_engine(async |db| {
        let rules = owners_of_org_1(false);
        expected(&db, "first@acme.test", "admin").await;
        let first = with(
            &identity("s-first", "first@acme.test"),
            &json!({ "emailVerified": true }),
        );
        arrive(&db, &first, &rules).await.unwrap();
        let owner = with(&ada(), &json!({ "groups": ["OWNERS"], "orgId": "org_1" }));
        assert_eq!(arrive(&db, &owner, &rules).await.unwrap().role, Role::Admin);
        assert_eq!(arrive(&db, &ada(), &rules).await.unwrap().role, Role::Admin);

        let follow = owners_of_org_1(true);
        assert_eq!(arrive(&db, &ada(), &follow).await.unwrap().role, Role::Member);
        // The first is now the last admin, and stays one.
        assert_eq!(arrive(&db, &first, &follow).await.unwrap().role, Role::Admin);
        assert_eq!(arrive(&db, &owner, &follow).await.unwrap().role, Role::Admin);
    })
    .await;
}

/// The administrator of any company decides what its groups are called.
#[tokio::test]
async fn a_group_of_another_organization_makes_nobody_an_admin() {
    on_each_engine(async |db| {
        for (number, org_id) in [json!("org_EVIL"), json!(null), json!("ORG_1"), json!("org_1 ")]
            .iter()
            .enumerate()
        {
            for rules in [Rules::default(), owners_of_org_1(false), owners_of_org_1(true)] {
                let said = json!({ "groups": ["owners", "admins", "admin"], "orgId": org_id });
                let name = format!("mallory{number}");
                let mallory = with(&identity(&name, &format!("{name}@evil.test")), &said);
                assert_eq!(arrive(&db, &mallory, &rules).await.unwrap().role, Role::Member);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_stays_one_where_no_group_makes_admins() {
    on_each_engine(async |db| {
        expected(&db, "ada@acme.test", "admin").await;
        let verified = with(&ada(), &json!({ "emailVerified": true }));
        arrive(&db, &verified, &Rules::default()).await.unwrap();
        // Another one, so that it is not for being the last.
        let other = arrive(&db, &identity("s2", "bob@acme.test"), &Rules::default())
            .await
            .unwrap();
        assert_eq!(
            change(&db, &other.id, Change::SetRole(Role::Admin)).await,
            ChangeOutcome::Yes
        );
        let follow_nothing = Rules {
            roles_follow_groups: true,
            ..Rules::default()
        };
        assert_eq!(
            arrive(&db, &verified, &follow_nothing).await.unwrap().role,
            Role::Admin
        );
    })
    .await;
}

#[tokio::test]
async fn disabling_the_admin_does_not_make_the_next_stranger_one() {
    on_each_engine(async |db| {
        let rules = Rules::default();
        let admin = arrive(&db, &ada(), &rules).await.unwrap();
        assert_eq!(
            change(&db, &admin.id, Change::SetRole(Role::Admin)).await,
            ChangeOutcome::Yes
        );
        let second = arrive(&db, &identity("s2", "bob@acme.test"), &rules)
            .await
            .unwrap();
        assert_eq!(
            change(&db, &admin.id, Change::Disable).await,
            ChangeOutcome::LastAdmin
        );
        assert_eq!(
            change(&db, &second.id, Change::SetRole(Role::Admin)).await,
            ChangeOutcome::Yes
        );
        assert_eq!(change(&db, &admin.id, Change::Disable).await, ChangeOutcome::Yes);
        assert_eq!(
            change(&db, &admin.id, Change::Disable).await,
            ChangeOutcome::Already
        );
        assert_eq!(
            change(&db, &second.id, Change::SetRole(Role::Member)).await,
            ChangeOutcome::LastAdmin
        );
        assert_eq!(
            change(&db, "usr_nobody", Change::Enable).await,
            ChangeOutcome::NoSuchUser
        );

        assert_eq!(arrive(&db, &ada(), &rules).await, Err(Refusal::Disabled));
        let eve = arrive(&db, &identity("s3", "eve@acme.test"), &rules)
            .await
            .unwrap();
        assert_eq!(eve.role, Role::Member);
    })
    .await;
}

#[tokio::test]
async fn who_may_not_enter_leaves_no_row() {
    on_each_engine(async |db| {
        let rules = Rules {
            allowed_organizations: ["org_1".to_owned()].into(),
            allowed_domains: ["acme.test".to_owned()].into(),
            ..Rules::default()
        };
        let org = |id: &str| json!({ "orgId": id });
        assert_eq!(
            arrive(&db, &ada(), &rules).await,
            Err(Refusal::OrganizationNotAllowed)
        );
        let elsewhere = with(&ada(), &org("org_2"));
        assert_eq!(
            arrive(&db, &elsewhere, &rules).await,
            Err(Refusal::OrganizationNotAllowed)
        );
        let other_domain = with(&identity("s", "ada@evil.test"), &org("org_1"));
        assert_eq!(
            arrive(&db, &other_domain, &rules).await,
            Err(Refusal::DomainNotAllowed)
        );
        assert_eq!(count(&db, "SELECT COUNT(*) FROM app_user").await, 0);
        assert!(arrive(&db, &with(&ada(), &org("org_1")), &rules).await.is_ok());
    })
    .await;
}
