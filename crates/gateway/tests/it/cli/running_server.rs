//! Commands beside a server that runs on the same database.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{Instance, Ran, configuration, ids, text};

/// A server in a process of its own. Killed when the test ends.
struct Server {
    instance: Instance,
    url: String,
    process: Child,
    http: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    async fn start(database: Scratch) -> Self {
        genkan_web::listener::install_crypto_provider();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{address}");
        let text = configuration(&url, &address.to_string(), database.url());
        let instance = Instance::on(database, Kind::Production).await;
        std::fs::write(&instance.config, text).unwrap();
        let process = instance
            .command(&["serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let server = Self {
            instance,
            url,
            process,
            http,
        };
        server.ready().await;
        server
    }

    async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let answer = self.http.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server is not ready");
    }

    /// The status of a token request by an application for itself.
    async fn token(&self, id: &str, secret: &str) -> u16 {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        let request = self.http.post(format!("{}/oauth/token", self.url)).form(&form);
        request.send().await.unwrap().status().as_u16()
    }

    /// Repeats `attempt` until it gives `expected`. On PostgreSQL a change
    /// that another process made is seen within a second.
    async fn soon<T: PartialEq + std::fmt::Debug>(&self, expected: T, attempt: impl AsyncFn() -> T) {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let found = attempt().await;
            if found == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "expected {expected:?}, found {found:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_change_takes_effect_at_once() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let server = Server::start(database).await;
        let app = server
            .instance
            .json(&["app", "create", "--name", "Batch", "--management-access"]);
        let (id, secret) = (text(&app, "/id"), text(&app, "/secret"));
        server.soon(200, async || server.token(id, secret).await).await;

        let added = server.instance.json(&["app", "secret", "add", id]);
        server
            .soon(200, async || server.token(id, text(&added, "/secret")).await)
            .await;
        let shown = server.instance.json(&["app", "show", id]);
        server.instance.json(&[
            "app",
            "secret",
            "delete",
            id,
            text(&shown, "/secrets/0/id"),
            "--yes",
        ]);
        server.soon(401, async || server.token(id, secret).await).await;

        let keys = async || -> usize {
            let answer = server
                .http
                .get(format!("{}/keys", server.url))
                .send()
                .await
                .unwrap();
            answer.json::<Value>().await.unwrap()["keys"]
                .as_array()
                .unwrap()
                .len()
        };
        let before = keys().await;
        server.instance.json(&["keys", "rotate", "--alg", "RS256"]);
        server.soon(before + 1, keys).await;

        server.instance.json(&["app", "delete", id, "--yes"]);
        server
            .soon(401, async || server.token(id, text(&added, "/secret")).await)
            .await;
    }
}

#[tokio::test]
async fn many_commands_at_once_all_succeed() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let server = Server::start(database).await;
        let names: Vec<_> = (0..12).map(|number| format!("Organization {number}")).collect();
        let spawn = |name: &String| {
            let mut command = server
                .instance
                .command(&["org", "create", "--name", name, "--json"]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = names.iter().map(spawn).collect();
        for child in children {
            Ran::from(child.wait_with_output().unwrap()).json();
        }
        assert_eq!(
            ids(&server.instance.json(&["org", "list"]), "organizations").len(),
            names.len()
        );
    }
}

#[tokio::test]
async fn the_doctor_finds_a_running_server_in_order() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let server = Server::start(database).await;
        let report = server.instance.json(&["doctor"]);
        assert_eq!(report["ok"], true, "{report:#}");
        let checks: Vec<_> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| text(check, "/check"))
            .collect();
        for check in [
            "Configuration",
            "Database",
            "Instance key",
            "Signing keys",
            "Connections",
            "Public URL",
            "Clock",
        ] {
            assert!(checks.contains(&check), "{check} in {checks:?}");
        }
    }
}

#[tokio::test]
async fn the_doctor_notices_another_server_at_the_public_url() {
    let server = Server::start(Scratch::sqlite_with(MIGRATIONS).await).await;
    let other = Instance::new().await;
    let same_url = configuration(
        &server.url.replace("127.0.0.1", "localhost"),
        "127.0.0.1:1",
        "sqlite:other.db",
    );
    std::fs::write(&other.config, same_url).unwrap();
    other.set_up(Kind::Production).await;
    let report = other.run(&["doctor"]);
    assert_eq!(report.code, 1);
    assert!(
        report
            .stdout
            .contains(&format!("the server calls itself {}", server.url)),
        "{}",
        report.stdout
    );
}
