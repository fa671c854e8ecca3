//! Parameters that no honest client sends, at every endpoint.
//!
//! Source: RFC 6749 §3.1, §3.2, Appendix B.

use genkan_testkit::{Gateway, Reply};
use tokio::io::AsyncWriteExt;

use crate::net::read_all;

/// Where a form is posted, and whether the answer is JSON.
const POSTS: [(&str, bool); 7] = [
    ("/oauth/token", true),
    ("/oauth/introspect", true),
    ("/revoke", true),
    ("/oauth/authorize", false),
    ("/oidc/logout", false),
    ("/login/lri_000000000000000000001", false),
    ("/sso/v1/oidc/conn_000000000000000000001/callback", false),
];

/// Where the address has the parameters.
const GETS: [&str; 6] = [
    "/oauth/authorize",
    "/oidc/logout",
    "/sso/v1/oidc/conn_000000000000000000001/callback",
    "/sso/v1/oidc/conn_000000000000000000001/init",
    "/sso/v1/saml/conn_000000000000000000001/init",
    "/sso/v1/saml/conn_000000000000000000001/failure",
];

fn is_refused(reply: &Reply, what: &str) {
    assert!(
        (400..=431).contains(&reply.status.as_u16()),
        "{what}: {}",
        reply.transcript()
    );
    assert_eq!(reply.header("location"), "", "{what}");
    assert_eq!(reply.header("cache-control"), "no-store", "{what}");
    assert!(reply.body.len() < 8192, "{what}");
}

/// Encoded forms that are refused as a whole.
fn garbled() -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |text: &str, times: usize| text.repeat(times).into_bytes();
    vec![
        ("an escape that is none", b"client_id=%zz".to_vec()),
        ("half an escape", b"client_id=%f".to_vec()),
        ("not UTF-8, escaped", b"client_id=%ff%fe".to_vec()),
        ("half of a surrogate", b"client_id=%ed%a0%80".to_vec()),
        ("overlong", b"client_id=%c0%af".to_vec()),
        ("NUL", b"client_id=skc_1%00".to_vec()),
        ("a line break", b"client_id=skc_1%0d%0aSet-Cookie:%20a=b".to_vec()),
        (
            "a value of 17 KiB",
            [b"state=".to_vec(), repeat("a", 17 * 1024)].concat(),
        ),
        ("a long name", [repeat("a", 129), b"=1".to_vec()].concat()),
        ("65 parameters", repeat("a=1&", 65)),
        ("70 KiB", repeat("a=1111111111111111111111111&", 2500)),
    ]
}

#[tokio::test]
async fn a_garbled_form_is_refused() {
    let gateway = Gateway::start().await;
    for (path, is_json) in POSTS {
        let mut forms = garbled();
        forms.push(("not UTF-8, raw", b"client_id=\xff\xfe".to_vec()));
        forms.push(("binary", (0..=255).collect()));
        for (what, form) in forms {
            let reply = gateway.post(path).raw_form(form).send().await;
            is_refused(&reply, &format!("{what} at {path}"));
            if is_json {
                assert_eq!(reply.oauth_error(), "invalid_request", "{what} at {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_garbled_address_is_refused() {
    let gateway = Gateway::start().await;
    for path in GETS {
        // A client refuses to send the longest one itself.
        for (what, query) in garbled().into_iter().filter(|(_, query)| query.len() < 60_000) {
            let query = String::from_utf8(query).unwrap();
            let reply = gateway.get(&format!("{path}?{query}")).send().await;
            is_refused(&reply, &format!("{what} at {path}"));
        }
    }
}

#[tokio::test]
async fn raw_octets_and_endless_addresses_are_refused() {
    let gateway = Gateway::start().await;
    let port: u16 = gateway.url().rsplit(':').next().unwrap().parse().unwrap();
    for path in GETS {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!("GET {path}?client_id=");
        let rest = b"\xff\xfe HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(&[head.as_bytes(), rest].concat()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");

        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let endless = format!(
            "GET {path}?{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "a".repeat(200_000)
        );
        let _ = stream.write_all(endless.as_bytes()).await;
        let answer = read_all(&mut stream).await;
        let status: Vec<&str> = answer.split(' ').take(2).collect();
        assert!(
            ["414", "431"].contains(status.get(1).unwrap_or(&"")),
            "{path}: {status:?}"
        );
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let secret = rp.secret.as_deref().unwrap();
    let base = format!(
        "grant_type=client_credentials&client_id={}&client_secret={secret}&token=x",
        rp.id
    );
    for repeated in ["client_id", "client_secret", "grant_type", "token", "unknown"] {
        for value in ["", "x"] {
            let form = format!("{base}&unknown=1&{repeated}={value}");
            for path in ["/oauth/token", "/oauth/introspect", "/revoke"] {
                let reply = gateway.post(path).raw_form(form.clone()).send().await;
                is_refused(&reply, repeated);
                assert_eq!(reply.oauth_error(), "invalid_request", "{repeated} at {path}");
            }
        }
    }
    for query in [
        "id_token_hint=a&id_token_hint=a",
        "state=1&state=2",
        "post_logout_redirect_uri=https://rp.test/&post_logout_redirect_uri=https://evil.test/",
        "client_id=a&client_id=b",
    ] {
        is_refused(&gateway.get(&format!("/oidc/logout?{query}")).send().await, query);
        is_refused(&gateway.post("/oidc/logout").raw_form(query).send().await, query);
    }
}

#[tokio::test]
async fn a_body_of_another_kind_is_refused() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let secret = rp.secret.as_deref().unwrap();
    let json = format!(
        "{{\"grant_type\":\"client_credentials\",\"client_id\":\"{}\",\"client_secret\":\"{secret}\"}}",
        rp.id
    );
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={secret}",
        rp.id
    );
    for (content_type, body) in [
        ("application/json", &json),
        ("text/plain", &form),
        ("multipart/form-data; boundary=x", &form),
        ("application/x-www-form-urlencodedx", &form),
    ] {
        let reply = gateway
            .post("/oauth/token")
            .body(content_type, body.clone())
            .send()
            .await;
        is_refused(&reply, content_type);
        assert_eq!(reply.oauth_error(), "invalid_request");
    }
    for content_type in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        let reply = gateway
            .post("/oauth/token")
            .body(content_type, form.clone())
            .send()
            .await;
        assert_eq!(reply.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn a_form_is_no_larger_than_a_form() {
    let gateway = Gateway::start().await;
    for (path, _) in POSTS {
        let port: u16 = gateway.url().rsplit(':').next().unwrap().parse().unwrap();
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: 65537\r\n\r\n"
        );
        // Not a byte of it is asked for.
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let gateway = Gateway::start().await;
    for (path, _) in POSTS {
        let body = "a=".to_owned() + &"x".repeat(4 * 1024 * 1024);
        let port: u16 = gateway.url().rsplit(':').next().unwrap().parse().unwrap();
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may have answered and gone before all is sent.
        let _ = stream.write_all(body.as_bytes()).await;
        let answer = read_all(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 ") || answer.starts_with("HTTP/1.1 400 "),
            "{path}: {answer}"
        );
    }
}

/// An environment URL with a final slash makes SDKs ask so.
#[tokio::test]
async fn a_path_may_begin_with_two_slashes() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let url = rp
        .authorize()
        .url()
        .replace("/oauth/authorize", "//oauth/authorize");
    let path = url.strip_prefix(gateway.url()).unwrap();
    assert!(path.starts_with("//oauth/authorize?"), "{path}");
    let begun = gateway.get(path).send().await;
    assert!(
        begun.header("location").contains("/login/lri_"),
        "{}",
        begun.transcript()
    );

    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", rp.id.as_str()),
    ];
    let refused = gateway.post("//oauth/token").form(&form).send().await;
    assert_eq!(refused.json()["error"], "invalid_client");
    for path in ["//userinfo", "///userinfo", "//api/v1/organizations"] {
        assert_eq!(gateway.get(path).send().await.status.as_u16(), 401, "{path}");
    }
    // It leads nowhere else.
    for path in ["//evil.test/oauth/authorize", "//evil.test", "//"] {
        let reply = gateway.get(path).send().await;
        assert_eq!(reply.header("location"), "", "{path}");
    }
}
