//! What is read at every request and changes rarely: environment, clients, keys.
//!
//! Every change of configuration raises a counter in the database, whoever
//! makes it: this process, another node, or the command line. A cached value is
//! used only while that counter stands still. After a change by this process it is read at once
//! (on PostgreSQL, after one through the management API). For those of others it is read at
//! most once in [`LOOK_AGAIN`] on SQLite, and only if another process has written; elsewhere
//! at most once in [`MAX_AGE`].
//! Nothing that decides one-time use or revocation is ever kept here.
//!
//! While the database is away, the cache goes on to count: it answers the key set and the
//! description of the provider, and clients get tokens of their own for [`TRUSTED_FOR`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use genkan_db::{Db, Outage, Tx};
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, Owner};
use genkan_store::environment::Environment;
use genkan_store::resource::Resource;
use genkan_store::{ClientId, Error, client, environment, organization, resource};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::keys::Keyring;

/// How stale a cached value may be where the database cannot tell us cheaply
/// that something changed.
pub const MAX_AGE: Duration = Duration::from_secs(1);

/// How long nobody looks whether another process has changed the file. A change by this process
/// counts at once.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long clients get tokens of their own while nobody can tell whether they still may.
pub const TRUSTED_FOR: Duration = Duration::from_secs(5 * 60);

/// How long a look at the counter may take while there is something kept to go on with.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

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
    seen: Mutex<Option<GenerationReading>>,
    /// When the database was found to be away.
    away: Mutex<Option<Instant>>,
    /// How often this process was told of a change.
    changes: AtomicU64,
    kept: RwLock<Arc<GenerationCache>>,
}

#[derive(Debug, Clone, Copy)]
struct GenerationReading {
    marker: Option<i64>,
    generation: i64,
    /// `changes` before the generation was read, so that a reading that overlaps
    /// a change does not outlive it.
    changes: u64,
    at: Instant,
}

impl GenerationReading {
    fn in_force(self, known_at: Instant) -> InForce {
        InForce {
            generation: self.generation,
            known_at,
            is_old: false,
        }
    }

    fn still_used(self) -> InForce {
        InForce {
            is_old: true,
            ..self.in_force(self.at)
        }
    }
}

/// Which configuration is in force, as far as can be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InForce {
    pub(crate) generation: i64,
    /// When the database said so.
    pub(crate) known_at: Instant,
    /// The database is away: there may be a newer one.
    pub(crate) is_old: bool,
}

/// What is known of one generation. Each is read by one caller, and another that asks
/// meanwhile waits for that.
#[derive(Debug)]
pub(crate) struct GenerationCache {
    generation: i64,
    pub(crate) environment: OnceCell<Arc<Environment>>,
    /// Leaves by the clock as well, see [`Keyring::is_current`].
    pub(crate) keyring: tokio::sync::RwLock<Option<Arc<Keyring>>>,
    clients: moka::sync::Cache<ClientId, Arc<OnceCell<Option<Arc<CachedClient>>>>>,
    pub(crate) origins: OnceCell<Arc<Vec<String>>>,
}

impl Default for GenerationCache {
    fn default() -> Self {
        Self::of(0)
    }
}

impl GenerationCache {
    fn of(generation: i64) -> Self {
        Self {
            generation,
            environment: OnceCell::new(),
            keyring: tokio::sync::RwLock::default(),
            clients: moka::sync::Cache::new(MAX_CLIENTS),
            origins: OnceCell::new(),
        }
    }

    /// Whether it was read which client this is, or that there is none.
    pub(crate) fn knows(&self, id: &ClientId) -> bool {
        self.clients.get(id).is_some_and(|place| place.initialized())
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

    /// The configuration that is in force.
    ///
    /// While the database is away it is that of before, unless this process has
    /// changed the configuration since.
    pub(crate) async fn in_force(&self, db: &Db) -> Result<InForce, Error> {
        let changes = self.changes.load(Ordering::SeqCst).wrapping_add(db.told());
        let at = Instant::now();
        let seen = *self.seen.lock();
        let age = seen.map(|seen| at.saturating_duration_since(seen.at));
        if let Some(seen) = seen.filter(|seen| seen.changes == changes && age < Some(LOOK_AGAIN)) {
            return Ok(seen.in_force(seen.at));
        }
        let marker = db.change_marker().await?;
        match (seen, marker) {
            (Some(seen), Some(_)) if seen.marker == marker => {
                self.looked(marker, changes, at);
                return Ok(seen.in_force(at));
            }
            (Some(seen), None) if seen.changes == changes && age < Some(MAX_AGE) => {
                return Ok(seen.in_force(seen.at));
            }
            _ => {}
        }
        let old = seen.filter(|seen| marker.is_none() && seen.changes == changes);
        if let Some(old) = old
            && !self.may_look_again()
        {
            return Ok(old.still_used());
        }
        let look = db.read(async |tx| environment::generation(tx).await);
        let generation = match old {
            None => look.await?,
            Some(old) => match timeout(LOOK_LIMIT, look).await {
                Ok(Ok(generation)) => generation,
                Ok(Err(error)) if !is_away(&error) => return Err(error),
                failed => {
                    let error = failed.ok().and_then(Result::err);
                    tracing::warn!(
                        ?error,
                        "the database is away: what is known of the configuration is used"
                    );
                    *self.away.lock() = Some(Instant::now());
                    return Ok(old.still_used());
                }
            },
        };
        *self.away.lock() = None;
        let seen = GenerationReading {
            marker,
            generation,
            changes,
            at,
        };
        *self.seen.lock() = Some(seen);
        Ok(seen.in_force(at))
    }

    /// The file had not changed at all since the counter was read.
    fn looked(&self, marker: Option<i64>, changes: u64, at: Instant) {
        if let Some(seen) = &mut *self.seen.lock()
            && seen.marker == marker
        {
            seen.at = at;
            seen.changes = changes;
        }
    }

    /// Whether the database should be asked: if it was away, by one request in [`MAX_AGE`].
    fn may_look_again(&self) -> bool {
        let mut away = self.away.lock();
        match *away {
            None => true,
            Some(since) if since.elapsed() < MAX_AGE => false,
            Some(_) => {
                *away = Some(Instant::now());
                true
            }
        }
    }

    /// Kept of this generation. For a request that is older than what is kept
    /// there is a place of its own, which goes with it.
    pub(crate) fn kept(&self, generation: i64) -> Arc<GenerationCache> {
        let kept = Arc::clone(&self.kept.read());
        if kept.generation == generation {
            return kept;
        }
        let mut kept = self.kept.write();
        if kept.generation < generation {
            *kept = Arc::new(GenerationCache::of(generation));
        }
        if kept.generation == generation {
            Arc::clone(&kept)
        } else {
            Arc::new(GenerationCache::of(generation))
        }
    }
}

fn is_away(error: &Error) -> bool {
    matches!(error, Error::Database(error) if error.outage() == Some(Outage::Passing))
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
