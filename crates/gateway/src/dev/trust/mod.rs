//! Files with which clients trust the development authority.
//!
//! Most clients take one file in place of the system's authorities. With ours alone a
//! program could reach nothing else, so the bundle and the truststore hold the system's
//! authorities as well.

mod page;
mod pkcs12;
pub mod stores;

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use genkan_protocol::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::file::{self, Readers};
use crate::dev_ca;

pub use page::{PATH, router};

/// Java needs a password even for public certificates; its own truststore has this one.
pub const TRUSTSTORE_PASSWORD: &str = "changeit";

/// The systems' files of trusted authorities, PEM: Debian, Fedora, openSUSE, Alpine and macOS.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The files, by absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    /// The development authority alone, PEM.
    pub ca_file: PathBuf,
    /// The same and the system's authorities, PEM.
    pub bundle_file: PathBuf,
    /// The same for Java, PKCS#12 under [`TRUSTSTORE_PASSWORD`].
    pub truststore_file: PathBuf,
}

impl TrustFiles {
    /// The files in `data_dir`.
    ///
    /// # Errors
    ///
    /// If the current folder is unknown.
    pub fn within(data_dir: &Path) -> io::Result<Self> {
        let data_dir = std::path::absolute(data_dir)?;
        Ok(Self {
            ca_file: data_dir.join(dev_ca::CA_FILE),
            bundle_file: data_dir.join("ca-bundle.pem"),
            truststore_file: data_dir.join("truststore.p12"),
        })
    }

    /// The variables by which clients find an authority: Node adds it to its own, Python and Go
    /// use the file in place of the system's.
    pub fn variables(&self) -> [(&'static str, &Path); 4] {
        [
            ("NODE_EXTRA_CA_CERTS", &self.ca_file),
            ("SSL_CERT_FILE", &self.bundle_file),
            ("REQUESTS_CA_BUNDLE", &self.bundle_file),
            ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", &self.bundle_file),
        ]
    }
}

/// Writes the bundle and the truststore beside the authority's certificate.
///
/// # Errors
///
/// If a file cannot be read or written, or holds no certificate.
pub fn ensure(data_dir: &Path) -> io::Result<TrustFiles> {
    let files = TrustFiles::within(data_dir)?;
    let own = std::fs::read_to_string(&files.ca_file)?;
    let system = system_authorities();
    let bundle = format!("{own}{system}");
    file::replace(&files.bundle_file, bundle.as_bytes(), Readers::Everybody)?;
    let certificates = CertificateDer::pem_slice_iter(bundle.as_bytes())
        .filter_map(Result::ok)
        .collect::<Vec<_>>();
    let truststore = pkcs12::truststore(&certificates, TRUSTSTORE_PASSWORD).ok_or_else(no_certificate)?;
    file::replace(&files.truststore_file, &truststore, Readers::Everybody)?;
    Ok(files)
}

/// The system's authorities, PEM, or nothing if they are not in a file.
fn system_authorities() -> String {
    let found = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read(path).ok());
    found.map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn no_certificate() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no certificate is in it")
}

/// The certificate's name and hash, which people compare before they trust it.
#[derive(Debug, Clone)]
pub struct Authority {
    /// `Genkan development CA` and eight digits of its key's hash.
    pub name: String,
    pub valid_until: Timestamp,
    /// SHA-256 of the certificate, as other programs show it.
    pub sha256: String,
}

impl Authority {
    /// Reads the certificate in `ca_file`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn read(ca_file: &Path) -> io::Result<Self> {
        let pem = std::fs::read(ca_file)?;
        let der = CertificateDer::from_pem_slice(&pem).map_err(|_| no_certificate())?;
        let certificate = Certificate::from_der(&der).map_err(|_| no_certificate())?;
        let tbs = &certificate.tbs_certificate;
        let end = tbs.validity.not_after.to_unix_duration();
        let digits: Vec<_> = digest::digest(&digest::SHA256, &der)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        Ok(Self {
            name: tbs.subject.to_string().trim_start_matches("CN=").to_owned(),
            valid_until: Timestamp::from_secs(i64::try_from(end.as_secs()).unwrap_or(i64::MAX)),
            sha256: digits.join(":"),
        })
    }
}
