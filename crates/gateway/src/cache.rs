//! What is read at every request and changes rarely: environment, clients, keys.
//!
//! Every change of configuration raises a counter in the database, whoever
//! makes it: this process, another node, or the command line. A cached value is
//! used only while that counter stands still. On SQLite the counter is read
//! whenever the file changed at all; elsewhere at most once in [`MAX_AGE`], and at
//! once after a change through the management API of this process.
//! Nothing that decides one-time use or revocation is ever kept here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use genkan_db::{Db, Tx};
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, Owner};
use genkan_store::environment::Environment;
use genkan_store::resource::Resource;
use genkan_store::{ClientId, Error, client, environment, organization, resource};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;

use crate::keys::Keyring;

/// How stale a cached value may be where the database cannot tell us cheaply
/// that something changed.
pub const MAX_AGE: Duration = Duration::from_secs(1);

/// More clients than this are not kept: then those go that are asked for least, so
/// identifiers that strangers make up drive no client out.
const MAX_CLIENTS: u64 = 10_000;

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
    kept: RwLock<Arc<Kept>>,
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

/// What is known of one generation. Each is read by one caller, and another that asks
/// meanwhile waits for that.
#[derive(Debug)]
pub(crate) struct Kept {
    generation: i64,
    pub(crate) environment: OnceCell<Arc<Environment>>,
    /// Leaves by the clock as well, see [`Keyring::is_current`].
    pub(crate) keyring: tokio::sync::RwLock<Option<Arc<Keyring>>>,
    clients: moka::sync::Cache<ClientId, Arc<OnceCell<Option<Arc<CachedClient>>>>>,
    pub(crate) origins: OnceCell<Arc<Vec<String>>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Kept {
    fn of(generation: i64) -> Self {
        Self {
            generation,
            environment: OnceCell::new(),
            keyring: tokio::sync::RwLock::default(),
            clients: moka::sync::Cache::new(MAX_CLIENTS),
            origins: OnceCell::new(),
        }
    }

    /// The place of a client.
    pub(crate) fn client(&self, id: &ClientId) -> Arc<OnceCell<Option<Arc<CachedClient>>>> {
        self.clients.get_with_by_ref(id, Arc::default)
    }
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
        let seen = *self.seen.lock();
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
        *self.seen.lock() = Some(seen);
        Ok(generation)
    }

    /// Kept of this generation. For a request that is older than what is kept
    /// there is a place of its own, which goes with it.
    pub(crate) fn kept(&self, generation: i64) -> Arc<Kept> {
        let kept = Arc::clone(&self.kept.read());
        if kept.generation == generation {
            return kept;
        }
        let mut kept = self.kept.write();
        if kept.generation < generation {
            *kept = Arc::new(Kept::of(generation));
        }
        if kept.generation == generation {
            Arc::clone(&kept)
        } else {
            Arc::new(Kept::of(generation))
        }
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
