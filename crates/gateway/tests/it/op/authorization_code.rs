//! The authorization code grant.
//!
//! Source: RFC 6749 §4.1.3, RFC 7636 §4.6, OIDC Core §3.1.3.

use std::time::Duration;

use genkan_store::authorization_code::LIFETIME;
use genkan_store::user;
use genkan_testkit::{Code, Gateway, Rp, Tokens, on_each_engine};
use insta::assert_snapshot;

async fn has_died(rp: &Rp, tokens: &Tokens) {
    assert!(!rp.introspect(&tokens.access_token).await.active);
    assert!(!rp.introspect(tokens.refresh_token()).await.active);
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
    assert_eq!(
        rp.refresh(tokens.refresh_token()).await.oauth_error(),
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_code_works_once_and_a_replay_revokes_its_tokens() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;

        let tokens = rp.redeem(&code).await.expect_tokens();
        assert!(rp.introspect(&tokens.access_token).await.active);
        let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        let replay = rp.redeem(&code).await;

        assert_eq!(
            replay.transcript(),
            "400 Bad Request\ncache-control: no-store\n\
             {\"error\":\"invalid_grant\",\"error_description\":\"the code was already used\"}"
        );
        has_died(&rp, &tokens).await;
        has_died(&rp, &refreshed).await;
        let events = acme.events().await;
        assert_eq!(
            events.last().map(String::as_str),
            Some("grant.replayed"),
            "{events:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_late_replay_revokes_too() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    gateway.clock().advance(LIFETIME + Duration::from_secs(60));
    gateway.sweep().await;
    assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
    has_died(&rp, &tokens).await;
}

#[tokio::test]
async fn the_tokens_of_a_code_are_described() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let reply = rp.redeem(&code).await;
    assert_snapshot!(reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    {"access_token":"<jwt>","token_type":"Bearer","expires_in":300,"scope":"openid profile email offline_access","id_token":"<jwt>","refresh_token":"<secret>"}
    "#);

    let tokens = reply.expect_tokens();
    let id = rp.verify(tokens.id_token()).await;
    assert_eq!(id["nonce"].as_str(), code.nonce.as_deref());
    assert_eq!(id["azp"], rp.id.as_str());
    assert_eq!(id["auth_time"], gateway.now().as_secs());
    let half = |value: &str| genkan_protocol::oidc::left_half(genkan_protocol::jose::Algorithm::Rs256, value);
    assert_eq!(id["at_hash"], half(&tokens.access_token).as_str());
    assert_eq!(id["c_hash"], half(&code.code).as_str());
    let mut names: Vec<_> = id.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_snapshot!(names.join(" "), @"amr at_hash aud auth_time azp c_hash client_id email email_verified exp family_name given_name iat iss name nonce oid sid sub updated_at");
    let access = rp.verify(&tokens.access_token).await;
    let mut names: Vec<_> = access.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_snapshot!(names.join(" "), @"aud client_id exp grant_id iat iss jti nbf oid permissions roles scope scopes sid sub");
    assert_eq!(access["oid"], acme.id.as_str());
    assert_eq!(access["roles"], serde_json::json!(["admin"]));
}

/// RFC 6749 §4.1.3: bound to its client.
#[tokio::test]
async fn another_client_can_neither_redeem_a_code_nor_spoil_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let thief = gateway.client("thief").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    assert_eq!(thief.redeem(&code).await.oauth_error(), "invalid_grant");
    let tokens = rp.redeem(&code).await.expect_tokens();
    // Nor does its attempt afterwards count as a replay.
    assert_eq!(thief.redeem(&code).await.oauth_error(), "invalid_grant");
    assert!(rp.introspect(&tokens.access_token).await.active);
}

#[tokio::test]
async fn a_code_needs_the_redirect_uri_of_its_request() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    for redirect_uri in [
        None,
        Some("https://rp.test/callback/"),
        Some("https://evil.test/"),
    ] {
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let wrong = Code {
            redirect_uri: redirect_uri.map(ToOwned::to_owned),
            ..code.clone()
        };
        assert_eq!(rp.redeem(&wrong).await.oauth_error(), "invalid_grant");
        // Whoever guesses gets one guess.
        assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
    }
}

/// RFC 7636 §4.6, RFC 9700 §2.1.1.
#[tokio::test]
async fn pkce_can_be_neither_left_out_nor_guessed_nor_downgraded() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let spa = gateway.client("spa").spa().await;
    let mut browser = gateway.browser();
    for rp in [&rp, &spa] {
        for (verifier, error) in [
            (None, "invalid_grant"),
            (Some("x".repeat(43)), "invalid_grant"),
            (Some("x".repeat(42)), "invalid_request"),
            (Some("x".repeat(129)), "invalid_request"),
            (Some(format!("{}/", "x".repeat(43))), "invalid_request"),
        ] {
            let code = browser.sign_in(rp, "ada@acme.test").await;
            // The challenge itself is no verifier either.
            let wrong = Code {
                code_verifier: verifier,
                ..code
            };
            assert_eq!(
                rp.redeem(&wrong).await.oauth_error(),
                error,
                "{:?}",
                wrong.code_verifier
            );
        }
    }
    // A code without challenge takes no verifier: somebody took the challenge away.
    let request = rp.authorize().without_pkce();
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    let downgraded = Code {
        code_verifier: Some("x".repeat(43)),
        ..code
    };
    assert_eq!(rp.redeem(&downgraded).await.oauth_error(), "invalid_grant");
    let code = browser.sign_in_with(&request, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn the_challenge_is_not_the_verifier() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize();
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    let plain = Code {
        code_verifier: request.parameter("code_challenge").map(ToOwned::to_owned),
        ..code
    };
    assert_eq!(rp.redeem(&plain).await.oauth_error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_is_refused_after_its_lifetime() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    gateway.clock().advance(LIFETIME - Duration::from_micros(1));
    rp.redeem(&code).await.expect_tokens();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    gateway.clock().advance(LIFETIME);
    assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_dies_with_its_session_and_its_user() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();

    let first = rp
        .redeem(&browser.sign_in(&rp, "ada@acme.test").await)
        .await
        .expect_tokens();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let logout = rp.logout_url(&[("id_token_hint", first.id_token())]);
    assert_eq!(browser.open(&logout).await.page().heading(), "You are signed out");
    assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");

    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let email = genkan_protocol::EmailAddress::parse("ada@acme.test").unwrap();
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            let ada = user::find_by_email(tx, &email).await?.unwrap();
            user::set_disabled(tx, at, &ada.id, true).await
        })
        .await;
    assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
}

#[tokio::test]
async fn garbage_is_no_code() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for code in [
        "x",
        "' OR '1'='1",
        "\u{1F980}",
        &"A".repeat(43),
        &"A".repeat(8 * 1024),
    ] {
        let code = Code {
            code: code.to_owned(),
            redirect_uri: None,
            code_verifier: None,
            nonce: None,
        };
        assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
    }
    let missing = rp
        .post("/oauth/token", &[("grant_type", "authorization_code")])
        .send()
        .await;
    assert_snapshot!(missing.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    {"error":"invalid_request","error_description":"the parameter code is missing"}
    "#);
    let unknown = rp
        .post("/oauth/token", &[("grant_type", "password")])
        .send()
        .await;
    assert_snapshot!(unknown.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    {"error":"unsupported_grant_type","error_description":"the grant_type must be authorization_code, refresh_token or client_credentials"}
    "#);
    let none = rp.post("/oauth/token", &[]).send().await;
    assert_snapshot!(none.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    {"error":"invalid_request","error_description":"the parameter grant_type is missing"}
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_redemptions_of_one_code_one_succeeds() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let racers: Vec<_> = (0..100)
            .map(|_| {
                let (rp, code) = (rp.clone(), code.clone());
                tokio::spawn(async move { rp.redeem(&code).await })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            let reply = racer.await.unwrap();
            if reply.status == 200 {
                winners.push(reply.expect_tokens());
            } else {
                assert_eq!(
                    (reply.status.as_u16(), reply.oauth_error().as_str()),
                    (400, "invalid_grant")
                );
            }
        }
        assert_eq!(winners.len(), 1);
        // The others were replays.
        has_died(&rp, &winners[0]).await;
    })
    .await;
}

/// Nothing is used up by a request that is answered with a failure of ours: the application tries again.
#[tokio::test]
async fn a_code_and_a_refresh_token_stay_unused_while_the_keys_cannot_be_read() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").strict_refresh_rotation().await;
    let refresh = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&refresh).await.expect_tokens();
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    // Keys of another kind than they say; once more, and they are right again.
    let spoil = async || {
        let sql =
            "UPDATE signing_keys SET algorithm = CASE algorithm WHEN 'RS256' THEN 'ES256' ELSE 'RS256' END";
        gateway.tx(async |tx| Ok(tx.exec(sql, &[]).await?)).await;
        // A change of configuration, after which the keys are read anew.
        let _ = gateway.client("another").await;
    };
    // By hand, because the kit takes no failure of ours for an answer.
    let ask = async |form: Vec<(&str, &str)>| {
        let port = gateway.url().rsplit(':').next().unwrap();
        let request = reqwest::Client::builder()
            .build()
            .unwrap()
            .post(format!("http://127.0.0.1:{port}/oauth/token"));
        let request = request.basic_auth(rp.id.as_str(), rp.secret.as_deref());
        request.form(&form).send().await.unwrap().status().as_u16()
    };
    spoil().await;
    assert_eq!(ask(Rp::redemption(&code)).await, 500);
    let refreshing = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh_token()),
    ];
    assert_eq!(ask(refreshing).await, 500);
    spoil().await;
    let _ = rp.redeem(&code).await.expect_tokens();
    let _ = rp.refresh(tokens.refresh_token()).await.expect_tokens();
}
