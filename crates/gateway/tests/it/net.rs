//! A listener for tests, and clients that send exactly the chosen bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use genkan::dev_ca;
use genkan::grpc::{self, Health};
use genkan_protocol::Timestamp;
use genkan_web::listener::{
    BodyLimit, ClientIp, DrainReport, Limits, Listener, PeerInfo, Tls, TlsPolicy, TrustedProxies,
};
use http::{HeaderMap, Request, Response, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than any limit in [`quick`], shorter than anyone's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One of the short limits of [`quick`].
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// Every time limit short, so that tests may wait for each of them.
pub(crate) fn quick() -> Limits {
    Limits {
        greeting: SHORT,
        head: SHORT,
        body_idle: SHORT,
        body: SHORT * 3,
        answer: SHORT * 4,
        exchange: SHORT * 5,
        idle: SHORT,
        idle_http2: SHORT,
        ..Limits::default()
    }
}

/// A served router, on a port of its own.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) health: Health,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<DrainReport>,
}

impl Server {
    /// Plain text, no proxies.
    pub(crate) fn start(limits: Limits) -> Self {
        Self::start_with(limits, None, TrustedProxies::default())
    }

    pub(crate) fn start_tls(limits: Limits, tls: TlsPolicy) -> Self {
        Self::start_with(limits, Some(tls), TrustedProxies::default())
    }

    pub(crate) fn start_with(limits: Limits, tls: Option<TlsPolicy>, proxies: TrustedProxies) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
            .unwrap()
            .trusting(proxies);
        let addr = listener.local_addr().unwrap();
        let health = Health::new();
        let (stop, stopped) = oneshot::channel();
        let router = grpc::dispatch(router(), &health, None);
        let draining = health.clone();
        let shutdown = async move {
            let _ = stopped.await;
            draining.drain();
        };
        let ended = tokio::spawn(listener.serve(router, tls, limits, shutdown));
        Self {
            addr,
            health,
            stop,
            ended,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_all(&mut stream).await
    }

    /// An HTTP/2 connection by prior knowledge.
    pub(crate) async fn http2(&self) -> Http2 {
        Http2::over(self.connect().await).await
    }

    /// Begins the shutdown; the second half waits for its end.
    pub(crate) fn stop(self) -> impl Future<Output = DrainReport> {
        self.stop.send(()).unwrap();
        async {
            timeout(PATIENCE, self.ended)
                .await
                .expect("the server stops")
                .unwrap()
        }
    }
}

/// What the tests ask for.
fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/small", post(small))
        .route("/slow", get(slow))
        .route("/panic", get(panics))
        .route("/never", get(std::future::pending::<()>))
        .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
        .route("/peer", get(peer))
}

/// A route with a body limit of its own.
async fn small(Extension(limit): Extension<BodyLimit>, request: Request<axum::body::Body>) -> StatusCode {
    limit.set(10);
    match axum::body::to_bytes(request.into_body(), usize::MAX).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

async fn slow() -> &'static str {
    tokio::time::sleep(SHORT).await;
    "done"
}

async fn panics() {
    panic!("as the test asked for");
}

async fn peer(Extension(peer): Extension<PeerInfo>, ClientIp(client): ClientIp) -> String {
    format!("peer={} tls={} client={client}", peer.addr.ip(), peer.tls)
}

/// Everything until the server closes or resets the connection.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one response head and as much of its body as `end` ends.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut bytes = [0; 1024];
        let len = timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(len > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..len]).unwrap());
    }
    text
}

/// A certificate of a development CA, and what a client needs to trust it.
pub(crate) struct TestTls {
    pub(crate) directory: TempDir,
    pub(crate) server: Tls,
    ca: CertificateDer<'static>,
}

impl TestTls {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = dev_ca::ensure(directory.path(), "localhost", now()).unwrap();
        let server = Tls::from_files(&files.server_file, &files.server_file).unwrap();
        let ca = CertificateDer::from_pem_file(&files.ca_file).unwrap();
        Self {
            directory,
            server,
            ca,
        }
    }

    /// Connects with TLS, offering these protocols.
    pub(crate) async fn connect(&self, server: &Server, alpn: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.ca.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, server.connect().await)
            .await
            .unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real TLS clients look at the real clock"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_secs(since_epoch.as_secs().try_into().unwrap())
}

/// An HTTP/2 client that leaves nothing to chance.
#[derive(Clone)]
pub(crate) struct Http2 {
    pub(crate) requests: h2::client::SendRequest<Bytes>,
    /// Resolves when the connection has ended, with the reason.
    pub(crate) ended: Ended,
}

type Ended = futures_util::future::Shared<futures_util::future::BoxFuture<'static, Option<h2::Reason>>>;

impl Http2 {
    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::built(h2::client::Builder::new(), stream).await.0
    }

    pub(crate) async fn built(
        builder: h2::client::Builder,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, h2::PingPong) {
        use futures_util::FutureExt as _;

        let (requests, mut connection) = builder.handshake(stream).await.unwrap();
        let ping = connection.ping_pong().unwrap();
        let driver = tokio::spawn(connection);
        let ended = async move { driver.await.unwrap().err().and_then(|error| error.reason()) };
        (
            Self {
                requests,
                ended: ended.boxed().shared(),
            },
            ping,
        )
    }

    /// A whole request, a whole answer.
    pub(crate) async fn send(&self, request: Request<()>, body: &[u8]) -> Result<Reply, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body), true)?;
        }
        let (head, mut stream) = timeout(PATIENCE, response)
            .await
            .expect("an answer")?
            .into_parts();
        let mut body = Vec::new();
        while let Some(bytes) = stream.data().await {
            let bytes = bytes?;
            stream.flow_control().release_capacity(bytes.len())?;
            body.extend_from_slice(&bytes);
        }
        let trailers = stream.trailers().await?.unwrap_or_default();
        Ok(Reply {
            head: Response::from_parts(head, ()),
            body,
            trailers,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply, h2::Error> {
        self.send(
            Request::get(format!("http://localhost{path}")).body(()).unwrap(),
            b"",
        )
        .await
    }

    /// Why the connection ended, waiting for it.
    pub(crate) async fn end(self) -> Option<h2::Reason> {
        timeout(PATIENCE, self.ended)
            .await
            .expect("the server closes the connection")
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: Response<()>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Reply {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status()
    }
}
