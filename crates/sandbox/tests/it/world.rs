//! The network of the tests' plugins: a TLS server on this machine, names that lead to
//! it, and a listener that nobody may reach.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA512, digest};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use openneko_sandbox::egress::{Egress, Grant, Resolver, TrustRoots};
use openneko_sandbox::{Artifact, Limits, PluginSpec};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The certificate is for this name.
pub(crate) const GRANTED: &str = "app.neko.test";
/// Granted; leads to the server when it is asked for first, and then elsewhere.
pub(crate) const REBINDING: &str = "rebind.neko.test";
/// Granted, leads to the server, and is not in its certificate.
pub(crate) const MISNAMED: &str = "wrong.neko.test";

/// A server, names and files; they go away with it.
pub(crate) struct World {
    /// The server's port, and the one that is granted.
    pub(crate) port: u16,
    /// A port of this machine that nobody may connect to.
    pub(crate) forbidden_port: u16,
    trespasses: Arc<AtomicUsize>,
    pub(crate) authority_pem: String,
    directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (authority_pem, config) = certificates();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config))));

        let forbidden = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let forbidden_port = forbidden.local_addr().unwrap().port();
        let trespasses = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&trespasses);
        tokio::spawn(async move {
            while forbidden.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            port,
            forbidden_port,
            trespasses,
            authority_pem,
            directory: TempDir::new().unwrap(),
        }
    }

    /// How many connections the forbidden port has seen.
    pub(crate) fn trespasses(&self) -> usize {
        self.trespasses.load(Ordering::SeqCst)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Two names that lead to the server, and what a package may ask for.
    pub(crate) fn egress(&self) -> Arc<Egress> {
        let operator = |host: &str| Grant::operator(&format!("{host}:{}", self.port), true).unwrap();
        let grants = vec![
            operator(GRANTED),
            operator(MISNAMED),
            operator(REBINDING),
            Grant::package("*.package.test").unwrap(),
        ];
        let roots = TrustRoots::public()
            .with_pem(self.authority_pem.as_bytes())
            .unwrap();
        Arc::new(Egress::new(grants, roots, Arc::new(Names::default())))
    }

    /// A file of this world with its digest.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> (PathBuf, [u8; 64]) {
        let path = self.directory().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        (path, digest(&SHA512, bytes).as_ref().try_into().unwrap())
    }

    /// A bundle as a plugin. `PORT` and `FORBIDDEN` in it become the ports.
    pub(crate) fn bundle(&self, id: &str, source: &str, limits: Limits) -> PluginSpec {
        let source = source
            .replace("FORBIDDEN", &self.forbidden_port.to_string())
            .replace("PORT", &self.port.to_string());
        let (path, sha512) = self.file(&format!("{id}/run.js"), source.as_bytes());
        PluginSpec {
            id: id.to_owned(),
            artifact: Artifact::JsBundle(path),
            sha512,
            egress: self.egress(),
            limits,
        }
    }

    /// A component, written as text.
    #[cfg(feature = "wasm")]
    pub(crate) fn component(&self, id: &str, wat: &str, limits: Limits) -> PluginSpec {
        let binary = wat::parse_str(wat).unwrap();
        let (path, sha512) = self.file(&format!("{id}/plugin.wasm"), &binary);
        PluginSpec {
            id: id.to_owned(),
            artifact: Artifact::Component(path),
            sha512,
            egress: self.egress(),
            limits,
        }
    }
}

/// The resolver of the tests, which lies like an attacker's.
#[derive(Debug, Default)]
struct Names {
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let answer: &[&str] = match name {
            GRANTED | MISNAMED => &["127.0.0.1"],
            "loopback.package.test" => &["127.0.0.1"],
            "mapped.package.test" => &["::ffff:127.0.0.1"],
            "metadata.package.test" => &["169.254.169.254"],
            // Refused for the second of the two, before anybody connects.
            "mixed.package.test" => &["8.8.8.8", "127.0.0.1"],
            REBINDING if self.asked.fetch_add(1, Ordering::SeqCst) == 0 => &["127.0.0.1"],
            REBINDING => &["169.254.169.254"],
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(answer.iter().map(|text| text.parse().unwrap()).collect())
    }
}

/// An authority in PEM, and a server with a certificate of it.
fn certificates() -> (String, ServerConfig) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    // OpenSSL takes a certificate for self-signed when both names are the same.
    params
        .distinguished_name
        .push(DnType::CommonName, "Authority of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![GRANTED.to_owned(), REBINDING.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (authority.pem(), config)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = hyper::service::service_fn(answer);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// `/echo` says what was asked, `/redirect?<url>` sends there, `/big?<bytes>`
/// is long, `/slow` takes a minute, `/status?<code>` has that status.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let response = Response::builder();
    let response = match request.uri().path() {
        "/redirect" => response
            .status(302)
            .header("location", query)
            .body(Full::default()),
        "/see-other" => response
            .status(303)
            .header("location", query)
            .body(Full::default()),
        "/temporary" => response
            .status(307)
            .header("location", query)
            .body(Full::default()),
        "/big" => response.body(Full::from(vec![b'x'; query.parse().unwrap()])),
        "/status" => response
            .status(query.parse::<u16>().unwrap())
            .body(Full::from("body")),
        "/failure-header" => response
            .header("x-openneko-failure", "denied")
            .status(599)
            .body(Full::from("body")),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            response.body(Full::default())
        }
        _ => response
            .header("content-type", "application/json")
            .body(Full::from(echo(request).await)),
    };
    Ok(response.unwrap())
}

async fn echo(request: Request<Incoming>) -> String {
    let (head, body) = request.into_parts();
    let headers: serde_json::Map<_, _> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    serde_json::json!({
        "method": head.method.as_str(),
        "url": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    })
    .to_string()
}
