//! The cache of data that every request reads and that changes rarely: environment, clients, keys, the
//! register of custom attributes.
//!
//! Every change of configuration increases a counter in the database, whether this process, another node or
//! the command line makes it. A cached value is used only while the counter stays the same. After a change
//! by this process the counter is read at once (on PostgreSQL, after a change by the management API). For
//! changes by others, it is read at most once in [`LOOK_AGAIN`] on SQLite, and only if another process has
//! written. On PostgreSQL it is read at most once in [`MAX_AGE`]. Nothing that decides about one-time use
//! or revocation is cached here.
//!
//! While the database is away, cached values still count: the key set and the metadata of the provider are
//! served, and clients get their own tokens for [`TRUSTED_FOR`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use genkan_db::{Db, Outage, Tx};
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, Owner};
use genkan_store::environment::Environment;
use genkan_store::resource::Resource;
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{ClientId, Error, client, environment, organization, resource};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::keys::Keyring;

/// The maximum age of a cached value, if the database has no cheap way to notice a change.
pub const MAX_AGE: Duration = Duration::from_secs(1);

/// How long nobody checks whether another process has changed the file. A change by this process counts at
/// once.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long clients get their own tokens while nobody can check whether they still may.
pub const TRUSTED_FOR: Duration = Duration::from_secs(5 * 60);

/// How long reading the counter may take, if there is a cached value to go on with.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// The most cached clients. With more, the least used ones are dropped, so made-up identifiers displace no
/// client.
const MAX_CLIENTS: u64 = 10_000;

/// A client with its secrets, and the claims of its tokens about its owner.
#[derive(Debug)]
pub struct CachedClient {
    pub client: Client,
    pub secrets: Vec<ClientSecret>,
    /// The application's identifier of the organization that owns the client.
    pub organization_external_id: Option<String>,
    /// The resource that owns the client.
    pub resource: Option<Resource>,
}

impl CachedClient {
    /// The secrets that are valid at `now`.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &ClientSecret> {
        self.secrets.iter().filter(move |secret| secret.is_active(now))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cache {
    seen: Mutex<Option<GenerationReading>>,
    /// When the database was found to be away.
    away: Mutex<Option<Instant>>,
    /// The number of changes by this process.
    changes: AtomicU64,
    kept: RwLock<Arc<GenerationCache>>,
}

#[derive(Debug, Clone, Copy)]
struct GenerationReading {
    marker: Option<i64>,
    generation: i64,
    /// `changes` before the generation was read. If a change overlaps the reading, the value does not
    /// outlive it.
    changes: u64,
    at: Instant,
}

impl GenerationReading {
    fn in_force(self, known_at: Instant) -> CurrentGeneration {
        CurrentGeneration {
            generation: self.generation,
            known_at,
            is_old: false,
        }
    }

    fn still_used(self) -> CurrentGeneration {
        CurrentGeneration {
            is_old: true,
            ..self.in_force(self.at)
        }
    }
}

/// The configuration in force, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrentGeneration {
    pub(crate) generation: i64,
    /// When the database said so.
    pub(crate) known_at: Instant,
    /// The database is away, so there may be a newer one.
    pub(crate) is_old: bool,
}

/// The cached values of one generation. One caller reads each value, and others wait for it.
#[derive(Debug)]
pub(crate) struct GenerationCache {
    generation: i64,
    pub(crate) environment: OnceCell<Arc<Environment>>,
    /// It also expires by the clock, see [`Keyring::is_current`].
    pub(crate) keyring: tokio::sync::RwLock<Option<Arc<Keyring>>>,
    clients: moka::sync::Cache<ClientId, Arc<OnceCell<Option<Arc<CachedClient>>>>>,
    pub(crate) origins: OnceCell<Arc<Vec<String>>>,
    pub(crate) user_attributes: OnceCell<Arc<Vec<UserAttribute>>>,
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
            user_attributes: OnceCell::new(),
        }
    }

    /// Whether this client was read already, even if it does not exist.
    pub(crate) fn knows(&self, id: &ClientId) -> bool {
        self.clients.get(id).is_some_and(|place| place.initialized())
    }

    /// The cell of a client.
    pub(crate) fn client(&self, id: &ClientId) -> Arc<OnceCell<Option<Arc<CachedClient>>>> {
        self.clients.get_with_by_ref(id, Arc::default)
    }
}

impl Cache {
    /// Makes the next request read the configuration again, because this process has changed it.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The configuration that is in force.
    ///
    /// While the database is away it is the last known one, unless this process has changed the
    /// configuration since.
    pub(crate) async fn in_force(&self, db: &Db) -> Result<CurrentGeneration, Error> {
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

    /// Notes that the file has not changed since the counter was read.
    fn looked(&self, marker: Option<i64>, changes: u64, at: Instant) {
        if let Some(seen) = &mut *self.seen.lock()
            && seen.marker == marker
        {
            seen.at = at;
            seen.changes = changes;
        }
    }

    /// Whether to ask the database. If it was away, one request in [`MAX_AGE`] asks.
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

    /// The cached values of this generation. A request with an older generation gets values of its own,
    /// which are dropped after it.
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

/// Reads a client from the store.
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
