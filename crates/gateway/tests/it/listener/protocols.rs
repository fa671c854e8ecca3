//! Which protocols one port speaks.
//!
//! Source: RFC 9112, RFC 9113 §3.

use std::net::Ipv6Addr;

use genkan_web::listener::{Limits, Listener, TlsPolicy};
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::net::{Http2, Server, TestTls, read_all};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn http1_is_answered() {
    let answer = Server::start(Limits::default()).send(GET).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn http2_is_answered_by_prior_knowledge() {
    let server = Server::start(Limits::default());
    let reply = server.http2().await.get("/").await.unwrap();
    assert_eq!((reply.status(), reply.body), (StatusCode::OK, b"hello".to_vec()));
}

#[tokio::test]
async fn a_preface_in_pieces_is_still_a_preface() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect().await;
    stream.set_nodelay(true).unwrap();
    for piece in [
        &b"P"[..],
        b"RI * HT",
        b"TP/2.0\r\n\r\nSM",
        b"\r\n\r\n",
        b"\0\0\0\x04\0\0\0\0\0",
    ] {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut frame = [0; 9];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut frame)
        .await
        .unwrap();
    assert_eq!(frame[3], 4, "the server's SETTINGS");
}

#[tokio::test]
async fn an_offer_to_upgrade_is_declined_politely() {
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade, HTTP2-Settings, close\r\n\
        upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    let answer = Server::start(Limits::default()).send(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn one_port_speaks_tls_and_plain_text() {
    let tls = TestTls::new();
    let server = Server::start_tls(Limits::default(), TlsPolicy::BesidePlain(tls.server.clone()));

    assert!(server.send(GET).await.ends_with("hello"));
    assert_eq!(server.http2().await.get("/").await.unwrap().body, b"hello");

    for alpn in [&["http/1.1"][..], &[]] {
        let mut stream = tls.connect(&server, alpn).await;
        stream.write_all(GET).await.unwrap();
        assert!(read_all(&mut stream).await.ends_with("hello"));
    }

    let stream = tls.connect(&server, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let reply = Http2::over(stream).await.get("/peer").await.unwrap();
    assert_eq!(reply.body, b"peer=127.0.0.1 tls=true client=127.0.0.1");
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_told_so() {
    let tls = TestTls::new();
    let server = Server::start_tls(Limits::default(), TlsPolicy::Only(tls.server.clone()));
    for request in [GET, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\x01nonsense"] {
        let answer = server.send(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.contains("https://"), "{body}");
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{answer}"
        );
    }
    let mut stream = tls.connect(&server, &["http/1.1"]).await;
    stream.write_all(GET).await.unwrap();
    assert!(read_all(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn tls_on_a_plain_port_ends_at_once() {
    let server = Server::start(Limits::default());
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert!(server.send(client_hello).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn nonsense_is_a_bad_request() {
    let server = Server::start(Limits::default());
    let answer = server.send(b"\x01\x02\x03\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_loopback_address_brings_the_other_one_along() {
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return; // This machine has no IPv6.
    }
    let server = Server::start(Limits::default());
    let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, server.addr.port()))
        .await
        .unwrap();
    stream.write_all(GET).await.unwrap();
    assert!(read_all(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_a_freed_one_is_not() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let error = Listener::bind(addr).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    drop(listener);
    Listener::bind(addr).unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_is_an_error_and_nothing_more() {
    let server = Server::start(Limits::default());
    let answer = server
        .send("GET /panic HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && !answer.contains("as the test asked for"),
        "{answer}"
    );
    let client = server.http2().await;
    assert_eq!(
        client.get("/panic").await.unwrap().status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(client.get("/").await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    // RFC 9112 §3.2.
    let server = Server::start(Limits::default());
    for hosts in [
        "",
        "host: a.test\r\nhost: a.test\r\n",
        "host: a.test\r\nhost: b.test\r\n",
        "host: a b\r\n",
    ] {
        let answer = server
            .send(format!("GET / HTTP/1.1\r\n{hosts}connection: close\r\n\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts:?}: {answer}");
    }
    // A probe of a load balancer.
    let answer = server.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    // RFC 9113 §8.3.1.
    let client = server.http2().await;
    let request = |host: &str| {
        http::Request::get("http://localhost/")
            .header("host", host)
            .body(())
            .unwrap()
    };
    assert_eq!(
        client.send(request("localhost"), b"").await.unwrap().status(),
        200
    );
    assert_eq!(client.send(request("b.test"), b"").await.unwrap().status(), 400);
}
