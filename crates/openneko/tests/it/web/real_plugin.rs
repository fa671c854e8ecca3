//! The whole way with a real plugin: JavaScript, in a jail, called by the host.

use std::sync::Arc;

use axum::http::StatusCode;
use genkan_db::testing::Scratch;
use openneko::web::store;

use super::support::{World, at, make_admin};
use crate::host::support::{Machine, NAME, SECRET, plugin};

/// A provider in one file: its codes hold the offers to the plugin, so the exchange
/// can be checked without a server.
const PROVIDER: &str = r#"
const { params: asked } = JSON.parse(params);
if (!process.env.ACME_SECRET) fail("ACME_SECRET is not set");
else if (method === "begin_auth") {
  const url = new URL("https://idp.acme.test/authorize");
  url.search = new URLSearchParams({ state: asked.state, redirect_uri: asked.redirectUri,
    code_challenge: asked.codeChallenge, nonce: asked.nonce, login_hint: asked.loginHint ?? "" });
  say({ result: { authorizationUrl: url.href } });
} else if (method === "complete_auth") {
  const [challenge, nonce] = asked.code.split("~");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(asked.codeVerifier));
  if (Buffer.from(digest).toString("base64url") !== challenge) fail("invalid_grant: PKCE " + process.env.ACME_SECRET);
  else if (nonce !== asked.nonce) fail("nonce differs");
  else say({ result: { identity: { sub: "s1", email: "Ada@Acme.test", name: "Ada Lovelace",
    orgId: "org_1", groups: ["Engineering"], emailVerified: true } } });
} else fail("unknown method");
"#;

struct Setting {
    machine: Machine,
    _scratch: Scratch,
    world: World,
}

async fn setting() -> Setting {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", PROVIDER));
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    store::prepare(&db, at(0)).await.unwrap();
    let world = World::with_host(db, Arc::new(machine.host()));
    Setting {
        machine,
        _scratch: scratch,
        world,
    }
}

/// What the browser was sent to the provider with.
fn sent(location: &str, name: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    assert_eq!(url.host_str(), Some("idp.acme.test"));
    url.query_pairs()
        .find(|(key, _)| key == name)
        .unwrap()
        .1
        .into_owned()
}

#[tokio::test]
async fn a_person_signs_in_through_a_plugin_in_a_jail() {
    let Setting { machine, world, .. } = &setting().await;
    let browser = world.browser();
    let door = browser.get("/signin").await;
    assert!(
        door.body
            .contains("openneko secrets set @acme/plugin-sso ACME_SECRET"),
        "{}",
        door.body
    );
    let early = browser.send("GET", "/api/auth/begin", &[], "").await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE);

    // Set while the server runs.
    machine.set("ACME_SECRET", SECRET);
    let begun = browser
        .get("/api/auth/begin?returnTo=%2F&loginHint=ada%40acme.test")
        .await;
    assert_eq!(begun.status, StatusCode::FOUND, "{}", begun.body);
    assert_eq!(sent(begun.location(), "login_hint"), "ada@acme.test");
    let (state, challenge, nonce) = (
        sent(begun.location(), "state"),
        sent(begun.location(), "code_challenge"),
        sent(begun.location(), "nonce"),
    );
    let back = format!("/api/auth/callback?state={state}&code={challenge}~{nonce}");
    assert_eq!(browser.get(&back).await.location(), "/");
    let id = browser.user().await["id"].as_str().unwrap().to_owned();
    make_admin(world, &id).await;
    let page = browser.get("/").await.body;
    for part in [
        "Hello, Ada Lovelace",
        "Ada@Acme.test",
        "org_1",
        "Engineering",
        "@acme/plugin-sso",
        "*.acme.test",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_and_the_secret_is_nowhere_to_be_seen() {
    let Setting { machine, world, .. } = &setting().await;
    machine.set("ACME_SECRET", SECRET);
    let (ada, eve) = (world.browser(), world.browser());
    let stolen = ada.get("/api/auth/begin").await;
    let code = format!(
        "{}~{}",
        sent(stolen.location(), "code_challenge"),
        sent(stolen.location(), "nonce")
    );
    // Eve puts Ada's code into a sign-in of her own.
    let own = eve.get("/api/auth/begin").await;
    let state = sent(own.location(), "state");
    let answer = eve
        .get(&format!("/api/auth/callback?state={state}&code={code}"))
        .await;
    assert_eq!(answer.error(), "plugin_failed");
    let event = openneko::web::audit::recent(world.app.db(), 1)
        .await
        .unwrap()
        .remove(0);
    let detail = event.detail.unwrap();
    assert!(
        detail.contains("invalid_grant") && !detail.contains(SECRET),
        "{detail}"
    );
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_opens_nothing() {
    let Setting { machine, world, .. } = &setting().await;
    machine.set("ACME_SECRET", SECRET);
    let browser = world.browser();
    assert!(browser.get("/signin").await.body.contains("Sign in with"));
    for broken in ["{", "[]", ""] {
        std::fs::write(&machine.paths.manifest, broken).unwrap();
        let door = browser.get("/signin").await.body;
        assert!(
            door.contains("Signing in does not work at the moment."),
            "{broken}: {door}"
        );
        assert_eq!(browser.get("/").await.location(), "/signin");
    }
    std::fs::remove_file(&machine.paths.manifest).unwrap();
    let door = browser.get("/signin").await.body;
    assert!(door.contains("is not found any more"), "{door}");
}
