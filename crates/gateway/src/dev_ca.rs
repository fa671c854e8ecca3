//! A private certificate authority for development, so that `https://localhost`
//! works: some SDKs cannot speak gRPC without TLS.
//!
//! It can vouch only for the host names `localhost` and that of the public URL (RFC
//! 5280 §4.2.1.10). So if a developer trusts it and loses the data directory, other
//! sites stay safe. IP addresses stay unconstrained: BoringSSL, and with it every gRPC
//! client in Python and C++, refuses a path with a constraint on them ("unsupported
//! name constraint type").
//!
//! Source: RFC 5280.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use genkan_protocol::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CA_LIFETIME: Duration = DAY.saturating_mul(3_650);
const LIFETIME: Duration = DAY.saturating_mul(90);

/// A certificate with less time left is replaced at the next start.
const RENEW_BEFORE: Duration = DAY.saturating_mul(30);

/// Certificates are valid from a little earlier, for clients whose clock is behind.
const CLOCK_SKEW: Duration = DAY;

/// The names by which a process on this machine reaches it.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The name of the authority's certificate in the data directory.
pub const CA_FILE: &str = "ca.pem";

/// The paths of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevCertificates {
    /// The authority's certificate, for clients to trust (`GENKAN_CA_FILE`).
    pub ca_file: PathBuf,
    /// The server's certificate and its key, in one file, so that one write
    /// replaces both.
    pub server_file: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum DevCaError {
    #[error("cannot read or write {path}: {source}", path = .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`{0}` cannot stand in a certificate: use a host name or an IP address in the public URL")]
    Host(String),
    #[error("cannot issue the development certificate: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("the development certificate would not be accepted: {0}")]
    Verify(#[source] rustls::Error),
}

/// The authority's certificate in a data directory, if there is one.
pub fn authority(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(CA_FILE)).filter(|path| path.exists())
}

/// Makes sure that the data directory holds an authority and a certificate for
/// the loopback names and `public_host`. Changes nothing if both are good.
///
/// `public_host` is the host of the public URL, in the syntax of URLs.
///
/// # Errors
///
/// [`DevCaError`] if a file cannot be read or written, or the host is no name.
pub fn ensure(data_dir: &Path, public_host: &str, now: Timestamp) -> Result<DevCertificates, DevCaError> {
    let files = DevCertificates {
        ca_file: data_dir.join(CA_FILE),
        server_file: data_dir.join("tls.pem"),
    };
    let key_file = data_dir.join("ca-key.pem");
    let names = names(public_host)?;

    if let (Some(ca), Some(server)) = (read(&files.ca_file)?, read(&files.server_file)?)
        && is_good(&ca, &server, &names, now)
    {
        return Ok(files);
    }
    if let (Some(ca), Some(key)) = (read(&files.ca_file)?, read(&key_file)?) {
        // A new certificate by the authority that clients already trust.
        if let Ok(authority) = Authority::from_key(&key, &names) {
            let server = authority.issue(&names, now)?;
            if is_good(&ca, &server, &names, now) {
                write(&files.server_file, &server, Secrecy::Private)?;
                return Ok(files);
            }
        }
        tracing::warn!(file = %files.ca_file.display(), "made a new development CA: clients must trust it anew");
    }
    let authority = Authority::from_key(&KeyPair::generate()?.serialize_pem(), &names)?;
    let ca = authority.certificate(now)?;
    let server = authority.issue(&names, now)?;
    verify(&ca, &server, &names, now).map_err(DevCaError::Verify)?;
    // The key first: if we are interrupted, the next start sees that the two do not match.
    write(
        &key_file,
        &authority.issuer.key().serialize_pem(),
        Secrecy::Private,
    )?;
    write(&files.ca_file, &ca, Secrecy::Public)?;
    write(&files.server_file, &server, Secrecy::Private)?;
    Ok(files)
}

/// The names of the certificate: [`LOOPBACK`] and the public URL's host.
fn names(public_host: &str) -> Result<Vec<String>, DevCaError> {
    let host = public_host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    ServerName::try_from(host.as_str()).map_err(|_| DevCaError::Host(public_host.to_owned()))?;
    let mut names = LOOPBACK.map(str::to_owned).to_vec();
    if !names.contains(&host) {
        names.push(host);
    }
    Ok(names)
}

/// The first line of the server's file: the names of the certificate.
fn title(names: &[String]) -> String {
    format!("Genkan development certificate for {}", names.join(", "))
}

/// Whether the certificate is for exactly these names and lasts for a while.
fn is_good(ca: &str, server: &str, names: &[String], now: Timestamp) -> bool {
    let soon = now + RENEW_BEFORE;
    server.lines().next() == Some(&title(names))
        && [now, soon]
            .into_iter()
            .all(|moment| verify(ca, server, names, moment).is_ok())
}

/// Makes the checks of a client: path, time, usage, every name; and that the key fits.
fn verify(ca: &str, server: &str, names: &[String], at: Timestamp) -> Result<(), rustls::Error> {
    let general = |error: rustls::pki_types::pem::Error| rustls::Error::General(error.to_string());
    let crypto = Arc::new(provider::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).map_err(general)?)?;
    let certificate = CertificateDer::from_pem_slice(server.as_bytes()).map_err(general)?;
    let key = PrivateKeyDer::from_pem_slice(server.as_bytes()).map_err(general)?;
    let certified = CertifiedKey::from_der(vec![certificate], key, &crypto)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_secs().try_into().unwrap_or(0)));
    for name in names {
        let name =
            ServerName::try_from(name.as_str()).map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(certified.end_entity_cert()?, &[], &name, &[], at)?;
    }
    Ok(())
}

/// The authority: a key, and the certificate that is made from it.
struct Authority {
    params: CertificateParams,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn from_key(key: &str, names: &[String]) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(key)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let hosts = names.iter().filter(|name| name.parse::<IpAddr>().is_err());
        let permitted_subtrees = hosts.cloned().map(GeneralSubtree::DnsName).collect();
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees,
            excluded_subtrees: vec![],
        });
        // The name comes from the key. A trust store would confuse two authorities
        // of one name.
        let fingerprint = digest::digest(&digest::SHA256, &key.subject_public_key_info());
        let [a, b, c, d, ..] = fingerprint.as_ref() else {
            unreachable!("SHA-256 has 32 bytes")
        };
        let name = format!("Genkan development CA {a:02x}{b:02x}{c:02x}{d:02x}");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = Issuer::new(params.clone(), key);
        Ok(Self { params, issuer })
    }

    /// The authority's own certificate, PEM.
    fn certificate(&self, now: Timestamp) -> Result<String, rcgen::Error> {
        let mut params = self.params.clone();
        set_validity(&mut params, now, CA_LIFETIME);
        Ok(params.self_signed(self.issuer.key())?.pem())
    }

    /// A server certificate with a fresh key, as the text of the file.
    fn issue(&self, names: &[String], now: Timestamp) -> Result<String, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, LIFETIME);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(format!("{}\n{certificate}{}", title(names), key.serialize_pem()))
    }
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, lifetime: Duration) {
    let now = Duration::from_secs(now.as_secs().try_into().unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + now + lifetime;
}

/// A file's text, or `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>, DevCaError> {
    match fs::read(path) {
        // A file that is not text fails at its first use, and is replaced.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DevCaError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Public,
    /// Readable by the owner only, from the first byte on.
    Private,
}

/// Replaces a file as a whole: a reader sees the old or the new one, also after a crash.
fn write(path: &Path, text: &str, secrecy: Secrecy) -> Result<(), DevCaError> {
    let temporary = path.with_extension("pem.new");
    let replace = || {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(if secrecy == Secrecy::Private { 0o600 } else { 0o644 });
        }
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        #[cfg(unix)]
        if let Some(directory) = path.parent() {
            fs::File::open(directory)?.sync_all()?;
        }
        Ok(())
    };
    replace().map_err(|source| DevCaError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn contents(directory: &Path) -> Vec<String> {
        ["ca.pem", "ca-key.pem", "tls.pem"]
            .map(|name| fs::read_to_string(directory.join(name)).unwrap())
            .to_vec()
    }

    #[test]
    fn a_second_start_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let first = ensure(directory.path(), "localhost", NOW).unwrap();
        let before = contents(directory.path());
        let second = ensure(directory.path(), "localhost", NOW + DAY * 59).unwrap();
        assert_eq!((first, before), (second, contents(directory.path())));
    }

    #[test]
    fn a_certificate_is_renewed_before_it_expires_and_the_authority_stays() {
        let directory = tempfile::tempdir().unwrap();
        ensure(directory.path(), "localhost", NOW).unwrap();
        let before = contents(directory.path());
        let later = NOW + DAY * 61;
        ensure(directory.path(), "localhost", later).unwrap();
        let after = contents(directory.path());
        assert_eq!(before[..2], after[..2]);
        assert_ne!(before[2], after[2]);
        assert!(
            verify(
                &after[0],
                &after[2],
                &names("localhost").unwrap(),
                later + DAY * 89
            )
            .is_ok()
        );
    }

    #[test]
    fn another_host_gets_a_certificate() {
        let directory = tempfile::tempdir().unwrap();
        for host in ["sso.example.test", "192.0.2.7", "[2001:db8::7]", "Localhost"] {
            ensure(directory.path(), host, NOW).unwrap();
            let files = contents(directory.path());
            assert!(
                verify(&files[0], &files[2], &names(host).unwrap(), NOW).is_ok(),
                "{host}"
            );
        }
        let error = ensure(directory.path(), "no host", NOW).unwrap_err();
        assert!(matches!(error, DevCaError::Host(_)), "{error}");
    }

    #[test]
    fn the_authority_cannot_vouch_for_other_hosts() {
        let directory = tempfile::tempdir().unwrap();
        ensure(directory.path(), "localhost", NOW).unwrap();
        let files = contents(directory.path());
        let stolen = Authority::from_key(&files[1], &names("localhost").unwrap()).unwrap();
        let names = vec!["bank.example".to_owned()];
        assert!(verify(&files[0], &stolen.issue(&names, NOW).unwrap(), &names, NOW).is_err());
        let names = vec!["localhost".to_owned()];
        assert!(verify(&files[0], &stolen.issue(&names, NOW).unwrap(), &names, NOW).is_ok());
    }

    #[test]
    fn damage_heals() {
        for damaged in ["ca.pem", "ca-key.pem", "tls.pem"] {
            for damage in [Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n"), None] {
                let directory = tempfile::tempdir().unwrap();
                ensure(directory.path(), "localhost", NOW).unwrap();
                let file = directory.path().join(damaged);
                match damage {
                    Some(text) => fs::write(&file, text).unwrap(),
                    None => fs::remove_file(&file).unwrap(),
                }
                ensure(directory.path(), "localhost", NOW).unwrap();
                let ca = fs::read_to_string(directory.path().join("ca.pem")).unwrap();
                let server = fs::read_to_string(directory.path().join("tls.pem")).unwrap();
                assert!(
                    verify(&ca, &server, &names("localhost").unwrap(), NOW).is_ok(),
                    "{damaged}"
                );
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_readable_by_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        ensure(directory.path(), "localhost", NOW).unwrap();
        for (name, expected) in [("ca.pem", 0o644), ("ca-key.pem", 0o600), ("tls.pem", 0o600)] {
            let mode = fs::metadata(directory.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, expected, "{name}");
        }
    }
}
