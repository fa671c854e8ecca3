//! The keys of our own that a SAML connection shows to its provider.
//!
//! A key is published before it signs: the provider registers its certificate first. Then the connection
//! signs with it, and the key before is retired. No key of a connection signs tokens, and none is shared
//! with another connection.

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use genkan_protocol::saml::KeyPurpose;
use zeroize::Zeroizing;

use super::held::hold_alone;
use super::{Connection, find};
use crate::event::{self, Entry};
use crate::row::{Columns, words};
use crate::seal::{OpenError, SealContext};
use crate::{CertificateId, ConnectionId, Error, InstanceKey, OrganizationId, Stamp, Timestamp, conflict};

words! {
    /// What a key is for.
    pub enum Purpose {
        /// We sign our requests with it.
        Signing = "SIGNING",
        /// The provider encrypts assertions to it.
        Decryption = "DECRYPTION",
    }
}

impl From<Purpose> for KeyPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Signing => Self::Signing,
            Purpose::Decryption => Self::Decryption,
        }
    }
}

words! {
    /// How far a key has come.
    pub enum State {
        /// It is in our metadata, and another one signs: this one signs next, or did before.
        Published = "PUBLISHED",
        /// It signs, or providers encrypt to it.
        Active = "ACTIVE",
        /// It has left our metadata. It still opens assertions until it is deleted.
        Retired = "RETIRED",
    }
}

/// How long a retired key is kept. A provider reads our metadata again within this time, and until then it
/// encrypts to the key before.
pub const RETIRED_KEPT: Duration = Duration::from_hours(60 * 24);

/// The most keys of one purpose in our metadata: the one in use, and the next.
pub const MAX_PUBLISHED: usize = 2;

/// A key with its certificate. The private key is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionKey {
    /// The identifier of its certificate.
    pub id: CertificateId,
    pub connection_id: ConnectionId,
    pub purpose: Purpose,
    /// Counts the keys of a purpose.
    pub number: i64,
    /// PKCS#8, see [`seal_private_key`].
    pub private_key_sealed: Vec<u8>,
    /// DER.
    pub certificate: Vec<u8>,
    pub created_at: Timestamp,
    /// Set when it leaves the metadata: when it is deleted.
    pub ends_at: Option<Timestamp>,
}

fn place(id: &CertificateId) -> SealContext<'_> {
    SealContext {
        column: "connection_keys.private_key",
        id: id.as_str(),
    }
}

/// Seals a PKCS#8 document as the private key of `id`.
pub fn seal_private_key(key: &InstanceKey, id: &CertificateId, pkcs8: &[u8]) -> Vec<u8> {
    key.seal(place(id), pkcs8)
}

impl ConnectionKey {
    /// The PKCS#8 document.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key.
    pub fn open_private_key(&self, key: &InstanceKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        key.open(place(&self.id), &self.private_key_sealed)
    }

    const fn is_published(&self) -> bool {
        self.ends_at.is_none()
    }
}

/// The keys of one connection, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionKeys {
    keys: Vec<ConnectionKey>,
    /// The connection's choice of the one that signs.
    chosen: Option<CertificateId>,
}

impl ConnectionKeys {
    fn of(connection: &Connection, keys: Vec<ConnectionKey>) -> Self {
        let chosen = connection.settings.as_saml().and_then(|settings| {
            let chosen = settings.certificate_id.as_deref()?;
            CertificateId::parse(chosen).ok()
        });
        Self { keys, chosen }
    }

    fn published(&self, purpose: Purpose) -> impl DoubleEndedIterator<Item = &ConnectionKey> {
        let of_purpose = move |key: &&ConnectionKey| key.purpose == purpose && key.is_published();
        self.keys.iter().filter(of_purpose)
    }

    /// Every key, also those that have left the metadata.
    pub fn all(&self) -> &[ConnectionKey] {
        &self.keys
    }

    /// The key in use. Of those that sign, it is the one that the connection names, and the oldest if it
    /// names none. For encryption it is the newest.
    pub fn active(&self, purpose: Purpose) -> Option<&ConnectionKey> {
        match purpose {
            Purpose::Signing => {
                let is_chosen = |key: &&ConnectionKey| Some(&key.id) == self.chosen.as_ref();
                let chosen = self.published(purpose).find(is_chosen);
                chosen.or_else(|| self.published(purpose).next())
            }
            Purpose::Decryption => self.published(purpose).next_back(),
        }
    }

    /// The keys in our metadata, the one in use first.
    pub fn in_metadata(&self, purpose: Purpose) -> Vec<&ConnectionKey> {
        let mut keys: Vec<_> = self.published(purpose).collect();
        keys.sort_by_key(|key| self.state(key) != State::Active);
        keys
    }

    /// The keys that open assertions, newest first. Those that have left the metadata are among them.
    pub fn opening(&self) -> impl Iterator<Item = &ConnectionKey> {
        let newest_first = self.keys.iter().rev();
        newest_first.filter(|key| key.purpose == Purpose::Decryption)
    }

    /// The key that signs next, after its certificate was registered.
    pub fn next(&self) -> Option<&ConnectionKey> {
        let active = self.active(Purpose::Signing)?;
        let newest = self.published(Purpose::Signing).next_back()?;
        (newest.number > active.number).then_some(newest)
    }

    /// How far a key has come.
    pub fn state(&self, key: &ConnectionKey) -> State {
        if !key.is_published() {
            return State::Retired;
        }
        match self.active(key.purpose) {
            Some(active) if active.id == key.id => State::Active,
            _ => State::Published,
        }
    }

    /// The number of the next key of a purpose.
    pub fn next_number(&self, purpose: Purpose) -> i64 {
        let of_purpose = self.keys.iter().filter(|key| key.purpose == purpose);
        of_purpose.map(|key| key.number).max().unwrap_or(0) + 1
    }

    /// The purposes that have no key yet.
    pub fn lacking(&self) -> Vec<Purpose> {
        let lacks = |purpose: &&Purpose| self.published(**purpose).next().is_none();
        Purpose::ALL.iter().filter(lacks).copied().collect()
    }
}

fn read(row: &Row) -> Result<ConnectionKey, Error> {
    let mut columns = Columns::of(row);
    Ok(ConnectionKey {
        id: columns.id()?,
        connection_id: columns.id()?,
        purpose: columns.parsed("connection_keys.purpose", str::parse)?,
        number: columns.int()?,
        private_key_sealed: columns.bytes()?,
        certificate: columns.bytes()?,
        created_at: columns.time()?,
        ends_at: columns.optional_time()?,
    })
}

/// The keys of a connection, also those that have left its metadata.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, connection: &Connection) -> Result<ConnectionKeys, Error> {
    let rows = tx
        .all(
            "SELECT id, connection_id, purpose, number, private_key_sealed, certificate, created_at, ends_at
               FROM connection_keys WHERE connection_id = $1 ORDER BY purpose, number",
            p![&connection.id],
        )
        .await?;
    let keys = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(ConnectionKeys::of(connection, keys))
}

/// Adds the first keys of a connection. If another request has added some meanwhile, those stay.
///
/// # Errors
///
/// [`Error::Stale`] if the connection is gone.
pub async fn insert_first(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
    keys: &[ConnectionKey],
) -> Result<(), Error> {
    hold_alone(tx, connection_id).await?;
    let connection = find(tx, connection_id).await?.ok_or(Error::Stale)?;
    for key in keys {
        if insert(tx, key).await? {
            record(
                tx,
                at,
                event::Kind::ConnectionCertificatePublished,
                &connection,
                key,
            )
            .await?;
        }
    }
    Ok(())
}

/// The result of [`publish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publishing {
    /// It is in the metadata from now on.
    Published,
    /// There are [`MAX_PUBLISHED`] keys of this purpose: one must be retired first.
    TooMany,
}

/// Adds the next key of a purpose. One that signs only waits until the connection names it. From now on
/// providers encrypt to a new one for that, so the one before is retired.
///
/// # Errors
///
/// [`Error::Stale`] if the connection is gone, or another key was published meanwhile.
pub async fn publish(tx: &mut Tx<'_>, at: Stamp<'_>, key: &ConnectionKey) -> Result<Publishing, Error> {
    hold_alone(tx, &key.connection_id).await?;
    let connection = find(tx, &key.connection_id).await?.ok_or(Error::Stale)?;
    let known = list(tx, &connection).await?;
    let before = known.in_metadata(key.purpose);
    match key.purpose {
        Purpose::Signing if before.len() >= MAX_PUBLISHED => return Ok(Publishing::TooMany),
        Purpose::Signing => {}
        Purpose::Decryption => {
            for before in before {
                end(tx, at, &connection, before).await?;
            }
        }
    }
    if !insert(tx, key).await? {
        return Err(Error::Stale);
    }
    record(
        tx,
        at,
        event::Kind::ConnectionCertificatePublished,
        &connection,
        key,
    )
    .await?;
    Ok(Publishing::Published)
}

/// The result of [`retire`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retiring {
    /// It has left the metadata. It may have left before.
    Retired,
    /// It is in use.
    InUse,
    /// The connection has no such key.
    Unknown,
}

/// Takes a key that is not in use out of the metadata.
///
/// # Errors
///
/// [`Error::Stale`] if the connection is gone.
pub async fn retire(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
    id: &CertificateId,
) -> Result<Retiring, Error> {
    hold_alone(tx, connection_id).await?;
    let connection = find(tx, connection_id).await?.ok_or(Error::Stale)?;
    let known = list(tx, &connection).await?;
    let Some(key) = known.all().iter().find(|key| key.id == *id) else {
        return Ok(Retiring::Unknown);
    };
    match known.state(key) {
        State::Active => return Ok(Retiring::InUse),
        State::Retired => {}
        State::Published => end(tx, at, &connection, key).await?,
    }
    Ok(Retiring::Retired)
}

/// Refuses a change of `before` that names a key to sign with which the connection does not have, or which
/// has left its metadata.
pub(super) async fn check_choice(
    tx: &mut Tx<'_>,
    connection: &Connection,
    before: &Connection,
) -> Result<(), Error> {
    let chosen = |connection: &Connection| connection.settings.as_saml()?.certificate_id.clone();
    let Some(id) = chosen(connection).filter(|id| Some(id) != chosen(before).as_ref()) else {
        return Ok(());
    };
    let keys = list(tx, before).await?;
    if keys.published(Purpose::Signing).any(|key| key.id.as_str() == id) {
        return Ok(());
    }
    Err(Error::Conflict(conflict::CONNECTION_CERTIFICATE))
}

/// Adds a row. Says whether its number was free.
async fn insert(tx: &mut Tx<'_>, key: &ConnectionKey) -> Result<bool, Error> {
    let inserted = tx
        .exec(
            "INSERT INTO connection_keys
                (id, connection_id, purpose, number, private_key_sealed, certificate, created_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (connection_id, purpose, number) DO NOTHING",
            p![
                &key.id,
                &key.connection_id,
                key.purpose.as_str(),
                key.number,
                &key.private_key_sealed,
                &key.certificate,
                key.created_at.as_micros(),
                key.ends_at.map(Timestamp::as_micros),
            ],
        )
        .await?;
    Ok(inserted > 0)
}

async fn end(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection: &Connection,
    key: &ConnectionKey,
) -> Result<(), Error> {
    let ends_at = at.now + RETIRED_KEPT;
    tx.exec(
        "UPDATE connection_keys SET ends_at = $2 WHERE id = $1 AND ends_at IS NULL",
        p![&key.id, ends_at.as_micros()],
    )
    .await?;
    record(tx, at, event::Kind::ConnectionCertificateRetired, connection, key).await
}

async fn record(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: event::Kind,
    connection: &Connection,
    key: &ConnectionKey,
) -> Result<(), Error> {
    let organization_id: Option<&OrganizationId> = connection.organization_id.as_ref();
    let entry = Entry::new(kind)
        .organization(organization_id)
        .connection(&connection.id)
        .with("certificate_id", key.id.as_str())
        .with("purpose", key.purpose.as_str());
    event::record(tx, at, entry).await
}
