//! A plugin's file, copied into memory, sealed, then checked. So the hashed bytes
//! run, even if the file changes meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::SandboxError;

/// The largest artifact.
const MOST_BYTES: u64 = 256 << 20;

/// Bytes in memory that nobody can change.
pub(super) struct SealedFile {
    pub(super) file: File,
    pub(super) bytes: u64,
}

impl SealedFile {
    /// Copies a file.
    pub(super) fn read(path: &Path) -> Result<Self, SandboxError> {
        let open = || {
            let source = File::open(path)?;
            if source.metadata()?.is_file() {
                Ok(source)
            } else {
                Err(io::Error::other("not a file"))
            }
        };
        open().and_then(Self::copy).map_err(|error| {
            SandboxError::Refused(format!("its file {} cannot be read: {error}", path.display()))
        })
    }

    /// Copies and seals.
    pub(super) fn copy(source: impl Read) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("plugin", flags)?);
        let bytes = io::copy(&mut source.take(MOST_BYTES + 1), &mut file)?;
        if bytes > MOST_BYTES {
            return Err(io::Error::other("larger than 256 MiB"));
        }
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(Self { file, bytes })
    }

    /// Compares the digest.
    pub(super) fn verify(&self, sha512: &[u8; 64]) -> Result<(), SandboxError> {
        let found = self
            .hash()
            .map_err(|error| SandboxError::Unavailable(error.to_string()))?;
        if found.as_ref() == sha512 {
            return Ok(());
        }
        Err(SandboxError::Refused(
            "its file is not the one that was verified".to_owned(),
        ))
    }

    fn hash(&self) -> io::Result<digest::Digest> {
        let mut context = digest::Context::new(&digest::SHA512);
        let mut buffer = vec![0; 64 << 10];
        let mut offset = 0;
        loop {
            let count = self.file.read_at(&mut buffer, offset)?;
            if count == 0 {
                return Ok(context.finish());
            }
            context.update(&buffer[..count]);
            offset += count as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn sha512(bytes: &[u8]) -> [u8; 64] {
        digest::digest(&digest::SHA512, bytes)
            .as_ref()
            .try_into()
            .unwrap()
    }

    #[test]
    fn the_copy_cannot_be_changed_and_outlives_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.js");
        std::fs::write(&path, "good").unwrap();
        let mut sealed = SealedFile::read(&path).unwrap();
        std::fs::write(&path, "evil").unwrap();
        assert_eq!(sealed.bytes, 4);
        let error = sealed.file.write(b"evil").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        sealed.verify(&sha512(b"good")).unwrap();
    }

    #[test]
    fn another_file_than_the_verified_one_is_refused() {
        let sealed = SealedFile::copy(&b"evil"[..]).unwrap();
        let error = sealed.verify(&sha512(b"good")).unwrap_err();
        assert!(matches!(error, SandboxError::Refused(_)), "{error}");
        let directory = tempfile::tempdir().unwrap();
        assert!(SealedFile::read(directory.path()).is_err());
    }
}
