//! A provider over real TLS that answers as it is told, and the program that calls it.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the provider answers to one path: with a header `x-drip`, five bytes a second.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn json(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: "content-type: application/json\r\n".to_owned(),
        body: body.as_bytes().to_vec(),
    }
}

/// The token that every test but those about tokens gets.
pub(crate) fn token() -> Answer {
    json(
        200,
        r#"{"access_token":"at-1","token_type":"Bearer","id_token":"h.p.s"}"#,
    )
}

pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) authority: PathBuf,
    incoming: mpsc::Receiver<String>,
    requests: RefCell<Vec<String>>,
}

impl Provider {
    /// Answers the paths of `routes`, each as often as it is asked.
    pub(crate) fn start(routes: &[(&'static str, Answer)]) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(ca, ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();

        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();

        let listener = TcpListener::bind("localhost:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let authority = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("authority-{}-{number}.pem", std::process::id()));
        std::fs::write(&authority, issuer.pem()).unwrap();

        let (seen, incoming) = mpsc::channel();
        let (routes, config) = (routes.to_vec(), Arc::new(config));
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that refuses us closes the connection, which is no failure here.
                let _ = serve(stream.unwrap(), &config, &routes, &seen);
            }
        });
        Self {
            url,
            authority,
            incoming,
            requests: RefCell::default(),
        }
    }

    /// Everything that was asked: the head of each request, and its body.
    pub(crate) fn requests(&self) -> Vec<String> {
        let mut requests = self.requests.borrow_mut();
        requests.extend(self.incoming.try_iter());
        requests.clone()
    }

    /// The values of an operator whose environment this provider is.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SCALEKIT_ENVIRONMENT_URL", self.url.clone()),
            ("SCALEKIT_CLIENT_ID", "id:1".to_owned()),
            ("SCALEKIT_CLIENT_SECRET", "s+/=".to_owned()),
            ("OPENNEKO_EXTRA_CA_CERTS", self.authority.display().to_string()),
        ]
    }
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    routes: &[(&str, Answer)],
    seen: &mpsc::Sender<String>,
) -> std::io::Result<()> {
    let tls = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(tls, stream));
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let body = String::from_utf8(body).unwrap();
        // A test that is over listens no more.
        let _ = seen.send(format!("{head}\r\n{body}"));
        let answer = routes
            .iter()
            .find(|(route, _)| *route == path)
            .map(|(_, answer)| answer.clone());
        let answer = answer.unwrap_or_else(|| json(404, r#"{"error":"no_route"}"#));
        let head = format!(
            "HTTP/1.1 {} X\r\n{}content-length: {}\r\n\r\n",
            answer.status,
            answer.headers,
            answer.body.len()
        );
        let stream = stream.get_mut();
        stream.write_all(head.as_bytes())?;
        if answer.headers.contains("x-drip") {
            for byte in &answer.body {
                stream.write_all(&[*byte])?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(200));
            }
        }
        stream.write_all(&answer.body)?;
        stream.flush()?;
    }
}

/// Runs the program with these values and nothing else: standard output and exit code.
pub(crate) fn run(arguments: &[&str], env: &[(&'static str, String)]) -> (String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plugin-scalekit"));
    command.args(arguments).env_clear();
    for (key, value) in env {
        command.env(key, value);
    }
    let output = command.output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code().unwrap(),
    )
}

/// The same with the parameters on standard input.
pub(crate) fn run_by_input(method: &str, params: &str, env: &[(&'static str, String)]) -> (String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plugin-scalekit"));
    command.args([method, "-"]).env_clear();
    for (key, value) in env {
        command.env(key, value);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(params.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code().unwrap(),
    )
}

/// `complete_auth` with the code `u1`, at a provider that answers so.
pub(crate) fn complete(routes: &[(&'static str, Answer)]) -> (String, i32) {
    let provider = Provider::start(routes);
    run(&["complete_auth", COMPLETE], &provider.env())
}

pub(crate) const COMPLETE: &str = r#"{"params":{"code":"u1","redirectUri":"https://a/cb","state":"s"}}"#;

/// The answer of a plugin that failed so.
pub(crate) fn plugin_error(message: &str) -> String {
    openneko_plugin::rpc::failure("PLUGIN_ERROR", message)
}
