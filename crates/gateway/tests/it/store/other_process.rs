//! Changes that another process makes, such as the command line, take effect in
//! a running gateway.

use std::time::Duration;

use genkan_db::Db;
use genkan_store::client::{self, ClientSecret};
use genkan_store::{Error, Secret, connection, domain, environment};
use genkan_testkit::{Arrival, Gateway, Rp, on_each_engine};

/// One change, as the command line makes it.
async fn change(gateway: &Gateway, act: impl AsyncFn(&Db)) {
    let other = gateway.another_process().await;
    act(&other).await;
    other.close().await;
}

async fn can_authenticate(rp: &Rp, secret: &str) -> bool {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", rp.id.as_str()),
        ("client_secret", secret),
    ];
    rp.post_as_nobody("/oauth/token", &form).send().await.status == 200
}

#[tokio::test]
async fn a_secret_counts_from_its_creation_to_its_deletion() {
    on_each_engine(async |gateway: &Gateway| {
        let rp = gateway.client("rp").await;
        let first = rp.secret.clone().unwrap();
        assert!(can_authenticate(&rp, &first).await);
        let (at, second) = (gateway.at(), Secret::generate());
        let row = ClientSecret::new(at, &rp.id, &second, None);
        change(gateway, async |db| {
            db.tx(async |tx| client::add_secret(tx, at, &row).await)
                .await
                .unwrap();
        })
        .await;
        gateway
            .eventually(async || can_authenticate(&rp, second.expose()).await)
            .await;

        change(gateway, async |db| {
            db.tx(async |tx| -> Result<_, Error> {
                let secrets = client::secrets(tx, &rp.id).await?;
                client::delete_secret(tx, at, &rp.id, &secrets[0].id).await
            })
            .await
            .unwrap();
        })
        .await;
        gateway
            .eventually(async || !can_authenticate(&rp, &first).await)
            .await;
        assert!(can_authenticate(&rp, second.expose()).await);
    })
    .await;
}

#[tokio::test]
async fn an_address_is_an_applications_from_its_registration_to_its_removal() {
    on_each_engine(async |gateway: &Gateway| {
        let rp = gateway.client("rp").await;
        let at = gateway.at();
        let request = rp
            .authorize()
            .with("redirect_uri", "https://new.test/callback")
            .with("prompt", "none");
        let is_registered =
            async || matches!(gateway.browser().start(&request).await, Arrival::Application(_));
        let may_call = async || {
            let reply = gateway
                .get("/userinfo")
                .header("origin", "https://new.test")
                .send()
                .await;
            reply.header("access-control-allow-origin") == "https://new.test"
        };
        assert!(!is_registered().await && !may_call().await);
        let register = async |uri: &str| {
            change(gateway, async |db| {
                db.tx(async |tx| -> Result<_, Error> {
                    let mut found = client::find(tx, &rp.id).await?.unwrap();
                    found.redirect_uris = vec![uri.to_owned()];
                    client::update(tx, at, &found).await
                })
                .await
                .unwrap();
            })
            .await;
        };
        register("https://new.test/callback").await;
        gateway.eventually(&is_registered).await;
        gateway.eventually(&may_call).await;
        register(&rp.redirect_uri).await;
        gateway.eventually(async || !is_registered().await).await;
        gateway.eventually(async || !may_call().await).await;
    })
    .await;
}

#[tokio::test]
async fn an_application_is_gone_when_it_was_deleted() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let at = gateway.at();
        change(gateway, async |db| {
            db.tx(async |tx| client::delete(tx, at, &rp.id).await)
                .await
                .unwrap();
        })
        .await;
        // What decides revocation is never cached.
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
        let secret = rp.secret.clone().unwrap();
        gateway
            .eventually(async || !can_authenticate(&rp, &secret).await)
            .await;
        assert_eq!(rp.refresh(tokens.refresh_token()).await.status, 401);
    })
    .await;
}

/// Nothing of a connection or a domain is cached: at once means at once.
#[tokio::test]
async fn connections_and_domains_change_at_once() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let at = gateway.at();
        let leads = async || {
            let request = rp.authorize().with("domain", "acme.test");
            match gateway.browser().start(&request).await {
                Arrival::Page(page) => page.heading().to_owned(),
                Arrival::Application(callback) => callback.error(),
            }
        };
        assert_eq!(leads().await, "Sign in as anyone");
        change(gateway, async |db| {
            db.tx(async |tx| connection::disable(tx, at, acme.connection_id()).await)
                .await
                .unwrap();
        })
        .await;
        assert_eq!(leads().await, "no_active_connections");
        change(gateway, async |db| {
            db.tx(async |tx| -> Result<_, Error> {
                connection::enable(tx, at, acme.connection_id()).await?;
                let domains = domain::list(tx, &acme.id).await?;
                domain::delete(tx, at, &acme.id, &domains[0].id).await
            })
            .await
            .unwrap();
        })
        .await;
        assert_eq!(leads().await, "domain_not_found");
    })
    .await;
}

#[tokio::test]
async fn lifetimes_hold_for_the_next_token() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        assert_eq!(tokens.expires_in, 300);
        change(gateway, async |db| {
            db.tx(async |tx| -> Result<_, Error> {
                let mut environment = environment::get(tx).await?;
                environment.access_token_lifetime = Duration::from_secs(60);
                environment::update_lifetimes(tx, &environment).await
            })
            .await
            .unwrap();
        })
        .await;
        let lifetime = async || {
            rp.refresh(tokens.refresh_token())
                .await
                .expect_tokens()
                .expires_in
        };
        gateway.eventually(async || lifetime().await == 60).await;
    })
    .await;
}
