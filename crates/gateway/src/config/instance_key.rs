//! The file of the instance key: written once, readable only by its owner.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::setting::InstanceKeyBytes;

/// Longer than any key in base64 with white space around it.
const MAX_FILE_BYTES: u64 = 256;

/// Why the file of the instance key is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceKeyFileError {
    #[error("{path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    /// With the key and a backup of the database, an attacker has every secret.
    #[error("{path} is open to others (mode {mode:04o})")]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("{path} does not hold an instance key")]
    NotAKey { path: PathBuf },
}

impl InstanceKeyFileError {
    /// How to correct it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::NotFound => {
                format!(
                    "Put the key there, or make one: genkan keys generate-instance-key --output {}",
                    path.display()
                )
            }
            Self::Unreadable { .. } => "Let the user that runs genkan read it, and nobody else.".to_owned(),
            Self::OpenToOthers { path, .. } => format!("chmod 600 {}", path.display()),
            Self::NotAKey { .. } => "It must hold 32 bytes in base64 and nothing else, as \
                 `genkan keys generate-instance-key` writes them. Restore it from your copy: a new key \
                 cannot open what the old one sealed."
                .to_owned(),
        }
    }
}

impl InstanceKeyBytes {
    /// A new random key.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).expect("the system has randomness");
        Self::new(*bytes)
    }

    /// Reads the key from the file at `path`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, can be read by others, or has other content.
    pub fn read_file(path: &Path) -> Result<Self, InstanceKeyFileError> {
        let unreadable = |source| InstanceKeyFileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if let Some(mode) = mode_open_to_others(&metadata) {
            return Err(InstanceKeyFileError::OpenToOthers {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::new());
        let not_a_key = || InstanceKeyFileError::NotAKey {
            path: path.to_owned(),
        };
        match (&mut file).take(MAX_FILE_BYTES).read_to_string(&mut text) {
            Ok(_) => Self::from_base64(text.trim()).ok_or_else(not_a_key),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(not_a_key()),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Writes the key to a new file at `path` that only its owner can read.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or exists already. A key is never overwritten, because everything
    /// sealed with it would be lost.
    pub fn write_new_file(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(self.to_base64().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    }
}

/// The mode, if others than the owner may read the file. If the file belongs to root, its group may read
/// it, because container platforms provide secrets like this. PostgreSQL allows the same for its TLS key.
#[cfg(unix)]
pub(super) fn mode_open_to_others(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let mode = metadata.mode() & 0o7777;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    (mode & forbidden != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(super) fn mode_open_to_others(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}
