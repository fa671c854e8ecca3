//! A web app without a network: its router, its database, a clock moved by hand, a
//! browser that keeps cookies, and a plugin with chosen answers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use genkan_db::{Db, p};
use genkan_web::listener::{PeerInfo, TrustedProxies};
use jiff::Timestamp;
use openneko::host::{Provider, Reading};
use openneko::web::app::{App, Config, Parts};
use openneko::web::keys::Keys;
use openneko::web::plugin::{Overview, PluginFailure, SignInHost};
use openneko::web::routes;
use openneko::web::rules::Rules;
use openneko::web::settings::PublicUrl;
use openneko::web::store::{self, session::Lifetimes};
use openneko_plugin::rpc::{BeginAuth, CompleteAuth, Identity};
use parking_lot::Mutex;
use serde_json::json;
use tower::ServiceExt as _;
use url::Url;

pub(crate) const PLUGIN: &str = "@open-neko/plugin-scalekit";
pub(crate) const ORIGIN: &str = "http://localhost:3000";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// When every test begins, in seconds.
pub(crate) const T0: i64 = 1_800_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(T0 + second).unwrap()
}

/// Runs `test` on a fresh database of each engine.
pub(crate) async fn on_each_engine(test: impl AsyncFn(Db)) {
    genkan_db::testing::on_each_engine(async |db| {
        store::prepare(&db, at(0)).await.unwrap();
        test(db).await;
    })
    .await;
}

pub(crate) fn ada() -> Identity {
    identity("s-ada", "ada@acme.test")
}

pub(crate) fn identity(sub: &str, email: &str) -> Identity {
    Identity {
        sub: sub.to_owned(),
        email: email.to_owned(),
        ..Identity::default()
    }
}

pub(crate) fn checked(identity: Identity) -> openneko::web::identity::Identity {
    openneko::web::identity::Identity::check(identity).unwrap()
}

/// An identity with more said about it, as JSON.
pub(crate) fn with(identity: &Identity, more: &serde_json::Value) -> Identity {
    let mut value = serde_json::to_value(identity).unwrap();
    for (key, said) in more.as_object().unwrap() {
        value[key] = said.clone();
    }
    serde_json::from_value(value).unwrap()
}

/// A plugin host with chosen answers, which records its calls.
pub(crate) struct Stage {
    pub(crate) provider: Option<Provider>,
    pub(crate) answer: Result<Identity, PluginFailure>,
    pub(crate) url: Result<String, PluginFailure>,
    pub(crate) begun: Vec<BeginAuth>,
    pub(crate) completed: Vec<CompleteAuth>,
}

impl Stage {
    fn new() -> Self {
        Self {
            provider: Some(provider(&[])),
            answer: Ok(ada()),
            url: Ok("https://acme.scalekit.com/oauth/authorize?client_id=c".to_owned()),
            begun: Vec::new(),
            completed: Vec::new(),
        }
    }
}

pub(crate) fn provider(pending: &[&str]) -> Provider {
    let entry = json!({
        "name": PLUGIN,
        "version": "1.0.0",
        "integrity": format!("sha512-{}==", "A".repeat(86)),
        "capabilities": { "auth": {} },
    });
    Provider {
        plugin_name: PLUGIN.to_owned(),
        provider_label: "Scalekit".to_owned(),
        pending: pending.iter().map(|key| (*key).to_owned()).collect(),
        reading: Arc::new(Reading::new(serde_json::from_value(entry).unwrap(), [])),
    }
}

pub(crate) fn failure(code: &str, message: &str) -> PluginFailure {
    PluginFailure {
        code: code.to_owned(),
        message: message.to_owned(),
        public: "Signing in does not work at the moment.".to_owned(),
        correlation_id: None,
    }
}

#[derive(Clone)]
struct Staged(Arc<Mutex<Stage>>);

#[async_trait]
impl SignInHost for Staged {
    async fn status(&self) -> Result<Option<Provider>, PluginFailure> {
        Ok(self.0.lock().provider.clone())
    }

    async fn begin_auth(&self, _: &Provider, begin: BeginAuth) -> Result<Url, PluginFailure> {
        let mut stage = self.0.lock();
        let url = stage.url.clone().map(|url| {
            let mut url = Url::parse(&url).unwrap();
            url.query_pairs_mut().append_pair("state", &begin.state);
            url
        });
        stage.begun.push(begin);
        url
    }

    async fn complete_auth(&self, _: &Provider, complete: CompleteAuth) -> Result<Identity, PluginFailure> {
        let mut stage = self.0.lock();
        stage.completed.push(complete);
        stage.answer.clone()
    }

    async fn overview(&self) -> Overview {
        Overview::default()
    }
}

/// The web app under test.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) stage: Arc<Mutex<Stage>>,
    pub(crate) keys: Keys,
    router: Router,
    /// The proxies that are believed about a browser's address.
    pub(crate) proxies: TrustedProxies,
    now: Arc<Mutex<Timestamp>>,
}

/// What tests change of the configuration.
pub(crate) fn config() -> Config {
    Config {
        public_url: Some(PublicUrl::parse(ORIGIN).unwrap()),
        is_local: true,
        lifetimes: Lifetimes::default(),
        rules: Rules::default(),
        requests_per_minute: NonZeroU32::new(100_000).unwrap(),
    }
}

impl World {
    pub(crate) fn new(db: Db) -> Self {
        Self::with(db, config())
    }

    pub(crate) fn with(db: Db, config: Config) -> Self {
        let stage = Arc::new(Mutex::new(Stage::new()));
        let host = Arc::new(Staged(Arc::clone(&stage)));
        Self::build(db, config, host, stage)
    }

    /// With a plugin host of the caller's own; the stage stays empty.
    pub(crate) fn with_host(db: Db, host: Arc<dyn SignInHost>) -> Self {
        Self::build(db, config(), host, Arc::new(Mutex::new(Stage::new())))
    }

    fn build(db: Db, config: Config, host: Arc<dyn SignInHost>, stage: Arc<Mutex<Stage>>) -> Self {
        let now = Arc::new(Mutex::new(at(0)));
        let clock = Arc::clone(&now);
        let app = App::new(Parts {
            db,
            host,
            keys: Keys::from_secret(SECRET).unwrap(),
            clock: Arc::new(move || *clock.lock()),
            config,
        });
        Self {
            router: routes::router(app.clone()),
            proxies: TrustedProxies::default(),
            keys: Keys::from_secret(SECRET).unwrap(),
            app,
            stage,
            now,
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        *now = now.checked_add(by).unwrap();
    }

    pub(crate) fn says(&self, identity: Identity) {
        self.stage.lock().answer = Ok(identity);
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            world: self,
            cookies: Mutex::default(),
        }
    }

    pub(crate) async fn events(&self) -> Vec<String> {
        let events = openneko::web::audit::recent(self.app.db(), 100).await.unwrap();
        let words = events.into_iter().rev().map(|event| match event.code {
            Some(code) => format!("{} {code}", event.kind),
            None => event.kind.to_string(),
        });
        words.collect()
    }
}

/// A browser: keeps cookies, follows nothing by itself.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code in the address of the sign-in page.
    pub(crate) fn error(&self) -> String {
        let url = Url::parse(ORIGIN).unwrap().join(self.location()).unwrap();
        assert_eq!(url.path(), "/signin", "{url}");
        url.query_pairs()
            .find(|(key, _)| key == "error")
            .unwrap()
            .1
            .into_owned()
    }
}

pub(crate) const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

impl Browser<'_> {
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let cookies: Vec<_> = self
            .cookies
            .lock()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if !headers.iter().any(|(name, _)| *name == "host") {
            let host = Url::parse(ORIGIN).unwrap().host_str().unwrap().to_owned();
            request = request.header(header::HOST, host);
        }
        // As a browser does, so that what is refused is refused for the reason that is tested.
        if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, body) = request.body(Body::from(body.to_owned())).unwrap().into_parts();
        // As the listener does.
        let peer = PeerInfo {
            addr: "127.0.0.1:9".parse().unwrap(),
            tls: false,
        };
        self.world.proxies.introduce(peer, &mut parts);
        let request = Request::from_parts(parts, body);
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        self.keep(&parts.headers);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap(),
        }
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock();
        for line in headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, flags) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if flags.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[HTML], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let headers = [HTML, ("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        self.send("POST", path, &headers, body).await
    }

    /// Begins a sign-in; gives its state.
    pub(crate) async fn begin(&self, query: &str) -> String {
        let answer = self.get(&format!("/api/auth/begin{query}")).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.body);
        let url = Url::parse(answer.location()).unwrap();
        let state = url.query_pairs().find(|(key, _)| key == "state");
        state.unwrap().1.into_owned()
    }

    /// Comes back with a code.
    pub(crate) async fn back(&self, state: &str) -> Answer {
        self.get(&format!("/api/auth/callback?code=c1&state={state}"))
            .await
    }

    /// The whole way.
    pub(crate) async fn sign_in(&self) -> Answer {
        let state = self.begin("").await;
        self.back(&state).await
    }

    pub(crate) async fn user(&self) -> serde_json::Value {
        self.get("/api/auth/session").await.json()["user"].clone()
    }

    pub(crate) fn cookie(&self, name: &str) -> String {
        self.cookies.lock()[name].clone()
    }
}

/// The token of a form on a page.
pub(crate) fn token(page: &str, action: &str) -> String {
    let form = page
        .split_once(&format!("action=\"{action}\""))
        .expect("the form is there")
        .1;
    let value = form.split_once("name=\"token\" value=\"").unwrap().1;
    value.split_once('"').unwrap().0.to_owned()
}

/// Somebody becomes an admin, as by `openneko users set-role`.
pub(crate) async fn make_admin(world: &World, id: &str) {
    let changed = world.app.db().tx(async |tx| {
        tx.exec("UPDATE app_user SET role = 'admin' WHERE id = $1", p![id])
            .await
    });
    assert_eq!(changed.await.unwrap(), 1);
}
