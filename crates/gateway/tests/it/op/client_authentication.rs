//! Client authentication, at every endpoint that needs it.
//!
//! Source: RFC 6749 §2.3, §3.2.1, §5.2; RFC 7617.

use std::time::Duration;

use genkan_store::Secret;
use genkan_store::client::{self, ClientSecret};
use genkan_testkit::Gateway;
use insta::assert_snapshot;

const ASK: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_get_the_same_answer() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let ask = |id: &str, secret: &str| {
        rp.post_as_nobody(
            "/oauth/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret),
            ],
        )
    };
    let wrong = ask(rp.id.as_str(), "wrong").send().await;
    assert_snapshot!(wrong.transcript(), @r#"
    401 Unauthorized
    www-authenticate: Basic realm="genkan", charset="UTF-8"
    cache-control: no-store
    {"error":"invalid_client","error_description":"client authentication failed"}
    "#);
    let cut = &rp.secret.as_deref().unwrap()[1..];
    for (id, secret) in [
        (rp.id.as_str(), cut),
        ("webc_000000000000000000001", "wrong"),
        ("nobody", "wrong"),
        ("usr_000000000000000000001", "wrong"),
    ] {
        assert_eq!(
            ask(id, secret).send().await.transcript(),
            wrong.transcript(),
            "{id}"
        );
    }
    // A public client has no secret, so none is right.
    let spa = gateway.client("spa").spa().await;
    for secret in ["wrong", "x"] {
        assert_eq!(
            ask(spa.id.as_str(), secret).send().await.transcript(),
            wrong.transcript()
        );
    }
}

/// RFC 6749 §5.2: 401, and the scheme that would do.
#[tokio::test]
async fn a_failed_attempt_is_challenged() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for path in ["/oauth/token", "/oauth/introspect", "/revoke"] {
        for header in [
            "Basic",
            "Basic !",
            "Basic Og==",
            "Basic bm9jb2xvbg==",
            "Basic bm9ib2R5Ong=",
        ] {
            let reply = gateway
                .post(path)
                .header("authorization", header)
                .form(&ASK)
                .send()
                .await;
            assert_eq!(
                (reply.status.as_u16(), reply.oauth_error().as_str()),
                (401, "invalid_client"),
                "{header}"
            );
            assert!(reply.header("www-authenticate").starts_with("Basic "), "{header}");
            assert_eq!(reply.header("cache-control"), "no-store");
        }
        let nobody = gateway.post(path).form(&ASK).send().await;
        assert_eq!(
            (nobody.status.as_u16(), nobody.oauth_error().as_str()),
            (401, "invalid_client"),
            "{path}"
        );
        let named = rp
            .post_as_nobody(path, &[ASK[0], ("client_id", rp.id.as_str())])
            .send()
            .await;
        assert_eq!(named.status, 401, "{path}");
    }
}

#[tokio::test]
async fn credentials_stand_in_one_place() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let other = gateway.client("other").await;
    let secret = rp.secret.as_deref().unwrap();
    let two_headers = rp
        .post_basic("/oauth/token", &ASK)
        .basic(rp.id.as_str(), secret)
        .send()
        .await;
    assert_eq!(two_headers.oauth_error(), "invalid_request");
    let two_names = [ASK[0], ("client_id", other.id.as_str())];
    assert_eq!(
        rp.post_basic("/oauth/token", &two_names)
            .send()
            .await
            .oauth_error(),
        "invalid_request"
    );
    // Not in the address (RFC 6749 §2.3.1).
    let path = format!("/oauth/token?client_id={}&client_secret={secret}", rp.id);
    assert_eq!(gateway.post(&path).form(&ASK).send().await.status, 401);
    let assertion = [
        ASK[0],
        ("client_id", rp.id.as_str()),
        ("client_assertion", "e30.e30.AA"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
    ];
    assert_eq!(
        gateway
            .post("/oauth/token")
            .form(&assertion)
            .send()
            .await
            .oauth_error(),
        "invalid_client"
    );
}

#[tokio::test]
async fn two_secrets_count_until_each_expires_or_is_deleted() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let (at, second) = (gateway.at(), Secret::generate());
    let row = ClientSecret::new(at, &rp.id, &second, Some(at.now + Duration::from_secs(60)));
    gateway
        .tx(async |tx| client::add_secret(tx, at, &row).await)
        .await;
    let with = async |secret: &str| {
        let form = [ASK[0], ("client_id", rp.id.as_str()), ("client_secret", secret)];
        gateway
            .post("/oauth/token")
            .form(&form)
            .send()
            .await
            .status
            .as_u16()
    };
    let first = rp.secret.as_deref().unwrap();
    assert_eq!((with(first).await, with(second.expose()).await), (200, 200));
    gateway.clock().advance(Duration::from_secs(60));
    assert_eq!((with(first).await, with(second.expose()).await), (200, 401));

    let at = gateway.at();
    gateway
        .tx(async |tx| {
            let secrets = client::secrets(tx, &rp.id).await?;
            client::delete_secret(tx, at, &rp.id, &secrets[0].id).await
        })
        .await;
    assert_eq!(with(first).await, 401);
}
