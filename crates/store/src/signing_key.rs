//! Signing keys: published before they sign, and long after.
//!
//! SDKs fetch the key set once and keep it. So a key must be published for a while before it signs, and
//! stay published until its tokens expire.

use std::time::Duration;

use genkan_db::{Tx, p};
use genkan_protocol::jose::Algorithm;
use zeroize::Zeroizing;

use crate::event::{self, Entry, Kind};
use crate::row::Columns;
use crate::seal::{OpenError, SealContext};
use crate::{Error, InstanceKey, KeyId, Stamp, Timestamp, environment};

/// A signing key and its times. The private key is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The `kid`.
    pub id: KeyId,
    pub algorithm: Algorithm,
    /// PKCS#8, see [`seal_private_key`].
    pub private_key_sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub signs_from: Timestamp,
    /// Set by rotation: when it stops signing.
    pub signs_until: Option<Timestamp>,
    /// Set by rotation: when it leaves the key set.
    pub published_until: Option<Timestamp>,
}

fn place(id: &KeyId) -> SealContext<'_> {
    SealContext {
        column: "signing_keys.private_key",
        id: id.as_str(),
    }
}

/// Seals a PKCS#8 document as the private key of `id`.
pub fn seal_private_key(key: &InstanceKey, id: &KeyId, pkcs8: &[u8]) -> Vec<u8> {
    key.seal(place(id), pkcs8)
}

impl SigningKey {
    /// The PKCS#8 document.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key.
    pub fn open_private_key(&self, key: &InstanceKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        key.open(place(&self.id), &self.private_key_sealed)
    }

    /// Whether new tokens may be signed with it.
    pub fn signs_at(&self, now: Timestamp) -> bool {
        self.signs_from <= now && self.signs_until.is_none_or(|until| now < until)
    }

    /// Whether it is in the key set.
    pub fn is_published_at(&self, now: Timestamp) -> bool {
        self.published_until.is_none_or(|until| now < until)
    }
}

/// The key to sign with: the newest of those that sign now.
pub fn signing_at(keys: &[SigningKey], algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
    let signs = |key: &&SigningKey| key.algorithm == algorithm && key.signs_at(now);
    keys.iter()
        .filter(signs)
        .max_by_key(|key| (key.signs_from, &key.id))
}

/// Adds a key.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, key: &SigningKey) -> Result<(), Error> {
    insert_row(tx, key).await?;
    let entry = Entry::new(Kind::SigningKeyCreated).with("key_id", key.id.as_str());
    event::record(tx, at, entry.with("algorithm", key.algorithm.to_string())).await?;
    environment::touch(tx).await
}

async fn insert_row(tx: &mut Tx<'_>, key: &SigningKey) -> Result<(), Error> {
    let algorithm = key.algorithm.to_string();
    tx.exec(
        "INSERT INTO signing_keys
            (id, algorithm, private_key_sealed, created_at, signs_from, signs_until, published_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        p![
            &key.id,
            &algorithm,
            &key.private_key_sealed,
            key.created_at.as_micros(),
            key.signs_from.as_micros(),
            key.signs_until.map(Timestamp::as_micros),
            key.published_until.map(Timestamp::as_micros),
        ],
    )
    .await?;
    Ok(())
}

/// The keys in the key set at `now`, oldest first: those that sign, those that will sign, and those whose
/// tokens may still be valid.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<SigningKey>, Error> {
    let rows = tx
        .all(
            "SELECT id, algorithm, private_key_sealed, created_at, signs_from, signs_until, published_until
               FROM signing_keys
              WHERE published_until IS NULL OR published_until > $1
              ORDER BY id",
            p![now.as_micros()],
        )
        .await?;
    rows.iter().map(|row| read(&mut Columns::of(row))).collect()
}

fn read(columns: &mut Columns<'_>) -> Result<SigningKey, Error> {
    Ok(SigningKey {
        id: columns.id()?,
        algorithm: columns.parsed("signing_keys.algorithm", str::parse)?,
        private_key_sealed: columns.bytes()?,
        created_at: columns.time()?,
        signs_from: columns.time()?,
        signs_until: columns.optional_time()?,
        published_until: columns.optional_time()?,
    })
}

/// The times of a rotation.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// How long the new key is published before it signs.
    pub publish_lead: Duration,
    /// How long the old key stays published after its last signature. It is at least the longest lifetime
    /// of a token.
    pub overlap: Duration,
}

/// Adds `key` and ends the other keys of its algorithm. `key.signs_from` is not read: the key signs after
/// the publish lead.
///
/// If a key leaves the key set while its tokens may still be valid, it was withdrawn, as after a leak. Then
/// it does not verify hints either.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn rotate(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &SigningKey,
    schedule: Schedule,
) -> Result<(), Error> {
    let handover = at.now + schedule.publish_lead;
    let (algorithm, until) = (key.algorithm.to_string(), handover + schedule.overlap);
    // Without an environment there are no tokens.
    let longest_token = environment::find(tx)
        .await?
        .map_or(Duration::ZERO, |environment| {
            environment
                .access_token_lifetime
                .max(environment.client_access_token_lifetime)
        });
    if schedule.overlap < longest_token {
        tx.exec(
            "INSERT INTO hint_keys (id, public_jwk, withdrawn)
             SELECT id, '', TRUE FROM signing_keys WHERE algorithm = $1 AND signs_until IS NULL
             ON CONFLICT (id) DO UPDATE SET withdrawn = TRUE",
            p![&algorithm],
        )
        .await?;
    }
    tx.exec(
        "UPDATE signing_keys SET signs_until = $2, published_until = $3
          WHERE algorithm = $1 AND signs_until IS NULL",
        p![&algorithm, handover.as_micros(), until.as_micros()],
    )
    .await?;
    let key = SigningKey {
        signs_from: handover,
        signs_until: None,
        published_until: None,
        ..key.clone()
    };
    insert_row(tx, &key).await?;
    let entry = Entry::new(Kind::SigningKeyRotated).with("key_id", key.id.as_str());
    event::record(tx, at, entry.with("signs_from", handover.as_secs())).await?;
    environment::touch(tx).await
}

/// How long a key that left the key set verifies hints. This is longer than any session, whose application
/// may send its ID token.
pub const HINTS_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The public half of a key that is or was in the key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintKey {
    pub id: KeyId,
    /// JSON.
    pub public_jwk: String,
    /// It was withdrawn and verifies nothing.
    pub withdrawn: bool,
}

/// Stores the public half of a key in the key set, once.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn note_public(tx: &mut Tx<'_>, id: &KeyId, public_jwk: &str) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO hint_keys (id, public_jwk, withdrawn) VALUES ($1, $2, FALSE)
         ON CONFLICT (id) DO NOTHING",
        p![id, public_jwk],
    )
    .await?;
    Ok(())
}

/// The public halves of all keys that are or were in the key set.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_hint_keys(tx: &mut Tx<'_>) -> Result<Vec<HintKey>, Error> {
    let rows = tx
        .all(
            "SELECT id, public_jwk, withdrawn FROM hint_keys ORDER BY id DESC LIMIT 90",
            p![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(HintKey {
                id: columns.id()?,
                public_jwk: columns.text()?,
                withdrawn: columns.bool()?,
            })
        })
        .collect()
}

/// Deletes the private keys that have left the key set, and the public halves of those that left it
/// [`HINTS_KEPT`] ago.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete_unpublished(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.exec(
        "UPDATE hint_keys SET kept_until = $2 WHERE kept_until IS NULL
            AND id IN (SELECT id FROM signing_keys WHERE published_until <= $1)",
        p![now.as_micros(), (now + HINTS_KEPT).as_micros()],
    )
    .await?;
    tx.exec(
        "DELETE FROM hint_keys WHERE kept_until <= $1",
        p![now.as_micros()],
    )
    .await?;
    Ok(tx
        .exec(
            "DELETE FROM signing_keys WHERE published_until <= $1",
            p![now.as_micros()],
        )
        .await?)
}
