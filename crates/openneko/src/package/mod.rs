//! A downloaded package: verified, unpacked, checked, put in place. Nothing of it runs.
//!
//! The order is the defence. The hash of the whole tarball comes first, then each
//! entry before anything of it is written, then the package's own description.
//! Only then does the folder get its name.

mod archive;
mod description;
mod place;

use aws_lc_rs::digest;
use openneko_plugin::permission::Integrity;

pub use archive::{Error as ArchiveError, Limits};
pub use description::{Description, Error as DescriptionError};
pub use place::{PackageFolder, StagedPackage};

/// The source of an expected SHA-512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    Catalog,
    Registry,
}

/// Why a package is not installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the integrity of {package} differs from the one in the {}: the package is not the one that was \
         listed, and nothing was installed\n  expected {expected}\n  received {received}",
        match .witness { Witness::Catalog => "marketplace", Witness::Registry => "registry" }
    )]
    Integrity {
        package: String,
        witness: Witness,
        expected: String,
        received: String,
    },
    #[error("the package cannot be unpacked: {0}")]
    Archive(#[from] ArchiveError),
    #[error("{0}")]
    Description(#[from] DescriptionError),
    #[error("cannot write {}: {source}", path.display())]
    Io {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
}

/// The SHA-512 of a tarball, if it equals each of `expected`.
///
/// # Errors
///
/// [`Error::Integrity`] for the first that differs, and for a text that is no hash.
pub fn verify(package: &str, tarball: &[u8], expected: &[(Witness, &Integrity)]) -> Result<[u8; 64], Error> {
    let mut received = [0; 64];
    received.copy_from_slice(digest::digest(&digest::SHA512, tarball).as_ref());
    for (witness, integrity) in expected {
        // The digests are compared, not the texts: a text may be no hash.
        if integrity.digest() != Some(received) {
            return Err(Error::Integrity {
                package: package.to_owned(),
                witness: *witness,
                expected: integrity.as_str().to_owned(),
                received: Integrity::of_digest(&received).as_str().to_owned(),
            });
        }
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_that_differs_is_enough() {
        let tarball = b"tarball";
        let right = Integrity::of_digest(&verify("p", tarball, &[]).unwrap());
        let wrong = Integrity::of_digest(&[0; 64]);
        let unknown = Integrity::parse("sha512-unknown").unwrap();
        assert!(
            verify(
                "p",
                tarball,
                &[(Witness::Catalog, &right), (Witness::Registry, &right)]
            )
            .is_ok()
        );
        for other in [&wrong, &unknown] {
            let error = verify(
                "p",
                tarball,
                &[(Witness::Catalog, &right), (Witness::Registry, other)],
            );
            assert!(error.unwrap_err().to_string().contains("in the registry"));
            let error = verify(
                "p",
                tarball,
                &[(Witness::Catalog, other), (Witness::Registry, &right)],
            );
            assert!(error.unwrap_err().to_string().contains("in the marketplace"));
        }
    }
}
