//! Requests of a component that must not leave. What a bundle can ask for is
//! narrower, since its URLs are parsed twice; a component writes what it likes.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use async_trait::async_trait;

use super::*;
use crate::egress::{Denial, Egress, Grant, Resolver, TrustRoots};

/// Every name leads to this machine.
#[derive(Debug)]
struct Here;

#[async_trait]
impl Resolver for Here {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

/// Sends a request as a component does; how it failed, and what was logged.
async fn refused(method: &str, uri: Uri, port: u16) -> (Error, Vec<Denial>) {
    let grants = vec![
        Grant::operator(&format!("app.neko.test:{port}"), true).unwrap(),
        Grant::package("*.package.test").unwrap(),
    ];
    let egress = Egress::new(grants, TrustRoots::public(), Arc::new(Here));
    let gate = Gate::new(Arc::new(egress), &Limits::default());
    let mut hooks = Hooks::new(gate.clone(), &Limits::default(), false);
    let mut request = Request::new(whole(Bytes::new()));
    *request.method_mut() = method.parse().unwrap();
    *request.uri_mut() = uri;
    let sent = hooks.send_request(request, None, Box::new(async { Ok(()) }));
    match Pin::from(sent).await {
        Ok((response, _)) => panic!("{} was answered", response.status()),
        Err(error) => (error, gate.take_denials()),
    }
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[tokio::test]
async fn only_https_to_granted_names_leaves() {
    for (text, reason) in [
        ("http://app.neko.test/", Reason::PlainHttp),
        ("ftp://app.neko.test/", Reason::PlainHttp),
        ("https://evil.test/", Reason::NotGranted),
        ("https://app.neko.test.evil.test/", Reason::NotGranted),
        ("https://app.neko.test/", Reason::Port),
        ("https://127.0.0.1:8443/", Reason::IpLiteral),
        ("https://2130706433:8443/", Reason::IpLiteral),
        ("https://0x7f.1:8443/", Reason::IpLiteral),
        ("https://[::1]:8443/", Reason::IpLiteral),
        ("https://app.neko.test.:8443/", Reason::BadName),
        ("https://app.neko.test:8443@evil.test/", Reason::BadName),
        ("https://user@app.neko.test:8443/", Reason::BadName),
        ("https://app.neko.test:08443/", Reason::BadName),
        ("https://a_b.package.test/", Reason::BadName),
        (
            "https://x.package.test/",
            Reason::NotPublic(Ipv4Addr::LOCALHOST.into()),
        ),
    ] {
        let (_, denials) = refused("GET", uri(text), 8443).await;
        assert_eq!(denials.len(), 1, "{text}");
        assert_eq!(denials[0].reason, reason, "{text}");
    }
}

#[tokio::test]
async fn a_tunnel_is_refused() {
    let (error, denials) = refused("CONNECT", uri("https://app.neko.test:8443/"), 8443).await;
    assert!(matches!(error, Error::HttpRequestMethodInvalid));
    assert_eq!(denials[0].reason, Reason::Protocol);
}

#[tokio::test]
async fn a_url_without_a_host_is_refused() {
    let (error, _) = refused("GET", uri("/path"), 8443).await;
    assert!(matches!(error, Error::HttpRequestUriInvalid));
}

#[tokio::test]
async fn what_does_not_speak_tls_gets_no_request() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 4096];
        let count = stream.read(&mut seen).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        seen.truncate(count);
        seen
    });
    let (error, _) = refused("GET", uri(&format!("https://app.neko.test:{port}/secret")), port).await;
    assert!(matches!(error, Error::TlsProtocolError), "{error:?}");
    let seen = server.await.unwrap();
    assert_eq!(seen[0], 0x16, "a ClientHello");
    assert!(!seen.windows(6).any(|window| window == b"secret"));
}

#[test]
fn every_failure_is_told_to_a_bundle_in_a_word() {
    for (error, word) in [
        (Error::HttpRequestDenied, "denied"),
        (Error::ConnectionRefused, "unreachable"),
        (Error::ConnectionTimeout, "timeout"),
        (Error::TlsCertificateError, "tls"),
        (Error::HttpProtocolError, "terminated"),
    ] {
        let response = failure(&error);
        assert_eq!(response.status().as_u16(), FAILED);
        assert_eq!(response.headers()[FAILURE], word);
    }
}
