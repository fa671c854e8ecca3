//! gRPC beside pages on one port.
//!
//! Source: gRPC over HTTP2 (`PROTOCOL-HTTP2.md` of grpc/grpc), GRPC Health Checking Protocol.

mod http1;

use std::time::Duration;

use genkan_web::listener::{Limits, TlsPolicy};
use http::{HeaderMap, Request};
use tokio::time::sleep;

use crate::net::{Http2, Reply, Server, TestTls};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const SERVING: [u8; 2] = [0x08, 1];
const NOT_SERVING: [u8; 2] = [0x08, 2];

fn request(path: &str) -> Request<()> {
    Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// One message, framed.
fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &len[..], message].concat()
}

async fn call(client: &Http2, path: &str, message: &[u8]) -> Reply {
    client.send(request(path), &frame(message)).await.unwrap()
}

/// `grpc-status` and `grpc-message`, wherever they are.
fn outcome(reply: &Reply) -> (u16, String) {
    let find =
        |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let both = |name| find(&reply.trailers, name).or_else(|| find(reply.head.headers(), name));
    (
        both("grpc-status").unwrap().parse().unwrap(),
        both("grpc-message").unwrap_or_default(),
    )
}

#[tokio::test]
async fn health_is_reported_with_and_without_tls() {
    let tls = TestTls::new();
    let server = Server::start_tls(Limits::default(), TlsPolicy::BesidePlain(tls.server.clone()));
    let encrypted = Http2::over(tls.connect(&server, &["h2"]).await).await;
    for client in [server.http2().await, encrypted] {
        let reply = call(&client, CHECK, b"").await;
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.head.headers()["content-type"], "application/grpc");
        assert_eq!(reply.body, frame(&SERVING));
        assert_eq!(outcome(&reply).0, 0);
        // Pages are where they were.
        assert_eq!(client.get("/").await.unwrap().body, b"hello");
    }
}

#[tokio::test]
async fn health_turns_when_the_process_drains() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    server.health.drain();
    assert_eq!(call(&client, CHECK, b"").await.body, frame(&NOT_SERVING));
}

#[tokio::test]
async fn the_health_of_an_unknown_service_is_not_found() {
    let server = Server::start(Limits::default());
    let reply = call(&server.http2().await, CHECK, b"\x0a\x03foo").await;
    assert_eq!(outcome(&reply).0, 5);
}

#[tokio::test]
async fn a_watch_reports_the_drain_and_ends() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    let watch = call(&client, "/grpc.health.v1.Health/Watch", b"");
    let stop = async {
        sleep(Duration::from_millis(100)).await;
        server.stop().await
    };
    let (reply, drained) = tokio::join!(watch, stop);
    assert_eq!(reply.body, [frame(&SERVING), frame(&NOT_SERVING)].concat());
    assert_eq!(outcome(&reply).0, 14);
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn a_service_that_comes_later_says_so() {
    let server = Server::start(Limits::default());
    let path = "/scalekit.v1.organizations.OrganizationService/ListOrganization";
    let reply = call(&server.http2().await, path, b"\x08\x02").await;
    // Not a 404 page: SDKs retry or misread those.
    assert_eq!(reply.status(), 200);
    let sentence =
        "scalekit.v1.organizations.OrganizationService is not served by this version of Genkan yet";
    assert_eq!(outcome(&reply), (12, sentence.replace(' ', "%20")));
}

#[tokio::test]
async fn an_unknown_page_is_still_a_404() {
    let server = Server::start(Limits::default());
    assert_eq!(server.http2().await.get("/a.b/C").await.unwrap().status(), 404);
}

#[tokio::test]
async fn strange_paths_are_answered_and_not_repeated() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    let long = format!("/{}/M", "a".repeat(20_000));
    for path in ["/", "/x", "/%0d%0agrpc-status:0/x", "/%3Cb%3E/x", &long] {
        let reply = call(&client, path, b"").await;
        assert_eq!(
            outcome(&reply),
            (12, "this%20path%20names%20no%20gRPC%20method".to_owned()),
            "{path:.40}"
        );
    }
}

#[tokio::test]
async fn grpc_web_is_answered_in_its_own_kind() {
    let server = Server::start(Limits::default());
    let answer = server
        .send(
            "POST /a.B/C HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/grpc-web+proto\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
    assert!(
        answer.contains("content-type: application/grpc-web+proto\r\n"),
        "{answer}"
    );
    assert!(answer.contains("grpc-status: 12\r\n"), "{answer}");
}

#[tokio::test]
async fn a_message_may_be_larger_than_a_form_and_not_larger_than_4_mib() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    // An unknown field: parsed, ignored.
    let message = |len: u32| {
        let varint = [
            len as u8 | 0x80,
            (len >> 7) as u8 | 0x80,
            (len >> 14) as u8 | 0x80,
            (len >> 21) as u8,
        ];
        [&[0x7a], &varint[..], &vec![0; len as usize]].concat()
    };
    assert_eq!(
        outcome(&call(&client, CHECK, &message(3 * 1024 * 1024)).await).0,
        0
    );
    let (status, _) = outcome(&call(&client, CHECK, &message(5 * 1024 * 1024)).await);
    assert_eq!(status, 11, "OUT_OF_RANGE");
    assert_eq!(
        call(&client, CHECK, b"").await.body,
        frame(&SERVING),
        "the connection lives on"
    );
}

#[tokio::test]
async fn nonsense_for_a_message_is_a_status() {
    let server = Server::start(Limits::default());
    let client = server.http2().await;
    for body in [
        &b""[..],
        b"\0\0\0\0",
        b"\0\xff\xff\xff\xff",
        b"\x01\0\0\0\x01x",
        b"\0\0\0\0\x02\x0a\xff",
    ] {
        let reply = client.send(request(CHECK), body).await.unwrap();
        assert_eq!(reply.status(), 200);
        assert_ne!(outcome(&reply).0, 0, "{body:?}");
    }
}
