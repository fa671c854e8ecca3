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

use genkan_db::{Db, Tx};
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, Owner};
use genkan_store::environment::Environment;
use genkan_store::resource::Resource;
use genkan_store::{ClientId, Error, client, environment, organization, resource};

use crate::keys::Keyring;

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
pub(crate) struct Kept {
    generation: i64,
    pub(crate) environment: Option<Arc<Environment>>,
    pub(crate) keyring: Option<Arc<Keyring>>,
    clients: HashMap<ClientId, Option<Arc<CachedClient>>>,
    pub(crate) origins: Option<Arc<Vec<String>>>,
}

impl Cache {
    /// Lets the next request ask for the configuration again: this process changed it.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of the configuration that is in force.
    pub(crate) async fn generation(&self, db: &Db) -> Result<i64, Error> {
        let changes = self.changes.load(Ordering::SeqCst);
        let marker = db.change_marker().await?;
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
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
        let generation = db.read(async |tx| environment::generation(tx).await).await?;
        let seen = Seen {
            marker,
            generation,
            changes,
            at,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(generation)
    }

    /// What is kept of this generation.
    pub(crate) fn kept<T>(&self, generation: i64, pick: impl FnOnce(&Kept) -> Option<T>) -> Option<T> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.generation == generation {
            pick(&kept)
        } else {
            None
        }
    }

    /// Keeps what was read while this generation was in force.
    pub(crate) fn keep(&self, generation: i64, put: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.generation > generation {
            return;
        }
        if kept.generation < generation {
            *kept = Kept {
                generation,
                ..Kept::default()
            };
        }
        put(&mut kept);
    }
}

impl Kept {
    pub(crate) fn client(&self, id: &ClientId) -> Option<Option<Arc<CachedClient>>> {
        self.clients.get(id).cloned()
    }

    pub(crate) fn keep_client(&mut self, id: ClientId, client: Option<Arc<CachedClient>>) {
        if self.clients.len() >= MAX_CLIENTS {
            self.clients.clear();
        }
        self.clients.insert(id, client);
    }
}

/// Reads a client as it is kept.
pub(crate) async fn read_client(tx: &mut Tx<'_>, id: &ClientId) -> Result<Option<CachedClient>, Error> {
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
