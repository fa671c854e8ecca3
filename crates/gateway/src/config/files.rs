//! Checks that the files in a configuration exist and have the right content.

use std::path::Path;

use genkan_web::listener::{Tls, TlsError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use zeroize::Zeroizing;

use super::instance_key::mode_open_to_others;
use super::{Config, InstanceKeyBytes, InstanceKeyFileError, Mistake, TlsMode};

impl Config {
    /// The key that encrypts secrets in the database.
    ///
    /// # Errors
    ///
    /// If its file cannot be read, can be read by others, or has other content.
    pub fn read_instance_key(&self) -> Result<InstanceKeyBytes, InstanceKeyFileError> {
        match (&self.instance_key, &self.instance_key_file) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(path)) => InstanceKeyBytes::read_file(path),
            (None, None) => unreachable!("a rule demands one of the two"),
        }
    }

    /// The password of the mail server, if there is one.
    ///
    /// # Errors
    ///
    /// What is wrong with its file, as text to put after its name.
    pub fn read_smtp_password(&self) -> Result<Option<Zeroizing<String>>, String> {
        let Some(path) = &self.mail.smtp_password_file else {
            return Ok(self.mail.smtp_url.as_ref().and_then(super::SmtpUrl::password));
        };
        let cannot = |problem: &str| format!("cannot be used: {}: {problem}", path.display());
        let metadata = std::fs::metadata(path).map_err(|error| cannot(&error.to_string()))?;
        if let Some(mode) = mode_open_to_others(&metadata) {
            return Err(cannot(&format!("it is open to others (mode {mode:04o})")));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| cannot(&error.to_string()))?);
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(cannot("it is empty")),
            password if password.contains(['\r', '\n']) => Err(cannot("it holds more than one line")),
            password => Ok(Some(Zeroizing::new(password.to_owned()))),
        }
    }

    /// Checks every file that the configuration names. A server does so before it starts. Other commands
    /// need only the files that they read themselves.
    ///
    /// # Errors
    ///
    /// All mistakes.
    pub fn check_files(&self) -> Result<(), super::Mistakes> {
        let mut mistakes = Vec::new();
        if let Err(error) = self.read_instance_key() {
            let (problem, remedy) = (error.to_string(), error.remedy());
            mistakes.push(self.file_mistake(
                "instance_key_file",
                format!("cannot be used: {problem}"),
                remedy,
            ));
        }
        if let (TlsMode::Files, Some(certificate), Some(key)) =
            (self.tls.mode, &self.tls.certificate_file, &self.tls.key_file)
        {
            self.check_tls(&mut mistakes, certificate, key);
        }
        if let Err(problem) = self.read_smtp_password() {
            mistakes.push(self.file_mistake("mail.smtp_password_file", problem, NEEDS_PASSWORD));
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

    /// Each file by itself first, so that mistakes in both are reported together.
    fn check_tls(&self, mistakes: &mut Vec<Mistake>, certificate: &Path, key: &Path) {
        let count = mistakes.len();
        self.check_certificates(mistakes, "tls.certificate_file", certificate);
        if let Err(error) = PrivateKeyDer::from_pem_file(key) {
            let problem = format!("cannot be used: {}: {error}", key.display());
            mistakes.push(self.file_mistake("tls.key_file", problem, NEEDS_KEY));
        }
        if mistakes.len() == count
            && let Err(error) = Tls::from_files(certificate, key)
        {
            let remedy = match error {
                TlsError::Mismatch { .. } => "Name the key that the certificate was made with.",
                _ => "Make a certificate with a key of RSA (2048 bits or more), P-256, P-384 or Ed25519.",
            };
            mistakes.push(self.file_mistake("tls.key_file", format!("cannot be used: {error}"), remedy));
        }
    }

    fn check_certificates(&self, mistakes: &mut Vec<Mistake>, key: &'static str, path: &Path) {
        let certificates =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let problem = match certificates {
            Ok(certificates) if !certificates.is_empty() => return,
            Ok(_) => format!("cannot be used: {} holds no certificate", path.display()),
            Err(error) => format!("cannot be used: {}: {error}", path.display()),
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
const NEEDS_PASSWORD: &str =
    "Name a file that holds the password on one line and that only its owner may read (mode 0600).";
const NEEDS_CERTIFICATE: &str =
    "Name a PEM file with blocks -----BEGIN CERTIFICATE-----, which genkan's user may read.";
