//! Servers that keep a download waiting.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use openneko::http::{self, Error, Http, Request};
use openneko::paths::Paths;

async fn get(behaviour: fn(std::net::TcpStream)) -> (Error, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = http::parse_url(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The request comes in one piece.
            let _ = stream.read(&mut [0; 4096]);
            behaviour(stream);
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let client = Http::new(&Paths::new(Default::default(), directory.path()), &[]).unwrap();
    let request = Request {
        url: &url,
        accept: "*/*",
        authorization: None,
        limit: 1 << 20,
        timeout: Duration::from_millis(500),
    };
    let start = Instant::now();
    let error = client.get(request, |_, _| {}).await.unwrap_err();
    (error, start.elapsed())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (error, took) = get(|_stream| thread::sleep(Duration::from_secs(60))).await;
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_server_that_sends_byte_after_byte_is_given_up() {
    let (error, took) = get(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    })
    .await;
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn an_answer_without_a_length_is_limited_too() {
    let (error, _) = get(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    })
    .await;
    assert!(matches!(error, Error::TooLarge(1_048_576)), "{error}");
}
