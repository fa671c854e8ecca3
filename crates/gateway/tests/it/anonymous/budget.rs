//! A client that floods is refused, and the others do not notice.

use std::time::Duration;

use genkan::budget::Policy;
use genkan_testkit::{Authorize, Gateway, Reply, on_each_engine_of};
use http::{Method, header};

const SMALL: Policy = Policy {
    per_minute: 10,
    wrong_credentials_per_minute: 5,
    failed_answers_per_minute: 0,
};

#[track_caller]
fn is_too_many(reply: &Reply) {
    assert_eq!(reply.status, 429, "{}", reply.text());
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn pages_are_answered_until_the_budget_is_used_up() {
    let gateway = Gateway::setup().anonymous(SMALL).start().await;
    let rp = gateway.client("rp").await;
    let authorize = rp.authorize().url();
    let mut answered = 0;
    let refused = loop {
        let reply = gateway
            .get(authorize.strip_prefix(gateway.url()).unwrap())
            .send()
            .await;
        if reply.status == 429 {
            break reply;
        }
        answered += 1;
        assert!(answered <= 4, "a sign-in that begins costs more than a page");
    };
    assert!(answered >= 2, "{answered}");
    is_too_many(&refused);
    assert!(refused.html().text().contains("Too many requests"));
    // Every page of a sign-in draws from it.
    for (method, path) in [
        (Method::GET, "/oauth/authorize"),
        (Method::POST, "/oauth/authorize"),
        (Method::GET, "/login/lri_000000000000000000001"),
        (Method::POST, "/login/lri_000000000000000000001"),
        (Method::POST, "/login/lri_000000000000000000001/account"),
        (Method::GET, "/sso/v1/oidc/conn_000000000000000000001/callback"),
        (Method::GET, "/sso/v1/oidc/conn_000000000000000000001/init"),
        (Method::GET, "/sso/v1/oidc/conn_000000000000000000001/test"),
        (Method::GET, "/magicLink/nobodys"),
        (Method::GET, "/invitations/nobodys"),
        (Method::POST, "/invitations/nobodys"),
        (Method::GET, "/oidc/logout"),
        (Method::POST, "/oidc/logout"),
    ] {
        // What is left of a unit may let the cheapest through.
        let mut last = gateway.call(method.clone(), path).send().await;
        for _ in 0..3 {
            if last.status != 429 {
                last = gateway.call(method.clone(), path).send().await;
            }
        }
        assert_eq!(last.status, 429, "{method} {path}");
    }
}

#[tokio::test]
async fn documents_health_and_files_are_never_limited() {
    let gateway = Gateway::setup().anonymous(SMALL).start().await;
    for _ in 0..100 {
        for path in [
            "/keys",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/healthz",
            "/readyz",
        ] {
            assert_eq!(gateway.get(path).send().await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn wrong_credentials_are_limited_and_right_ones_never() {
    let policy = Policy {
        per_minute: 0,
        ..SMALL
    };
    let gateway = Gateway::setup().anonymous(policy).start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let call = async |path: &str, secret: &str| {
        gateway
            .post(path)
            .header(header::ORIGIN.as_str(), "https://rp.test")
            .form(&[
                ("grant_type", "client_credentials"),
                ("token", "made-up"),
                ("client_id", rp.id.as_str()),
                ("client_secret", secret),
            ])
            .send()
            .await
    };
    for _ in 0..5 {
        assert_eq!(call("/oauth/token", "wrong").await.status, 401);
    }
    for path in ["/oauth/token", "/oauth/introspect", "/revoke"] {
        let refused = call(path, "wrong").await;
        is_too_many(&refused);
        assert_eq!(refused.json()["error"], "temporarily_unavailable");
        assert_eq!(refused.header("access-control-allow-origin"), "https://rp.test");
        assert!(
            refused
                .header("access-control-expose-headers")
                .contains("retry-after")
        );
    }
    let userinfo = async |token: &str| {
        let bearer = format!("Bearer {token}");
        gateway
            .get("/userinfo")
            .header("authorization", &bearer)
            .send()
            .await
    };
    is_too_many(&userinfo("made-up").await);
    for _ in 0..20 {
        assert_eq!(userinfo(&tokens.access_token).await.status, 200);
        assert!(rp.introspect(&tokens.access_token).await.active);
    }
}

#[tokio::test]
async fn forwarders_that_nobody_trusts_share_a_budget_of_their_own() {
    let gateway = Gateway::setup().anonymous(SMALL).start().await;
    let page = async |forwarded: Option<&str>| {
        let mut call = gateway.get("/oidc/logout");
        if let Some(address) = forwarded {
            call = call.header("x-forwarded-for", address);
        }
        call.send().await.status.as_u16()
    };
    for n in 0..10 {
        assert_eq!(page(Some(&format!("198.51.100.{n}"))).await, 200);
    }
    let mut refused = 0;
    for n in 0..10 {
        refused += u32::from(page(Some(&format!("203.0.113.{n}"))).await == 429);
    }
    assert!(refused >= 5, "an invented address is no way out: {refused}");
    assert_eq!(page(None).await, 200, "nobody else pays for them");
}

#[tokio::test]
async fn two_hundred_people_behind_one_address_sign_in_within_a_minute() {
    // The defaults of the configuration.
    let policy = Policy {
        per_minute: 6_000,
        wrong_credentials_per_minute: 600,
        failed_answers_per_minute: 60,
    };
    let gateway = Gateway::setup().anonymous(policy).start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    // They all come at once as far as the limiter can see: what a minute refills
    // is not needed.
    for n in 0..200 {
        let code = gateway
            .browser()
            .sign_in(&rp, format!("ada{n}@acme.test").as_str())
            .await;
        rp.redeem(&code).await.expect_tokens();
    }
}

#[tokio::test]
async fn nodes_on_one_database_share_what_costs_most() {
    let policy = Policy {
        per_minute: 500,
        ..Policy::OFF
    };
    on_each_engine_of(
        move || Gateway::setup().anonymous(policy),
        async |gateway: &Gateway| {
            if gateway.engine() != genkan_db::Engine::Postgres {
                return;
            }
            for _ in 0..4 {
                gateway.add_node().await;
            }
            let rp = gateway.client("rp").await;
            let authorize = rp.authorize().url();
            let path = authorize.strip_prefix(gateway.url()).unwrap();
            let mut begun = 0;
            for _ in 0..600 {
                begun += u32::from(gateway.get(path).send().await.status != 429);
            }
            // 100 for all nodes together, and for each a first slice of 25.
            assert!((100..=5 * 25 + 100).contains(&begun), "{begun}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_long_request_costs_more_whichever_part_of_it_is_long() {
    let policy = Policy {
        per_minute: 100,
        ..SMALL
    };
    let gateway = Gateway::setup().anonymous(policy).start().await;
    let address = format!("https://rp.test/{}", "a".repeat(1_900));
    let rp = gateway
        .client("rp")
        .change(|client| client.redirect_uris.push(address.clone()))
        .await;
    let begun = async |request: Authorize| {
        gateway.clock().advance(Duration::from_mins(2));
        let url = request.url();
        let path = url.strip_prefix(gateway.url()).unwrap();
        let mut begun = 0;
        while gateway.get(path).send().await.status == 303 {
            begun += 1;
        }
        begun
    };
    let short = begun(rp.authorize()).await;
    assert!(short >= 15, "{short}");
    for (name, value) in [("state", "s".repeat(3_000)), ("redirect_uri", address.clone())] {
        let long = begun(rp.authorize().with(name, value)).await;
        assert!(long < short - 2, "{name}: {long} and {short}");
    }
}
