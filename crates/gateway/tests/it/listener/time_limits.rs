//! Every stage of a connection ends, whether the client acts or not.

use std::time::{Duration, Instant};

use genkan_web::listener::{Limits, TlsPolicy};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::net::{Http2, PATIENCE, SHORT, Server, TestTls, quick, read_all, read_until};

/// Sends one byte at a time, much faster than any limit, until the server closes.
/// Returns what it answered.
async fn trickle(server: &Server, first: &[u8], byte: &[u8]) -> String {
    let stream = server.connect().await;
    let (mut read, mut write) = stream.into_split();
    write.write_all(first).await.unwrap();
    let byte = byte.to_vec();
    let writer = tokio::spawn(async move {
        while write.write_all(&byte).await.is_ok() {
            sleep(SHORT / 8).await;
        }
    });
    let answer = read_all(&mut read).await;
    writer.abort();
    answer
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let server = Server::start(quick());
    assert_eq!(server.send(b"").await, "");
}

#[tokio::test]
async fn half_an_http2_preface_is_not_waited_for() {
    let server = Server::start(quick());
    for half in [&b"P"[..], b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let started = Instant::now();
        assert_eq!(server.send(half).await, "");
        assert!(started.elapsed() >= SHORT, "a slow client has its time");
    }
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_ended() {
    let tls = TestTls::new();
    let server = Server::start_tls(quick(), TlsPolicy::BesidePlain(tls.server.clone()));
    for start in [&b"\x16"[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        server.send(start).await;
    }
}

#[tokio::test]
async fn choosing_h2_and_not_beginning_it_is_ended() {
    let tls = TestTls::new();
    let server = Server::start_tls(quick(), TlsPolicy::Only(tls.server.clone()));
    let mut silent = tls.connect(&server, &["h2"]).await;
    assert_eq!(read_all(&mut silent).await, "");
    let mut liar = tls.connect(&server, &["h2"]).await;
    liar.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_all(&mut liar).await, "");
}

#[tokio::test]
async fn a_whole_preface_and_then_silence_is_ended() {
    let server = Server::start(quick());
    let silence_after = async |start: &[u8]| {
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        read_all(&mut stream).await;
    };
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    tokio::join!(silence_after(settings), silence_after(&settings[..24]));
}

#[tokio::test]
async fn a_head_that_trickles_is_cut() {
    let server = Server::start(Limits {
        idle: PATIENCE * 2,
        ..quick()
    });
    let answer = trickle(&server, b"GET / HTTP/1.1\r\nx-slow: ", b"a").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_second_head_that_trickles_is_cut_too() {
    let server = Server::start(Limits {
        idle: PATIENCE * 2,
        ..quick()
    });
    let answer = trickle(
        &server,
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\nGET / HTTP/1.1\r\nx-slow: ",
        b"a",
    )
    .await;
    assert_eq!(answer.matches("200 OK").count(), 1, "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::start(quick());
    let answer = server.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_busy_connection_outlives_every_limit() {
    let server = Server::start(Limits {
        exchange: SHORT * 2,
        ..quick()
    });
    let mut stream = server.connect().await;
    for _ in 0..20 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        read_until(&mut stream, "hello").await;
        sleep(SHORT / 4).await;
    }
}

#[tokio::test]
async fn a_body_that_stops_is_answered_with_408() {
    let server = Server::start(quick());
    let request = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf";
    let answer = server.send(request).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_with_408() {
    let server = Server::start(quick());
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n";
    let started = Instant::now();
    let answer = trickle(&server, head, b"a").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        started.elapsed() >= quick().body,
        "each byte came in time, the whole did not"
    );
}

#[tokio::test]
async fn a_slow_body_on_http2_is_answered_with_408() {
    let server = Server::start(quick());
    let mut requests = server.http2().await.requests.ready().await.unwrap();
    let request = Request::post("http://localhost/echo").body(()).unwrap();
    let (response, _half) = requests.send_request(request, false).unwrap();
    assert_eq!(timeout(PATIENCE, response).await.unwrap().unwrap().status(), 408);
}

#[tokio::test]
async fn a_handler_that_never_answers_is_given_up() {
    let server = Server::start(quick());
    let answer = server
        .send(b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("connection: close\r\n"),
        "{answer}"
    );
    assert_eq!(server.http2().await.get("/never").await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_response_that_nobody_reads_is_abandoned() {
    let server = Server::start(quick());
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    sleep(quick().exchange + SHORT * 2).await;
    let answer = read_all(&mut stream).await;
    assert!(answer.len() < 64 * 1024 * 1024, "the rest was not kept for us");
}

#[tokio::test]
async fn an_http2_stream_without_window_is_reset() {
    let server = Server::start(quick());
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (client, _) = Http2::built(builder, server.connect().await).await;
    let mut requests = client.requests.ready().await.unwrap();
    let request = Request::get("http://localhost/").body(()).unwrap();
    let (response, _) = requests.send_request(request, true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    let end = timeout(PATIENCE, body.data())
        .await
        .expect("the server gives up")
        .unwrap();
    assert!(end.unwrap_err().is_reset());
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_ended_in_good_order() {
    let server = Server::start(quick());
    let client = server.http2().await;
    client.get("/").await.unwrap();
    assert_eq!(client.end().await, None, "GOAWAY without an error");
}

#[tokio::test]
async fn a_busy_http2_connection_outlives_every_limit() {
    let server = Server::start(quick());
    let client = server.http2().await;
    let end = Instant::now() + quick().exchange * 2;
    while Instant::now() < end {
        client.get("/").await.unwrap();
        sleep(SHORT / 4).await;
    }
}

#[tokio::test]
async fn an_http2_peer_that_does_not_answer_pings_is_dead() {
    let limits = Limits {
        ping_interval: SHORT,
        ping_timeout: SHORT,
        idle_http2: PATIENCE,
        ..quick()
    };
    let server = Server::start(limits);
    let started = Instant::now();
    let mut stream = server.connect().await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("closed")
        .unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}
