//! The files that a configuration names: whether they are there and hold what
//! they should.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Config, InstanceKeyBytes, InstanceKeyFileError, Mistake, TlsMode};

impl Config {
    /// The key under which secrets are sealed in the database.
    ///
    /// # Errors
    ///
    /// If its file cannot be read, is open to others or holds something else.
    pub fn read_instance_key(&self) -> Result<InstanceKeyBytes, InstanceKeyFileError> {
        match (&self.instance_key, &self.instance_key_file) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(path)) => InstanceKeyBytes::read_file(path),
            (None, None) => unreachable!("a rule demands one of the two"),
        }
    }

    /// Looks at every file that the configuration names. A server does so before it
    /// starts; other commands only need the files that they read themselves.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn check_files(&self) -> Result<(), super::Mistakes> {
        let mut mistakes = Vec::new();
        if let Err(error) = self.read_instance_key() {
            let (problem, remedy) = (error.to_string(), error.remedy());
            mistakes.push(self.file_mistake("instance_key_file", problem, remedy));
        }
        if self.tls.mode == TlsMode::Files {
            if let Some(path) = &self.tls.certificate_file {
                self.check_certificates(&mut mistakes, "tls.certificate_file", path);
            }
            if let Some(path) = &self.tls.key_file
                && let Err(error) = PrivateKeyDer::from_pem_file(path)
            {
                let problem = format!("{} holds no private key: {error}", path.display());
                mistakes.push(self.file_mistake("tls.key_file", problem, NEEDS_KEY));
            }
        }
        if let Some(path) = &self.outbound.ca_file {
            self.check_certificates(&mut mistakes, "outbound.ca_file", path);
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(super::Mistakes(mistakes))
        }
    }

    fn check_certificates(&self, mistakes: &mut Vec<Mistake>, key: &'static str, path: &Path) {
        let certificates =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let problem = match certificates {
            Ok(certificates) if !certificates.is_empty() => return,
            Ok(_) => format!("{} holds no certificate", path.display()),
            Err(error) => format!("{} cannot be read: {error}", path.display()),
        };
        mistakes.push(self.file_mistake(key, problem, NEEDS_CERTIFICATE));
    }

    fn file_mistake(&self, key: &str, problem: String, remedy: impl Into<String>) -> Mistake {
        Mistake {
            place: self.place(key),
            key: Some(key.to_owned()),
            problem,
            remedy: remedy.into(),
        }
    }
}

const NEEDS_KEY: &str =
    "Name a PEM file with a block such as -----BEGIN PRIVATE KEY-----, which genkan's user may read.";
const NEEDS_CERTIFICATE: &str =
    "Name a PEM file with blocks -----BEGIN CERTIFICATE-----, which genkan's user may read.";
