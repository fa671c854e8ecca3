//! Databases that go away, wait for each other, or take no writes.

use genkan_db::Db;
use genkan_db::testing::{Cluster, Pooler};
use tokio::task::block_in_place;

use super::load::{Kind, Load};
use super::site::Site;
use super::until;

const AWAY: &str = "the database does not answer, or takes no writes\n";

/// A standby without which no COMMIT of `primary` is confirmed.
async fn synchronous_standby(primary: &Cluster) -> Cluster {
    let standby = block_in_place(|| primary.standby());
    primary
        .administer("ALTER SYSTEM SET synchronous_standby_names = '*'")
        .await;
    primary.administer("SELECT pg_reload_conf()").await;
    let db = Db::connect(&primary.url()).await.unwrap();
    let follows = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the standby follows", async || {
        let row = db.read(async |tx| tx.opt(follows, &[]).await).await;
        row.unwrap().is_some()
    })
    .await;
    db.close().await;
    standby
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_hangs_or_fails_over_loses_nothing_that_was_granted() {
    let Some(primary) = Cluster::start().await else {
        return;
    };
    let standby = synchronous_standby(&primary).await;
    let databases = [("primary", primary.directory()), ("standby", standby.directory())];
    let Some(site) = Site::start(&primary, &databases).await else {
        return;
    };
    let load = Load::start(&site).await;

    // A restart that is waited for, and one that takes too long.
    block_in_place(|| {
        primary.stop("fast");
        primary.launch();
    });
    load.goes_on().await;
    let before = load.seen_in_all();
    block_in_place(|| primary.stop("immediate"));
    until("every node says that the database is away", async || {
        site.all_say(503, AWAY).await
    })
    .await;
    until("somebody is told to come back", async || {
        load.seen_in_all().refused > before.refused
    })
    .await;
    block_in_place(|| primary.launch());
    site.is_whole().await;
    load.goes_on().await;

    // The synchronous standby goes away: no COMMIT is confirmed.
    let before = load.seen(Kind::ClientToken);
    let unconfirmed = load.seen_in_all().unknown;
    block_in_place(|| standby.stop("fast"));
    until("a write is not confirmed", async || {
        load.seen_in_all().unknown > unconfirmed
    })
    .await;
    // Reads go on, and no node is taken out, because every other one is as badly off.
    load.goes_on_with(&[Kind::ClientToken, Kind::List]).await;
    assert!(site.all_say(200, "ready\n").await);
    assert_eq!(site.serving().len(), site.nodes.len());
    let after = load.seen(Kind::ClientToken);
    assert_eq!((after.refused, after.cut), (before.refused, before.cut));
    block_in_place(|| standby.launch());
    load.goes_on().await;

    // The server keeps its connections and answers nothing.
    primary.freeze();
    until("every node says that the database is away", async || {
        site.all_say(503, AWAY).await
    })
    .await;
    primary.thaw();
    site.is_whole().await;
    load.goes_on().await;

    // The address leads to a server that takes no writes.
    site.lead_to("standby");
    until("no node is ready on a standby", async || {
        site.all_say(503, AWAY).await
    })
    .await;
    site.lead_to("primary");
    site.is_whole().await;
    load.goes_on().await;

    // A failover: the primary is gone, and the standby takes its place.
    block_in_place(|| {
        primary.stop("immediate");
        standby.promote();
    });
    site.lead_to("standby");
    site.is_whole().await;
    load.goes_on().await;
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_nothing_that_was_granted_is_lost_either() {
    let Some(server) = Cluster::start().await else {
        return;
    };
    let Some(pooler) = Pooler::start(&server, "transaction", 12).await else {
        return;
    };
    let Some(mut site) = Site::start(&server, &[("pooler", pooler.directory())]).await else {
        return;
    };
    let load = Load::start(&site).await;
    for mode in ["fast", "immediate"] {
        block_in_place(|| {
            server.stop(mode);
            server.launch();
        });
        load.goes_on().await;
    }
    server.freeze();
    until("every node says that the database is away", async || {
        site.all_say(503, AWAY).await
    })
    .await;
    server.thaw();
    site.is_whole().await;
    site.nodes[0].kill();
    load.goes_on().await;
    site.nodes[0].start_again();
    site.is_whole().await;
    load.finish().await;
}
