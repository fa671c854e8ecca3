//! The dashboard, and what an admin can do there.

use axum::http::StatusCode;
use genkan_db::p;
use serde_json::json;

use super::support::{Browser, World, ada, identity, make_admin, on_each_engine, token, with};

async fn signed_in<'w>(world: &'w World, sub: &str, email: &str) -> (Browser<'w>, String) {
    world.says(identity(sub, email));
    let browser = world.browser();
    assert_eq!(browser.sign_in().await.location(), "/");
    let id = browser.user().await["id"].as_str().unwrap().to_owned();
    (browser, id)
}

async fn signed_in_admin(world: &World) -> (Browser<'_>, String) {
    let (browser, id) = signed_in(world, "s1", "admin@acme.test").await;
    make_admin(world, &id).await;
    (browser, id)
}

#[tokio::test]
async fn the_dashboard_shows_who_one_is() {
    on_each_engine(async |db| {
        let world = World::new(db);
        world.says(with(
            &ada(),
            &json!({ "name": "Ada <b>Lovelace</b>", "orgId": "org_1", "groups": ["Engineering"] }),
        ));
        let browser = world.browser();
        browser.sign_in().await;
        let page = browser.get("/").await;
        for part in [
            "Ada &#60;b&#62;Lovelace",
            "ada@acme.test",
            "org_1",
            "Engineering",
            r#"aria-label="Sign out ada@acme.test" title="ada@acme.test">Sign out</button>"#,
        ] {
            assert!(page.body.contains(part), "{part} in {}", page.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_member_sees_nothing_of_others_and_can_change_nothing() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (_admin, admin_id) = signed_in_admin(&world).await;
        let (member, _) = signed_in(&world, "s2", "member@acme.test").await;
        let page = member.get("/").await;
        assert!(!page.body.contains("admin@acme.test") && !page.body.contains("id=\"users\""));
        let answer = member
            .post(&format!("/users/{admin_id}/disable"), "token=x")
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_stays_out() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (admin, _) = signed_in_admin(&world).await;
        let (member, member_id) = signed_in(&world, "s2", "member@acme.test").await;
        let disable = format!("/users/{member_id}/disable");
        let page = admin.get("/").await;
        let answer = admin
            .post(&disable, &format!("token={}", token(&page.body, &disable)))
            .await;
        assert_eq!(answer.location(), "/?notice=user_disabled#users");
        let cookie = member.cookie("openneko_session");
        assert!(member.user().await.is_null());
        assert_eq!(member.get("/").await.location(), "/signin");

        world.says(identity("s2", "member@acme.test"));
        assert_eq!(member.sign_in().await.error(), "user_disabled");

        let enable = format!("/users/{member_id}/enable");
        let page = admin.get("/?notice=user_disabled").await;
        assert!(page.body.contains("signed out everywhere"));
        admin
            .post(&enable, &format!("token={}", token(&page.body, &enable)))
            .await;
        // The old session does not come back to life.
        member
            .cookies
            .lock()
            .insert("openneko_session".to_owned(), cookie);
        assert!(member.user().await.is_null());
        assert_eq!(member.sign_in().await.location(), "/");
        assert_eq!(
            world.events().await[4..],
            [
                "user_disabled",
                "sign_in_failed user_disabled",
                "user_enabled",
                "sign_in"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_form_without_its_token_or_from_elsewhere_does_nothing() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (admin, admin_id) = signed_in_admin(&world).await;
        let (member, member_id) = signed_in(&world, "s2", "member@acme.test").await;
        let path = format!("/users/{member_id}/disable");
        let good = format!("token={}", token(&admin.get("/").await.body, &path));
        for body in [
            "",
            "token=",
            "token=AAAA",
            &format!("{good}x"),
            &format!("{good}&{good}"),
        ] {
            assert_eq!(
                admin.post(&path, body).await.status,
                StatusCode::FORBIDDEN,
                "{body}"
            );
        }
        for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
            let answer = admin.send("POST", &path, &[header], &good).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header:?}");
        }
        assert!(!member.user().await.is_null());
        let own = admin.post(&format!("/users/{admin_id}/disable"), &good).await;
        assert_eq!(own.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn a_user_whom_another_program_disables_is_out_at_once() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (browser, id) = signed_in(&world, "s1", "ada@acme.test").await;
        let id = id.as_str();
        // The row alone, and not the session.
        let changed = world.app.db().tx(async |tx| {
            tx.exec("UPDATE app_user SET disabled_at = 1 WHERE id = $1", p![id])
                .await
        });
        assert_eq!(changed.await.unwrap(), 1);
        assert!(browser.user().await.is_null());
        assert_eq!(browser.get("/").await.location(), "/signin");
        let api = browser.get("/api/anything").await;
        assert_eq!(api.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn an_admin_who_is_one_no_more_cannot_send_a_form_from_before() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (admin, admin_id) = signed_in_admin(&world).await;
        let (member, member_id) = signed_in(&world, "s2", "member@acme.test").await;
        let path = format!("/users/{member_id}/disable");
        let form = format!("token={}", token(&admin.get("/").await.body, &path));
        let admin_id = admin_id.as_str();
        let changed = world.app.db().tx(async |tx| {
            tx.exec("UPDATE app_user SET role = 'member' WHERE id = $1", p![admin_id])
                .await
        });
        assert_eq!(changed.await.unwrap(), 1);
        let answer = admin.post(&path, &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!member.user().await.is_null());
        assert!(!admin.get("/").await.body.contains("id=\"users\""));
    })
    .await;
}
