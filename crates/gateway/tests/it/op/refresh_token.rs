//! The refresh token grant.
//!
//! Source: RFC 6749 §6, RFC 9700 §4.14, OIDC Core §12; `docs/decisions/refresh-tokens.md`.

use std::time::Duration;

use genkan_store::refresh_token::GRACE;
use genkan_store::{client, membership, organization, user};
use genkan_testkit::{Gateway, Reply, Rp, Tokens, on_each_engine};
use insta::assert_snapshot;

const SECOND: Duration = Duration::from_secs(1);

async fn signed_in(gateway: &Gateway, rp: &Rp) -> Tokens {
    let code = gateway.browser().sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

async fn with_scope(rp: &Rp, refresh_token: &str, scope: &str) -> Reply {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("scope", scope),
    ];
    rp.post("/oauth/token", &form).send().await
}

#[tokio::test]
async fn a_public_clients_token_counts_once_then_thirty_seconds_then_ends_the_family() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let spa = gateway.client("spa").spa().await;
        let first = signed_in(gateway, &spa).await;

        let second = spa.refresh(first.refresh_token()).await.expect_tokens();
        gateway.clock().advance(GRACE - SECOND);
        // The first answer may have been lost.
        let again = spa.refresh(first.refresh_token()).await.expect_tokens();
        assert_ne!(again.refresh_token(), second.refresh_token());

        gateway.clock().advance(SECOND);
        let reuse = spa.refresh(first.refresh_token()).await.json();
        assert_eq!(reuse["error"], "invalid_grant");
        assert_eq!(reuse["error_description"], "the refresh token was already used");
        for tokens in [&second, &again] {
            assert_eq!(
                spa.refresh(tokens.refresh_token()).await.oauth_error(),
                "invalid_grant"
            );
            assert_eq!(spa.userinfo(&tokens.access_token).await.status, 401);
        }
        assert!(gateway.events().await.contains(&"grant.replayed".to_owned()));
    })
    .await;
}

/// Grace must not keep a thief alive beside the owner.
#[tokio::test]
async fn of_two_siblings_one_lives_on_and_the_other_ends_the_family() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let spa = gateway.client("spa").spa().await;
    let first = signed_in(&gateway, &spa).await;
    let owners = spa.refresh(first.refresh_token()).await.expect_tokens();
    let thiefs = spa.refresh(first.refresh_token()).await.expect_tokens();
    let next = spa.refresh(owners.refresh_token()).await.expect_tokens();
    gateway.clock().advance(GRACE);
    assert_eq!(
        spa.refresh(thiefs.refresh_token()).await.oauth_error(),
        "invalid_grant"
    );
    assert_eq!(
        spa.refresh(next.refresh_token()).await.oauth_error(),
        "invalid_grant"
    );
}

#[tokio::test]
async fn with_strict_rotation_a_reuse_ends_the_family_at_once() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").strict_refresh_rotation().await;
    let first = signed_in(&gateway, &rp).await;
    let second = rp.refresh(first.refresh_token()).await.expect_tokens();
    assert_eq!(
        rp.refresh(first.refresh_token()).await.oauth_error(),
        "invalid_grant"
    );
    assert_eq!(
        rp.refresh(second.refresh_token()).await.oauth_error(),
        "invalid_grant"
    );
    assert!(!rp.introspect(&second.access_token).await.active);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_uses_of_one_strict_token_one_succeeds() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").strict_refresh_rotation().await;
        let token = signed_in(gateway, &rp).await.refresh_token().to_owned();
        let racers: Vec<_> = (0..100)
            .map(|_| {
                let (rp, token) = (rp.clone(), token.clone());
                tokio::spawn(async move { rp.refresh(&token).await })
            })
            .collect();
        let mut successes = 0;
        for racer in racers {
            let reply = racer.await.unwrap();
            if reply.status == 200 {
                successes += 1;
            } else {
                assert_eq!(
                    (reply.status.as_u16(), reply.oauth_error().as_str()),
                    (400, "invalid_grant")
                );
            }
        }
        assert_eq!(successes, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tabs_of_a_public_client_all_get_an_answer() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let spa = gateway.client("spa").spa().await;
        let token = signed_in(gateway, &spa).await.refresh_token().to_owned();
        let racers: Vec<_> = (0..100)
            .map(|_| {
                let (spa, token) = (spa.clone(), token.clone());
                tokio::spawn(async move { spa.refresh(&token).await.expect_tokens() })
            })
            .collect();
        let mut all = Vec::new();
        for racer in racers {
            all.push(racer.await.unwrap());
        }
        // One of the answers goes on, and those that come within its grace. The family
        // ends with whoever comes later.
        spa.refresh(all[7].refresh_token()).await.expect_tokens();
        spa.refresh(all[6].refresh_token()).await.expect_tokens();
        gateway.clock().advance(GRACE);
        assert_eq!(
            spa.refresh(all[8].refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
    })
    .await;
}

#[tokio::test]
async fn another_client_can_neither_use_a_refresh_token_nor_spoil_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    for (owner, thief) in [
        (gateway.client("a").await, gateway.client("b").await),
        (gateway.client("c").spa().await, gateway.client("d").spa().await),
    ] {
        let tokens = signed_in(&gateway, &owner).await;
        assert_eq!(
            thief.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        owner.refresh(tokens.refresh_token()).await.expect_tokens();
    }
}

#[tokio::test]
async fn the_scope_may_shrink_but_never_grow() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").strict_refresh_rotation().await;
    let request = rp.authorize().with("scope", "openid email offline_access");
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();

    let wider = with_scope(&rp, tokens.refresh_token(), "openid email profile").await;
    assert_snapshot!(wider.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    {"error":"invalid_scope","error_description":"scope exceeds what was granted"}
    "#);
    // The refusal did not use the token up.
    let narrow = with_scope(&rp, tokens.refresh_token(), "email")
        .await
        .expect_tokens();
    assert_eq!(
        (narrow.scope.as_str(), narrow.id_token.as_deref()),
        ("email", None)
    );
    // The next one may have all again (RFC 6749 §6: the refresh token's scope is that of the grant).
    let whole = rp.refresh(narrow.refresh_token()).await.expect_tokens();
    assert_eq!(whole.scope, "openid email offline_access");
}

/// OIDC Core §12.2.
#[tokio::test]
async fn a_refreshed_id_token_tells_of_the_same_login() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    gateway.clock().advance(Duration::from_secs(600));
    let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    let (before, after) = (
        rp.verify(tokens.id_token()).await,
        rp.verify(refreshed.id_token()).await,
    );
    for same in ["iss", "sub", "aud", "azp", "auth_time", "sid", "oid", "amr"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(after["iat"].as_i64(), before["iat"].as_i64().map(|iat| iat + 600));
    assert_eq!((after.get("nonce"), after.get("c_hash")), (None, None));
    assert_ne!(after["at_hash"], before["at_hash"]);
}

#[tokio::test]
async fn a_refresh_token_dies_with_what_it_hangs_on() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let at = gateway.at();

        let tokens = signed_in(gateway, &rp).await;
        let claims = rp.verify(tokens.id_token()).await;
        let user_id = genkan_store::UserId::parse(claims["sub"].as_str().unwrap()).unwrap();
        gateway
            .tx(async |tx| membership::delete(tx, at, &acme.id, &user_id).await)
            .await;
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );

        let tokens = signed_in(gateway, &rp).await;
        gateway
            .tx(async |tx| user::set_disabled(tx, at, &user_id, true).await)
            .await;
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        gateway
            .tx(async |tx| user::set_disabled(tx, at, &user_id, false).await)
            .await;
        // Enabling brings no token back.
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );

        let tokens = signed_in(gateway, &rp).await;
        gateway.tx(async |tx| user::delete(tx, at, &user_id).await).await;
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);

        let tokens = signed_in(gateway, &rp).await;
        gateway
            .tx(async |tx| organization::delete(tx, at, &acme.id).await)
            .await;
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );

        gateway.organization("beta.test").with_oidc_connection().await;
        let code = gateway.browser().sign_in(&rp, "bob@beta.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        gateway.tx(async |tx| client::delete(tx, at, &rp.id).await).await;
        let reply = rp.refresh(tokens.refresh_token()).await;
        // On PostgreSQL a node may know the client for a second more.
        assert!(["invalid_client", "invalid_grant"].contains(&reply.oauth_error().as_str()));
    })
    .await;
}

#[tokio::test]
async fn garbage_is_no_refresh_token() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    let cut = &tokens.refresh_token()[1..];
    let longer = format!("{}x", tokens.refresh_token());
    for token in [
        "x",
        cut,
        &longer,
        &tokens.access_token,
        tokens.id_token(),
        "~",
        &"A".repeat(8000),
    ] {
        assert_eq!(rp.refresh(token).await.oauth_error(), "invalid_grant", "{token}");
    }
    rp.refresh(tokens.refresh_token()).await.expect_tokens();
}
