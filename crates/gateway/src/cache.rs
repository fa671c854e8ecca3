//! What is read at every request and changes rarely: environment, clients, keys.
//!
//! Every change of configuration raises a counter in the database, whoever
//! makes it: this process, another node, or the command line. A cached value is
//! used only while that counter stands still. On SQLite the counter is read
//! whenever the file changed at all; elsewhere at most once in [`MAX_AGE`], and at
//! once after a change through the management API of this process.
//! Nothing that decides one-time use or revocation is ever kept here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, Owner};
use genkan_store::environment::Environment;
use genkan_store::resource::Resource;
use genkan_store::{ClientId, Error, client, environment, organization, resource};

use crate::app::App;
use crate::keys::{Keyring, KeyringError};

/// How stale a cached value may be where the database cannot tell us cheaply
/// that something changed.
pub const MAX_AGE: Duration = Duration::from_secs(1);

/// More clients than this are not kept; the cache then starts anew.
const MAX_CLIENTS: usize = 10_000;

/// A client with what authenticates it, and what its tokens say of its owner.
#[derive(Debug)]
pub struct CachedClient {
    pub client: Client,
    pub secrets: Vec<ClientSecret>,
    /// What the application calls the organization that owns the client.
    pub organization_external_id: Option<String>,
    /// The resource that owns the client.
    pub resource: Option<Resource>,
}

impl CachedClient {
    /// Secrets that count at `now`.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &ClientSecret> {
        self.secrets.iter().filter(move |secret| secret.is_active(now))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cache {
    seen: Mutex<Option<Seen>>,
    /// How often this process was told of a change.
    changes: AtomicU64,
    kept: RwLock<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    marker: Option<i64>,
    generation: i64,
    /// `changes` before the generation was read, so that a reading that overlaps
    /// a change does not outlive it.
    changes: u64,
    at: Instant,
}

#[derive(Debug, Default)]
struct Kept {
    generation: i64,
    environment: Option<Arc<Environment>>,
    keyring: Option<Arc<Keyring>>,
    clients: HashMap<ClientId, Option<Arc<CachedClient>>>,
    origins: Option<Arc<Vec<String>>>,
}

/// The configuration as one request sees it: whether it changed is asked once.
#[derive(Debug, Clone)]
pub struct Configuration {
    app: App,
    generation: i64,
}

impl App {
    /// The configuration that is in force.
    pub async fn configuration(&self) -> Result<Configuration, Error> {
        Ok(Configuration {
            app: self.clone(),
            generation: self.generation().await?,
        })
    }

    /// The environment's settings.
    pub async fn environment(&self) -> Result<Arc<Environment>, Error> {
        self.configuration().await?.environment().await
    }

    /// A registered client, if there is one of that id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<CachedClient>>, Error> {
        self.configuration().await?.client(id).await
    }

    /// The signing keys, parsed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, KeyringError> {
        self.configuration().await?.keyring().await
    }

    /// The origins of all registered redirect URIs: who may call from a browser.
    pub async fn registered_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        self.configuration().await?.registered_origins().await
    }

    /// Lets the next request ask for the configuration again: this process changed it.
    pub(crate) fn forget_configuration(&self) {
        self.cache().changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of the configuration that is in force.
    async fn generation(&self) -> Result<i64, Error> {
        let changes = self.cache().changes.load(Ordering::SeqCst);
        let marker = self.db().change_marker().await?;
        let seen = *self.cache().seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen {
            let unchanged = match marker {
                Some(_) => seen.marker == marker,
                None => seen.changes == changes && seen.at.elapsed() < MAX_AGE,
            };
            if unchanged {
                return Ok(seen.generation);
            }
        }
        let at = Instant::now();
        let generation = self
            .db()
            .read(async |tx| environment::generation(tx).await)
            .await?;
        let seen = Seen {
            marker,
            generation,
            changes,
            at,
        };
        *self.cache().seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(generation)
    }
}

async fn read_client(tx: &mut Tx<'_>, id: &ClientId) -> Result<Option<CachedClient>, Error> {
    let Some((client, secrets)) = client::find_with_secrets(tx, id).await? else {
        return Ok(None);
    };
    let organization = match &client.owner {
        Owner::Organization(id) => organization::find(tx, id).await?,
        Owner::Environment | Owner::Resource(_) => None,
    };
    let resource = match &client.owner {
        Owner::Resource(id) => resource::find(tx, id).await?,
        Owner::Environment | Owner::Organization(_) => None,
    };
    Ok(Some(CachedClient {
        client,
        secrets,
        organization_external_id: organization.and_then(|organization| organization.external_id),
        resource,
    }))
}

impl Configuration {
    fn kept<T>(&self, pick: impl FnOnce(&Kept) -> Option<T>) -> Option<T> {
        let kept = self
            .app
            .cache()
            .kept
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.generation == self.generation {
            pick(&kept)
        } else {
            None
        }
    }

    fn keep(&self, put: impl FnOnce(&mut Kept)) {
        let mut kept = self
            .app
            .cache()
            .kept
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.generation > self.generation {
            return;
        }
        if kept.generation < self.generation {
            *kept = Kept {
                generation: self.generation,
                ..Kept::default()
            };
        }
        put(&mut kept);
    }

    /// The environment's settings.
    pub async fn environment(&self) -> Result<Arc<Environment>, Error> {
        if let Some(found) = self.kept(|kept| kept.environment.clone()) {
            return Ok(found);
        }
        let found = Arc::new(self.app.db().read(async |tx| environment::get(tx).await).await?);
        self.keep(|kept| kept.environment = Some(Arc::clone(&found)));
        Ok(found)
    }

    /// A registered client, if there is one of that id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<CachedClient>>, Error> {
        let Ok(id) = ClientId::parse(id) else {
            return Ok(None);
        };
        if let Some(found) = self.kept(|kept| kept.clients.get(&id).cloned()) {
            return Ok(found);
        }
        let found = self
            .app
            .db()
            .read(async |tx| read_client(tx, &id).await)
            .await?
            .map(Arc::new);
        self.keep(|kept| {
            if kept.clients.len() >= MAX_CLIENTS {
                kept.clients.clear();
            }
            kept.clients.insert(id, found.clone());
        });
        Ok(found)
    }

    /// The signing keys, parsed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, KeyringError> {
        let kept = self.kept(|kept| kept.keyring.clone());
        if let Some(found) = kept.filter(|keyring| keyring.is_current(self.app.now())) {
            return Ok(found);
        }
        let found = Arc::new(Keyring::load(&self.app).await?);
        self.keep(|kept| kept.keyring = Some(Arc::clone(&found)));
        Ok(found)
    }

    /// The origins of all registered redirect URIs: who may call from a browser.
    pub async fn registered_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        if let Some(found) = self.kept(|kept| kept.origins.clone()) {
            return Ok(found);
        }
        let uris = self
            .app
            .db()
            .read(async |tx| client::all_redirect_uris(tx).await)
            .await?;
        let mut origins: Vec<String> = uris
            .iter()
            .filter_map(|uri| url::Url::parse(uri).ok())
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|url| url.origin().ascii_serialization())
            .collect();
        origins.sort_unstable();
        origins.dedup();
        let found = Arc::new(origins);
        self.keep(|kept| kept.origins = Some(Arc::clone(&found)));
        Ok(found)
    }
}
