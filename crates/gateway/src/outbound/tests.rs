//! The guard with forbidden addresses, and calls through a proxy.

use super::*;

fn guard(allow_private: bool) -> Outbound {
    Outbound::new(allow_private, crate::web::tls::client_config(None).unwrap()).unwrap()
}

#[tokio::test]
async fn address_literals_in_every_notation_are_refused_before_anything_is_sent() {
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
    ] {
        let refusal = guard(false).send(Request::get(url, Scheme::HttpsOnly)).await;
        assert!(
            matches!(refusal, Err(OutboundError::PrivateAddress(_))),
            "{url}: {refusal:?}"
        );
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_refused() {
    let refusal = guard(false)
        .send(Request::get("https://localhost/", Scheme::HttpsOnly))
        .await;
    assert!(
        matches!(refusal, Err(OutboundError::PrivateAddress(_))),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn plain_http_and_other_schemes_are_refused() {
    for url in [
        "http://example.com/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://x/",
    ] {
        let refusal = guard(true).send(Request::get(url, Scheme::HttpsOnly)).await;
        assert!(matches!(refusal, Err(OutboundError::NotHttps)), "{url}");
    }
}

async fn answering(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(answer).await;
        let filler = vec![b'x'; 64 * 1024];
        while stream.write_all(&filler).await.is_ok() {}
    });
    url
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let url =
        answering(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
            .await;
    let refusal = guard(true).send(Request::get(&url, Scheme::HttpAllowed)).await;
    assert!(matches!(refusal, Err(OutboundError::Redirect)));
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let url = answering(b"HTTP/1.1 200 OK\r\n\r\n").await;
    let refusal = guard(true).send(Request::get(&url, Scheme::HttpAllowed)).await;
    assert!(
        matches!(refusal, Err(OutboundError::TooLarge(MAX_ANSWER_BYTES))),
        "{refusal:?}"
    );
}

/// A proxy on this machine that leads every tunnel to one server, for any name.
struct Proxy {
    url: String,
    /// The request lines, and what stood in `Proxy-Authorization`.
    asked: std::sync::Arc<parking_lot::Mutex<Vec<(String, String)>>>,
}

impl Proxy {
    /// Answers with `status`; at 200 the tunnel ends at `server`.
    async fn start(status: &'static str, server: Option<SocketAddr>) -> Self {
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://svc:S3cr%40t@{}", listener.local_addr().unwrap());
        let asked = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let seen = std::sync::Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = std::sync::Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let (mut first, mut credentials) = (String::new(), String::new());
                    stream.read_line(&mut first).await.unwrap();
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.unwrap();
                        if line.trim().is_empty() {
                            break;
                        }
                        if let Some((_, value)) = line
                            .split_once(": ")
                            .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
                        {
                            value.trim().clone_into(&mut credentials);
                        }
                    }
                    seen.lock().push((first.trim().to_owned(), credentials));
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    let head = if server.is_some() {
                        "HTTP/1.1 200 OK\r\n\r\n".to_owned()
                    } else {
                        head
                    };
                    stream.write_all(head.as_bytes()).await.unwrap();
                    if let Some(server) = server {
                        let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                    }
                });
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().clone()
    }
}

fn through(proxy: &str, no_proxy: &[&str], allow_private: bool, tls: rustls::ClientConfig) -> Outbound {
    use crate::config::Environment;
    let variables = [
        ("GENKAN_PUBLIC_URL", "https://auth.acme.test"),
        (
            "GENKAN_INSTANCE_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
        ("GENKAN_OUTBOUND_PROXY", proxy),
        ("GENKAN_OUTBOUND_NO_PROXY", &no_proxy.join(",")),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = crate::config::Config::load(None, &Environment::from_iter(variables))
        .unwrap()
        .outbound;
    Outbound::new(allow_private, tls.clone())
        .unwrap()
        .through(&config.proxy.unwrap(), config.no_proxy, tls)
        .unwrap()
}

fn tls() -> rustls::ClientConfig {
    genkan_web::listener::install_crypto_provider();
    crate::web::tls::client_config(None).unwrap()
}

/// A TLS server for `name` that says hello, and a client configuration that trusts it.
async fn hello(name: &str) -> (SocketAddr, rustls::ClientConfig) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    genkan_web::listener::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let files = crate::dev_ca::ensure(folder.path(), name, crate::server::now()).unwrap();
    let client = crate::web::tls::client_config([files.ca_file.as_path()]).unwrap();
    let pem = std::fs::read(&files.server_file).unwrap();
    let certificate =
        <rustls::pki_types::CertificateDer as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem)
            .unwrap();
    let key = <rustls::pki_types::PrivateKeyDer as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem)
        .unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    (address, client)
}

#[tokio::test]
async fn a_name_that_only_the_proxy_can_resolve_is_reached_through_it() {
    let (server, tls) = hello("idp.acme.test").await;
    let proxy = Proxy::start("200 OK", Some(server)).await;
    // The proxy's own address is private, and the operator's choice.
    let answer = through(&proxy.url, &[], false, tls)
        .send(Request::get("https://idp.acme.test/", Scheme::HttpsOnly))
        .await
        .unwrap();
    assert_eq!(answer.body, b"hello");
    // svc:S3cr@t
    let expected = (
        "CONNECT idp.acme.test:443 HTTP/1.1".to_owned(),
        "Basic c3ZjOlMzY3JAdA==".to_owned(),
    );
    assert_eq!(proxy.asked(), [expected]);
}

#[tokio::test]
async fn what_is_private_is_refused_before_the_proxy_is_asked() {
    let proxy = Proxy::start("200 OK", None).await;
    let outbound = through(&proxy.url, &[], false, tls());
    for url in [
        "https://127.0.0.1/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://app.localhost/",
        "https://intranet/",
        "https://metadata.google.internal/",
    ] {
        let refusal = outbound.send(Request::get(url, Scheme::HttpsOnly)).await;
        assert!(
            matches!(
                refusal,
                Err(OutboundError::PrivateAddress(_) | OutboundError::PrivateName(_))
            ),
            "{url}: {refusal:?}"
        );
    }
    assert_eq!(proxy.asked(), []);
}

#[tokio::test]
async fn a_host_without_the_proxy_is_guarded_as_ever() {
    let proxy = Proxy::start("200 OK", None).await;
    let direct = ["localhost", "127.0.0.0/8"];
    let guarded = through(&proxy.url, &direct, false, tls());
    for url in ["https://localhost/", "https://127.0.0.1/"] {
        let refusal = guarded.send(Request::get(url, Scheme::HttpsOnly)).await;
        assert!(
            matches!(refusal, Err(OutboundError::PrivateAddress(_))),
            "{url}: {refusal:?}"
        );
    }
    let (server, tls) = hello("idp.acme.test").await;
    let allowed = through(&proxy.url, &direct, true, tls);
    let url = format!("https://localhost:{}/", server.port());
    assert_eq!(
        allowed
            .send(Request::get(&url, Scheme::HttpsOnly))
            .await
            .unwrap()
            .body,
        b"hello"
    );
    assert_eq!(proxy.asked(), []);
}

#[tokio::test]
async fn what_the_proxy_answers_is_told_with_a_remedy_and_without_its_password() {
    for (status, words, remedy) in [
        (
            "407 Proxy Authentication Required",
            "wants a user and a password",
            "user:password@host",
        ),
        (
            "401 Unauthorized",
            "wants a user and a password",
            "user:password@host",
        ),
        (
            "403 Forbidden",
            "refuses the way to idp.acme.test:443 (403)",
            "outbound.no_proxy",
        ),
        (
            "502 Bad Gateway",
            "finds no way to idp.acme.test:443 (502)",
            "resolve and reach",
        ),
        (
            "503 Service Unavailable",
            "finds no way to idp.acme.test:443 (503)",
            "resolve and reach",
        ),
    ] {
        let proxy = Proxy::start(status, None).await;
        let outbound = through(&proxy.url, &[], false, tls());
        let error = outbound
            .send(Request::get("https://idp.acme.test/", Scheme::HttpsOnly))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(words), "{status}: {error}");
        assert!(error.remedy().unwrap().contains(remedy), "{status}: {error:?}");
        assert!(
            !format!("{error} {error:?} {outbound:?}").contains("S3cr"),
            "{error:?}"
        );
    }
    // A plain exchange is handed to the proxy whole, so its 407 is an answer.
    let proxy = Proxy::start("407 Proxy Authentication Required", None).await;
    let plain = through(&proxy.url, &[], false, tls())
        .send(Request::get("http://idp.acme.test/", Scheme::HttpAllowed))
        .await;
    assert!(
        matches!(plain, Err(OutboundError::Proxy(ProxyError::Unauthorized { .. }))),
        "{plain:?}"
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_apart_from_a_provider_that_is_not() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://svc:S3cr%40t@{}", free.local_addr().unwrap());
    drop(free);
    for (url, scheme) in [
        ("https://idp.acme.test/", Scheme::HttpsOnly),
        ("http://idp.acme.test/", Scheme::HttpAllowed),
    ] {
        let error = through(&gone, &[], false, tls())
            .send(Request::get(url, scheme))
            .await
            .unwrap_err();
        assert!(
            matches!(error, OutboundError::Proxy(ProxyError::Unreachable { .. })),
            "{url}: {error:?}"
        );
        assert!(!error.to_string().contains("S3cr"), "{error}");
    }
}
