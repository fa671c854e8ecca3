//! The key of the secrets: a text file, made at its first use.

use std::path::Path;

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Error;
use crate::file;

/// The text of a key is short; a larger file is no key.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// SHA-256 of the text in `secret-key`.
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The key of `text`; blanks around it do not count.
    pub(super) fn of_text(text: &str) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let hash = digest::digest(&digest::SHA256, text.trim().as_bytes());
        key.copy_from_slice(hash.as_ref());
        Self(key)
    }

    /// Reads the key; `None` if the file is missing or empty.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let content = file::read(path, MAX_FILE_BYTES)
            .map_err(|source| Error::io("read", path, source))?
            .map(Zeroizing::new);
        let Some(content) = content else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&content).map_err(|_| Error::KeyNotText(path.to_owned()))?;
        Ok((!text.trim().is_empty()).then(|| Self::of_text(text)))
    }

    /// Reads the key, or makes one: base64 of 32 random bytes, readable by its owner alone.
    pub(super) fn read_or_create(path: &Path) -> Result<Self, Error> {
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        let failed = |source| Error::io("write", path, source);
        let lock = file::Lock::acquire(path).map_err(failed)?;
        // Another process may have made it while we waited.
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut *bytes).map_err(|_| Error::Random)?;
        let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        lock.write(text.as_bytes(), 0o600).map_err(failed)?;
        Ok(Self::of_text(&text))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 of `label`: a key for one purpose.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.0);
        let mut derived = Zeroizing::new([0; 32]);
        derived.copy_from_slice(hmac::sign(&key, label.as_bytes()).as_ref());
        derived
    }
}
