//! The world outside: a TLS server that answers for every name, and a resolver with
//! chosen answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use openneko_sandbox::egress::{Egress, Grant, Resolver, TrustRoots};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::support::Plugin;

/// Answers for names, in turn; the last answer stays.
#[derive(Debug)]
struct Lookup {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Lookup {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.answers[turn.min(self.answers.len() - 1)].clone())
    }
}

/// A server with a certificate for `*.example.com`.
pub(super) struct World {
    pub(super) port: u16,
    authority: String,
    served: Arc<AtomicUsize>,
}

impl World {
    pub(super) async fn start() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // Else issuer and subject are one name, and OpenSSL takes the leaf for self-signed.
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Test Authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        let leaf_key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["*.example.com".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            Arc::clone(&served),
        ));
        Self {
            port,
            authority: authority.pem(),
            served,
        }
    }

    /// Requests that arrived.
    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// A plugin that may reach `*.example.com` at the server's port, where
    /// names resolve to these addresses in turn. `PORT` in its source is the port.
    pub(super) fn plugin(&self, source: &str, answers: &[&[&str]], allow_private: bool) -> Plugin {
        let mut plugin = Plugin::js(&source.replace("PORT", &self.port.to_string()));
        let grant = Grant::operator(&format!("*.example.com:{}", self.port), allow_private).unwrap();
        let answers = answers
            .iter()
            .map(|turn| turn.iter().map(|text| text.parse().unwrap()).collect());
        let lookup = Lookup {
            answers: answers.collect(),
            asked: AtomicUsize::new(0),
        };
        let roots = TrustRoots::public().with_pem(self.authority.as_bytes()).unwrap();
        plugin.spec.egress = Arc::new(Egress::new(vec![grant], roots, Arc::new(lookup)));
        plugin.trust(&self.authority);
        plugin
    }

    /// The same, where the names lead to the server.
    pub(super) fn friend(&self, source: &str) -> Plugin {
        self.plugin(source, &[&["127.0.0.1"]], true)
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, served: Arc<AtomicUsize>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, served) = (tls.clone(), Arc::clone(&served));
        tokio::spawn(async move {
            let mut stream = tls.accept(stream).await.ok()?;
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.ok()? == 0 {
                    return None;
                }
            }
            served.fetch_add(1, Ordering::SeqCst);
            let path = String::from_utf8_lossy(&request).split(' ').nth(1)?.to_owned();
            let answer = match path.as_str() {
                "/away" => {
                    "HTTP/1.1 302 Found\r\nlocation: https://evil.example.net/stolen\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                }
                "/endless" => "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
            if path == "/endless" {
                loop {
                    stream.write_all(&[b'x'; 64 << 10]).await.ok()?;
                }
            }
            if path == "/sink" {
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()?;
            }
            stream.shutdown().await.ok()
        });
    }
}
