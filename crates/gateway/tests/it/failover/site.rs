//! Three nodes, each a process of its own, behind HAProxy; and HAProxy before their database.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use genkan::config::InstanceKeyBytes;
use genkan_db::testing::{Balancer, Cluster, Scratch};
use genkan_testkit::{Gateway, INSTANCE_KEY, IdentityProvider};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::until;
use crate::cli::genkan;

const NAMES: [&str; 3] = ["one", "two", "three"];

/// An application, as it knows itself.
#[derive(Debug, Clone)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) redirect_uri: String,
}

/// The others who take part, set up before the nodes start.
#[derive(Debug)]
pub(super) struct Parties {
    pub(super) provider: IdentityProvider,
    /// People sign in to it, and each of its refresh tokens counts once.
    pub(super) application: Application,
    /// It manages organizations.
    pub(super) manager: Application,
}

/// Three nodes behind one address.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) url: String,
    pub(super) nodes: Vec<Node>,
    pub(super) parties: Arc<Parties>,
    balancer: Balancer,
    databases: Vec<&'static str>,
    _folder: TempDir,
}

/// A node. It is killed when the test ends.
#[derive(Debug)]
pub(super) struct Node {
    name: &'static str,
    url: String,
    config: PathBuf,
    log: PathBuf,
    process: Child,
    http: reqwest::Client,
}

impl Site {
    /// On the database of `primary`, which the nodes reach through the first of `databases`: names with
    /// the directories of their sockets. `None` if HAProxy is not installed and not required.
    pub(super) async fn start(primary: &Cluster, databases: &[(&'static str, &Path)]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let [port, ports @ ..] = free_ports();
        let url = format!("http://127.0.0.1:{port}");
        let parties = Arc::new(set_up(primary, &url).await);
        let balancer = Balancer::start(|sockets| sections(sockets, port, ports, databases)).await?;
        let key = folder.path().join("instance.key");
        InstanceKeyBytes::new(INSTANCE_KEY).write_new_file(&key).unwrap();
        let nodes = NAMES.into_iter().zip(ports).map(|(name, port)| {
            let config = folder.path().join(format!("{name}.toml"));
            std::fs::write(&config, configuration(&url, port, &key, &balancer.url())).unwrap();
            Node::start(name, port, config)
        });
        let site = Self {
            nodes: nodes.collect(),
            url,
            parties,
            balancer,
            databases: databases.iter().map(|(name, _)| *name).collect(),
            _folder: folder,
        };
        site.is_whole().await;
        Some(site)
    }

    /// Waits until every node is ready, and HAProxy sends requests to each.
    pub(super) async fn is_whole(&self) {
        until("every node is ready", async || {
            self.all_say(200, "ready\n").await && self.serving().len() == self.nodes.len()
        })
        .await;
    }

    /// Whether `/readyz` of every node says so.
    pub(super) async fn all_say(&self, status: u16, words: &str) -> bool {
        for node in &self.nodes {
            if node.readiness().await != Some((status, words.to_owned())) {
                return false;
            }
        }
        true
    }

    /// The nodes that HAProxy sends requests to.
    pub(super) fn serving(&self) -> Vec<String> {
        let state = self.balancer.command("show servers state nodes");
        let servers = state.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        servers
            // HAProxy's management guide, 9.3: the sixth field is the state, and 2 is "running".
            .filter(|fields| fields.len() > 5 && fields[1] == "nodes" && fields[5] == "2")
            .map(|fields| fields[3].to_owned())
            .collect()
    }

    /// From now on the nodes' address of the database leads there; connections to another one are cut.
    pub(super) fn lead_to(&self, database: &str) {
        let set = |name: &str, state: &str| {
            let command = format!("set server databases/{name} state {state}");
            assert_eq!(self.balancer.command(&command), "");
        };
        for other in self.databases.iter().filter(|name| **name != database) {
            set(other, "maint");
            let command = format!("shutdown sessions server databases/{other}");
            assert_eq!(self.balancer.command(&command), "");
        }
        set(database, "ready");
    }
}

impl Drop for Site {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it beside the panic's own text"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                eprintln!("{}:\n{}", node.name, end_of(&node.log()));
            }
            eprintln!("HAProxy:\n{}", end_of(&self.balancer.log()));
        }
    }
}

fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

impl Node {
    pub(super) fn start(name: &'static str, port: u16, config: PathBuf) -> Self {
        let log = config.with_extension("log");
        let process = spawn(&config, &log);
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        Self {
            name,
            url: format!("http://127.0.0.1:{port}"),
            config,
            log,
            process,
            http: http.timeout(Duration::from_secs(30)).build().unwrap(),
        }
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop in good order.
    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the node ends", async || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    pub(super) fn start_again(&mut self) {
        self.process = spawn(&self.config, &self.log);
    }

    /// Its log so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The answer of `/readyz`, if there is one.
    pub(super) async fn readiness(&self) -> Option<(u16, String)> {
        let answer = self.http.get(format!("{}/readyz", self.url)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(config: &Path, log: &Path) -> Child {
    let log: File = OpenOptions::new().create(true).append(true).open(log).unwrap();
    genkan()
        .args(["serve", "--config"])
        .arg(config)
        .current_dir(config.parent().unwrap())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// One for HAProxy, and one for each node.
///
/// They lie below those that the system gives to others: a node that is started again needs its port again.
pub(super) fn free_ports() -> [u16; 4] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 1000).unwrap();
    [(); 4].map(|()| {
        loop {
            let offset = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(begin * 12) % 12_000;
            if TcpListener::bind(("127.0.0.1", 20_000 + offset)).is_ok() {
                return 20_000 + offset;
            }
        }
    })
}

pub(super) fn configuration(public_url: &str, port: u16, key: &Path, database: &str) -> String {
    // While COMMITs hang each node has up to ten connections.
    format!(
        r#"public_url = "{public_url}"
listen = "127.0.0.1:{port}"
instance_key_file = "{}"
[database]
url = "{database}"
pool_size = 6
[outbound]
allow_private_addresses = true
[limits]
anonymous_per_minute = 0
wrong_credentials_per_minute = 0
failed_answers_per_minute = 0
drain_delay = "3s"
[api]
requests_per_minute = 0
"#,
        key.display()
    )
}

/// HAProxy's sections: browsers and applications come in at `web`, nodes at `database`.
fn sections(sockets: &Path, port: u16, ports: [u16; 3], databases: &[(&'static str, &Path)]) -> String {
    let nodes: String = NAMES
        .into_iter()
        .zip(ports)
        .map(|(name, port)| format!("  server {name} 127.0.0.1:{port}\n"))
        .collect();
    let databases: String = databases
        .iter()
        .enumerate()
        .map(|(index, (name, directory))| {
            let state = if index == 0 { "" } else { " disabled" };
            format!(
                "  server {name} unix@{}/.s.PGSQL.5432{state}\n",
                directory.display()
            )
        })
        .collect();
    // The header tells an answer of a node from one of HAProxy's own.
    format!(
        "defaults
  log global
  mode http
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout check 20s
  retries 3
  option redispatch 1
frontend web
  bind 127.0.0.1:{port}
  option httplog
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  http-response set-header x-node %s
  default-server check inter 200ms fall 2 rise 1 proto h2
{nodes}frontend database
  mode tcp
  bind unix@{}/.s.PGSQL.5432 mode 666
  default_backend databases
backend databases
  mode tcp
{databases}",
        sockets.display()
    )
}

/// Fills the database, as a node that goes away again.
async fn set_up(primary: &Cluster, url: &str) -> Parties {
    let gateway = Gateway::setup()
        .production()
        .public_url(url)
        .running_clock()
        .start_on(Scratch::on(primary))
        .await;
    let provider = IdentityProvider::start(&gateway).await;
    gateway
        .organization("acme.test")
        .with_connection_to(&provider)
        .await;
    let application = gateway.client("rp").strict_refresh_rotation().await;
    let manager = gateway
        .client("manager")
        .change(|client| client.management_access = true)
        .await;
    let [application, manager] = [application, manager].map(|rp| Application {
        id: rp.id.to_string(),
        secret: rp.secret.clone().unwrap(),
        redirect_uri: rp.redirect_uri.clone(),
    });
    gateway.stop().await;
    Parties {
        provider,
        application,
        manager,
    }
}
