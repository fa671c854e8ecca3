//! Shutdown: requests in flight finish, and nothing waits for ever.

use std::time::Duration;

use genkan_web::listener::{DrainReport, Limits};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::net::{SHORT, Server, quick, read_all, read_until};

#[tokio::test]
async fn a_request_in_flight_is_answered() {
    let server = Server::start(Limits::default());
    let mut http1 = server.connect().await;
    http1
        .write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let http2 = server.http2().await;
    let slow = http2.get("/slow");
    let stop = async {
        sleep(SHORT / 4).await;
        server.stop().await
    };
    let (answer, reply, drained) = tokio::join!(read_all(&mut http1), slow, stop);
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"),
        "{answer}"
    );
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(reply.unwrap().body, b"done");
    assert_eq!(http2.end().await, None);
    assert_eq!(drained, DrainReport { cut: 0 });
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let server = Server::start(Limits {
        drain: Duration::from_secs(60),
        ..Limits::default()
    });
    let _silent = server.connect().await;
    let mut http1 = server.connect().await;
    http1
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut http1, "hello").await;
    let http2 = server.http2().await;
    http2.get("/").await.unwrap();
    assert_eq!(server.stop().await, DrainReport { cut: 0 });
    assert_eq!(read_all(&mut http1).await, "");
}

#[tokio::test]
async fn nothing_new_is_taken() {
    let server = Server::start(Limits::default());
    let addr = server.addr;
    server.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn what_does_not_finish_is_cut() {
    let server = Server::start(Limits {
        drain: SHORT,
        ..Limits::default()
    });
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let http2 = server.http2().await;
    let never = tokio::spawn({
        let http2 = http2.clone();
        async move { http2.get("/never").await.is_err() }
    });
    sleep(SHORT / 2).await;
    assert_eq!(server.stop().await, DrainReport { cut: 2 });
    assert_eq!(read_all(&mut stream).await, "");
    assert!(never.await.unwrap());
}

#[tokio::test]
async fn a_half_sent_head_does_not_hold_it_up_for_long() {
    let server = Server::start(Limits {
        drain: Duration::from_secs(60),
        ..quick()
    });
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
    sleep(SHORT / 4).await;
    assert_eq!(server.stop().await, DrainReport { cut: 0 });
}
