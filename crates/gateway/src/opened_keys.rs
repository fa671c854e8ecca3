//! The private keys of connections, opened.
//!
//! Reading an RSA key checks it, which takes longer than a signature by it. So a key that was opened is kept
//! while sign-ins need it. Nothing shows one, and one that nobody needs for [`IDLE`] is dropped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use genkan_protocol::saml::{DecryptionKey, KeyError, SigningKey};
use genkan_store::connection::key::ConnectionKey;
use genkan_store::seal::OpenError;
use genkan_store::{CertificateId, InstanceKey, SecretHash};
use moka::sync::Cache;

/// How long a key stays open without a sign-in that needs it.
pub const IDLE: Duration = Duration::from_mins(10);

/// The most keys of each purpose. Beyond it the least used ones are dropped, and opened again at the next need.
const MAX_KEPT: u64 = 1_000;

/// Why a key cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenKeyError {
    #[error("a key of the connection cannot be opened: the instance key does not fit this database")]
    Sealed(#[from] OpenError),
    #[error("a key of the connection is damaged")]
    Damaged(#[from] KeyError),
}

/// Names the content of a row. A row whose content changes, after an import for example, is another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct KeyName {
    id: CertificateId,
    sealed: [u8; 32],
    certificate: [u8; 32],
}

impl KeyName {
    fn of(row: &ConnectionKey) -> Self {
        Self {
            id: row.id.clone(),
            sealed: *SecretHash::of(&row.private_key_sealed).as_bytes(),
            certificate: *SecretHash::of(&row.certificate).as_bytes(),
        }
    }
}

/// The opened keys of this process. Whether a key still counts is for the caller, who has read its row.
pub(crate) struct OpenedKeys {
    signing: Cache<KeyName, Arc<SigningKey>>,
    decryption: Cache<KeyName, DecryptionKey>,
}

impl Default for OpenedKeys {
    fn default() -> Self {
        Self::kept_for(IDLE)
    }
}

/// Shows nothing of the keys.
impl fmt::Debug for OpenedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedKeys").finish_non_exhaustive()
    }
}

impl OpenedKeys {
    fn kept_for(idle: Duration) -> Self {
        Self {
            signing: Cache::builder().max_capacity(MAX_KEPT).time_to_idle(idle).build(),
            decryption: Cache::builder().max_capacity(MAX_KEPT).time_to_idle(idle).build(),
        }
    }

    /// The key that signs.
    ///
    /// # Errors
    ///
    /// [`OpenKeyError`] if it cannot be opened.
    pub(crate) fn signing(
        &self,
        row: &ConnectionKey,
        instance_key: &InstanceKey,
    ) -> Result<Arc<SigningKey>, OpenKeyError> {
        let name = KeyName::of(row);
        if let Some(key) = self.signing.get(&name) {
            return Ok(key);
        }
        let pkcs8 = row.open_private_key(instance_key)?;
        let key = Arc::new(SigningKey::from_pkcs8(&pkcs8, &row.certificate)?);
        self.signing.insert(name, Arc::clone(&key));
        Ok(key)
    }

    /// The key that decrypts.
    ///
    /// # Errors
    ///
    /// [`OpenKeyError`] if it cannot be opened.
    pub(crate) fn decryption(
        &self,
        row: &ConnectionKey,
        instance_key: &InstanceKey,
    ) -> Result<DecryptionKey, OpenKeyError> {
        let name = KeyName::of(row);
        if let Some(key) = self.decryption.get(&name) {
            return Ok(key);
        }
        let pkcs8 = row.open_private_key(instance_key)?;
        let key = DecryptionKey::from_pkcs8(&pkcs8, &row.certificate)?;
        self.decryption.insert(name, key.clone());
        Ok(key)
    }

    /// Lets go of the keys that were idle for too long. The cache itself does that only when it is used.
    pub(crate) fn drop_idle(&self) {
        self.signing.run_pending_tasks();
        self.decryption.run_pending_tasks();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use genkan_protocol::Timestamp;
    use genkan_protocol::saml::OwnKey;
    use genkan_store::ConnectionId;
    use genkan_store::connection::key::{Purpose, seal_private_key};

    use super::*;

    fn row(id: &str, purpose: Purpose, instance_key: &InstanceKey) -> ConnectionKey {
        let now = Timestamp::from_secs(1_800_000_000);
        let made = OwnKey::generate("login.acme.test", purpose.into(), now).unwrap();
        let id = CertificateId::parse(id).unwrap();
        ConnectionKey {
            private_key_sealed: seal_private_key(instance_key, &id, &made.pkcs8),
            id,
            connection_id: ConnectionId::parse("conn_1").unwrap(),
            purpose,
            number: 1,
            certificate: made.certificate,
            created_at: now,
            ends_at: None,
        }
    }

    /// With another instance key it could not be opened a second time.
    #[test]
    fn a_key_is_opened_once() {
        let (right, wrong) = (InstanceKey::generate(), InstanceKey::generate());
        let keys = OpenedKeys::default();
        let signs = row("cer_1", Purpose::Signing, &right);
        let opens = row("cer_2", Purpose::Decryption, &right);
        assert!(matches!(
            keys.signing(&signs, &wrong),
            Err(OpenKeyError::Sealed(_))
        ));
        assert!(matches!(
            keys.decryption(&opens, &wrong),
            Err(OpenKeyError::Sealed(_))
        ));
        let first = keys.signing(&signs, &right).unwrap();
        assert!(Arc::ptr_eq(&first, &keys.signing(&signs, &wrong).unwrap()));
        keys.decryption(&opens, &right).unwrap();
        let again = keys.decryption(&opens, &wrong).unwrap();
        assert_eq!(again.certificate_der(), opens.certificate);
    }

    #[test]
    fn a_row_with_another_content_is_another_key() {
        let instance_key = InstanceKey::generate();
        let keys = OpenedKeys::default();
        let before = row("cer_1", Purpose::Signing, &instance_key);
        keys.signing(&before, &instance_key).unwrap();
        let after = row("cer_1", Purpose::Signing, &instance_key);
        let opened = keys.signing(&after, &instance_key).unwrap();
        assert_eq!(opened.certificate_der(), after.certificate);
        // The certificate of one row with the key of another.
        let mixed = ConnectionKey {
            certificate: before.certificate.clone(),
            ..after
        };
        let mismatch = keys.signing(&mixed, &instance_key);
        assert!(matches!(mismatch, Err(OpenKeyError::Damaged(KeyError::Mismatch))));
    }

    #[test]
    fn an_idle_key_is_dropped() {
        let instance_key = InstanceKey::generate();
        let keys = OpenedKeys::kept_for(Duration::from_millis(20));
        let row = row("cer_1", Purpose::Signing, &instance_key);
        let name = KeyName::of(&row);
        let weak = Arc::downgrade(&keys.signing(&row, &instance_key).unwrap());
        let has_gone = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            keys.drop_idle();
            // Freed memory is collected while the cache is looked at, as every request does in a server.
            !keys.signing.contains_key(&name) && weak.strong_count() == 0
        });
        assert!(has_gone, "the memory of the key is free without another sign-in");
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let instance_key = InstanceKey::generate();
        let keys = OpenedKeys::default();
        let row = row("cer_1", Purpose::Signing, &instance_key);
        keys.signing(&row, &instance_key).unwrap();
        assert_eq!(format!("{keys:?}"), "OpenedKeys { .. }");
    }
}
