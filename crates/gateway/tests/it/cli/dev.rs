//! `genkan dev`, as a process of its own.

mod saml;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Ran, genkan};

/// A development instance. Killed when the test ends.
struct Dev {
    process: Child,
    listen: SocketAddr,
    demo: SocketAddr,
    /// What it said before it was ready.
    printed: String,
    folder: TempDir,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Dev {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[])
    }

    /// At ports of the system's choice.
    fn start_in(folder: TempDir, more: &[&str]) -> Self {
        let mut process = genkan()
            .args(["dev", "--listen", "127.0.0.1:0"])
            .args(more)
            .arg("--data-dir")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // What it prints says that it is there, and where.
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut printed = String::new();
        for line in stdout.lines().map(Result::unwrap) {
            printed.push_str(&line);
            printed.push('\n');
            if line.contains("Stop with Ctrl-C") {
                break;
            }
        }
        let mut ports = printed.lines().filter_map(|line| {
            let (_, port) = line.split_once("://localhost:")?;
            port.trim().parse::<u16>().ok()
        });
        let (demo, listen) = (ports.next().unwrap(), ports.next().unwrap());
        Self {
            process,
            listen: (Ipv4Addr::LOCALHOST, listen).into(),
            demo: (Ipv4Addr::LOCALHOST, demo).into(),
            printed,
            folder,
        }
    }

    fn stop(mut self) -> TempDir {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// The value that a shell has for `name` after it sourced `dev.env`.
    fn variable(&self, name: &str) -> Option<String> {
        let text = self.file("dev.env");
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"').to_owned())
    }

    /// A client that trusts what the file in `variable` holds, and nothing else.
    fn client(&self, variable: &str) -> reqwest::Client {
        genkan_web::listener::install_crypto_provider();
        let pem = fs::read(self.variable(variable).unwrap()).unwrap();
        let authorities = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
        reqwest::Client::builder()
            .tls_certs_only(authorities)
            .no_proxy()
            .build()
            .unwrap()
    }

    fn trust(&self, home: &Path, more: &[&str]) -> Ran {
        let mut command = genkan();
        command.args(["dev", "trust"]).args(more);
        command
            .arg("--data-dir")
            .arg(self.folder.path())
            .env("HOME", home);
        Ran::from(command.output().unwrap())
    }

    /// A call of the management API as the application in `dev.env`.
    async fn call(&self, verb: &str, path: &str, body: &Value) -> Value {
        let (id, secret) = (
            self.variable("SCALEKIT_CLIENT_ID").unwrap(),
            self.variable("SCALEKIT_CLIENT_SECRET").unwrap(),
        );
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let asked = self
            .send(
                "POST /oauth/token",
                "application/x-www-form-urlencoded",
                &form,
                "",
            )
            .await;
        let token = format!(
            "Authorization: Bearer {}\r\n",
            asked["access_token"].as_str().unwrap()
        );
        self.send(
            &format!("{verb} {path}"),
            "application/json",
            &body.to_string(),
            &token,
        )
        .await
    }

    async fn send(&self, what: &str, kind: &str, body: &str, more: &str) -> Value {
        let host = format!("localhost:{}", self.listen.port());
        let length = body.len();
        let request = format!(
            "{what} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        );
        let answer = self.ask(self.listen, &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{what}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The status line and the body, asked for under a name of the caller's choice.
    async fn get(&self, address: SocketAddr, path: &str, host: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.ask(address, &request).await
    }

    async fn ask(&self, address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A page of the web that points its name at this machine reads nothing here.
#[tokio::test]
async fn nothing_is_shown_under_a_foreign_name() {
    let dev = Dev::start();
    let (own, demo) = (dev.listen, dev.demo);
    for (address, path) in [
        (own, "/"),
        (own, "/dev/mail"),
        (own, "/simulator"),
        (own, "/simulator/.well-known/openid-configuration"),
        (own, "/simulator/saml/metadata"),
        (own, "/.well-known/openid-configuration"),
        (own, "/oauth/authorize"),
        (own, "/keys"),
        (own, "/nothing-here"),
        (own, "/api/v1/organizations"),
        (demo, "/"),
        (demo, "/login"),
        (demo, "/nothing-here"),
    ] {
        let port = address.port();
        for foreign in [
            format!("rebind.evil.test:{port}"),
            format!("localhost.evil.test:{port}"),
            format!("10.0.0.7:{port}"),
        ] {
            let answer = dev.get(address, path, &foreign).await;
            assert!(
                answer.starts_with("HTTP/1.1 421 "),
                "{path} as {foreign}: {answer}"
            );
        }
        for name in ["localhost", "127.0.0.1", "[::1]", "dev.localhost"] {
            let answer = dev.get(address, path, &format!("{name}:{port}")).await;
            assert!(!answer.starts_with("HTTP/1.1 421 "), "{path} as {name}: {answer}");
        }
    }
}

#[test]
fn the_variables_leave_an_application_its_own_callback() {
    let dev = Dev::start();
    let url = dev.variable("SCALEKIT_ENVIRONMENT_URL").unwrap();
    assert_eq!(url, format!("http://localhost:{}", dev.listen.port()));
    assert_eq!(dev.variable("SCALEKIT_ENV_URL"), Some(url));
    assert_eq!(
        dev.variable("SCALEKIT_REDIRECT_URI"),
        None,
        "it would win over an application's own .env"
    );
    assert!(
        dev.file("dev.env")
            .contains("# SCALEKIT_REDIRECT_URI=http://localhost:4321/api/auth/callback"),
        "what the example listens at is still told"
    );
    assert_eq!(
        dev.variable("NODE_EXTRA_CA_CERTS"),
        None,
        "nobody needs it over http"
    );
}

#[test]
fn a_callback_that_somebody_wrote_into_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let own = "http://localhost:3000/auth/callback";
    fs::write(
        folder.path().join("dev.env"),
        format!("SCALEKIT_REDIRECT_URI={own}\n"),
    )
    .unwrap();
    let dev = Dev::start_in(folder, &[]);
    assert_eq!(dev.variable("SCALEKIT_REDIRECT_URI").as_deref(), Some(own));
    // What earlier versions wrote there was nobody's choice.
    let folder = tempfile::tempdir().unwrap();
    let ours = "SCALEKIT_REDIRECT_URI=http://localhost:4321/api/auth/callback\n";
    fs::write(folder.path().join("dev.env"), ours).unwrap();
    let dev = Dev::start_in(folder, &[]);
    assert_eq!(dev.variable("SCALEKIT_REDIRECT_URI"), None);
}

#[test]
fn only_a_second_start_finds_what_somebody_left() {
    let empty = tempfile::tempdir().unwrap();
    let dev = Dev::start_in(empty, &[]);
    assert!(dev.printed.contains("made just now"), "{}", dev.printed);
    let folder = dev.stop();
    let again = Dev::start_in(folder, &[]);
    assert!(again.printed.contains("as you left it"), "{}", again.printed);
}

#[tokio::test]
async fn the_first_page_leads_to_everything_that_is_here() {
    let dev = Dev::start();
    let http = dev.client("GENKAN_CA_FILE");
    let own = format!("http://localhost:{}", dev.listen.port());
    let open = async |url: String| http.get(url).header("accept", "text/html").send().await.unwrap();
    let page = open(format!("{own}/")).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains(&own), "the issuer: {page}");
    let links: Vec<&str> = page
        .split("<th scope=\"row\"><a href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links.len(), 5);
    for link in links {
        let url = if link.starts_with('/') {
            format!("{own}{link}")
        } else {
            link.to_owned()
        };
        assert_eq!(open(url).await.status(), 200, "{link}");
    }
    // Programs find nothing, as in production.
    assert_eq!(http.get(&own).send().await.unwrap().status(), 404);
}

#[test]
fn an_address_to_listen_at_that_is_none_is_answered_with_an_example() {
    for (listen, example) in [
        ("3000", "such as 127.0.0.1:3000"),
        ("localhost:3000", "such as 127.0.0.1:3000"),
        ("nonsense", "such as 127.0.0.1:8080"),
    ] {
        for option in ["--listen", "--demo-listen"] {
            let ran = genkan().args(["dev", option, listen]).output().unwrap();
            let told = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(2), "{told}");
            assert!(told.contains(example), "{option} {listen}: {told}");
        }
    }
}

#[tokio::test]
async fn with_https_every_address_is_https_whoever_asks() {
    let dev = Dev::start_in(tempfile::tempdir().unwrap(), &["--https"]);
    let (own, demo) = (dev.listen.port(), dev.demo.port());
    let issuer = format!("https://localhost:{own}");
    assert_eq!(
        dev.variable("SCALEKIT_ENVIRONMENT_URL").as_deref(),
        Some(issuer.as_str())
    );
    for variable in [
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    ] {
        let client = dev.client(variable);
        for url in [
            format!("{issuer}/.well-known/openid-configuration"),
            // The issuer does not follow the request: both answer on the one port.
            format!("http://localhost:{own}/.well-known/openid-configuration"),
        ] {
            let metadata: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
            assert_eq!(metadata["issuer"], issuer.as_str());
        }
        let home = client
            .get(format!("https://localhost:{demo}/"))
            .send()
            .await
            .unwrap();
        assert!(home.status().is_success(), "{variable}");
    }
}

#[tokio::test]
async fn the_authority_can_be_read_by_whoever_may_not_enter_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start_in(folder, &[]);
    let answer = dev
        .get(
            dev.listen,
            "/dev/ca.pem",
            &format!("localhost:{}", dev.listen.port()),
        )
        .await;
    assert!(answer.ends_with(&dev.file("ca.pem")), "{answer}");
    assert!(
        dev.get(dev.listen, "/dev/ca.pem", "rebind.evil.test")
            .await
            .starts_with("HTTP/1.1 421 ")
    );
    // What lies beside it is why the folder stays closed.
    for secret in ["ca-key.pem", "tls.pem", "dev.env", "instance.key"] {
        let mode = fs::metadata(dev.folder.path().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{secret}");
    }
}

#[test]
fn it_says_how_every_client_trusts_it() {
    let dev = Dev::start();
    let home = tempfile::tempdir().unwrap();
    let said = dev.trust(home.path(), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    for word in [
        "genkan dev trust --install",
        "curl --cacert",
        "NODE_EXTRA_CA_CERTS=",
        "REQUESTS_CA_BUNDLE=",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=",
        "SSL_CERT_FILE=",
        "keychain",
        "-Djavax.net.ssl.trustStore=",
        "-Djavax.net.ssl.trustStorePassword=changeit",
        "--listen 127.0.0.1:443",
        "/dev/ca.pem",
    ] {
        assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
    }
    assert_eq!(dev.trust(home.path(), &["--pem"]).stdout, dev.file("ca.pem"));
    let report = dev.trust(home.path(), &["--json"]).json();
    assert!(
        report["name"]
            .as_str()
            .unwrap()
            .starts_with("Genkan development CA ")
    );
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing was changed"
    );
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = genkan();
    command.args(["dev", "trust", "--data-dir"]).arg(nowhere.path());
    Ran::from(command.output().unwrap()).failed(1, "There is no development authority in");
}

/// With Debian's `certutil` where it is installed; where not, it says what to install.
#[test]
fn browsers_are_made_to_trust_it_and_to_forget_it() {
    let dev = Dev::start();
    let home = tempfile::tempdir().unwrap();
    let firefox = home.path().join(".mozilla/firefox/abc.default");
    fs::create_dir_all(&firefox).unwrap();
    let list = |folder: &Path| {
        let mut command = std::process::Command::new("certutil");
        command
            .arg("-L")
            .arg("-d")
            .arg(format!("sql:{}", folder.display()));
        command
            .output()
            .map(|output| String::from_utf8(output.stdout).unwrap())
    };
    let chromium = home.path().join(".pki/nssdb");
    if list(&chromium).is_err() {
        // What became of each store is the answer, also if one could not be reached.
        let ran = dev.trust(home.path(), &["--install"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains("certutil is not installed"), "{ran:?}");
        assert!(ran.stderr.contains("Not every store"), "{ran:?}");
        return;
    }
    let database = format!("sql:{}", firefox.display());
    let made = std::process::Command::new("certutil")
        .args(["-N", "--empty-password", "-d", &database])
        .status();
    assert!(made.unwrap().success());
    for _ in 0..2 {
        let installed = dev.trust(home.path(), &["--install"]);
        assert_eq!(installed.code, 0, "{installed:?}");
        for folder in [&chromium, &firefox] {
            let listed = list(folder).unwrap();
            assert_eq!(listed.matches("Genkan development CA").count(), 1, "{listed}");
            assert!(listed.contains("C,,"), "{listed}");
        }
    }
    let forgotten = dev.trust(home.path(), &["--uninstall", "--json"]).json();
    assert_eq!(forgotten.as_array().unwrap().len(), 2, "{forgotten}");
    for folder in [&chromium, &firefox] {
        assert!(!list(folder).unwrap().contains("Genkan"));
    }
}

#[test]
fn a_second_server_on_one_database_is_refused_and_a_crash_leaves_no_lock() {
    let dev = Dev::start();
    let mut second = genkan();
    second
        .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dev.folder.path());
    let refused = Ran::from(second.output().unwrap());
    refused.failed(1, &format!("Another server (process {})", dev.process.id()));
    assert!(refused.stderr.contains("--data-dir"), "{}", refused.stderr);
    // Commands are no servers.
    let mut command = genkan();
    command.args(["org", "list", "--data-dir"]).arg(dev.folder.path());
    assert_eq!(Ran::from(command.output().unwrap()).code, 0);
    // SIGKILL.
    let folder = dev.stop();
    Dev::start_in(folder, &[]);
}

#[tokio::test]
async fn a_connection_to_the_simulator_is_complete_by_itself_and_follows_it() {
    let dev = Dev::start();
    let made = dev
        .call(
            "POST",
            "/api/v1/organizations",
            &json!({ "display_name": "Acme" }),
        )
        .await;
    let organization = made["organization"]["id"].as_str().unwrap();
    let connections = format!("/api/v1/organizations/{organization}/connections");
    let wanted = json!({ "provider": "IDP_SIMULATOR", "type": "OIDC" });
    let made = dev.call("POST", &connections, &wanted).await["connection"].clone();
    assert_eq!(
        (&made["status"], &made["enabled"]),
        (&json!("COMPLETED"), &json!(false))
    );
    let connection = format!("{connections}/{}", made["id"].as_str().unwrap());
    let enabled = dev
        .call("PATCH", &format!("{connection}:enable"), &json!({}))
        .await;
    assert_eq!(enabled["enabled"], json!(true));
    // Another provider is nobody who could be entered.
    let other = json!({ "provider": "OKTA", "type": "OIDC" });
    let other = dev.call("POST", &connections, &other).await["connection"].clone();
    assert_eq!(other["status"], json!("DRAFT"));

    // At other ports the simulator is another issuer; the one of the test organization stays what it is.
    let names = ["GENKAN_TEST_CONNECTION_ID", "GENKAN_TEST_ORGANIZATION_ID"];
    let before = names.map(|name| dev.variable(name).unwrap());
    let dev = Dev::start_in(dev.stop(), &[]);
    assert_eq!(names.map(|name| dev.variable(name).unwrap()), before);
    let followed = dev.call("GET", &connection, &json!({})).await["connection"].clone();
    let issuer = format!("http://localhost:{}/simulator", dev.listen.port());
    assert_eq!(followed["oidc_config"]["issuer"], json!(issuer));
    assert_eq!(
        (&followed["status"], &followed["enabled"]),
        (&json!("COMPLETED"), &json!(true))
    );
}
