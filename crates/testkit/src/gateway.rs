//! A gateway under test: the real router, jobs and listener, on a port and a database of its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use genkan::app::{App, AppParts, Settings};
use genkan::budget::Policy;
use genkan::cache::{LOOK_AGAIN, MAX_AGE};
use genkan::mail::Mailer;
use genkan::outbound::Outbound;
use genkan::server::Server;
use genkan::web::tls;
use genkan::{dev_ca, server};
use genkan_db::testing::Scratch;
use genkan_db::{Db, Engine, Tx, WorkDone};
use genkan_protocol::Timestamp;
use genkan_protocol::jose::Algorithm;
use genkan_store::environment::{self, Environment, Kind};
use genkan_store::signing_key::{self, Schedule};
use genkan_store::{Error, MIGRATIONS, Page, Stamp, event, janitor, login_trace, role};
use genkan_web::listener::{Limits, Listener, Tls, TlsPolicy, install_crypto_provider};
use http::Method;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::keys::instance_key;
use crate::reply::Call;
use crate::world::World;
use crate::{Clock, IdentityProvider, Key};

/// The settings of a gateway under test. [`Gateway::setup`] begins with the development environment on
/// plain HTTP.
#[derive(Debug)]
pub struct Setup {
    kind: Kind,
    https: bool,
    session_absolute: Duration,
    session_idle: Duration,
    access_token_lifetime: Duration,
    mailer: Option<Mailer>,
    public_url: Option<String>,
    anonymous: Policy,
    require_pkce: bool,
    clock: Clock,
}

impl Setup {
    /// Production rules: no loopback redirect URIs, no plain HTTP outside.
    #[must_use]
    pub fn production(mut self) -> Self {
        self.kind = Kind::Production;
        self
    }

    /// A public URL that begins with `https`, and a certificate for it.
    #[must_use]
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// The lifetimes of sessions: absolute and idle.
    #[must_use]
    pub fn session(mut self, absolute: Duration, idle: Duration) -> Self {
        (self.session_absolute, self.session_idle) = (absolute, idle);
        self
    }

    /// Mail goes through this server, and not into the inbox of a developer.
    #[must_use]
    pub fn mailer(mut self, mailer: Mailer) -> Self {
        self.mailer = Some(mailer);
        self
    }

    /// Its public URL, wherever it listens.
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.to_owned());
        self
    }

    /// It uses the clock of this machine, as servers in processes of their own do.
    #[must_use]
    pub fn running_clock(mut self) -> Self {
        self.clock = Clock::running();
        self
    }

    /// Limits strangers. By default a test may send any number of requests.
    #[must_use]
    pub fn anonymous(mut self, policy: Policy) -> Self {
        self.anonymous = policy;
        self
    }

    /// Confidential applications must use PKCE, too.
    #[must_use]
    pub fn require_pkce(mut self) -> Self {
        self.require_pkce = true;
        self
    }

    /// Starts it on SQLite.
    pub async fn start(self) -> Gateway {
        self.start_on(Scratch::sqlite_with(MIGRATIONS).await).await
    }

    /// Starts it on a scratch database.
    pub async fn start_on(self, scratch: Scratch) -> Gateway {
        self.run(scratch, true).await
    }

    /// Starts it on a database that another gateway left.
    pub async fn reopen(self, scratch: Scratch) -> Gateway {
        self.run(scratch, false).await
    }

    async fn run(self, scratch: Scratch, is_new: bool) -> Gateway {
        install_crypto_provider();
        crate::logs::listen();
        let (clock, db) = (self.clock.clone(), scratch.connect().await);
        db.migrate(MIGRATIONS).await.unwrap();

        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if self.https { "https" } else { "http" };
        let node = format!("{scheme}://localhost:{port}");
        let url = self.public_url.clone().unwrap_or_else(|| node.clone());
        let certificates = self.https.then(Certificates::new);
        let trust =
            || tls::client_config(certificates.as_ref().map(|files| files.ca_file.as_path())).unwrap();

        let time = clock.clone();
        let app = App::new(AppParts {
            db,
            instance_key: instance_key(),
            settings: Settings {
                public_url: url.clone(),
                development: self.kind == Kind::Development,
                require_domain_proof: false,
                api_rate_limit: genkan_api::RateLimit { per_minute: None },
                anonymous: self.anonymous,
                require_pkce: self.require_pkce,
                validate_tokens_by_identifier: false,
                retention: janitor::Retention::default(),
            },
            outbound: Outbound::new(true, trust()).unwrap(),
            mailer: self.mailer.clone().unwrap_or(match self.kind {
                Kind::Development => Mailer::Inbox,
                Kind::Production => Mailer::Absent,
            }),
            clock: Arc::new(move || time.now()),
        });
        if is_new {
            self.create_environment(&app).await;
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trust())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let tls = certificates
            .as_ref()
            .map(|files| TlsPolicy::Only(files.server.clone()));
        let running = serve(&app, listener, tls, &stop);
        let world = World {
            app,
            clock,
            http,
            url: url.clone(),
            nodes: Mutex::new(VecDeque::from([node])),
            servers: Mutex::new(vec![(url, "https://gateway.test".to_owned())]),
        };
        Gateway {
            world: Arc::new(world),
            idp: OnceCell::new(),
            stop,
            running: tokio::sync::Mutex::new(JoinSet::from_iter([running])),
            scratch,
            _certificates: certificates,
        }
    }

    async fn create_environment(&self, app: &App) {
        let at = app.at(app.now());
        let environment = Environment {
            id: at.id(),
            kind: self.kind,
            generation: 1,
            access_token_lifetime: self.access_token_lifetime,
            client_access_token_lifetime: Duration::from_secs(24 * 60 * 60),
            session_absolute: self.session_absolute,
            session_idle: self.session_idle,
            created_at: at.now,
        };
        app.db()
            .tx(async |tx| -> Result<(), Error> {
                environment::create(tx, &environment, &instance_key()).await?;
                for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
                    signing_key::insert(tx, at, &Key::Gateway(algorithm).stored(at)).await?;
                }
                role::seed(tx, at).await
            })
            .await
            .unwrap();
    }
}

/// Everything that `genkan serve` does on an application's listener. In development, also the inbox of
/// `genkan dev`.
fn serve(
    app: &App,
    listener: Listener,
    tls: Option<TlsPolicy>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let mut web = genkan::router(app);
    if app.settings().development {
        web = web.merge(genkan::dev::mail::router(app));
    }
    let server = Server {
        app: app.clone(),
        web,
        own_names: None,
        listener,
        tls,
        limits: Limits::default(),
        drain_delay: Duration::ZERO,
    };
    server.run(stop.clone())
}

/// A certificate for `localhost`, and the authority to trust.
#[derive(Debug)]
struct Certificates {
    _directory: TempDir,
    ca_file: std::path::PathBuf,
    server: Tls,
}

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // TLS clients use the real clock.
        let files = dev_ca::ensure(directory.path(), "localhost", server::now()).unwrap();
        Self {
            server: Tls::from_files(&files.server_file, &files.server_file).unwrap(),
            ca_file: files.ca_file,
            _directory: directory,
        }
    }
}

/// A running gateway. It stops when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) world: Arc<World>,
    idp: OnceCell<IdentityProvider>,
    stop: CancellationToken,
    running: tokio::sync::Mutex<JoinSet<()>>,
    scratch: Scratch,
    _certificates: Option<Certificates>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Gateway {
    pub fn setup() -> Setup {
        Setup {
            kind: Kind::Development,
            https: false,
            session_absolute: Duration::from_secs(12 * 60 * 60),
            session_idle: Duration::from_secs(60 * 60),
            access_token_lifetime: Duration::from_secs(5 * 60),
            mailer: None,
            public_url: None,
            anonymous: Policy::OFF,
            require_pkce: false,
            clock: Clock::default(),
        }
    }

    /// A development gateway on SQLite and plain HTTP.
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// Stops it cleanly: requests under way finish, and the database is closed.
    pub async fn stop(self) {
        self.stop.cancel();
        while let Some(ended) = self.running.lock().await.join_next().await {
            ended.unwrap();
        }
    }

    /// Starts another node on the same database. From now on requests alternate between the nodes, as
    /// behind a load balancer without sticky sessions.
    pub async fn add_node(&self) {
        let time = self.world.clock.clone();
        let app = App::new(AppParts {
            db: self.scratch.connect().await,
            instance_key: instance_key(),
            settings: self.app().settings().clone(),
            outbound: self.app().outbound().clone(),
            mailer: self.app().mailer().clone(),
            clock: Arc::new(move || time.now()),
        });
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let running = serve(&app, listener, None, &self.stop);
        self.running.lock().await.spawn(running);
        let mut nodes = self.world.nodes.lock();
        nodes.push_back(url);
    }

    /// The public URL, which is the issuer.
    pub fn url(&self) -> &str {
        &self.world.url
    }

    pub fn app(&self) -> &App {
        &self.world.app
    }

    pub fn engine(&self) -> Engine {
        self.scratch.engine()
    }

    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// The present time, with a generator of identifiers.
    pub fn at(&self) -> Stamp<'_> {
        self.world.app.at(self.now())
    }

    /// One transaction on the gateway's own database.
    pub async fn tx<T>(&self, act: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone) -> T {
        self.world.tx(act).await
    }

    /// The address of the newest login. A browser that was redirected at once has not seen it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn newest_login(&self) -> String {
        let newest = "SELECT id FROM interactions ORDER BY id DESC LIMIT 1";
        let row = self.tx(async |tx| Ok(tx.opt(newest, &[]).await?)).await;
        let id: String = row.expect("a login").get(0).expect("a text");
        format!("{}/login/{id}", self.url())
    }

    /// What its database has done so far, for requests and jobs.
    pub fn done(&self) -> WorkDone {
        self.world.app.db().done()
    }

    /// The files of an SQLite database: the database and its write-ahead log.
    ///
    /// # Panics
    ///
    /// If the database is on a server.
    pub fn database_files(&self) -> Vec<PathBuf> {
        let path = self.scratch.url().strip_prefix("sqlite:").expect("a file");
        ["", "-wal"]
            .map(|suffix| PathBuf::from(format!("{path}{suffix}")))
            .into_iter()
            .filter(|file| file.exists())
            .collect()
    }

    /// A second handle to the same database, as the command line or another node has.
    pub async fn another_process(&self) -> Db {
        self.scratch.connect().await
    }

    /// The company's identity provider: the simulator at its own address.
    pub async fn idp(&self) -> &IdentityProvider {
        self.idp
            .get_or_init(|| IdentityProvider::beside(&self.world))
            .await
    }

    /// A request that no browser makes. `path` starts with a slash.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.world, method, &format!("{}{path}", self.url()))
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// Rotates the signing key.
    pub async fn rotate(&self, algorithm: Algorithm, schedule: Schedule) {
        let (at, key) = (self.at(), Key::Next(algorithm).stored(self.at()));
        self.tx(async |tx| signing_key::rotate(tx, at, &key, schedule).await)
            .await;
    }

    /// Marks roles of the environment, so that identity providers may give them.
    pub async fn let_providers_give(&self, names: &[&str]) {
        let at = self.at();
        self.tx(async |tx| {
            for name in names {
                let mut role = role::find(tx, None, name).await?.expect("the role exists");
                role.assignable_by_providers = true;
                role::update(tx, at, &role, None).await?;
            }
            Ok(())
        })
        .await;
    }

    /// Runs the janitor now.
    pub async fn sweep(&self) {
        let app = self.app();
        let retention = &app.settings().retention;
        janitor::sweep(app.db(), app.ids(), app.now(), retention)
            .await
            .unwrap();
        app.wake_jobs();
    }

    /// The kinds of all events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let filter = event::Filter::default();
        let newest_first = self
            .tx(async |tx| event::list(tx, &filter, &Page::first(genkan_store::MAX_LIMIT)).await)
            .await;
        newest_first
            .iter()
            .rev()
            .map(|event| event.kind.as_str().to_owned())
            .collect()
    }

    /// Waits until a change by another process is visible, which takes at most the age of the cache.
    ///
    /// # Panics
    ///
    /// If it does not arrive.
    pub async fn eventually(&self, holds: impl AsyncFn() -> bool) {
        let age = match self.engine() {
            Engine::Sqlite => LOOK_AGAIN,
            Engine::Postgres => MAX_AGE,
        };
        for _ in 0..20 {
            if holds().await {
                return;
            }
            tokio::time::sleep(age / 8).await;
        }
        assert!(holds().await, "it holds in the end");
    }

    /// The newest login trace.
    pub async fn login_trace(&self) -> login_trace::LoginTrace {
        let newest_first = self
            .tx(async |tx| login_trace::list(tx, None, &Page::first(1)).await)
            .await;
        newest_first.into_iter().next().expect("a login trace")
    }
}

impl IdentityProvider {
    /// Starts one beside `gateway`, for any of its connections.
    pub async fn start(gateway: &Gateway) -> Self {
        Self::beside(&gateway.world).await
    }
}
