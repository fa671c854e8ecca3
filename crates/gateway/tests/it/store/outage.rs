//! A database that is away, takes no writes or does not confirm them; and a clock that is off.

use std::time::{Duration, Instant};

use genkan::cache::{MAX_AGE, TRUSTED_FOR};
use genkan::jobs::clock;
use genkan::server::now;
use genkan_db::testing::{Cluster, Scratch};
use genkan_protocol::Timestamp;
use genkan_store::{NodeId, node};
use genkan_testkit::{Gateway, Reply, Rp};

const ASK: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// An application that may call the management API.
async fn manager(gateway: &Gateway) -> Rp {
    gateway
        .client("manager")
        .change(|client| client.management_access = true)
        .await
}

fn is_told_to_come_back(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.transcript());
    assert_eq!(reply.header("retry-after"), "2", "{}", reply.transcript());
}

/// Where an authorization request goes.
fn asks(rp: &Rp) -> String {
    format!("/oauth/authorize?{}", rp.authorize().query())
}

async fn ready(gateway: &Gateway) -> (u16, String) {
    let reply = gateway.get("/readyz").send().await;
    (reply.status.as_u16(), reply.text().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_nothing_is_broken_and_everybody_is_told_to_come_back() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let gateway = Gateway::setup().start_on(Scratch::on(&cluster)).await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let (rp, manager) = (
        gateway.client("rp").strict_refresh_rotation().await,
        manager(&gateway).await,
    );
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let token = manager.post("/oauth/token", &ASK).send().await.expect_tokens();
    assert_eq!(ready(&gateway).await, (200, "ready\n".to_owned()));

    tokio::task::block_in_place(|| cluster.stop("immediate"));
    let organization = || {
        gateway
            .post("/api/v1/organizations")
            .bearer(&token.access_token)
            .body("application/json", r#"{"display_name":"Late"}"#)
            .send()
    };
    let own_token = async {
        let started = Instant::now();
        let reply = manager.post("/oauth/token", &ASK).send().await;
        (reply, started.elapsed())
    };
    let (refreshed, page, created, (own, waited), keys, (readiness, why)) = tokio::join!(
        rp.refresh(tokens.refresh_token()),
        gateway.get(&asks(&rp)).send(),
        organization(),
        own_token,
        gateway.get("/keys").send(),
        ready(&gateway),
    );
    is_told_to_come_back(&refreshed);
    assert_eq!(refreshed.oauth_error(), "temporarily_unavailable");
    is_told_to_come_back(&page);
    assert!(page.text().contains("try again"), "{}", page.text());
    is_told_to_come_back(&created);
    // Requests that only read the configuration go on.
    assert_eq!(own.status, 200, "{}", own.transcript());
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert_eq!(keys.status, 200);
    assert_eq!(readiness, 503, "{why}");
    // Also after a change that was not made.
    manager.post("/oauth/token", &ASK).send().await.expect_tokens();

    tokio::task::block_in_place(|| cluster.launch());
    // Nothing was used up meanwhile.
    rp.refresh(tokens.refresh_token()).await.expect_tokens();
    assert_eq!(organization().await.status, 201);
    assert_eq!(ready(&gateway).await.0, 200);
}

/// Lets time pass for all timers.
async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

#[tokio::test]
async fn clients_get_tokens_of_their_own_for_five_minutes_at_most_while_nobody_can_tell_whether_they_may() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let gateway = Gateway::setup().start_on(Scratch::on(&cluster)).await;
    let rp = gateway.client("rp").await;
    let ask = async || rp.post("/oauth/token", &ASK).send().await;
    ask().await.expect_tokens();
    cluster.stop("immediate");
    pass(MAX_AGE).await;
    ask().await.expect_tokens();
    pass(TRUSTED_FOR - Duration::from_secs(60)).await;
    ask().await.expect_tokens();
    pass(Duration::from_secs(60)).await;
    let refused = ask().await;
    is_told_to_come_back(&refused);
    assert_eq!(refused.oauth_error(), "temporarily_unavailable");
    assert_eq!(gateway.get("/keys").send().await.status, 200);
    cluster.launch();
    pass(MAX_AGE).await;
    ask().await.expect_tokens();
}

#[tokio::test]
async fn a_stranger_learns_of_no_client_while_the_database_is_away() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let gateway = Gateway::setup().start_on(Scratch::on(&cluster)).await;
    let rp = gateway.client("rp").await;
    rp.post("/oauth/token", &ASK).send().await.expect_tokens();
    cluster.stop("immediate");
    pass(MAX_AGE).await;
    let mut seen = Vec::new();
    for (id, secret) in [
        (rp.id.as_str(), "a-wrong-secret"),
        ("app_123456789012345678901", "a-wrong-secret"),
        ("nothing at all", "a-wrong-secret"),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        let reply = rp.post_as_nobody("/oauth/token", &form).send().await;
        is_told_to_come_back(&reply);
        seen.push(reply.transcript());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_not_confirmed_is_not_to_be_sent_again() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let gateway = Gateway::setup().start_on(Scratch::on(&cluster)).await;
    let manager = manager(&gateway).await;
    let token = manager.post("/oauth/token", &ASK).send().await.expect_tokens();
    cluster
        .administer("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        .await;
    cluster.administer("SELECT pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(300)).await;

    let creating = gateway
        .post("/api/v1/organizations")
        .bearer(&token.access_token)
        .body("application/json", r#"{"display_name":"Late"}"#)
        .send();
    let reading = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let list = gateway.get("/api/v1/organizations").bearer(&token.access_token);
        list.send().await
    };
    let (created, list) = tokio::join!(creating, reading);
    assert_eq!(created.status, 504, "{}", created.transcript());
    assert_eq!(created.json()["code"], 4);
    assert!(created.text().contains("OUTCOME_UNKNOWN"), "{}", created.text());
    assert_eq!(created.header("retry-after"), "");
    assert_eq!(list.status, 200, "{}", list.transcript());
    // Every node is as badly off, so a balancer should not take them out.
    assert_eq!(ready(&gateway).await.0, 200);
    cluster
        .administer("ALTER SYSTEM RESET synchronous_standby_names")
        .await;
    cluster.administer("SELECT pg_reload_conf()").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_not_ready_on_a_standby() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let gateway = Gateway::setup().start_on(Scratch::on(&cluster)).await;
    cluster
        .administer("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    cluster.administer("SELECT pg_reload_conf()").await;
    let mut seen = (200, String::new());
    for _ in 0..50 {
        seen = ready(&gateway).await;
        if seen.0 != 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        seen,
        (
            503,
            "the database does not answer, or takes no writes\n".to_owned()
        )
    );
}

fn fast() -> Timestamp {
    now() + Duration::from_secs(75)
}

#[tokio::test]
async fn a_node_with_a_wrong_clock_signs_nobody_in_while_another_one_is_right() {
    let Some(scratch) = Scratch::postgres_with(genkan_store::MIGRATIONS).await else {
        return;
    };
    let gateway = Gateway::setup().start_on(scratch).await;
    let rp = gateway.client("rp").await;
    let (app, id) = (gateway.app(), gateway.at().id::<NodeId>());

    // The node of the gateway itself is right, and has said so when it answers.
    assert_eq!(ready(&gateway).await.0, 200);
    clock::compare(app, &id, fast).await.unwrap();
    assert_eq!(
        ready(&gateway).await,
        (503, "the clock of this machine is off\n".to_owned())
    );
    is_told_to_come_back(&gateway.get(&asks(&rp)).send().await);
    let refused = rp.post("/oauth/token", &ASK).send().await;
    is_told_to_come_back(&refused);
    assert_eq!(refused.oauth_error(), "temporarily_unavailable");
    assert_eq!(gateway.get("/keys").send().await.status, 200);

    clock::compare(app, &id, now).await.unwrap();
    assert_eq!(ready(&gateway).await.0, 200);
    rp.post("/oauth/token", &ASK).send().await.expect_tokens();

    // All are off alike: then it is the database's clock that is wrong.
    let database = app.db().clock().await.unwrap().unwrap();
    gateway
        .tx(async |tx| {
            tx.exec("UPDATE nodes SET clock_ahead = 75000000", &[]).await?;
            node::report(tx, &gateway.at().id(), 74_000_000, database)
                .await
                .map(drop)
        })
        .await;
    clock::compare(app, &id, fast).await.unwrap();
    assert_eq!(ready(&gateway).await.0, 200);
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_says_so_before_it_closes_its_door() {
    let gateway = Gateway::start().await;
    gateway.app().node().stop();
    assert_eq!(ready(&gateway).await, (503, "this node is stopping\n".to_owned()));
    assert_eq!(gateway.get("/keys").send().await.status, 200);
}
