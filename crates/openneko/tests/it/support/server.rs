//! A web server on this machine with chosen answers, which records its requests.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self {
            status: "200 OK",
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(document: &Value) -> Self {
        Self::ok(document.to_string().as_bytes())
    }

    pub(crate) fn status(status: &'static str) -> Self {
        Self {
            status,
            ..Self::ok(b"")
        }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self {
            headers: vec![("location", to.to_owned())],
            ..Self::status("302 Found")
        }
    }
}

/// A requested path, with its `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
}

/// Ends with the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    site: Arc<Site>,
}

#[derive(Default)]
struct Site {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<Asked>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::listen(|stream, site| serve(&stream, site))
    }

    /// A server for `https`, whose certificate is `key`'s.
    pub(crate) fn start_tls(key: &CertifiedKey<KeyPair>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let config = Arc::new(config);
        Self::listen(move |stream, site| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            serve(StreamOwned::new(connection, stream), site);
        })
    }

    fn listen(serve: impl Fn(TcpStream, &Site) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            site: Arc::default(),
        };
        let site = Arc::clone(&server.site);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (site, serve) = (Arc::clone(&site), serve.clone());
                thread::spawn(move || serve(stream, &site));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.address.port())
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.site.answers.lock().insert(path.to_owned(), answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.site.asked.lock().clone()
    }
}

fn serve(mut stream: impl Read + Write, site: &Site) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 << 10 {
        match stream.read(&mut byte) {
            Ok(1..) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization")
            .then(|| value.to_owned())
    };
    let authorization = head.lines().find_map(header);
    let answer = site.answers.lock().get(&path).cloned();
    let answer = answer.unwrap_or_else(|| Answer::status("404 Not Found"));
    site.asked.lock().push(Asked { path, authorization });
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status);
    if !answer.headers.iter().any(|(name, _)| *name == "content-length") {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    for (name, value) in answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // The client may have gone away, which is fine.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(&answer.body);
    let _ = stream.flush();
}

/// A proxy that leads every tunnel to one server, and remembers where it was to lead.
pub(crate) struct Proxy {
    address: SocketAddr,
    tunnels: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            tunnels: Arc::default(),
        };
        let tunnels = Arc::clone(&proxy.tunnels);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                tunnels.lock().push(head.lines().next().unwrap().to_owned());
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let other = TcpStream::connect(to).unwrap();
                let (mut from, mut into) = (stream.try_clone().unwrap(), other.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut from, &mut into));
                let (mut from, mut into) = (other, stream);
                thread::spawn(move || std::io::copy(&mut from, &mut into));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn tunnels(&self) -> Vec<String> {
        self.tunnels.lock().clone()
    }
}
