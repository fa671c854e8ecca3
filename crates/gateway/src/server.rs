//! The common parts of `genkan dev` and `genkan serve`: open the database, build the state, listen, and
//! stop cleanly.

mod lock;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use genkan_api::RateLimit;
use genkan_db::{Db, Schema};
use genkan_protocol::Timestamp;
use genkan_store::environment::{self, Environment, Kind};
use genkan_store::janitor::Retention;
use genkan_store::{InstanceKey, NodeId, role, signing_key};
use genkan_web::listener::{Limits, Listener, TlsPolicy};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use lock::{SoleServer, sole_server};

use crate::app::{App, AppParts, Settings};
use crate::config::{Config, NoProxy, PublicUrl};
use crate::failure::{Failure, chain, database_failed};
use crate::grpc::{self, Health};
use crate::mail::Mailer;
use crate::management::Management;
use crate::outbound::Outbound;
use crate::web::{own_names, tls};
use crate::{dev_ca, jobs, keys};

/// The time, in microseconds.
#[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Makes the data directory, which only its owner can read. Says whether it is new.
///
/// # Errors
///
/// A message that says what to do.
pub fn create_data_dir(data_dir: &Path) -> Result<bool, Failure> {
    use std::os::unix::fs::DirBuilderExt;
    if data_dir.is_dir() {
        return Ok(false);
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| {
            Failure::new(format!("{} cannot be created: {error}", data_dir.display()))
                .remedy("Choose another folder, or let this user write there.")
        })?;
    Ok(true)
}

/// Opens the database of `config` and migrates it.
///
/// # Errors
///
/// A message that says what to check.
pub async fn open_database(config: &Config) -> Result<Db, Failure> {
    if config.database.url.is_none() {
        create_data_dir(&config.data_dir)?;
    }
    let url = config.database_url();
    genkan_store::open(url.expose())
        .await
        .map_err(|error| not_opened(&error))
}

/// Opens the database of `config` without migrating it, because a command must not change the schema under
/// a running server.
///
/// # Errors
///
/// A message that says what to do, also if the schema is older than this program.
pub async fn open_unchanged_database(config: &Config) -> Result<Db, Failure> {
    let url = config.database_url();
    let opened = genkan_store::open_unchanged(url.expose()).await;
    let (db, schema) = opened.map_err(|error| not_opened(&error))?;
    match schema {
        Schema::Current => Ok(db),
        Schema::Absent => Err(
            Failure::new("The database is empty: the instance was never started.")
                .remedy("Start it once with `genkan serve`, which sets it up."),
        ),
        Schema::Older => Err(
            Failure::new("The schema of the database is older than this program.").remedy(
                "Run `genkan migrate`, or start the server of this version, which does it. Until then use the \
                 program that the server has.",
            ),
        ),
    }
}

fn not_opened(error: &genkan_store::Error) -> Failure {
    Failure::new(format!("The database cannot be opened: {}", chain(error)))
        .remedy("Check database.url and data_dir; `genkan doctor` looks closer.")
}

/// Reads the instance key.
///
/// # Errors
///
/// A message that says what is wrong with its file.
pub fn instance_key(config: &Config) -> Result<InstanceKey, Failure> {
    Ok(InstanceKey::from_bytes(
        (*config.read_instance_key()?.expose()).into(),
    ))
}

/// Builds the shared state.
///
/// # Errors
///
/// If the trusted authorities cannot be read.
pub fn app(config: &Config, kind: Kind, db: Db, instance_key: InstanceKey) -> Result<App, Failure> {
    let development = kind == Kind::Development;
    let outbound = outbound(config, kind)?;
    let mailer = Mailer::of(config, development).map_err(|error| {
        Failure::new(format!("Mail cannot be set up: {error}"))
            .remedy("`genkan config check` looks at [mail].")
    })?;
    Ok(App::new(AppParts {
        db,
        instance_key,
        settings: Settings {
            public_url: config.public_url.as_str().to_owned(),
            development,
            require_domain_proof: config.domains.require_proof,
            api_rate_limit: RateLimit {
                per_minute: NonZeroU32::new(config.api.requests_per_minute),
            },
            anonymous: config.anonymous(),
            require_pkce: config.applications.require_pkce,
            validate_tokens_by_identifier: config.api.validate_tokens_by_identifier,
            retention: retention(&config.retention),
        },
        outbound,
        mailer,
        clock: Arc::new(now),
    }))
}

/// The times of `[retention]` for the store.
fn retention(written: &crate::config::Retention) -> Retention {
    Retention {
        events: written.events,
        activity_events: written.activity_events,
        token_events: written.token_events,
        sign_in_log: written.sign_in_log,
        failed_sign_ins: written.failed_sign_ins,
        ended_sessions: written.ended_sessions,
        codes: written.codes,
    }
}

/// The guard of outgoing calls, with the proxy if there is one.
///
/// # Errors
///
/// If the trusted authorities cannot be read.
pub fn outbound(config: &Config, kind: Kind) -> Result<Outbound, Failure> {
    let development = kind == Kind::Development;
    let own = development.then(|| dev_ca::authority(&config.data_dir)).flatten();
    let trust = tls::client_config(
        config
            .outbound
            .ca_file
            .as_deref()
            .into_iter()
            .chain(own.as_deref()),
    )
    .map_err(|error| Failure::new(format!("outbound.ca_file cannot be used: {error}")))?;
    through_proxy(config, development, trust)
        .map_err(|error| Failure::new(format!("The HTTP client cannot start: {error}")))
}

fn through_proxy(
    config: &Config,
    development: bool,
    trust: rustls::ClientConfig,
) -> Result<Outbound, reqwest::Error> {
    let allow_private = config.outbound.allow_private_addresses || development;
    let outbound = Outbound::new(allow_private, trust.clone())?;
    let Some(proxy) = &config.outbound.proxy else {
        return Ok(outbound);
    };
    let mut no_proxy = config.outbound.no_proxy.clone();
    if development {
        // The simulator and the demo application are on this machine.
        no_proxy.extend(NoProxy::this_machine());
    }
    outbound.through(proxy, no_proxy, trust)
}

/// Creates the environment at the first start. At every other start it checks that the instance key is the
/// right one.
///
/// Several nodes may start at once on an empty database: one creates it.
///
/// # Errors
///
/// A message that says what to do.
pub async fn ensure_environment(
    db: &Db,
    instance_key: &InstanceKey,
    config: &Config,
    kind: Kind,
) -> Result<Environment, Failure> {
    let found = db
        .read(async |tx| environment::find(tx).await)
        .await
        .map_err(database_failed)?;
    if let Some(found) = found {
        let fits = db
            .read(async |tx| environment::is_sealed_under(tx, instance_key).await)
            .await;
        if !fits.map_err(database_failed)? {
            return Err(Failure::new("The instance key does not fit this database: its secrets were sealed under another one.")
                .remedy("Restore the key that belongs to it. Without that key the signing keys and the secrets of identity providers are lost."));
        }
        if found.kind != kind {
            return Err(Failure::new(format!("This database holds a {} environment.", found.kind.as_str()))
                .remedy("Start it with `genkan dev` if it is for development, with `genkan serve` if it is for production."));
        }
        return Ok(found);
    }
    let ids = genkan_store::Generator::random();
    let at = genkan_store::Stamp::new(&ids, now());
    let environment = Environment {
        id: at.id(),
        kind,
        generation: 1,
        access_token_lifetime: config.tokens.access_token_lifetime,
        client_access_token_lifetime: config.tokens.client_access_token_lifetime,
        session_absolute: config.session.absolute_timeout,
        session_idle: config.session.idle_timeout,
        created_at: at.now,
    };
    let made = keys::generate_all(at, instance_key)
        .map_err(|error| Failure::new(format!("Signing keys cannot be made: {}", chain(&error))))?;
    let created = db
        .tx(async |tx| -> Result<(), genkan_store::Error> {
            environment::create(tx, &environment, instance_key).await?;
            for key in &made {
                signing_key::insert(tx, at, key).await?;
            }
            role::seed(tx, at).await
        })
        .await;
    match created {
        Ok(()) => Ok(environment),
        // Another node was faster. Its environment is ours too, if the key is the same.
        Err(genkan_store::Error::Conflict(_)) => {
            Box::pin(ensure_environment(db, instance_key, config, kind)).await
        }
        Err(error) => Err(database_failed(error)),
    }
}

/// The message if a port is not available. `option` chooses another one.
pub fn cannot_listen(addr: SocketAddr, error: &io::Error, option: &str) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "Ports below 1024 are privileged. Let this program have them: `sudo setcap cap_net_bind_service=+ep {}`; \
             or let every user have this one: `sudo sysctl net.ipv4.ip_unprivileged_port_start={}`; or choose one \
             from 1024 up with {option}.",
            std::env::current_exe().map_or_else(|_| "genkan".to_owned(), |path| path.display().to_string()),
            addr.port(),
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "This machine has no address {}; choose one of its own with {option}.",
                addr.ip()
            )
        }
        _ => format!("Another program, perhaps another Genkan, has this port; choose one with {option}."),
    };
    Failure::new(format!("{addr} cannot be listened on: {error}")).remedy(remedy)
}

/// The limits of a configuration.
pub fn limits(config: &Config) -> Limits {
    config.listener_limits().within_open_files()
}

/// A server that does not run yet.
#[derive(Debug)]
pub struct Server {
    pub app: App,
    /// Everything that is not gRPC.
    pub web: Router,
    /// The only host name that it answers to, besides this machine's own names. `None` means any.
    pub own_names: Option<PublicUrl>,
    pub listener: Listener,
    pub tls: Option<TlsPolicy>,
    pub limits: Limits,
    /// How long it still takes connections after it was told to stop.
    pub drain_delay: Duration,
}

/// How often certificate files are checked for changes.
const WATCH_CERTIFICATES: Duration = Duration::from_secs(10);

impl Server {
    /// Serves until `stop` is cancelled, then drains, ends the jobs and closes the database.
    pub async fn run(self, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let node: NodeId = self.app.ids().next(now());
        jobs::clock::look(&self.app, &node, now).await;
        tracker.spawn(jobs::clock::watch(self.app.clone(), node, now, stop.clone()));
        jobs::start(&self.app, &tracker, &stop);
        if let Some(TlsPolicy::Only(tls) | TlsPolicy::BesidePlain(tls)) = &self.tls {
            let (watched, ended) = (tls.clone(), stop.clone());
            tracker.spawn(async move {
                ended.run_until_cancelled(watched.watch(WATCH_CERTIFICATES)).await;
            });
        }
        let health = Health::new();
        let router = grpc::dispatch(self.web, &health, Some(Management::new(&self.app)));
        let router = match &self.own_names {
            Some(public_url) => own_names::own_names_only(router, public_url),
            None => router,
        };
        let (app, drain_delay) = (self.app.clone(), self.drain_delay);
        let draining = async {
            stop.cancelled().await;
            // Load balancers learn it first. Then the server stops listening.
            app.node().stop();
            health.drain();
            tokio::time::sleep(drain_delay).await;
        };
        self.listener.serve(router, self.tls, self.limits, draining).await;
        tracker.close();
        tracker.wait().await;
        jobs::write_tally(&self.app).await;
        self.app.db().clone().close().await;
    }
}

/// A token that SIGTERM or SIGINT cancels.
pub fn stopped_by_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: requests in flight may finish");
        signalled.cancel();
    });
    stop
}

/// Resolves at SIGTERM or SIGINT.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_cannot_be_had_says_why_and_what_to_do() {
        let remedy = |kind: io::ErrorKind| {
            let addr = "127.0.0.1:443".parse().unwrap();
            cannot_listen(addr, &io::Error::from(kind), "--listen").to_string()
        };
        let privileged = remedy(io::ErrorKind::PermissionDenied);
        for word in [
            "setcap cap_net_bind_service",
            "ip_unprivileged_port_start=443",
            "--listen",
        ] {
            assert!(privileged.contains(word), "{word}: {privileged}");
        }
        assert!(!privileged.contains("Another program"), "{privileged}");
        assert!(remedy(io::ErrorKind::AddrInUse).contains("Another program"));
        assert!(remedy(io::ErrorKind::AddrNotAvailable).contains("no address 127.0.0.1"));
    }
}
