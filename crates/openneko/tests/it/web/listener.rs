//! The listener, through real sockets: its time limits, and how it stops.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use genkan_web::listener::{Limits, Listener};
use openneko::web::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Those of `openneko serve`, in a hurry.
fn tiny() -> Limits {
    Limits {
        greeting: Duration::from_millis(400),
        head: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        head_bytes: 9000,
        connections: 8,
        connections_per_client: Some(2),
        drain: Duration::from_secs(3),
        ..serve::limits()
    }
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

fn start(limits: Limits) -> Server {
    let router = Router::new().route("/", get(async || "here")).route(
        "/slow",
        get(async || {
            sleep(Duration::from_millis(600)).await;
            "done"
        }),
    );
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let served = tokio::spawn(async move {
        listener.serve(router, None, limits, stopped).await;
    });
    Server {
        address,
        stop,
        served,
    }
}

/// Everything that comes until the other end closes.
async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = timeout(Duration::from_secs(8), stream.read_to_end(&mut answer))
        .await
        .expect("it is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read(&mut stream).await
}

#[tokio::test]
async fn a_head_that_trickles_or_never_comes_is_cut_off() {
    let server = start(tiny());
    for head in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let begun = Instant::now();
        let answer = ask(server.address, head).await;
        assert!(!answer.contains("200"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{head:?}");
    }
}

#[tokio::test]
async fn a_connection_ends_by_waiting_and_not_by_its_age() {
    let limits = Limits {
        idle: Duration::from_secs(2),
        ..tiny()
    };
    let server = start(limits.clone());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let begun = Instant::now();
    // For longer than it may wait once.
    for _ in 0..10 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
        sleep(Duration::from_millis(250)).await;
    }
    assert!(begun.elapsed() > limits.idle);
    assert_eq!(read(&mut stream).await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start(tiny());
    let close = "host: x\r\nconnection: close\r\n";
    let large = format!("GET / HTTP/1.1\r\n{close}x: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{close}{}\r\n", "a: b\r\n".repeat(150));
    for head in [large, many] {
        let answer = ask(server.address, &head).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    let fine = ask(server.address, &format!("GET / HTTP/1.1\r\n{close}\r\n")).await;
    assert!(
        fine.starts_with("HTTP/1.1 200") && fine.ends_with("here"),
        "{fine}"
    );
}

#[tokio::test]
async fn smuggled_requests_are_refused() {
    let server = start(tiny());
    for head in [
        "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "GET / HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = ask(server.address, head).await;
        assert!(!answer.contains("200 OK"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let server = start(tiny());
    let _one = TcpStream::connect(server.address).await.unwrap();
    let _two = TcpStream::connect(server.address).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let refused = ask(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(refused, "");
    // The two are cut off for saying nothing, and make room.
    sleep(Duration::from_millis(800)).await;
    let answer = ask(
        server.address,
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.ends_with("here"), "{answer}");
}

#[tokio::test]
async fn a_request_in_flight_is_finished_at_the_end() {
    let server = start(tiny());
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    let slow = tokio::spawn(async move { ask(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await });
    sleep(Duration::from_millis(150)).await;
    server.stop.cancel();
    let answer = slow.await.unwrap();
    assert!(
        answer.contains("connection: close") && answer.ends_with("done"),
        "{answer}"
    );
    timeout(Duration::from_secs(3), server.served)
        .await
        .expect("it ends")
        .unwrap();
    assert_eq!(read(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}
