//! A response before its request was read whole, such as a refusal by the head.
//!
//! Source: RFC 9112 §9.3 and §9.6.

use std::time::Duration;

use genkan_web::listener::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::net::{Server, read_all, read_until};

/// Nobody reads the body of this one: the route knows GET only.
const HEAD: &str = "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n";
const LAST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

async fn post(server: &Server, headers: &str, body: &[u8]) -> TcpStream {
    let mut stream = server.connect().await;
    let head = format!("{HEAD}{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

#[tokio::test]
async fn a_body_whose_end_comes_a_little_later_leaves_the_connection_usable() {
    let server = Server::start(Limits::default());
    let mut stream = post(&server, "", b"3\r\nabc\r\n").await;
    sleep(Duration::from_millis(20)).await;
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let refusal = read_until(&mut stream, "\r\n\r\n").await;
    assert!(refusal.starts_with("HTTP/1.1 405 "), "{refusal}");
    assert!(!refusal.contains("connection: close"), "{refusal}");
    stream.write_all(LAST).await.unwrap();
    assert!(read_all(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_learns_that_its_connection_ends_with_the_response() {
    let server = Server::start(Limits::default());
    let long = format!("20000\r\n{}\r\n0\r\n\r\n", "a".repeat(0x20000));
    for (headers, body) in [
        // The end does not come.
        ("", &b"3\r\nabc\r\n"[..]),
        // It would take longer than it is worth.
        ("", long.as_bytes()),
        // It breaks off.
        ("", b"3\r\nabc\r\nxyz\r\n"),
        // The client waits for an invitation.
        ("expect: 100-continue\r\n", b""),
    ] {
        let mut stream = post(&server, headers, body).await;
        let refusal = read_all(&mut stream).await;
        assert!(refusal.starts_with("HTTP/1.1 405 "), "{refusal}");
        assert!(refusal.contains("connection: close"), "{refusal}");
        assert!(!refusal.contains("100 Continue"), "{refusal}");
    }
}
