//! The keys of our own that a connection shows to its provider: made at the first need, and read.

use std::sync::Arc;

use genkan_db::Db;
use genkan_protocol::saml::{DecryptionKey, OwnKey, OwnKeyError, SigningKey};
use genkan_store::connection::Connection;
use genkan_store::connection::key::{self, ConnectionKey, ConnectionKeys, Purpose};
use genkan_store::{CertificateId, Error, InstanceKey, Stamp};
use tokio::sync::Mutex;
use tokio::task::JoinError;
use url::Url;

use crate::app::App;
use crate::opened_keys::OpenKeyError;

/// One key at a time is made in this process, so that requests for new connections do not take every core.
static MAKING: Mutex<()> = Mutex::const_new(());

/// Why the keys of a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFailure {
    #[error("store failed")]
    Store(#[from] Error),
    #[error(transparent)]
    Open(#[from] OpenKeyError),
    #[error(transparent)]
    Make(#[from] OwnKeyError),
    #[error("the making of a key was interrupted")]
    Interrupted(#[from] JoinError),
    #[error("the connection has no key to sign with")]
    NoKey,
}

/// The key that signs the requests of a connection.
///
/// # Errors
///
/// [`KeyFailure`] if there is none, and none can be made.
pub async fn signing(app: &App, connection: &Connection) -> Result<Arc<SigningKey>, KeyFailure> {
    let keys = Keeper::of(app).keys(connection).await?;
    let key = keys.active(Purpose::Signing).ok_or(KeyFailure::NoKey)?;
    Ok(app.opened_keys().signing(key, app.instance_key())?)
}

/// The keys that open assertions of a connection, newest first. Until a provider was shown one, there are
/// none, and nothing can be encrypted to them.
///
/// # Errors
///
/// [`KeyFailure`] if one cannot be opened.
pub async fn decryption(app: &App, connection: &Connection) -> Result<Vec<DecryptionKey>, KeyFailure> {
    let keys = Keeper::of(app).list(connection).await?;
    keys.opening()
        .map(|key| Ok(app.opened_keys().decryption(key, app.instance_key())?))
        .collect()
}

/// What making and opening keys needs.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    pub db: &'a Db,
    pub instance_key: &'a InstanceKey,
    pub at: Stamp<'a>,
    pub public_url: &'a str,
}

impl<'a> Keeper<'a> {
    pub fn of(app: &'a App) -> Self {
        Self {
            db: app.db(),
            instance_key: app.instance_key(),
            at: app.at(app.now()),
            public_url: app.issuer(),
        }
    }

    /// The keys of a connection. It has one for each purpose afterwards.
    ///
    /// # Errors
    ///
    /// [`KeyFailure`] if one cannot be made.
    pub async fn keys(self, connection: &Connection) -> Result<ConnectionKeys, KeyFailure> {
        let keys = self.list(connection).await?;
        if keys.lacking().is_empty() {
            return Ok(keys);
        }
        let _one_at_a_time = MAKING.lock().await;
        // Another request may have made them meanwhile.
        let keys = self.list(connection).await?;
        let mut made = Vec::new();
        for purpose in keys.lacking() {
            made.push(self.make(connection, &keys, purpose).await?);
        }
        if !made.is_empty() {
            // Another node may make them as well: the first to write wins.
            self.db
                .tx_read_committed(async |tx| key::insert_first(tx, self.at, &connection.id, &made).await)
                .await?;
        }
        Ok(self.list(connection).await?)
    }

    /// Makes the next key of a purpose. It is not stored.
    ///
    /// # Errors
    ///
    /// [`KeyFailure`] if it cannot be made.
    pub async fn make(
        self,
        connection: &Connection,
        known: &ConnectionKeys,
        purpose: Purpose,
    ) -> Result<ConnectionKey, KeyFailure> {
        let host = Url::parse(self.public_url).ok();
        let host = host
            .as_ref()
            .and_then(Url::host_str)
            .unwrap_or_default()
            .to_owned();
        let now = self.at.now;
        // It takes long enough to hold up other requests on this thread.
        let making = move || OwnKey::generate(&host, purpose.into(), now);
        let made = tokio::task::spawn_blocking(making).await??;
        let id: CertificateId = self.at.id();
        Ok(ConnectionKey {
            private_key_sealed: key::seal_private_key(self.instance_key, &id, &made.pkcs8),
            id,
            connection_id: connection.id.clone(),
            purpose,
            number: known.next_number(purpose),
            certificate: made.certificate,
            created_at: now,
            ends_at: None,
        })
    }

    async fn list(self, connection: &Connection) -> Result<ConnectionKeys, Error> {
        self.db.read(async |tx| key::list(tx, connection).await).await
    }
}
