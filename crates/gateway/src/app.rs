//! The state that every handler shares: the store, the keys, the clock, outbound calls.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::hkdf;
use genkan_api::{RateLimit, Simulator};
use genkan_db::Db;
use genkan_protocol::Timestamp;
use genkan_protocol::oauth::redirect_uri;
use genkan_store::client::Client;
use genkan_store::janitor::Retention;
use genkan_store::{Generator, InstanceKey, Secret, Stamp, outbox};
use genkan_web::form::FormTokens;
use tokio::sync::Notify;

use crate::budget::{self, Limiter};
use crate::cache::Cache;
use crate::cookies::CookiePolicy;
use crate::documents::Documents;
use crate::lines::Lines;
use crate::mail::Mailer;
use crate::node::Node;
use crate::opened_keys::OpenedKeys;
use crate::outbound::{Outbound, Scheme};
use crate::tally::Tally;

/// Tells the time. Tests move it by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The parts of an [`App`].
pub struct AppParts {
    pub db: Db,
    pub instance_key: InstanceKey,
    pub settings: Settings,
    pub outbound: Outbound,
    pub mailer: Mailer,
    pub clock: Clock,
}

impl std::fmt::Debug for AppParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppParts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The settings that handlers need.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The issuer: scheme, host and port, without a trailing slash. Nothing is
    /// ever derived from the `Host` header.
    pub public_url: String,
    /// Development mode: the simulator is mounted, plain HTTP is accepted.
    pub development: bool,
    /// All new domains wait for their TXT record.
    pub require_domain_proof: bool,
    /// How often one client may call the management API.
    pub api_rate_limit: RateLimit,
    /// The budgets of strangers.
    pub anonymous: budget::Policy,
    /// Applications with a secret must use PKCE too.
    pub require_pkce: bool,
    /// Whether the identifier of an API token counts as the token.
    pub validate_tokens_by_identifier: bool,
    /// How long things are kept.
    pub retention: Retention,
}

/// The shared state of all handlers. Cloning is cheap.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    db: Db,
    instance_key: InstanceKey,
    ids: Generator,
    settings: Settings,
    outbound: Outbound,
    mailer: Mailer,
    clock: Clock,
    forms: FormTokens,
    cache: Cache,
    documents: Documents,
    opened_keys: OpenedKeys,
    tally: Tally,
    lines: Arc<Lines>,
    budget: Limiter,
    node: Node,
    /// One for each kind of delivery.
    deliveries: [Notify; outbox::Kind::ALL.len()],
    /// Known only when the store has been read, for which there must be an app.
    simulator: OnceLock<Simulator>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("App").field(&self.0.settings.public_url).finish()
    }
}

impl App {
    pub fn new(parts: AppParts) -> Self {
        let budget = Limiter::new(parts.settings.anonymous);
        let forms = FormTokens::new(&derive(&parts.instance_key, b"csrf"), "csrf");
        Self(Arc::new(Inner {
            db: parts.db,
            instance_key: parts.instance_key,
            ids: Generator::random(),
            settings: parts.settings,
            outbound: parts.outbound,
            mailer: parts.mailer,
            clock: parts.clock,
            forms,
            cache: Cache::default(),
            documents: Documents::default(),
            opened_keys: OpenedKeys::default(),
            tally: Tally::default(),
            lines: Arc::default(),
            budget,
            node: Node::default(),
            deliveries: std::array::from_fn(|_| Notify::new()),
            simulator: OnceLock::new(),
        }))
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub fn ids(&self) -> &Generator {
        &self.0.ids
    }

    /// `now`, with the source of new identifiers.
    pub fn at(&self, now: Timestamp) -> Stamp<'_> {
        Stamp::new(&self.0.ids, now)
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The issuer identifier: the public URL (OIDC Core §2, `iss`).
    pub fn issuer(&self) -> &str {
        &self.0.settings.public_url
    }

    /// An absolute URL of ours; `path` starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.settings.public_url)
    }

    /// How a client's registered addresses are compared.
    pub fn redirect_policy(&self, client: &Client) -> redirect_uri::Policy {
        redirect_uri::Policy {
            environment: if self.0.settings.development {
                redirect_uri::Environment::Development
            } else {
                redirect_uri::Environment::Production
            },
            any_loopback: client.any_loopback_redirect,
            any_loopback_port: client.kind == genkan_store::client::Kind::Native,
        }
    }

    pub fn instance_key(&self) -> &InstanceKey {
        &self.0.instance_key
    }

    pub fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// Sets the mounted simulator, once, at the start.
    pub fn mount_simulator(&self, simulator: Simulator) {
        self.0.simulator.get_or_init(|| simulator);
    }

    /// The simulator, if there is one.
    pub fn simulator(&self) -> Option<&Simulator> {
        self.0.simulator.get()
    }

    /// The mailer.
    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// Whether plain HTTP is accepted for a provider that asks for it.
    pub fn scheme(&self, insecure_http: bool) -> Scheme {
        if self.0.settings.development || insecure_http {
            Scheme::HttpAllowed
        } else {
            Scheme::HttpsOnly
        }
    }

    pub fn forms(&self) -> &FormTokens {
        &self.0.forms
    }

    /// The token of a form that the browser with this cookie sends to `path`.
    pub fn form_token(&self, browser: &Secret, path: &str) -> String {
        self.forms().token(browser.expose().as_bytes(), path)
    }

    pub fn cookies(&self) -> CookiePolicy {
        CookiePolicy {
            secure: self.0.settings.public_url.starts_with("https://"),
        }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.0.documents
    }

    /// The private keys of connections that sign-ins need just now.
    pub(crate) fn opened_keys(&self) -> &OpenedKeys {
        &self.0.opened_keys
    }

    /// How many lines of the log strangers may cause.
    pub(crate) fn lines(&self) -> &Arc<Lines> {
        &self.0.lines
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    pub(crate) fn budget(&self) -> &Limiter {
        &self.0.budget
    }

    /// What this node must not do for now.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    /// Wakes the background jobs, because there is something to deliver.
    pub fn wake_jobs(&self) {
        self.0.deliveries.iter().for_each(Notify::notify_one);
    }

    pub(crate) async fn delivery_woken(&self, kind: outbox::Kind) {
        self.0.deliveries[kind as usize].notified().await;
    }
}

/// A key for one purpose, from the instance key (HKDF-SHA256, RFC 5869).
fn derive(instance_key: &InstanceKey, purpose: &[u8]) -> [u8; 32] {
    struct Len;
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            32
        }
    }
    let mut derived = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"genkan")
        .extract(instance_key.expose())
        .expand(&[purpose], Len)
        .and_then(|okm| okm.fill(&mut derived))
        .expect("32 bytes are within HKDF's limit");
    derived
}
