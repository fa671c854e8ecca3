//! Nodes whose clocks differ from the database's, each a process of its own.

use std::path::PathBuf;
use std::process::Stdio;

use genkan::config::InstanceKeyBytes;
use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use serde_json::Value;
use tempfile::TempDir;

use super::site::{Node, configuration, free_ports};
use super::until;
use crate::cli::genkan;

const READY: &str = "ready\n";
const OFF: &str = "the clock of this machine is off\n";

/// A database that tells each connection another time: it is as if the other side's clock were
/// ahead by as many seconds as its `odd.ahead` says.
const ODD: &str = "
    CREATE SCHEMA odd;
    CREATE FUNCTION odd.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$
      SELECT pg_catalog.clock_timestamp()
             - make_interval(secs => coalesce(nullif(current_setting('odd.ahead', true), ''), '0')::int)
    $$;
    DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET search_path = public, odd, pg_catalog', current_database());
    END $$";

struct Machines {
    database: Scratch,
    folder: TempDir,
    ports: Vec<u16>,
}

impl Machines {
    async fn new() -> Option<Self> {
        let database = Scratch::postgres_with(MIGRATIONS).await?;
        database.load(ODD).await;
        let folder = tempfile::tempdir().unwrap();
        InstanceKeyBytes::generate()
            .write_new_file(&folder.path().join("instance.key"))
            .unwrap();
        // For the clients that ask whether a node is ready.
        genkan_web::listener::install_crypto_provider();
        Some(Self {
            database,
            folder,
            ports: free_ports().to_vec(),
        })
    }

    /// The configuration of a machine whose clock is so many seconds ahead of the database's.
    fn configure(&mut self, ahead: i32) -> (u16, PathBuf) {
        let port = self.ports.pop().unwrap();
        let url = format!("{}&options=-c%20odd.ahead%3D{ahead}", self.database.url());
        let key = self.folder.path().join("instance.key");
        let config = self.folder.path().join(format!("{port}.toml"));
        let text = configuration(&format!("http://127.0.0.1:{port}"), port, &key, &url);
        std::fs::write(&config, text).unwrap();
        (port, config)
    }

    /// Starts a node, and waits for the first answer of its `/readyz`.
    async fn node(&mut self, ahead: i32) -> (Node, (u16, String)) {
        let (port, config) = self.configure(ahead);
        let node = Node::start("node", port, config);
        let mut readiness = None;
        until("the node answers", async || {
            readiness = node.readiness().await;
            readiness.is_some()
        })
        .await;
        (node, readiness.unwrap())
    }

    /// The finding of `genkan doctor` about the clock.
    fn doctor(&mut self, ahead: i32) -> Value {
        let (_, config) = self.configure(ahead);
        let output = genkan()
            .args(["doctor", "--json", "--config"])
            .arg(config)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|finding| finding["check"] == "Database clock");
        found.unwrap_or_else(|| panic!("{report:#}")).clone()
    }
}

fn said(status: u16, words: &str) -> (u16, String) {
    (status, words.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_off_warns_and_then_stops_beside_one_that_is_right() {
    let Some(mut machines) = Machines::new().await else {
        return;
    };
    let (right, ready) = machines.node(0).await;
    assert_eq!(ready, said(200, READY));
    assert!(
        !right.log().contains("ahead of the database's"),
        "{}",
        right.log()
    );

    let (warns, ready) = machines.node(7).await;
    assert_eq!(ready, said(200, READY));
    assert!(warns.log().contains("ahead of the database's"), "{}", warns.log());

    for ahead in [-75, 75] {
        let (_stops, ready) = machines.node(ahead).await;
        assert_eq!(ready, said(503, OFF));
    }
    assert_eq!(right.readiness().await, Some(said(200, READY)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_clocks_are_off_alike_go_on_for_it_is_the_database_s_that_is_wrong() {
    let Some(mut machines) = Machines::new().await else {
        return;
    };
    for ahead in [75, 76] {
        let (node, ready) = machines.node(ahead).await;
        assert_eq!(ready, said(200, READY));
        assert!(node.log().contains("ahead of the database's"), "{}", node.log());
        // Killed, it is still counted among those that live.
    }
    assert_eq!(machines.node(0).await.1, said(200, READY));
    assert_eq!(machines.node(75).await.1, said(503, OFF));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tells_by_how_much_the_clock_is_off() {
    let Some(mut machines) = Machines::new().await else {
        return;
    };
    // The first start sets the database up.
    drop(machines.node(0).await);
    for (ahead, outcome) in [(0, "ok"), (8, "warn"), (-75, "fail")] {
        let found = machines.doctor(ahead);
        assert_eq!(found["outcome"], outcome, "{found:#}");
    }
}
