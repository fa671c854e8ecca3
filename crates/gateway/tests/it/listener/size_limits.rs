//! How large a request may be.

use std::time::Duration;

use genkan_web::listener::Limits;
use http::{HeaderValue, Request};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::net::{Server, read_all};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let server = Server::start(Limits::default());
    let head = |len: usize| {
        format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n",
            "a".repeat(len)
        )
    };
    assert!(server.send(head(30 * 1024)).await.starts_with("HTTP/1.1 200 "));
    assert!(server.send(head(33 * 1024)).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_head_of_100_megabytes_is_refused_without_being_kept() {
    let server = Server::start(Limits::default());
    let (mut read, mut write) = server.connect().await.into_split();
    let writer = tokio::spawn(async move {
        write.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
        for _ in 0..100 {
            write.write_all(&vec![b'a'; MIB]).await?;
        }
        std::io::Result::Ok(())
    });
    let answer = read_all(&mut read).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(writer.await.unwrap().is_err(), "the server did not take it all");
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let server = Server::start(Limits::default());
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    assert!(server.send(head).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn an_http2_header_list_beyond_the_limit_is_refused() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    let request = |len: usize| {
        let value = HeaderValue::from_str(&"a".repeat(len)).unwrap();
        Request::get("http://localhost/")
            .header("x", value)
            .body(())
            .unwrap()
    };
    assert_eq!(client.send(request(30 * 1024), b"").await.unwrap().status(), 200);
    assert_eq!(client.send(request(33 * 1024), b"").await.unwrap().status(), 431);
    // Far beyond it the connection ends: reading it all would be the attack.
    assert!(client.send(request(4 * MIB), b"").await.is_err());
    assert_eq!(server.http2().await.get("/").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_declared_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let server = Server::start(Limits::default());
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        3 * MIB
    );
    let answer = server.send(head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(!answer.contains("100 Continue"), "{answer}");
}

#[tokio::test]
async fn the_refusal_of_a_body_reaches_a_client_that_is_still_sending() {
    let server = Server::start(Limits::default());
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        3 * MIB
    );
    let mut stream = server.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'a'; MIB / 2]).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close\r\n"),
        "{answer}"
    );
    // A reset would have destroyed the answer, had we not read it yet.
    for _ in 0..10 {
        stream.write_all(&[b'a'; 10_000]).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_undeclared_body_beyond_the_limit_is_refused() {
    let server = Server::start(Limits {
        body_bytes: 1_000,
        ..Limits::default()
    });
    let chunk = format!("200\r\n{}\r\n", "a".repeat(0x200));
    let head = "POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = server.send(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_on_http2() {
    let server = Server::start(Limits {
        body_bytes: 1_000,
        ..Limits::default()
    });
    let request = || Request::post("http://localhost/echo").body(()).unwrap();
    let client = server.http2().await;
    assert_eq!(
        client.send(request(), &[b'a'; 1_001]).await.unwrap().status(),
        413
    );
    assert_eq!(
        client.send(request(), &[b'a'; 1_000]).await.unwrap().body,
        [b'a'; 1_000]
    );
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken() {
    let server = Server::start(Limits::default());
    let request = Request::post("http://localhost/echo").body(()).unwrap();
    let reply = server
        .http2()
        .await
        .send(request, &vec![b'a'; 2 * MIB])
        .await
        .unwrap();
    assert_eq!((reply.status().as_u16(), reply.body.len()), (200, 2 * MIB));
}

#[tokio::test]
async fn a_route_may_have_a_limit_of_its_own() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    let request = || Request::post("http://localhost/small").body(()).unwrap();
    assert_eq!(client.send(request(), &[b'a'; 10]).await.unwrap().status(), 200);
    assert_eq!(client.send(request(), &[b'a'; 11]).await.unwrap().status(), 413);
}

#[tokio::test]
async fn two_lengths_for_one_body_are_refused() {
    // Request smuggling: RFC 9112 §6.3. A proxy in front may read the other length.
    let server = Server::start(Limits::default());
    for lengths in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let answer = server
            .send(format!(
                "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lengths}\r\nhello"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths:?}: {answer}");
    }
}
