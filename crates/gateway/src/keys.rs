//! Signing keys: which one signs, which ones are published.
//!
//! A key is published before it signs, and stays published after it stops, because some SDKs fetch the key
//! set only once.

use bytes::Bytes;
use genkan_db::Db;
use genkan_protocol::Timestamp;
use genkan_protocol::jose::{Algorithm, JwkSet, KeyError, SigningKey};
use genkan_store::signing_key;
use genkan_store::{InstanceKey, KeyId, Stamp};
use serde_json::Value;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("store failed")]
    Store(#[from] genkan_store::Error),
    #[error("no {0} key may sign at this time")]
    NoKey(Algorithm),
    #[error("a signing key cannot be opened: the instance key does not fit this database")]
    Sealed,
    #[error("signing failed")]
    Key(#[from] KeyError),
}

/// All keys that are published now.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Entry>,
    jwks: Bytes,
    verify: JwkSet,
    hints: JwkSet,
    /// When the first of the keys leaves the set.
    complete_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Entry {
    key: SigningKey,
    signs_from: Timestamp,
    signs_until: Option<Timestamp>,
}

impl Keyring {
    /// Reads and opens the keys.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if the store fails or the instance key does not fit.
    pub async fn load(db: &Db, instance_key: &InstanceKey, now: Timestamp) -> Result<Self, KeyringError> {
        let stored = db.read(async |tx| signing_key::list(tx, now).await).await?;
        let complete_until = stored.iter().filter_map(|row| row.published_until).min();
        let mut keys = Vec::with_capacity(stored.len());
        for row in stored {
            let der = row
                .open_private_key(instance_key)
                .map_err(|_| KeyringError::Sealed)?;
            let key = SigningKey::from_pkcs8(row.id.to_string(), row.algorithm, &der)?;
            keys.push(Entry {
                key,
                signs_from: row.signs_from,
                signs_until: row.signs_until,
            });
        }
        let public: Vec<_> = keys.iter().map(|entry| entry.key.public_jwk()).collect();
        let jwks = Bytes::from(serde_json::json!({ "keys": public }).to_string());
        let verify = JwkSet::from_signing_keys(keys.iter().map(|entry| &entry.key));
        let hints = hints(db, public, &verify).await?;
        Ok(Self {
            keys,
            jwks,
            verify,
            hints,
            complete_until,
        })
    }

    /// Whether these are still the published keys. They leave the set by time, without a
    /// change of configuration.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.complete_until.is_none_or(|until| now < until)
    }

    /// The key that signs with `algorithm` at `now`: the newest one that may sign.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NoKey`] if there is none.
    pub fn signing_key(&self, algorithm: Algorithm, now: Timestamp) -> Result<&SigningKey, KeyringError> {
        self.keys
            .iter()
            .filter(|entry| entry.key.algorithm() == algorithm && entry.signs_from <= now)
            .filter(|entry| entry.signs_until.is_none_or(|until| now < until))
            .max_by_key(|entry| entry.signs_from)
            .map(|entry| &entry.key)
            .ok_or(KeyringError::NoKey(algorithm))
    }

    /// The document at `/keys` (RFC 7517 §5).
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// The same keys, to verify with.
    pub fn verify(&self) -> &JwkSet {
        &self.verify
    }

    /// These keys and those that retired regularly. A token of a retired key opens nothing, but
    /// still names a person as a hint.
    pub fn hints(&self) -> &JwkSet {
        &self.hints
    }
}

/// The published keys `public` together with the retired ones. The published ones are stored now, for the
/// time after they retire.
async fn hints(db: &Db, public: Vec<Value>, published: &JwkSet) -> Result<JwkSet, KeyringError> {
    let known = db.read(async |tx| signing_key::list_hint_keys(tx).await).await?;
    let is_noted = |jwk: &&Value| {
        known
            .iter()
            .all(|key| jwk["kid"].as_str() != Some(key.id.as_str()))
    };
    let new: Vec<(KeyId, String)> = public
        .iter()
        .filter(is_noted)
        .filter_map(|jwk| Some((KeyId::parse(jwk["kid"].as_str()?).ok()?, jwk.to_string())))
        .collect();
    if !new.is_empty() {
        db.tx(async |tx| -> Result<(), genkan_store::Error> {
            for (id, jwk) in &new {
                signing_key::note_public(tx, id, jwk).await?;
            }
            Ok(())
        })
        .await?;
    }
    let retired = known
        .iter()
        .filter(|key| !key.withdrawn && !published.contains(key.id.as_str()))
        .filter_map(|key| serde_json::from_str(&key.public_jwk).ok());
    let all: Vec<Value> = retired.chain(public.iter().cloned()).collect();
    let document = serde_json::json!({ "keys": all }).to_string();
    // A malformed row must not stop everything: then only the published keys count for hints.
    Ok(JwkSet::parse(document.as_bytes()).unwrap_or_else(|_| published.clone()))
}

/// Makes a key of each algorithm, for a new environment.
///
/// # Errors
///
/// [`KeyringError`] if a key cannot be made.
pub fn generate_all(
    at: Stamp<'_>,
    instance_key: &InstanceKey,
) -> Result<Vec<signing_key::SigningKey>, KeyringError> {
    [Algorithm::Rs256, Algorithm::Es256]
        .into_iter()
        .map(|algorithm| generate(at, algorithm, instance_key))
        .collect()
}

/// Makes a key that signs from now on, sealed under the instance key.
///
/// # Errors
///
/// [`KeyringError`] if the key cannot be made.
pub fn generate(
    at: Stamp<'_>,
    algorithm: Algorithm,
    instance_key: &InstanceKey,
) -> Result<signing_key::SigningKey, KeyringError> {
    let id = at.id::<KeyId>();
    let (_, pkcs8) = SigningKey::generate(id.to_string(), algorithm)?;
    Ok(signing_key::SigningKey {
        private_key_sealed: signing_key::seal_private_key(instance_key, &id, &pkcs8),
        id,
        algorithm,
        created_at: at.now,
        signs_from: at.now,
        signs_until: None,
        published_until: None,
    })
}
