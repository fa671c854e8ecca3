//! What one client cannot do to the others.

use std::time::{Duration, Instant};

use genkan_web::listener::Limits;
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::net::{Http2, PATIENCE, Server, quick, read_all, read_until};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Opens and resets streams without end. CVE-2023-44487.
async fn reset_for_ever(client: Http2, path: &'static str) -> u32 {
    let mut sent = 0;
    let mut requests = client.requests;
    loop {
        let Ok(ready) = requests.ready().await else {
            return sent;
        };
        requests = ready;
        let request = Request::get(format!("http://localhost{path}")).body(()).unwrap();
        let Ok((response, mut stream)) = requests.send_request(request, true) else {
            return sent;
        };
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        sent += 1;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_resets_starves_nobody_and_is_ended() {
    let server = Server::start(Limits::default());
    let mut flooders = Vec::new();
    for _ in 0..4 {
        flooders.push(tokio::spawn(reset_for_ever(server.http2().await, "/never")));
    }
    let victim = server.http2().await;
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let started = Instant::now();
        assert_eq!(victim.get("/").await.unwrap().body, b"hello");
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    for flooder in flooders {
        timeout(PATIENCE, flooder)
            .await
            .expect("the flood is ended")
            .unwrap();
    }
}

/// Sends requests and resets each after the server took it up.
async fn abandon(client: &Http2, requests: usize) -> Result<(), h2::Error> {
    for _ in 0..requests {
        let mut requests = client.requests.clone().ready().await?;
        let request = Request::get("http://localhost/never").body(()).unwrap();
        let (response, mut stream) = requests.send_request(request, true)?;
        sleep(Duration::from_millis(1)).await;
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_may_abandon_some_requests_and_not_very_many() {
    let server = Server::start(Limits {
        abandoned: 20,
        ..Limits::default()
    });
    let client = server.http2().await;
    abandon(&client, 10).await.unwrap();
    assert_eq!(client.get("/").await.unwrap().body, b"hello");
    // One after the other, HTTP/2 itself sees no flood.
    let _ = abandon(&client, 100).await;
    assert!(client.get("/").await.is_err());
}

#[tokio::test]
async fn pings_are_answered_and_held_against_nobody() {
    let server = Server::start(Limits::default());
    let (client, mut ping) = Http2::built(h2::client::Builder::new(), server.connect().await).await;
    for _ in 0..500 {
        timeout(PATIENCE, ping.ping(h2::Ping::opaque()))
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(client.get("/").await.unwrap().body, b"hello");
}

#[tokio::test]
async fn pings_do_not_keep_a_connection_without_requests() {
    let server = Server::start(quick());
    let (client, mut ping) = Http2::built(h2::client::Builder::new(), server.connect().await).await;
    let pings = async {
        while ping.ping(h2::Ping::opaque()).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        end = client.end() => assert_eq!(end, None),
        () = pings => {}
    }
}

#[tokio::test]
async fn more_connections_than_allowed_are_refused_at_once() {
    let server = Server::start(Limits {
        connections: 2,
        ..Limits::default()
    });
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        read_until(stream, "hello").await;
    }
    let started = Instant::now();
    assert_eq!(read_all(&mut server.connect().await).await, "");
    assert!(started.elapsed() < Duration::from_secs(1), "there is no queue");

    drop(first);
    sleep(Duration::from_millis(100)).await;
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    read_until(&mut third, "hello").await;
}

#[tokio::test]
async fn one_client_has_its_own_limit() {
    let server = Server::start(Limits {
        connections_per_client: Some(1),
        ..Limits::default()
    });
    let mut first = server.connect().await;
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "hello").await;
    assert_eq!(read_all(&mut server.connect().await).await, "");
}

#[tokio::test]
async fn one_http2_connection_has_a_limit_of_concurrent_requests() {
    let server = Server::start(Limits {
        streams: 3,
        ..Limits::default()
    });
    let client = server.http2().await;
    client.get("/").await.unwrap();
    assert_eq!(client.requests.current_max_send_streams(), 3);
}

#[tokio::test]
async fn many_bodies_together_have_a_budget_and_give_it_back() {
    // 32 KiB for one client: two bodies of 10 KiB fit with what is taken ahead.
    let server = Server::start(Limits {
        bodies_in_flight: 256 * 1024,
        ..Limits::default()
    });
    let head =
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 10241\r\n\r\n";
    let almost = [&head[..], &[b'x'; 10 * 1024]].concat();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(&almost).await.unwrap();
        held.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    let whole = [&head[..], &[b'x'; 10 * 1024 + 1]].concat();
    let refused = server.send(&whole).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 5\r\n"), "{refused}");
    // HTTP/2 has no budget of its own.
    let client = server.http2().await;
    let echo = || http::Request::post("http://localhost/echo").body(()).unwrap();
    assert_eq!(
        client.send(echo(), &[b'x'; 10 * 1024]).await.unwrap().status(),
        503
    );

    // One is finished, the other one broken off.
    held[0].write_all(b"x").await.unwrap();
    assert!(read_all(&mut held[0]).await.starts_with("HTTP/1.1 200 "));
    held.clear();
    sleep(Duration::from_millis(200)).await;
    for _ in 0..20 {
        let answer = server.send(&whole).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(
            client.send(echo(), &[b'x'; 10 * 1024]).await.unwrap().status(),
            200
        );
    }
}
