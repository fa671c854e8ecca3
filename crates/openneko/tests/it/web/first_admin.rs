//! The first admin: a person who has the word from the server's terminal.

use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::future::join_all;
use genkan_db::Db;
use openneko::web::rules::Role;
use openneko::web::store::first_admin::{self, ClaimOutcome};
use openneko::web::store::manage::{self, ChangeOrigin};
use openneko::web::store::user;
use openneko::web::store::write;

use super::support::{World, at, identity, make_admin, on_each_engine, token};

const PATH: &str = "/first-admin";

async fn offer(db: &Db, second: i64) -> Option<String> {
    let word = first_admin::word();
    let offered = write(db, async |tx| first_admin::offer(tx, &word, at(second)).await);
    offered.await.unwrap().then_some(word)
}

async fn claim(db: &Db, word: &str, user_id: &str, second: i64) -> ClaimOutcome {
    let by = ChangeOrigin {
        actor: user_id,
        reference: "ref_test",
        ip: None,
        at: at(second),
    };
    write(db, async |tx| first_admin::claim(tx, word, user_id, by).await)
        .await
        .unwrap()
}

/// Members who could all become the admin.
async fn members(db: &Db, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let (id, email) = (user::new_id(), format!("p{number}@acme.test"));
        let by = ChangeOrigin {
            actor: "cli",
            reference: "ref_test",
            ip: None,
            at: at(0),
        };
        let added = write(db, async |tx| {
            manage::add(tx, &id, &email, Role::Member, by).await
        });
        assert!(added.await.unwrap());
        ids.push(id);
    }
    ids
}

async fn admins(db: &Db) -> usize {
    let users = db.read(async |tx| user::list(tx, 1000).await).await.unwrap();
    users.iter().filter(|user| user.role == Role::Admin).count()
}

#[tokio::test]
async fn a_word_counts_once_for_an_hour_and_never_beside_an_admin() {
    on_each_engine(async |db| {
        let ids = members(&db, 2).await;
        let late = offer(&db, 0).await.unwrap();
        assert_eq!(claim(&db, &late, &ids[0], 3600).await, ClaimOutcome::WrongWord);
        // Every node and every start has its own, and each counts.
        let (first, second) = (offer(&db, 0).await.unwrap(), offer(&db, 10).await.unwrap());
        assert_eq!(claim(&db, "", &ids[0], 11).await, ClaimOutcome::WrongWord);
        assert_eq!(
            claim(&db, &first[1..], &ids[0], 11).await,
            ClaimOutcome::WrongWord
        );
        assert_eq!(
            claim(&db, &first.to_uppercase(), &ids[0], 11).await,
            ClaimOutcome::Yes
        );
        for word in [&first, &second] {
            assert_eq!(claim(&db, word, &ids[1], 12).await, ClaimOutcome::WrongWord);
        }
        assert_eq!(offer(&db, 13).await, None);
        assert_eq!(admins(&db).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_people_with_words_one_becomes_the_admin() {
    on_each_engine(async |db| {
        let ids = members(&db, 60).await;
        let words = [offer(&db, 0).await.unwrap(), offer(&db, 0).await.unwrap()];
        let db = Arc::new(db);
        let racers = ids.into_iter().enumerate().map(|(number, id)| {
            let (db, word) = (Arc::clone(&db), words[number % 2].clone());
            tokio::spawn(async move { claim(&db, &word, &id, 1).await })
        });
        let outcomes: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
        let won = outcomes.iter().filter(|outcome| **outcome == ClaimOutcome::Yes);
        assert_eq!(won.count(), 1);
        assert_eq!(admins(&db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_admin_is_one() {
    on_each_engine(async |db| {
        let ids = members(&db, 2).await;
        let word = offer(&db, 0).await.unwrap();
        let id = ids[0].as_str();
        db.tx(async |tx| {
            tx.exec(
                "UPDATE app_user SET role = 'admin', disabled_at = 1 WHERE id = $1",
                genkan_db::p![id],
            )
            .await
        })
        .await
        .unwrap();
        assert_eq!(claim(&db, &word, &ids[1], 1).await, ClaimOutcome::TooLate);
        assert_eq!(offer(&db, 2).await, None);
    })
    .await;
}

#[tokio::test]
async fn whoever_signs_in_and_enters_the_word_is_the_admin() {
    on_each_engine(async |db| {
        let world = World::new(db.clone());
        let word = offer(&db, 0).await.unwrap();
        let (ada, eve) = (world.browser(), world.browser());
        ada.sign_in().await;
        let page = ada.get("/").await.body;
        assert!(page.contains("Nobody is an admin yet") && !page.contains("id=\"users\""));
        let form = |word: &str| format!("word={word}&token={}", token(&page, PATH));

        let wrong = ada.post(PATH, &form("000000-000000-000000-000000")).await;
        assert_eq!(wrong.location(), "/?notice=wrong_word");
        // Nobody sends it for her.
        for body in [format!("word={word}"), format!("word={word}&token=AAAA")] {
            assert_eq!(ada.post(PATH, &body).await.status, StatusCode::FORBIDDEN);
        }
        let foreign = [("sec-fetch-site", "cross-site")];
        let refused = ada.send("POST", PATH, &foreign, &form(&word)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(
            world.browser().post(PATH, &form(&word)).await.location(),
            "/signin"
        );

        assert_eq!(
            ada.post(PATH, &form(&word)).await.location(),
            "/?notice=first_admin"
        );
        let page = ada.get("/?notice=first_admin").await.body;
        assert!(page.contains("id=\"users\"") && !page.contains("Nobody is an admin yet"));
        assert_eq!(world.events().await.last().unwrap(), "role_changed");

        world.says(identity("s-eve", "eve@acme.test"));
        eve.sign_in().await;
        assert!(!eve.get("/").await.body.contains("Nobody is an admin yet"));
    })
    .await;
}

#[tokio::test]
async fn words_cannot_be_tried_without_end() {
    on_each_engine(async |db| {
        let config = openneko::web::app::Config {
            requests_per_minute: 20.try_into().unwrap(),
            ..super::support::config()
        };
        let world = World::with(db, config);
        let browser = world.browser();
        browser.sign_in().await;
        let form = format!("word=x&token={}", token(&browser.get("/").await.body, PATH));
        let mut last = StatusCode::OK;
        for _ in 0..20 {
            last = browser.post(PATH, &form).await.status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    })
    .await;
}

#[tokio::test]
async fn an_admin_of_before_stays_one_and_no_word_is_offered() {
    on_each_engine(async |db| {
        let world = World::new(db.clone());
        let browser = world.browser();
        browser.sign_in().await;
        let id = browser.user().await["id"].as_str().unwrap().to_owned();
        make_admin(&world, &id).await;
        assert_eq!(offer(&db, 0).await, None);
        browser.sign_in().await;
        assert!(browser.get("/").await.body.contains("id=\"users\""));
    })
    .await;
}
