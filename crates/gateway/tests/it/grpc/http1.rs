//! gRPC over HTTP/1.1, as clients in Go speak it without TLS.
//!
//! Source: RFC 9112 §7.1.2 (trailers of a chunked body).

use genkan_testkit::Gateway;
use genkan_web::listener::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{CHECK, SERVING, frame};
use crate::net::{PATIENCE, Server};

/// A request as Go's `net/http` writes it: the body in chunks.
fn request(path: &str, headers: &str, message: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: grpc-go-connect/1.19.1\r\n\
         content-type: application/grpc+proto\r\n{headers}transfer-encoding: chunked\r\n\r\n"
    );
    let body = frame(message);
    let size = format!("{:x}\r\n", body.len());
    [head.as_bytes(), size.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
}

/// Sends bytes and reads until the server closes.
async fn send(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

/// Head, body and trailers of an answer in chunks.
fn split(answer: &[u8]) -> (String, Vec<u8>, String) {
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    let (mut rest, mut body) = (&answer[at + 4..], Vec::new());
    loop {
        let line = rest.windows(2).position(|end| end == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return (head, body, String::from_utf8(rest.to_vec()).unwrap());
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

#[tokio::test]
async fn a_call_is_answered_in_chunks_with_its_outcome_in_the_trailers() {
    let server = Server::start(Limits::default());
    let bytes = request(CHECK, "te: trailers\r\nconnection: close\r\n", b"");
    let (head, body, trailers) = split(&send(server.connect().await, &bytes).await);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/grpc\r\n"), "{head}");
    assert!(
        head.contains("trailer: grpc-status, grpc-message, grpc-status-details-bin"),
        "{head}"
    );
    assert_eq!(body, frame(&SERVING));
    assert_eq!(trailers, "grpc-status: 0\r\n\r\n");
}

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let server = Server::start(Limits::default());
    let (mut one, last) = (
        request(CHECK, "te: trailers\r\n", b""),
        request(CHECK, "te: trailers\r\nconnection: close\r\n", b""),
    );
    one.extend_from_slice(&last);
    let answers = send(server.connect().await, &one).await;
    let text = String::from_utf8_lossy(&answers);
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert_eq!(text.matches("grpc-status: 0").count(), 2, "{text}");
}

#[tokio::test]
async fn a_failure_stands_in_the_head() {
    let server = Server::start(Limits::default());
    let bytes = request(CHECK, "te: trailers\r\nconnection: close\r\n", b"\x0a\x03foo");
    let answer = String::from_utf8(send(server.connect().await, &bytes).await).unwrap();
    assert!(answer.contains("grpc-status: 5\r\n"), "{answer}");
    assert!(!answer.contains("trailer:"), "{answer}");
}

#[tokio::test]
async fn a_caller_that_reads_no_trailers_is_told_both_reasons() {
    let server = Server::start(Limits::default());
    for headers in ["connection: close\r\n", "te: gzip\r\nconnection: close\r\n"] {
        let bytes = request(CHECK, headers, b"");
        let answer = String::from_utf8(send(server.connect().await, &bytes).await).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("grpc-status: 12\r\n"),
            "{answer}"
        );
        for reason in ["TE:%20trailers", "HTTP/2", "proxy"] {
            assert!(answer.contains(reason), "{reason} in {answer}");
        }
    }
}

#[tokio::test]
async fn a_method_that_streams_needs_http2() {
    let server = Server::start(Limits::default());
    for path in [
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let bytes = request(path, "te: trailers\r\nconnection: close\r\n", b"");
        let answer = String::from_utf8(send(server.connect().await, &bytes).await).unwrap();
        assert!(answer.contains("grpc-status: 12\r\n"), "{answer}");
        assert!(answer.contains("streams"), "{answer}");
    }
}

#[tokio::test]
async fn the_management_api_pages_through_organizations_over_http1() {
    let gateway = Gateway::start().await;
    for domain in ["one.test", "two.test", "three.test"] {
        gateway.organization(domain).await;
    }
    let manager = gateway.client("manager");
    let manager = manager.change(|client| client.management_access = true).await;
    let form = [("grant_type", "client_credentials")];
    let token = manager.post("/oauth/token", &form).send().await.json();
    let token = token["access_token"].as_str().unwrap();
    let call = async |headers: &str| {
        let path = "/scalekit.v1.organizations.OrganizationService/ListOrganization";
        let headers = format!("te: trailers\r\n{headers}grpc-timeout: 20S\r\nconnection: close\r\n");
        // page_size = 2
        let bytes = request(path, &headers, b"\x08\x02");
        let address = gateway.url().strip_prefix("http://").unwrap();
        send(TcpStream::connect(address).await.unwrap(), &bytes).await
    };

    let (_, body, trailers) = split(&call(&format!("authorization: Bearer {token}\r\n")).await);
    assert!(trailers.contains("grpc-status: 0\r\n"), "{trailers}");
    let organizations = body.windows(4).filter(|bytes| bytes == b"org_").count();
    assert!(organizations >= 2, "{body:?}");

    let refused = String::from_utf8(call("").await).unwrap();
    assert!(refused.contains("grpc-status: 16\r\n"), "{refused}");
}
