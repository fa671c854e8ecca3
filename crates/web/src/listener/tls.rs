//! TLS: certificate files, reloaded when they change.
//!
//! Source: RFC 8446, RFC 7301 (ALPN).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Makes aws-lc-rs the process's TLS cryptography. Call it once, first in `main`: a TLS
/// connection before it panics.
pub fn install_crypto_provider() {
    // Fails only if a provider is installed already, and there is no other.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// How TLS and plain text share the port.
#[derive(Debug, Clone)]
pub enum TlsPolicy {
    /// Both are answered; the first byte tells. For development.
    BesidePlain(Tls),
    /// A client that speaks plain text gets an answer that says to use TLS.
    Only(Tls),
}

impl TlsPolicy {
    pub(super) fn tls(&self) -> &Tls {
        match self {
            Self::BesidePlain(tls) | Self::Only(tls) => tls,
        }
    }
}

/// Why certificate files cannot be used. The messages are for operators.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not a PEM file: {source}", path = .path.display())]
    Pem {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error("{path} contains no certificate (`-----BEGIN CERTIFICATE-----`)", path = .0.display())]
    NoCertificate(PathBuf),
    #[error("{path} contains no private key (`-----BEGIN PRIVATE KEY-----`)", path = .0.display())]
    NoKey(PathBuf),
    #[error(
        "the key in {path} has a passphrase, which nobody could type at a start: write it without one \
         (`openssl pkey -in {path} -out NEW-FILE`) and let only the user that runs genkan read it",
        path = .0.display()
    )]
    EncryptedKey(PathBuf),
    #[error("the key in {key} does not belong to the first certificate in {certificate}", key = .key.display(), certificate = .certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate with its key, read from files.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    config: Arc<ServerConfig>,
    /// Time and size of the files before they were read.
    read: Stamp,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Reads a certificate chain (the server's own first) and its private key,
    /// both PEM. They may be the same file.
    ///
    /// # Errors
    ///
    /// [`TlsError`] says which file is wrong and how.
    pub fn from_files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let stamp = stamp(&certificate, &key);
        let current = RwLock::new(Arc::new(read(&provider, &certificate, &key)?));
        let files = Arc::new(Files {
            certificate,
            key,
            current,
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(&files))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        // Early data can be replayed (RFC 8446 §8), and a replayed login counts.
        config.max_early_data_size = 0;
        Ok(Self {
            files,
            config: Arc::new(config),
            read: stamp,
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Reads the files again. On failure the old certificate stays in use.
    ///
    /// # Errors
    ///
    /// As [`from_files`](Self::from_files).
    pub fn reload(&self) -> Result<(), TlsError> {
        let Files {
            certificate,
            key,
            current,
        } = &*self.files;
        let fresh = read(self.config.crypto_provider(), certificate, key)?;
        *current.write() = Arc::new(fresh);
        Ok(())
    }

    /// Looks at the files again and again, and takes a changed certificate into
    /// use without a restart. Never returns; ends when it is dropped.
    ///
    /// Files that cannot be used are logged once per change. Writers that are
    /// not atomic heal by themselves: the second write is a change, too.
    pub async fn watch(self, interval: Duration) {
        let mut seen = self.read;
        loop {
            tokio::time::sleep(interval).await;
            let stamp = stamp(&self.files.certificate, &self.files.key);
            if stamp == seen {
                continue;
            }
            seen = stamp;
            let file = self.files.certificate.display();
            match self.reload() {
                Ok(()) => tracing::info!(%file, "took the new TLS certificate into use"),
                Err(error) => tracing::error!(%error, "kept the old TLS certificate"),
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.files.certificate)
            .finish_non_exhaustive()
    }
}

/// Time and size: enough to notice a change, also through a symbolic link.
type Stamp = [Option<(SystemTime, u64)>; 2];

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn read(provider: &CryptoProvider, certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read_file(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem {
            path: certificate.to_owned(),
            source,
        })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let text = read_file(key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|source| match source {
        _ if is_encrypted(&text) => TlsError::EncryptedKey(key.to_owned()),
        rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey(key.to_owned()),
        source => TlsError::Pem {
            path: key.to_owned(),
            source,
        },
    })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        },
        error => TlsError::Unusable(error),
    })
}

/// RFC 7468 §11, and the older form of OpenSSL (RFC 1421 §4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let has = |words: &[u8]| pem.windows(words.len()).any(|part| part == words);
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

struct Resolver(Arc<Files>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.read()))
    }
}
