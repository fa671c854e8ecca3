//! A real [`Api`] on a scratch database, called through the whole stack in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use genkan_api::{
    Api, Caller, Credential, GrpcStack, Host, HostError, Permissions, RateLimit, Simulator, Unreadable,
};
use genkan_contract::scalekit::v1::errdetails::ErrorInfo;
use genkan_db::testing::{self, Scratch};
use genkan_db::{Db, Tx};
use genkan_protocol::Timestamp;
use genkan_store::environment::{self, Environment};
use genkan_store::{ClientId, Error, Generator, InstanceKey, MIGRATIONS, Secret, Stamp, role};
use http::{HeaderValue, Request, Response, header};
use parking_lot::Mutex;
use prost::Message;
use rusqlite::types::ValueRef;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

/// When every test begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_secs(1_795_000_000);

/// The token of a management client that may do everything.
pub(crate) const MANAGEMENT: &str = "management";

/// An [`Api`] under test. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Harness {
    host: TestHost,
    pub stack: GrpcStack,
    scratch: Arc<Scratch>,
}

#[derive(Clone)]
struct TestHost(Arc<TestHostInner>);

struct TestHostInner {
    db: Db,
    ids: Generator,
    now: Mutex<Timestamp>,
    instance_key: InstanceKey,
    tokens: Mutex<HashMap<String, Credential>>,
    name_server: Mutex<Option<SocketAddr>>,
    rate_limit: RateLimit,
    sends_mail: AtomicBool,
    require_domain_proof: AtomicBool,
    validates_by_identifier: AtomicBool,
    simulator: OnceLock<Simulator>,
    metadata: Mutex<Result<String, Unreadable>>,
    fetched: Mutex<Vec<String>>,
}

/// The metadata of a SAML provider.
pub(crate) const SAML_METADATA: &str = include_str!("saml_metadata.xml");

/// Runs `test` on SQLite, and on PostgreSQL if there is a server.
pub(crate) async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(Harness) -> F) {
    testing::on_each(Scratch::each_with(MIGRATIONS).await, async |scratch| {
        test(Harness::on(scratch, RateLimit { per_minute: None }).await).await;
    })
    .await;
}

impl Harness {
    /// On SQLite.
    pub(crate) async fn start() -> Self {
        Self::on(
            Scratch::sqlite_with(MIGRATIONS).await,
            RateLimit { per_minute: None },
        )
        .await
    }

    pub(crate) async fn on(scratch: Scratch, rate_limit: RateLimit) -> Self {
        let db = Db::connect(scratch.url()).await.unwrap();
        db.migrate(MIGRATIONS).await.unwrap();
        let host = TestHost(Arc::new(TestHostInner {
            db,
            ids: Generator::with_node(7),
            now: Mutex::new(BEGINNING),
            instance_key: InstanceKey::from_bytes([7; 32].into()),
            tokens: Mutex::default(),
            name_server: Mutex::default(),
            rate_limit,
            sends_mail: AtomicBool::new(true),
            require_domain_proof: AtomicBool::default(),
            validates_by_identifier: AtomicBool::new(false),
            simulator: OnceLock::new(),
            metadata: Mutex::new(Ok(SAML_METADATA.to_owned())),
            fetched: Mutex::default(),
        }));
        let harness = Self {
            stack: GrpcStack::new(Api::new(host.clone())),
            host,
            scratch: Arc::new(scratch),
        };
        harness.grant(MANAGEMENT, Permissions::All);
        let (environment, key) = (environment(harness.at()), harness.instance_key());
        harness
            .tx(async |tx, at| {
                environment::create(tx, &environment, key).await?;
                role::seed(tx, at).await
            })
            .await;
        harness
    }

    /// From now on there is no mail server.
    pub(crate) fn without_mail(&self) {
        self.host.0.sends_mail.store(false, Ordering::Relaxed);
    }

    /// From now on there is the simulator of `genkan dev`.
    pub(crate) fn with_simulator(&self) {
        self.host.0.simulator.get_or_init(|| Simulator {
            issuer: "http://localhost:8080/simulator".to_owned(),
            client_id: "genkan".to_owned(),
            client_secret: Secret::from_presented("s3cret"),
        });
    }

    /// From now on the metadata of SAML providers are these.
    pub(crate) fn answer_metadata(&self, answer: Result<&str, &str>) {
        let answer = answer.map(str::to_owned);
        *self.host.0.metadata.lock() = answer.map_err(|why| Unreadable(why.to_owned()));
    }

    /// The addresses of metadata that were read.
    pub(crate) fn fetched_metadata(&self) -> Vec<String> {
        self.host.0.fetched.lock().clone()
    }

    /// From now on domains wait for their TXT record.
    pub(crate) fn require_domain_proof(&self) {
        self.host.0.require_domain_proof.store(true, Ordering::Relaxed);
    }

    /// From now on the identifier of an API token counts as the token.
    pub(crate) fn validate_tokens_by_identifier(&self) {
        self.host.0.validates_by_identifier.store(true, Ordering::Relaxed);
    }

    /// Lets `token` in with `permissions`, as a client of its own.
    pub(crate) fn grant(&self, token: &str, permissions: Permissions) {
        let client_id = ClientId::parse("skc_100000000000000000001").unwrap();
        let caller = Caller {
            client_id,
            permissions,
        };
        self.present(token, Credential::Management(caller));
    }

    /// Makes `token` have this credential.
    pub(crate) fn present(&self, token: &str, credential: Credential) {
        self.host.0.tokens.lock().insert(token.to_owned(), credential);
    }

    /// Calls with the token that may do everything: what generated clients take.
    pub(crate) fn client(&self) -> InMemory {
        self.client_with([MANAGEMENT])
    }

    /// Calls with these bearer tokens.
    pub(crate) fn client_with<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) -> InMemory {
        InMemory {
            stack: self.stack.clone(),
            authorization: tokens
                .into_iter()
                .map(|token| HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
                .collect(),
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.host.0.db
    }

    pub(crate) fn instance_key(&self) -> &InstanceKey {
        &self.host.0.instance_key
    }

    pub(crate) fn at(&self) -> Stamp<'_> {
        Stamp::new(&self.host.0.ids, self.now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.host.0.now.lock()
    }

    pub(crate) fn wait(&self, duration: Duration) {
        let mut now = self.host.0.now.lock();
        *now = *now + duration;
    }

    /// Asks this name server for proof of domains.
    pub(crate) fn ask_name_server(&self, address: SocketAddr) {
        *self.host.0.name_server.lock() = Some(address);
    }

    /// Every row of every table that holds `mark` or one of `identifiers`.
    /// Events are left out: they only grow.
    pub(crate) fn rows_with(
        &self,
        identifiers: &BTreeMap<&'static str, String>,
        mark: &str,
    ) -> BTreeSet<String> {
        let path = self.scratch.url().trim_start_matches("sqlite:").to_owned();
        let connection =
            rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let connection = connection.unwrap();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'events'")
            .unwrap();
        let tables: Vec<String> = tables
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut found = BTreeSet::new();
        for table in tables {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<String> = (0..columns)
                    .map(|column| match row.get_ref(column).unwrap() {
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                let row = format!("{table}: {}", values.join(" | "));
                if identifiers
                    .values()
                    .map(String::as_str)
                    .chain([mark])
                    .any(|needle| row.contains(needle))
                {
                    found.insert(row);
                }
            }
        }
        found
    }

    /// Changes something behind the API's back.
    pub(crate) async fn tx<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>, Stamp<'_>) -> Result<T, Error> + Clone,
    ) -> T {
        let at = self.at();
        self.db()
            .tx(async move |tx| -> Result<T, Error> { f(tx, at).await })
            .await
            .unwrap()
    }
}

fn environment(at: Stamp<'_>) -> Environment {
    Environment {
        id: at.id(),
        kind: environment::Kind::Development,
        generation: 1,
        access_token_lifetime: Duration::from_secs(300),
        client_access_token_lifetime: Duration::from_secs(3_600),
        session_absolute: Duration::from_secs(30 * 86_400),
        session_idle: Duration::from_secs(7 * 86_400),
        created_at: at.now,
    }
}

impl Host for TestHost {
    fn db(&self) -> &Db {
        &self.0.db
    }

    fn ids(&self) -> &Generator {
        &self.0.ids
    }

    fn now(&self) -> Timestamp {
        *self.0.now.lock()
    }

    fn public_url(&self) -> &'static str {
        "https://auth.acme.test"
    }

    fn is_development(&self) -> bool {
        true
    }

    fn simulator(&self) -> Option<&Simulator> {
        self.0.simulator.get()
    }

    fn instance_key(&self) -> &InstanceKey {
        &self.0.instance_key
    }

    fn validates_tokens_by_identifier(&self) -> bool {
        self.0.validates_by_identifier.load(Ordering::Relaxed)
    }

    fn sends_mail(&self) -> bool {
        self.0.sends_mail.load(Ordering::Relaxed)
    }

    fn requires_domain_proof(&self) -> bool {
        self.0.require_domain_proof.load(Ordering::Relaxed)
    }

    fn name_server(&self) -> Option<SocketAddr> {
        *self.0.name_server.lock()
    }

    fn fetch_metadata<'a>(
        &'a self,
        url: &'a str,
        _insecure_http: bool,
    ) -> BoxFuture<'a, Result<String, Unreadable>> {
        self.0.fetched.lock().push(url.to_owned());
        let answer = self.0.metadata.lock().clone();
        std::future::ready(answer).boxed()
    }

    fn wake_jobs(&self) {}

    fn rate_limit(&self) -> RateLimit {
        self.0.rate_limit
    }

    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Credential, HostError>> {
        let known = self.0.tokens.lock().get(token).cloned();
        std::future::ready(Ok(known.unwrap_or(Credential::Invalid))).boxed()
    }
}

/// The stack as a channel, with bearer tokens.
#[derive(Clone)]
pub(crate) struct InMemory {
    stack: GrpcStack,
    authorization: Vec<HeaderValue>,
}

impl Service<Request<Body>> for InMemory {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <GrpcStack as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.stack.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        for value in &self.authorization {
            request.headers_mut().append(header::AUTHORIZATION, value.clone());
        }
        self.stack.call(request)
    }
}

/// The `ErrorInfo` of a refusal. It must be the first detail, beside the same
/// code and message as in the trailers.
pub(crate) fn error_info(status: &Status) -> ErrorInfo {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<prost_types::Any>,
    }
    let details = RpcStatus::decode(status.details()).unwrap();
    assert_eq!(details.code, i32::from(status.code()));
    assert_eq!(details.message, status.message());
    let first = details.details.first().unwrap();
    assert_eq!(
        first.type_url,
        "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo"
    );
    ErrorInfo::decode(first.value.as_slice()).unwrap()
}
