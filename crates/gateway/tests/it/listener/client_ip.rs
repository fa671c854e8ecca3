//! Forwarded headers, from the socket to the handler.

use genkan_web::listener::{Limits, TrustedProxies};

use crate::net::Server;

const SPOOFED: &str = "GET /peer HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
    x-forwarded-for: 6.6.6.6, 198.51.100.7\r\nforwarded: for=6.6.6.6\r\n\r\n";

#[tokio::test]
async fn nobody_is_believed_by_default() {
    let answer = Server::start(Limits::default()).send(SPOOFED).await;
    assert!(
        answer.ends_with("peer=127.0.0.1 tls=false client=127.0.0.1"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_configured_proxy_is_believed_about_its_own_client() {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let proxies = TrustedProxies {
        networks,
        ..TrustedProxies::default()
    };
    let answer = Server::start_with(Limits::default(), None, proxies)
        .send(SPOOFED)
        .await;
    assert!(
        answer.ends_with("peer=127.0.0.1 tls=false client=198.51.100.7"),
        "{answer}"
    );
}
