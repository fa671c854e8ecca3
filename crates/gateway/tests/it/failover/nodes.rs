//! Nodes that go away.

use genkan_db::testing::Cluster;

use super::load::Load;
use super::site::Site;
use super::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_killed_and_restarted_and_nobody_notices_more_than_a_cut_connection() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let Some(mut site) = Site::start(&cluster, &[("primary", cluster.directory())]).await else {
        return;
    };
    let load = Load::start(&site).await;

    for index in [0, 1] {
        site.nodes[index].kill();
        load.goes_on().await;
        site.nodes[index].start_again();
        site.is_whole().await;
    }

    // A new version, one node after the other.
    for index in 0..site.nodes.len() {
        let whole = site.nodes.len();
        let node = &mut site.nodes[index];
        node.terminate();
        // It says so before it closes its door.
        until("the node says that it is stopping", async || {
            node.readiness().await == Some((503, "this node is stopping\n".to_owned()))
        })
        .await;
        assert!(node.ended().await.success());
        assert!(
            site.serving().len() < whole,
            "nothing is sent to a node that is gone"
        );
        load.goes_on().await;
        site.nodes[index].start_again();
        site.is_whole().await;
    }

    let seen = load.seen_in_all();
    assert_eq!((seen.refused, seen.unknown), (0, 0), "{seen:?}");
    load.finish().await;
}
