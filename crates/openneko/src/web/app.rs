//! The state that every handler shares.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use genkan_db::{Db, Error};
use genkan_web::cookie;
use genkan_web::listener::{ClientIp, Source};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::web::door::Door;
use crate::web::jar::{self, Jar};
use crate::web::keys::Keys;
use crate::web::plugin::SignInHost;
use crate::web::rules::Rules;
use crate::web::settings::PublicUrl;
use crate::web::store::session::{Lifetimes, Session};
use crate::web::store::{self, gate, session};

/// Tells the time. Tests move it by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Calls of the plugin at one moment: each is a process or an instance of its own.
const MAX_CALLS: usize = 16;

/// How long a sign-in waits for its turn.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// The parts of an [`App`].
pub struct Parts {
    pub db: Db,
    pub host: Arc<dyn SignInHost>,
    pub keys: Keys,
    pub clock: Clock,
    pub config: Config,
}

/// The settings that handlers need.
#[derive(Debug, Clone)]
pub struct Config {
    pub public_url: Option<PublicUrl>,
    /// Whether only this machine can connect.
    pub is_local: bool,
    pub lifetimes: Lifetimes,
    pub rules: Rules,
    /// Begun and finished sign-ins of one address, per minute.
    pub requests_per_minute: NonZeroU32,
}

/// The shared state of all handlers. Cloning is cheap.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    db: Db,
    host: Arc<dyn SignInHost>,
    keys: Keys,
    clock: Clock,
    config: Config,
    limiter: RateLimiter<Source, HashMapStateStore<Source>, DefaultClock>,
    calls: Semaphore,
    /// Whether the marker of [`gate`] is known to be written.
    is_marked: AtomicBool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("App").field(&self.0.config).finish()
    }
}

/// Who is signed in, and with which cookie.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(crate) cookie_hash: [u8; 32],
}

impl App {
    pub fn new(parts: Parts) -> Self {
        let per_minute = parts.config.requests_per_minute;
        let burst = NonZeroU32::new(per_minute.get().div_ceil(2)).unwrap_or(NonZeroU32::MIN);
        Self(Arc::new(Inner {
            limiter: RateLimiter::hashmap(Quota::per_minute(per_minute).allow_burst(burst)),
            calls: Semaphore::new(MAX_CALLS),
            is_marked: AtomicBool::new(false),
            db: parts.db,
            host: parts.host,
            keys: parts.keys,
            clock: parts.clock,
            config: parts.config,
        }))
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn host(&self) -> &dyn SignInHost {
        &*self.0.host
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Our address as browsers write it in `Origin`.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.0.config.public_url.as_ref().map(PublicUrl::origin)
    }

    pub(crate) fn jar(&self) -> Jar {
        let public_url = self.0.config.public_url.as_ref();
        Jar {
            secure: public_url.is_some_and(PublicUrl::is_https),
        }
    }

    /// What the sign-in page can offer. Remembers for ever that sign-in was set up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn door(&self) -> Result<Door, Error> {
        let has_public_url = self.config().public_url.is_some();
        match self.host().status().await {
            Ok(Some(provider)) => {
                self.mark(&provider.plugin_name).await?;
                Ok(Door::of(Some(provider), None, has_public_url))
            }
            Ok(None) => Ok(Door::of(None, self.marker().await?, has_public_url)),
            Err(failure) => {
                tracing::error!(
                    code = failure.code,
                    message = failure.message,
                    "the host cannot tell its plugins"
                );
                Ok(Door::Lost(self.marker().await?))
            }
        }
    }

    async fn marker(&self) -> Result<Option<String>, Error> {
        self.db().read(async |tx| gate::find(tx).await).await
    }

    async fn mark(&self, plugin: &str) -> Result<(), Error> {
        if self.0.is_marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = self.now();
        store::write(self.db(), async |tx| gate::close(tx, plugin, now).await).await?;
        self.0.is_marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Who sent a request, if they are signed in and may still be.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn signed_in(&self, headers: &HeaderMap) -> Result<Option<SignedIn>, Error> {
        let now = self.now();
        let Some(cookie_hash) =
            cookie::read(headers, jar::SESSION).and_then(|value| self.keys().verify_session(value, now))
        else {
            return Ok(None);
        };
        let found = self
            .db()
            .read(async |tx| session::find_live(tx, &cookie_hash, now).await)
            .await?;
        let Some(session) = found else {
            return Ok(None);
        };
        let idle = self.config().lifetimes.idle;
        if session.is_touch_due(now, idle) {
            let touched = store::write(self.db(), async |tx| {
                session::touch(tx, &cookie_hash, idle, now).await
            })
            .await;
            // If only the time of the last use cannot be written, that is a warning, not a refusal.
            if let Err(error) = touched {
                tracing::warn!(%error, "the use of a session could not be written");
            }
        }
        Ok(Some(SignedIn { session, cookie_hash }))
    }

    /// Counts a request to begin or finish a sign-in; after too many, returns how long to wait.
    ///
    /// It counts by address and not by the listener's `Source`: otherwise an untrusted peer could
    /// write a header and use the budget of all forwarders besides its own.
    pub(crate) fn count(&self, client: ClientIp) -> Result<(), Duration> {
        let counted = self.0.limiter.check_key(&Source::of(client.0));
        counted.map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// A turn to call the plugin; `None` if too many others wait.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(MAX_WAIT, self.0.calls.acquire())
            .await
            .ok()?
            .ok()
    }

    /// Forgets clients that have not called for long.
    pub(crate) fn forget_idle_clients(&self) {
        self.0.limiter.retain_recent();
        self.0.limiter.shrink_to_fit();
    }
}
